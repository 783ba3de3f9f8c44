/* SPDX-License-Identifier: Apache-2.0 */
/* The owners of one object's fields on their way through one write: read before it, judged by it,
 * set aside after it if they changed. An object to which nobody ever applied has none, and costs
 * nothing here but to find that out.
 * Threads: the writer's. */
#ifndef WATCHD_OWNERS_H
#define WATCHD_OWNERS_H

#include "store/apply.h"
#include "store/batch.h"

struct owners {
    struct buf text; /* as they are; "": there are none */
    struct managed managed;
};

/* What w needs to know of `cur` (NULL: there is no object). Every owners_read is followed by
 * owners_fini. Errors: ERR_DATA_LOSS and those of reading. */
enum errc owners_read(struct batch *b, const struct write *w, const struct object *cur, row_t row,
                      struct owners *ret, struct err *err) NODISCARD;
void owners_fini(struct owners *o);

/* What w, which made `is` out of `was` (either may be NULL, or both the same), makes of them; sets
 * them aside if that is anything. */
void owners_write(struct batch *b, const struct write *w, const struct object *was,
                  struct object *is, row_t row, const struct apply_env *env, struct owners *o);

#endif

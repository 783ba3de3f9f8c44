/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting: an object whose owners are all gone is deleted, soon after the last one, or marked if
 * it has finalizers; one that has some left loses its references to those that are gone; and what
 * an owner's deletion leaves on purpose loses its reference to it. An owner is an object of the
 * dependent's namespace with the name and the uid of the reference. Threads: the writer's. */
#ifndef WATCHD_COLLECT_H
#define WATCHD_COLLECT_H

#include "store/batch.h"

/* Dependents that one deletion leaves: with it they fill a batch, so all is done at once or not at
 * all; and those that one of a transaction leaves. */
#define ORPHANS_MAX     (BATCH_WRITES - 1)
#define ORPHANS_TXN_MAX 127

/* What the batch looks at; to be told afterwards whether it was committed. */
struct collected {
    struct key keys[64];
    size_t n;
};

/* Adds what is to be done about the dependents that are due to the batch. */
void collect_due(struct batch *b, struct collected *ret);
void collect_done(struct store *s, struct collected *c, bool committed);

/* Takes the references to the object that w deletes out of its dependents. Errors: ERR_UNAVAILABLE
 * while not all are known yet, ERR_DATA_LOSS if not all can be, ERR_LIMIT, and those of writing
 * them. */
enum errc collect_orphan(struct batch *b, const struct write *w, const struct object *owner,
                         struct err *err) NODISCARD;

#endif

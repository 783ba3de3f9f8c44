/* SPDX-License-Identifier: Apache-2.0 */
/* The opening of a stored body (see object.h): all up to the creation time, and the labels where
 * they follow at once. Who keeps an object's key, labels and these few facts can leave it out and
 * write it again, byte by byte the same: a third of the usual body.
 * Rows on disk rely on it: what opening_write makes of the same facts never changes.
 * Pure functions; all texts are borrowed. */
#ifndef WATCHD_MODEL_OPENING_H
#define WATCHD_MODEL_OPENING_H

#include "store/base/bytes.h"
#include "store/base/random.h"
#include "store/model/name.h"

#define OPENING_UID_BYTES ((UUID_LEN - 4) / 2)

struct opening {
    struct str api_version, kind;
    struct key key;
    uint8_t uid[OPENING_UID_BYTES];
    int64_t created;   /* seconds since 1970 */
    struct str labels; /* canonical, see labels.h; empty: none follow */
};

/* Does the body begin with an opening? *ret_n is its size. A body of another shape, or whose labels
 * stand in another order, is no fault: of such labels the opening has none. */
bool opening_find(const struct key *key, struct str labels, struct str body, uint32_t splice,
                  struct opening *ret, size_t *ret_n);

size_t opening_size(const struct opening *o);
/* Writes exactly that many bytes; returns the place behind them. */
char *opening_write(const struct opening *o, char *at);
/* The `splice` of a body that begins so. */
uint32_t opening_splice(const struct opening *o);

#endif

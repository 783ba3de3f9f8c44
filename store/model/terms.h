/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical form of a selector, whatever its terms are about: sorted by key, then by text, each
 * once, joined by commas; so equal selectors have equal texts.
 * Pure. */
#ifndef WATCHD_MODEL_TERMS_H
#define WATCHD_MODEL_TERMS_H

#include "store/base/bytes.h"

/* What terms are: an array of structs of some type. */
struct terms_kind {
    size_t size;                         /* of one */
    struct str (*key)(const void *term); /* borrowed */
    void (*write)(const void *term, struct buf *out);
    void (*fini)(void *term); /* of one that is there twice */
};

/* Puts the n terms in order and returns how many are left. Their text is appended to `out`. */
size_t terms_settle(void *terms, size_t n, const struct terms_kind *kind, struct buf *out);

/* Is v among the n sorted strings, each the first member of a struct of `size` bytes? */
bool terms_have(const void *sorted, size_t n, size_t size, struct str v);

#endif

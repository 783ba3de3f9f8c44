/* SPDX-License-Identifier: Apache-2.0 */
/* A set of positive 64-bit numbers, 16 bytes each. All zero is the empty set.
 * Threads: one at a time. */
#ifndef WATCHD_BASE_IDS_H
#define WATCHD_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
    int64_t *v; /* 0: free; open addressing, at most half full */
    size_t n, cap;
};

void ids_fini(struct ids *s);
bool ids_has(const struct ids *s, int64_t id);
void ids_add(struct ids *s, int64_t id);
void ids_del(struct ids *s, int64_t id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: many small allocations with one budget, freed at once. What cannot be afforded yields
 * NULL, which is how hostile input is bounded. Threads: one at a time. */
#ifndef WATCHD_BASE_ARENA_H
#define WATCHD_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    char *at, *end; /* free room of the newest chunk */
    size_t left;    /* budget still to be had */
};

void arena_init(struct arena *a, size_t budget);
void arena_fini(struct arena *a);
/* 16-byte aligned, not cleared; NULL when the budget is spent. */
void *arena_alloc(struct arena *a, size_t n);

#endif

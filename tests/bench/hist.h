/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram of times in nanoseconds, good to 1.6 %, of fixed size. Threads: one. */
#ifndef WATCHD_BENCH_HIST_H
#define WATCHD_BENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_CELLS    ((64 - HIST_SUB_BITS) * HIST_SUB)

struct hist {
    uint64_t n;
    uint64_t cells[HIST_CELLS];
};

static inline void hist_add(struct hist *h, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    unsigned shift = v < HIST_SUB ? 0 : 63u - HIST_SUB_BITS - (unsigned)__builtin_clzll(v);
    h->cells[shift * HIST_SUB + (v >> shift)]++;
    h->n++;
}

/* The time that a share q of all does not exceed, in milliseconds; 0 of none. */
double hist_ms(const struct hist *h, double q);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: many due times of which the next one is known, as a binary heap of embedded timers; to
 * set, move or take one costs O(log n), and nothing costs O(n).
 * Owned by a loop. Threads: the loop's. */
#ifndef WATCHD_SERVER_TIMERS_H
#define WATCHD_SERVER_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/clock.h"

struct timer {
    mono_ms_t at;
    uint32_t place; /* in the heap, from 1; 0: not set */
};

struct timers {
    struct timer **heap; /* heap[0] is unused */
    uint32_t n, cap;
};

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts);
/* Sets it, or moves it. */
void timers_set(struct timers *ts, struct timer *t, mono_ms_t at);
/* Fine if it is not set. */
void timers_clear(struct timers *ts, struct timer *t);
/* The next one due; NULL if there is none. */
struct timer *timers_first(const struct timers *ts);

#endif

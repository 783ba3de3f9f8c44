/* SPDX-License-Identifier: Apache-2.0 */
/* (1) heap[i]->at >= heap[i / 2]->at, and heap[i]->place == i, for 1 <= i <= n. */
#include "server/timers.h"

#include <stdlib.h>

#include "store/base/mem.h"

void timers_init(struct timers *ts)
{
    *ts = (struct timers){0};
}

void timers_fini(struct timers *ts)
{
    free(ts->heap);
    *ts = (struct timers){0};
}

static void put(struct timers *ts, uint32_t place, struct timer *t)
{
    ts->heap[place] = t;
    t->place = place;
}

static void settle(struct timers *ts, struct timer *t)
{
    uint32_t i = t->place;
    while (i > 1 && ts->heap[i / 2]->at > t->at) {
        put(ts, i, ts->heap[i / 2]);
        i /= 2;
    }
    for (;;) {
        uint32_t child = i * 2;
        if (child < ts->n && ts->heap[child + 1]->at < ts->heap[child]->at) {
            child++;
        }
        if (child > ts->n || ts->heap[child]->at >= t->at) {
            break;
        }
        put(ts, i, ts->heap[child]);
        i = child;
    }
    put(ts, i, t);
}

void timers_set(struct timers *ts, struct timer *t, mono_ms_t at)
{
    t->at = at;
    if (t->place == 0) {
        ts->n++;
        if (ts->n >= ts->cap) {
            ts->cap = ts->cap == 0 ? 64 : ts->cap * 2;
            ts->heap = mem_realloc(ts->heap, ts->cap * sizeof(struct timer *));
        }
        put(ts, ts->n, t);
    }
    settle(ts, t);
}

void timers_clear(struct timers *ts, struct timer *t)
{
    if (t->place == 0) {
        return;
    }
    struct timer *last = ts->heap[ts->n];
    ts->n--;
    if (last != t) {
        put(ts, t->place, last);
        settle(ts, last);
    }
    t->place = 0;
}

struct timer *timers_first(const struct timers *ts)
{
    return ts->n > 0 ? ts->heap[1] : NULL;
}

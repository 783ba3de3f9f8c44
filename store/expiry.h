/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry: the deadlines of the objects that have one, by the store's own clock, in their order. The
 * engine keeps them durably; this is what it holds, known from start-up and from each commit.
 * Owned by the store. Threads: the writer's (start-up comes before it). */
#ifndef WATCHD_EXPIRY_H
#define WATCHD_EXPIRY_H

#include "store/engine.h"

struct expiry;

struct expiring {
    struct key key; /* borrows from the expiry until the deadline is set again or forgotten */
    row_t row;
    int64_t deadline_ms;
    int64_t due_ms;  /* when it is to be tried: the deadline, or later where that failed */
    int64_t wait_ms; /* between the last two attempts; 0: none has failed */
};

struct expiry *expiry_new(void);
void expiry_free(struct expiry *x); /* NULL is fine. */
/* deadline_ms 0: it has none. */
void expiry_set(struct expiry *x, const struct key *k, row_t row, int64_t deadline_ms);
/* 0: it has none. */
int64_t expiry_of(const struct expiry *x, row_t row);
/* What a commit did to them. */
void expiry_committed(struct expiry *x, const struct commit *c);
/* It cannot be done now: it is due again after so long. */
void expiry_put_off(struct expiry *x, row_t row, int64_t run_ms, int64_t wait_ms);
/* When the first one is due; 0: there is none. */
int64_t expiry_next(struct expiry *x);
/* The first ones that are due at run_ms, at most max. Returns how many. */
size_t expiry_due(struct expiry *x, int64_t run_ms, struct expiring *ret, size_t max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The dirty objects: rows whose newest version is only among the events so far.
 * Private to the SQLite engine. Threads: the writer's. */
#ifndef WATCHD_ENGINE_SQLITE_DIRTY_H
#define WATCHD_ENGINE_SQLITE_DIRTY_H

#include "store/engine.h"

struct dirty_row {
    row_t row; /* 0: a free place */
    rv_t rv;   /* its last event */
    bool gone; /* which deleted it */
    bool bad;  /* which is damaged: the row stays behind */
};

/* Open addressing; cap is a power of two, or 0. */
struct dirty {
    struct dirty_row *v;
    size_t n, cap;
};

void dirty_fini(struct dirty *d);
/* Borrowed until the next dirty_set; NULL if the row is clean. */
struct dirty_row *dirty_find(const struct dirty *d, row_t row);
void dirty_set(struct dirty *d, row_t row, rv_t rv, bool gone);
void dirty_clear(struct dirty *d, row_t row);
/* All of them, in order of the rows; *ret is new. */
size_t dirty_sorted(const struct dirty *d, struct dirty_row **ret);

#endif

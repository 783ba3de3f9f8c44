/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction: removes the oldest events, a slice between two batches, when the history is over its
 * limits or somebody asked. A snapshot under way holds the floor at its version, but not longer than
 * PIN_MS and not beyond the limit of bytes. The newest event always stays. */
#include <stdlib.h>

#include "store/base/metric.h"
#include "store/store_impl.h"

#define SLICE_ROWS 1000

struct gone {
    struct store *store;
    size_t n, bytes;
    struct index_entry *entries[SLICE_ROWS];
    rv_t rvs[SLICE_ROWS];
};

static void gone_row(void *arg, rv_t rv, const struct key *key, size_t bytes)
{
    struct gone *g = arg;
    index_lock(g->store->index);
    g->entries[g->n] = index_find(g->store->index, key);
    index_unlock(g->store->index);
    g->rvs[g->n++] = rv;
    g->bytes += bytes;
}

/* Up to where the limits of the history want events removed; 0: they do not. */
static rv_t limits_want(struct store *s)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    uint64_t bytes = atomic_load(&s->history_bytes);
    rv_t floor = store_floor(s);
    rv_t head = store_head(s);
    bool many = o->history_events > 0 && events > (uint64_t)o->history_events;
    bool big = o->history_bytes > 0 && bytes > (uint64_t)o->history_bytes;
    if (!many && !big) {
        return 0;
    }
    rv_t pinned = store_pinned(s);
    rv_t upto = 0;
    if (many) {
        upto = floor + (events - (uint64_t)o->history_events);
        upto = upto < pinned ? upto : pinned;
    }
    if (big && upto < head) {
        upto = head; /* as far as the slice goes; asked again after it */
    }
    return upto > floor ? upto : 0;
}

static size_t limits_rows(struct store *s)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    bool big = o->history_bytes > 0 &&
               atomic_load(&s->history_bytes) > (uint64_t)o->history_bytes;
    if (big) {
        /* Few at a time, as each may be large. */
        return 64;
    }
    uint64_t over = events - (uint64_t)o->history_events;
    return over < SLICE_ROWS ? (size_t)over : SLICE_ROWS;
}

/* Removes up to `rows` events <= upto. *ret_removed is how many went. */
static enum errc slice(struct store *s, rv_t upto, size_t rows, size_t *ret_removed,
                       struct err *err)
{
    struct gone *g = mem_alloc(sizeof *g);
    g->store = s;
    g->n = 0;
    g->bytes = 0;
    rv_t floor = store_floor(s);
    enum errc rc = s->engine->ops->compact(s->engine, upto, rows, gone_row, g, &floor, err);
    if (rc == OK) {
        atomic_store(&s->floor, floor);
        metric_set(M_FLOOR, (int64_t)floor);
        index_lock(s->index);
        for (size_t i = 0; i < g->n; i++) {
            if (g->entries[i] != NULL) {
                index_forget(s->index, g->entries[i], g->rvs[i]);
            }
        }
        index_unlock(s->index);
        atomic_fetch_sub(&s->history_events, g->n);
        atomic_fetch_sub(&s->history_bytes, g->bytes);
        metric_add(M_COMPACTED, (int64_t)g->n);
        *ret_removed = g->n;
    }
    free(g);
    return rc;
}

static void serve_request(struct store *s, struct compaction *c, bool *ret_done)
{
    if (!c->started) {
        c->started = true;
        c->upto = c->upto != 0 ? c->upto : store_head(s);
    }
    size_t removed = 0;
    rv_t pinned = store_pinned(s);
    rv_t upto = c->upto < pinned ? c->upto : pinned;
    enum errc rc = OK;
    if (upto > store_floor(s)) {
        rc = slice(s, upto, SLICE_ROWS, &removed, &c->err);
    }
    c->removed += removed;
    c->floor = store_floor(s);
    *ret_done = rc != OK || removed < SLICE_ROWS;
}

bool compact_slice(struct store *s, struct compaction *c, bool *ret_request_done)
{
    *ret_request_done = false;
    if (atomic_load(&s->loaded) == LOAD_FAILED) {
        if (c != NULL) {
            (void)err_set(&c->err, ERR_DATA_LOSS, "the history is damaged; nothing is compacted");
            *ret_request_done = true;
        }
        return false;
    }
    if (c != NULL) {
        serve_request(s, c, ret_request_done);
        return true;
    }
    rv_t upto = limits_want(s);
    if (upto == 0) {
        return false;
    }
    struct err err = {0};
    size_t removed = 0;
    enum errc rc = slice(s, upto, limits_rows(s), &removed, &err);
    return rc == OK && removed != 0 && limits_want(s) != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction: removes the oldest events, a slice between two batches, when the history is over its
 * limits or somebody asked. A snapshot under way holds the floor at its version, but not longer
 * than PIN_MS and not beyond the limit of bytes. The newest event always stays.
 * Watches are told of it before: the quiet ones have clients that know only of old versions. */
#include <stdlib.h>

#include "store/base/metric.h"
#include "store/batch.h"
#include "store/store_impl.h"

/* Events; or rows, a quarter of them where somebody waits: to fold one costs as much as to remove
 * several. So a write that comes meanwhile hardly waits. */
#define SLICE_ROWS 256
_Static_assert(TXN_EVENTS_MAX <= SLICE_ROWS, "a transaction is removed whole");
/* What is over the limits goes so many times as fast as events come, while they come; so a slice is
 * larger where the batches before it were. */
#define CATCH_UP  3
#define SLICE_MAX (CATCH_UP * BATCH_WRITES)

struct gone {
    struct store *store;
    size_t n, bytes;
    struct index_entry *entries[SLICE_MAX];
    rv_t rvs[SLICE_MAX];
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

/* Notes now and then which version was the head at which running time, durably. What was there
 * before the first note counts from that, so nothing expires early. */
static enum errc note_age(struct store *s, struct err *err)
{
    const struct engine_age *newest =
        &s->ages[(s->first_age + s->n_ages + ENGINE_AGES - 1) % ENGINE_AGES];
    int64_t now = store_run_ms(s);
    int64_t step = (s->opt.history_age_s / ENGINE_AGES + 1) * 1000;
    if (s->n_ages != 0 && now - newest->run_ms < step) {
        return OK;
    }
    if (s->n_ages == ENGINE_AGES) {
        s->first_age = (s->first_age + 1) % ENGINE_AGES;
        s->n_ages--;
    }
    s->ages[(s->first_age + s->n_ages) % ENGINE_AGES] = (struct engine_age){now, store_head(s)};
    s->n_ages++;
    const struct engine_ops *ops = s->engine->ops;
    return ops->keep_clock != NULL ? ops->keep_clock(s->engine, now, err) : OK;
}

/* The newest version that is so old; 0: none, or age does not count. */
static rv_t older_than(const struct store *s, int64_t ms)
{
    rv_t upto = 0;
    for (size_t i = 0; i < s->n_ages; i++) {
        const struct engine_age *n = &s->ages[(s->first_age + i) % ENGINE_AGES];
        if (s->opt.history_age_s > 0 && store_run_ms(s) - n->run_ms >= ms) {
            upto = n->rv;
        }
    }
    return upto;
}

/* How many events may go at once, for those that came since the last ones went. */
static size_t slice_rows(const struct store *s)
{
    uint64_t rows = CATCH_UP * (store_head(s) - s->compacted_at);
    return rows < SLICE_ROWS ? SLICE_ROWS : rows < SLICE_MAX ? (size_t)rows : SLICE_MAX;
}

/* How many events the limits of number and bytes want removed; with 1/64 of the limit more, so that
 * a full history does not cost a transaction for every one committed. Pins do not hold against the
 * limit of bytes. */
static size_t limits_want(struct store *s, bool *ret_pins_hold)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    uint64_t bytes = atomic_load(&s->history_bytes);
    const size_t most = slice_rows(s);
    *ret_pins_hold = true;
    if (o->history_bytes > 0 && bytes > (uint64_t)o->history_bytes && events > 1) {
        uint64_t over = bytes - (uint64_t)o->history_bytes + (uint64_t)o->history_bytes / 64;
        uint64_t rows = over / (bytes / events + 1) + 1;
        *ret_pins_hold = false;
        return rows < most ? (size_t)rows : most;
    }
    if (o->history_events > 0 && events > (uint64_t)o->history_events) {
        uint64_t rows = events - (uint64_t)o->history_events + (uint64_t)o->history_events / 64;
        return rows < most ? (size_t)rows : most;
    }
    return 0;
}

/* How many events the history holds when it is full, about; 0: there is no limit. */
static uint64_t history_keeps(const struct store *s)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    uint64_t bytes = atomic_load(&s->history_bytes);
    uint64_t keeps = o->history_events > 0 ? (uint64_t)o->history_events : 0;
    if (o->history_bytes > 0 && events != 0) {
        uint64_t fit = (uint64_t)o->history_bytes / (bytes / events + 1) + 1;
        keeps = keeps == 0 || fit < keeps ? fit : keeps;
    }
    return keeps;
}

/* What the next slice is to remove: at most *ret_rows events <= the result; 0: nothing. */
static rv_t due(struct store *s, size_t *ret_rows)
{
    bool pins_hold = true;
    rv_t upto = store_head(s);
    *ret_rows = limits_want(s, &pins_hold);
    if (*ret_rows == 0) {
        *ret_rows = slice_rows(s);
        upto = older_than(s, s->opt.history_age_s * 1000);
    }
    if (pins_hold && upto > store_floor(s)) {
        rv_t pinned = store_pinned(s), spared = store_spared(s);
        upto = upto < pinned ? upto : pinned;
        upto = upto < spared ? upto : spared;
    }
    return upto > store_floor(s) ? upto : 0;
}

/* Tells watches of what goes before long, so that their clients can always resume: the older half
 * of what is kept, once that is three quarters of what may be or half as old; and all up to
 * `asked`. In steps, so that it costs a client a bookmark now and then. */
static void move_brink(struct store *s, rv_t asked)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    uint64_t bytes = atomic_load(&s->history_bytes);
    bool full = (o->history_events > 0 && events > (uint64_t)o->history_events / 4 * 3) ||
                (o->history_bytes > 0 && bytes > (uint64_t)o->history_bytes / 4 * 3);
    rv_t floor = store_floor(s);
    rv_t kept = store_head(s) - floor;
    rv_t aged = older_than(s, o->history_age_s * 500);
    rv_t brink = full ? floor + kept / 2 : 0;
    brink = brink > aged ? brink : aged;
    brink = brink > asked ? brink : asked;
    rv_t before = store_brink(s);
    if (brink > before && (brink == asked || brink - before >= kept / 16)) {
        atomic_store(&s->brink, brink);
        watch_sets_kick(s);
    }
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

/* Readies events <= upto to be removed: so many rows now, or (0) along with the commits.
 * *ret_done: they are ready, no more of it is needed. */
static enum errc fold(struct store *s, rv_t upto, size_t rows, bool *ret_done, struct err *err)
{
    *ret_done = true;
    const struct engine_ops *ops = s->engine->ops;
    return ops->fold != NULL ? ops->fold(s->engine, upto, rows, ret_done, err) : OK;
}

static bool is_over(const struct store *s, uint64_t eighths)
{
    const struct store_options *o = &s->opt;
    uint64_t events = atomic_load(&s->history_events);
    uint64_t bytes = atomic_load(&s->history_bytes);
    return (o->history_events > 0 && events > (uint64_t)o->history_events / 8 * eighths) ||
           (o->history_bytes > 0 && bytes > (uint64_t)o->history_bytes / 8 * eighths);
}

static enum errc serve_request(struct store *s, struct compaction *c, bool idle, bool *ret_done)
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
        move_brink(s, upto);
        bool folded = false;
        rc = fold(s, upto, idle ? SLICE_ROWS : SLICE_ROWS / 4, &folded, &c->err);
        if (rc == OK && !folded) {
            *ret_done = false;
            return OK;
        }
        if (rc == OK) {
            rc = slice(s, upto, SLICE_ROWS, &removed, &c->err);
        }
    }
    c->removed += removed;
    c->floor = store_floor(s);
    *ret_done = rc != OK || removed == 0 || c->floor >= upto;
    return rc;
}

/* What the limits want removed goes along with what comes, so that no write waits for much of it:
 * rows are readied along with commits, and events go in slices that are as far apart as CATCH_UP
 * says. But at once where nothing comes, and where the history is an eighth over its limit. */
static bool may_wait(const struct store *s, size_t rows, bool idle)
{
    return !idle && is_over(s, 8) && !is_over(s, 9) &&
           store_head(s) - s->compacted_at < rows / CATCH_UP;
}

enum errc compact_slice(struct store *s, struct compaction *c, bool idle, bool *ret_request_done,
                        bool *ret_more)
{
    struct err err = {0};
    s->engine->keeps = history_keeps(s);
    *ret_request_done = false;
    *ret_more = false;
    if (atomic_load(&s->loaded) == LOAD_FAILED) {
        if (c != NULL) {
            (void)err_set(&c->err, ERR_DATA_LOSS, "the history is damaged; nothing is compacted");
            *ret_request_done = true;
        }
        return OK;
    }
    if (c != NULL) {
        *ret_more = true;
        return serve_request(s, c, idle, ret_request_done);
    }
    if (s->opt.history_age_s > 0) {
        enum errc noted = note_age(s, &err);
        if (noted != OK) {
            return noted;
        }
    }
    move_brink(s, 0);
    size_t rows = 0, removed = 0;
    rv_t upto = due(s, &rows);
    if (upto == 0 || may_wait(s, rows, idle)) {
        return OK;
    }
    bool folded = false;
    size_t fold_now = !idle && is_over(s, 8) && !is_over(s, 9) ? 0 : SLICE_ROWS;
    rv_t first = store_floor(s) + rows + TXN_EVENTS_MAX;
    first = first < upto ? first : upto;
    enum errc rc = fold(s, first, fold_now, &folded, &err);
    if (rc == OK && !folded) {
        *ret_more = fold_now != 0;
        return OK;
    }
    if (rc == OK) {
        rc = slice(s, upto, rows, &removed, &err);
        s->compacted_at = store_head(s);
    }
    *ret_more = rc == OK && removed != 0 && due(s, &rows) != 0;
    return rc;
}

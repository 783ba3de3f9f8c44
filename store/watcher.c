/* SPDX-License-Identifier: Apache-2.0 */
/* A watcher: one cursor, whatever it reads from.
 *
 * pull: a chunk has arrived?           ─► hand out its next batch
 *       in the snapshot, or behind
 *       what the log holds?            ─► ask the reader, wait
 *       the log has events <= set->at? ─► a batch of shared bytes
 *       at set->at?                    ─► idle
 *
 * Invariants:
 *   (1) the cursor only moves up, and only over events that were handed out or do not match;
 *   (2) nothing beyond set->at is taken from the log: the index shows it later, exactly once;
 *   (3) a pull leaves the cursor at the end of a transaction: one is handed out whole, or not yet.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/watch_impl.h"

/* ---- Opening and closing -------------------------------------------------------------------- */

static void start_snapshot(struct watcher *w, const struct position *resume)
{
    struct snapshot *sn = mem_zalloc(sizeof *sn);
    if (resume != NULL) {
        sn->pulled_key = key_copy_to(&resume->last, sn->pulled);
        w->cursor = resume->rv;
    }
    w->snapshot = sn;
}

static enum errc start(struct watcher *w, const struct watcher_options *opt, struct err *err)
{
    struct store *s = w->set->store;
    rv_t head = w->set->at;
    enum errc rc = OK;
    switch (opt->start) {
    case START_SNAPSHOT:
        start_snapshot(w, NULL);
        return OK;
    case START_NOW:
        w->cursor = head;
        return OK;
    case START_OLDEST:
        w->cursor = store_floor(s);
        w->oldest = true;
        return OK;
    case START_SINCE:
        w->cursor = opt->since;
        return store_check_resume(s, opt->since, err);
    case START_RESUME:
        rc = position_check(&opt->resume, &s->engine->identity, store_floor(s), head, err);
        if (rc == OK && opt->resume.in_snapshot && opt->resume.rv == 0) {
            start_snapshot(w, NULL); /* it was cut off before it began */
            return OK;
        }
        if (rc == OK) {
            rc = store_check_resume(s, opt->resume.rv, err);
        }
        if (rc != OK) {
            return rc;
        }
        if (!opt->resume.in_snapshot) {
            w->cursor = opt->resume.rv;
            return OK;
        }
        if (opt->resume.selection != selections_hash(w->selections)) {
            return err_field(err, ERR_INVALID, "resume",
                             "is within a snapshot of another selection; resume with the same "
                             "selections, or begin again with a snapshot");
        }
        start_snapshot(w, &opt->resume);
        return OK;
    }
    return err_set(err, ERR_INTERNAL, "unknown start %d", (int)opt->start);
}

static struct chunk *take_ahead(struct watcher *w)
{
    if (w->ahead != NULL && w->ahead->blob != NULL) {
        blob_unpin(w->ahead->blob);
    }
    return TAKE(w->ahead);
}

static void watcher_free(struct watcher *w)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        verdicts_unref(&w->set->verdicts, w->nodes[i].verdicts);
    }
    chunk_free(w->chunk);
    chunk_free(take_ahead(w));
    snapshot_free(w->set->store, w->snapshot);
    if (w->pin != NULL) {
        store_unpin(w->set->store, w->pin);
        free(w->pin);
    }
    selections_free(w->selections);
    free(w);
}

enum errc watcher_open(struct watch_set *set, const struct watcher_options *opt,
                       struct watcher **ret, struct err *err)
{
    watch_set_turn(set); /* so that set->at is not below any version the client may know */
    size_t n = selections_count(opt->selections);
    struct watcher *w = mem_zalloc(sizeof *w + n * sizeof(struct idle_node));
    w->set = set;
    w->owner = opt->owner;
    w->selections = opt->selections;
    w->previous = opt->previous;
    w->n_nodes = (uint16_t)n;
    for (size_t i = 0; i < n; i++) {
        w->nodes[i].watcher = w;
        w->nodes[i].verdicts = verdicts_ref(&set->verdicts, selections_at(opt->selections, i));
    }
    enum errc rc = start(w, opt, err);
    if (rc != OK) {
        watcher_free(w);
        return rc;
    }
    if (w->cursor > set->at) {
        watch_set_turn(set); /* the version was committed since the first turn */
    }
    watch_set_make_ready(w);
    *ret = w;
    return OK;
}

void watcher_close(struct watcher *w)
{
    if (w == NULL) {
        return;
    }
    if (w->state == WATCHER_IDLE) {
        watch_set_unpark(w);
    } else if (w->state == WATCHER_READY) {
        TAILQ_REMOVE(&w->set->ready, w, ready);
    }
    w->state = WATCHER_OUT;
    if (w->reading != NULL) {
        w->closed = true; /* the reader still uses it; freed when its chunk comes back */
        return;
    }
    watcher_free(w);
}

void watcher_arrived(struct watcher *w, struct chunk *c)
{
    assert(w->reading == c && w->ahead == NULL);
    w->reading = NULL;
    if (w->chunk == NULL) {
        w->chunk = c;
    } else {
        w->ahead = c;
        if (c->blob != NULL) {
            blob_pin(c->blob);
        }
    }
    if (w->closed) {
        watcher_free(w);
    } else if (w->state == WATCHER_WAITING) {
        watch_set_make_ready(w);
    }
}

/* ---- Pulling
 * -------------------------------------------------------------------------------------- */

static void hand_out_key(struct snapshot *sn, const struct chunk *c, const struct chunk_batch *cb)
{
    const struct key k = key_at(&cb->key, c->keys.p + cb->key_end - key_len(&cb->key));
    sn->pulled_key = key_copy_to(&k, sn->pulled);
}

/* Asks for the chunk after this one, so that reading and sending go on side by side. It is pinned
 * when it comes, as its client may be slow. */
static void read_ahead(struct watcher *w, const struct chunk *c)
{
    bool allowed = !w->set->no_ahead || c->taken == c->n_batches;
    if (allowed && w->reading == NULL && w->ahead == NULL &&
        (w->snapshot != NULL ||
         (c->after < w->set->at && !log_reaches(w->set->store->log, c->after)))) {
        replay_read(w, c->after, w->set->at);
    }
}

/* The next batch of the chunk that arrived. With its first one the next chunk is asked for,
 * or with its last, if nothing is to be held meanwhile. */
static void take_from_chunk(struct watcher *w, struct watch_batch *b)
{
    struct chunk *c = w->chunk;
    const struct chunk_batch *cb = &c->batches[c->taken];
    size_t from = c->taken == 0 ? 0 : cb[-1].end;
    b->kind = BATCH_EVENTS;
    b->bytes = cb->end - from;
    b->events = cb->events;
    b->pieces[b->n_pieces++] = (struct watch_piece){blob_ref(c->blob), from, b->bytes};
    c->taken++;
    if (w->snapshot != NULL) {
        w->cursor = w->snapshot->walk.rv;
        hand_out_key(w->snapshot, c, cb);
    } else {
        w->cursor = cb->rv;
    }
    if (c->err.code != OK || c->complete) {
        return; /* what comes then, finish_chunk knows */
    }
    read_ahead(w, c);
    if (c->taken == c->n_batches) {
        if (w->snapshot == NULL) {
            w->cursor = c->after;
        }
        chunk_free(c);
        w->chunk = take_ahead(w);
    }
}

/* The chunk is used up: what it says of the time after it. */
static enum errc finish_chunk(struct watcher *w, struct watch_batch *b, struct err *err)
{
    struct chunk *c = TAKE(w->chunk);
    enum errc rc = c->err.code;
    if (rc == ERR_EXPIRED && w->oldest) {
        /* Compaction was faster. Nothing was looked at, so the oldest is what is kept now. */
        rv_t floor = store_floor(w->set->store);
        w->cursor = floor < w->set->at ? floor : w->set->at;
        rc = OK;
    } else if (rc != OK) {
        *err = c->err;
    } else if (w->snapshot == NULL) {
        w->cursor = c->after;
        w->oldest = false;
    } else if (c->complete) {
        w->cursor = w->snapshot->walk.rv;
        b->kind = BATCH_SYNCED;
        b->rv = w->cursor;
        /* The events after S stay pinned until the watcher has reached the log. */
        w->pin = TAKE(w->snapshot->pin);
        snapshot_free(w->set->store, TAKE(w->snapshot));
    }
    chunk_free(c);
    return rc;
}

static void unpin(struct watcher *w)
{
    if (w->pin != NULL) {
        store_unpin(w->set->store, w->pin);
        free(TAKE(w->pin));
    }
}

static void wait_for_reader(struct watcher *w)
{
    if (w->reading == NULL) {
        replay_read(w, w->cursor, w->set->at);
    }
    w->state = WATCHER_WAITING;
}

enum errc watcher_pull(struct watcher *w, struct watch_batch *ret, struct err *err)
{
    struct watch_batch b = {.kind = BATCH_NONE};
    if (w->state == WATCHER_IDLE || w->state == WATCHER_WAITING) {
        *ret = b;
        return OK;
    }
    if (w->state == WATCHER_READY) {
        TAILQ_REMOVE(&w->set->ready, w, ready);
        w->state = WATCHER_OUT;
    }
    if (w->chunk != NULL && w->chunk->taken == w->chunk->n_batches) {
        enum errc rc = finish_chunk(w, &b, err);
        if (rc != OK || b.kind != BATCH_NONE) {
            *ret = b;
            return rc;
        }
    }
    if (w->chunk != NULL) {
        take_from_chunk(w, &b);
    } else if (w->reading != NULL || w->snapshot != NULL) {
        wait_for_reader(w);
    } else if (w->cursor >= w->set->at) {
        assert(w->cursor == w->set->at);
        unpin(w);
        watch_set_park(w);
    } else if (!live_take(w, &b)) {
        wait_for_reader(w);
    } else if (b.kind == BATCH_NONE && w->cursor < w->set->at) {
        watch_set_make_ready(w); /* nothing for it among those; the others' turn */
    } else {
        unpin(w);
        if (w->cursor == w->set->at) {
            watch_set_park(w); /* now: when it is asked again, the set may have moved on again */
            b.parked = true;
        }
    }
    w->oldest = w->oldest && w->state == WATCHER_WAITING;
    *ret = b;
    return OK;
}

void watch_batch_fini(struct watch_batch *b)
{
    for (size_t i = 0; i < b->n_pieces; i++) {
        blob_unref(b->pieces[i].blob);
    }
    b->n_pieces = 0;
}

/* ---- Positions
 * ---------------------------------------------------------------------------------------- */

rv_t watcher_rv(const struct watcher *w)
{
    if (w->snapshot != NULL) {
        return 0;
    }
    return w->state == WATCHER_IDLE ? w->set->at : w->cursor;
}

rv_t watcher_position_rv(const struct watcher *w)
{
    return w->snapshot != NULL ? w->cursor : watcher_rv(w);
}

size_t watcher_position(const struct watcher *w, uint8_t ret[POSITION_MAX])
{
    const struct engine_identity *id = &w->set->store->engine->identity;
    struct position p = {
        .epoch = id->epoch,
        .epoch_random = id->epoch_random,
        .rv = watcher_position_rv(w),
    };
    memcpy(p.store_id, id->store_id, sizeof p.store_id);
    if (w->snapshot != NULL) {
        p.in_snapshot = true;
        p.last = w->snapshot->pulled_key;
        p.selection = selections_hash(w->selections);
    }
    return position_encode(&p, ret);
}

enum watch_phase watcher_phase(const struct watcher *w)
{
    if (w->snapshot != NULL) {
        return WATCH_SNAPSHOT;
    }
    return w->chunk != NULL || w->reading != NULL ? WATCH_REPLAY : WATCH_LIVE;
}

const struct selections *watcher_selections(const struct watcher *w)
{
    return w->selections;
}

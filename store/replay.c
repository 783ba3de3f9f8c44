/* SPDX-License-Identifier: Apache-2.0 */
/* The past, for one watcher at a time: chunks of a snapshot or of history, read and encoded by the
 * reader in short steps, handed to the watcher's thread when they hold something. A watcher has at
 * most two chunks, one that is sent and one that was read ahead, so a slow one holds no more than
 * that. */
#include <assert.h>
#include <stdlib.h>

#include "store/watch_impl.h"

#define CHUNK_BYTES_MAX (CHUNK_BATCHES * (size_t)WATCH_BATCH_BYTES)
#define STEP_ROWS       1000
#define STEP_MS         5

void chunk_free(struct chunk *c)
{
    if (c == NULL) {
        return;
    }
    blob_unref(c->blob);
    previous_fini(&c->previous);
    buf_fini(&c->keys);
    free(c);
}

void snapshot_free(struct store *s, struct snapshot *sn)
{
    if (sn == NULL) {
        return;
    }
    if (sn->pin != NULL) {
        store_unpin(s, sn->pin);
        free(sn->pin);
    }
    if (sn->begun) {
        view_walk_fini(&sn->walk);
    }
    free(sn);
}

/* Where the last batch begins. */
static size_t last_from(const struct chunk *c)
{
    return c->n_batches > 1 ? c->batches[c->n_batches - 2].end : 0;
}

/* Takes the transaction that is being read out of the last batch. */
static void cut_txn(struct chunk *c)
{
    struct chunk_batch *b = &c->batches[c->n_batches - 1];
    b->end = c->txn_from;
    b->events -= c->txn_events;
    b->rv = c->after;
}

/* One more batch, which begins with what is there of the transaction. False if the chunk is full.
 */
static bool add_batch(struct chunk *c, size_t n)
{
    if (c->n_batches == CHUNK_BATCHES || (c->n_batches != 0 && c->n + n > CHUNK_BYTES_MAX)) {
        return false;
    }
    if (c->txn_events != 0) {
        cut_txn(c);
    }
    c->batches[c->n_batches++].events = c->txn_events;
    return true;
}

/* Room for n bytes more, at the end. A chunk is encoded where it stays; only a transaction that is
 * larger than a chunk moves. */
static uint8_t *chunk_grow(struct chunk *c, size_t n)
{
    if (n > c->room - c->n) {
        size_t room = c->room != 0 ? 2 * c->room : CHUNK_BYTES_MAX;
        room = room - c->n < n ? c->n + n : room;
        uint8_t *bytes = NULL;
        struct blob *blob = c->watcher->set->store->codec->alloc(room, &bytes);
        if (c->n != 0) {
            memcpy(bytes, c->bytes, c->n);
        }
        blob_unref(c->blob);
        c->blob = blob;
        c->bytes = bytes;
        c->room = room;
    }
    uint8_t *at = c->bytes + c->n;
    c->n += n;
    return at;
}

/* A chunk that is not half full would hold memory for nothing while its watcher is slow. */
static void chunk_shrink(struct chunk *c)
{
    if (c->n >= c->room / 2) {
        return;
    }
    uint8_t *bytes = NULL;
    struct blob *blob = NULL;
    if (c->n != 0) {
        blob = c->watcher->set->store->codec->alloc(c->n, &bytes);
        memcpy(bytes, c->bytes, c->n);
    }
    blob_unref(c->blob);
    c->blob = blob;
    c->bytes = bytes;
    c->room = c->n;
}

/* Encodes one more event into the chunk's batches. False if the chunk is full. */
static bool add_event(struct chunk *c, const struct event *ev, enum event_form form)
{
    const struct codec *codec = c->watcher->set->store->codec;
    size_t n = codec->event_bound(ev, c->watcher->previous);
    bool only_txn = c->txn_events != 0 && c->txn_from == last_from(c); /* however large */
    bool fits = c->n_batches != 0 && (only_txn || c->n - last_from(c) + n <= WATCH_BATCH_BYTES);
    if (!fits && !add_batch(c, n)) {
        return false;
    }
    struct chunk_batch *b = &c->batches[c->n_batches - 1];
    uint8_t *at = chunk_grow(c, n);
    c->n = (size_t)(codec->event_write(ev, form, c->watcher->previous, at) - c->bytes);
    b->end = c->n;
    b->events++;
    b->rv = ev->txn_end;
    b->key = ev->key;
    return true;
}

static void step_begin(struct chunk *c)
{
    c->rows = 0;
    c->stopped = false;
    c->until = clock_mono(&clock_system) + STEP_MS;
}

/* Has this step had its share? Looks at the clock now and then. */
static bool step_over(struct chunk *c)
{
    c->rows++;
    return c->rows >= STEP_ROWS || (c->rows % 64 == 0 && clock_mono(&clock_system) >= c->until);
}

/* ---- History ------------------------------------------------------------------------------------
 */

/* A transaction of which the rest does not come now, is read again later. */
static void drop_txn(struct chunk *c)
{
    if (c->txn_events != 0) {
        bool only_txn = c->txn_from == last_from(c);
        cut_txn(c);
        c->n_batches -= only_txn;
        c->n = c->txn_from;
        c->txn_events = 0;
    }
}

static bool take_event(void *arg, const struct event *ev)
{
    struct chunk *c = arg;
    const struct selections *sel = c->watcher->selections;
    enum event_form form = FORM_PLAIN;
    bool before = verdict_of_event(sel, ev, SIDE_BEFORE, &c->previous);
    bool now = verdict_of_event(sel, ev, SIDE_NOW, &c->previous);
    if (verdict_form(ev, before, now, &form)) {
        if (!add_event(c, ev, form)) {
            c->stopped = true;
            return false;
        }
        c->txn_events++;
    }
    bool over = step_over(c);
    if (!event_ends_txn(ev)) {
        return true;
    }
    c->after = ev->rv;
    c->txn_from = c->n;
    c->txn_events = 0;
    c->stopped = over;
    return !over;
}

static enum errc history_step(struct chunk *c, struct engine_reader *r)
{
    struct store *s = c->watcher->set->store;
    const struct engine_ops *ops = s->engine->ops;
    rv_t shown = 0;
    enum errc rc = ops->view_begin(r, &shown, &c->err);
    if (rc != OK) {
        return rc;
    }
    rc = store_await(s, shown, &c->err);
    if (rc == OK) {
        step_begin(c);
        /* `upto` is at or below the head, so the view shows it. */
        rc = ops->history(r, c->after, c->upto, take_event, c, &c->err);
        drop_txn(c);
        if (rc == ERR_EXPIRED) {
            rc = err_version(&c->err, ERR_EXPIRED, c->after, store_floor(s), store_head(s));
        }
    }
    if (rc == OK && !c->stopped) {
        c->after = c->upto;
    }
    ops->view_end(r);
    return rc;
}

/* ---- Snapshots
 * ------------------------------------------------------------------------------------ */

static bool take_object(void *arg, const struct object *o)
{
    struct chunk *c = arg;
    struct event ev = {
        .rv = o->rv,
        .txn_end = o->rv,
        .generation = o->generation,
        .splice = o->splice,
        .key = o->key,
        .labels = o->labels,
        .body = o->body,
    };
    if (!add_event(c, &ev, FORM_SNAPSHOT)) {
        return false;
    }
    /* Of each batch only the last key matters. */
    struct chunk_batch *b = &c->batches[c->n_batches - 1];
    c->keys.n = c->n_batches > 1 ? b[-1].key_end : 0;
    buf_adds(&c->keys, o->key.resource);
    buf_adds(&c->keys, o->key.ns);
    buf_adds(&c->keys, o->key.name);
    b->key_end = c->keys.n;
    return true;
}

static enum errc snapshot_begin(struct store *s, struct watcher *w, struct err *err)
{
    struct snapshot *sn = w->snapshot;
    sn->pin = mem_zalloc(sizeof *sn->pin);
    rv_t rv = w->cursor;
    enum errc rc = OK;
    if (rv == 0) {
        rv = store_pin_head(s, sn->pin);
    } else {
        rc = store_pin(s, rv, sn->pin, err);
    }
    if (rc != OK) {
        free(TAKE(sn->pin));
        return rc;
    }
    view_walk_init(&sn->walk, s, w->selections, rv, &sn->pulled_key);
    sn->begun = true;
    return OK;
}

static enum errc snapshot_step(struct chunk *c, struct engine_reader *r)
{
    struct watcher *w = c->watcher;
    if (!w->snapshot->begun) {
        enum errc rc = snapshot_begin(w->set->store, w, &c->err);
        if (rc != OK) {
            return rc;
        }
    }
    enum errc rc = view_step(&w->snapshot->walk, r, take_object, c, &c->err);
    c->complete = rc == OK && w->snapshot->walk.end;
    return rc;
}

/* ---- The job
 * ---------------------------------------------------------------------------------------- */

static void hand_over(struct chunk *c)
{
    struct watch_set *set = c->watcher->set;
    chunk_shrink(c);
    pthread_mutex_lock(&set->mu);
    STAILQ_INSERT_TAIL(&set->arrived, c, arrived);
    set->reading--;
    /* Under the lock: once `reading` is 0 the set may be freed. */
    watch_set_kick(set);
    pthread_mutex_unlock(&set->mu);
}

/* A snapshot of an older version needs the kept versions. */
static bool waits_for_load(const struct watcher *w)
{
    return w->snapshot != NULL && !w->snapshot->begun && w->cursor != 0 &&
           atomic_load(&w->set->store->loaded) == LOAD_RUNNING;
}

static bool replay_step(struct read_job *job, struct engine_reader *r)
{
    struct chunk *c = (struct chunk *)job;
    struct watcher *w = c->watcher;
    bool snapshot = w->snapshot != NULL;
    if (atomic_load(&w->closed)) {
        hand_over(c); /* nobody waits for what it would find */
        return true;
    }
    if (waits_for_load(w)) {
        return false;
    }
    enum errc rc = snapshot ? snapshot_step(c, r) : history_step(c, r);
    if (rc == OK) {
        c->err.code = OK;
    }
    bool done = rc != OK || c->n_batches != 0 || (snapshot ? c->complete : c->after >= c->upto);
    if (done) {
        hand_over(c);
    }
    return done;
}

static void replay_refuse(struct read_job *job, const struct err *err)
{
    struct chunk *c = (struct chunk *)job;
    c->err = *err;
    hand_over(c);
}

void replay_read(struct watcher *w, rv_t after, rv_t upto)
{
    assert(w->reading == NULL);
    struct chunk *c = mem_zalloc(sizeof *c);
    c->job.step = replay_step;
    c->job.refuse = replay_refuse;
    c->watcher = w;
    c->after = after;
    c->upto = upto;
    buf_init(&c->keys, SIZE_MAX);
    w->reading = c;
    pthread_mutex_lock(&w->set->mu);
    w->set->reading++;
    pthread_mutex_unlock(&w->set->mu);
    struct store *s = w->set->store;
    /* It takes turns with the job that it waits for; alone it would spin. */
    reader_submit(waits_for_load(w) ? s->reader : s->bulk_reader, &c->job);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: one thread through which every write goes. It takes what waits, judges each write
 * against the object as the writes before it leave it, commits all in one transaction, and always
 * in this order: commit, publish, reply.
 *
 * Invariants:
 *   (1) every answer of a batch, a refusal or a no-op too, waits for the commit, since it may rest
 * on a write before it; (2) versions are what the engine assigns: head + 1, head + 2, … in the
 * order of the changes; (3) after a commit that failed, nothing is assigned before recover told
 * what is really there. */
#include "store/store_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "store/apply.h"
#include "store/base/arena.h"
#include "store/base/metric.h"
#include "store/model/delta.h"

#define BATCH_WRITES   512
#define BATCH_BYTES    (2 * 1024 * 1024)
#define RECOVER_MS     200 /* between attempts to get the storage back */
#define RECOVER_MAX_MS 2000

STAILQ_HEAD(write_queue, write);
STAILQ_HEAD(compaction_queue, compaction);

struct writer {
    struct store *store;
    struct requests *requests;
    pthread_t thread;
    pthread_mutex_t mu; /* guards the queues; taken alone */
    pthread_cond_t wake;
    struct write_queue queue;
    size_t queued_bytes;
    struct compaction_queue compactions;
    bool stopping;
    /* The writer's thread only. */
    bool failed; /* the engine wants recover (3) */
    mono_ms_t recover_at;
    mono_ms_t recover_wait;
};

/* A key as this batch leaves it so far. */
struct staged {
    UT_hash_handle hh;
    struct object *now; /* a reference; NULL: deleted */
    row_t row;          /* 0: made in this batch, or gone */
    char key[];
};

struct batch {
    struct writer *w;
    struct write *writes[BATCH_WRITES];
    size_t n_writes;
    struct write *repeats[BATCH_WRITES]; /* of request ids within the batch: [i] repeats this one */
    struct change changes[BATCH_WRITES];
    struct object *was[BATCH_WRITES]; /* what a change borrows from: references */
    struct object *is[BATCH_WRITES];
    size_t n_changes;
    struct staged *overlay;
    struct arena arena;
};

/* ---- Objects as the batch sees them --------------------------------------------------------- */

static size_t key_text(const struct key *k, char *ret)
{
    char *at = ret;
    memcpy(at, k->resource.p, k->resource.n);
    at += k->resource.n;
    *at++ = '/';
    memcpy(at, k->ns.p, k->ns.n);
    at += k->ns.n;
    *at++ = '/';
    memcpy(at, k->name.p, k->name.n);
    return (size_t)(at - ret) + k->name.n;
}

#define KEY_TEXT_MAX (RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN + 2)

static struct staged *staged_find(const struct batch *b, const struct key *k)
{
    char text[KEY_TEXT_MAX];
    size_t n = key_text(k, text);
    struct staged *s = NULL;
    HASH_FIND(hh, b->overlay, text, n, s);
    return s;
}

static void stage(struct batch *b, const struct key *k, struct object *now, row_t row)
{
    struct staged *s = staged_find(b, k);
    if (s == NULL) {
        char text[KEY_TEXT_MAX];
        size_t n = key_text(k, text);
        s = mem_zalloc(sizeof *s + n);
        memcpy(s->key, text, n);
        HASH_ADD(hh, b->overlay, key, n, s);
    }
    object_unref(s->now);
    s->now = now != NULL ? object_ref(now) : NULL;
    s->row = row;
}

/* The current object as a new reference, or NULL; and its row, 0 if it has none yet. */
static enum errc current(struct batch *b, const struct key *k, struct object **ret, row_t *ret_row,
                         struct err *err)
{
    *ret = NULL;
    *ret_row = 0;
    const struct staged *s = staged_find(b, k);
    if (s != NULL) {
        *ret = s->now != NULL ? object_ref(s->now) : NULL;
        *ret_row = s->row;
        return OK;
    }
    struct store *st = b->w->store;
    index_lock(st->index);
    const struct index_entry *e = index_find(st->index, k);
    row_t row = e != NULL && e->rv != 0 ? e->row : 0;
    rv_t rv = row != 0 ? e->rv : 0;
    index_unlock(st->index);
    if (row == 0) {
        return OK;
    }
    enum errc rc = st->engine->ops->load(st->engine, row, rv, ret, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? err_set(err, ERR_DATA_LOSS, "the row of %.*s \"%.*s\" is gone",
                                             STR_ARG(k->resource), STR_ARG(k->name))
                                   : rc;
    }
    if ((*ret)->rv != rv || !key_eq(&(*ret)->key, k)) {
        object_unref(TAKE(*ret));
        return err_set(err, ERR_DATA_LOSS, "the row of %.*s \"%.*s\" holds something else",
                       STR_ARG(k->resource), STR_ARG(k->name));
    }
    *ret_row = row;
    return OK;
}

/* ---- One write ---------------------------------------------------------------------------------
 */

static struct str keep(struct batch *b, struct str s)
{
    char *p = arena_alloc(&b->arena, s.n != 0 ? s.n : 1);
    assert(p != NULL);
    if (s.n != 0) {
        memcpy(p, s.p, s.n);
    }
    return (struct str){p, s.n};
}

/* Adds the change from `was` to `is` (either may be NULL, not both). Takes both references. */
static void add_change(struct batch *b, const struct write *w, struct object *was,
                       struct object *is, row_t row)
{
    rv_t rv = store_head(b->w->store) + b->n_changes + 1; /* (2) */
    struct object *shown = is != NULL ? is : was;
    struct change *c = &b->changes[b->n_changes];
    b->was[b->n_changes] = was;
    b->is[b->n_changes] = is;
    b->n_changes++;
    *c = (struct change){
        .row = row,
        .event =
            {
                    .rv = rv,
                    .cause = is == NULL    ? CAUSE_DELETED
                         : was == NULL ? CAUSE_CREATED
                                       : CAUSE_UPDATED,
                    .generation = shown->generation,
                    .splice = shown->splice,
                    .key = shown->key,
                    .labels = shown->labels,
                    .prev_labels = shown->labels,
                    .body = shown->body,
                    .hash = shown->hash,
                    .spec_hash = shown->spec_hash,
                    },
    };
    if (w->has_request_id) {
        c->event.request_id = (struct str){(const char *)w->request_id, REQUEST_ID_LEN};
    }
    if (was != NULL) {
        struct buf delta;
        buf_init(&delta, SIZE_MAX);
        delta_make(shown->body, was->body, &delta);
        c->event.delta = keep(b, buf_str(&delta));
        buf_fini(&delta);
        c->event.prev_rv = was->rv;
        c->event.prev_generation = was->generation;
        c->event.prev_splice = was->splice;
        c->event.prev_labels = was->labels;
    }
    if (is != NULL) {
        is->rv = rv; /* Nobody else has it yet. */
    }
}

/* Would the resource be one too many, the new ones of this batch included? */
static bool resource_allowed(struct batch *b, const struct key *k)
{
    struct store *s = b->w->store;
    index_lock(s->index);
    bool known = index_has_resource(s->index, k->resource);
    size_t n = index_resources(s->index);
    for (size_t i = 0; i < b->n_changes && !known; i++) {
        struct str made = b->changes[i].event.key.resource;
        known = str_eq(made, k->resource);
        bool first = !index_has_resource(s->index, made);
        for (size_t j = 0; j < i && first; j++) {
            first = !str_eq(b->changes[j].event.key.resource, made);
        }
        n += first;
    }
    index_unlock(s->index);
    return known || n < s->opt.resources_max;
}

/* Those of this batch count as if none were deleted in it. */
static bool too_many_objects(const struct batch *b)
{
    struct store *s = b->w->store;
    index_lock(s->index);
    uint64_t n = index_objects(s->index);
    index_unlock(s->index);
    return n + b->n_changes >= s->opt.objects_max;
}

static enum errc judge(struct batch *b, struct write *w)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    CLEANUP(object_unrefp) struct object *next = NULL;
    struct store *s = b->w->store;
    row_t row = 0;
    enum errc rc = current(b, &w->key, &cur, &row, &w->err);
    if (rc != OK) {
        return rc;
    }
    struct apply_env env = {.now = clock_wall(s->clock), .object_bytes = s->opt.object_bytes};
    if (cur == NULL) {
        random_uuid(env.uid);
    }
    rc = apply_write(w, cur, &env, &w->result, &next, &w->err);
    if (rc != OK) {
        return rc;
    }
    if (w->result == WRITE_CREATED && !resource_allowed(b, &w->key)) {
        return err_field(&w->err, ERR_LIMIT, "key.resource",
                         "\"%.*s\" would be one resource too many; %u are allowed",
                         STR_ARG(w->key.resource), s->opt.resources_max);
    }
    if (w->result == WRITE_CREATED && too_many_objects(b)) {
        return err_set(&w->err, ERR_LIMIT, "there are %llu objects, as many as are allowed",
                       (unsigned long long)s->opt.objects_max);
    }
    struct object *shown = next != NULL ? next : cur;
    w->object = object_ref(shown);
    w->generation = shown->generation;
    w->rv = shown->rv;
    if (w->result != WRITE_UNCHANGED && !w->dry_run) {
        bool deleted = w->result == WRITE_DELETED;
        if (next != NULL || deleted) {
            stage(b, &w->key, next, deleted ? 0 : row);
            add_change(b, w, TAKE(cur), TAKE(next), row);
            w->rv = b->changes[b->n_changes - 1].event.rv;
        }
    }
    return OK;
}

/* ---- Repeated requests ------------------------------------------------------------------------
 */

/* The object as it was answered. Without it, when its event is compacted or unreadable, the answer
 * still stands: the write was done. */
static void recall_object(struct store *s, struct write *w)
{
    struct event ev;
    struct err err;
    if (s->engine->ops->recall(s->engine, w->rv, &ev, &err) == OK && key_eq(&ev.key, &w->key)) {
        w->object = object_new(&ev.key, ev.labels, ev.body, ev.splice, ev.generation, 0, 0);
        w->object->rv = w->rv;
    }
}

static enum errc refuse_reuse(struct write *w)
{
    return err_field(&w->err, ERR_INVALID, "request_id",
                     "was used for another write; use 16 new random bytes for each");
}

/* True if w repeats a request that was answered, or one of this batch. */
static bool answer_repeat(struct batch *b, size_t i)
{
    struct write *w = b->writes[i];
    if (!w->has_request_id) {
        return false;
    }
    for (size_t k = 0; k < i; k++) {
        const struct write *o = b->writes[k];
        if (!o->has_request_id || o->dry_run || w->dry_run ||
            memcmp(o->request_id, w->request_id, REQUEST_ID_LEN) != 0) {
            continue;
        }
        if (!key_eq(&o->key, &w->key) || o->verb != w->verb) {
            (void)refuse_reuse(w);
        } else {
            b->repeats[i] = b->writes[k];
        }
        return true;
    }
    const struct answer *a = requests_find(b->w->requests, w->request_id);
    if (a == NULL) {
        return false;
    }
    bool same = a->key_hash == requests_key_hash(&w->key) &&
                (a->result == WRITE_DELETED) == (w->verb == WRITE_DELETE);
    if (!same) {
        (void)refuse_reuse(w);
        return true;
    }
    w->result = a->result;
    w->rv = a->rv;
    w->generation = a->generation;
    recall_object(b->w->store, w);
    return true;
}

static void remember(struct batch *b, const struct write *w)
{
    if (w->has_request_id && w->err.code == OK && !w->dry_run) {
        struct answer a = {w->result, w->rv, w->generation, requests_key_hash(&w->key)};
        requests_keep(b->w->requests, w->request_id, &a, clock_mono(b->w->store->clock));
    }
}

/* ---- The batch
 * ----------------------------------------------------------------------------------- */

static void recover(struct writer *w)
{
    struct store *s = w->store;
    struct err err = {0};
    metric_add(M_RECOVERIES, 1);
    if (s->engine->ops->recover(s->engine, &err) == OK) {
        /* A compaction whose outcome was unknown may have happened. */
        if (s->engine->floor > store_floor(s)) {
            atomic_store(&s->floor, s->engine->floor);
            metric_set(M_FLOOR, (int64_t)s->engine->floor);
        }
        w->failed = false;
        w->recover_wait = RECOVER_MS;
        store_set_read_only(s, "");
        return;
    }
    w->failed = true;
    w->recover_at = clock_mono(s->clock) + w->recover_wait;
    w->recover_wait = w->recover_wait * 2 < RECOVER_MAX_MS ? w->recover_wait * 2 : RECOVER_MAX_MS;
    store_set_read_only(s, err.msg);
}

static void fail_batch(struct batch *b, const struct err *why)
{
    for (size_t i = 0; i < b->n_writes; i++) {
        struct write *w = b->writes[i];
        object_unref(TAKE(w->object));
        w->err = *why;
    }
    metric_add(M_WRITES_FAILED, (int64_t)b->n_writes);
}

static void commit(struct batch *b)
{
    struct writer *w = b->w;
    struct store *s = w->store;
    if (b->n_changes == 0) {
        return;
    }
    struct err err = {0};
    mono_ms_t before = clock_mono(s->clock);
    enum errc rc = s->engine->ops->commit(s->engine, b->changes, b->n_changes, &err);
    metric_observe_us(M_COMMIT_SECONDS, (clock_mono(s->clock) - before) * 1000);
    if (rc == OK) {
        metric_add(M_COMMITS, 1);
        store_set_read_only(s, "");
        return;
    }
    metric_add(M_COMMIT_FAILURES, 1);
    fail_batch(b, &err);
    if (rc == ERR_STORAGE_FULL) {
        store_set_read_only(s, err.msg);
        return;
    }
    recover(w); /* (3) */
}

static void batch_run(struct batch *b)
{
    struct writer *w = b->w;
    if (w->failed) {
        struct err err = {0};
        (void)err_set(&err, ERR_UNAVAILABLE, "the storage is failing; writes wait for it");
        err.retry_ms = RECOVER_MS;
        fail_batch(b, &err);
    } else {
        for (size_t i = 0; i < b->n_writes; i++) {
            if (!answer_repeat(b, i)) {
                enum errc rc = judge(b, b->writes[i]);
                assert(rc == b->writes[i]->err.code);
            }
        }
        commit(b);
    }
    for (size_t i = 0; i < b->n_writes; i++) { /* (1) */
        struct write *x = b->writes[i];
        const struct write *first = b->repeats[i];
        if (first != NULL) {
            x->err = first->err;
            x->result = first->result;
            x->rv = first->rv;
            x->generation = first->generation;
            x->object = first->object != NULL ? object_ref(first->object) : NULL;
        } else {
            remember(b, x);
        }
        if (x->err.code == OK && x->result == WRITE_UNCHANGED) {
            metric_add(M_WRITES_NOOP, 1);
        }
    }
    metric_add(M_WRITES, (int64_t)b->n_writes);
}

static void batch_fini(struct batch *b)
{
    struct staged *s = NULL, *next = NULL;
    HASH_ITER(hh, b->overlay, s, next)
    {
        HASH_DEL(b->overlay, s);
        object_unref(s->now);
        free(s);
    }
    for (size_t i = 0; i < b->n_changes; i++) {
        object_unref(b->was[i]);
        object_unref(b->is[i]);
    }
    arena_fini(&b->arena);
}

/* ---- The thread
 * ------------------------------------------------------------------------------------ */

static void take(struct writer *w, struct batch *b)
{
    size_t bytes = 0;
    struct write *x = NULL;
    while ((x = STAILQ_FIRST(&w->queue)) != NULL && b->n_writes < BATCH_WRITES &&
           (b->n_writes == 0 || bytes + x->bytes <= BATCH_BYTES)) {
        STAILQ_REMOVE_HEAD(&w->queue, link);
        bytes += x->bytes;
        b->repeats[b->n_writes] = NULL;
        b->writes[b->n_writes++] = x;
    }
    w->queued_bytes -= bytes;
    metric_set(M_WRITE_QUEUE_BYTES, (int64_t)w->queued_bytes);
}

static void serve(struct batch *b)
{
    arena_init(&b->arena, SIZE_MAX);
    batch_run(b);
    batch_fini(b);
    for (size_t i = 0; i < b->n_writes; i++) {
        b->writes[i]->done(b->writes[i]);
    }
}

/* One slice of compaction; true if there is more to do. */
static bool compact_some(struct writer *w, bool stopping)
{
    if (w->failed || atomic_load(&w->store->loaded) == LOAD_RUNNING) {
        return false;
    }
    pthread_mutex_lock(&w->mu);
    struct compaction *c = STAILQ_FIRST(&w->compactions);
    pthread_mutex_unlock(&w->mu);
    bool request_done = false, more = false;
    enum errc rc = compact_slice(w->store, c, &request_done, &more);
    if (rc == ERR_DATA_LOSS) {
        atomic_store(&w->store->loaded, LOAD_FAILED); /* no more of it; the rest goes on */
    } else if (rc != OK && rc != ERR_STORAGE_FULL) {
        recover(w); /* (3) */
    }
    if (request_done) {
        pthread_mutex_lock(&w->mu);
        STAILQ_REMOVE_HEAD(&w->compactions, link);
        more = more || !STAILQ_EMPTY(&w->compactions);
        pthread_mutex_unlock(&w->mu);
        c->done(c);
    }
    return more && !stopping;
}

static void wait_for_work(struct writer *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += w->failed ? 0 : 1;
    until.tv_nsec += w->failed ? 100 * 1000 * 1000 : 0;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&w->wake, &w->mu, &until);
}

static void refuse_compactions(struct writer *w)
{
    struct compaction *c = NULL;
    while ((c = STAILQ_FIRST(&w->compactions)) != NULL) {
        STAILQ_REMOVE_HEAD(&w->compactions, link);
        (void)err_set(&c->err, ERR_DRAINING, "the server is stopping; try again");
        c->done(c);
    }
}

static void *writer_run(void *arg)
{
    struct writer *w = arg;
    struct batch *b = mem_alloc(sizeof *b);
    b->w = w;
    bool more = false;
    for (;;) {
        b->n_writes = 0;
        b->n_changes = 0;
        b->overlay = NULL;
        pthread_mutex_lock(&w->mu);
        if (STAILQ_EMPTY(&w->queue) && !w->stopping && !more) {
            wait_for_work(w);
        }
        take(w, b);
        bool stopping = w->stopping;
        pthread_mutex_unlock(&w->mu);
        if (stopping && b->n_writes == 0) {
            break;
        }
        if (w->failed && clock_mono(w->store->clock) >= w->recover_at) {
            recover(w);
        }
        if (b->n_writes != 0) {
            serve(b);
        }
        more = compact_some(w, stopping);
    }
    refuse_compactions(w);
    free(b);
    return NULL;
}

enum errc writer_submit(struct writer *w, struct write *x, struct err *err)
{
    enum errc rc = OK;
    x->err.code = OK;
    x->object = NULL;
    x->rv = 0;
    pthread_mutex_lock(&w->mu);
    if (w->stopping || atomic_load(&w->store->draining)) {
        rc = err_set(err, ERR_DRAINING, "the server is stopping; try again");
    } else if (w->queued_bytes + x->bytes > w->store->opt.queue_bytes && w->queued_bytes != 0) {
        rc = err_set(err, ERR_LIMIT, "%zu bytes of writes are waiting already; try again later",
                     w->queued_bytes);
        err->retry_ms = 100;
    } else {
        bool idle = STAILQ_EMPTY(&w->queue);
        STAILQ_INSERT_TAIL(&w->queue, x, link);
        w->queued_bytes += x->bytes;
        metric_set(M_WRITE_QUEUE_BYTES, (int64_t)w->queued_bytes);
        if (idle) {
            pthread_cond_signal(&w->wake);
        }
    }
    pthread_mutex_unlock(&w->mu);
    return rc;
}

enum errc writer_compact(struct writer *w, struct compaction *c, struct err *err)
{
    if (c->upto > store_head(w->store)) {
        rv_t head = store_head(w->store);
        (void)err_version(err, ERR_FUTURE, c->upto, store_floor(w->store), head);
        snprintf(err->msg, sizeof(err->msg),
                 "version %" PRIu64 " is above the head, %" PRIu64 "; name one at or below it",
                 c->upto, head);
        return ERR_FUTURE;
    }
    c->err.code = OK;
    c->removed = 0;
    c->started = false;
    pthread_mutex_lock(&w->mu);
    bool refused = w->stopping;
    if (!refused) {
        STAILQ_INSERT_TAIL(&w->compactions, c, link);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->mu);
    return refused ? err_set(err, ERR_DRAINING, "the server is stopping; try again") : OK;
}

void writer_committed(struct writer *w, const struct change *changes, size_t n)
{
    mono_ms_t now = clock_mono(w->store->clock);
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = &changes[i].event;
        if (ev->request_id.n == REQUEST_ID_LEN) {
            struct answer a = {
                .result = ev->cause == CAUSE_CREATED   ? WRITE_CREATED
                          : ev->cause == CAUSE_UPDATED ? WRITE_UPDATED
                                                       : WRITE_DELETED,
                .rv = ev->rv,
                .generation = ev->generation,
                .key_hash = requests_key_hash(&ev->key),
            };
            requests_keep(w->requests, (const uint8_t *)ev->request_id.p, &a, now);
        }
    }
}

void writer_wake(struct writer *w)
{
    pthread_mutex_lock(&w->mu);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
}

enum errc writer_start(struct store *s, struct writer **ret, struct err *err)
{
    struct writer *w = mem_zalloc(sizeof *w);
    w->store = s;
    w->recover_wait = RECOVER_MS;
    w->requests = requests_new();
    pthread_mutex_init(&w->mu, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    STAILQ_INIT(&w->queue);
    STAILQ_INIT(&w->compactions);
    enum errc rc = load_objects(s, w->requests, err);
    if (rc == OK && pthread_create(&w->thread, NULL, writer_run, w) != 0) {
        rc = err_set(err, ERR_UNAVAILABLE, "cannot start the writer's thread");
    }
    if (rc != OK) {
        requests_free(w->requests);
        free(w);
        return rc;
    }
    pthread_setname_np(w->thread, "writer");
    *ret = w;
    return OK;
}

void writer_stop(struct writer *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->mu);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mu);
    requests_free(w->requests);
    free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: one thread through which every write goes. It takes what waits, judges each write
 * against the object as the writes before it leave it, commits all in one transaction, and always
 * in this order: commit, publish, reply.
 *
 * Invariants:
 *   (1) every answer of a batch, a refusal or a no-op too, waits for the commit, since it may rest
 * on a write before it; (2) after a commit that failed, nothing is assigned before recover told
 * what is really there. */
#include "store/store_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/base/metric.h"
#include "store/collect.h"
#include "store/expire.h"
#include "store/judge.h"

#define BATCH_BYTES    (2 * 1024 * 1024)
#define RECOVER_MS     200 /* between attempts to get the storage back */
#define RECOVER_MAX_MS 2000
#define CLOCK_KEEP_MS  1000
#define CLOCK_FIRST_MS 20

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
    bool called; /* for what is not in its queue: it does not wait before it has looked */
    bool stopping;
    /* The writer's thread only. */
    size_t deciding; /* writes of the batch that still count as unpublished */
    bool failed;     /* the engine wants recover (2) */
    bool refused;    /* the last commit failed: what is due of itself is not tried again at once */
    mono_ms_t recover_at;
    mono_ms_t recover_wait;
    int64_t clock_tried; /* run_ms when it was last to be kept */
};

/* ---- The batch ------------------------------------------------------------------------------ */

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

/* False if it failed. */
static bool commit(struct writer *w, struct batch *b)
{
    struct store *s = w->store;
    if (b->n_changes == 0 && b->n_asides == 0) {
        return true;
    }
    struct err err = {0};
    mono_ms_t before = clock_mono(s->clock);
    const struct commit c = {.changes = b->changes,
                             .n = b->n_changes,
                             .asides = b->asides,
                             .n_asides = b->n_asides,
                             .run_ms = store_run_ms(s)};
    enum errc rc = s->engine->ops->commit(s->engine, &c, &err);
    metric_observe_us(M_COMMIT_SECONDS, (clock_mono(s->clock) - before) * 1000);
    if (rc == OK) {
        metric_add(M_COMMITS, 1);
        store_set_read_only(s, "");
        return true;
    }
    metric_add(M_COMMIT_FAILURES, 1);
    fail_batch(b, &err);
    if (rc == ERR_STORAGE_FULL) {
        store_set_read_only(s, err.msg);
    } else {
        recover(w); /* (2) */
    }
    return false;
}

static void settle_unpublished(struct writer *w)
{
    atomic_fetch_sub(&w->store->unpublished, w->deciding);
    w->deciding = 0;
}

static bool batch_run(struct writer *w, struct batch *b)
{
    bool ok = false;
    w->deciding = b->n_writes;
    if (w->failed) {
        struct err err = {0};
        (void)err_set(&err, ERR_UNAVAILABLE, "the storage is failing; writes wait for it");
        err.retry_ms = RECOVER_MS;
        fail_batch(b, &err);
    } else {
        judge_batch(b, w->requests);
        struct collected collected;
        expire_due(b, b->expire_ms);
        collect_due(b, &collected);
        ok = commit(w, b);
        collect_done(w->store, &collected, ok);
    }
    settle_unpublished(w); /* what was not published by now never is */
    judge_settle(b, w->requests);
    metric_add(M_WRITES, (int64_t)b->n_writes);
    return ok;
}

/* False if the commit failed. */
static bool serve(struct writer *w, struct batch *b)
{
    bool ok = batch_run(w, b);
    batch_fini(b);
    for (size_t i = 0; i < b->n_writes; i++) { /* (1) */
        b->writes[i]->done(b->writes[i]);
    }
    return ok;
}

/* ---- Expiry --------------------------------------------------------------------------------- */

static bool is_due(const struct writer *w, int64_t run_ms)
{
    int64_t next = expiry_next(w->store->expiry);
    return next != 0 && next <= run_ms;
}

/* While something is going to expire the clock is kept every second, so that a kill makes it late
 * by no more; and sooner after a start, whenever the time since has doubled, so that the clock gets
 * on even if the server never lives for a second. Returns when it is to be kept next. */
static int64_t clock_due(const struct writer *w)
{
    const struct engine *e = w->store->engine;
    int64_t last = w->clock_tried > e->kept_ms ? w->clock_tried : e->kept_ms;
    int64_t up = last - e->run_ms;
    return last + (up < CLOCK_FIRST_MS ? CLOCK_FIRST_MS : up < CLOCK_KEEP_MS ? up : CLOCK_KEEP_MS);
}

static void keep_clock(struct writer *w, bool stopping)
{
    struct store *s = w->store;
    int64_t now = store_run_ms(s);
    if (w->failed || expiry_next(s->expiry) == 0 || (now < clock_due(w) && !stopping)) {
        return;
    }
    w->clock_tried = now;
    struct err err = {0};
    const struct commit c = {.run_ms = now};
    enum errc rc = s->engine->ops->commit(s->engine, &c, &err);
    if (rc != OK && rc != ERR_STORAGE_FULL) {
        recover(w); /* (2) */
    }
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* Changes that it may make at most. */
static size_t changes_of(const struct write *x)
{
    const size_t one = x->orphan ? 1 + ORPHANS_MAX : 1;
    bool orphans = false;
    for (size_t i = 0; i < x->n_ops; i++) {
        orphans = orphans || x->ops[i].orphan;
    }
    /* The operation that is one too many has made its changes before that is seen. */
    return x->verb != WRITE_TXN ? one : orphans ? TXN_EVENTS_MAX + 1 + ORPHANS_TXN_MAX : x->n_ops;
}
_Static_assert(TXN_EVENTS_MAX + 1 + ORPHANS_TXN_MAX <= BATCH_WRITES, "it fits a batch");

/* May it change what defines a resource? */
static bool defines(const struct write *x)
{
    bool any = str_eq(x->key.resource, STR(RESOURCE_RESOURCES));
    for (size_t i = 0; i < x->n_ops && !any; i++) {
        any = defines(&x->ops[i]);
    }
    return any;
}

/* A definition is the last of its batch: once it is published it is cheap to look up. (The judge
 * could do without that, and does within a transaction.) */
static bool is_full(const struct batch *b)
{
    return b->n_writes == BATCH_WRITES || (b->n_writes != 0 && defines(b->writes[b->n_writes - 1]));
}

static void take(struct writer *w, struct batch *b)
{
    size_t bytes = 0, changes = 0;
    struct write *x = NULL;
    while ((x = STAILQ_FIRST(&w->queue)) != NULL && !is_full(b) &&
           changes + changes_of(x) <= BATCH_WRITES &&
           (b->n_writes == 0 || bytes + x->bytes <= BATCH_BYTES)) {
        STAILQ_REMOVE_HEAD(&w->queue, link);
        bytes += x->bytes;
        changes += changes_of(x);
        b->repeats[b->n_writes] = NULL;
        b->writes[b->n_writes++] = x;
    }
    /* What still waits came before any later deadline; it may be a heartbeat. */
    b->expire_ms = store_run_ms(w->store);
    if (x != NULL) {
        b->expire_ms -= clock_mono(w->store->clock) - x->submitted;
    }
    w->queued_bytes -= bytes;
    metric_set(M_WRITE_QUEUE_BYTES, (int64_t)w->queued_bytes);
}

/* One slice of compaction; true if there is more to do. */
static bool compact_some(struct writer *w, bool idle, bool stopping)
{
    if (w->failed || atomic_load(&w->store->loaded) == LOAD_RUNNING) {
        return false;
    }
    pthread_mutex_lock(&w->mu);
    struct compaction *c = STAILQ_FIRST(&w->compactions);
    pthread_mutex_unlock(&w->mu);
    bool request_done = false, more = false;
    enum errc rc = compact_slice(w->store, c, idle, &request_done, &more);
    if (rc == ERR_DATA_LOSS) {
        atomic_store(&w->store->loaded, LOAD_FAILED); /* no more of it; the rest goes on */
    } else if (rc != OK && rc != ERR_STORAGE_FULL) {
        recover(w); /* (2) */
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
    bool hold = w->failed || w->refused;
    int64_t ms = hold ? 100 : 1000;
    int64_t next = hold ? 0 : expiry_next(w->store->expiry);
    if (next != 0 && clock_due(w) < next) {
        next = clock_due(w);
    }
    int64_t left = next != 0 ? next - store_run_ms(w->store) : ms;
    ms = left > ms ? ms : left > 1 ? left : 1;
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
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
    bool more = false;
    for (;;) {
        batch_init(b, w->store);
        pthread_mutex_lock(&w->mu);
        if (STAILQ_EMPTY(&w->queue) && !w->called && !w->stopping && !more) {
            wait_for_work(w);
        }
        w->called = false;
        take(w, b);
        bool stopping = w->stopping;
        pthread_mutex_unlock(&w->mu);
        if (stopping && b->n_writes == 0) {
            keep_clock(w, true);
            break;
        }
        if (w->failed && clock_mono(w->store->clock) >= w->recover_at) {
            recover(w);
        }
        keep_clock(w, false);
        bool due = false;
        bool collects = dependents_any_due(w->store->dependents);
        if (b->n_writes != 0 || ((is_due(w, b->expire_ms) || collects) && !w->failed)) {
            w->refused = !serve(w, b);
            due = !w->refused &&
                  (is_due(w, store_run_ms(w->store)) || dependents_any_due(w->store->dependents));
        }
        more = compact_some(w, b->n_writes == 0, stopping) || (due && !stopping);
    }
    refuse_compactions(w);
    free(b);
    return NULL;
}

enum errc writer_submit(struct writer *w, struct write *x, struct err *err)
{
    enum errc rc = OK;
    bool idle = false;
    x->err.code = OK;
    x->object = NULL;
    x->conflicts = NULL;
    x->rv = 0;
    pthread_mutex_lock(&w->mu);
    if (w->stopping || atomic_load(&w->store->draining)) {
        rc = err_set(err, ERR_DRAINING, "the server is stopping; try again");
    } else if (w->queued_bytes + x->bytes > w->store->opt.queue_bytes && w->queued_bytes != 0) {
        rc = err_set(err, ERR_LIMIT, "%zu bytes of writes are waiting already; try again later",
                     w->queued_bytes);
        err->retry_ms = 100;
    } else {
        idle = STAILQ_EMPTY(&w->queue);
        STAILQ_INSERT_TAIL(&w->queue, x, link);
        x->submitted = clock_mono(w->store->clock);
        w->queued_bytes += x->bytes;
        atomic_fetch_add(&w->store->unpublished, 1);
        metric_set(M_WRITE_QUEUE_BYTES, (int64_t)w->queued_bytes);
    }
    pthread_mutex_unlock(&w->mu);
    if (idle) { /* not before: the writer would wake only to wait for the mutex */
        pthread_cond_signal(&w->wake);
    }
    return rc;
}

/* Under w->mu. */
static void call_writer(struct writer *w)
{
    w->called = true;
    pthread_cond_signal(&w->wake);
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
        call_writer(w);
    }
    pthread_mutex_unlock(&w->mu);
    return refused ? err_set(err, ERR_DRAINING, "the server is stopping; try again") : OK;
}

void writer_committed(struct writer *w, const struct change *changes, size_t n)
{
    mono_ms_t now = clock_mono(w->store->clock);
    settle_unpublished(w);
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = &changes[i].event;
        if (ev->request_id.n == REQUEST_ID_LEN) {
            struct answer a = requests_answer_of(ev);
            requests_keep(w->requests, (const uint8_t *)ev->request_id.p, &a, now);
        }
    }
}

void writer_wake(struct writer *w)
{
    pthread_mutex_lock(&w->mu);
    call_writer(w);
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
    enum errc rc = load_start(s, w->requests, err);
    *ret = w; /* before the thread is there: it may have deadlines to publish at once */
    if (rc == OK && pthread_create(&w->thread, NULL, writer_run, w) != 0) {
        rc = err_set(err, ERR_UNAVAILABLE, "cannot start the writer's thread");
    }
    if (rc != OK) {
        *ret = NULL;
        requests_free(w->requests);
        free(w);
        return rc;
    }
    pthread_setname_np(w->thread, "writer");
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
}

void writer_free(struct writer *w)
{
    if (w == NULL) {
        return;
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mu);
    requests_free(w->requests);
    free(w);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A reader: one thread with one read-only view of the engine. Point reads go first, all that wait
 * in one view; then one step of the next job, in turn, so that no list, snapshot or replay holds up
 * another. No view is held while anybody waits for a peer. */
#include <assert.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "store/store_impl.h"
#include "store/view.h"

STAILQ_HEAD(get_queue, get);
STAILQ_HEAD(job_queue, read_job);

struct reader {
    struct store *store;
    enum reader_kind kind;
    struct engine_reader *view;
    pthread_t thread;
    pthread_mutex_t mu; /* guards all below; taken alone */
    pthread_cond_t wake;
    struct get_queue gets;
    struct job_queue jobs;
    size_t asked; /* gets and lists that wait */
    bool stopping;
};

#define ASKED_MAX (16 * 1024)

/* A tenth of the share of a thread that does not yield, and all that those leave over, which is
 * much, since writes wait for the disk. So replays slow down writes little, and yet get on: what
 * a tenth of a core reads is more than is written meanwhile, for some replays at once. Whatever is
 * locked here is held for a moment only, as a writer that waits for it waits for a thread that
 * yields. */
#define BULK_NICE 10

enum errc reader_ask(struct reader *r, struct err *err)
{
    pthread_mutex_lock(&r->mu);
    bool full = r->asked >= ASKED_MAX;
    r->asked += !full;
    pthread_mutex_unlock(&r->mu);
    if (!full) {
        return OK;
    }
    (void)err_set(err, ERR_LIMIT, "%d reads are waiting already; try again later", ASKED_MAX);
    err->retry_ms = 100;
    return ERR_LIMIT;
}

void reader_answered(struct reader *r, size_t n)
{
    pthread_mutex_lock(&r->mu);
    r->asked -= n;
    pthread_mutex_unlock(&r->mu);
}

/* ---- Point reads -------------------------------------------------------------------------- */

/* Where an object is, as the index knows it. */
struct found {
    row_t row;
    rv_t rv;      /* 0: there is none */
    rv_t deleted; /* then: since this version; 0: not known */
};

static struct found find(struct store *s, const struct key *k)
{
    index_lock(s->index);
    const struct index_entry *e = index_find(s->index, k);
    struct found f = {0};
    if (e != NULL) {
        f = (struct found){e->row, e->rv, e->rv == 0 ? index_kept_upto(e, RV_MAX) : 0};
    }
    index_unlock(s->index);
    return f;
}

/* Within a view. True when g is answered; false when the object was changed meanwhile and that
 * version is no longer there. */
static bool get_one(struct reader *r, struct get *g, struct found p)
{
    if (p.rv == 0) {
        (void)view_not_found(&g->key, p.deleted, &g->err);
        return true;
    }
    const struct engine_ops *ops = r->store->engine->ops;
    enum errc rc = ops->read_object(r->view, p.row, p.rv, &g->object, &g->err);
    /* The owners in the view are of the version that the index knows by now, if it is in it. */
    bool changed = (rc == ERR_NOT_FOUND || g->owners != NULL) && find(r->store, &g->key).rv != p.rv;
    if (changed) {
        object_unref(TAKE(g->object));
        return false;
    }
    if (rc == OK && g->owners != NULL) {
        buf_clear(g->owners);
        rc = ops->read_owners(r->view, p.row, g->owners, &g->err);
    }
    if (rc == ERR_NOT_FOUND) {
        (void)err_set(&g->err, ERR_DATA_LOSS,
                      "%.*s \"%.*s\" of version %llu is not in the database",
                      STR_ARG(g->key.resource), STR_ARG(g->key.name), (unsigned long long)p.rv);
    } else if (rc == OK) {
        g->err.code = OK;
    }
    return true;
}

#define GETS_PER_VIEW 64

static void serve_gets(struct reader *r, struct get_queue *gets)
{
    struct store *s = r->store;
    while (!STAILQ_EMPTY(gets)) {
        struct get *batch[GETS_PER_VIEW];
        struct found places[GETS_PER_VIEW];
        size_t n = 0;
        while (n < GETS_PER_VIEW && !STAILQ_EMPTY(gets)) {
            batch[n] = STAILQ_FIRST(gets);
            STAILQ_REMOVE_HEAD(gets, link);
            places[n] = find(s, &batch[n]->key); /* before the view, which then shows it */
            n++;
        }
        struct err err = {0};
        rv_t shown = 0;
        enum errc rc = s->engine->ops->view_begin(r->view, &shown, &err);
        bool open = rc == OK;
        if (rc == OK) {
            rc = store_await(s, shown, &err); /* nothing unpublished is shown */
        }
        bool again[GETS_PER_VIEW] = {false};
        for (size_t i = 0; i < n; i++) {
            if (rc != OK) {
                batch[i]->err = err;
            } else {
                again[i] = !get_one(r, batch[i], places[i]);
            }
        }
        if (open) {
            s->engine->ops->view_end(r->view);
        }
        size_t done = 0;
        for (size_t i = 0; i < n; i++) {
            if (again[i]) {
                STAILQ_INSERT_TAIL(gets, batch[i], link);
            } else {
                batch[i]->done(batch[i]);
                done++;
            }
        }
        reader_answered(r, done);
    }
}

/* ---- The thread -------------------------------------------------------------------------------
 */

static void refuse_all(struct get_queue *gets, struct job_queue *jobs)
{
    struct err err = {0};
    (void)err_set(&err, ERR_DRAINING, "the server is stopping; try again");
    while (!STAILQ_EMPTY(gets)) {
        struct get *g = STAILQ_FIRST(gets);
        STAILQ_REMOVE_HEAD(gets, link);
        g->err = err;
        g->done(g);
    }
    while (!STAILQ_EMPTY(jobs)) {
        struct read_job *j = STAILQ_FIRST(jobs);
        STAILQ_REMOVE_HEAD(jobs, link);
        j->refuse(j, &err);
    }
}

static void *reader_run(void *arg)
{
    struct reader *r = arg;
    if (r->kind == READER_BULK) {
        /* Of this thread alone, as Linux has it; to lower it is never refused. */
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + BULK_NICE);
    }
    for (;;) {
        struct get_queue gets = STAILQ_HEAD_INITIALIZER(gets);
        struct read_job *job = NULL;
        pthread_mutex_lock(&r->mu);
        while (!r->stopping && STAILQ_EMPTY(&r->gets) && STAILQ_EMPTY(&r->jobs)) {
            pthread_cond_wait(&r->wake, &r->mu);
        }
        STAILQ_CONCAT(&gets, &r->gets);
        if (r->stopping) {
            struct job_queue jobs = STAILQ_HEAD_INITIALIZER(jobs);
            STAILQ_CONCAT(&jobs, &r->jobs);
            pthread_mutex_unlock(&r->mu);
            refuse_all(&gets, &jobs);
            return NULL;
        }
        job = STAILQ_FIRST(&r->jobs);
        if (job != NULL) {
            STAILQ_REMOVE_HEAD(&r->jobs, link);
        }
        pthread_mutex_unlock(&r->mu);
        serve_gets(r, &gets);
        if (job != NULL && !job->step(job, r->view)) {
            reader_submit(r, job);
        }
    }
}

void reader_submit(struct reader *r, struct read_job *job)
{
    struct err err = {0};
    pthread_mutex_lock(&r->mu);
    bool refused = r->stopping;
    if (!refused) {
        STAILQ_INSERT_TAIL(&r->jobs, job, link);
        pthread_cond_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->mu);
    if (refused) {
        (void)err_set(&err, ERR_DRAINING, "the server is stopping; try again");
        job->refuse(job, &err);
    }
}

void reader_submit_get(struct reader *r, struct get *g)
{
    pthread_mutex_lock(&r->mu);
    bool refused = r->stopping;
    if (!refused) {
        STAILQ_INSERT_TAIL(&r->gets, g, link);
        pthread_cond_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->mu);
    if (refused) {
        (void)err_set(&g->err, ERR_DRAINING, "the server is stopping; try again");
        g->done(g);
    }
}

enum errc reader_start(struct store *s, enum reader_kind kind, struct reader **ret, struct err *err)
{
    struct engine_reader *view = NULL;
    enum errc rc = s->engine->ops->reader_open(s->engine, &view, err);
    if (rc != OK) {
        return rc;
    }
    struct reader *r = mem_zalloc(sizeof *r);
    r->store = s;
    r->kind = kind;
    r->view = view;
    pthread_mutex_init(&r->mu, NULL);
    pthread_cond_init(&r->wake, NULL);
    STAILQ_INIT(&r->gets);
    STAILQ_INIT(&r->jobs);
    if (pthread_create(&r->thread, NULL, reader_run, r) != 0) {
        s->engine->ops->reader_close(view);
        free(r);
        return err_set(err, ERR_UNAVAILABLE, "cannot start the reader's thread");
    }
    pthread_setname_np(r->thread, kind == READER_BULK ? "bulk reader" : "reader");
    *ret = r;
    return OK;
}

void reader_stop(struct reader *r)
{
    if (r == NULL) {
        return;
    }
    pthread_mutex_lock(&r->mu);
    r->stopping = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mu);
    pthread_join(r->thread, NULL);
    r->store->engine->ops->reader_close(r->view);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->mu);
    free(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The history of one object: its kept events, newest first, each found by its version in the index
 * and read by that. The state before the oldest of them, whose own event is compacted, comes last,
 * without a cause. */
#include <stdlib.h>

#include "store/store_impl.h"

#define STEP_EVENTS 64 /* of one read transaction */

struct history_job {
    struct read_job job;
    struct store *store;
    struct history *history;
    rv_t at; /* versions at or below are still to come */
    rv_t rvs[STEP_EVENTS];
    size_t n;
    /* What is below them, if there are no more: the first event above it, or the object's own
     * row. */
    bool last;
    rv_t undo;
    row_t row;
    rv_t rv;
};

static void history_finish(struct history_job *j)
{
    struct history *h = j->history;
    h->floor = store_floor(j->store);
    reader_answered(j->store->reader, 1);
    free(j);
    h->done(h);
}

/* Finds the next versions. False: the object is not known. */
static bool collect(struct history_job *j)
{
    struct index *x = j->store->index;
    index_lock(x);
    const struct index_entry *e = index_find(x, &j->history->key);
    rv_t at = j->at;
    j->n = 0;
    while (e != NULL && j->n < STEP_EVENTS && (at = index_kept_upto(e, at)) != 0) {
        j->rvs[j->n++] = at--;
    }
    j->last = j->n < STEP_EVENTS;
    if (e != NULL && j->last) {
        bool created = false;
        j->undo = index_kept_after(e, at, &created);
        j->row = e->row;
        j->rv = j->undo == 0 ? e->rv : 0;
    }
    index_unlock(x);
    return e != NULL;
}

/* False when the page is full; then that one comes first on the next. */
static bool tell(struct history *h, const struct event *ev)
{
    bool full = (h->limit != 0 && h->count == h->limit) ||
                (h->count != 0 && h->bytes + ev->body.n > h->max_bytes);
    if (full) {
        h->next = ev->rv;
        return false;
    }
    h->count++;
    h->bytes += h->omit ? 0 : ev->body.n;
    h->revision(h, ev);
    return true;
}

/* An object whose own event is compacted. */
static void tell_object(struct history_job *j, const struct object *o)
{
    if (o != NULL && o->rv <= j->at) {
        const struct event ev = {.rv = o->rv,
                                 .txn_end = o->rv,
                                 .generation = o->generation,
                                 .splice = o->splice,
                                 .key = o->key,
                                 .labels = o->labels,
                                 .body = o->body};
        (void)tell(j->history, &ev);
    }
}

static enum errc tell_base(struct history_job *j, struct engine_reader *r, struct err *err)
{
    const struct engine_ops *ops = j->store->engine->ops;
    CLEANUP(object_unrefp) struct object *o = NULL;
    enum errc rc = OK;
    if (j->undo != 0) {
        struct event ev;
        rc = ops->read_event(r, j->undo, &ev, err);
        o = rc == OK ? event_previous(&ev) : NULL;
    } else if (j->rv != 0) {
        rc = ops->read_object(r, j->row, j->rv, &o, err);
    }
    if (rc == OK) {
        tell_object(j, o);
    }
    return rc == ERR_NOT_FOUND ? OK : rc; /* compacted, or replaced, while we looked */
}

/* *ret_more: go on with the next versions. */
static enum errc tell_events(struct history_job *j, struct engine_reader *r, bool *ret_more,
                             struct err *err)
{
    for (size_t i = 0; i < j->n; i++) {
        struct event ev;
        enum errc rc = j->store->engine->ops->read_event(r, j->rvs[i], &ev, err);
        if (rc == ERR_NOT_FOUND) { /* compacted while we looked: what is older is gone, too */
            return OK;
        }
        if (rc != OK || !tell(j->history, &ev)) {
            return rc;
        }
        j->at = j->rvs[i] - 1;
    }
    *ret_more = !j->last;
    return j->last ? tell_base(j, r, err) : OK;
}

static bool history_step(struct read_job *job, struct engine_reader *r)
{
    struct history_job *j = (struct history_job *)job;
    struct history *h = j->history;
    struct store *s = j->store;
    if (atomic_load(&s->loaded) == LOAD_RUNNING) {
        return false;
    }
    enum errc rc = store_check_loaded(s, &h->err);
    bool more = false;
    if (rc == OK && !collect(j)) {
        rc = err_set(&h->err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found", STR_ARG(h->key.resource),
                     STR_ARG(h->key.name));
    }
    rv_t shown = 0;
    rc = rc == OK ? s->engine->ops->view_begin(r, &shown, &h->err) : rc;
    if (rc == OK) {
        rc = store_await(s, shown, &h->err);
        rc = rc == OK ? tell_events(j, r, &more, &h->err) : rc;
        s->engine->ops->view_end(r);
    }
    if (rc == OK) {
        h->err.code = OK; /* a detour on the way may have left its mark */
    }
    if (rc == OK && more) {
        return false;
    }
    history_finish(j);
    return true;
}

static void history_refuse(struct read_job *job, const struct err *err)
{
    struct history_job *j = (struct history_job *)job;
    j->history->err = *err;
    history_finish(j);
}

enum errc store_history(struct store *s, struct history *h, struct err *err)
{
    if (reader_ask(s->reader, err) != OK) {
        return ERR_LIMIT;
    }
    struct history_job *j = mem_zalloc(sizeof *j);
    j->job.step = history_step;
    j->job.refuse = history_refuse;
    j->store = s;
    j->history = h;
    j->at = h->at_most != 0 ? h->at_most : RV_MAX;
    h->err.code = OK;
    h->next = 0;
    h->count = 0;
    h->bytes = 0;
    reader_submit(s->reader, &j->job);
    return OK;
}

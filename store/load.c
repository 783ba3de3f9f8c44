/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up: the objects and the recent request ids before anything is served; the kept versions of
 * each key by a job of the reader meanwhile. What needs those (older views, compaction) waits for
 * `loaded`. */
#include <stdlib.h>

#include "store/store_impl.h"

#define LOAD_STEP 1024 /* events of one step */

static bool load_object(void *arg, const struct engine_object *o)
{
    struct store *s = arg;
    index_load(s->index, o);
    return true;
}

struct recent {
    struct requests *requests;
    wall_ms_t wall;
    mono_ms_t mono;
};

static bool load_request(void *arg, const struct event *ev, size_t bytes)
{
    (void)bytes;
    const struct recent *r = arg;
    if (ev->request_id.n != REQUEST_ID_LEN || r->wall - ev->time > REQUESTS_KEEP_MS) {
        return true;
    }
    struct answer a = requests_answer_of(ev);
    requests_keep(r->requests, (const uint8_t *)ev->request_id.p, &a, r->mono);
    return true;
}

/* What the objects of `resources` define. */
static enum errc load_definitions(struct store *s, struct engine_reader *r, struct err *err)
{
    const struct key first = {STR(RESOURCE_RESOURCES), STR(NAMESPACE_DEFAULT), STR_EMPTY};
    for (struct index_entry *e = index_seek(s->index, &first); e != NULL; e = index_next(e)) {
        struct key k = index_key(e);
        if (!str_eq(k.resource, first.resource) || !str_eq(k.ns, first.ns)) {
            break;
        }
        CLEANUP(object_unrefp) struct object *o = NULL;
        enum errc rc = s->engine->ops->read_object(r, e->row, e->rv, &o, err);
        if (rc != OK) {
            return rc;
        }
        definitions_set(s->definitions, k.name, o);
    }
    return OK;
}

enum errc load_objects(struct store *s, struct requests *requests, struct err *err)
{
    const struct engine_ops *ops = s->engine->ops;
    struct engine_reader *r = NULL;
    rv_t head = 0;
    enum errc rc = ops->reader_open(s->engine, &r, err);
    if (rc != OK) {
        return rc;
    }
    rc = ops->view_begin(r, &head, err);
    if (rc == OK) {
        index_lock(s->index);
        rc = ops->objects(r, load_object, s, err);
        if (rc == OK) {
            rc = load_definitions(s, r, err);
        }
        index_unlock(s->index);
        if (rc == OK) {
            rv_t floor = s->engine->floor;
            rv_t from = head > REQUESTS_MAX ? head - REQUESTS_MAX : 0;
            struct recent recent = {requests, clock_wall(s->clock), clock_mono(s->clock)};
            rc =
                ops->history_keys(r, from > floor ? from : floor, head, load_request, &recent, err);
        }
        ops->view_end(r);
    }
    ops->reader_close(r);
    return rc;
}

/* An event that was read but is not in the index yet: its key's texts lie in history_job.texts. */
struct past {
    rv_t rv;
    bool created;
    uint16_t resource_n, ns_n, name_n;
};

struct history_job {
    struct read_job job;
    struct store *store;
    rv_t at, upto; /* events in (at, upto] are still to come */
    uint64_t events, bytes;
    struct past past[LOAD_STEP]; /* of this step */
    size_t n;
    struct buf texts;
};

static bool load_event(void *arg, const struct event *ev, size_t bytes)
{
    struct history_job *j = arg;
    const struct key *k = &ev->key;
    j->past[j->n++] = (struct past){ev->rv, ev->prev_rv == 0, (uint16_t)k->resource.n,
                                    (uint16_t)k->ns.n, (uint16_t)k->name.n};
    buf_adds(&j->texts, k->resource);
    buf_adds(&j->texts, k->ns);
    buf_adds(&j->texts, k->name);
    j->events++;
    j->bytes += bytes;
    j->at = ev->rv;
    return j->n < LOAD_STEP;
}

/* What was read goes into the index; the lock is not held while reading. */
static void keep_past(struct history_job *j)
{
    const char *p = j->texts.p;
    index_lock(j->store->index);
    for (size_t i = 0; i < j->n; i++) {
        const struct past *e = &j->past[i];
        struct key k = {
            {p,                           e->resource_n},
            {p + e->resource_n,           e->ns_n      },
            {p + e->resource_n + e->ns_n, e->name_n    }
        };
        index_keep(j->store->index, &k, e->rv, e->created);
        p = k.name.p + k.name.n;
    }
    index_unlock(j->store->index);
    j->n = 0;
    buf_clear(&j->texts);
}

static void history_free(struct history_job *j)
{
    buf_fini(&j->texts);
    free(j);
}

static bool history_step(struct read_job *job, struct engine_reader *r)
{
    struct history_job *j = (struct history_job *)job;
    struct store *s = j->store;
    const struct engine_ops *ops = s->engine->ops;
    struct err err = {0};
    rv_t shown = 0;
    enum errc rc = ops->view_begin(r, &shown, &err);
    if (rc == OK) {
        rc = ops->history_keys(r, j->at, j->upto, load_event, j, &err);
        ops->view_end(r);
    }
    bool full = j->n == LOAD_STEP;
    keep_past(j);
    if (rc == OK && full && j->at < j->upto) {
        return false;
    }
    atomic_fetch_add(&s->history_events, j->events);
    atomic_fetch_add(&s->history_bytes, j->bytes);
    /* Failing, watches and writes go on; views of older versions and compaction cannot. */
    atomic_store(&s->loaded, rc == OK ? LOAD_DONE : LOAD_FAILED);
    writer_wake(s->writer);
    history_free(j);
    return true;
}

static void history_refuse(struct read_job *job, const struct err *err)
{
    (void)err;
    history_free((struct history_job *)job);
}

struct read_job *load_history_job(struct store *s)
{
    struct history_job *j = mem_zalloc(sizeof *j);
    j->job.step = history_step;
    j->job.refuse = history_refuse;
    j->store = s;
    j->at = s->engine->floor;
    j->upto = s->engine->head;
    buf_init(&j->texts, SIZE_MAX);
    return &j->job;
}

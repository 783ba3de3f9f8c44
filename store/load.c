/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up: everything that is needed to serve comes from one scan of the objects and one of the
 * newest events: the objects as they are, recent request ids, and the kept versions of each key. A
 * history that is longer than the default limits allow is read further back by a job of the reader
 * meanwhile; what needs the oldest versions (older views, compaction) waits for `loaded`. */
#include <stdlib.h>

#include "store/base/logline.h"
#include "store/index_build.h"
#include "store/store_impl.h"

#define LOAD_STEP 1024 /* events of one step of the job */

struct loading {
    struct store *store;
    struct index_builder *builder;
    struct requests *requests;
    wall_ms_t wall;
    mono_ms_t mono;
    uint64_t events, bytes;
    struct err *err;
    enum errc rc;
};

static bool load_object(void *arg, const struct engine_object *o)
{
    struct loading *l = arg;
    l->rc = index_build_object(l->builder, o, l->err);
    expiry_set(l->store->expiry, &o->key, o->row, o->deadline_ms);
    return l->rc == OK;
}

static void load_request(const struct loading *l, const struct event *ev)
{
    rv_t head = l->store->engine->head;
    if (ev->request_id.n != REQUEST_ID_LEN || head - ev->rv >= REQUESTS_MAX ||
        l->wall - ev->time > REQUESTS_KEEP_MS) {
        return;
    }
    struct answer a = requests_answer_of(ev);
    requests_keep(l->requests, (const uint8_t *)ev->request_id.p, &a, l->mono);
}

static bool load_event(void *arg, const struct engine_past *p)
{
    struct loading *l = arg;
    index_build_event(l->builder, p);
    bool gone = event_is_delete(&p->event);
    expiry_set(l->store->expiry, &p->event.key, p->row, gone ? 0 : p->deadline_ms);
    load_request(l, &p->event);
    l->events++;
    l->bytes += p->bytes;
    return true;
}

/* What the objects of `resources` define. Those that cannot be read define nothing. */
static enum errc load_definitions(struct store *s, struct engine_reader *r, struct err *err)
{
    const struct key first = {STR(RESOURCE_RESOURCES), STR(NAMESPACE_DEFAULT), STR_EMPTY};
    for (struct index_entry *e = index_seek(s->index, &first); e != NULL; e = index_next(e)) {
        struct key k = index_key(e);
        if (!str_eq(k.resource, first.resource) || !str_eq(k.ns, first.ns)) {
            break;
        }
        if (e->rv == 0) {
            continue;
        }
        CLEANUP(object_unrefp) struct object *o = NULL;
        enum errc rc = s->engine->ops->read_object(r, e->row, e->rv, &o, err);
        if (rc == ERR_DATA_LOSS) { /* one row that is broken keeps nobody from the others */
            log_error("the definition of %.*s has no effect: %s", STR_ARG(k.name), err->msg);
            continue;
        }
        if (rc != OK) {
            return rc;
        }
        definitions_set(s->definitions, k.name, o);
    }
    return OK;
}

/* Events up to here are left to the job. */
static rv_t load_from(const struct store *s)
{
    const struct engine *e = s->engine;
    rv_t from = e->head > s->opt.load_events ? e->head - s->opt.load_events : 0;
    from = from < e->folded ? from : e->folded;
    return from > e->floor ? from : e->floor;
}

static enum errc load_in_view(struct loading *l, struct engine_reader *r)
{
    const struct engine *e = l->store->engine;
    rv_t from = load_from(l->store);
    enum errc rc = e->ops->objects(r, load_object, l, l->err);
    rc = rc != OK ? rc : l->rc;
    if (rc != OK) {
        return rc;
    }
    /* Without these events watches and writes go on; views of older versions, which need all, and
     * compaction cannot. */
    rc = e->ops->history_keys(r, from, e->folded, load_event, l, l->err);
    if (rc == ERR_DATA_LOSS) {
        atomic_store(&l->store->loaded, LOAD_FAILED);
    } else if (rc == OK && from == e->floor) {
        atomic_store(&l->store->loaded, LOAD_DONE);
    } else if (rc != OK) {
        return rc;
    }
    return e->ops->history_keys(r, e->folded, e->head, load_event, l, l->err);
}

enum errc load_start(struct store *s, struct requests *requests, struct err *err)
{
    const struct engine_ops *ops = s->engine->ops;
    struct engine_reader *r = NULL;
    rv_t head = 0;
    struct loading l = {
        .store = s,
        .requests = requests,
        .wall = clock_wall(s->clock),
        .mono = clock_mono(s->clock),
        .err = err,
        .rc = OK,
    };
    enum errc rc = ops->reader_open(s->engine, &r, err);
    if (rc != OK) {
        return rc;
    }
    index_lock(s->index);
    l.builder = index_builder_new(s->index);
    rc = ops->view_begin(r, &head, err);
    rc = rc == OK ? load_in_view(&l, r) : rc;
    index_builder_finish(l.builder);
    rc = rc == OK ? load_definitions(s, r, err) : rc;
    index_unlock(s->index);
    ops->reader_close(r);
    atomic_fetch_add(&s->history_events, l.events);
    atomic_fetch_add(&s->history_bytes, l.bytes);
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
    rv_t floor, at; /* events in (floor, at] are still to come; the newest of them first, since
                       they go in front of what an entry has already */
    rv_t step;      /* versions to look at next; not all of them need be there */
    bool over;      /* there were too many */
    uint64_t events, bytes;
    struct past past[LOAD_STEP]; /* of this step */
    size_t n;
    struct buf texts;
};

static bool take_past(void *arg, const struct engine_past *p)
{
    struct history_job *j = arg;
    const struct key *k = &p->event.key;
    j->over = j->n == LOAD_STEP;
    if (j->over) {
        return false;
    }
    j->past[j->n++] = (struct past){p->event.rv, p->event.prev_rv == 0, (uint16_t)k->resource.n,
                                    (uint16_t)k->ns.n, (uint16_t)k->name.n};
    buf_adds(&j->texts, k->resource);
    buf_adds(&j->texts, k->ns);
    buf_adds(&j->texts, k->name);
    j->bytes += p->bytes;
    return true;
}

/* What was read goes into the index; the lock is not held while reading. */
static void keep_past(struct history_job *j)
{
    const char *p = j->texts.p + j->texts.n;
    index_lock(j->store->index);
    for (size_t i = j->n; i-- > 0;) {
        const struct past *e = &j->past[i];
        p -= e->resource_n + e->ns_n + e->name_n;
        struct key k = {
            {p,                           e->resource_n},
            {p + e->resource_n,           e->ns_n      },
            {p + e->resource_n + e->ns_n, e->name_n    }
        };
        index_keep(j->store->index, &k, e->rv, e->created);
    }
    index_unlock(j->store->index);
    j->events += j->n;
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
    rv_t from = j->at - j->floor > j->step ? j->at - j->step : j->floor;
    uint64_t bytes = j->bytes;
    j->n = 0;
    j->over = false;
    buf_clear(&j->texts);
    enum errc rc = ops->view_begin(r, &shown, &err);
    if (rc == OK) {
        rc = ops->history_keys(r, from, j->at, take_past, j, &err);
        ops->view_end(r);
    }
    if (rc == OK && j->over) {
        j->step /= 2;
        j->bytes = bytes;
        return false;
    }
    keep_past(j);
    j->at = from;
    j->step = j->n == 0 ? j->step * 2 : LOAD_STEP; /* between two epochs there are none for long */
    if (rc == OK && j->at > j->floor) {
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
    j->floor = s->engine->floor;
    j->at = load_from(s);
    j->step = LOAD_STEP;
    buf_init(&j->texts, SIZE_MAX);
    return &j->job;
}

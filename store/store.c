/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/base/metric.h"
#include "store/store_impl.h"
#include "store/watch_impl.h"

#define AWAIT_MS 2000

static void committed(void *arg, const struct commit *c)
{
    store_publish(arg, c);
}

static void fill_defaults(struct store_options *o)
{
    o->log_bytes = o->log_bytes != 0 ? o->log_bytes : (size_t)64 << 20;
    o->queue_bytes = o->queue_bytes != 0 ? o->queue_bytes : (size_t)64 << 20;
    o->object_bytes = o->object_bytes != 0 ? o->object_bytes : OBJECT_MAX_BYTES;
    o->history_events = o->history_events != 0 ? o->history_events : 1000000;
    o->history_bytes = o->history_bytes != 0 ? o->history_bytes : (int64_t)1 << 30;
    o->objects_max = o->objects_max != 0 ? o->objects_max : 10 * 1000 * 1000;
    o->load_events = o->load_events != 0 ? o->load_events : 1100 * 1000; /* a default history */
    o->resources_max = o->resources_max != 0 ? o->resources_max : 1024;
}

/* What lies below it is not spared; see store_spare. */
static rv_t near_floor(const struct store *s)
{
    rv_t floor = store_floor(s);
    return floor + (store_head(s) - floor) / 8;
}

static void spare(struct store *s, rv_t rv)
{
    int64_t second = clock_mono(s->clock) / 1000;
    pthread_mutex_lock(&s->mu);
    struct spared *at = &s->spared[second % (SPARE_S + 1)];
    if (at->second != second) {
        *at = (struct spared){.second = second, .lowest = rv};
    }
    at->lowest = rv < at->lowest ? rv : at->lowest;
    pthread_mutex_unlock(&s->mu);
}

enum errc store_open(const struct store_options *opt, struct store **ret, struct err *err)
{
    struct store *s = mem_zalloc(sizeof *s);
    s->opt = *opt;
    fill_defaults(&s->opt);
    s->engine = opt->engine;
    s->codec = opt->codec;
    s->clock = opt->clock != NULL ? opt->clock : &clock_system;
    s->opened = clock_mono(s->clock);
    memcpy(s->ages, s->engine->ages, sizeof(s->ages));
    s->n_ages = s->engine->n_ages;
    for (size_t i = 0; i <= SPARE_S; i++) {
        s->spared[i].lowest = RV_MAX;
    }
    s->engine->sink = (struct engine_sink){committed, s};
    pthread_mutex_init(&s->mu, NULL);
    LIST_INIT(&s->pins);
    s->index = index_new(s->engine->head);
    s->definitions = definitions_new();
    s->expiry = expiry_new();
    s->dependents = dependents_new();
    s->log = log_new(s->codec, s->opt.log_bytes, s->engine->head);
    atomic_store(&s->head, s->engine->head);
    atomic_store(&s->floor, s->engine->floor);
    metric_set(M_HEAD, (int64_t)s->engine->head);
    metric_set(M_FLOOR, (int64_t)s->engine->floor);
    if (s->engine->head != 0) {
        spare(s, near_floor(s)); /* for all who watched before the start, a cut for each */
    }
    enum errc rc = writer_start(s, &s->writer, err);
    if (rc == OK) {
        rc = reader_start(s, READER_PROMPT, &s->reader, err);
    }
    if (rc == OK) {
        rc = reader_start(s, READER_BULK, &s->bulk_reader, err);
    }
    if (rc != OK) {
        store_close(s);
        return rc;
    }
    if (atomic_load(&s->loaded) == LOAD_RUNNING) {
        reader_submit(s->reader, load_history_job(s));
    }
    reader_submit(s->bulk_reader, dependents_scan_job(s));
    *ret = s;
    return OK;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    atomic_store(&s->draining, true);
    assert(s->sets == NULL);
    writer_stop(s->writer);
    reader_stop(s->bulk_reader);
    reader_stop(s->reader);
    writer_free(s->writer);
    s->engine->ops->close(s->engine);
    log_free(s->log);
    index_free(s->index);
    definitions_free(s->definitions);
    expiry_free(s->expiry);
    dependents_free(s->dependents);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

void store_drain(struct store *s)
{
    atomic_store(&s->draining, true);
}

bool store_is_committing(const struct store *s)
{
    return atomic_load(&s->unpublished) > 0;
}

rv_t store_head(const struct store *s)
{
    return atomic_load(&s->head);
}

rv_t store_floor(const struct store *s)
{
    return atomic_load(&s->floor);
}

rv_t store_brink(const struct store *s)
{
    return atomic_load(&s->brink);
}

void store_facts(struct store *s, struct store_facts *ret)
{
    *ret = (struct store_facts){
        .identity = s->engine->identity,
        .head = store_head(s),
        .floor = store_floor(s),
        .history_events = atomic_load(&s->history_events),
        .history_bytes = atomic_load(&s->history_bytes),
    };
    index_lock(s->index);
    ret->objects = index_objects(s->index);
    index_unlock(s->index);
    s->engine->ops->usage(s->engine, &ret->usage);
    pthread_mutex_lock(&s->mu);
    memcpy(ret->read_only_reason, s->read_only_reason, sizeof ret->read_only_reason);
    pthread_mutex_unlock(&s->mu);
    metric_set(M_FILE_BYTES, ret->usage.file_bytes);
    metric_set(M_OBJECTS, (int64_t)ret->objects);
    metric_set(M_HISTORY_EVENTS, (int64_t)ret->history_events);
    metric_set(M_HISTORY_BYTES, (int64_t)ret->history_bytes);
}

void store_resources(struct store *s, store_resource_fn *fn, void *arg)
{
    index_lock(s->index);
    index_resources_each(s->index, fn, arg);
    index_unlock(s->index);
}

void store_set_read_only(struct store *s, const char *reason)
{
    pthread_mutex_lock(&s->mu);
    snprintf(s->read_only_reason, sizeof s->read_only_reason, "%s", reason);
    pthread_mutex_unlock(&s->mu);
}

enum errc store_submit(struct store *s, struct write *w, struct err *err)
{
    return writer_submit(s->writer, w, err);
}

struct resource_definition *store_definition(struct store *s, struct str resource)
{
    return definitions_find(s->definitions, resource);
}

enum errc store_compact(struct store *s, struct compaction *c, struct err *err)
{
    return writer_compact(s->writer, c, err);
}

/* ---- Publishing ---------------------------------------------------------------------------------
 */

int64_t store_run_ms(const struct store *s)
{
    return s->engine->run_ms + clock_mono(s->clock) - s->opened;
}

void store_publish(struct store *s, const struct commit *c)
{
    const struct change *changes = c->changes;
    size_t n = c->n;
    size_t bytes = 0;
    expiry_committed(s->expiry, c);
    dependents_committed(s->dependents, c);
    if (n == 0) {
        return;
    }
    const struct event **events = mem_alloc(n * sizeof(struct event *));
    index_lock(s->index);
    for (size_t i = 0; i < n; i++) {
        assert(changes[i].event.rv > store_head(s));
        index_commit(s->index, &changes[i]);
        events[i] = &changes[i].event;
        bytes += engine_event_bytes(events[i], events[i]->delta.n, events[i]->body.n);
    }
    index_unlock(s->index);
    size_t logged = log_append(s->log, events, n);
    rv_t head = events[n - 1]->rv;
    writer_committed(s->writer, changes, n);
    definitions_committed(s->definitions, changes, n);
    atomic_fetch_add(&s->history_events, n);
    atomic_fetch_add(&s->history_bytes, bytes);
    atomic_store(&s->head, head);
    metric_set(M_HEAD, (int64_t)head);
    metric_add(M_EVENTS, (int64_t)n);
    watch_sets_published(s, events, n, logged);
    free(events);
}

enum errc store_await(struct store *s, rv_t rv, struct err *err)
{
    if (store_head(s) >= rv) {
        return OK;
    }
    mono_ms_t until = clock_mono(&clock_system) + AWAIT_MS;
    for (int spins = 0; store_head(s) < rv; spins++) {
        if (spins < 100) {
            sched_yield();
            continue;
        }
        if (clock_mono(&clock_system) > until) {
            return err_set(err, ERR_UNAVAILABLE, "the storage is being recovered; try again");
        }
        struct timespec pause = {.tv_nsec = 100 * 1000};
        nanosleep(&pause, NULL);
    }
    return OK;
}

/* ---- Resuming and pins
 * ----------------------------------------------------------------------------- */

enum errc store_check_resume(struct store *s, rv_t rv, struct err *err)
{
    const struct engine_identity *id = &s->engine->identity;
    rv_t head = store_head(s);
    rv_t floor = store_floor(s);
    if (rv > head) {
        return err_version(err, ERR_FUTURE, rv, floor, head);
    }
    if (rv > id->prior_head && rv < id->epoch_base) {
        return err_version(err, ERR_FOREIGN, rv, floor, head);
    }
    if (rv < floor) {
        return err_version(err, ERR_EXPIRED, rv, floor, head);
    }
    return OK;
}

enum errc store_check_loaded(struct store *s, struct err *err)
{
    if (atomic_load(&s->loaded) == LOAD_FAILED) {
        return err_set(err, ERR_DATA_LOSS,
                       "the history is damaged; older versions cannot be shown, begin again");
    }
    return OK;
}

static void pin_add(struct store *s, rv_t rv, struct pin *pin)
{
    pin->rv = rv;
    pin->since = clock_mono(s->clock);
    LIST_INSERT_HEAD(&s->pins, pin, link);
}

rv_t store_pin_head(struct store *s, struct pin *pin)
{
    pthread_mutex_lock(&s->mu);
    rv_t head = store_head(s);
    pin_add(s, head, pin);
    pthread_mutex_unlock(&s->mu);
    return head;
}

enum errc store_pin(struct store *s, rv_t rv, struct pin *pin, struct err *err)
{
    if (store_check_loaded(s, err) != OK) {
        return ERR_DATA_LOSS;
    }
    pthread_mutex_lock(&s->mu);
    enum errc rc = OK;
    if (rv < store_floor(s)) {
        rc = err_version(err, ERR_EXPIRED, rv, store_floor(s), store_head(s));
    } else if (rv > store_head(s)) {
        rc = err_version(err, ERR_FUTURE, rv, store_floor(s), store_head(s));
    } else {
        pin_add(s, rv, pin);
    }
    pthread_mutex_unlock(&s->mu);
    return rc;
}

void store_unpin(struct store *s, struct pin *pin)
{
    pthread_mutex_lock(&s->mu);
    LIST_REMOVE(pin, link);
    pthread_mutex_unlock(&s->mu);
}

void store_lease(struct store *s, rv_t rv)
{
    mono_ms_t now = clock_mono(s->clock);
    pthread_mutex_lock(&s->mu);
    struct lease *take = &s->leases[0];
    for (size_t i = 0; i < LEASES && take->rv != rv; i++) {
        struct lease *l = &s->leases[i];
        if (l->rv == rv || l->until < take->until) {
            take = l;
        }
    }
    if (take->rv != rv) {
        *take = (struct lease){.rv = rv, .since = now};
    }
    take->until = now + LEASE_MS;
    pthread_mutex_unlock(&s->mu);
}

rv_t store_pinned(struct store *s)
{
    rv_t lowest = RV_MAX;
    mono_ms_t now = clock_mono(s->clock);
    pthread_mutex_lock(&s->mu);
    const struct pin *p = NULL;
    LIST_FOREACH(p, &s->pins, link)
    {
        if (now - p->since <= PIN_MS && p->rv < lowest) {
            lowest = p->rv;
        }
    }
    for (size_t i = 0; i < LEASES; i++) {
        const struct lease *l = &s->leases[i];
        bool held = l->rv != 0 && now < l->until && now - l->since <= PIN_MS;
        lowest = held && l->rv < lowest ? l->rv : lowest;
    }
    pthread_mutex_unlock(&s->mu);
    return lowest;
}

void store_spare(struct store *s, rv_t told, rv_t before)
{
    rv_t near = near_floor(s);
    rv_t rv = before >= near ? before : told; /* what was sent last may not have come */
    if (rv >= near) {
        spare(s, rv);
    }
}

rv_t store_spared(struct store *s)
{
    rv_t lowest = RV_MAX;
    int64_t second = clock_mono(s->clock) / 1000;
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i <= SPARE_S; i++) {
        const struct spared *at = &s->spared[i];
        if (second - at->second <= SPARE_S && at->lowest < lowest) {
            lowest = at->lowest;
        }
    }
    pthread_mutex_unlock(&s->mu);
    return lowest;
}

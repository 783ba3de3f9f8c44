/* SPDX-License-Identifier: Apache-2.0 */
#include "store/judge.h"

#include <assert.h>

#include "store/apply.h"
#include "store/base/metric.h"

/* ---- One write ------------------------------------------------------------------------------ */

/* Would the resource be one too many, the new ones of this batch included? */
static bool resource_allowed(struct batch *b, const struct key *k)
{
    struct store *s = b->store;
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
    struct store *s = b->store;
    index_lock(s->index);
    uint64_t n = index_objects(s->index);
    index_unlock(s->index);
    return n + b->n_changes >= s->opt.objects_max;
}

static enum errc judge(struct batch *b, struct write *w)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    CLEANUP(object_unrefp) struct object *next = NULL;
    struct store *s = b->store;
    row_t row = 0;
    enum errc rc = batch_current(b, &w->key, &cur, &row, &w->err);
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
        if (next != NULL || w->result == WRITE_DELETED) {
            w->rv = batch_change(b, w, TAKE(cur), TAKE(next), row);
        }
    }
    return OK;
}

/* ---- Repeated requests ---------------------------------------------------------------------- */

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

static enum asked asked_by(const struct write *w)
{
    return w->verb == WRITE_DELETE ? ASKED_DELETE : ASKED_OTHER;
}

/* True if w repeats a request that was answered, or one of this batch. */
static bool answer_repeat(struct batch *b, struct requests *requests, size_t i)
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
    const struct answer *a = requests_find(requests, w->request_id);
    if (a == NULL) {
        return false;
    }
    bool same = a->asked == ASKED_UNKNOWN || a->asked == asked_by(w);
    if (!same || a->key_hash != requests_key_hash(&w->key)) {
        (void)refuse_reuse(w);
        return true;
    }
    w->result = a->result;
    w->rv = a->rv;
    w->generation = a->generation;
    recall_object(b->store, w);
    return true;
}

void judge_write(struct batch *b, struct requests *requests, size_t i)
{
    if (!answer_repeat(b, requests, i)) {
        enum errc rc = judge(b, b->writes[i]);
        assert(rc == b->writes[i]->err.code);
    }
}

static void remember(const struct write *w, struct requests *requests, mono_ms_t now)
{
    if (w->has_request_id && w->err.code == OK && !w->dry_run) {
        struct answer a = {.asked = asked_by(w),
                           .result = w->result,
                           .rv = w->rv,
                           .generation = w->generation,
                           .key_hash = requests_key_hash(&w->key)};
        requests_keep(requests, w->request_id, &a, now);
    }
}

void judge_settle(struct batch *b, struct requests *requests)
{
    mono_ms_t now = clock_mono(b->store->clock);
    for (size_t i = 0; i < b->n_writes; i++) {
        struct write *w = b->writes[i];
        const struct write *first = b->repeats[i];
        if (first != NULL) {
            w->err = first->err;
            w->result = first->result;
            w->rv = first->rv;
            w->generation = first->generation;
            w->object = first->object != NULL ? object_ref(first->object) : NULL;
        } else {
            remember(w, requests, now);
        }
        if (w->err.code == OK && w->result == WRITE_UNCHANGED) {
            metric_add(M_WRITES_NOOP, 1);
        }
    }
}

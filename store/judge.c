/* SPDX-License-Identifier: Apache-2.0 */
#include "store/judge.h"

#include <assert.h>

#include "store/apply.h"
#include "store/base/metric.h"
#include "store/collect.h"
#include "store/expire.h"
#include "store/owners.h"
#include "store/transact.h"

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

#define NAME_TRIES 8

static void random_suffix(char ret[NAME_SUFFIX_LEN])
{
    static const char alphabet[] = NAME_SUFFIX_ALPHABET;
    for (size_t i = 0; i < NAME_SUFFIX_LEN; i++) {
        ret[i] = alphabet[random_below(sizeof(alphabet) - 1)];
    }
}

static void complete_name(struct write *w, const char suffix[NAME_SUFFIX_LEN])
{
    w->key.name = name_generate(w->generate, suffix, w->generated);
}

/* Is another operation of the same transaction about that object? */
static bool named_beside(const struct write *w)
{
    for (size_t i = 0; w->txn != NULL && i < w->txn->n_ops; i++) {
        const struct write *o = &w->txn->ops[i];
        if (o != w && key_eq(&o->key, &w->key)) {
            return true;
        }
    }
    return false;
}

/* Completes the name so that there is no object of it. */
static enum errc choose_name(struct batch *b, struct write *w)
{
    void (*make)(char *) = b->store->opt.name_suffix;
    for (int i = 0; i < NAME_TRIES; i++) {
        CLEANUP(object_unrefp) struct object *taken = NULL;
        char suffix[NAME_SUFFIX_LEN];
        row_t row = 0;
        (make != NULL ? make : random_suffix)(suffix);
        complete_name(w, suffix);
        enum errc rc = batch_current(b, &w->key, &taken, &row, &w->err);
        if (rc != OK || (taken == NULL && !named_beside(w))) {
            return rc;
        }
    }
    return err_set(&w->err, ERR_EXISTS,
                   "%d names that begin with \"%.*s\" were tried, and are taken; try again",
                   NAME_TRIES, STR_ARG(w->generate));
}

enum errc judge_one(struct batch *b, struct write *w)
{
    if (w->generate.n != 0 && choose_name(b, w) != OK) {
        return w->err.code;
    }
    CLEANUP(object_unrefp) struct object *cur = NULL;
    CLEANUP(object_unrefp) struct object *next = NULL;
    CLEANUP(owners_fini) struct owners owners = {.text = {0}};
    struct store *s = b->store;
    row_t row = 0;
    enum errc rc = batch_current(b, &w->key, &cur, &row, &w->err);
    if (rc == OK) {
        rc = owners_read(b, w, cur, row, &owners, &w->err);
    }
    if (rc != OK) {
        return rc;
    }
    CLEANUP(resource_definition_unrefp) struct resource_definition *definition = NULL;
    rc = batch_definition(b, w->key.resource, &definition, &w->err);
    if (rc != OK) {
        return rc;
    }
    struct apply_env env = {
        .now = clock_wall(s->clock),
        .rules = {.limit_bytes = s->opt.object_bytes, .definition = definition},
        .declared_only = s->opt.declared_only,
        .managed = &owners.managed,
        .ret_conflicts = &w->conflicts,
    };
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
    if (shown != NULL) {
        w->object = object_ref(shown);
        w->generation = shown->generation;
        w->rv = shown->rv;
    }
    if (w->orphan && w->verb == WRITE_DELETE && w->result != WRITE_UNCHANGED) {
        struct batch_mark mark = batch_mark(b);
        rc = collect_orphan(b, w, cur, &w->err);
        if (rc != OK) {
            batch_undo(b, mark);
            object_unref(TAKE(w->object));
            return rc;
        }
    }
    if (w->dry_run) {
        w->rv = cur != NULL ? cur->rv : 0; /* as Kubernetes answers */
        return OK;
    }
    const struct object *was = cur; /* the batch keeps what is given to it */
    if (next != NULL || w->result == WRITE_DELETED) {
        w->rv = batch_change(b, w, TAKE(cur), TAKE(next), row);
    }
    owners_write(b, w, was, shown, row, &env, &owners);
    if (shown != NULL && w->result != WRITE_DELETED) {
        expire_renew(b, w, shown, row);
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

void judge_recall(struct store *s, const struct answer *a, struct write *w)
{
    w->result = a->result;
    w->rv = a->rv;
    w->generation = a->generation;
    if (w->generate.n != 0) {
        complete_name(w, a->suffix);
    }
    recall_object(s, w);
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

/* Of the objects it is about, their names being known. */
static uint64_t write_hash(const struct write *w)
{
    return w->verb == WRITE_TXN ? transact_hash(w) : requests_key_hash(&w->key);
}

/* The same before they are: of a name that is generated, what it begins with. */
static uint64_t asked_hash(const struct write *w)
{
    if (w->generate.n != 0) {
        struct key k = {w->key.resource, w->key.ns, w->generate};
        return requests_key_hash(&k);
    }
    return write_hash(w);
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
        if (b->id_heads[k] != b->id_heads[i] || !o->has_request_id || o->dry_run || w->dry_run ||
            memcmp(o->request_id, w->request_id, REQUEST_ID_LEN) != 0) {
            continue;
        }
        if (o->verb != w->verb || asked_hash(o) != asked_hash(w) ||
            (o->generate.n != 0) != (w->generate.n != 0)) {
            (void)refuse_reuse(w);
        } else {
            b->repeats[i] = b->writes[k];
        }
        return true;
    }
    const struct answer *a = requests_find(requests, w->request_id);
    if (a == NULL) {
        return w->verb == WRITE_TXN && transact_repeat(b->store, requests, w);
    }
    bool same = a->asked == ASKED_UNKNOWN || a->asked == asked_by(w);
    if (w->generate.n != 0) {
        complete_name(w, a->suffix);
    }
    if (!same || a->key_hash != write_hash(w)) {
        (void)refuse_reuse(w);
    } else if (w->verb == WRITE_TXN) {
        (void)transact_repeat(b->store, requests, w);
    } else {
        judge_recall(b->store, a, w);
    }
    return true;
}

static void judge_write(struct batch *b, struct requests *requests, size_t i)
{
    struct write *w = b->writes[i];
    memcpy(&b->id_heads[i], w->request_id, sizeof(b->id_heads[i]));
    if (!answer_repeat(b, requests, i)) {
        enum errc rc = w->verb == WRITE_TXN ? transact(b, w) : judge_one(b, w);
        assert(rc == w->err.code);
    }
}

void judge_batch(struct batch *b, struct requests *requests)
{
    struct engine *e = b->store->engine;
    bool several = b->n_writes > 1 && e->ops->loads != NULL;
    if (several) {
        e->ops->loads(e, true);
    }
    for (size_t i = 0; i < b->n_writes; i++) {
        judge_write(b, requests, i);
    }
    if (several) {
        e->ops->loads(e, false);
    }
}

static void answer_alike(struct write *w, const struct write *first)
{
    w->err = first->err;
    w->result = first->result;
    w->rv = first->rv;
    w->generation = first->generation;
    w->object = first->object != NULL ? object_ref(first->object) : NULL;
    if (w->generate.n != 0 && first->key.name.n != 0) {
        char suffix[NAME_SUFFIX_LEN];
        requests_suffix(&first->key, suffix);
        complete_name(w, suffix);
    }
    w->conflicts = conflicts_copy(first->conflicts);
    for (size_t i = 0; i < w->n_ops; i++) {
        answer_alike(&w->ops[i], &first->ops[i]);
    }
}

static void remember(const struct write *w, struct requests *requests, mono_ms_t now)
{
    if (w->has_request_id && w->err.code == OK && !w->dry_run) {
        for (size_t i = 0; i < w->n_ops; i++) {
            remember(&w->ops[i], requests, now);
        }
        struct answer a = {.asked = asked_by(w),
                           .result = w->result,
                           .rv = w->rv,
                           .generation = w->generation,
                           .key_hash = write_hash(w)};
        requests_suffix(&w->key, a.suffix);
        requests_keep(requests, w->request_id, &a, now);
    }
}

void judge_settle(struct batch *b, struct requests *requests)
{
    mono_ms_t now = clock_mono(b->store->clock);
    for (size_t i = 0; i < b->n_writes; i++) {
        struct write *w = b->writes[i];
        if (b->repeats[i] != NULL) {
            answer_alike(w, b->repeats[i]);
        } else {
            remember(w, requests, now);
        }
        if (w->err.code == OK && w->result == WRITE_UNCHANGED) {
            metric_add(M_WRITES_NOOP, 1);
        }
    }
}

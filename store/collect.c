/* SPDX-License-Identifier: Apache-2.0 */
#include "store/collect.h"

#include "store/judge.h"
#include "store/model/name.h"

#define COLLECT_MS 5 /* of one batch; whoever writes waits for it */

/* Where the owner of a dependent is, if it is of this resource: beside it, or in the one namespace
 * of what is not namespaced, which owns objects of every namespace. */
static enum errc owner_namespace(struct batch *b, const struct key *dependent, struct str resource,
                                 struct str *ret, struct err *err)
{
    CLEANUP(resource_definition_unrefp) struct resource_definition *d = NULL;
    enum errc rc = batch_definition(b, resource, &d, err);
    bool everywhere = (d != NULL && !d->namespaced) || str_eq(resource, STR(RESOURCE_RESOURCES));
    *ret = everywhere ? STR(NAMESPACE_DEFAULT) : dependent->ns;
    return rc;
}

/* Is there an object of this uid among those of that name, whatever their resource? */
static enum errc owner_exists(struct batch *b, const struct key *dependent, const json_t *ref,
                              bool *ret, struct err *err)
{
    struct index *x = b->store->index;
    struct str uid = str_of(json_string_value(json_object_get(ref, "uid")));
    struct str name = str_of(json_string_value(json_object_get(ref, "name")));
    char resource[RESOURCE_MAX_LEN + 1] = "";
    size_t n = 0;
    *ret = false;
    if (name.n > NAME_MAX_LEN || uid.n != UUID_LEN) {
        return OK; /* no object is called so */
    }
    while (!*ret) {
        const struct key from = {
            {resource, n},
            STR_EMPTY, STR_EMPTY
        };
        index_lock(x);
        const struct index_entry *e = index_seek(x, &from);
        struct str next = e != NULL ? index_key(e).resource : STR_EMPTY;
        n = next.n;
        memcpy(resource, next.p != NULL ? next.p : "", n);
        index_unlock(x);
        if (n == 0) {
            return OK;
        }
        struct key k = {
            {resource, n},
            STR_EMPTY, name
        };
        CLEANUP(object_unrefp) struct object *o = NULL;
        row_t row = 0;
        enum errc rc = owner_namespace(b, dependent, k.resource, &k.ns, err);
        rc = rc == OK ? batch_current(b, &k, &o, &row, err) : rc;
        if (rc != OK) {
            return rc;
        }
        *ret = o != NULL && str_eq(object_uid(o), uid);
        resource[n++] = '\0'; /* the first resource behind this one */
    }
    return OK;
}

/* The references whose owner is there, or may be: what cannot be read may. */
static json_t *kept_references(struct batch *b, const struct key *dependent, const json_t *refs)
{
    json_t *kept = json_array();
    size_t i = 0;
    json_t *ref = NULL;
    json_array_foreach((json_t *)(uintptr_t)refs, i, ref)
    {
        bool exists = true;
        struct err err;
        if (owner_exists(b, dependent, ref, &exists, &err) != OK || exists) {
            json_array_append(kept, ref);
        }
    }
    return kept;
}

/* Leaves only these references in an object. On behalf of `w`, which may be NULL. */
static enum errc rewrite_references(struct batch *b, const struct write *w, const struct key *k,
                                    json_t *kept, struct err *err)
{
    bool none = json_array_size(kept) == 0;
    CLEANUP(json_decrefp)
    json_t *patch = json_pack("{s:{s:o}}", "metadata", "ownerReferences",
                              none ? json_null() : json_incref(kept));
    struct write p = {
        .key = *k, .verb = WRITE_PATCH, .json = patch, .field_manager = STR(MANAGER_COLLECTOR)};
    if (w != NULL) {
        p.field_manager = w->field_manager;
        p.dry_run = w->dry_run;
    }
    enum errc rc = judge_one(b, &p);
    object_unref(p.object);
    if (rc != OK) {
        *err = p.err;
    }
    return rc;
}

/* As Kubernetes' collector does: with no owner left the object goes; with some, it forgets those
 * that are gone. */
static void collect_one(struct batch *b, const struct key *k)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    struct err err;
    row_t row = 0;
    if (batch_current(b, k, &cur, &row, &err) != OK || cur == NULL) {
        return;
    }
    CLEANUP(json_decrefp) json_t *refs = owner_references(cur->body);
    if (refs == NULL) {
        return;
    }
    CLEANUP(json_decrefp) json_t *kept = kept_references(b, &cur->key, refs);
    if (json_array_size(kept) == json_array_size(refs)) {
        return;
    }
    if (json_array_size(kept) != 0) {
        /* Refused, they stay: an object is never deleted for that. */
        (void)rewrite_references(b, NULL, &cur->key, kept, &err);
        return;
    }
    struct write w = {
        .key = cur->key, .verb = WRITE_DELETE, .field_manager = STR(MANAGER_COLLECTOR)};
    if (!object_has_finalizers(cur)) {
        (void)batch_change(b, &w, TAKE(cur), NULL, row);
    } else if (object_deletion(cur).n == 0) {
        struct object *marked = object_begin_deletion(cur, clock_wall(b->store->clock));
        (void)batch_change(b, &w, TAKE(cur), marked, row);
    }
}

void collect_due(struct batch *b, struct collected *ret)
{
    const size_t max = sizeof(ret->keys) / sizeof(ret->keys[0]);
    size_t room = BATCH_WRITES - b->n_changes;
    ret->n = dependents_due(b->store->dependents, ret->keys, room < max ? room : max);
    mono_ms_t until = clock_mono(&clock_system) + COLLECT_MS;
    size_t n = 0;
    while (n < ret->n && (n == 0 || clock_mono(&clock_system) < until)) {
        collect_one(b, &ret->keys[n++]);
    }
    dependents_put_back(b->store->dependents, ret->keys + n, ret->n - n);
    dependents_keys_fini(ret->keys + n, ret->n - n);
    ret->n = n;
}

void collect_done(struct store *s, struct collected *c, bool committed)
{
    if (!committed) {
        dependents_put_back(s->dependents, c->keys, c->n);
    }
    dependents_keys_fini(c->keys, c->n);
    c->n = 0;
}

/* ---- Orphans ------------------------------------------------------------------------------- */

static json_t *without(const json_t *refs, struct str uid)
{
    json_t *rest = json_array();
    size_t i = 0;
    json_t *ref = NULL;
    json_array_foreach((json_t *)(uintptr_t)refs, i, ref)
    {
        if (!str_eq(str_of(json_string_value(json_object_get(ref, "uid"))), uid)) {
            json_array_append(rest, ref);
        }
    }
    return rest;
}

static enum errc release(struct batch *b, const struct write *w, const struct key *k,
                         struct str uid, struct err *err)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    row_t row = 0;
    enum errc rc = batch_current(b, k, &cur, &row, err);
    if (rc != OK || cur == NULL) {
        return rc;
    }
    CLEANUP(json_decrefp) json_t *refs = owner_references(cur->body);
    CLEANUP(json_decrefp) json_t *rest = without(refs, uid);
    if (json_array_size(rest) == json_array_size(refs)) {
        return OK;
    }
    return rewrite_references(b, w, &cur->key, rest, err);
}

static enum errc too_many(size_t most, struct err *err)
{
    return err_field(err, ERR_LIMIT, "propagation",
                     "more than %zu objects would be left at once; take their ownerReferences out "
                     "first",
                     most);
}

enum errc collect_orphan(struct batch *b, const struct write *w, const struct object *owner,
                         struct err *err)
{
    struct dependents *d = b->store->dependents;
    struct str uid = object_uid(owner);
    struct key keys[ORPHANS_MAX + 1];
    enum errc known = dependents_known(d);
    if (known == ERR_UNAVAILABLE) {
        (void)err_set(err, known, "the server is still finding out what depends on it; try again");
        err->retry_ms = 500;
        return known;
    }
    if (known != OK) {
        return err_set(
            err, known,
            "what depends on it is not known, since a stored object cannot be read: take "
            "the ownerReferences out of its dependents first");
    }
    const size_t most = w->txn != NULL ? ORPHANS_TXN_MAX : ORPHANS_MAX;
    size_t n = dependents_of(d, uid, keys, most + 1);
    enum errc rc = n > most ? too_many(most, err) : OK;
    const size_t staged = b->n_changes;
    size_t left = most + 1 - n;
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (!key_eq(&keys[i], &w->key)) { /* one that names itself goes */
            rc = release(b, w, &keys[i], uid, err);
        }
    }
    dependents_keys_fini(keys, n);
    /* What this batch made of objects is not among the dependents yet. */
    for (size_t i = 0; i < staged && rc == OK; i++) {
        const struct object *o = b->is[i];
        if (o != NULL && !key_eq(&o->key, &w->key) &&
            memmem(o->body.p, o->body.n, uid.p, uid.n) != NULL) {
            rc = --left == 0 ? too_many(most, err) : release(b, w, &o->key, uid, err);
        }
    }
    return rc;
}

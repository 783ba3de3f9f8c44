/* SPDX-License-Identifier: Apache-2.0 */
#include "store/dependents.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "store/model/json.h"
#include "store/model/object.h"

struct owner;

struct dependent {
    UT_hash_handle hh; /* by names */
    TAILQ_ENTRY(dependent) due;
    bool is_due;
    struct link *links; /* one for each owner */
    size_t n_links;
    struct key key; /* its texts lie in names, with '/' between */
    size_t names_n;
    char names[];
};

struct link {
    LIST_ENTRY(link) of_owner;
    struct owner *owner;
    struct dependent *dependent;
};

struct owner {
    UT_hash_handle hh; /* by uid */
    LIST_HEAD(, link) links;
    char uid[UUID_LEN];
};

struct dependents {
    pthread_mutex_t mu; /* guards all below; taken alone */
    struct dependent *by_key;
    struct owner *by_uid;
    TAILQ_HEAD(, dependent) due;
    enum errc known; /* OK once the scan is over */
};

struct dependents *dependents_new(void)
{
    struct dependents *d = mem_zalloc(sizeof *d);
    pthread_mutex_init(&d->mu, NULL);
    TAILQ_INIT(&d->due);
    d->known = ERR_UNAVAILABLE;
    return d;
}

json_t *owner_references(struct str body)
{
    static const char word[] = "\"ownerReferences\"";
    if (body.n == 0 || memmem(body.p, body.n, word, sizeof(word) - 1) == NULL) {
        return NULL;
    }
    CLEANUP(json_decrefp) json_t *tree = NULL;
    if (json_text_parse(body, "body", &tree, NULL) != OK) {
        return NULL;
    }
    json_t *refs = json_object_get(json_object_get(tree, "metadata"), "ownerReferences");
    return json_array_size(refs) != 0 ? json_incref(refs) : NULL;
}

/* ---- Dependents and their owners ------------------------------------------------------------- */

static size_t names_of(const struct key *k, struct buf *out)
{
    buf_adds(out, k->resource);
    buf_addc(out, '/');
    buf_adds(out, k->ns);
    buf_addc(out, '/');
    buf_adds(out, k->name);
    return out->n;
}

static struct dependent *dependent_find(struct dependents *d, const struct key *k)
{
    struct dependent *x = NULL;
    if (d->by_key != NULL) {
        CLEANUP(buf_fini) struct buf names;
        buf_init(&names, SIZE_MAX);
        (void)names_of(k, &names);
        HASH_FIND(hh, d->by_key, names.p, names.n, x);
    }
    return x;
}

static void make_due(struct dependents *d, struct dependent *x)
{
    if (!x->is_due) {
        TAILQ_INSERT_TAIL(&d->due, x, due);
        x->is_due = true;
    }
}

static void dependent_free(struct dependents *d, struct dependent *x)
{
    for (size_t i = 0; i < x->n_links; i++) {
        struct owner *o = x->links[i].owner;
        LIST_REMOVE(&x->links[i], of_owner);
        if (LIST_EMPTY(&o->links)) {
            HASH_DEL(d->by_uid, o);
            free(o);
        }
    }
    if (x->is_due) {
        TAILQ_REMOVE(&d->due, x, due);
    }
    HASH_DEL(d->by_key, x);
    free(x->links);
    free(x);
}

void dependents_free(struct dependents *d)
{
    if (d == NULL) {
        return;
    }
    while (d->by_key != NULL) {
        dependent_free(d, d->by_key);
    }
    pthread_mutex_destroy(&d->mu);
    free(d);
}

static struct owner *owner_make(struct dependents *d, const char *uid)
{
    struct owner *o = NULL;
    HASH_FIND(hh, d->by_uid, uid, UUID_LEN, o);
    if (o == NULL) {
        o = mem_zalloc(sizeof *o);
        memcpy(o->uid, uid, UUID_LEN);
        LIST_INIT(&o->links);
        HASH_ADD(hh, d->by_uid, uid, UUID_LEN, o);
    }
    return o;
}

/* A new dependent, which is to be looked at: its owners may be gone already. */
static void dependent_add(struct dependents *d, const struct key *k, const json_t *refs)
{
    CLEANUP(buf_fini) struct buf names;
    buf_init(&names, SIZE_MAX);
    size_t n = names_of(k, &names);
    struct dependent *x = mem_zalloc(sizeof *x + n);
    memcpy(x->names, names.p, n);
    x->names_n = n;
    x->key = (struct key){
        {x->names,                               k->resource.n},
        {x->names + k->resource.n + 1,           k->ns.n      },
        {x->names + k->resource.n + k->ns.n + 2, k->name.n    }
    };
    x->links = mem_zalloc(json_array_size(refs) * sizeof *x->links);
    size_t i = 0;
    const json_t *ref = NULL;
    json_array_foreach((json_t *)(uintptr_t)refs, i, ref)
    {
        const json_t *uid = json_object_get(ref, "uid");
        if (json_string_length(uid) == UUID_LEN) {
            struct link *l = &x->links[x->n_links++];
            l->owner = owner_make(d, json_string_value(uid));
            l->dependent = x;
            LIST_INSERT_HEAD(&l->owner->links, l, of_owner);
        }
    }
    HASH_ADD_KEYPTR(hh, d->by_key, x->names, x->names_n, x);
    make_due(d, x);
}

/* ---- What happens ---------------------------------------------------------------------------- */

static void object_gone(struct dependents *d, const struct event *ev)
{
    if (ev->splice < UUID_LEN + 2 || d->by_uid == NULL) {
        return;
    }
    struct owner *o = NULL;
    HASH_FIND(hh, d->by_uid, ev->body.p + ev->splice - UUID_LEN - 2, UUID_LEN, o);
    struct link *l = NULL;
    if (o != NULL) {
        LIST_FOREACH(l, &o->links, of_owner)
        {
            make_due(d, l->dependent);
        }
    }
}

void dependents_committed(struct dependents *d, const struct commit *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct event *ev = &c->changes[i].event;
        CLEANUP(json_decrefp)
        json_t *refs = event_is_delete(ev) ? NULL : owner_references(ev->body);
        pthread_mutex_lock(&d->mu);
        struct dependent *x = dependent_find(d, &ev->key);
        if (x != NULL) {
            dependent_free(d, x);
        }
        if (refs != NULL) {
            dependent_add(d, &ev->key, refs);
        }
        if (event_is_delete(ev)) {
            object_gone(d, ev);
        }
        pthread_mutex_unlock(&d->mu);
    }
}

void dependents_found(struct dependents *d, const struct key *k, struct str body)
{
    CLEANUP(json_decrefp) json_t *refs = owner_references(body);
    if (refs == NULL) {
        return;
    }
    pthread_mutex_lock(&d->mu);
    if (dependent_find(d, k) == NULL) {
        dependent_add(d, k, refs);
    }
    pthread_mutex_unlock(&d->mu);
}

void dependents_scanned(struct dependents *d, enum errc outcome)
{
    pthread_mutex_lock(&d->mu);
    d->known = outcome;
    pthread_mutex_unlock(&d->mu);
}

enum errc dependents_known(struct dependents *d)
{
    pthread_mutex_lock(&d->mu);
    enum errc known = d->known;
    pthread_mutex_unlock(&d->mu);
    return known;
}

/* ---- What is to be looked at ----------------------------------------------------------------- */

/* One block for all three texts. */
static struct key key_copy(const struct key *k)
{
    return key_copy_to(k, mem_alloc(key_len(k) + 1));
}

void dependents_keys_fini(struct key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)(uintptr_t)keys[i].resource.p);
    }
}

size_t dependents_due(struct dependents *d, struct key *ret, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&d->mu);
    struct dependent *x = NULL;
    while (n < max && (x = TAILQ_FIRST(&d->due)) != NULL) {
        TAILQ_REMOVE(&d->due, x, due);
        x->is_due = false;
        ret[n++] = key_copy(&x->key);
    }
    pthread_mutex_unlock(&d->mu);
    return n;
}

bool dependents_any_due(struct dependents *d)
{
    pthread_mutex_lock(&d->mu);
    bool any = !TAILQ_EMPTY(&d->due);
    pthread_mutex_unlock(&d->mu);
    return any;
}

void dependents_put_back(struct dependents *d, const struct key *keys, size_t n)
{
    pthread_mutex_lock(&d->mu);
    for (size_t i = 0; i < n; i++) {
        struct dependent *x = dependent_find(d, &keys[i]);
        if (x != NULL) {
            make_due(d, x);
        }
    }
    pthread_mutex_unlock(&d->mu);
}

size_t dependents_of(struct dependents *d, struct str uid, struct key *ret, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&d->mu);
    struct owner *o = NULL;
    HASH_FIND(hh, d->by_uid, uid.p, uid.n, o);
    const struct link *l = NULL;
    if (o != NULL) {
        LIST_FOREACH(l, &o->links, of_owner)
        {
            if (n == max) {
                break;
            }
            ret[n++] = key_copy(&l->dependent->key);
        }
    }
    pthread_mutex_unlock(&d->mu);
    return n;
}

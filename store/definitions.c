/* SPDX-License-Identifier: Apache-2.0 */
#include "store/definitions.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "store/base/logline.h"

struct entry {
    UT_hash_handle hh;
    struct resource_definition *definition; /* a reference; its name is the key */
};

struct definitions {
    _Atomic size_t n; /* to be looked at without the lock */
    pthread_mutex_t mu;
    struct entry *by_name;
};

struct definitions *definitions_new(void)
{
    struct definitions *t = mem_zalloc(sizeof(*t));
    pthread_mutex_init(&t->mu, NULL);
    return t;
}

static void drop(struct definitions *t, struct entry *e)
{
    HASH_DEL(t->by_name, e);
    resource_definition_unref(e->definition);
    free(e);
}

void definitions_free(struct definitions *t)
{
    if (t == NULL) {
        return;
    }
    struct entry *e = NULL;
    struct entry *next = NULL;
    HASH_ITER(hh, t->by_name, e, next)
    {
        drop(t, e);
    }
    pthread_mutex_destroy(&t->mu);
    free(t);
}

struct resource_definition *definitions_find(struct definitions *t, struct str resource)
{
    if (atomic_load(&t->n) == 0) {
        return NULL;
    }
    struct entry *e = NULL;
    pthread_mutex_lock(&t->mu);
    HASH_FIND(hh, t->by_name, resource.p, resource.n, e);
    struct resource_definition *d = e != NULL ? resource_definition_ref(e->definition) : NULL;
    pthread_mutex_unlock(&t->mu);
    return d;
}

/* Takes the reference; NULL: there is none any more. */
static void put(struct definitions *t, struct str resource, struct resource_definition *d)
{
    struct entry *e = NULL;
    pthread_mutex_lock(&t->mu);
    HASH_FIND(hh, t->by_name, resource.p, resource.n, e);
    if (e != NULL) {
        drop(t, e);
    }
    if (d != NULL) {
        e = mem_zalloc(sizeof(*e));
        e->definition = d;
        HASH_ADD_KEYPTR(hh, t->by_name, d->resource.p, d->resource.n, e);
    }
    atomic_store(&t->n, HASH_COUNT(t->by_name));
    pthread_mutex_unlock(&t->mu);
}

void definitions_set(struct definitions *t, struct str resource, const struct object *o)
{
    struct resource_definition *d = NULL;
    if (o != NULL) {
        CLEANUP(json_decrefp) json_t *tree = object_tree(o);
        struct err err = {0};
        if (resource_definition_new(resource, tree, &d, &err) != OK) {
            log_warn("the definition of %.*s is not understood, and has no effect: %s: %s",
                     STR_ARG(resource), err.field, err.msg);
        }
    }
    put(t, resource, d);
}

void definitions_committed(struct definitions *t, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = &changes[i].event;
        if (!str_eq(ev->key.resource, STR(RESOURCE_RESOURCES)) ||
            !str_eq(ev->key.ns, STR(NAMESPACE_DEFAULT))) {
            continue;
        }
        struct object *o = NULL;
        if (!event_is_delete(ev)) {
            o = object_new(&ev->key, ev->labels, ev->body, ev->splice, ev->generation, 0, 0);
        }
        definitions_set(t, ev->key.name, o);
        object_unref(o);
    }
}

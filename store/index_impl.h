/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the index share. Private to store/index*.c. */
#ifndef WATCHD_INDEX_IMPL_H
#define WATCHD_INDEX_IMPL_H

#include <pthread.h>
#include <uthash.h>

#include "store/index.h"

struct interned {
    UT_hash_handle hh;
    size_t refs;
    size_t objects; /* of a resource */
    uint32_t id;
    uint32_t n;
    char p[];
};

struct place_key {
    struct interned *resource, *ns;
};

struct place {
    struct place_key key; /* holds a reference to each */
    UT_hash_handle hh;
    size_t refs;
    size_t objects;
    uint32_t rank; /* of a build: among all places, in order of keys */
};

RB_HEAD(entries, index_entry);

struct index {
    pthread_mutex_t turn; /* of whoever gets mu next, from before it waits until it has it */
    pthread_mutex_t mu;   /* guards all below */
    struct entries entries;
    struct interned *resources, *texts; /* resources apart: they are counted and limited */
    struct place *places;
    struct place *last_place; /* the one last made or found; NULL */
    uint32_t last_id;
    rv_t head;
    size_t objects;
};

static inline struct str interned_str(const struct interned *t)
{
    return (struct str){t->p, t->n};
}

/* A new entry, which is in no tree yet. */
struct index_entry *index_entry_new(struct index *x, const struct key *k);
/* The object is what is said, or gone (o->rv == 0); the kept versions stay. */
void index_entry_load(struct index *x, struct index_entry *e, const struct engine_object *o);
/* One object more or less, as entries have rv != 0 or not. */
void index_entry_count(struct index *x, struct index_entry *e, int by);
/* One more kept version, anywhere in the order; created: that event made the object. */
void index_entry_keep(struct index_entry *e, rv_t rv, bool created);

#endif

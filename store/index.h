/* SPDX-License-Identifier: Apache-2.0 */
/* The index: every key in memory, in order, with what preconditions, selectors and views need: the
 * row, the version, the labels, and the versions of the key's events that are still kept. A deleted
 * key stays until its last event is compacted.
 * Owned by the store. Threads: any, under index_lock; entries are removed only by the writer, so
 * the writer may keep pointers to them without it. */
#ifndef WATCHD_INDEX_H
#define WATCHD_INDEX_H

#include <sys/tree.h>

#include "store/engine.h"

struct interned;
struct place;

struct index_entry {
    RB_ENTRY(index_entry) link;
    struct place *place; /* resource and namespace */
    struct interned *labels;
    row_t row;
    rv_t rv; /* of the object; 0: deleted */
    uint64_t generation;
    uint32_t n_kept;     /* versions of events kept, ascending */
    uint32_t cap_kept;   /* 0: `one` is used */
    uint32_t first_kept; /* in `many`: what is in front was forgotten */
    union {
        rv_t one;
        rv_t *many;
    } kept;
    uint16_t name_len;
    char name[];
};

struct index;

/* head: the version that the objects to be loaded have. */
struct index *index_new(rv_t head);
void index_free(struct index *x); /* NULL is fine. */
void index_lock(struct index *x); /* Threads that wait get it in turn. */
void index_unlock(struct index *x);

/* All below: under the lock. */

/* NULL if the key was never there or is forgotten. */
struct index_entry *index_find(struct index *x, const struct key *k);
/* The first entry with a key >= k, and the one after e; NULL at the end. */
struct index_entry *index_seek(struct index *x, const struct key *k);
struct index_entry *index_next(struct index_entry *e);
/* Borrows from the entry. */
struct key index_key(const struct index_entry *e);
struct str index_labels(const struct index_entry *e);
/* Equal labels have equal numbers; a number is never used again for other labels. */
uint32_t index_labels_id(const struct index_entry *e);
/* Entries of one resource and namespace have the same place; good under this lock only. */
const struct place *index_place(const struct index_entry *e);
/* The first kept version > rv; 0: there is none. *ret_created: that event made the object, so there
 * was none before. */
rv_t index_kept_after(const struct index_entry *e, rv_t rv, bool *ret_created);
/* The last kept version <= rv; 0: there is none. */
rv_t index_kept_upto(const struct index_entry *e, rv_t rv);

/* An event of the past; created: it made the object. */
void index_keep(struct index *x, const struct key *k, rv_t rv, bool created);
void index_commit(struct index *x, const struct change *c);         /* an event of now */
void index_forget(struct index *x, struct index_entry *e, rv_t rv); /* its event is compacted */

/* The last version committed: what the index shows. The head follows it. */
rv_t index_head(const struct index *x);
size_t index_objects(const struct index *x);
/* Calls fn with each resource that has objects, in no order. */
void index_resources_each(struct index *x, void (*fn)(void *arg, struct str resource, uint64_t n),
                          void *arg);
/* Objects of this resource and namespace; "" is every one. */
size_t index_count(struct index *x, struct str resource, struct str ns);
/* Distinct resources; and is this one among them? */
size_t index_resources(const struct index *x);
bool index_has_resource(struct index *x, struct str resource);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 *   (1) kept versions ascend; the last one is the object's own if that event is kept;
 *   (2) an entry with rv == 0 has at least one kept version, or it is removed;
 *   (3) resources, namespaces and labels are interned: equal texts are one block. */
#include "store/index.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

struct interned {
    UT_hash_handle hh;
    size_t refs;
    size_t n;
    char p[];
};

RB_HEAD(entries, index_entry);

struct index {
    pthread_mutex_t mu;
    struct entries entries;
    struct interned *resources, *texts; /* resources apart: they are counted and limited */
    size_t objects;
};

static struct str interned_str(const struct interned *t)
{
    return (struct str){t->p, t->n};
}

struct key index_key(const struct index_entry *e)
{
    return (struct key){
        interned_str(e->resource), interned_str(e->ns), {e->name, e->name_len}
    };
}

struct str index_labels(const struct index_entry *e)
{
    return interned_str(e->labels);
}

static int entry_cmp(const struct index_entry *a, const struct index_entry *b)
{
    if (a->resource != b->resource) { /* (3) */
        return str_cmp(interned_str(a->resource), interned_str(b->resource));
    }
    if (a->ns != b->ns) {
        return str_cmp(interned_str(a->ns), interned_str(b->ns));
    }
    return str_cmp((struct str){a->name, a->name_len}, (struct str){b->name, b->name_len});
}

/* Not RB_GENERATE_STATIC, which leans on a macro `__unused` that glibc uses as a name. */
RB_GENERATE_INTERNAL(entries, index_entry, link, entry_cmp, __attribute__((unused)) static)

static struct interned *intern(struct interned **table, struct str s)
{
    struct interned *t = NULL;
    HASH_FIND(hh, *table, s.n != 0 ? s.p : "", s.n, t);
    if (t == NULL) {
        t = mem_zalloc(sizeof *t + s.n + 1);
        t->n = s.n;
        if (s.n != 0) {
            memcpy(t->p, s.p, s.n);
        }
        HASH_ADD_KEYPTR(hh, *table, t->p, t->n, t);
    }
    t->refs++;
    return t;
}

static void unintern(struct interned **table, struct interned *t)
{
    if (--t->refs == 0) {
        HASH_DELETE(hh, *table, t);
        free(t);
    }
}

struct index *index_new(void)
{
    struct index *x = mem_zalloc(sizeof *x);
    pthread_mutex_init(&x->mu, NULL);
    RB_INIT(&x->entries);
    return x;
}

static void entry_free(struct index *x, struct index_entry *e)
{
    unintern(&x->resources, e->resource);
    unintern(&x->texts, e->ns);
    unintern(&x->texts, e->labels);
    if (e->cap_kept != 0) {
        free(e->kept.many);
    }
    free(e);
}

void index_free(struct index *x)
{
    if (x == NULL) {
        return;
    }
    struct index_entry *e = RB_MIN(entries, &x->entries);
    while (e != NULL) {
        struct index_entry *next = RB_NEXT(entries, &x->entries, e);
        RB_REMOVE(entries, &x->entries, e);
        entry_free(x, e);
        e = next;
    }
    pthread_mutex_destroy(&x->mu);
    free(x);
}

void index_lock(struct index *x)
{
    pthread_mutex_lock(&x->mu);
}

void index_unlock(struct index *x)
{
    pthread_mutex_unlock(&x->mu);
}

/* The comparison of a key with an entry, without interning the key first. */
static int key_entry_cmp(const struct key *k, const struct index_entry *e)
{
    struct key o = index_key(e);
    return key_cmp(k, &o);
}

struct index_entry *index_find(struct index *x, const struct key *k)
{
    struct index_entry *e = RB_ROOT(&x->entries);
    while (e != NULL) {
        int c = key_entry_cmp(k, e);
        if (c == 0) {
            return e;
        }
        e = c < 0 ? RB_LEFT(e, link) : RB_RIGHT(e, link);
    }
    return NULL;
}

struct index_entry *index_seek(struct index *x, const struct key *k)
{
    struct index_entry *e = RB_ROOT(&x->entries);
    struct index_entry *best = NULL;
    while (e != NULL) {
        if (key_entry_cmp(k, e) <= 0) {
            best = e;
            e = RB_LEFT(e, link);
        } else {
            e = RB_RIGHT(e, link);
        }
    }
    return best;
}

struct index_entry *index_next(struct index_entry *e)
{
    return RB_NEXT(entries, NULL, e);
}

static rv_t *kept(const struct index_entry *e)
{
    return e->cap_kept != 0 ? e->kept.many + e->first_kept : (rv_t *)(uintptr_t)&e->kept.one;
}

/* Room for one more behind the last. What was forgotten in front is used again before it grows. */
static void kept_room(struct index_entry *e)
{
    if (e->cap_kept == 0 && e->n_kept == 1) {
        rv_t *many = mem_alloc(4 * sizeof *many);
        many[0] = e->kept.one;
        e->kept.many = many;
        e->cap_kept = 4;
    } else if (e->cap_kept != 0 && e->first_kept + e->n_kept == e->cap_kept) {
        if (e->first_kept > e->cap_kept / 2) {
            memmove(e->kept.many, kept(e), e->n_kept * sizeof(rv_t));
            e->first_kept = 0;
        } else {
            e->cap_kept *= 2;
            e->kept.many = mem_realloc(e->kept.many, e->cap_kept * sizeof(rv_t));
        }
    }
}

/* Index of the first kept version > rv. */
static uint32_t kept_upper(const struct index_entry *e, rv_t rv)
{
    const rv_t *v = kept(e);
    uint32_t lo = 0, hi = e->n_kept;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (v[mid] > rv) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

rv_t index_kept_after(const struct index_entry *e, rv_t rv)
{
    uint32_t i = kept_upper(e, rv);
    return i < e->n_kept ? kept(e)[i] : 0;
}

static void kept_insert(struct index_entry *e, rv_t rv)
{
    uint32_t at = kept_upper(e, rv);
    if (at > 0 && kept(e)[at - 1] == rv) {
        return;
    }
    kept_room(e);
    rv_t *v = kept(e);
    memmove(v + at + 1, v + at, (e->n_kept - at) * sizeof *v);
    v[at] = rv;
    e->n_kept++;
}

static struct index_entry *entry_make(struct index *x, const struct key *k)
{
    struct index_entry *e = index_find(x, k);
    if (e != NULL) {
        return e;
    }
    e = mem_zalloc(sizeof *e + k->name.n + 1);
    e->resource = intern(&x->resources, k->resource);
    e->ns = intern(&x->texts, k->ns);
    e->labels = intern(&x->texts, STR_EMPTY);
    e->name_len = (uint16_t)k->name.n;
    memcpy(e->name, k->name.p, k->name.n);
    struct index_entry *there = RB_INSERT(entries, &x->entries, e);
    assert(there == NULL);
    return e;
}

static void set_labels(struct index *x, struct index_entry *e, struct str labels)
{
    if (!str_eq(interned_str(e->labels), labels)) {
        unintern(&x->texts, e->labels);
        e->labels = intern(&x->texts, labels);
    }
}

void index_load(struct index *x, const struct engine_object *o)
{
    struct index_entry *e = entry_make(x, &o->key);
    assert(e->rv == 0);
    e->row = o->row;
    e->rv = o->rv;
    e->generation = o->generation;
    set_labels(x, e, o->labels);
    x->objects++;
}

void index_keep(struct index *x, const struct key *k, rv_t rv)
{
    kept_insert(entry_make(x, k), rv);
}

void index_commit(struct index *x, const struct change *c)
{
    struct index_entry *e = entry_make(x, &c->event.key);
    kept_insert(e, c->event.rv);
    bool was = e->rv != 0;
    bool is = !event_is_delete(&c->event);
    e->rv = is ? c->event.rv : 0;
    e->row = is ? c->row : 0;
    e->generation = c->event.generation;
    set_labels(x, e, is ? c->event.labels : STR_EMPTY);
    x->objects = x->objects + (is ? 1 : 0) - (was ? 1 : 0);
}

void index_forget(struct index *x, struct index_entry *e, rv_t rv)
{
    uint32_t gone = kept_upper(e, rv);
    e->n_kept -= gone;
    if (e->cap_kept != 0 && e->n_kept != 0) {
        e->first_kept += gone;
    } else if (e->cap_kept != 0) {
        free(e->kept.many);
        e->cap_kept = e->first_kept = 0;
    }
    if (e->n_kept == 0 && e->rv == 0) { /* (2) */
        RB_REMOVE(entries, &x->entries, e);
        entry_free(x, e);
    }
}

size_t index_objects(const struct index *x)
{
    return x->objects;
}

size_t index_resources(const struct index *x)
{
    return HASH_COUNT(x->resources);
}

bool index_has_resource(struct index *x, struct str resource)
{
    struct interned *t = NULL;
    HASH_FIND(hh, x->resources, resource.p, resource.n, t);
    return t != NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 *   (1) kept versions ascend; the last one is the object's own if that event is kept;
 *   (2) an entry with rv == 0 has at least one kept version, or it is removed;
 *   (3) resources, namespaces and labels are interned: equal texts are one block; so are places,
 *       equal pairs of resource and namespace;
 *   (4) `objects` of a resource, of a place and of all count the entries with rv != 0. */
#include "store/index.h"

#include <assert.h>
#include <stdlib.h>

#include "store/index_impl.h"

/* Versions are below 2^63, as SQLite's integers are signed; the bit above says that the event made
 * the object. */
#define KEPT_CREATED (UINT64_C(1) << 63)
#define KEPT_RV(v)   ((v) & ~KEPT_CREATED)

struct key index_key(const struct index_entry *e)
{
    return (struct key){
        interned_str(e->place->key.resource),
        interned_str(e->place->key.ns),
        {e->name, e->name_len}
    };
}

uint32_t index_labels_id(const struct index_entry *e)
{
    return e->labels->id;
}

const struct place *index_place(const struct index_entry *e)
{
    return e->place;
}

struct str index_labels(const struct index_entry *e)
{
    return interned_str(e->labels);
}

static int entry_cmp(const struct index_entry *a, const struct index_entry *b)
{
    const struct place_key *p = &a->place->key, *q = &b->place->key;
    if (p->resource != q->resource) { /* (3) */
        return str_cmp(interned_str(p->resource), interned_str(q->resource));
    }
    if (p->ns != q->ns) {
        return str_cmp(interned_str(p->ns), interned_str(q->ns));
    }
    return str_cmp((struct str){a->name, a->name_len}, (struct str){b->name, b->name_len});
}

/* Not RB_GENERATE_STATIC, which leans on a macro `__unused` that glibc uses as a name. */
RB_GENERATE_INTERNAL(entries, index_entry, link, entry_cmp, __attribute__((unused)) static)

static struct interned *intern(struct index *x, struct interned **table, struct str s)
{
    struct interned *t = NULL;
    HASH_FIND(hh, *table, s.n != 0 ? s.p : "", s.n, t);
    if (t == NULL) {
        t = mem_zalloc(sizeof *t + s.n + 1);
        t->n = (uint32_t)s.n;
        t->id = ++x->last_id;
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

static bool place_is(const struct place *p, struct str resource, struct str ns)
{
    return str_eq(interned_str(p->key.ns), ns) && str_eq(interned_str(p->key.resource), resource);
}

static struct place *place_ref(struct index *x, struct str resource, struct str ns)
{
    struct place *p = x->last_place;
    if (p == NULL || !place_is(p, resource, ns)) {
        struct place_key key = {intern(x, &x->resources, resource), intern(x, &x->texts, ns)};
        HASH_FIND(hh, x->places, &key, sizeof key, p);
        if (p == NULL) {
            p = mem_zalloc(sizeof *p);
            p->key = key;
            HASH_ADD(hh, x->places, key, sizeof key, p);
        } else {
            unintern(&x->resources, key.resource);
            unintern(&x->texts, key.ns);
        }
        x->last_place = p;
    }
    p->refs++;
    return p;
}

static void place_unref(struct index *x, struct place *p)
{
    if (--p->refs != 0) {
        return;
    }
    HASH_DELETE(hh, x->places, p);
    unintern(&x->resources, p->key.resource);
    unintern(&x->texts, p->key.ns);
    x->last_place = x->last_place == p ? NULL : x->last_place;
    free(p);
}

struct index *index_new(rv_t head)
{
    struct index *x = mem_zalloc(sizeof *x);
    x->head = head;
    pthread_mutex_init(&x->turn, NULL);
    pthread_mutex_init(&x->mu, NULL);
    RB_INIT(&x->entries);
    return x;
}

static void entry_free(struct index *x, struct index_entry *e)
{
    place_unref(x, e->place);
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
    pthread_mutex_destroy(&x->turn);
    pthread_mutex_destroy(&x->mu);
    free(x);
}

void index_lock(struct index *x)
{
    /* A mutex alone goes to who comes back for it before the one that waited is awake: a walk over
     * all entries, which lets go of it every now and then, would keep it from the writer. */
    pthread_mutex_lock(&x->turn);
    pthread_mutex_lock(&x->mu);
    pthread_mutex_unlock(&x->turn);
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
    struct index_entry *next = RB_NEXT(entries, NULL, e);
    if (next != NULL) {
        /* A walk waits for memory and for little else: what comes after the next one lies to the
         * right of it, or of the one above. */
        const struct index_entry *above = RB_PARENT(next, link);
        __builtin_prefetch(RB_RIGHT(next, link));
        if (above != NULL) {
            __builtin_prefetch(RB_RIGHT(above, link));
        }
    }
    return next;
}

static rv_t *kept(const struct index_entry *e)
{
    return e->cap_kept != 0 ? e->kept.many + e->first_kept : (rv_t *)(uintptr_t)&e->kept.one;
}

/* Room for one more at either end. What was forgotten in front is used again before it grows. */
static void kept_room(struct index_entry *e, bool in_front)
{
    if (e->cap_kept == 0 && e->n_kept == 1) {
        rv_t *many = mem_alloc(4 * sizeof *many);
        many[0] = e->kept.one;
        e->kept.many = many;
        e->cap_kept = 4;
    }
    bool full = in_front ? e->first_kept == 0 : e->first_kept + e->n_kept == e->cap_kept;
    if (e->cap_kept == 0 || !full) {
        return;
    }
    if (e->n_kept > e->cap_kept / 2) {
        e->cap_kept *= 2;
        e->kept.many = mem_realloc(e->kept.many, e->cap_kept * sizeof(rv_t));
    }
    /* Some of it at the other end too, or the two would push each other to and fro. */
    uint32_t room = e->cap_kept - e->n_kept;
    uint32_t first = in_front ? room - room / 4 : 0;
    memmove(e->kept.many + first, kept(e), e->n_kept * sizeof(rv_t));
    e->first_kept = first;
}

/* Index of the first kept version > rv. */
static uint32_t kept_upper(const struct index_entry *e, rv_t rv)
{
    const rv_t *v = kept(e);
    uint32_t lo = 0, hi = e->n_kept;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (KEPT_RV(v[mid]) > rv) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

rv_t index_kept_after(const struct index_entry *e, rv_t rv, bool *ret_created)
{
    uint32_t i = kept_upper(e, rv);
    rv_t found = i < e->n_kept ? kept(e)[i] : 0;
    *ret_created = (found & KEPT_CREATED) != 0;
    return KEPT_RV(found);
}

rv_t index_kept_upto(const struct index_entry *e, rv_t rv)
{
    uint32_t i = kept_upper(e, rv);
    return i > 0 ? KEPT_RV(kept(e)[i - 1]) : 0;
}

void index_entry_keep(struct index_entry *e, rv_t rv, bool created)
{
    uint32_t at = kept_upper(e, rv);
    if (at > 0 && KEPT_RV(kept(e)[at - 1]) == rv) {
        return;
    }
    bool in_front = at == 0 && e->n_kept != 0;
    kept_room(e, in_front);
    if (in_front) {
        e->first_kept--;
    } else {
        rv_t *v = kept(e);
        memmove(v + at + 1, v + at, (e->n_kept - at) * sizeof *v);
    }
    kept(e)[at] = rv | (created ? KEPT_CREATED : 0);
    e->n_kept++;
}

struct index_entry *index_entry_new(struct index *x, const struct key *k)
{
    struct index_entry *e = mem_zalloc(sizeof *e + k->name.n + 1);
    e->place = place_ref(x, k->resource, k->ns);
    e->labels = intern(x, &x->texts, STR_EMPTY);
    e->name_len = (uint16_t)k->name.n;
    memcpy(e->name, k->name.p, k->name.n);
    return e;
}

static struct index_entry *entry_make(struct index *x, const struct key *k)
{
    struct index_entry *e = index_find(x, k);
    if (e != NULL) {
        return e;
    }
    e = index_entry_new(x, k);
    struct index_entry *there = RB_INSERT(entries, &x->entries, e);
    assert(there == NULL);
    return e;
}

static void set_labels(struct index *x, struct index_entry *e, struct str labels)
{
    if (!str_eq(interned_str(e->labels), labels)) {
        unintern(&x->texts, e->labels);
        e->labels = intern(x, &x->texts, labels);
    }
}

void index_entry_count(struct index *x, struct index_entry *e, int by)
{
    x->objects += (size_t)by;
    e->place->objects += (size_t)by;
    e->place->key.resource->objects += (size_t)by;
}

void index_entry_load(struct index *x, struct index_entry *e, const struct engine_object *o)
{
    e->row = o->row;
    e->rv = o->rv;
    e->generation = o->generation;
    set_labels(x, e, o->labels);
}

void index_keep(struct index *x, const struct key *k, rv_t rv, bool created)
{
    index_entry_keep(entry_make(x, k), rv, created);
}

void index_commit(struct index *x, const struct change *c)
{
    struct index_entry *e = entry_make(x, &c->event.key);
    index_entry_keep(e, c->event.rv, c->event.prev_rv == 0);
    x->head = c->event.rv;
    bool was = e->rv != 0;
    bool is = !event_is_delete(&c->event);
    const struct engine_object o = {
        .row = is ? c->row : 0,
        .rv = is ? c->event.rv : 0,
        .generation = c->event.generation,
        .labels = is ? c->event.labels : STR_EMPTY,
    };
    index_entry_load(x, e, &o);
    index_entry_count(x, e, (is ? 1 : 0) - (was ? 1 : 0));
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

rv_t index_head(const struct index *x)
{
    return x->head;
}

size_t index_objects(const struct index *x)
{
    return x->objects;
}

static size_t count_in(struct index *x, struct interned *resource, struct interned *ns)
{
    struct place_key key = {resource, ns};
    struct place *p = NULL;
    HASH_FIND(hh, x->places, &key, sizeof key, p);
    return p != NULL ? p->objects : 0;
}

size_t index_count(struct index *x, struct str resource, struct str ns)
{
    struct interned *r = NULL, *n = NULL;
    if (resource.n == 0 && ns.n == 0) {
        return x->objects;
    }
    if (resource.n != 0) {
        HASH_FIND(hh, x->resources, resource.p, resource.n, r);
        if (r == NULL || ns.n == 0) {
            return r != NULL ? r->objects : 0;
        }
    }
    HASH_FIND(hh, x->texts, ns.p, ns.n, n);
    if (n == NULL || r != NULL) {
        return n != NULL ? count_in(x, r, n) : 0;
    }
    size_t sum = 0;
    for (r = x->resources; r != NULL; r = r->hh.next) {
        sum += count_in(x, r, n);
    }
    return sum;
}

size_t index_resources(const struct index *x)
{
    return HASH_COUNT(x->resources);
}

void index_resources_each(struct index *x, void (*fn)(void *arg, struct str resource, uint64_t n),
                          void *arg)
{
    for (struct interned *r = x->resources; r != NULL; r = r->hh.next) {
        if (r->objects != 0) {
            fn(arg, interned_str(r), r->objects);
        }
    }
}

bool index_has_resource(struct index *x, struct str resource)
{
    struct interned *t = NULL;
    HASH_FIND(hh, x->resources, resource.p, resource.n, t);
    return t != NULL;
}

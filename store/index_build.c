/* SPDX-License-Identifier: Apache-2.0 */
/* Entries are found by the hash of their key while the index is built. For sorting, a key is three
 * numbers that compare as its texts do, and only when these are equal the rest of the name, which
 * is not at hand. */
#include "store/index_build.h"

#include <endian.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/index_impl.h"

#define SLOTS_MIN 1024

struct slot {
    uint64_t hash;
    struct index_entry *e; /* NULL: free */
};

/* An entry with its key, shortened. */
struct item {
    uint32_t place;   /* rank of resource and namespace */
    uint64_t name[2]; /* how the name begins */
    struct index_entry *e;
};

struct index_builder {
    struct index *x;
    struct slot *slots; /* open addressing; n_slots is a power of two, at least 2 × n */
    size_t n_slots;
    struct key place; /* resource and namespace last hashed; borrowed from the index */
    uint64_t place_hash;
    struct index_entry **entries; /* in the order in which they came: often nearly sorted */
    size_t n, cap;
};

struct index_builder *index_builder_new(struct index *x)
{
    struct index_builder *b = mem_zalloc(sizeof *b);
    b->x = x;
    b->n_slots = SLOTS_MIN;
    b->slots = mem_zalloc(b->n_slots * sizeof *b->slots);
    return b;
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* Neighbours are often of one resource and namespace. */
static uint64_t key_hash(const struct index_builder *b, const struct key *k)
{
    uint64_t h = b->place_hash;
    if (!str_eq(k->ns, b->place.ns) || !str_eq(k->resource, b->place.resource)) {
        h = XXH3_64bits(k->resource.p, k->resource.n);
        h = XXH3_64bits_withSeed(k->ns.p, k->ns.n, h);
    }
    return XXH3_64bits_withSeed(k->name.p, k->name.n, h);
}

static void remember_place(struct index_builder *b, const struct index_entry *e)
{
    struct key k = index_key(e);
    if (k.ns.p != b->place.ns.p || k.resource.p != b->place.resource.p) {
        b->place = k;
        b->place_hash = XXH3_64bits(k.resource.p, k.resource.n);
        b->place_hash = XXH3_64bits_withSeed(k.ns.p, k.ns.n, b->place_hash);
    }
}

/* Where the key is, or the free place where it would be. */
static struct slot *slot_of(const struct index_builder *b, uint64_t hash, const struct key *k)
{
    for (size_t i = hash & (b->n_slots - 1);; i = (i + 1) & (b->n_slots - 1)) {
        struct slot *s = &b->slots[i];
        if (s->e == NULL) {
            return s;
        }
        if (s->hash == hash) {
            struct key o = index_key(s->e);
            if (key_eq(&o, k)) {
                return s;
            }
        }
    }
}

static void more_slots(struct index_builder *b)
{
    struct slot *old = b->slots;
    size_t n_old = b->n_slots;
    b->n_slots *= 4;
    b->slots = mem_zalloc(b->n_slots * sizeof *b->slots);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].e != NULL) {
            size_t at = old[i].hash & (b->n_slots - 1);
            while (b->slots[at].e != NULL) {
                at = (at + 1) & (b->n_slots - 1);
            }
            b->slots[at] = old[i];
        }
    }
    free(old);
}

static struct index_entry *find_or_make(struct index_builder *b, const struct key *k,
                                        bool *ret_made)
{
    if (2 * b->n >= b->n_slots) {
        more_slots(b);
    }
    uint64_t hash = key_hash(b, k);
    struct slot *s = slot_of(b, hash, k);
    *ret_made = s->e == NULL;
    if (s->e == NULL) {
        *s = (struct slot){hash, index_entry_new(b->x, k)};
        if (b->n == b->cap) {
            b->cap = b->cap != 0 ? 2 * b->cap : SLOTS_MIN;
            b->entries = mem_realloc(b->entries, b->cap * sizeof(*b->entries));
        }
        b->entries[b->n++] = s->e;
    }
    remember_place(b, s->e);
    return s->e;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

enum errc index_build_object(struct index_builder *b, const struct engine_object *o,
                             struct err *err)
{
    bool made = false;
    struct index_entry *e = find_or_make(b, &o->key, &made);
    if (!made) {
        return err_set(err, ERR_DATA_LOSS,
                       "there are two stored objects %.*s/%.*s: restore from a backup",
                       STR_ARG(o->key.resource), STR_ARG(o->key.name));
    }
    index_entry_load(b->x, e, o);
    return OK;
}

void index_build_event(struct index_builder *b, const struct engine_past *p)
{
    bool made = false;
    const struct event *ev = &p->event;
    struct index_entry *e = find_or_make(b, &ev->key, &made);
    index_entry_keep(e, ev->rv, ev->prev_rv == 0);
    if (ev->rv <= e->rv) {
        return;
    }
    bool gone = event_is_delete(ev);
    const struct engine_object o = {
        .row = gone ? 0 : p->row,
        .rv = gone ? 0 : ev->rv,
        .generation = ev->generation,
        .key = ev->key,
        .labels = gone ? STR_EMPTY : ev->labels,
        .deadline_ms = gone ? 0 : p->deadline_ms,
    };
    index_entry_load(b->x, e, &o);
}

/* ---- The tree -------------------------------------------------------------------------------- */

static int place_cmp(const struct place *a, const struct place *b)
{
    int c = str_cmp(interned_str(a->key.resource), interned_str(b->key.resource));
    return c != 0 ? c : str_cmp(interned_str(a->key.ns), interned_str(b->key.ns));
}

static void give_ranks(struct index *x)
{
    HASH_SORT(x->places, place_cmp);
    uint32_t rank = 0;
    for (struct place *p = x->places; p != NULL; p = p->hh.next) {
        p->rank = rank++;
    }
}

static struct item item_of(struct index_entry *e)
{
    struct item item = {.place = e->place->rank, .e = e};
    memcpy(item.name, e->name, e->name_len < sizeof(item.name) ? e->name_len : sizeof(item.name));
    item.name[0] = be64toh(item.name[0]);
    item.name[1] = be64toh(item.name[1]);
    return item;
}

static int item_cmp(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    if (a->place != b->place) {
        return a->place < b->place ? -1 : 1;
    }
    for (size_t i = 0; i < 2; i++) {
        if (a->name[i] != b->name[i]) {
            return a->name[i] < b->name[i] ? -1 : 1;
        }
    }
    return str_cmp((struct str){a->e->name, a->e->name_len},
                   (struct str){b->e->name, b->e->name_len});
}

/* The middle one is the root, so the leaves are on the last two levels; those of the last are red.
 */
static struct index_entry *tree_of(const struct item *items, size_t n, unsigned level,
                                   unsigned last)
{
    if (n == 0) {
        return NULL;
    }
    size_t mid = n / 2;
    struct index_entry *e = items[mid].e;
    RB_LEFT(e, link) = tree_of(items, mid, level + 1, last);
    RB_RIGHT(e, link) = tree_of(items + mid + 1, n - mid - 1, level + 1, last);
    RB_COLOR(e, link) = level == last && level != 0 ? RB_RED : RB_BLACK;
    if (RB_LEFT(e, link) != NULL) {
        RB_PARENT(RB_LEFT(e, link), link) = e;
    }
    if (RB_RIGHT(e, link) != NULL) {
        RB_PARENT(RB_RIGHT(e, link), link) = e;
    }
    return e;
}

void index_builder_finish(struct index_builder *b)
{
    freep(&b->slots);
    give_ranks(b->x);
    struct item *items = mem_alloc((b->n + 1) * sizeof *items);
    for (size_t i = 0; i < b->n; i++) {
        items[i] = item_of(b->entries[i]);
        index_entry_count(b->x, items[i].e, items[i].e->rv != 0 ? 1 : 0);
    }
    freep(&b->entries);
    qsort(items, b->n, sizeof *items, item_cmp);
    unsigned last = 0;
    while ((size_t)2 << last <= b->n) {
        last++;
    }
    struct index_entry *root = tree_of(items, b->n, 0, last);
    if (root != NULL) {
        RB_PARENT(root, link) = NULL;
    }
    RB_ROOT(&b->x->entries) = root;
    free(items);
    free(b);
}

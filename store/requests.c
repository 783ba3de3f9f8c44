/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of answers, oldest first, and a table of their places in it, by the hash of the request's
 * id: open addressing, a power of two of places, at most half of them taken. */
#include "store/requests.h"

#include <stdlib.h>
#include <xxhash.h>

#define RING_MIN 1024

struct request {
    uint8_t id[REQUEST_ID_LEN];
    mono_ms_t since;
    struct answer answer;
};

struct requests {
    struct request *ring; /* cap of them, a power of two; from first on n are taken */
    size_t cap, first, n;
    uint32_t *table; /* 2 × cap: 1 + index in the ring; 0: free */
    uint64_t seed;   /* so that nobody can choose ids that meet in one place */
};

static void make_room(struct requests *r, size_t cap)
{
    r->cap = cap;
    r->ring = mem_alloc(cap * sizeof(*r->ring));
    r->table = mem_zalloc(2 * cap * sizeof(*r->table));
}

struct requests *requests_new(void)
{
    struct requests *r = mem_zalloc(sizeof *r);
    random_bytes(&r->seed, sizeof(r->seed));
    make_room(r, RING_MIN);
    return r;
}

void requests_free(struct requests *r)
{
    if (r != NULL) {
        free(r->ring);
        free(r->table);
        free(r);
    }
}

static size_t home(const struct requests *r, const uint8_t *id)
{
    return XXH3_64bits_withSeed(id, REQUEST_ID_LEN, r->seed) & (2 * r->cap - 1);
}

/* Where the id is, or the free place where it would be. */
static size_t place(const struct requests *r, const uint8_t *id)
{
    size_t i = home(r, id);
    while (r->table[i] != 0 && memcmp(r->ring[r->table[i] - 1].id, id, REQUEST_ID_LEN) != 0) {
        i = (i + 1) & (2 * r->cap - 1);
    }
    return i;
}

/* Whoever was displaced by the one that goes moves up. */
static void forget_oldest(struct requests *r)
{
    size_t mask = 2 * r->cap - 1;
    size_t hole = place(r, r->ring[r->first].id);
    for (size_t i = (hole + 1) & mask; r->table[i] != 0; i = (i + 1) & mask) {
        size_t from_home = (i - home(r, r->ring[r->table[i] - 1].id)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            r->table[hole] = r->table[i];
            hole = i;
        }
    }
    r->table[hole] = 0;
    r->first = (r->first + 1) & (r->cap - 1);
    r->n--;
}

static void append(struct requests *r, const struct request *q)
{
    size_t at = (r->first + r->n) & (r->cap - 1);
    r->ring[at] = *q;
    r->table[place(r, q->id)] = (uint32_t)at + 1;
    r->n++;
}

static void grow(struct requests *r)
{
    struct requests old = *r;
    make_room(r, 2 * old.cap);
    r->first = r->n = 0;
    for (size_t i = 0; i < old.n; i++) {
        append(r, &old.ring[(old.first + i) & (old.cap - 1)]);
    }
    free(old.ring);
    free(old.table);
}

const struct answer *requests_find(struct requests *r, const uint8_t id[REQUEST_ID_LEN])
{
    uint32_t at = r->table[place(r, id)];
    return at != 0 ? &r->ring[at - 1].answer : NULL;
}

void requests_keep(struct requests *r, const uint8_t id[REQUEST_ID_LEN],
                   const struct answer *answer, mono_ms_t now)
{
    if (requests_find(r, id) != NULL) {
        return;
    }
    while (r->n != 0 &&
           (now - r->ring[r->first].since > REQUESTS_KEEP_MS || r->n >= REQUESTS_MAX)) {
        forget_oldest(r);
    }
    if (r->n == r->cap) {
        grow(r);
    }
    struct request q = {.since = now, .answer = *answer};
    memcpy(q.id, id, REQUEST_ID_LEN);
    append(r, &q);
}

void requests_suffix(const struct key *k, char ret[NAME_SUFFIX_LEN])
{
    memset(ret, 0, NAME_SUFFIX_LEN);
    if (k->name.n >= NAME_SUFFIX_LEN) {
        memcpy(ret, k->name.p + k->name.n - NAME_SUFFIX_LEN, NAME_SUFFIX_LEN);
    }
}

struct answer requests_answer_of(const struct event *ev)
{
    struct answer a = {
        .asked = ev->cause == CAUSE_CREATED ? ASKED_OTHER : ASKED_UNKNOWN,
        .result = ev->cause == CAUSE_CREATED   ? WRITE_CREATED
                  : ev->cause == CAUSE_UPDATED ? WRITE_UPDATED
                                               : WRITE_DELETED,
        .rv = ev->rv,
        .generation = ev->generation,
        .key_hash = requests_key_hash(&ev->key),
    };
    requests_suffix(&ev->key, a.suffix);
    return a;
}

uint64_t requests_key_hash(const struct key *k)
{
    XXH64_hash_t h = XXH3_64bits(k->resource.p, k->resource.n);
    h = XXH3_64bits_withSeed(k->ns.p, k->ns.n, h);
    return XXH3_64bits_withSeed(k->name.p, k->name.n, h);
}

void requests_derive(const uint8_t id[REQUEST_ID_LEN], const struct key *k,
                     uint8_t ret[REQUEST_ID_LEN])
{
    XXH128_canonical_t part;
    XXH128_canonicalFromHash(&part,
                             XXH3_128bits_withSeed(id, REQUEST_ID_LEN, requests_key_hash(k)));
    _Static_assert(sizeof(part.digest) == REQUEST_ID_LEN, "an id is as long as such a hash");
    memcpy(ret, part.digest, REQUEST_ID_LEN);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/requests.h"

#include <stdlib.h>
#include <uthash.h>
#include <xxhash.h>

struct request {
    UT_hash_handle hh;
    TAILQ_ENTRY(request) by_age;
    mono_ms_t since;
    struct answer answer;
    uint8_t id[REQUEST_ID_LEN];
};

struct requests {
    struct request *table;
    TAILQ_HEAD(, request) oldest_first;
};

struct requests *requests_new(void)
{
    struct requests *r = mem_zalloc(sizeof *r);
    TAILQ_INIT(&r->oldest_first);
    return r;
}

static void forget(struct requests *r, struct request *q)
{
    HASH_DEL(r->table, q);
    TAILQ_REMOVE(&r->oldest_first, q, by_age);
    free(q);
}

void requests_free(struct requests *r)
{
    if (r == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&r->oldest_first)) {
        forget(r, TAILQ_FIRST(&r->oldest_first));
    }
    free(r);
}

const struct answer *requests_find(struct requests *r, const uint8_t id[REQUEST_ID_LEN])
{
    struct request *q = NULL;
    HASH_FIND(hh, r->table, id, REQUEST_ID_LEN, q);
    return q != NULL ? &q->answer : NULL;
}

void requests_keep(struct requests *r, const uint8_t id[REQUEST_ID_LEN],
                   const struct answer *answer, mono_ms_t now)
{
    struct request *q = NULL;
    HASH_FIND(hh, r->table, id, REQUEST_ID_LEN, q);
    if (q != NULL) {
        return;
    }
    while ((q = TAILQ_FIRST(&r->oldest_first)) != NULL &&
           (now - q->since > REQUESTS_KEEP_MS || HASH_COUNT(r->table) >= REQUESTS_MAX)) {
        forget(r, q);
    }
    q = mem_zalloc(sizeof *q);
    memcpy(q->id, id, REQUEST_ID_LEN);
    q->answer = *answer;
    q->since = now;
    HASH_ADD(hh, r->table, id, REQUEST_ID_LEN, q);
    TAILQ_INSERT_TAIL(&r->oldest_first, q, by_age);
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

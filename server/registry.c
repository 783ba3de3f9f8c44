/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry.h"

#include <stdlib.h>

#include "store/base/mem.h"

#define BUCKETS_MIN ((size_t)256)

/* FNV-1a, seeded: clients choose their ids, and must not be able to choose one bucket for all. */
static uint64_t seed;

static size_t bucket_of(const struct registry *r, struct str id)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ seed;
    for (size_t i = 0; i < id.n; i++) {
        h = (h ^ (unsigned char)id.p[i]) * UINT64_C(1099511628211);
    }
    h ^= h >> 32;
    return (size_t)h & (r->buckets - 1);
}

void registry_init(struct registry *r, size_t expected)
{
    *r = (struct registry){.buckets = BUCKETS_MIN};
    while (r->buckets < expected) {
        r->buckets *= 2;
    }
    r->by_id = mem_zalloc(r->buckets * sizeof(struct stream_list));
    r->by_client = mem_zalloc(r->buckets * sizeof(struct stream_list));
    if (seed == 0) {
        random_bytes(&seed, sizeof(seed));
    }
}

void registry_fini(struct registry *r)
{
    free(r->by_id);
    free(r->by_client);
    *r = (struct registry){0};
}

void registry_add(struct registry *r, struct stream *s)
{
    LIST_INSERT_HEAD(&r->by_id[bucket_of(r, str_of(s->id))], s, by_id);
    LIST_INSERT_HEAD(&r->by_client[bucket_of(r, stream_client_id(s))], s, by_client);
    s->registered = true;
    r->count++;
}

void registry_remove(struct registry *r, struct stream *s)
{
    if (s->registered) {
        LIST_REMOVE(s, by_id);
        LIST_REMOVE(s, by_client);
        s->registered = false;
        r->count--;
    }
}

struct stream *registry_find(const struct registry *r, struct str id)
{
    struct stream *s;
    LIST_FOREACH(s, &r->by_id[bucket_of(r, id)], by_id)
    {
        if (str_eq(str_of(s->id), id)) {
            return s;
        }
    }
    return NULL;
}

void registry_each(const struct registry *r, struct str client_id,
                   void (*fn)(void *arg, struct stream *s), void *arg)
{
    if (client_id.n > 0) {
        struct stream *s = LIST_FIRST(&r->by_client[bucket_of(r, client_id)]);
        while (s != NULL) {
            struct stream *next = LIST_NEXT(s, by_client);
            if (str_eq(stream_client_id(s), client_id)) {
                fn(arg, s);
            }
            s = next;
        }
        return;
    }
    for (size_t i = 0; i < r->buckets; i++) {
        struct stream *s = LIST_FIRST(&r->by_id[i]);
        while (s != NULL) {
            struct stream *next = LIST_NEXT(s, by_id);
            fn(arg, s);
            s = next;
        }
    }
}

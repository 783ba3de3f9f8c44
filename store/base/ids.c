/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing: a number stands at its place or behind it, with nothing free in between. */
#include "store/base/ids.h"

#include <assert.h>
#include <stdlib.h>

#include "store/base/mem.h"

void ids_fini(struct ids *s)
{
    free(s->v);
    *s = (struct ids){0};
}

static size_t place_of(const struct ids *s, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ (h >> 32)) & (s->cap - 1);
}

/* Where it is, or would be put. */
static size_t find(const struct ids *s, int64_t id)
{
    size_t i = place_of(s, id);
    while (s->v[i] != 0 && s->v[i] != id) {
        i = (i + 1) & (s->cap - 1);
    }
    return i;
}

bool ids_has(const struct ids *s, int64_t id)
{
    return s->n != 0 && s->v[find(s, id)] == id;
}

static void grow(struct ids *s)
{
    struct ids old = *s;
    s->cap = old.cap != 0 ? 2 * old.cap : 16;
    s->v = mem_zalloc(s->cap * sizeof(*s->v));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.v[i] != 0) {
            s->v[find(s, old.v[i])] = old.v[i];
        }
    }
    free(old.v);
}

void ids_add(struct ids *s, int64_t id)
{
    assert(id > 0);
    if (2 * (s->n + 1) > s->cap) {
        grow(s);
    }
    size_t i = find(s, id);
    s->n += s->v[i] == 0;
    s->v[i] = id;
}

void ids_del(struct ids *s, int64_t id)
{
    if (!ids_has(s, id)) {
        return;
    }
    size_t mask = s->cap - 1;
    size_t hole = find(s, id);
    s->v[hole] = 0;
    s->n--;
    /* Those behind move up, unless the hole lies in front of their place. */
    for (size_t i = (hole + 1) & mask; s->v[i] != 0; i = (i + 1) & mask) {
        size_t place = place_of(s, s->v[i]);
        if (((i - place) & mask) >= ((i - hole) & mask)) {
            s->v[hole] = s->v[i];
            s->v[i] = 0;
            hole = i;
        }
    }
}

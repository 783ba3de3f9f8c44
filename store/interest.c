/* SPDX-License-Identifier: Apache-2.0 */
/* A counting Bloom filter with one writer. */
#include "store/interest.h"

#include <string.h>
#include <xxhash.h>

#define SHAPE_RESOURCE 4u
#define SHAPE_NS       2u
#define SHAPE_NAME     1u

#define PROBES         3
#define SLOTS          (1u << INTEREST_SLOT_BITS)
_Static_assert(PROBES *INTEREST_SLOT_BITS <= 64, "the hash has bits for all");

static char *add_part(char *at, bool exact, struct str part)
{
    *at++ = '/';
    if (exact) {
        memcpy(at, part.p, part.n);
        at += part.n;
    }
    return at;
}

void interest_key_of(unsigned shape, const struct key *k, struct interest_key *ret)
{
    char *at = ret->text;
    *at++ = (char)('0' + shape);
    at = add_part(at, (shape & SHAPE_RESOURCE) != 0, k->resource);
    at = add_part(at, (shape & SHAPE_NS) != 0, k->ns);
    at = add_part(at, (shape & SHAPE_NAME) != 0, k->name);
    ret->shape = shape;
    ret->n = (size_t)(at - ret->text);
    ret->hash = XXH3_64bits(ret->text, ret->n);
}

void interest_key_of_scope(const struct scope *s, struct interest_key *ret)
{
    const struct key k = {.resource = s->resource, .ns = s->ns, .name = s->name};
    unsigned shape = (s->resource.n != 0 ? SHAPE_RESOURCE : 0) | (s->ns.n != 0 ? SHAPE_NS : 0) |
                     (s->name.n != 0 ? SHAPE_NAME : 0);
    interest_key_of(shape, &k, ret);
}

static size_t slot_of(uint64_t hash, unsigned probe)
{
    return (hash >> (probe * INTEREST_SLOT_BITS)) & (SLOTS - 1);
}

void interest_add(struct interest *i, const struct interest_key *k)
{
    for (unsigned p = 0; p < PROBES; p++) {
        _Atomic uint8_t *slot = &i->slots[slot_of(k->hash, p)];
        uint8_t count = atomic_load_explicit(slot, memory_order_relaxed);
        if (count != UINT8_MAX) {
            atomic_store(slot, (uint8_t)(count + 1));
        }
    }
    if (i->of_shape[k->shape]++ == 0) {
        unsigned shapes = atomic_load_explicit(&i->shapes, memory_order_relaxed);
        atomic_store(&i->shapes, shapes | 1u << k->shape);
    }
}

void interest_drop(struct interest *i, uint64_t hash, unsigned shape)
{
    for (unsigned p = 0; p < PROBES; p++) {
        _Atomic uint8_t *slot = &i->slots[slot_of(hash, p)];
        uint8_t count = atomic_load_explicit(slot, memory_order_relaxed);
        if (count != UINT8_MAX) {
            atomic_store_explicit(slot, (uint8_t)(count - 1), memory_order_relaxed);
        }
    }
    if (--i->of_shape[shape] == 0) {
        unsigned shapes = atomic_load_explicit(&i->shapes, memory_order_relaxed);
        atomic_store_explicit(&i->shapes, shapes & ~(1u << shape), memory_order_relaxed);
    }
}

unsigned interest_shapes(const struct interest *i)
{
    return atomic_load(&i->shapes);
}

bool interest_may_have(const struct interest *i, const struct interest_key *k)
{
    for (unsigned p = 0; p < PROBES; p++) {
        if (atomic_load(&i->slots[slot_of(k->hash, p)]) == 0) {
            return false;
        }
    }
    return true;
}

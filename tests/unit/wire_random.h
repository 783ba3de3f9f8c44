/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the wire: random content from a seed, and protobuf-c's opinion of our bytes.
 * Threads: one. */
#ifndef WATCHD_TESTS_WIRE_RANDOM_H
#define WATCHD_TESTS_WIRE_RANDOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <protobuf-c/protobuf-c.h>

#include "proto/wire.h"

#define ROUNDS    300
#define BUF_LIMIT ((size_t)64 * 1024 * 1024)
#define BUDGET    ((size_t)16 * 1024 * 1024)

struct rnd {
    uint64_t state;
    struct arena texts;
};

static inline void rnd_init(struct rnd *r, uint64_t seed)
{
    r->state = seed * 0x9e3779b97f4a7c15u + 1;
    arena_init(&r->texts, (size_t)256 * 1024 * 1024);
}

static inline void rnd_fini(struct rnd *r)
{
    arena_fini(&r->texts);
}

/* xorshift64* */
static inline uint64_t rnd_bits(struct rnd *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1du;
}

static inline size_t rnd_below(struct rnd *r, size_t n)
{
    return (size_t)(rnd_bits(r) >> 16) % n;
}

/* Small and large numbers alike, 0 among them. */
static inline uint64_t rnd_u64(struct rnd *r)
{
    size_t bits = rnd_below(r, 65);
    return bits == 0 ? 0 : rnd_bits(r) >> (64 - bits);
}

static inline uint32_t rnd_u32(struct rnd *r)
{
    return (uint32_t)(rnd_u64(r) >> 32);
}

static inline bool rnd_bool(struct rnd *r)
{
    return rnd_below(r, 2) == 0;
}

/* Well-formed UTF-8 without NUL, of at most max bytes; often empty, often above 127 bytes. */
static inline struct str rnd_text(struct rnd *r, size_t max)
{
    static const char *const chars[] = {
        "a",           "Z", "-", "\"", "\x01", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "\xef\xbf\xbd"};
    size_t want = rnd_below(r, 4) == 0 ? 0 : rnd_below(r, max + 1);
    char *p = arena_alloc(&r->texts, want + 1);
    assert_non_null(p);
    size_t n = 0;
    while (n < want) {
        const char *c = chars[rnd_below(r, sizeof(chars) / sizeof(chars[0]))];
        size_t len = strlen(c);
        if (n + len > want) {
            break;
        }
        memcpy(p + n, c, len);
        n += len;
    }
    return (struct str){p, n};
}

/* Any bytes. */
static inline struct str rnd_bytes(struct rnd *r, size_t n)
{
    char *p = arena_alloc(&r->texts, n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        p[i] = (char)rnd_bits(r);
    }
    return (struct str){p, n};
}

static inline struct key rnd_key(struct rnd *r)
{
    return (struct key){rnd_text(r, 63), rnd_text(r, 63), rnd_text(r, 253)};
}

static inline struct selection rnd_selection(struct rnd *r)
{
    return (struct selection){
        .resource = rnd_text(r, 63),
        .ns = rnd_text(r, 63),
        .all_namespaces = rnd_bool(r),
        .name = rnd_text(r, 253),
        .label_selector = rnd_text(r, 600),
        .field_selector = rnd_text(r, 600),
    };
}

static inline struct selection *rnd_selections(struct rnd *r, size_t n)
{
    struct selection *v = arena_alloc(&r->texts, (n + 1) * sizeof(*v));
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        v[i] = rnd_selection(r);
    }
    return v;
}

static inline void assert_str(struct str got, struct str wanted)
{
    assert_int_equal(got.n, wanted.n);
    if (wanted.n != 0) {
        assert_memory_equal(got.p, wanted.p, wanted.n);
    }
}

static inline void assert_key(const struct key *got, const struct key *wanted)
{
    assert_str(got->resource, wanted->resource);
    assert_str(got->ns, wanted->ns);
    assert_str(got->name, wanted->name);
}

static inline void assert_selection(const struct selection *got, const struct selection *wanted)
{
    assert_str(got->resource, wanted->resource);
    assert_str(got->ns, wanted->ns);
    assert_int_equal(got->all_namespaces, wanted->all_namespaces);
    assert_str(got->name, wanted->name);
    assert_str(got->label_selector, wanted->label_selector);
    assert_str(got->field_selector, wanted->field_selector);
}

static inline void assert_object(const struct wire_object *got, const struct wire_object *wanted)
{
    assert_key(&got->key, &wanted->key);
    assert_int_equal(got->rv, wanted->rv);
    assert_str(got->json, wanted->json);
}

/* protobuf-c, which had no part in writing them, reads these bytes and packs the same ones. */
static inline void assert_as_packed(const ProtobufCMessageDescriptor *d, struct str bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, bytes.n, (const uint8_t *)bytes.p);
    assert_non_null(m);
    assert_int_equal(m->n_unknown_fields, 0);
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(n + 1);
    assert_non_null(packed);
    assert_int_equal(protobuf_c_message_pack(m, packed), n);
    assert_str((struct str){(const char *)packed, n}, bytes);
    free(packed);
    protobuf_c_message_free_unpacked(m, NULL);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's bytes by hand: fields appended to a buffer, and fields met on a walk. Ours are not
 * NUL-terminated texts, which the generated code wants, so everything is written through here.
 * As proto3 has it, the *_add functions leave out what is 0, false or empty.
 * Pure functions. See: https://protobuf.dev/programming-guides/encoding */
#ifndef WATCHD_PROTO_PB_H
#define WATCHD_PROTO_PB_H

#include "store/base/bytes.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

/* The bytes in front of a field's value. Our field numbers are below 16: one byte. */
#define PB_TAG(number, type) ((uint8_t)((number) << 3 | (type)))
_Static_assert(PB_TAG(15, PB_BYTES) < 0x80, "a tag of ours is one byte");

/* Sizes of whole fields, 0 for what is left out. */
static inline size_t pb_bytes_size(size_t n)
{
    return n == 0 ? 0 : 1 + varint_size(n) + n;
}
static inline size_t pb_u64_size(uint64_t v)
{
    return v == 0 ? 0 : 1 + varint_size(v);
}

/* The same written to memory that is large enough; they return the place behind. */
static inline uint8_t *pb_varint_put(uint8_t *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
}
static inline uint8_t *pb_u64_put(uint8_t *at, unsigned number, uint64_t v)
{
    if (v == 0) {
        return at;
    }
    *at++ = PB_TAG(number, PB_VARINT);
    return pb_varint_put(at, v);
}
/* Tag and length only: n bytes follow. */
static inline uint8_t *pb_head_put(uint8_t *at, unsigned number, size_t n)
{
    *at++ = PB_TAG(number, PB_BYTES);
    return pb_varint_put(at, n);
}
static inline uint8_t *pb_str_put(uint8_t *at, unsigned number, struct str s)
{
    if (s.n == 0) {
        return at;
    }
    at = pb_head_put(at, number, s.n);
    memcpy(at, s.p, s.n);
    return at + s.n;
}

void pb_add_u64(struct buf *out, unsigned number, uint64_t v);
void pb_add_bool(struct buf *out, unsigned number, bool v);
/* Strings and bytes. */
void pb_add_str(struct buf *out, unsigned number, struct str s);
/* A member of a oneof, or an entry of a list: written even when it is 0 or empty. */
void pb_add_member_u64(struct buf *out, unsigned number, uint64_t v);
void pb_add_member_str(struct buf *out, unsigned number, struct str s);
/* A message of its own: what is added between open and close belongs to it. Closing moves those
 * bytes when they are more than 127, so this is for small messages. */
size_t pb_open(struct buf *out, unsigned number);
void pb_close(struct buf *out, size_t opened);

/* One field as it is met. */
struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;   /* PB_VARINT */
    struct str bytes; /* of all others: the bytes of the value */
};

/* Reads the field at *at, which must be before the end, and moves *at behind it. False for what is
 * no field: cut off, number 0, an overlong tag or length, or a group. */
bool pb_next(struct str in, size_t *at, struct pb_field *ret);

#endif

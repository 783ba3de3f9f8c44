/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf by hand: fields appended to a buffer, and a walk over a message's fields.
 * Threads: any. */
#ifndef WATCHD_BENCH_FIELD_H
#define WATCHD_BENCH_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"

struct field {
    uint32_t number;
    uint64_t value;   /* of an integer */
    struct str bytes; /* of a string or message */
};

static inline void field_put_bytes(struct buf *out, uint32_t number, struct str bytes)
{
    buf_varint(out, (uint64_t)number << 3 | 2);
    buf_varint(out, bytes.n);
    buf_adds(out, bytes);
}

static inline void field_put_int(struct buf *out, uint32_t number, uint64_t value)
{
    buf_varint(out, (uint64_t)number << 3);
    buf_varint(out, value);
}

static inline bool field_varint(struct str s, size_t *at, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && *at < s.n; shift += 7) {
        uint8_t c = (uint8_t)s.p[(*at)++];
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret = v;
            return true;
        }
    }
    return false;
}

/* The field at *at, which moves behind it. False at the end, and on what is no field: then *at is
 * not the message's end. */
static inline bool field_next(struct str s, size_t *at, struct field *ret)
{
    uint64_t tag, n;
    if (*at >= s.n || !field_varint(s, at, &tag)) {
        return false;
    }
    ret->number = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case 0:
        ret->bytes = STR_EMPTY;
        return field_varint(s, at, &ret->value);
    case 2:
        if (!field_varint(s, at, &n) || n > s.n - *at) {
            *at = SIZE_MAX;
            return false;
        }
        ret->value = 0;
        ret->bytes = (struct str){s.p + *at, n};
        *at += n;
        return true;
    default:
        *at = SIZE_MAX;
        return false;
    }
}

/* The number a name ends with; every name of ours has `digits` of them. */
static inline uint64_t field_digits(struct str name, size_t digits)
{
    uint64_t v = 0;
    for (size_t i = name.n < digits ? 0 : name.n - digits; i < name.n; i++) {
        v = v * 10 + (uint64_t)(name.p[i] - '0');
    }
    return v;
}

#endif

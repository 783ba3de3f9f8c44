/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pb.h"

#include <assert.h>

#define NUMBER_MAX       ((1u << 29) - 1)
#define SHORT_VARINT_MAX 5 /* bytes of a tag or a length; protobuf-c reads no more of them either \
                            */

static void add_tag(struct buf *out, unsigned number, enum pb_type type)
{
    assert(number > 0 && number < 16);
    buf_addc(out, (char)PB_TAG(number, type));
}

void pb_add_member_u64(struct buf *out, unsigned number, uint64_t v)
{
    add_tag(out, number, PB_VARINT);
    buf_varint(out, v);
}

void pb_add_u64(struct buf *out, unsigned number, uint64_t v)
{
    if (v != 0) {
        pb_add_member_u64(out, number, v);
    }
}

void pb_add_bool(struct buf *out, unsigned number, bool v)
{
    pb_add_u64(out, number, v ? 1 : 0);
}

void pb_add_member_str(struct buf *out, unsigned number, struct str s)
{
    add_tag(out, number, PB_BYTES);
    buf_varint(out, s.n);
    buf_adds(out, s);
}

void pb_add_str(struct buf *out, unsigned number, struct str s)
{
    if (s.n != 0) {
        pb_add_member_str(out, number, s);
    }
}

size_t pb_open(struct buf *out, unsigned number)
{
    add_tag(out, number, PB_BYTES);
    buf_addc(out, 0); /* the length, if it is short */
    return out->n;
}

void pb_close(struct buf *out, size_t opened)
{
    if (out->full) {
        return;
    }
    size_t n = out->n - opened;
    size_t more = varint_size(n) - 1;
    if (more != 0 && buf_grow(out, more) == NULL) {
        return;
    }
    uint8_t *p = (uint8_t *)out->p + opened;
    memmove(p + more, p, n);
    pb_varint_put(p - 1, n);
}

static bool short_varint(struct str in, size_t *at, uint64_t *ret)
{
    size_t from = *at;
    return varint_read(in, at, ret) && *at - from <= SHORT_VARINT_MAX;
}

static bool take(struct str in, size_t *at, uint64_t n, struct str *ret)
{
    if (n > in.n - *at) {
        return false;
    }
    *ret = (struct str){in.p + *at, (size_t)n};
    *at += (size_t)n;
    return true;
}

bool pb_next(struct str in, size_t *at, struct pb_field *ret)
{
    uint64_t tag;
    if (!short_varint(in, at, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MAX) {
        return false;
    }
    *ret = (struct pb_field){.number = (uint32_t)(tag >> 3), .type = (enum pb_type)(tag & 7)};
    uint64_t n;
    switch (ret->type) {
    case PB_VARINT:
        return varint_read(in, at, &ret->value);
    case PB_FIXED64:
        return take(in, at, 8, &ret->bytes);
    case PB_BYTES:
        return short_varint(in, at, &n) && take(in, at, n, &ret->bytes);
    case PB_FIXED32:
        return take(in, at, 4, &ret->bytes);
    default:
        return false;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding. protobuf-c trusts its input too much: it cuts strings at a NUL, passes any bytes as
 * UTF-8, keeps unknown enum values, cuts integers to their size, and merges a message that is given
 * twice in quadratic time. So the bytes are walked first.
 *
 * (1) The walk reads each byte once and allocates nothing; it descends into known fields only.
 * (2) What the walk passes, protobuf-c unpacks, unless the arena's budget is spent. Its time is
 *     linear then, and its memory within the budget.
 * (3) protobuf-c's copies are never freed one by one: the arena's owner frees them. */
#include "proto/wire_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define FIELDS_MAX 32 /* of one message type of ours */

/* Where the walk is: a field, and by `up` the messages it is in. */
struct spot {
    const struct spot *up; /* NULL at the top */
    const char *name;
    bool repeated;
    uint32_t index; /* of a repeated field's entry */
    unsigned depth;
};

/* "selections[2].name". Too long a path loses its end. */
static void spot_path(const struct spot *s, char *ret, size_t size)
{
    if (s == NULL) {
        ret[0] = '\0';
        return;
    }
    spot_path(s->up, ret, size);
    size_t n = strlen(ret);
    snprintf(ret + n, size - n, "%s%s", n != 0 ? "." : "", s->name);
    n = strlen(ret);
    if (s->repeated) {
        snprintf(ret + n, size - n, "[%" PRIu32 "]", s->index);
    }
}

static enum errc refuse(struct err *err, const struct spot *s, const char *what)
{
    char path[sizeof(err->field)];
    spot_path(s, path, sizeof(path));
    return err_field(err, ERR_INVALID, path, "%s", what);
}

/* UTF-8 without NUL. Eight ASCII bytes at a time, since documents are nearly all ASCII. */
static bool text_is_valid(struct str s)
{
    const uint64_t low = 0x0101010101010101u;
    const uint64_t high = 0x8080808080808080u;
    size_t i = 0;
    while (i < s.n) {
        uint64_t w;
        if (s.n - i >= sizeof(w)) {
            memcpy(&w, s.p + i, sizeof(w));
            if (((w | (w - low)) & high) == 0) {
                i += sizeof(w);
                continue;
            }
        }
        size_t len = s.p[i] != '\0' ? utf8_len(s.p + i, s.n - i) : 0;
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

static enum errc check_varint(const ProtobufCFieldDescriptor *fd, uint64_t v, const struct spot *s,
                              struct err *err)
{
    bool fits = true;
    switch (fd->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
        fits = v <= UINT32_MAX;
        break;
    case PROTOBUF_C_TYPE_INT32:
        fits = (int64_t)v >= INT32_MIN && (int64_t)v <= INT32_MAX;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if ((int64_t)v < INT32_MIN || (int64_t)v > INT32_MAX ||
            protobuf_c_enum_descriptor_get_value(fd->descriptor, (int)(int64_t)v) == NULL) {
            char what[80];
            snprintf(what, sizeof(what), "%" PRId64 " is not a value that is known here",
                     (int64_t)v);
            return refuse(err, s, what);
        }
        break;
    default:
        break;
    }
    return fits ? OK : refuse(err, s, "the number is too large for this field");
}

static enum pb_type type_on_wire(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PB_FIXED32;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PB_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PB_BYTES;
    default:
        return PB_VARINT;
    }
}

/* Numbers of a repeated field in one run. */
static enum errc check_packed(const ProtobufCFieldDescriptor *fd, struct str run,
                              const struct spot *s, struct err *err)
{
    enum pb_type type = type_on_wire(fd->type);
    if (type != PB_VARINT) {
        size_t size = type == PB_FIXED32 ? 4 : 8;
        return run.n % size == 0 ? OK : refuse(err, s, "the numbers are cut off");
    }
    for (size_t at = 0; at < run.n;) {
        uint64_t v;
        if (!varint_read(run, &at, &v)) {
            return refuse(err, s, "the numbers are cut off");
        }
        enum errc code = check_varint(fd, v, s, err);
        if (code != OK) {
            return code;
        }
    }
    return OK;
}

static enum errc check_message(const ProtobufCMessageDescriptor *d, struct str in,
                               const struct spot *s, struct err *err);

static enum errc check_field(const ProtobufCFieldDescriptor *fd, const struct pb_field *f,
                             const struct spot *s, struct err *err)
{
    enum pb_type type = type_on_wire(fd->type);
    if (f->type == PB_BYTES && type != PB_BYTES && fd->label == PROTOBUF_C_LABEL_REPEATED) {
        return check_packed(fd, f->bytes, s, err);
    }
    if (f->type != type) {
        return refuse(err, s, "the field is of another type");
    }
    switch (fd->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (s->index > 0 && !s->repeated) {
            return refuse(err, s, "the message is given twice"); /* (2) */
        }
        if (s->depth >= WIRE_DEPTH_MAX) {
            return refuse(err, s, "the messages are nested too deeply");
        }
        return check_message(fd->descriptor, f->bytes, s, err);
    case PROTOBUF_C_TYPE_STRING:
        return text_is_valid(f->bytes) ? OK
                                       : refuse(err, s, "the text is not UTF-8, or holds a NUL");
    case PROTOBUF_C_TYPE_BYTES:
        return OK;
    default:
        return type == PB_VARINT ? check_varint(fd, f->value, s, err) : OK;
    }
}

static enum errc check_message(const ProtobufCMessageDescriptor *d, struct str in,
                               const struct spot *s, struct err *err)
{
    uint32_t seen[FIELDS_MAX] = {0};
    assert(d->n_fields <= FIELDS_MAX);
    for (size_t at = 0; at < in.n;) {
        struct pb_field f;
        if (!pb_next(in, &at, &f)) {
            return refuse(err, s, "the bytes are not a protobuf message");
        }
        const ProtobufCFieldDescriptor *fd = protobuf_c_message_descriptor_get_field(d, f.number);
        if (fd == NULL) {
            continue;
        }
        struct spot here = {
            .up = s,
            .name = fd->name,
            .repeated = fd->label == PROTOBUF_C_LABEL_REPEATED,
            .index = seen[fd - d->fields]++,
            .depth = s == NULL ? 1 : s->depth + 1,
        };
        enum errc code = check_field(fd, &f, &here, err);
        if (code != OK) {
            return code;
        }
    }
    return OK;
}

struct budget {
    struct arena *arena;
    bool spent;
};

static void *budget_alloc(void *data, size_t n)
{
    struct budget *b = data;
    void *p = arena_alloc(b->arena, n);
    b->spent = b->spent || p == NULL;
    return p;
}

static void budget_free(void *data, void *p)
{
    (void)data; /* (3) */
    (void)p;
}

static enum errc too_large(struct err *err)
{
    return err_set(err, ERR_TOO_LARGE, "the message needs more memory than one may; send less");
}

enum errc wire_unpack(struct arena *a, const ProtobufCMessageDescriptor *d, struct str in,
                      void *ret, struct err *err)
{
    enum errc code = check_message(d, in, NULL, err);
    if (code != OK) {
        return code;
    }
    struct budget b = {.arena = a};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &allocator, in.n, (const uint8_t *)in.p);
    if (m == NULL) {
        return b.spent ? too_large(err)
                       : err_set(err, ERR_INTERNAL, "%s passed the check but did not unpack",
                                 d->name); /* against (2) */
    }
    *(void **)ret = m;
    return OK;
}

enum errc wire_array(struct arena *a, size_t n, size_t size, void *ret, struct err *err)
{
    void *p = NULL;
    if (n != 0) {
        p = n <= SIZE_MAX / size ? arena_alloc(a, n * size) : NULL;
        if (p == NULL) {
            return too_large(err);
        }
    }
    *(void **)ret = p;
    return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "field.h"
#include "store/base/random.h"
#include "target.h"

/* Field numbers: proto/watch/v1. */

static struct str name_of(char to[16], char first, uint64_t number)
{
    int n = snprintf(to, 16, "%c-%0*u", first, KEY_DIGITS, (unsigned)number);
    return (struct str){to, (size_t)n};
}

/* A message field of at most 127 bytes, whose size is known only behind it. */
static size_t open_field(struct buf *out, uint32_t number)
{
    buf_varint(out, (uint64_t)number << 3 | 2);
    buf_addc(out, 0);
    return out->n;
}

static void close_field(struct buf *out, size_t begin)
{
    out->p[begin - 1] = (char)(out->n - begin);
}

static void put(struct buf *out, uint64_t key, struct str doc)
{
    char name[16], request_id[16];
    size_t at = open_field(out, 1);
    field_put_bytes(out, 3, name_of(name, 'o', key));
    close_field(out, at);
    field_put_bytes(out, 2, doc);
    random_bytes(request_id, sizeof(request_id)); /* as our client library does */
    field_put_bytes(out, 7, (struct str){request_id, sizeof(request_id)});
}

static bool put_answer(struct str message, uint64_t *ret_rv)
{
    struct field f, g;
    bool found = false;
    for (size_t at = 0; field_next(message, &at, &f);) {
        if (f.number == 1) {
            for (size_t in = 0; field_next(f.bytes, &in, &g);) {
                if (g.number == 4) {
                    *ret_rv = g.value;
                    found = true;
                }
            }
        } else if (f.number == 2 && f.value == 3) {
            return false; /* WRITE_RESULT_UNCHANGED: the bench never writes the same twice */
        }
    }
    return found;
}

static void watch(struct buf *out, const struct watch_request *r)
{
    if (r->one) {
        char name[16];
        size_t at = open_field(out, 2);
        field_put_bytes(out, 4, name_of(name, 'x', r->other));
        close_field(out, at);
    }
    if (r->replay) {
        field_put_int(out, 4, r->since);
    } else {
        field_put_bytes(out, 6, STR_EMPTY);
    }
}

static bool read_event(struct str event, const struct watch_sink *sink)
{
    struct field f, g;
    uint64_t rv = 0, key = 0;
    for (size_t at = 0; field_next(event, &at, &f);) {
        if (f.number == 3) {
            for (size_t in = 0; field_next(f.bytes, &in, &g);) {
                if (g.number == 4) {
                    rv = g.value;
                } else if (g.number == 3) {
                    key = field_digits(g.bytes, KEY_DIGITS);
                }
            }
            break;
        }
    }
    sink->event(sink->arg, 0, rv, key);
    return rv != 0;
}

static bool watch_message(struct str message, const struct watch_sink *sink)
{
    struct field f, g;
    size_t at = 0;
    while (field_next(message, &at, &f)) {
        if (f.number == 5) {
            if (!read_event(f.bytes, sink)) {
                return false;
            }
        } else if (f.number == 2) {
            uint64_t head = 0;
            for (size_t in = 0; field_next(f.bytes, &in, &g);) {
                head = g.number == 4 ? g.value : head;
            }
            sink->started(sink->arg, 0, head);
        }
    }
    return at == message.n;
}

static void list(struct buf *out, struct str selector, struct str token)
{
    if (selector.n != 0) {
        size_t at = open_field(out, 1);
        field_put_bytes(out, 5, selector);
        close_field(out, at);
    }
    if (token.n != 0) {
        field_put_bytes(out, 3, token);
    }
}

static bool list_answer(struct str message, uint64_t *ret_objects, uint64_t *ret_bytes,
                        struct str *ret_token)
{
    struct field f;
    size_t at = 0;
    *ret_token = STR_EMPTY;
    while (field_next(message, &at, &f)) {
        if (f.number == 2) {
            *ret_objects += 1;
            *ret_bytes += f.bytes.n;
        } else if (f.number == 3) {
            *ret_token = f.bytes;
        }
    }
    return at == message.n;
}

static bool status_answer(struct str message, uint64_t *ret_head)
{
    struct field f;
    *ret_head = 0;
    for (size_t at = 0; field_next(message, &at, &f);) {
        *ret_head = f.number == 4 ? f.value : *ret_head;
    }
    return true;
}

const struct target target_watchd = {
    .name = "watchd",
    .put_path = "/watch.v1.ObjectService/Put",
    .watch_path = "/watch.v1.WatchService/Subscribe",
    .list_path = "/watch.v1.ObjectService/List",
    .status_path = "/watch.v1.AdminService/Status",
    .selects = true,
    .first_rv = 1,
    .put = put,
    .put_answer = put_answer,
    .watch = watch,
    .watch_message = watch_message,
    .list = list,
    .list_answer = list_answer,
    .status_answer = status_answer,
};

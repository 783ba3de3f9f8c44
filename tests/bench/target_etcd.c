/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "field.h"
#include "target.h"

/* Field numbers: etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto. */

#define PREFIX     "/objects/default/"
#define PREFIX_END "/objects/default0" /* the first key behind all with the prefix */

static struct str key_of(char to[32], char first, uint64_t number)
{
    int n = snprintf(to, 32, PREFIX "%c-%0*u", first, KEY_DIGITS, (unsigned)number);
    return (struct str){to, (size_t)n};
}

static void put(struct buf *out, uint64_t key, struct str doc)
{
    char name[32];
    field_put_bytes(out, 1, key_of(name, 'o', key));
    field_put_bytes(out, 2, doc);
}

static uint64_t header_revision(struct str header)
{
    struct field f;
    uint64_t revision = 0;
    for (size_t at = 0; field_next(header, &at, &f);) {
        revision = f.number == 3 ? f.value : revision;
    }
    return revision;
}

static bool put_answer(struct str message, uint64_t *ret_rv)
{
    struct field f;
    *ret_rv = 0;
    for (size_t at = 0; field_next(message, &at, &f);) {
        if (f.number == 1) {
            *ret_rv = header_revision(f.bytes);
        }
    }
    return *ret_rv != 0;
}

static void watch(struct buf *out, const struct watch_request *r)
{
    char memory[128], name[32];
    struct buf create = {.p = memory, .cap = sizeof(memory), .limit = sizeof(memory)};
    if (r->one) {
        field_put_bytes(&create, 1, key_of(name, 'x', r->other));
    } else {
        field_put_bytes(&create, 1, STR(PREFIX));
        field_put_bytes(&create, 2, STR(PREFIX_END));
    }
    if (r->replay) {
        field_put_int(&create, 3, r->since + 1);
    }
    field_put_int(&create, 7, r->id);
    field_put_bytes(out, 1, buf_str(&create));
}

static bool read_event(struct str event, uint64_t id, const struct watch_sink *sink)
{
    struct field f, g;
    uint64_t rv = 0, key = 0;
    for (size_t at = 0; field_next(event, &at, &f);) {
        if (f.number == 2) {
            for (size_t in = 0; field_next(f.bytes, &in, &g);) {
                if (g.number == 3) {
                    rv = g.value;
                    break; /* the value is behind it */
                }
                if (g.number == 1) {
                    key = field_digits(g.bytes, KEY_DIGITS);
                }
            }
            break;
        }
    }
    sink->event(sink->arg, id, rv, key);
    return rv != 0;
}

static bool watch_message(struct str message, const struct watch_sink *sink)
{
    struct field f;
    uint64_t id = 0, revision = 0;
    size_t at = 0;
    while (field_next(message, &at, &f)) {
        switch (f.number) {
        case 1:
            revision = header_revision(f.bytes);
            break;
        case 2:
            id = f.value;
            break;
        case 3:
            sink->started(sink->arg, id, revision);
            break;
        case 4:
            return false; /* canceled */
        case 11:
            if (!read_event(f.bytes, id, sink)) {
                return false;
            }
            break;
        default:
            break;
        }
    }
    return at == message.n;
}

/* A range over all keys, without a limit: one page. */
static void list(struct buf *out, struct str selector, struct str token)
{
    (void)selector;
    (void)token;
    field_put_bytes(out, 1, STR(PREFIX));
    field_put_bytes(out, 2, STR(PREFIX_END));
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
        }
    }
    return at == message.n;
}

static bool status_answer(struct str message, uint64_t *ret_head)
{
    return put_answer(message, ret_head);
}

const struct target target_etcd = {
    .name = "etcd",
    .put_path = "/etcdserverpb.KV/Put",
    .watch_path = "/etcdserverpb.Watch/Watch",
    .list_path = "/etcdserverpb.KV/Range",
    .status_path = "/etcdserverpb.Maintenance/Status",
    .multiplexes = true,
    .first_rv = 2,
    .put = put,
    .put_answer = put_answer,
    .watch = watch,
    .watch_message = watch_message,
    .list = list,
    .list_answer = list_answer,
    .status_answer = status_answer,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Every reader of the wire, chosen by the first byte. What is read must be writable, and what is
 * written must be readable; no input may spend more than the budget or get past the check only to
 * fail behind it (ERR_INTERNAL). */
#include <stdlib.h>

#include "proto/wire.h"

#define BUDGET    ((size_t)1024 * 1024)
#define BUF_LIMIT ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool held)
{
    if (!held) {
        abort();
    }
}

static volatile unsigned touched;

/* Reads every byte, so that a sanitizer sees a text that is not all there. */
static void touch(struct str s)
{
    unsigned sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        sum += (unsigned char)s.p[i];
    }
    touched = sum;
}

static void touch_key(const struct key *k)
{
    touch(k->resource);
    touch(k->ns);
    touch(k->name);
}

static void touch_object(const struct wire_object *o)
{
    touch_key(&o->key);
    touch(o->json);
}

struct run {
    struct arena arena, arena_again;
    struct str in;
    struct buf out;
    struct err err;
};

/* A reader's code, checked. */
static bool good(enum errc code)
{
    demand(code == OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
    return code == OK;
}

static void run_get(struct run *r)
{
    struct wire_get_request m;
    if (good(wire_read_get_request(&r->arena, r->in, &m, &r->err))) {
        touch_key(&m.key);
        wire_write_get_request(&m, &r->out);
        demand(wire_read_get_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_list(struct run *r)
{
    struct wire_list_request m;
    if (good(wire_read_list_request(&r->arena, r->in, &m, &r->err))) {
        touch(m.continue_token);
        wire_write_list_request(&m, &r->out);
        demand(wire_read_list_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void touch_write(const struct wire_write_request *m)
{
    touch_key(&m->key);
    touch(m->json);
    touch(m->request_id);
    demand(strlen(m->pre.uid) <= UUID_LEN);
}

static void run_put(struct run *r)
{
    struct wire_write_request m;
    if (good(wire_read_put_request(&r->arena, r->in, &m, &r->err))) {
        touch_write(&m);
        wire_write_put_request(&m, &r->out);
        demand(wire_read_put_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_patch(struct run *r)
{
    struct wire_write_request m;
    if (good(wire_read_patch_request(&r->arena, r->in, &m, &r->err))) {
        touch_write(&m);
        wire_write_patch_request(&m, &r->out);
        demand(wire_read_patch_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_delete(struct run *r)
{
    struct wire_write_request m;
    if (good(wire_read_delete_request(&r->arena, r->in, &m, &r->err))) {
        touch_write(&m);
        wire_write_delete_request(&m, &r->out);
        demand(wire_read_delete_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_delete_collection(struct run *r)
{
    struct wire_delete_collection_request m;
    if (good(wire_read_delete_collection_request(&r->arena, r->in, &m, &r->err))) {
        touch(m.continue_token);
        touch(m.field_manager);
        wire_write_delete_collection_request(&m, &r->out);
        demand(wire_read_delete_collection_request(&r->arena_again, buf_str(&r->out), &m,
                                                   &r->err) == OK);
    }
}

static void run_transact(struct run *r)
{
    struct wire_transact_request m;
    if (good(wire_read_transact_request(&r->arena, r->in, &m, &r->err))) {
        touch(m.request_id);
        for (size_t i = 0; i < m.n_operations; i++) {
            touch_write(&m.operations[i].write);
            demand(*wire_operation_word(m.operations[i].kind) != '\0');
        }
        wire_write_transact_request(&m, &r->out);
        size_t n = m.n_operations;
        demand(wire_read_transact_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
        demand(m.n_operations == n);
    }
}

static void run_history(struct run *r)
{
    struct wire_history_request m;
    if (good(wire_read_history_request(&r->arena, r->in, &m, &r->err))) {
        touch_key(&m.key);
        wire_write_history_request(&m, &r->out);
        demand(wire_read_history_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_subscribe(struct run *r)
{
    struct wire_subscribe_request m;
    if (good(wire_read_subscribe_request(&r->arena, r->in, &m, &r->err))) {
        touch(m.client_id);
        touch(m.resume);
        wire_write_subscribe_request(&m, &r->out);
        size_t n = m.n_selections;
        demand(wire_read_subscribe_request(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
        demand(m.n_selections == n);
    }
}

static void run_subscribe_response(struct run *r)
{
    struct wire_subscribe_response m;
    if (good(wire_read_subscribe_response(&r->arena, r->in, &m, &r->err))) {
        touch(m.position);
        for (size_t i = 0; i < m.n_events; i++) {
            touch_object(&m.events[i].object);
            touch_object(&m.events[i].previous);
        }
    }
}

static void run_write_response(struct run *r)
{
    struct wire_write_response m;
    if (good(wire_read_write_response(&r->arena, r->in, &m, &r->err))) {
        touch_object(&m.object);
        wire_write_write_response(&m, &r->out);
        demand(wire_read_write_response(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
    }
}

static void run_list_response(struct run *r)
{
    struct wire_list_response m;
    if (good(wire_read_list_response(&r->arena, r->in, &m, &r->err))) {
        for (size_t i = 0; i < m.n_objects; i++) {
            touch_object(&m.objects[i]);
        }
    }
}

static void run_get_response(struct run *r)
{
    struct wire_get_response m;
    if (good(wire_read_get_response(&r->arena, r->in, &m, &r->err))) {
        touch_object(&m.object);
    }
}

static void write_outcomes(const struct wire_write_response *outcomes, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        touch_object(&outcomes[i].object);
        touch(outcomes[i].uid);
        wire_append_outcome(&outcomes[i], out);
    }
}

static void run_delete_collection_response(struct run *r)
{
    struct wire_delete_collection_response m;
    if (good(wire_read_delete_collection_response(&r->arena, r->in, &m, &r->err))) {
        size_t n = m.n_outcomes;
        write_outcomes(m.outcomes, n, &r->out);
        wire_append_collection_end(m.continue_token, &r->out);
        demand(wire_read_delete_collection_response(&r->arena_again, buf_str(&r->out), &m,
                                                    &r->err) == OK);
        demand(m.n_outcomes == n);
    }
}

static void run_transact_response(struct run *r)
{
    struct wire_transact_response m;
    if (good(wire_read_transact_response(&r->arena, r->in, &m, &r->err))) {
        size_t n = m.n_outcomes;
        rv_t rv = m.rv;
        write_outcomes(m.outcomes, n, &r->out);
        wire_append_transaction_end(rv, &r->out);
        demand(wire_read_transact_response(&r->arena_again, buf_str(&r->out), &m, &r->err) == OK);
        demand(m.n_outcomes == n && m.rv == rv);
    }
}

static void run_history_response(struct run *r)
{
    struct wire_history_response m;
    if (good(wire_read_history_response(&r->arena, r->in, &m, &r->err))) {
        for (size_t i = 0; i < m.n; i++) {
            touch_object(&m.revisions[i].object);
            touch(m.revisions[i].manager);
        }
    }
}

static void run_unsubscribe(struct run *r)
{
    struct wire_unsubscribe_request m;
    if (good(wire_read_unsubscribe_request(&r->arena, r->in, &m, &r->err))) {
        demand((m.client_id.n == 0) != (m.subscription_id.n == 0));
    }
}

static void run_subscriptions(struct run *r)
{
    struct wire_subscription *v;
    size_t n;
    if (good(wire_read_list_subscriptions_response(&r->arena, r->in, &v, &n, &r->err))) {
        for (size_t i = 0; i < n; i++) {
            touch(v[i].peer);
            wire_append_subscription(&v[i], &r->out);
        }
        size_t again;
        demand(wire_read_list_subscriptions_response(&r->arena_again, buf_str(&r->out), &v, &again,
                                                     &r->err) == OK);
        demand(again == n);
    }
}

static void run_small(struct run *r)
{
    struct str text;
    uint32_t ended;
    uint64_t removed;
    rv_t rv;
    struct wire_status status;
    if (good(wire_read_unsubscribe_response(&r->arena, r->in, &ended, &r->err))) {
        wire_write_unsubscribe_response(ended, &r->out);
    }
    if (good(wire_read_compact_request(&r->arena, r->in, &rv, &r->err))) {
        wire_write_compact_request(rv, &r->out);
    }
    if (good(wire_read_compact_response(&r->arena, r->in, &removed, &rv, &r->err))) {
        wire_write_compact_response(removed, rv, &r->out);
    }
    if (good(wire_read_metrics_response(&r->arena, r->in, &text, &r->err))) {
        touch(text);
    }
    if (good(wire_read_request_bookmark_request(&r->arena, r->in, &text, &r->err))) {
        touch(text);
    }
    if (good(wire_read_list_subscriptions_request(&r->arena, r->in, &text, &r->err))) {
        touch(text);
    }
    if (good(wire_read_health_request(&r->arena, r->in, &text, &r->err))) {
        touch(text);
    }
    if (good(wire_read_status_response(&r->arena, r->in, &status, &r->err))) {
        touch(status.read_only_reason);
        wire_write_status_response(&status, &r->out);
    }
}

static void run_err(struct run *r)
{
    for (int status = 1; status <= 16; status++) {
        struct err e;
        struct err back;
        wire_read_err(status, STR("message"), r->in, &e);
        demand(e.code != OK && e.code < ERRC_COUNT);
        buf_clear(&r->out);
        wire_write_err(&e, &r->out);
        wire_read_err(err_info(e.code)->grpc, STR_EMPTY, buf_str(&r->out), &back);
        demand(back.code == e.code && strcmp(back.msg, e.msg) == 0);
        demand(strcmp(back.field, e.field) == 0 && back.retry_ms == e.retry_ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const runs[])(struct run *) = {
        run_get,
        run_list,
        run_put,
        run_patch,
        run_delete,
        run_subscribe,
        run_write_response,
        run_list_response,
        run_get_response,
        run_unsubscribe,
        run_subscriptions,
        run_small,
        run_err,
        run_subscribe_response,
        run_delete_collection,
        run_transact,
        run_history,
        run_delete_collection_response,
        run_transact_response,
        run_history_response,
    };
    if (size == 0) {
        return 0;
    }
    struct run r = {
        .in = {(const char *)data + 1, size - 1}
    };
    arena_init(&r.arena, BUDGET);
    arena_init(&r.arena_again, 2 * BUDGET);
    buf_init(&r.out, BUF_LIMIT);
    runs[data[0] % (sizeof(runs) / sizeof(runs[0]))](&r);
    arena_fini(&r.arena);
    arena_fini(&r.arena_again);
    buf_fini(&r.out);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/call.h"

#include <assert.h>
#include <stdlib.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include "server/lane.h"
#include "server/rpc.h"
#include "server/status.h"
#include "store/base/logline.h"
#include "store/base/metric.h"

/* Hostile bytes take up to 56 times their size in memory when decoded; honest ones take less than
 * this. */
#define ARENA_PER_BYTE 8
#define ARENA_BASE     (64 * 1024)
/* Below it a copy is cheaper than giving the buffer away. */
#define COPY_MAX 1024
/* Answers up to here are bounded by the number of calls. */
#define SMALL_ANSWER 4096

struct call *call_new(struct lane *l, const struct method *m)
{
    struct call *c = mem_zalloc(sizeof(*c));
    c->srv = l->srv;
    c->lane = l;
    c->method = m;
    c->caller.token = -1;
    c->flat = grpc_empty_slice();
    grpc_metadata_array_init(&c->metadata);
    if (m == NULL) {
        grpc_call_details_init(&c->details);
    }
    return c;
}

void call_free(struct call *c)
{
    struct rpc *rpc = c->srv->rpc;
    if (c->release != NULL) {
        c->release(c);
    }
    arena_fini(&c->arena);
    if (c->payload != NULL) {
        grpc_byte_buffer_destroy(c->payload);
    }
    grpc_slice_unref(c->flat);
    if (c->method == NULL) {
        grpc_call_details_destroy(&c->details);
    }
    grpc_metadata_array_destroy(&c->metadata);
    if (c->visit.weight > 0) {
        guard_leave(c->srv->guard, &c->visit, c->cancelled != 0, loop_now());
    }
    if (c->grpc != NULL) {
        grpc_call_unref(c->grpc);
    }
    free(c);
    rpc_let_go(rpc);
}

void *call_state(struct call *c, size_t n)
{
    c->state = arena_alloc(&c->arena, n);
    assert(c->state != NULL); /* asked for first, and ARENA_BASE is more than any state */
    memset(c->state, 0, n);
    return c->state;
}

struct str call_flatten(grpc_byte_buffer *b, grpc_slice *ret_flat)
{
    if (b->type == GRPC_BB_RAW && b->data.raw.compression == GRPC_COMPRESS_NONE &&
        b->data.raw.slice_buffer.count == 1) {
        grpc_slice *s = &b->data.raw.slice_buffer.slices[0];
        return (struct str){(const char *)GRPC_SLICE_START_PTR(*s), GRPC_SLICE_LENGTH(*s)};
    }
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, b)) {
        return STR_EMPTY;
    }
    *ret_flat = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return (struct str){(const char *)GRPC_SLICE_START_PTR(*ret_flat),
                        GRPC_SLICE_LENGTH(*ret_flat)};
}

grpc_slice call_slice(struct buf *b)
{
    grpc_slice s;
    if (b->n <= COPY_MAX) {
        s = grpc_slice_from_copied_buffer(b->p, b->n);
        buf_clear(b);
        return s;
    }
    s = grpc_slice_new(b->p, b->n, free);
    size_t limit = b->limit;
    buf_init(b, limit);
    return s;
}

/* The last batch: with it, every operation of the call is under way or done, and its tag is the
 * only one outstanding. */
static void answer(struct call *c, grpc_byte_buffer *message, const struct err *err,
                   const struct wire_more *more)
{
    struct status st;
    status_init_with(&st, err, more);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    size_t n = 1;
    if (message != NULL) {
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = message;
    }
    status_op(&st, &ops[n++]);
    ops[n].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[n++].data.recv_close_on_server.cancelled = &c->cancelled;
    loop_batch(c->grpc, ops, n, &c->on_answered);
    status_fini(&st);
}

static void free_here(struct task *t)
{
    call_free(CONTAINER(t, struct call, task));
}

static void answered(struct tag *t, bool ok)
{
    (void)ok;
    struct call *c = CONTAINER(t, struct call, on_answered);
    if (c->method != NULL && c->method->kind == METHOD_SUBSCRIBE) {
        call_return(c, free_here); /* its queue is read by another thread */
    } else {
        call_free(c);
    }
}

void call_fail(struct call *c, const struct err *err)
{
    call_fail_with(c, err, NULL);
}

void call_fail_with(struct call *c, const struct err *err, const struct wire_more *more)
{
    assert(err->code != OK);
    metric_add(M_CALLS_FAILED, 1);
    if (err->code == ERR_INTERNAL || err->code == ERR_DATA_LOSS) {
        log_error("a call failed method=%s reason=%s error=\"%s\"",
                  c->method != NULL ? c->method->path : "?", err_info(err->code)->reason, err->msg);
    }
    c->on_answered.fn = answered;
    answer(c, NULL, err, more);
}

void call_reply(struct call *c, struct buf *message)
{
    if (message->full) {
        struct err err;
        (void)err_set(&err, ERR_LIMIT, "the answer would be larger than %zu bytes", message->limit);
        call_fail(c, &err);
        return;
    }
    c->on_answered.fn = answered;
    if (message->n > SMALL_ANSWER) {
        guard_answer(c->srv->guard, &c->visit, message->n);
    }
    grpc_slice s = call_slice(message);
    grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&s, 1);
    grpc_slice_unref(s);
    answer(c, b, NULL, NULL);
    grpc_byte_buffer_destroy(b);
}

static void returned(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    c->task.run = c->then;
    returns_add(rpc_returns(c->srv->rpc), c->visit.fd, t);
}

void call_return(struct call *c, void (*fn)(struct task *t))
{
    c->then = fn;
    c->task.run = returned;
    loop_post(rpc_loop(c->srv->rpc), &c->task);
}

grpc_call *call_release(struct call *c, struct visit *ret_visit)
{
    grpc_call *grpc = TAKE(c->grpc);
    *ret_visit = c->visit;
    c->visit.weight = 0;
    call_free(c);
    return grpc;
}

static struct str authorization_of(const grpc_metadata_array *md)
{
    static const char key[] = "authorization";
    for (size_t i = 0; i < md->count; i++) {
        if (grpc_slice_str_cmp(md->metadata[i].key, key) == 0) {
            const grpc_slice *v = &md->metadata[i].value;
            return (struct str){(const char *)GRPC_SLICE_START_PTR(*v), GRPC_SLICE_LENGTH(*v)};
        }
    }
    return STR_EMPTY;
}

static enum errc check_caller(struct call *c, struct err *err)
{
    enum method_access access = c->method != NULL ? c->method->access : ACCESS_TOKEN;
    if (access == ACCESS_ALL) {
        return OK;
    }
    if (auth_check(c->srv->auth, authorization_of(&c->metadata), &c->caller, err) != OK) {
        metric_add(M_UNAUTHENTICATED, 1);
        return err->code;
    }
    if (access == ACCESS_ADMIN && !c->caller.admin) {
        return err_set(err, ERR_DENIED, "this call needs an admin token");
    }
    return OK;
}

static enum errc check_request(struct call *c, struct str *ret_in, struct err *err)
{
    *ret_in = STR_EMPTY;
    if (check_caller(c, err) != OK) {
        return err->code;
    }
    if (c->method == NULL) {
        return err_set(err, ERR_UNIMPLEMENTED, "there is no method %.*s here",
                       (int)(GRPC_SLICE_LENGTH(c->details.method) < 200
                                 ? GRPC_SLICE_LENGTH(c->details.method)
                                 : 200),
                       (const char *)GRPC_SLICE_START_PTR(c->details.method));
    }
    if (c->method->kind == METHOD_BIDI) {
        return OK;
    }
    if (c->payload == NULL) {
        return err_set(err, ERR_INVALID, "the request has no message");
    }
    *ret_in = call_flatten(c->payload, &c->flat);
    return OK;
}

void call_begin(struct call *c)
{
    metric_add(M_CALLS, 1);
    c->visit = guard_enter(c->srv->guard, c->grpc, &c->metadata);
    struct err err = {0};
    struct str in;
    if (check_request(c, &in, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    arena_init(&c->arena, ARENA_BASE + in.n * ARENA_PER_BYTE);
    c->method->handle(c, in);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Server reflection, v1 and v1alpha: a conversation, one answer for each question. One operation is
 * under way at a time. */
#include <assert.h>
#include <stdlib.h>

#include <grpc/byte_buffer.h>

#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/status.h"

#define CONVERSATIONS_MAX 200
#define ANSWER_MAX        (4 * 1024 * 1024)
#define ARENA_MAX         (1024 * 1024)

struct conversation {
    struct tag on_asked, on_answered, on_final;
    struct server *srv;
    grpc_call *call;
    struct visit visit;
    grpc_byte_buffer *question;
    int cancelled;
};

static size_t conversations; /* the I/O thread's */

static void conversation_free(struct conversation *v)
{
    struct server *srv = v->srv;
    conversations--;
    guard_leave(srv->guard, &v->visit, v->cancelled != 0, loop_now());
    grpc_call_unref(v->call);
    free(v);
    rpc_let_go(srv->rpc);
}

static void end(struct conversation *v, const struct err *err)
{
    struct status st;
    status_init(&st, err);
    grpc_op ops[2] = {{0}, {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};
    status_op(&st, &ops[0]);
    ops[1].data.recv_close_on_server.cancelled = &v->cancelled;
    loop_batch(v->call, ops, 2, &v->on_final);
    status_fini(&st);
}

static void ask(struct conversation *v)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &v->question;
    loop_batch(v->call, &op, 1, &v->on_asked);
}

static void asked(struct tag *t, bool ok)
{
    struct conversation *v = CONTAINER(t, struct conversation, on_asked);
    if (!ok || v->question == NULL) {
        end(v, NULL);
        return;
    }
    grpc_slice flat = grpc_empty_slice();
    struct str in = call_flatten(v->question, &flat);
    CLEANUP(arena_fini) struct arena arena;
    arena_init(&arena, ARENA_MAX);
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    struct err err = {0};
    enum errc e = wire_reflect(&arena, in, &out, &err);
    if (e == OK && out.full) {
        e = err_set(&err, ERR_LIMIT, "the answer is too large");
    }
    grpc_slice_unref(flat);
    grpc_byte_buffer_destroy(TAKE(v->question));
    if (e != OK) {
        end(v, &err);
        return;
    }
    grpc_slice slice = call_slice(&out);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    loop_batch(v->call, &op, 1, &v->on_answered);
    grpc_byte_buffer_destroy(message);
}

static void answered(struct tag *t, bool ok)
{
    struct conversation *v = CONTAINER(t, struct conversation, on_answered);
    if (!ok) {
        end(v, NULL);
    } else {
        ask(v);
    }
}

static void final(struct tag *t, bool ok)
{
    (void)ok;
    conversation_free(CONTAINER(t, struct conversation, on_final));
}

void reflection_info(struct call *c, struct str in)
{
    (void)in;
    if (conversations >= CONVERSATIONS_MAX) {
        struct err err;
        (void)err_set(&err, ERR_LIMIT, "too many clients use reflection at once; try again");
        call_fail(c, &err);
        return;
    }
    struct conversation *v = mem_zalloc(sizeof(*v));
    v->on_asked.fn = asked;
    v->on_answered.fn = answered;
    v->on_final.fn = final;
    v->srv = c->srv;
    conversations++;
    rpc_hold(v->srv->rpc);
    v->call = call_release(c, &v->visit);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_MESSAGE}};
    ops[1].data.recv_message.recv_message = &v->question;
    loop_batch(v->call, ops, 2, &v->on_asked);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Health, as load balancers ask for it: SERVING until a drain begins. Watches of it live on the I/O
 * thread: they are few, and send once or twice in their lives. */
#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <grpc/byte_buffer.h>

#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/status.h"

#define WATCHES_MAX 1000
#define ANSWER_MAX  64

struct health_stream {
    struct tag on_sent, on_closed, on_final;
    struct server *srv;
    grpc_call *call;
    struct visit visit;
    LIST_ENTRY(health_stream) link;
    bool known; /* the service is one of ours */
    bool greeted, sending, ended;
    int pending; /* tags outstanding */
    int cancelled;
};

LIST_HEAD(health_streams, health_stream);

struct health {
    bool draining;
    size_t n;
    struct health_streams streams;
};

struct health *health_new(void)
{
    struct health *h = mem_zalloc(sizeof(*h));
    LIST_INIT(&h->streams);
    return h;
}

void health_free(struct health *h)
{
    assert(h == NULL || h->n == 0);
    free(h);
}

struct lookup {
    struct str name;
    bool found;
};

static void look_at(void *arg, struct str name)
{
    struct lookup *l = arg;
    l->found = l->found || str_eq(l->name, name);
}

/* The empty name is the server as a whole. */
static bool is_service(struct str name)
{
    struct lookup l = {.name = name, .found = name.n == 0};
    if (!l.found) {
        wire_each_service(look_at, &l);
    }
    return l.found;
}

static enum wire_health state_of(const struct health *h)
{
    return h->draining ? WIRE_HEALTH_NOT_SERVING : WIRE_HEALTH_SERVING;
}

void health_check(struct call *c, struct str in)
{
    struct err err = {0};
    struct str service;
    if (wire_read_health_request(&c->arena, in, &service, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    if (!is_service(service)) {
        (void)err_field(&err, ERR_NOT_FOUND, "service", "there is no such service here");
        call_fail(c, &err);
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    wire_write_health_response(state_of(c->srv->health), &out);
    call_reply(c, &out);
}

/* ---- Watch ------------------------------------------------------------------------------------
 */

static void unref(struct health_stream *s)
{
    if (s->pending > 0) {
        return;
    }
    struct server *srv = s->srv;
    LIST_REMOVE(s, link);
    srv->health->n--;
    guard_leave(srv->guard, &s->visit, s->cancelled != 0, loop_now());
    grpc_call_unref(s->call);
    free(s);
    rpc_let_go(srv->rpc);
}

static void send_state(struct health_stream *s)
{
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    wire_write_health_response(s->known ? state_of(s->srv->health) : WIRE_HEALTH_UNKNOWN, &out);
    grpc_slice slice = call_slice(&out);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_op ops[2];
    size_t n = 0;
    if (!s->greeted) {
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
        s->greeted = true;
    }
    ops[n] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
    ops[n++].data.send_message.send_message = message;
    s->sending = true;
    s->pending++;
    loop_batch(s->call, ops, n, &s->on_sent);
    grpc_byte_buffer_destroy(message);
}

static void end(struct health_stream *s)
{
    struct err err;
    (void)err_set(&err, ERR_DRAINING, "the server is about to end");
    struct status st;
    status_init(&st, &err);
    grpc_op op;
    status_op(&st, &op);
    s->ended = true;
    s->pending++;
    loop_batch(s->call, &op, 1, &s->on_final);
    status_fini(&st);
}

/* A drain sends the new state, then the end. */
static void go_on(struct health_stream *s, bool told)
{
    if (s->ended || s->sending || !s->srv->health->draining) {
        return;
    }
    if (told) {
        end(s);
    } else {
        send_state(s);
    }
}

static void sent(struct tag *t, bool ok)
{
    struct health_stream *s = CONTAINER(t, struct health_stream, on_sent);
    s->pending--;
    s->sending = false;
    if (ok && !s->ended) {
        go_on(s, true);
    }
    unref(s);
}

static void final(struct tag *t, bool ok)
{
    (void)ok;
    struct health_stream *s = CONTAINER(t, struct health_stream, on_final);
    s->pending--;
    unref(s);
}

static void closed(struct tag *t, bool ok)
{
    (void)ok;
    struct health_stream *s = CONTAINER(t, struct health_stream, on_closed);
    s->pending--;
    s->ended = true;
    unref(s);
}

void health_watch(struct call *c, struct str in)
{
    struct err err = {0};
    struct str service;
    struct health *h = c->srv->health;
    if (wire_read_health_request(&c->arena, in, &service, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    if (h->n >= WATCHES_MAX) {
        (void)err_set(&err, ERR_LIMIT, "there are %d watches of the health already", WATCHES_MAX);
        call_fail(c, &err);
        return;
    }
    struct health_stream *s = mem_zalloc(sizeof(*s));
    s->on_sent.fn = sent;
    s->on_closed.fn = closed;
    s->on_final.fn = final;
    s->srv = c->srv;
    s->known = is_service(service);
    rpc_hold(s->srv->rpc);
    s->call = call_release(c, &s->visit);
    LIST_INSERT_HEAD(&h->streams, s, link);
    h->n++;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &s->cancelled;
    s->pending++;
    loop_batch(s->call, &op, 1, &s->on_closed);
    send_state(s);
}

void health_drain(struct health *h)
{
    h->draining = true;
    struct health_stream *s;
    LIST_FOREACH(s, &h->streams, link)
    {
        go_on(s, false);
    }
}

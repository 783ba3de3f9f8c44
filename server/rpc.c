/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Every request slot serves one call and is posted again as soon as it was taken, so that calls
 *     wait in gRPC core, which has no bound for them, only while this thread is busy.
 * (2) The server's own end is reported once its connections are gone; `over` is called when that
 *     is so and `held`, the slots, calls and streams of the I/O thread, is zero.
 * (3) A drain: watches come to rest, or are cut off; then connections are told to go away; then
 *     watches end. Not later, since many clients look at their connection only during a call. Not
 *     earlier, since with the last stream of such a connection gRPC core closes it, and the
 *     status of a stream that was cut off would never arrive. */
#include "server/rpc.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>

#include "server/call.h"
#include "server/fanout.h"
#include "server/services.h"
#include "store/base/logline.h"

#define MESSAGE_SLACK   (64 * 1024)
#define MIN_PING_MS     5000
#define CATCH_ALL_SLOTS 8
#define TURN_MS         1000

struct rpc {
    struct server *srv;
    struct loop loop;
    struct returns returns;
    grpc_server *grpc;
    grpc_server_credentials *plain;
    void **registered; /* as methods[] */
    pthread_t thread;
    bool draining;             /* the I/O thread's */
    bool leaving;              /* connections were told to go away */
    size_t fanouts_waited_for; /* for a step of the drain */
    _Atomic mono_ms_t quiet_since;
    bool server_over;
    bool told_over;
    bool stop;
    size_t held;
    struct tag on_server_over;
    struct task drain_task, stop_task;
    void (*over)(void *arg);
    void *over_arg;
};

struct loop *rpc_loop(struct rpc *r)
{
    return &r->loop;
}

struct returns *rpc_returns(struct rpc *r)
{
    return &r->returns;
}

bool rpc_is_draining(const struct rpc *r)
{
    return r->draining;
}

void rpc_hold(struct rpc *r)
{
    r->held++;
}

static void check_over(struct rpc *r)
{
    if (!r->leaving || r->held > 0 || r->fanouts_waited_for > 0 || r->told_over) {
        return;
    }
    if (r->server_over) { /* (2) */
        r->told_over = true;
        r->over(r->over_arg);
    } else if (atomic_load(&r->quiet_since) == 0) {
        atomic_store(&r->quiet_since, loop_now());
    }
}

void rpc_let_go(struct rpc *r)
{
    assert(r->held > 0);
    r->held--;
    check_over(r);
}

static void post(struct rpc *r, size_t method);
static void post_catch_all(struct rpc *r);

static void requested(struct tag *t, bool ok)
{
    struct call *c = CONTAINER(t, struct call, on_request);
    struct rpc *r = c->srv->rpc;
    if (!ok) {
        call_free(c);
        return;
    }
    if (c->method != NULL) { /* (1) */
        post(r, (size_t)(c->method - methods));
    } else {
        post_catch_all(r);
    }
    call_begin(c);
}

/* The thread with the fewest streams, those counted that may come in slots already posted. */
static struct fanout *least_loaded(struct server *srv)
{
    struct fanout *best = srv->fanouts[0];
    for (size_t i = 1; i < srv->n_fanouts; i++) {
        if (fanout_load(srv->fanouts[i]) < fanout_load(best)) {
            best = srv->fanouts[i];
        }
    }
    fanout_expect(best);
    return best;
}

static void post(struct rpc *r, size_t method)
{
    const struct method *m = &methods[method];
    struct call *c = call_new(r->srv, m);
    c->on_request.fn = requested;
    grpc_completion_queue *bound = r->loop.cq;
    if (m->kind == METHOD_SUBSCRIBE) {
        c->fanout = least_loaded(r->srv);
        bound = fanout_loop(c->fanout)->cq;
    }
    rpc_hold(r);
    loop_hand_over(&c->on_request);
    grpc_call_error e = grpc_server_request_registered_call(
        r->grpc, r->registered[method], &c->grpc, &c->deadline, &c->metadata,
        m->kind == METHOD_BIDI ? NULL : &c->payload, bound, r->loop.cq, &c->on_request);
    if (e != GRPC_CALL_OK) {
        log_error("gRPC refused a request slot error=%s", grpc_call_error_to_string(e));
        abort();
    }
}

/* Without it, calls of unknown methods would hang until their deadline. */
static void post_catch_all(struct rpc *r)
{
    struct call *c = call_new(r->srv, NULL);
    c->on_request.fn = requested;
    rpc_hold(r);
    loop_hand_over(&c->on_request);
    grpc_call_error e = grpc_server_request_call(r->grpc, &c->grpc, &c->details, &c->metadata,
                                                 r->loop.cq, r->loop.cq, &c->on_request);
    if (e != GRPC_CALL_OK) {
        log_error("gRPC refused a request slot error=%s", grpc_call_error_to_string(e));
        abort();
    }
}

/* Each filter of gRPC core costs every call: what is not needed is off. An idle limit for
 * connections (GRPC_ARG_MAX_CONNECTION_IDLE_MS) would be such a filter, too; those whose peer is
 * gone are found by pings, and their number is bounded where they are accepted. Deadlines are
 * watched by the clients that set them. */
static grpc_server *server_create(const struct config *cfg)
{
    const struct {
        const char *key;
        int64_t value;
    } settings[] = {
  /* With it, each unread stream would be given a window of 4 MB. */
        {GRPC_ARG_HTTP2_BDP_PROBE,                              0                                    },
        {GRPC_ARG_MAX_CONCURRENT_STREAMS,                       CONNECTION_STREAMS_MAX               },
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,                   cfg->max_object_bytes + MESSAGE_SLACK},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH,                      -1                                   },
        {GRPC_ARG_KEEPALIVE_TIME_MS,                            cfg->keepalive_ms                    },
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS,                         cfg->keepalive_timeout_ms            },
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,               1                                    },
        {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA,                 0                                    },
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, MIN_PING_MS                          },
        {GRPC_ARG_ALLOW_REUSEPORT,                              0                                    },
        {GRPC_ARG_ENABLE_CHANNELZ,                              0                                    },
        {GRPC_ARG_ENABLE_DEADLINE_CHECKS,                       0                                    },
    };
    grpc_arg args[sizeof(settings) / sizeof(settings[0])];
    size_t n = sizeof(settings) / sizeof(settings[0]);
    for (size_t i = 0; i < n; i++) {
        args[i] = (grpc_arg){.type = GRPC_ARG_INTEGER, .key = mem_strdup(settings[i].key)};
        args[i].value.integer = (int)settings[i].value;
    }
    grpc_channel_args all = {.num_args = n, .args = args};
    grpc_server *s = grpc_server_create(&all, NULL);
    for (size_t i = 0; i < n; i++) {
        free(args[i].key);
    }
    return s;
}

struct rpc *rpc_new(struct server *srv, void (*over)(void *arg), void *arg)
{
    struct rpc *r = mem_zalloc(sizeof(*r));
    r->srv = srv;
    r->over = over;
    r->over_arg = arg;
    loop_init(&r->loop, true);
    returns_init(&r->returns);
    r->grpc = server_create(srv->config);
    r->plain = grpc_insecure_server_credentials_create();
    grpc_server_register_completion_queue(r->grpc, r->loop.cq, NULL);
    r->registered = mem_alloc(methods_n * sizeof(void *));
    for (size_t i = 0; i < methods_n; i++) {
        r->registered[i] = grpc_server_register_method(
            r->grpc, methods[i].path, NULL,
            methods[i].kind == METHOD_BIDI ? GRPC_SRM_PAYLOAD_NONE
                                           : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
            0);
        assert(r->registered[i] != NULL);
    }
    return r;
}

static void *run(void *arg)
{
    struct rpc *r = arg;
    pthread_setname_np(pthread_self(), "io");
    while (!r->stop) {
        /* It comes back though gRPC core ends all calls by itself: the guard lives by that. */
        (void)loop_next(&r->loop, loop_now() + TURN_MS);
        guard_turn(r->srv->guard);
        loop_run_tasks(&r->loop);
        returns_run(&r->returns);
    }
    return NULL;
}

void rpc_start(struct rpc *r)
{
    grpc_server_start(r->grpc);
    for (size_t i = 0; i < methods_n; i++) {
        for (int k = 0; k < methods[i].slots; k++) {
            post(r, i);
        }
    }
    for (int k = 0; k < CATCH_ALL_SLOTS; k++) {
        post_catch_all(r);
    }
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        log_error("cannot start the I/O thread");
        abort();
    }
}

void rpc_add_connection(struct rpc *r, int fd)
{
    guard_connected(r->srv->guard, fd);
    grpc_server_add_channel_from_fd(r->grpc, fd, r->plain);
}

static void server_over(struct tag *t, bool ok)
{
    (void)ok;
    struct rpc *r = CONTAINER(t, struct rpc, on_server_over);
    r->server_over = true;
    check_over(r);
}

static void watches_ended(struct task *t)
{
    struct rpc *r = CONTAINER(t, struct fanout, phase_task)->srv->rpc;
    r->fanouts_waited_for--;
    check_over(r);
}

static void watches_rest(struct task *t)
{
    struct rpc *r = CONTAINER(t, struct fanout, phase_task)->srv->rpc;
    r->fanouts_waited_for--;
    if (r->fanouts_waited_for > 0) {
        return;
    }
    r->on_server_over.fn = server_over;
    loop_hand_over(&r->on_server_over);
    grpc_server_shutdown_and_notify(r->grpc, r->loop.cq, &r->on_server_over);
    r->leaving = true;
    r->fanouts_waited_for = r->srv->n_fanouts;
    for (size_t i = 0; i < r->srv->n_fanouts; i++) {
        fanout_drain(r->srv->fanouts[i], watches_ended);
    }
}

static void drain(struct task *t)
{
    struct rpc *r = CONTAINER(t, struct rpc, drain_task); /* (3) */
    r->draining = true;
    health_drain(r->srv->health);
    r->fanouts_waited_for = r->srv->n_fanouts;
    for (size_t i = 0; i < r->srv->n_fanouts; i++) {
        fanout_freeze(r->srv->fanouts[i], watches_rest);
    }
}

mono_ms_t rpc_quiet_since(const struct rpc *r)
{
    return atomic_load(&r->quiet_since);
}

void rpc_drain(struct rpc *r)
{
    r->drain_task.run = drain;
    loop_post(&r->loop, &r->drain_task);
}

void rpc_cancel_all(struct rpc *r)
{
    grpc_server_cancel_all_calls(r->grpc);
}

static void stop(struct task *t)
{
    CONTAINER(t, struct rpc, stop_task)->stop = true;
}

void rpc_stop(struct rpc *r)
{
    r->stop_task.run = stop;
    loop_post(&r->loop, &r->stop_task);
    pthread_join(r->thread, NULL);
}

void rpc_free(struct rpc *r)
{
    if (r == NULL) {
        return;
    }
    grpc_server_destroy(r->grpc);
    grpc_server_credentials_release(r->plain);
    loop_fini(&r->loop);
    returns_fini(&r->returns);
    free(r->registered);
    free(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) The end of a lane is reported once its connections are gone; `over` is called when that is so
 *     of all and `held`, the slots, calls and streams of the I/O thread, is zero.
 * (2) A drain: watches come to rest, or are cut off; then connections are told to go away; then
 *     watches end. Not later, since many clients look at their connection only during a call. Not
 *     earlier, since with the last stream of such a connection gRPC core closes it, and the
 *     status of a stream that was cut off would never arrive. */
#include "server/rpc.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include <grpc/grpc_security.h>

#include "server/lane.h"
#include "server/services.h"
#include "store/base/logline.h"

#define TURN_MS 1000

struct rpc {
    struct server *srv;
    struct loop loop;
    struct returns returns;
    struct lanes lanes;
    grpc_server_credentials *plain;
    pthread_t thread;
    bool draining;             /* the I/O thread's */
    bool leaving;              /* connections were told to go away */
    size_t fanouts_waited_for; /* for a step of the drain */
    _Atomic mono_ms_t quiet_since;
    size_t lanes_over;
    bool told_over;
    bool stop;
    size_t held;
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
    if (r->lanes_over == r->lanes.n) { /* (1) */
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

struct rpc *rpc_new(struct server *srv, void (*over)(void *arg), void *arg)
{
    struct rpc *r = mem_zalloc(sizeof(*r));
    r->srv = srv;
    r->over = over;
    r->over_arg = arg;
    loop_init(&r->loop, true);
    returns_init(&r->returns);
    lanes_init(&r->lanes, srv, r->loop.cq);
    r->plain = grpc_insecure_server_credentials_create();
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
    lanes_start(&r->lanes);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        log_error("cannot start the I/O thread");
        abort();
    }
}

void rpc_add_connection(struct rpc *r, int fd)
{
    guard_connected(r->srv->guard, fd);
    lanes_give(&r->lanes, fd, r->plain);
}

static void lane_over(struct tag *t, bool ok)
{
    (void)ok;
    struct rpc *r = CONTAINER(t, struct lane, on_over)->srv->rpc;
    r->lanes_over++;
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
    lanes_shut_down(&r->lanes, r->loop.cq, lane_over);
    r->leaving = true;
    r->fanouts_waited_for = r->srv->n_fanouts;
    for (size_t i = 0; i < r->srv->n_fanouts; i++) {
        fanout_drain(r->srv->fanouts[i], watches_ended);
    }
}

static void drain(struct task *t)
{
    struct rpc *r = CONTAINER(t, struct rpc, drain_task); /* (2) */
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
    lanes_cancel_all(&r->lanes);
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
    lanes_fini(&r->lanes);
    grpc_server_credentials_release(r->plain);
    loop_fini(&r->loop);
    returns_fini(&r->returns);
    free(r);
}

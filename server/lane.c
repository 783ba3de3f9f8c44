/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Every request slot serves one call and is posted again as soon as it was taken, so that calls
 *     wait in gRPC core, which has no bound for them, only while the I/O thread is busy. */
#include "server/lane.h"

#include <assert.h>
#include <stdlib.h>

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>

#include "server/rpc.h"
#include "store/base/logline.h"

#define MESSAGE_SLACK   (64 * 1024)
#define MIN_PING_MS     5000
#define CATCH_ALL_SLOTS 8

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

/* ---- Places for calls ------------------------------------------------------------------------ */

static void check_posted(grpc_call_error e)
{
    if (e != GRPC_CALL_OK) {
        log_error("gRPC refused a request slot error=%s", grpc_call_error_to_string(e));
        abort();
    }
}

static void post(struct lane *l, const struct method *m);
static void post_catch_all(struct lane *l);

static void requested(struct tag *t, bool ok)
{
    struct call *c = CONTAINER(t, struct call, on_request);
    if (!ok) {
        call_free(c);
        return;
    }
    if (c->method != NULL) { /* (1) */
        post(c->lane, c->method);
    } else {
        post_catch_all(c->lane);
    }
    call_begin(c);
}

static struct call *place(struct lane *l, const struct method *m)
{
    struct call *c = call_new(l, m);
    c->on_request.fn = requested;
    rpc_hold(l->srv->rpc);
    loop_hand_over(&c->on_request);
    return c;
}

static void post(struct lane *l, const struct method *m)
{
    struct call *c = place(l, m);
    grpc_completion_queue *io = rpc_loop(l->srv->rpc)->cq;
    bool watch = m->kind == METHOD_SUBSCRIBE;
    check_posted(grpc_server_request_registered_call(
        l->grpc, l->registered[m - methods], &c->grpc, &c->deadline, &c->metadata,
        m->kind == METHOD_BIDI ? NULL : &c->payload, watch ? fanout_loop(l->fanout)->cq : io, io,
        &c->on_request));
}

/* Without it, calls of unknown methods would hang until their deadline. */
static void post_catch_all(struct lane *l)
{
    struct call *c = place(l, NULL);
    grpc_completion_queue *io = rpc_loop(l->srv->rpc)->cq;
    check_posted(grpc_server_request_call(l->grpc, &c->grpc, &c->details, &c->metadata, io, io,
                                          &c->on_request));
}

static size_t share(size_t slots, size_t lanes)
{
    return (slots + lanes - 1) / lanes;
}

void lanes_start(struct lanes *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        struct lane *l = &ls->all[i];
        grpc_server_start(l->grpc);
        for (size_t m = 0; m < methods_n; m++) {
            for (size_t k = share((size_t)methods[m].slots, ls->n); k > 0; k--) {
                post(l, &methods[m]);
            }
        }
        for (size_t k = share(CATCH_ALL_SLOTS, ls->n); k > 0; k--) {
            post_catch_all(l);
        }
    }
}

/* ---- Connections ------------------------------------------------------------------------------
 */

/* Connections count besides streams, since those that just came have none yet. */
static size_t busy(const struct lane *l)
{
    return l->connections + atomic_load_explicit(&l->fanout->streams, memory_order_relaxed);
}

/* What became of a connection is not heard of here; one whose descriptor is given again is gone. */
void lanes_give(struct lanes *ls, int fd, grpc_server_credentials *credentials)
{
    ls->by_fd = mem_reach(ls->by_fd, &ls->cap, (size_t)fd, sizeof(struct lane *));
    if (ls->by_fd[fd] != NULL) {
        ls->by_fd[fd]->connections--;
    }
    struct lane *least = &ls->all[0];
    for (size_t i = 1; i < ls->n; i++) {
        if (busy(&ls->all[i]) < busy(least)) {
            least = &ls->all[i];
        }
    }
    least->connections++;
    ls->by_fd[fd] = least;
    grpc_server_add_channel_from_fd(least->grpc, fd, credentials);
}

/* ---- Beginning and end ------------------------------------------------------------------------
 */

static void lane_init(struct lane *l, struct server *srv, struct fanout *f,
                      grpc_completion_queue *queue)
{
    l->srv = srv;
    l->fanout = f;
    l->grpc = server_create(srv->config);
    grpc_server_register_completion_queue(l->grpc, queue, NULL);
    l->registered = mem_alloc(methods_n * sizeof(void *));
    for (size_t i = 0; i < methods_n; i++) {
        l->registered[i] = grpc_server_register_method(
            l->grpc, methods[i].path, NULL,
            methods[i].kind == METHOD_BIDI ? GRPC_SRM_PAYLOAD_NONE
                                           : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
            0);
        assert(l->registered[i] != NULL);
    }
}

void lanes_init(struct lanes *ls, struct server *srv, grpc_completion_queue *queue)
{
    *ls = (struct lanes){.n = srv->n_fanouts};
    ls->all = mem_zalloc(ls->n * sizeof(*ls->all));
    for (size_t i = 0; i < ls->n; i++) {
        lane_init(&ls->all[i], srv, srv->fanouts[i], queue);
    }
}

void lanes_shut_down(struct lanes *ls, grpc_completion_queue *queue,
                     void (*over)(struct tag *t, bool ok))
{
    for (size_t i = 0; i < ls->n; i++) {
        struct lane *l = &ls->all[i];
        l->on_over.fn = over;
        loop_hand_over(&l->on_over);
        grpc_server_shutdown_and_notify(l->grpc, queue, &l->on_over);
    }
}

void lanes_cancel_all(struct lanes *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        grpc_server_cancel_all_calls(ls->all[i].grpc);
    }
}

void lanes_fini(struct lanes *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        grpc_server_destroy(ls->all[i].grpc);
        free(ls->all[i].registered);
    }
    free(ls->all);
    free(ls->by_fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: the connections whose watches one fan-out thread sends for, and a server object of gRPC
 * core that is theirs alone. For a call is bound to the queue of its thread before it is known on
 * which connection it comes; and two threads that send on one connection wait for each other, and
 * wake its peer twice as often.
 * Owned by the RPC server. */
#ifndef WATCHD_SERVER_LANE_H
#define WATCHD_SERVER_LANE_H

#include "server/call.h"
#include "server/fanout.h"

struct lane {
    struct server *srv;
    struct fanout *fanout;
    grpc_server *grpc;
    void **registered;  /* as methods[] */
    size_t connections; /* main's; see lanes_give */
    struct tag on_over;
};

struct lanes {
    struct lane *all; /* one for each fan-out thread */
    size_t n;
    struct lane **by_fd; /* main's: whose the last connection with this descriptor was */
    size_t cap;
};

/* `queue`: what they hear of calls on; it outlives them. Threads: main. */
void lanes_init(struct lanes *ls, struct server *srv, grpc_completion_queue *queue);
/* They were shut down. Threads: main, which is the only one left. */
void lanes_fini(struct lanes *ls);
/* Posts a place for each call that may come; they are taken from now on. Before the I/O thread. */
void lanes_start(struct lanes *ls);
/* Hands a connected socket, which must not block, over to the lane with the least to do.
 * Threads: main. */
void lanes_give(struct lanes *ls, int fd, grpc_server_credentials *credentials);
/* The peers are told to go elsewhere, no more calls are taken; `over` is run for each lane's
 * on_over when its connections are gone. Threads: the I/O thread. */
void lanes_shut_down(struct lanes *ls, grpc_completion_queue *queue,
                     void (*over)(struct tag *t, bool ok));
/* Threads: any, once they are being shut down. */
void lanes_cancel_all(struct lanes *ls);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The RPC server: gRPC core's server object, the I/O thread with the one queue that polls, and the
 * requests posted for each method.
 * Owned by main. Threads: as said. */
#ifndef WATCHD_SERVER_RPC_H
#define WATCHD_SERVER_RPC_H

#include "server/returns.h"
#include "server/server.h"

struct rpc;

/* Needs srv->fanouts: calls of watches are bound to their queues. `over(arg)` runs on the I/O
 * thread when a drain has come to its end and no call is left. */
struct rpc *rpc_new(struct server *srv, void (*over)(void *arg), void *arg);
/* Starts the I/O thread; calls are taken from now on. */
void rpc_start(struct rpc *r);
/* The I/O thread's loop. */
struct loop *rpc_loop(struct rpc *r);
/* What came back to it, run after the loop's tasks. Threads: the I/O thread. */
struct returns *rpc_returns(struct rpc *r);
/* Hands a connected socket over, which must not block. Threads: main. */
void rpc_add_connection(struct rpc *r, int fd);

/* Watches are ended with a reason and new ones refused, peers are told to go elsewhere, and calls
 * are no longer taken. Threads: main. */
void rpc_drain(struct rpc *r);
/* Since when all that is left of a drain is connections without calls; 0: there is more. Peers that
 * do not look at theirs keep them open. Threads: main. */
mono_ms_t rpc_quiet_since(const struct rpc *r);
/* Cancels what is left, watches too. Threads: main. */
void rpc_cancel_all(struct rpc *r);
/* After `over`: ends the I/O thread. Threads: main. */
void rpc_stop(struct rpc *r);
/* The fan-out threads have ended. NULL is fine. */
void rpc_free(struct rpc *r);

/* Something that must be over before the server is: calls, and streams on the I/O thread. */
void rpc_hold(struct rpc *r);
void rpc_let_go(struct rpc *r);
bool rpc_is_draining(const struct rpc *r);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The guard: counts what each connection has open here, and cuts one off that has more open,
 * cancels more, or leaves more unread, than an honest client can. For gRPC core has no bound of its
 * own: a peer that did not acknowledge our settings may open as many streams as it likes, each
 * costs 13 KB until we let go of it, and one that was reset at once costs as much. It does not
 * matter who the peer is: this comes before any look at tokens. Owned by the server; one at a time.
 * Threads: any. See: CVE-2023-44487; RFC 9113, 10.5. */
#ifndef WATCHD_SERVER_GUARD_H
#define WATCHD_SERVER_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include <grpc/grpc.h>

#include "store/base/clock.h"

#define CONNECTION_STREAMS_MAX 4096 /* what peers are told */

struct guard;

struct guard *guard_new(void);
void guard_free(struct guard *g); /* NULL is fine. */

/* A connection was accepted, and gRPC core does not have it yet; what is known of an earlier one
 * with this descriptor is forgotten. */
void guard_connected(struct guard *g, int fd);

/* The I/O thread has heard of all that was read until then, as far as it will. */
void guard_turn(struct guard *g);

/* A call's place in the counts. Its connection's descriptor stays open as long as the call lives,
 * so that it is left before the call is let go of. */
struct visit {
    int fd;          /* 0: of no connection that is known */
    uint32_t weight; /* 1, and more for uncommonly large metadata */
    bool bounded;    /* there is another limit for calls like it */
    size_t answer;   /* bytes of it that wait to be read */
};

struct visit guard_enter(struct guard *g, grpc_call *call, const grpc_metadata_array *metadata);
/* From now on it counts for its connection only, not for the server: it is a watch. */
void guard_bounded(struct guard *g, struct visit *v);
/* So many bytes of answer are on their way until it is left. A connection is cut off whose peer
 * lets too many lie. */
void guard_answer(struct guard *g, struct visit *v, size_t bytes);
void guard_leave(struct guard *g, const struct visit *v, bool cancelled, mono_ms_t now);

/* gRPC core reads from its sockets by this name, so that it sees nothing which was not looked at
 * here: while it has more to read it comes back to nobody, and what it makes of it only grows. For
 * a connection that was cut off it is at its end. */
ssize_t recvmsg(int fd, struct msghdr *m, int flags);

#endif

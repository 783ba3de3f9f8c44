/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of one fan-out thread's streams, and which of these have something to send. A
 * thread sends for one connection after the other: what belongs together stays in the caches and
 * goes out together (cork.h), and whoever is first waits for its own messages only, not for the
 * whole pass.
 * Owned by a fan-out thread; its own only. */
#ifndef WATCHD_SERVER_CONNS_H
#define WATCHD_SERVER_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct stream;
TAILQ_HEAD(stream_queue, stream);

struct conn {
    int fd;
    uint32_t streams; /* it is freed with the last one */
    uint32_t n_ready;
    struct stream_queue ready; /* oldest first */
};

struct conns {
    struct conn **by_fd;
    uint64_t *ready;   /* a bit for each descriptor: there are ready streams */
    size_t cap, words; /* lengths of by_fd and of ready */
    size_t n_ready;    /* connections */
    size_t at;         /* the one that was served last */
};

void conns_init(struct conns *cs);
void conns_fini(struct conns *cs);

/* A stream of this connection begins, or ends. */
struct conn *conns_join(struct conns *cs, int fd);
void conns_leave(struct conns *cs, struct conn *c);

/* The stream, which joined, has something to send, or no more. */
void conns_add_ready(struct conns *cs, struct stream *s);
void conns_remove_ready(struct conns *cs, struct stream *s);

/* The next connection that has ready streams; NULL: there is none. Each comes in its turn. */
struct conn *conns_next(struct conns *cs);

#endif

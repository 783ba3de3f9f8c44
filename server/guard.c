/* SPDX-License-Identifier: Apache-2.0 */
/* (1) A connection may have a quarter more open than it is told, since it may begin the next stream
 *     before we have let go of the last one.
 * (2) Calls that the peer cancels fill a bucket, which holds twice as many as a connection may have
 *     open and loses CANCELS_PER_S: to cancel all at once is fine, to do nothing else is not.
 * (3) Between two turns of the I/O thread nobody is answered, so what an honest peer may open in
 *     that time is bounded like what it may have open.
 * (4) Calls of all connections that are no watches are bounded together; above that, the connection
 *     with the most of them goes.
 * (5) A call whose request is not complete does not come to us, yet it is there: those are counted
 *     by the frames.
 * (6) A peer waits for the answer to its ping before it sends another. What gRPC core holds against
 *     each that comes too early is quadratic in those it reads at once.
 * (7) Answers wait here until the peer makes room for them, which it may never do. */
#include "server/guard.h"

#include <errno.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/address.h"
#include "server/frames.h"
#include "store/base/logline.h"
#include "store/base/mem.h"
#include "store/base/metric.h"

#define OPEN_MAX         (CONNECTION_STREAMS_MAX + CONNECTION_STREAMS_MAX / 4)
#define CANCELS_MAX      (2 * CONNECTION_STREAMS_MAX)
#define CANCELS_PER_S    (CONNECTION_STREAMS_MAX / 4)
#define PINGS_MAX        32                    /* (6): read at once */
#define ANSWERS_MAX      ((uint64_t)256 << 20) /* (7): bytes of a connection */
#define METADATA_ENTRIES 16                    /* more, or larger ones, count as another call */
#define METADATA_BYTES   8192

/* What all connections together may have only so much of; above that, the one with the most goes.
 */
enum held {
    HELD_CALLS,   /* (4): weights of those that are no watches */
    HELD_ANSWERS, /* (7): bytes */
    HELD_KINDS
};

static const struct {
    uint64_t max;
    const char *why;
} together[HELD_KINDS] = {
    [HELD_CALLS] = {4 * CONNECTION_STREAMS_MAX,
                    "all connections together have too many calls open"                         },
    [HELD_ANSWERS] = {(uint64_t)1 << 30,          "all connections together leave too much unread"},
};

struct guest {
    uint32_t open;    /* weights of its calls */
    uint32_t cancels; /* (2) */
    uint64_t held[HELD_KINDS];
    mono_ms_t drained; /* when the bucket last lost some */
    struct frames frames;
    uint32_t unended; /* requests, as counted */
    uint32_t turn;    /* (3): of frames.cost */
    ino_t socket;     /* tells it from a later user of its descriptor */
    bool watched;     /* it is a connection of ours */
    bool cut;
};

struct guard {
    pthread_mutex_t mu; /* taken alone */
    struct guest *by_fd;
    size_t cap;
    uint64_t held[HELD_KINDS]; /* by all guests, but those cut off */
    _Atomic uint32_t turn;
};

static _Atomic(struct guard *) the_guard; /* recvmsg's */

struct guard *guard_new(void)
{
    struct guard *g = mem_zalloc(sizeof(*g));
    pthread_mutex_init(&g->mu, NULL);
    atomic_store(&the_guard, g);
    return g;
}

void guard_free(struct guard *g)
{
    if (g == NULL) {
        return;
    }
    atomic_store(&the_guard, NULL);
    pthread_mutex_destroy(&g->mu);
    for (size_t i = 0; i < g->cap; i++) {
        frames_fini(&g->by_fd[i].frames);
    }
    free(g->by_fd);
    free(g);
}

static struct guest *guest_of(struct guard *g, int fd)
{
    g->by_fd = mem_reach(g->by_fd, &g->cap, (size_t)fd, sizeof(*g->by_fd));
    return &g->by_fd[fd];
}

/* It has `more` and no longer `less`. */
static void count(struct guard *g, struct guest *c, enum held what, uint64_t more, uint64_t less)
{
    c->held[what] = c->held[what] + more - less;
    if (!c->cut) {
        g->held[what] = g->held[what] + more - less;
    }
}

static void count_unended(struct guard *g, struct guest *c)
{
    uint32_t n = (uint32_t)c->frames.n_unended;
    count(g, c, HELD_CALLS, n, c->unended);
    c->unended = n;
}

/* Its requests will not come to their end. */
static void end_frames(struct guard *g, struct guest *c)
{
    frames_fini(&c->frames);
    count_unended(g, c);
}

/* 0: the descriptor is no socket, or closed. */
static ino_t socket_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/* What it still has is about to go, and does not count for all together any more. */
static void forget(struct guard *g, struct guest *c)
{
    c->cut = true;
    for (size_t i = 0; i < HELD_KINDS; i++) {
        g->held[i] -= c->held[i];
    }
}

static void cut(struct guard *g, struct guest *c, int fd, const char *why)
{
    if (c->cut) {
        return;
    }
    forget(g, c);
    struct peer peer;
    CLEANUP(buf_fini) struct buf name;
    buf_init(&name, 128);
    peer_of_socket(fd, &peer);
    peer_show(&peer, &name);
    log_warn("a connection was cut off peer=%.*s open=%u unended=%u cancelled=%u reason=\"%s\"",
             STR_ARG(buf_str(&name)), c->open, c->unended, c->cancels, why);
    metric_add(M_CONNECTIONS_CUT, 1);
    (void)shutdown(fd, SHUT_RDWR);
}

/* A connection that gRPC core closed by itself still counts, until it is looked at here. */
static void cut_worst(struct guard *g, enum held what)
{
    while (g->held[what] > together[what].max) {
        size_t worst = 0;
        for (size_t i = 1; i < g->cap; i++) {
            uint64_t most = worst != 0 ? g->by_fd[worst].held[what] : 0;
            if (!g->by_fd[i].cut && g->by_fd[i].held[what] > most) {
                worst = i;
            }
        }
        if (worst == 0) {
            return;
        }
        struct guest *c = &g->by_fd[worst];
        if (c->socket == socket_of((int)worst)) {
            cut(g, c, (int)worst, together[what].why);
        } else {
            end_frames(g, c);
            forget(g, c);
        }
    }
}

void guard_turn(struct guard *g)
{
    atomic_fetch_add_explicit(&g->turn, 1, memory_order_relaxed);
}

void guard_connected(struct guard *g, int fd)
{
    pthread_mutex_lock(&g->mu);
    struct guest *c = guest_of(g, fd);
    c->cancels = 0;
    end_frames(g, c);
    frames_init(&c->frames, OPEN_MAX);
    c->socket = socket_of(fd);
    c->watched = true;
    c->cut = false;
    pthread_mutex_unlock(&g->mu);
}

/* (3), (5), (6) False: the connection is cut off. */
static bool pass(struct guard *g, struct guest *c, int fd, const struct msghdr *m, size_t n)
{
    uint32_t turn = atomic_load_explicit(&g->turn, memory_order_relaxed);
    if (c->turn != turn) {
        c->turn = turn;
        c->frames.cost = 0;
    }
    c->frames.pings = 0;
    bool few = true;
    for (size_t i = 0; i < m->msg_iovlen && n > 0 && few; i++) {
        const struct iovec *v = &m->msg_iov[i];
        size_t k = v->iov_len < n ? v->iov_len : n;
        few = frames_pass(&c->frames, v->iov_base, k);
        n -= k;
    }
    count_unended(g, c);
    if (c->frames.cost > OPEN_MAX) {
        cut(g, c, fd, "it begins more calls at once than it may have open");
    } else if (c->frames.pings > PINGS_MAX) {
        cut(g, c, fd, "it sends pings without end");
    } else if (!few || c->open + c->unended > OPEN_MAX) {
        cut(g, c, fd, "it has too many calls open");
    } else {
        cut_worst(g, HELD_CALLS);
    }
    return !c->cut;
}

/* Was this the last that is read from a connection? */
static bool is_its_end(ssize_t n, int error)
{
    return n == 0 || (n < 0 && error != EAGAIN && error != EWOULDBLOCK && error != EINTR);
}

/* Overrides the C library's. */
__attribute__((visibility("default"))) ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    ssize_t n = syscall(SYS_recvmsg, fd, m, flags);
    int error = errno;
    struct guard *g = atomic_load_explicit(&the_guard, memory_order_acquire);
    bool ended = is_its_end(n, error);
    if ((n < 0 && !ended) || fd <= 0 || g == NULL || (flags & (MSG_ERRQUEUE | MSG_PEEK)) != 0) {
        return n;
    }
    pthread_mutex_lock(&g->mu);
    struct guest *c = guest_of(g, fd);
    if (ended) {
        end_frames(g, c);
    } else if (c->watched && (c->cut || !pass(g, c, fd, m, (size_t)n))) {
        end_frames(g, c);
        n = 0;
    }
    pthread_mutex_unlock(&g->mu);
    errno = error;
    return n;
}

static uint32_t weight_of(const grpc_metadata_array *metadata)
{
    size_t bytes = 0;
    for (size_t i = 0; i < metadata->count; i++) {
        bytes += GRPC_SLICE_LENGTH(metadata->metadata[i].key) +
                 GRPC_SLICE_LENGTH(metadata->metadata[i].value);
    }
    return (uint32_t)(1 + metadata->count / METADATA_ENTRIES + bytes / METADATA_BYTES);
}

/* gRPC core calls a connection that it was handed "fd:N". */
static int fd_of(grpc_call *call)
{
    char *name = grpc_call_get_peer(call);
    long fd = strncmp(name, "fd:", 3) == 0 ? strtol(name + 3, NULL, 10) : 0;
    gpr_free(name);
    return fd > 0 && fd < INT32_MAX ? (int)fd : 0;
}

struct visit guard_enter(struct guard *g, grpc_call *call, const grpc_metadata_array *metadata)
{
    struct visit v = {.fd = fd_of(call), .weight = weight_of(metadata)};
    pthread_mutex_lock(&g->mu);
    struct guest *c = guest_of(g, v.fd);
    c->open += v.weight;
    count(g, c, HELD_CALLS, v.weight, 0);
    if (v.fd > 0 && c->open + c->unended > OPEN_MAX) { /* (1) */
        cut(g, c, v.fd, "it has too many calls open");
    } else {
        cut_worst(g, HELD_CALLS);
    }
    pthread_mutex_unlock(&g->mu);
    return v;
}

void guard_bounded(struct guard *g, struct visit *v)
{
    pthread_mutex_lock(&g->mu);
    count(g, guest_of(g, v->fd), HELD_CALLS, 0, v->weight);
    pthread_mutex_unlock(&g->mu);
    v->bounded = true;
}

void guard_answer(struct guard *g, struct visit *v, size_t bytes)
{
    pthread_mutex_lock(&g->mu);
    struct guest *c = guest_of(g, v->fd);
    v->answer = bytes;
    count(g, c, HELD_ANSWERS, bytes, 0);
    if (v->fd > 0 && c->held[HELD_ANSWERS] > ANSWERS_MAX) {
        cut(g, c, v->fd, "it leaves too much unread");
    } else {
        cut_worst(g, HELD_ANSWERS);
    }
    pthread_mutex_unlock(&g->mu);
}

/* (2) */
static void count_cancel(struct guard *g, struct guest *c, int fd, mono_ms_t now)
{
    mono_ms_t lost = (now - c->drained) * CANCELS_PER_S / 1000;
    if (lost > 0) {
        c->cancels -= lost < c->cancels ? (uint32_t)lost : c->cancels;
        c->drained = now;
    }
    if (++c->cancels > CANCELS_MAX) {
        cut(g, c, fd, "it cancels calls as fast as it begins them");
    }
}

void guard_leave(struct guard *g, const struct visit *v, bool cancelled, mono_ms_t now)
{
    pthread_mutex_lock(&g->mu);
    struct guest *c = guest_of(g, v->fd);
    c->open -= v->weight;
    count(g, c, HELD_ANSWERS, 0, v->answer);
    if (!v->bounded) {
        count(g, c, HELD_CALLS, 0, v->weight);
    }
    if (cancelled && v->fd > 0 && !c->cut) {
        count_cancel(g, c, v->fd, now);
    }
    pthread_mutex_unlock(&g->mu);
}

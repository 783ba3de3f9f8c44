/* SPDX-License-Identifier: Apache-2.0 */
/* Many watches of one kind, each checked event by event: a watch of everything must see every
 * version, each once, in order; a watch of a name that nobody writes must see nothing. Owner: the
 * workload. Threads: one. */
#ifndef WATCHD_BENCH_WATCH_SET_H
#define WATCHD_BENCH_WATCH_SET_H

#include "bench.h"

struct watch {
    bool started;
    uint64_t next; /* the version that must come next */
    uint64_t events;
};

struct watch_set;

struct stream {
    struct h2_call call;
    struct watch_set *set;
    struct h2_conn *conn;
    struct watch *watches;
    size_t n;
    bool restarting;
};

struct watch_set {
    struct bench *b;
    struct watch *watches;
    struct stream *streams;
    size_t n, n_streams, started;
    bool replay, others;
    uint64_t since;
    uint64_t enough; /* events of a replay */
    uint64_t events, messages;
    size_t done; /* replays over */
    bool again;  /* begin anew what is over */

    /* May be NULL. */
    void (*on_event)(void *arg, uint64_t rv, uint64_t key);
    void *arg;
};

/* On `streams` streams over `conns` connections; 0 streams: one for each watch. */
void watch_set_init(struct watch_set *s, struct bench *b, size_t n, size_t streams, size_t conns);
void watch_set_fini(struct watch_set *s);
void watch_set_open(struct watch_set *s);
/* Opens and waits until the server has confirmed each watch. */
void watch_set_open_all(struct watch_set *s);

#endif

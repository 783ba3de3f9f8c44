/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that put: each has one put unanswered at most, and goes on when it is over (closed loop),
 * or when the next is due (open loop, at a fixed rate, timed from when it was due).
 * Owner: the workload. Threads: one. */
#ifndef WATCHD_BENCH_PUTTER_H
#define WATCHD_BENCH_PUTTER_H

#include "bench.h"
#include "hist.h"

struct putter;

struct client {
    struct h2_call call;
    struct putter *putter;
    struct h2_conn *conn;
    struct client *next_idle;
    uint64_t key;
    uint64_t rv;
    int64_t due;
    bool answered;
};

struct putter {
    struct bench *b;
    struct client *clients;
    size_t n;
    struct client *idle;
    char *doc;
    size_t doc_n, name_at, label_at, seq_at;
    struct buf message;
    uint64_t seed, keys, next_key;
    bool random_keys;
    bool running;
    uint64_t left; /* puts still to issue */
    uint64_t issued, over;
    int64_t interval, next_due;
    uint64_t last_rv;
    struct hist *latency; /* of what was answered since it was last cleared */

    /* May be NULL. */
    void (*on_issue)(void *arg, uint64_t key, int64_t due);
    /* False: the client is held until client_over(). */
    bool (*on_answer)(void *arg, struct client *c);
    void *arg;
};

/* `rate` 0: closed loop. */
void putter_init(struct putter *p, struct bench *b, size_t clients, size_t conns, int64_t rate);
void putter_fini(struct putter *p);
void putter_start(struct putter *p, uint64_t puts);
/* Issues nothing more. */
void putter_stop(struct putter *p);
bool putter_idle(void *p);
/* Issues what is due; the time when it wants to be called again. */
int64_t putter_tick(struct putter *p);
void client_over(struct client *c);

#endif

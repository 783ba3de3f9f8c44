/* SPDX-License-Identifier: Apache-2.0 */
/* One run of one workload against one server: what was asked for, and what all workloads share.
 * A bench that cannot go on says why and ends; there is nobody above it to decide otherwise.
 * Threads: one. */
#ifndef WATCHD_BENCH_BENCH_H
#define WATCHD_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "h2.h"
#include "store/base/mem.h"
#include "target.h"

#define SECOND                          INT64_C(1000000000)
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct putter;

struct bench {
    const struct target *target;
    struct h2_loop *loop;
    char host[64];
    uint16_t port;
    struct putter *putter; /* the one that is stepped; NULL: none */
    uint64_t seq;          /* of the next document */

    /* The options, as option.h fills them. */
    const char *target_name;
    const char *address;
    int64_t pid;
    int64_t warmup_ms, duration_ms, limit_ms;
    int64_t clients, conns; /* writers */
    int64_t rate;           /* puts per second; 0: as fast as the answers come */
    int64_t watchers, streams, watch_conns;
    int64_t objects;  /* keys to write to, from 0 */
    int64_t events;   /* to replay */
    int64_t body;     /* bytes of an object */
    int64_t begun_ns; /* restart: when the server was started */
    const char *selector;
    bool others; /* the watchers watch names that nobody writes */
    bool on_ack; /* fanout: an answered put is over, delivered or not */
    bool random_keys;
    bool help;
};

/* One line on stderr, then exit(1). */
_Noreturn void fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

struct h2_conn *bench_connect(struct bench *b);
/* Steps until `over` says so; false if that took longer than limit_ns. */
bool bench_run(struct bench *b, bool (*over)(void *arg), void *arg, int64_t limit_ns);
/* Steps for a time. */
void bench_pass(struct bench *b, int64_t ns);

/* The workloads; each reports its own figures. */
void workload_fill(struct bench *b);
void workload_put(struct bench *b);
void workload_fanout(struct bench *b);
void workload_replay(struct bench *b);
void workload_idle(struct bench *b);
void workload_list(struct bench *b);
void workload_first_put(struct bench *b);
void workload_status(struct bench *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC calls over many HTTP/2 connections, all on one thread and one epoll.
 * Owner: the workload owns the loop and its calls; a call's memory must stay until it ended.
 * A lost connection ends the program: here a server that hangs up has failed.
 * Threads: one. */
#ifndef WATCHD_BENCH_H2_H
#define WATCHD_BENCH_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/bytes.h"

struct h2_loop;
struct h2_conn;
struct h2_call;

struct h2_call_ops {
    /* One whole message, borrowed for the time of this function. */
    void (*message)(struct h2_call *c, struct str message);
    /* The stream is closed; the call may be started again or freed from here on. */
    void (*end)(struct h2_call *c, int grpc_status, const char *text);
};

struct h2_call {
    const struct h2_call_ops *ops;
    struct h2_conn *conn;
    int32_t stream;
    bool close_after; /* half-close once `out` is sent */
    struct buf out;   /* framed messages to send */
    size_t out_at;
    uint8_t *part; /* a message of which only the beginning has come */
    size_t part_n, part_cap;
    int status;
    char text[160];
};

struct h2_loop *h2_loop_new(void);
void h2_loop_free(struct h2_loop *l); /* Closes all connections; ends no call. */

/* A new connection, owned by the loop; NULL if nobody listens there. */
struct h2_conn *h2_connect(struct h2_loop *l, const char *host, uint16_t port);

void h2_call_init(struct h2_call *c, const struct h2_call_ops *ops);
void h2_call_fini(struct h2_call *c);
/* Appends a message with gRPC's five bytes in front; before h2_call_start or on an open stream. */
void h2_call_send(struct h2_call *c, struct str message);
/* `path` must stay. With close_after the request ends with what was sent so far. */
void h2_call_start(struct h2_call *c, struct h2_conn *conn, const char *path, bool close_after);

/* Resets the stream; the call still ends through its ops. */
void h2_call_cancel(struct h2_call *c);

/* Nanoseconds on the monotonic clock, read now. */
int64_t now_ns(void);
/* When the bytes now being handled were read. */
int64_t h2_loop_time(const struct h2_loop *l);

/* Handles what there is, waiting for it until `until` at most. */
void h2_loop_step(struct h2_loop *l, int64_t until);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A stream: the life of one watch on its fan-out thread. It pulls from its watcher when there is
 * something, and has at most one message on its way to the client.
 *
 *            ┌────────── nothing to do ◄─────────┐
 *            ▼                                   │
 *  NEW ──► IDLE ──► READY ──► SENDING ──► (IDLE or READY)
 *   │        │        │          │  its end is decided while a message is on its way
 *   │        │        │          └────────► CLOSING
 *   ▼        ▼        ▼                        ▼
 *  FINAL: the status is on its way  ◄──────────┘      GONE: the peer left, or was cut off
 *
 * From FINAL and GONE it is freed when gRPC core has given back all its tags.
 * Threads: stream_new, stream_fail and stream_submit on the I/O thread, all else on the owner's. */
#ifndef WATCHD_SERVER_STREAM_H
#define WATCHD_SERVER_STREAM_H

#include <sys/queue.h>

#include "server/address.h"
#include "server/auth.h"
#include "server/guard.h"
#include "server/loop.h"
#include "server/timers.h"
#include "store/watch.h"

struct fanout;

#define STREAM_OVERDUE_MS 5000 /* for the end to be read, after the client's own limit */

enum stream_state {
    STREAM_NEW,
    STREAM_IDLE,
    STREAM_READY,
    STREAM_SENDING,
    STREAM_CLOSING,
    STREAM_FINAL,
    STREAM_GONE,
};

/* What was asked for, until the owner opens the watch. */
struct stream_ask {
    struct err refused; /* code is not OK: only the refusal is left to be sent */
    struct watcher_options options;
    uint8_t resume[POSITION_MAX];
    size_t resume_n;
    uint64_t duration_ms; /* 0: no end */
};

struct stream {
    struct tag on_sent, on_final, on_closed;
    struct task task; /* from the I/O thread to the owner */
    struct fanout *owner;
    grpc_call *call;
    struct stream_ask *ask;  /* owned, while NEW */
    struct watcher *watcher; /* NULL: it delivers no more */
    struct err *end;         /* while CLOSING: why; NULL: OK */
    struct timer timer;
    struct conn *conn;         /* NULL until it joined its connection */
    TAILQ_ENTRY(stream) queue; /* of its connection's READY ones, or of those SENDING and CLOSING */
    LIST_ENTRY(stream) by_id;  /* registry */
    LIST_ENTRY(stream) by_client;
    struct blob *pins[WATCH_PIECES_MAX]; /* held by the message on its way */
    char *client_id;                     /* NULL: the same as id */
    char id[UUID_LEN + 1];
    struct peer peer;
    struct visit visit;
    int token; /* whose it is; see auth.h */
    mono_ms_t opened_at;
    mono_ms_t sent_at;     /* when the message on its way began */
    mono_ms_t end_at;      /* the client's own limit; 0: none */
    mono_ms_t bookmark_at; /* when to look whether a bookmark is due */
    mono_ms_t bookmarked_at;
    rv_t bookmarked_rv;
    rv_t told, told_before; /* positions of the last message and of the one before; see told.h */
    struct timer mark;
    uint64_t events_sent;
    uint32_t interval_ms; /* the client's choice; 0: ours */
    int cancelled;
    uint8_t state;   /* enum stream_state */
    uint8_t pending; /* tags outstanding */
    uint8_t n_pins;
    bool registered;
    bool greeted;   /* initial metadata was sent */
    bool listening; /* for the peer's leaving */
    bool pull_due, bookmark_due;
    bool pulled_since_due; /* bookmark_due was put off once already */
    bool end_bookmark;     /* while CLOSING */
};

/* Takes the gRPC call, which is bound to the owner's queue. The caller fills ask, client_id, peer,
 * interval_ms and token, then submits. */
struct stream *stream_new(struct fanout *owner, grpc_call *call);
void stream_submit(struct stream *s);

/* watch_set_ready named it. */
void stream_wake(struct stream *s);
/* It is READY, and is no longer afterwards. */
void stream_pump(struct stream *s, mono_ms_t now);

/* A bookmark as soon as one can be sent. */
void stream_bookmark(struct stream *s);
/* It is at rest: a bookmark at once, if one can be given. */
void stream_mark(struct stream *s, mono_ms_t now);
/* Ends it: err NULL: OK. `bookmark`: one at its own position before the status. A message on its
 * way is waited for grace_ms (< 0: for ever), then cut off. Nothing else is sent any more. */
void stream_end(struct stream *s, const struct err *err, bool bookmark, mono_ms_t grace_ms);
/* Ends it at once. */
void stream_cut(struct stream *s, const struct err *err);

/* Its bookmarks and its own limit (0: none) count from now. Its timer is due (stream_times.c). */
void stream_times_begin(struct stream *s, uint64_t duration_ms, mono_ms_t now);
void stream_timer_due(struct stream *s, mono_ms_t now);

struct str stream_client_id(const struct stream *s);

#endif

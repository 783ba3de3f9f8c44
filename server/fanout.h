/* SPDX-License-Identifier: Apache-2.0 */
/* A fan-out thread: it owns streams, the watch set their watchers are in, and a queue of gRPC core
 * that does not poll; so each stream has one owner and no lock.
 * Owned by main. Threads: as said; where nothing is said, its own. */
#ifndef WATCHD_SERVER_FANOUT_H
#define WATCHD_SERVER_FANOUT_H

#include <pthread.h>

#include "server/conns.h"
#include "server/loop.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/stream.h"

/* How far a drain has come. */
enum fanout_phase {
    FANOUT_SERVING,
    FANOUT_FREEZING, /* nothing new is sent; what is on its way may arrive, for a while */
    FANOUT_FROZEN,   /* nothing is on its way */
    FANOUT_MARKING,  /* all streams get their bookmark, and their clients a moment to read it */
    FANOUT_ENDING,   /* all streams get their status */
    FANOUT_DRAINED,
};

struct fanout {
    struct loop loop;
    struct server *srv;
    struct watch_set *set;
    struct registry registry;
    struct timers timers;
    struct timers marks;           /* see told.h; their times are versions */
    struct conns conns;            /* with the streams that are ready */
    struct stream_queue sending;   /* longest on its way first */
    grpc_byte_buffer *message;     /* empty between sends: the batch takes its slices */
    struct buf head;               /* what a message begins with */
    _Atomic size_t streams;        /* not yet freed */
    _Atomic int64_t stalled_since; /* sent_at of the first in `sending`; INT64_MAX: none */
    _Atomic bool turn_due;         /* the watch set asked for a turn */
    enum fanout_phase phase;
    mono_ms_t freeze_until, mark_until;
    bool stopping;
    /* When a turn is taken; see fanout.c. */
    bool turn_now;          /* as soon as it is due */
    mono_ms_t linger_until; /* for more to be committed */
    mono_ms_t turn_by;      /* it is due and put off at the most until then; 0: it is not put off */
    rv_t turn_head;         /* the head when it was put off */
    size_t pass_messages;   /* sent since the last turn */
    uint64_t pass_events;
    mono_ms_t pass_at; /* the last turn */
    pthread_t thread;
    struct task freeze_task, drain_task, stop_task;
    struct task phase_task; /* to the I/O thread: FROZEN, then DRAINED was reached */
};

/* Threads: main. The store is open. */
struct fanout *fanout_new(struct server *srv);
void fanout_start(struct fanout *f);
/* After the last stream is gone: ends the thread. */
void fanout_stop(struct fanout *f);
void fanout_free(struct fanout *f); /* NULL is fine. */

/* Threads: any. */
struct loop *fanout_loop(struct fanout *f);
/* The two steps of a drain; `done` runs on the I/O thread, with phase_task, when each is over.
 * First streams are refused and come to rest, or are cut off, which needs connections that are not
 * told to go away yet. Then they all get their bookmark, and end with DRAINING a moment later.
 * Behind the last status of a connection gRPC core closes it, and a client that writes then, on a
 * Unix socket, may not read what it was sent any more. It writes when it asks for the next message:
 * so the bookmark comes before, and the status alone comes last. */
void fanout_freeze(struct fanout *f, void (*done)(struct task *t));
void fanout_drain(struct fanout *f, void (*done)(struct task *t));

/* Before it is said where idle watchers are: has the watch set know of what does not concern them,
 * unless a turn is due anyway. Threads: its own, but not while it sends. */
void fanout_catch_up(struct fanout *f);

/* For streams: what is on its way has changed. */
void fanout_note_stalled(struct fanout *f);

#endif

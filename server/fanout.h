/* SPDX-License-Identifier: Apache-2.0 */
/* A fan-out thread: it owns streams, the watch set their watchers are in, and a queue of gRPC core
 * that does not poll; so each stream has one owner and no lock.
 * Owned by main. Threads: as said; where nothing is said, its own. */
#ifndef WATCHD_SERVER_FANOUT_H
#define WATCHD_SERVER_FANOUT_H

#include <pthread.h>

#include "server/loop.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/stream.h"

TAILQ_HEAD(stream_queue, stream);

struct fanout {
    struct loop loop;
    struct server *srv;
    struct watch_set *set;
    struct registry registry;
    struct timers timers;
    struct stream_queue ready;     /* oldest first */
    struct stream_queue sending;   /* longest on its way first */
    grpc_byte_buffer *message;     /* empty between sends: the batch takes its slices */
    struct buf head;               /* what a message begins with */
    size_t streams;                /* not yet freed */
    _Atomic int32_t load;          /* streams, and calls that may become one */
    _Atomic int64_t stalled_since; /* sent_at of the first in `sending`; INT64_MAX: none */
    _Atomic bool turn_due;         /* the watch set asked for a turn */
    bool draining, drained, stopping;
    mono_ms_t turn_not_before; /* linger; see fanout.c */
    size_t pass_messages;      /* sent since the last turn */
    uint64_t pass_events;
    mono_ms_t pass_at; /* the last turn */
    pthread_t thread;
    struct task drain_task, drained_task, stop_task;
};

/* Threads: main. The store is open. */
struct fanout *fanout_new(struct server *srv);
void fanout_start(struct fanout *f);
/* After the last stream is gone: ends the thread. */
void fanout_stop(struct fanout *f);
void fanout_free(struct fanout *f); /* NULL is fine. */

/* Threads: any. */
struct loop *fanout_loop(struct fanout *f);
/* Ends all streams with DRAINING, and refuses new ones. Once all are gone `done` runs on the I/O
 * thread, with drained_task. */
void fanout_drain(struct fanout *f, void (*done)(struct task *t));
int fanout_load(const struct fanout *f);
void fanout_expect(struct fanout *f);
void fanout_unexpect(struct fanout *f);

/* For streams: what is on its way has changed. */
void fanout_note_stalled(struct fanout *f);

#endif

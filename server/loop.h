/* SPDX-License-Identifier: Apache-2.0 */
/* A loop: one completion queue of gRPC core, the one thread that reads it, and an inbox through
 * which other threads hand it work.
 * Owned by whoever embeds it; it stays where it is.
 * Threads: loop_post and loop_wake from any, the rest from the loop's own thread. */
#ifndef WATCHD_SERVER_LOOP_H
#define WATCHD_SERVER_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <grpc/grpc.h>

#include "store/base/clock.h"

#define CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* What gRPC core gives back when an operation is complete; embedded by its owner. */
struct tag {
    void (*fn)(struct tag *t, bool ok);
};

/* Work for another loop; belongs to that loop from loop_post until `run`. */
struct task {
    struct task *next;
    void (*run)(struct task *t);
};

struct loop {
    grpc_completion_queue *cq;
    grpc_channel *lame; /* no peer behind it: it only carries `bell` */
    grpc_call *bell;    /* an empty batch on it wakes the reader of cq */
    struct tag on_bell;
    _Atomic bool rung;            /* a bell is under way */
    _Atomic(struct task *) inbox; /* newest first */
};

/* `polling`: its thread does the I/O of the connections. Else it only hears of completions. */
void loop_init(struct loop *l, bool polling);
/* Nothing is outstanding but bells; tasks left are not run. */
void loop_fini(struct loop *l);

/* Runs the task on the loop's thread, in the order of posting. Never blocks. */
void loop_post(struct loop *l, struct task *t);
/* Makes the next loop_next return. */
void loop_wake(struct loop *l);

#define LOOP_FOREVER ((mono_ms_t)-1)
#define LOOP_NO_WAIT ((mono_ms_t)0)
/* Waits for one completion until the deadline and runs its tag. False: there was none. */
bool loop_next(struct loop *l, mono_ms_t deadline);
/* Runs all tasks that were posted. */
void loop_run_tasks(struct loop *l);

/* grpc_call_start_batch. Any refusal is a fault of ours. */
void loop_batch(grpc_call *call, const grpc_op *ops, size_t n, struct tag *t);
/* Before a tag goes to gRPC core by any other function: what was written so far is seen by the
 * thread that gets the tag. */
void loop_hand_over(struct tag *t);

/* Milliseconds of the monotonic clock. */
mono_ms_t loop_now(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a client: one completion queue, one link, and what waits for either.
 *
 *   pump: timers that are due → wait for one completion → its handler
 *
 * Everything that waits for the link or for a time is looked at in client_tick, which runs when
 * wake_at has come; whoever starts to wait lowers wake_at by client_wake_at.
 * Threads: the caller's; only `interrupted` is touched by others. */
#ifndef WATCHD_CLIENT_CLIENT_H
#define WATCHD_CLIENT_CLIENT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include <grpc/grpc.h>

#include "cli/client/link.h"
#include "cli/client/watch_client.h"
#include "proto/wire.h"
#include "store/base/clock.h"

#define CLIENT_NEVER     INT64_MAX
#define CLIENT_SLICE_MS  50 /* how often a blocking call looks for an interruption */
#define CLIENT_REPLY_MAX (256 << 20)

/* A tag of the completion queue: the handler runs once per batch. */
struct op {
    void (*fn)(struct op *op, bool ok);
};

TAILQ_HEAD(unary_list, unary);
TAILQ_HEAD(stream_list, watch_stream);
TAILQ_HEAD(attempt_list, stream_attempt);

struct watch_client {
    grpc_completion_queue *cq;
    struct link link;
    char *target;        /* for gRPC */
    char *address;       /* as it was given */
    char *authorization; /* "Bearer …", or NULL */
    char *user_agent;    /* or NULL */
    int64_t timeout_ms;
    mono_ms_t wake_at; /* when client_tick has work; CLIENT_NEVER */
    struct unary_list waiting, flying;
    struct stream_list streams;
    struct attempt_list attempts;  /* of all streams, abandoned ones included */
    size_t writes;                 /* started by watch_write_start, not answered */
    size_t tags;                   /* batches that have not come back */
    struct arena reply;            /* what the last blocking call handed out */
    struct arena conflicts_memory; /* of the call that ended last with a conflict */
    struct watch_conflict *conflicts;
    size_t n_conflicts;
    atomic_bool interrupted;
    bool closing;
};

mono_ms_t client_now(void);
void client_wake_at(struct watch_client *c, mono_ms_t when);
/* Handles one completion or waits until `until`; true if there was one. */
bool client_pump(struct watch_client *c, mono_ms_t until);
/* The link is up, or an attempt to bring it up has failed: whoever waits for it is told. */
void client_link_up(struct watch_client *c);
void client_link_failed(struct watch_client *c, const struct err *err);
/* Whether anything waits for the link. */
bool client_wants_link(const struct watch_client *c);

/* Starts a batch whose end calls op->fn. A refusal by gRPC is our bug and aborts. */
void client_batch(struct watch_client *c, grpc_call *call, const grpc_op *ops, size_t n,
                  struct op *op);
/* Metadata for a call: at most one entry. Returns how many; the slices borrow from the client. */
size_t client_metadata(const struct watch_client *c, grpc_metadata ret[1]);
gpr_timespec client_deadline(mono_ms_t when);
/* What decoding a message of n bytes may cost; a hostile one could want fifty times its size. */
static inline size_t client_budget(size_t n)
{
    return 32 * n + (64 << 10);
}

/* Keeps what a finished call tells of conflicts, if it does; else forgets those before. */
void client_keep_conflicts(struct watch_client *c, const grpc_metadata_array *trailers);

/* The status of a finished call as an error (OK for OK): our details where the peer sent some. */
void client_read_status(grpc_status_code status, grpc_slice message,
                        const grpc_metadata_array *trailers, struct err *ret,
                        bool *ret_from_server);

#endif

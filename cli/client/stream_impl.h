/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a stream, shared by stream.c (attempts) and stream_items.c (handing out).
 *
 * Invariants:
 * (1) A message is taken from the connection only when all events of the last one were handed out.
 * (2) `position` is the last message's that was handed out whole, `after` counts the events handed
 *     out behind it; a new attempt starts at `position` and leaves out the first `after` events.
 *     By (1), `after` is 0 at a new attempt unless the caller brought one.
 * (3) A stream has at most one attempt; an attempt without a stream only waits for its batches.
 * (4) An attempt has at most two batches out: the first with the status, and one for a message. */
#ifndef WATCHD_CLIENT_STREAM_IMPL_H
#define WATCHD_CLIENT_STREAM_IMPL_H

#include "cli/client/stream.h"

enum stream_state { STREAM_WAITING, STREAM_OPENING, STREAM_LIVE, STREAM_ENDED };

/* A tag that knows its attempt. */
struct attempt_op {
    struct op op; /* first: the handler casts */
    struct stream_attempt *attempt;
};

struct stream_attempt {
    TAILQ_ENTRY(stream_attempt) entry;
    struct watch_client *client;
    struct watch_stream *stream; /* NULL: abandoned */
    uint64_t link_number;
    grpc_call *call;
    struct attempt_op finished, received;
    int refs;       /* batches not back, and one of the stream's */
    bool receiving; /* a batch for a message is out */
    bool has_status;
    grpc_byte_buffer *message;
    grpc_metadata_array headers, trailers;
    grpc_status_code status;
    grpc_slice text;
};

struct watch_stream {
    TAILQ_ENTRY(watch_stream) entry;
    struct watch_client *client;
    enum stream_state state;
    struct stream_attempt *attempt;
    struct backoff backoff;
    mono_ms_t retry_at; /* WAITING: not before */
    mono_ms_t late_at;  /* OPENING: the attempt has failed by then */
    mono_ms_t lost_at;  /* since when it does not run */

    struct arena request_memory; /* the texts of `request` */
    struct wire_subscribe_request request;
    struct buf position;
    bool has_position;
    uint64_t after; /* (2) */
    rv_t rv;        /* of the last event or signal handed out; 0 within the state */
    bool synced;    /* not, or no longer, within the state */

    struct arena memory; /* the texts of `response` */
    bool has_response;
    struct wire_subscribe_response response;
    size_t next;   /* event to hand out */
    uint64_t skip; /* events to leave out before that */

    bool told_lost;           /* this outage */
    bool lost;                /* to be told */
    struct watch_error error; /* of what is lost, or of the end */
    struct watch_object object, previous;
    struct arena item; /* the texts of the last item */
};

/* Asks the connection for the next message. */
void attempt_receive(struct stream_attempt *a);

#endif

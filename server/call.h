/* SPDX-License-Identifier: Apache-2.0 */
/* A call: the life of one request with one answer.
 *
 *   posted ──► requested ──► [with the store or the fan-out threads] ──► answered ──► freed
 *
 * A handler gets the request on the I/O thread and answers there, once: by call_reply or call_fail,
 * at once or when the work it handed out came back (call_return). Calls that become streams give
 * their gRPC call away (call_release).
 * Threads: the I/O thread, except call_return. */
#ifndef WATCHD_SERVER_CALL_H
#define WATCHD_SERVER_CALL_H

#include "server/auth.h"
#include "server/guard.h"
#include "server/loop.h"
#include "server/server.h"
#include "store/base/arena.h"

struct call;
struct lane;
struct wire_more;

enum method_kind {
    METHOD_UNARY,
    METHOD_SUBSCRIBE, /* bound to a fan-out thread */
    METHOD_STREAM,    /* one request, many answers, on the I/O thread */
    METHOD_BIDI,      /* the handler reads the requests itself */
};
enum method_access { ACCESS_ALL, ACCESS_TOKEN, ACCESS_ADMIN };

struct method {
    const char *path;
    enum method_kind kind;
    enum method_access access;
    int slots; /* requests kept posted, of all lanes together: what may arrive between two looks */
    /* `in` lives as long as the call; empty for METHOD_BIDI. */
    void (*handle)(struct call *c, struct str in);
};

/* methods.c: the one table. */
extern const struct method methods[];
extern const size_t methods_n;

struct call {
    struct tag on_request, on_answered;
    struct task task;             /* between threads */
    void (*then)(struct task *t); /* call_return's */
    struct server *srv;
    const struct method *method; /* NULL: no method of ours */
    struct lane *lane;           /* of its connection */
    grpc_call *grpc;
    grpc_call_details details; /* without a method: what was asked for */
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    struct visit visit; /* weight 0: not begun */
    grpc_byte_buffer *payload;
    grpc_slice flat; /* the request in one piece, if it came in several */
    struct caller caller;
    struct arena arena;              /* for decoding; lives as long as the call */
    void *state;                     /* the handler's, in the arena */
    void (*release)(struct call *c); /* lets go of what `state` holds; may be NULL */
    int cancelled;
};

/* A place for one request, to be given to gRPC core; call_free is what lets go of it. */
struct call *call_new(struct lane *l, const struct method *m);
void call_free(struct call *c);
/* A request arrived in it: checks the caller, then runs the handler. */
void call_begin(struct call *c);

/* Memory for the handler's state, cleared; sets c->state. */
void *call_state(struct call *c, size_t n);

/* The answer; takes the content of `message`, which is empty afterwards. A message that did not fit
 * its buffer becomes an error. */
void call_reply(struct call *c, struct buf *message);
void call_fail(struct call *c, const struct err *err);
/* The same with what it tells besides; NULL: nothing. */
void call_fail_with(struct call *c, const struct err *err, const struct wire_more *more);
/* Runs `fn` with the call's task on the I/O thread, together with what else came back for calls of
 * the same connection. Threads: any. */
void call_return(struct call *c, void (*fn)(struct task *t));
/* The gRPC call, with its one reference, and its visit; the call itself is freed. */
grpc_call *call_release(struct call *c, struct visit *ret_visit);

/* A message in one piece. Borrows from the buffer, or from *ret_flat, which the caller unrefs. */
struct str call_flatten(grpc_byte_buffer *b, grpc_slice *ret_flat);
/* The content of a buffer as a slice; the buffer is empty afterwards. */
grpc_slice call_slice(struct buf *b);

#endif

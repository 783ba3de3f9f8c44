/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 * (1) A unary is in c->waiting or in c->flying, according to its state, until it is freed.
 * (2) Its one batch is out exactly while it is FLYING; it is freed only when the batch is back.
 * (3) Either `done` or `drop` is called, once, and last. */
#include "cli/client/unary.h"

#include <assert.h>
#include <stdlib.h>

#include <grpc/byte_buffer_reader.h>

struct unary {
    struct op op; /* first: the handler casts */
    TAILQ_ENTRY(unary) entry;
    struct watch_client *client;
    struct unary_spec spec;
    struct buf request;
    mono_ms_t give_up_at; /* CLIENT_NEVER */
    mono_ms_t retry_at;   /* WAITING: not before */
    bool flying;
    bool cancelled; /* `done` is not wanted */
    bool ambiguous; /* an attempt may have been carried out */
    bool last_from_server;
    struct backoff backoff; /* between refusals of a server that is there */
    struct err last;        /* why the last attempt failed */
    uint64_t link_number;   /* FLYING: what it flies on */
    grpc_call *call;
    grpc_byte_buffer *response;
    grpc_metadata_array headers, trailers;
    grpc_status_code status;
    grpc_slice message;
};

static void unary_free(struct unary *u)
{
    assert(!u->flying); /* (2) */
    buf_fini(&u->request);
    free(u);
}

static void unary_finish(struct unary *u, struct str response, const struct err *err,
                         bool from_server)
{
    TAILQ_REMOVE(&u->client->waiting, u, entry);
    if (!u->cancelled) {
        u->spec.done(u->spec.arg, response, err, from_server);
    } else if (u->spec.drop != NULL) {
        u->spec.drop(u->spec.arg);
    }
    unary_free(u);
}

/* The time is over while no answer is there. */
static void unary_give_up(struct unary *u)
{
    const struct link *l = &u->client->link;
    const char *why = u->last.code == ERR_DEADLINE ? ""
                      : u->last.code != OK         ? u->last.msg
                                                   : l->trouble;
    struct err err;
    if (u->ambiguous && u->spec.write) {
        err_set(&err, ERR_OUTCOME_UNKNOWN,
                "no answer in time%s%s; the write may or may not have been done",
                *why != '\0' ? ": " : "", why);
    } else if (!l->ever) {
        err_set(&err, ERR_UNAVAILABLE, "%s", *why != '\0' ? why : "no connection in time");
    } else if (u->last_from_server) {
        err = u->last;
    } else {
        err_set(&err, ERR_DEADLINE, "no answer in time%s%s", *why != '\0' ? ": " : "", why);
    }
    unary_finish(u, STR_EMPTY, &err, u->last_from_server && err.code == u->last.code);
}

static bool worth_repeating(const struct unary *u, const struct err *err, bool from_server)
{
    switch (err->code) {
    case ERR_UNAVAILABLE:
    case ERR_DRAINING:
        return true;
    case ERR_DEADLINE:
    case ERR_CANCELLED:
    case ERR_INTERNAL:
        /* gRPC itself reports some broken connections so; if the server says it, it means it. */
        return !from_server;
    case ERR_OUTCOME_UNKNOWN:
        return u->spec.write;
    case ERR_STORAGE_FULL:
        return u->spec.patient;
    case ERR_LIMIT:
    case ERR_TOO_SLOW:
        return from_server && (u->spec.patient || err->retry_ms > 0);
    default:
        return false;
    }
}

static void unary_failed(struct unary *u, const struct err *err, bool from_server)
{
    struct watch_client *c = u->client;
    bool open = !from_server || err->code == ERR_OUTCOME_UNKNOWN;
    u->ambiguous |= open;
    if (u->cancelled || !worth_repeating(u, err, from_server)) {
        unary_finish(u, STR_EMPTY, err, from_server);
        return;
    }
    u->last = *err;
    u->last_from_server = from_server;
    int64_t delay = backoff_advised_ms(err->retry_ms);
    if (!from_server) {
        link_lost(&c->link, u->link_number);
    } else if (delay == 0) {
        delay = backoff_next_ms(&u->backoff);
    }
    mono_ms_t now = client_now();
    u->retry_at = now + delay;
    if (now >= u->give_up_at) {
        unary_give_up(u);
        return;
    }
    client_wake_at(c, u->retry_at < u->give_up_at ? u->retry_at : u->give_up_at);
}

static void unary_answered(struct unary *u)
{
    grpc_byte_buffer_reader reader;
    if (u->response == NULL || !grpc_byte_buffer_reader_init(&reader, u->response)) {
        struct err err;
        err_set(&err, ERR_INTERNAL, "the server's answer is empty");
        if (u->response != NULL) {
            grpc_byte_buffer_destroy(TAKE(u->response));
        }
        unary_finish(u, STR_EMPTY, &err, true);
        return;
    }
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(TAKE(u->response));
    struct str text = {(const char *)GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all)};
    unary_finish(u, text, NULL, true);
    grpc_slice_unref(all);
}

static void unary_landed(struct op *op, bool ok)
{
    (void)ok;
    struct unary *u = (struct unary *)op;
    struct watch_client *c = u->client;
    struct err err = {0};
    bool from_server = false;
    client_read_status(u->status, u->message, &u->trailers, &err, &from_server);
    if (err.code == ERR_CONFLICT) {
        client_keep_conflicts(c, &u->trailers);
    }
    TAILQ_REMOVE(&c->flying, u, entry);
    TAILQ_INSERT_TAIL(&c->waiting, u, entry);
    u->flying = false;
    grpc_metadata_array_destroy(&u->headers);
    grpc_metadata_array_destroy(&u->trailers);
    grpc_slice_unref(u->message);
    grpc_call_unref(TAKE(u->call));
    if (err.code == OK || from_server) {
        link_answered(&c->link);
    }
    if (err.code == OK && !u->cancelled) {
        unary_answered(u);
        return;
    }
    if (u->response != NULL) {
        grpc_byte_buffer_destroy(TAKE(u->response));
    }
    unary_failed(u, &err, from_server);
}

static void unary_fly(struct unary *u, grpc_channel *channel, uint64_t number, mono_ms_t now)
{
    struct watch_client *c = u->client;
    TAILQ_REMOVE(&c->waiting, u, entry);
    TAILQ_INSERT_TAIL(&c->flying, u, entry);
    u->flying = true;
    u->link_number = number;
    mono_ms_t deadline = now + u->spec.attempt_ms;
    if (deadline > u->give_up_at) {
        deadline = u->give_up_at;
    }
    u->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->cq,
                                       grpc_slice_from_static_string(u->spec.method), NULL,
                                       client_deadline(deadline), NULL);
    grpc_metadata metadata[1];
    grpc_slice bytes =
        grpc_slice_from_copied_buffer(u->request.p != NULL ? u->request.p : "", u->request.n);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);
    grpc_metadata_array_init(&u->headers);
    grpc_metadata_array_init(&u->trailers);
    u->message = grpc_empty_slice();
    u->response = NULL;
    grpc_op ops[6];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = client_metadata(c, metadata);
    ops[0].data.send_initial_metadata.metadata = metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &u->headers;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &u->response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &u->trailers;
    ops[5].data.recv_status_on_client.status = &u->status;
    ops[5].data.recv_status_on_client.status_details = &u->message;
    client_batch(c, u->call, ops, 6, &u->op);
    grpc_byte_buffer_destroy(message);
}

struct unary *unary_start(struct watch_client *c, const struct unary_spec *spec,
                          struct buf *request)
{
    struct unary *u = mem_zalloc(sizeof(*u));
    u->op.fn = unary_landed;
    u->client = c;
    u->spec = *spec;
    u->request = *request;
    buf_init(request, request->limit);
    u->give_up_at = spec->give_up_ms > 0 ? client_now() + spec->give_up_ms : CLIENT_NEVER;
    TAILQ_INSERT_TAIL(&c->waiting, u, entry);
    client_wake_at(c, 0);
    return u;
}

void unary_cancel(struct unary *u)
{
    u->cancelled = true;
    if (u->flying) {
        grpc_call_cancel(u->call, NULL);
    } else {
        unary_finish(u, STR_EMPTY, NULL, false);
    }
}

void unary_cancel_all(struct watch_client *c)
{
    while (!TAILQ_EMPTY(&c->waiting)) {
        unary_cancel(TAILQ_FIRST(&c->waiting));
    }
    struct unary *u;
    TAILQ_FOREACH(u, &c->flying, entry)
    {
        unary_cancel(u);
    }
}

void unary_tick(struct watch_client *c, mono_ms_t now)
{
    struct unary *next;
    for (struct unary *u = TAILQ_FIRST(&c->waiting); u != NULL; u = next) {
        next = TAILQ_NEXT(u, entry);
        if (now >= u->give_up_at) {
            unary_give_up(u);
            /* Its `done` may have changed the list; the rest is looked at right after. */
            client_wake_at(c, 0);
            return;
        }
        uint64_t number;
        grpc_channel *channel = now >= u->retry_at ? link_channel(&c->link, &number) : NULL;
        if (channel != NULL) {
            unary_fly(u, channel, number, now);
        } else {
            mono_ms_t wake = u->retry_at > now ? u->retry_at : u->give_up_at;
            client_wake_at(c, wake < u->give_up_at ? wake : u->give_up_at);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants are in stream_impl.h. */
#include "cli/client/stream_impl.h"

#include <stdlib.h>

#include <grpc/byte_buffer_reader.h>

#include "cli/client/error.h"
#include "store/base/random.h"

#define REQUEST_MAX (1 << 20)

/* ---- Attempts ------------------------------------------------------------------------------ */

static void attempt_unref(struct stream_attempt *a)
{
    if (--a->refs > 0) {
        return;
    }
    TAILQ_REMOVE(&a->client->attempts, a, entry);
    if (a->message != NULL) {
        grpc_byte_buffer_destroy(a->message);
    }
    grpc_metadata_array_destroy(&a->headers);
    grpc_metadata_array_destroy(&a->trailers);
    grpc_slice_unref(a->text);
    grpc_call_unref(a->call);
    free(a);
}

static void attempt_leave(struct stream_attempt *a)
{
    a->stream->attempt = NULL;
    a->stream = NULL;
    attempt_unref(a);
}

static void attempt_abandon(struct stream_attempt *a)
{
    grpc_call_cancel(a->call, NULL);
    attempt_leave(a);
}

void attempt_receive(struct stream_attempt *a)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &a->message;
    a->receiving = true;
    a->refs++;
    client_batch(a->client, a->call, &op, 1, &a->received.op);
}

/* ---- The end of an attempt ----------------------------------------------------------------- */

static bool is_final(enum errc code)
{
    switch (code) {
    case ERR_EXPIRED:
    case ERR_FUTURE:
    case ERR_FOREIGN:
    case ERR_UNSUBSCRIBED:
    case ERR_INVALID:
    case ERR_TOO_LARGE:
    case ERR_DENIED:
    case ERR_UNAUTHENTICATED:
    case ERR_UNIMPLEMENTED:
    case ERR_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

static void stream_end(struct watch_stream *s, const struct err *err, bool from_server)
{
    if (s->attempt != NULL) {
        attempt_abandon(s->attempt);
    }
    s->state = STREAM_ENDED;
    s->lost = false;
    (void)error_show(err, from_server, &s->error);
}

static void stream_note_lost(struct watch_stream *s, const struct err *err, bool from_server)
{
    if (!s->told_lost) {
        s->told_lost = true;
        s->lost = true;
        (void)error_show(err, from_server, &s->error);
    }
}

/* The stream does not run; it tries again after delay_ms, when the link allows. */
static void stream_wait(struct watch_stream *s, int64_t delay_ms)
{
    mono_ms_t now = client_now();
    if (s->state == STREAM_LIVE) {
        s->lost_at = now;
    }
    s->state = STREAM_WAITING;
    s->retry_at = now + delay_ms;
    client_wake_at(s->client, s->retry_at);
}

static void stream_cut_off(struct watch_stream *s, const struct err *err, bool from_server,
                           uint64_t link_number)
{
    if (is_final(err->code) && (from_server || err->code == ERR_TOO_LARGE)) {
        stream_end(s, err, from_server);
        return;
    }
    stream_note_lost(s, err, from_server);
    int64_t delay = backoff_advised_ms(err->retry_ms);
    if (!from_server) {
        link_lost(&s->client->link, link_number);
    } else if (delay == 0) {
        delay = backoff_next_ms(&s->backoff);
    }
    stream_wait(s, delay);
}

/* Both the status and the end of the messages are there. */
static void stream_attempt_over(struct watch_stream *s, struct stream_attempt *a)
{
    struct err err;
    bool from_server;
    client_read_status(a->status, a->text, &a->trailers, &err, &from_server);
    if (err.code == OK) {
        err_set(&err, ERR_UNAVAILABLE, "the server ended the stream without a reason");
    }
    uint64_t number = a->link_number;
    attempt_leave(a);
    stream_cut_off(s, &err, from_server, number);
}

static void attempt_finished(struct op *op, bool ok)
{
    (void)ok;
    struct stream_attempt *a = ((struct attempt_op *)op)->attempt;
    a->has_status = true;
    struct watch_stream *s = a->stream;
    /* With a message still to be handed out, or one to come, the end is noticed there. */
    if (s != NULL && !a->receiving && !s->has_response) {
        stream_attempt_over(s, a);
    }
    attempt_unref(a);
}

/* ---- Messages ------------------------------------------------------------------------------ */

static enum errc stream_decode(struct watch_stream *s, grpc_byte_buffer *message, struct err *err)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, message)) {
        return err_set(err, ERR_INTERNAL, "a message from the server cannot be read");
    }
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    struct str bytes = {(const char *)GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all)};
    arena_fini(&s->memory);
    arena_init(&s->memory, client_budget(bytes.n));
    enum errc rc = wire_read_subscribe_response(&s->memory, bytes, &s->response, err);
    grpc_slice_unref(all);
    return rc;
}

static void stream_received(struct watch_stream *s, struct stream_attempt *a)
{
    struct err err;
    if (stream_decode(s, a->message, &err) != OK) {
        struct err garbled;
        err_set(&garbled, ERR_INTERNAL, "a message from the server makes no sense: %s", err.msg);
        stream_end(s, &garbled, false);
        return;
    }
    s->has_response = true;
    s->next = 0;
    s->skip = s->after;
    if (s->state == STREAM_OPENING) {
        s->state = STREAM_LIVE;
        backoff_reset(&s->backoff);
        link_answered(&s->client->link);
    }
}

static void attempt_received(struct op *op, bool ok)
{
    (void)ok;
    struct stream_attempt *a = ((struct attempt_op *)op)->attempt;
    struct watch_stream *s = a->stream;
    a->receiving = false;
    if (s != NULL && a->message != NULL) {
        stream_received(s, a);
    } else if (s != NULL && a->has_status) {
        stream_attempt_over(s, a);
    }
    if (a->message != NULL) {
        grpc_byte_buffer_destroy(TAKE(a->message));
    }
    attempt_unref(a);
}

/* ---- Starting an attempt ------------------------------------------------------------------- */

static void stream_request(struct watch_stream *s, struct buf *out)
{
    struct wire_subscribe_request request = s->request;
    if (s->has_position) {
        request.start = WIRE_START_RESUME;
        request.resume = buf_str(&s->position);
    }
    wire_write_subscribe_request(&request, out);
}

static void stream_attempt(struct watch_stream *s, grpc_channel *channel, uint64_t number)
{
    struct watch_client *c = s->client;
    struct stream_attempt *a = mem_zalloc(sizeof(*a));
    a->client = c;
    a->stream = s;
    a->link_number = number;
    a->refs = 1;
    a->finished = (struct attempt_op){{attempt_finished}, a};
    a->received = (struct attempt_op){{attempt_received}, a};
    a->text = grpc_empty_slice();
    grpc_metadata_array_init(&a->headers);
    grpc_metadata_array_init(&a->trailers);
    TAILQ_INSERT_TAIL(&c->attempts, a, entry);
    s->attempt = a;
    s->state = STREAM_OPENING;
    s->late_at = client_now() + c->timeout_ms;
    client_wake_at(c, s->late_at);

    a->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->cq,
                                       grpc_slice_from_static_string(WIRE_SUBSCRIBE), NULL,
                                       client_deadline(CLIENT_NEVER), NULL);
    struct buf request;
    buf_init(&request, REQUEST_MAX);
    stream_request(s, &request);
    grpc_slice bytes = grpc_slice_from_copied_buffer(request.p != NULL ? request.p : "", request.n);
    buf_fini(&request);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);
    grpc_metadata metadata[1];
    grpc_op ops[5];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = client_metadata(c, metadata);
    ops[0].data.send_initial_metadata.metadata = metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &a->headers;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.trailing_metadata = &a->trailers;
    ops[4].data.recv_status_on_client.status = &a->status;
    ops[4].data.recv_status_on_client.status_details = &a->text;
    a->refs++;
    client_batch(c, a->call, ops, 5, &a->finished.op);
    grpc_byte_buffer_destroy(message);
    attempt_receive(a);
}

void stream_tick(struct watch_client *c, mono_ms_t now)
{
    struct watch_stream *s;
    TAILQ_FOREACH(s, &c->streams, entry)
    {
        if (s->state == STREAM_OPENING && now >= s->late_at) {
            struct err err;
            err_set(&err, ERR_DEADLINE, "no answer in time");
            uint64_t number = s->attempt->link_number;
            attempt_abandon(s->attempt);
            stream_cut_off(s, &err, false, number);
        }
        if (s->state == STREAM_OPENING) {
            client_wake_at(c, s->late_at);
        }
        if (s->state != STREAM_WAITING) {
            continue;
        }
        uint64_t number;
        grpc_channel *channel = now >= s->retry_at ? link_channel(&c->link, &number) : NULL;
        if (channel != NULL) {
            stream_attempt(s, channel, number);
        } else if (s->retry_at > now) {
            client_wake_at(c, s->retry_at);
        }
    }
}

bool stream_wants_link(const struct watch_client *c)
{
    const struct watch_stream *s;
    TAILQ_FOREACH(s, &c->streams, entry)
    {
        if (s->state == STREAM_WAITING && s->retry_at <= client_now()) {
            return true;
        }
    }
    return false;
}

void stream_link_failed(struct watch_client *c, const struct err *err)
{
    struct watch_stream *s;
    TAILQ_FOREACH(s, &c->streams, entry)
    {
        if (s->state == STREAM_WAITING) {
            stream_note_lost(s, err, false);
        }
    }
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static struct str keep(struct arena *a, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    if (n == 0) {
        return STR_EMPTY;
    }
    char *copy = arena_alloc(a, n);
    memcpy(copy, text, n);
    return (struct str){copy, n};
}

static size_t length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

static size_t request_size(const struct watch_options *o)
{
    size_t n = length(o->client_id) + 1024;
    for (size_t i = 0; i < o->n_selections; i++) {
        const struct watch_selection *v = &o->selections[i];
        n += sizeof(struct selection) + 256 + length(v->resource) + length(v->ns) +
             length(v->name) + length(v->label_selector) + length(v->field_selector);
    }
    return n;
}

static void keep_request(struct watch_stream *s, const struct watch_options *o)
{
    struct arena *a = &s->request_memory;
    struct wire_subscribe_request *r = &s->request;
    char made_up[UUID_LEN + 1];
    random_uuid(made_up);
    r->client_id = keep(a, length(o->client_id) != 0 ? o->client_id : made_up);
    r->n_selections = o->n_selections;
    r->selections = arena_alloc(a, o->n_selections * sizeof(struct selection) + 1);
    for (size_t i = 0; i < o->n_selections; i++) {
        const struct watch_selection *v = &o->selections[i];
        r->selections[i] = (struct selection){.resource = keep(a, v->resource),
                                              .ns = keep(a, v->ns),
                                              .all_namespaces = v->all_namespaces != 0,
                                              .name = keep(a, v->name),
                                              .label_selector = keep(a, v->label_selector),
                                              .field_selector = keep(a, v->field_selector)};
    }
    r->send_previous = o->previous != 0;
    r->bookmark_interval_ms = o->bookmark_ms;
}

enum watch_code watch_open(struct watch_client *c, const struct watch_options *o,
                           struct watch_stream **ret, struct watch_error *error)
{
    static const enum wire_start starts[] = {
        [WATCH_FROM_STATE] = WIRE_START_SNAPSHOT,  [WATCH_FROM_SINCE] = WIRE_START_SINCE,
        [WATCH_FROM_POSITION] = WIRE_START_RESUME, [WATCH_FROM_NOW] = WIRE_START_NOW,
        [WATCH_FROM_OLDEST] = WIRE_START_OLDEST,
    };
    struct err err;
    size_t size = request_size(o);
    if (o->n_selections > SELECTIONS_MAX || size > REQUEST_MAX / 2) {
        err_field(&err, ERR_INVALID, "selections", "a watch has at most %d selections",
                  SELECTIONS_MAX);
        return error_show(&err, false, error);
    }
    if ((unsigned)o->from >= sizeof(starts) / sizeof(starts[0])) {
        err_field(&err, ERR_INVALID, "from", "there is no such start");
        return error_show(&err, false, error);
    }
    bool resume = o->from == WATCH_FROM_POSITION;
    if (resume && (o->position.token_len == 0 || o->position.token_len > REQUEST_MAX / 4)) {
        err_field(&err, ERR_INVALID, "position", "the position is empty or far too long");
        return error_show(&err, false, error);
    }
    struct watch_stream *s = mem_zalloc(sizeof(*s));
    s->client = c;
    arena_init(&s->request_memory, 2 * size + (64 << 10));
    arena_init(&s->memory, 0);
    arena_init(&s->item, 0);
    buf_init(&s->position, REQUEST_MAX);
    keep_request(s, o);
    s->request.start = starts[o->from];
    s->request.since = o->since;
    s->rv = o->from == WATCH_FROM_SINCE ? o->since : 0;
    if (resume) {
        buf_add(&s->position, o->position.token, o->position.token_len);
        s->has_position = true;
        s->after = o->position.after;
        s->rv = o->position.rv;
    }
    s->synced = resume ? s->rv != 0 : o->from != WATCH_FROM_STATE;
    s->lost_at = client_now();
    TAILQ_INSERT_TAIL(&c->streams, s, entry);
    client_wake_at(c, 0);
    *ret = s;
    return WATCH_OK;
}

void watch_close(struct watch_stream *s)
{
    if (s == NULL) {
        return;
    }
    if (s->attempt != NULL) {
        attempt_abandon(s->attempt);
    }
    TAILQ_REMOVE(&s->client->streams, s, entry);
    arena_fini(&s->request_memory);
    arena_fini(&s->memory);
    arena_fini(&s->item);
    buf_fini(&s->position);
    free(s);
}

void stream_close_all(struct watch_client *c)
{
    while (!TAILQ_EMPTY(&c->streams)) {
        watch_close(TAILQ_FIRST(&c->streams));
    }
}

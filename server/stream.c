/* SPDX-License-Identifier: Apache-2.0 */
/* (1) At most one message of a stream is on its way, so what a client that does not read can
 *     hold is one batch (in a replay, the chunk it is of and the next), and a bookmark is never
 * ahead of what was sent before it. (2) A bookmark carries the watcher's own version and position,
 * never the head: message.c. (3) An idle stream has one tag outstanding, that of the peer's
 * leaving. */
#include "server/stream.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/wire.h"
#include "server/fanout.h"
#include "server/message.h"
#include "server/status.h"
#include "server/told.h"
#include "store/base/logline.h"
#include "store/base/metric.h"

#define FINAL_GRACE_MS 1000

#define TO(state)      (1u << (state))
static const unsigned moves[] = {
    [STREAM_NEW] = TO(STREAM_SENDING) | TO(STREAM_FINAL),
    [STREAM_IDLE] = TO(STREAM_READY) | TO(STREAM_FINAL) | TO(STREAM_GONE),
    [STREAM_READY] = TO(STREAM_SENDING) | TO(STREAM_IDLE) | TO(STREAM_FINAL) | TO(STREAM_GONE),
    [STREAM_SENDING] = TO(STREAM_IDLE) | TO(STREAM_READY) | TO(STREAM_CLOSING) | TO(STREAM_GONE),
    [STREAM_CLOSING] = TO(STREAM_FINAL) | TO(STREAM_GONE),
    [STREAM_FINAL] = 0,
    [STREAM_GONE] = 0,
};

static bool is_on_its_way(const struct stream *s)
{
    return s->state == STREAM_SENDING || s->state == STREAM_CLOSING;
}

/* Keeps the owner's queues in step with the state. */
static void move(struct stream *s, enum stream_state to)
{
    struct fanout *f = s->owner;
    assert((moves[s->state] & TO(to)) != 0);
    bool was_on_its_way = is_on_its_way(s);
    if (s->state == STREAM_READY) {
        conns_remove_ready(&f->conns, s);
    }
    s->state = (uint8_t)to;
    if (was_on_its_way && !is_on_its_way(s)) {
        TAILQ_REMOVE(&f->sending, s, queue);
        fanout_note_stalled(f);
    }
    if (!was_on_its_way && is_on_its_way(s)) {
        TAILQ_INSERT_TAIL(&f->sending, s, queue);
        fanout_note_stalled(f);
    }
    if (to == STREAM_READY) {
        conns_add_ready(&f->conns, s);
    }
}

struct str stream_client_id(const struct stream *s)
{
    return str_of(s->client_id != NULL ? s->client_id : s->id);
}

/* ---- Sending ------------------------------------------------------------------------------- */

/* Starts the message in the owner's buffer; the stream is SENDING from now on. */
static void send_message(struct stream *s, mono_ms_t now)
{
    grpc_op ops[2];
    size_t n = 0;
    if (!s->greeted) {
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
        s->greeted = true;
    }
    ops[n] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
    ops[n++].data.send_message.send_message = s->owner->message;
    told_sent(s);
    s->sent_at = now;
    s->pending++;
    move(s, STREAM_SENDING); /* (1) */
    loop_batch(s->call, ops, n, &s->on_sent);
}

/* Within a snapshot there is no version of which all was sent. */
static bool can_bookmark(const struct stream *s)
{
    return watcher_phase(s->watcher) != WATCH_SNAPSHOT;
}

static void send_bookmark(struct stream *s, mono_ms_t now)
{
    s->bookmark_due = false;
    s->pulled_since_due = false;
    s->bookmarked_at = now;
    s->bookmarked_rv = watcher_rv(s->watcher);
    message_bookmark(s);
    send_message(s, now);
}

static void send_batch(struct stream *s, struct watch_batch *b, mono_ms_t now)
{
    s->events_sent += b->events;
    s->owner->pass_messages++;
    s->owner->pass_events += b->events;
    message_batch(s, b);
    send_message(s, now);
}

/* ---- The end -------------------------------------------------------------------------------- */

/* Delivers no more and is known to nobody any more. */
static void retire(struct stream *s)
{
    registry_remove(&s->owner->registry, s);
    told_end(s);
    if (s->watcher != NULL) {
        watcher_close(TAKE(s->watcher));
        metric_add(M_WATCHES, -1);
        metric_add(M_WATCHES_ENDED, 1);
    }
}

static void unref(struct stream *s)
{
    if (s->pending > 0) {
        return;
    }
    struct fanout *f = s->owner;
    assert(s->state == STREAM_FINAL || s->state == STREAM_GONE);
    assert(s->n_pins == 0 && s->watcher == NULL);
    timers_clear(&f->timers, &s->timer);
    conns_leave(&f->conns, s->conn);
    guard_leave(f->srv->guard, &s->visit, s->cancelled != 0, loop_now());
    grpc_call_unref(s->call);
    free(s->client_id);
    free(s->end);
    free(s);
    atomic_fetch_sub(&f->streams, 1);
    atomic_fetch_sub(&f->srv->watches, 1);
    atomic_fetch_add(&f->srv->streams_freed, 1);
}

static void leave(struct stream *s)
{
    told_cut(s);
    retire(s);
    timers_clear(&s->owner->timers, &s->timer);
    move(s, STREAM_GONE);
}

/* The status, with a bookmark in front if it is wanted and one can be given. For that there may be
 * no room at the client; then its call is cut off after grace_ms, if that is not negative. */
static void finish(struct stream *s, const struct err *err, bool bookmark, mono_ms_t grace_ms)
{
    struct status st;
    status_init(&st, err);
    grpc_op ops[4];
    size_t n = 0;
    if (!s->greeted) {
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
        s->greeted = true;
    }
    bool said = bookmark && s->watcher != NULL && can_bookmark(s);
    if (said) {
        message_bookmark(s);
        ops[n] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
        ops[n++].data.send_message.send_message = s->owner->message;
    }
    status_op(&st, &ops[n++]);
    if (!s->listening) {
        ops[n] = (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
        ops[n++].data.recv_close_on_server.cancelled = &s->cancelled;
        s->listening = true;
    }
    retire(s);
    timers_clear(&s->owner->timers, &s->timer);
    if (said && grace_ms >= 0) {
        s->end = err != NULL ? mem_dup(err, sizeof(*err)) : NULL;
        timers_set(&s->owner->timers, &s->timer, loop_now() + grace_ms);
    }
    move(s, STREAM_FINAL);
    s->pending++;
    loop_batch(s->call, ops, n, &s->on_final);
    status_fini(&st);
}

void stream_cut(struct stream *s, const struct err *err)
{
    leave(s);
    status_cancel(s->call, err);
}

void stream_end(struct stream *s, const struct err *err, bool bookmark, mono_ms_t grace_ms)
{
    if (s->state == STREAM_FINAL || s->state == STREAM_GONE) {
        return;
    }
    if (!is_on_its_way(s)) {
        finish(s, err, bookmark, grace_ms);
        return;
    }
    free(s->end);
    s->end = err != NULL ? mem_dup(err, sizeof(*err)) : NULL;
    s->end_bookmark = bookmark;
    registry_remove(&s->owner->registry, s);
    told_end(s);
    if (!bookmark) {
        retire(s);
    }
    if (s->state == STREAM_SENDING) {
        move(s, STREAM_CLOSING);
    }
    if (grace_ms < 0) {
        timers_clear(&s->owner->timers, &s->timer);
    } else {
        timers_set(&s->owner->timers, &s->timer, loop_now() + grace_ms);
    }
}

void stream_bookmark(struct stream *s)
{
    s->bookmark_due = true;
    s->pulled_since_due = false;
    if (s->state == STREAM_IDLE) {
        move(s, STREAM_READY);
    }
}

void stream_mark(struct stream *s, mono_ms_t now)
{
    if (s->state == STREAM_IDLE) {
        move(s, STREAM_READY);
    }
    if (s->state == STREAM_READY && can_bookmark(s)) {
        send_bookmark(s, now);
    }
}

/* ---- The beginning ----------------------------------------------------------------------------
 */

static enum errc open_watcher(struct stream *s, struct err *err)
{
    struct stream_ask *ask = s->ask;
    struct fanout *f = s->owner;
    if (ask->refused.code != OK) {
        *err = ask->refused;
        return err->code;
    }
    if (f->phase != FANOUT_SERVING) {
        return err_set(err, ERR_DRAINING, "the server is about to end; try again");
    }
    if (ask->options.start == START_RESUME &&
        position_decode((struct str){(const char *)ask->resume, ask->resume_n}, "resume",
                        &ask->options.resume, err) != OK) {
        return err->code;
    }
    ask->options.owner = s;
    struct selections *taken = TAKE(ask->options.selections);
    struct watcher_options options = ask->options;
    options.selections = taken;
    return watcher_open(f->set, &options, &s->watcher, err);
}

static void greet(struct stream *s, mono_ms_t now)
{
    const struct server *srv = s->owner->srv;
    struct wire_started started = {
        .subscription_id = str_of(s->id),
        .client_id = stream_client_id(s),
        .store_id = str_of(srv->store_id),
        .head = store_head(srv->store),
        .floor = store_floor(srv->store),
    };
    message_started(s, &started);
    send_message(s, now);
}

static void listen_for_leaving(struct stream *s)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &s->cancelled;
    s->listening = true;
    s->pending++;
    loop_batch(s->call, &op, 1, &s->on_closed); /* (3) */
}

static void open_stream(struct task *t)
{
    struct stream *s = CONTAINER(t, struct stream, task);
    struct fanout *f = s->owner;
    mono_ms_t now = loop_now();
    s->conn = conns_join(&f->conns, s->visit.fd);
    atomic_fetch_add(&f->streams, 1);
    struct err err = {0};
    enum errc e = open_watcher(s, &err);
    uint64_t duration = s->ask->duration_ms;
    selections_free(s->ask->options.selections);
    free(TAKE(s->ask));
    if (e != OK) {
        metric_add(M_CALLS_FAILED, 1);
        if (e == ERR_EXPIRED) {
            metric_add(M_WATCHES_EXPIRED, 1);
        }
        finish(s, &err, false, -1);
        return;
    }
    guard_bounded(f->srv->guard, &s->visit);
    metric_add(M_WATCHES, 1);
    registry_add(&f->registry, s);
    told_begin(s);
    s->opened_at = now; /* the watch set names it as ready by itself */
    stream_times_begin(s, duration, now);
    listen_for_leaving(s);
    greet(s, now);
}

/* ---- What gRPC core says ------------------------------------------------------------------------
 */

static void sent(struct tag *t, bool ok)
{
    struct stream *s = CONTAINER(t, struct stream, on_sent);
    s->pending--;
    message_unpin(s);
    if (is_on_its_way(s)) {
        if (!ok) {
            leave(s); /* the peer's leaving will be told, too */
        } else if (s->state == STREAM_CLOSING) {
            CLEANUP(freep) struct err *end = TAKE(s->end);
            fanout_catch_up(s->owner); /* for the bookmark */
            finish(s, end, s->end_bookmark, end != NULL ? FINAL_GRACE_MS : STREAM_OVERDUE_MS);
        } else {
            move(s, s->pull_due || s->bookmark_due ? STREAM_READY : STREAM_IDLE);
        }
    }
    unref(s);
}

static void final(struct tag *t, bool ok)
{
    (void)ok;
    struct stream *s = CONTAINER(t, struct stream, on_final);
    s->pending--;
    unref(s);
}

static void closed(struct tag *t, bool ok)
{
    (void)ok;
    struct stream *s = CONTAINER(t, struct stream, on_closed);
    s->pending--;
    if (s->state != STREAM_FINAL && s->state != STREAM_GONE) {
        leave(s);
    }
    unref(s);
}

struct stream *stream_new(struct fanout *owner, grpc_call *call)
{
    struct stream *s = mem_zalloc(sizeof(*s));
    s->on_sent.fn = sent;
    s->on_final.fn = final;
    s->on_closed.fn = closed;
    s->task.run = open_stream;
    s->owner = owner;
    s->call = call;
    s->ask = mem_zalloc(sizeof(*s->ask));
    random_uuid(s->id);
    atomic_fetch_add(&owner->srv->watches, 1);
    return s;
}

void stream_submit(struct stream *s)
{
    loop_post(&s->owner->loop, &s->task);
}

/* ---- Something to do ----------------------------------------------------------------------------
 */

void stream_wake(struct stream *s)
{
    s->pull_due = true;
    if (s->state == STREAM_IDLE) {
        move(s, STREAM_READY);
    }
}

/* Sends a batch, or finds that there is none. False: there is none. */
static bool pull(struct stream *s, mono_ms_t now)
{
    CLEANUP(watch_batch_fini) struct watch_batch batch = {0};
    struct err err = {0};
    if (watcher_pull(s->watcher, &batch, &err) != OK) {
        if (err.code == ERR_EXPIRED) {
            metric_add(M_WATCHES_EXPIRED, 1);
        } else {
            log_warn("a watch ended for a fault subscription=%s reason=%s error=\"%s\"", s->id,
                     err_info(err.code)->reason, err.msg);
        }
        finish(s, &err, false, -1);
        return true;
    }
    if (batch.kind == BATCH_NONE) {
        s->pull_due = false;
        return false;
    }
    s->pull_due = !batch.parked;
    s->pulled_since_due = s->bookmark_due;
    send_batch(s, &batch, now);
    return true;
}

void stream_pump(struct stream *s, mono_ms_t now)
{
    /* A bookmark that was asked for should tell of what is there already, so one batch goes first;
     * only one, or a busy stream would never get it. */
    bool bookmark_first = s->bookmark_due && s->pulled_since_due && can_bookmark(s);
    if (!bookmark_first && s->pull_due && pull(s, now)) {
        return;
    }
    if (s->bookmark_due && can_bookmark(s)) {
        send_bookmark(s, now);
    } else {
        move(s, STREAM_IDLE);
    }
}

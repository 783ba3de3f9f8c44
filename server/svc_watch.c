/* SPDX-License-Identifier: Apache-2.0 */
/* WatchService. Subscribe hands the call to a fan-out thread for good. The others are errands: the
 * call visits one fan-out thread after the other, since only these may look at their streams, and
 * comes back to be answered. */
#include <stdlib.h>

#include "proto/wire.h"
#include "server/fanout.h"
#include "server/lane.h"
#include "server/rpc.h"
#include "server/services.h"
#include "store/base/metric.h"
#include "store/model/name.h"

#define ANSWER_MAX      ((size_t)3500 * 1024) /* below what clients take by default */
#define END_GRACE_MS    250
#define DURATION_MAX_MS (UINT64_C(100) * 366 * 24 * 3600 * 1000)

/* ---- Subscribe ---------------------------------------------------------------------------------
 */

static const enum watch_start starts[] = {
    [WIRE_START_SNAPSHOT] = START_SNAPSHOT, [WIRE_START_SINCE] = START_SINCE,
    [WIRE_START_RESUME] = START_RESUME,     [WIRE_START_NOW] = START_NOW,
    [WIRE_START_OLDEST] = START_OLDEST,
};

static enum errc fill_ask(struct call *c, const struct wire_subscribe_request *req,
                          struct stream_ask *ask, struct err *err)
{
    if (req->client_id.n > 0 && name_check_client_id(req->client_id, "client_id", err) != OK) {
        return err->code;
    }
    if (req->resume.n > sizeof(ask->resume)) {
        return err_field(err, ERR_INVALID, "resume", "this is no position of ours");
    }
    if (rpc_is_draining(c->srv->rpc)) {
        return err_set(err, ERR_DRAINING, "the server is about to end; try again");
    }
    if (atomic_load(&c->srv->watches) > c->srv->config->max_watches) {
        return err_set(err, ERR_LIMIT,
                       "%lld watches are open, which is the limit (--max-watches); end some first",
                       (long long)c->srv->config->max_watches);
    }
    if (selections_new(req->selections, req->n_selections, false, &ask->options.selections, err) !=
        OK) {
        return err->code;
    }
    ask->options.start = starts[req->start];
    ask->options.since = req->since;
    ask->options.previous = req->send_previous;
    memcpy(ask->resume, req->resume.p != NULL ? req->resume.p : "", req->resume.n);
    ask->resume_n = req->resume.n;
    ask->duration_ms = req->duration_ms < DURATION_MAX_MS ? req->duration_ms : 0;
    return OK;
}

void watch_subscribe(struct call *c, struct str in)
{
    struct wire_subscribe_request req = {0};
    struct stream *s = stream_new(c->lane->fanout, c->grpc);
    struct err err = {0};
    enum errc e = wire_read_subscribe_request(&c->arena, in, &req, &err);
    if (e == OK) {
        e = fill_ask(c, &req, s->ask, &err);
    }
    if (e != OK) {
        s->ask->refused = err; /* the owner tells the client: the call is bound to its queue */
    } else {
        s->client_id = req.client_id.n > 0 ? str_dup(req.client_id) : NULL;
        s->interval_ms = req.bookmark_interval_ms;
        s->token = c->caller.token;
    }
    (void)call_release(c, &s->visit);
    if (e == OK) {
        peer_of_socket(s->visit.fd, &s->peer);
    }
    stream_submit(s);
}

/* ---- Errands -----------------------------------------------------------------------------------
 */

struct errand {
    void (*visit)(struct errand *e, struct fanout *f); /* on each fan-out thread */
    void (*answer)(struct call *c, struct errand *e);  /* on the I/O thread */
    struct call *call;
    size_t at; /* fan-out thread it is on */
    bool done; /* the rest need not be visited */
    struct str client_id, subscription_id;
    uint32_t found;
    struct buf out;
};

static void errand_release(struct call *c)
{
    struct errand *e = c->state;
    buf_fini(&e->out);
}

static void errand_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct errand *e = c->state;
    e->answer(c, e);
}

static void errand_visit(struct task *t);

static void errand_go_on(struct errand *e)
{
    struct call *c = e->call;
    if (e->done || e->at == c->srv->n_fanouts) {
        call_return(c, errand_answer);
        return;
    }
    c->task.run = errand_visit;
    loop_post(&c->srv->fanouts[e->at]->loop, &c->task);
}

static void errand_visit(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct errand *e = c->state;
    e->visit(e, c->srv->fanouts[e->at]);
    e->at++;
    errand_go_on(e);
}

static struct errand *errand_new(struct call *c, void (*visit)(struct errand *, struct fanout *),
                                 void (*answer)(struct call *, struct errand *))
{
    struct errand *e = call_state(c, sizeof(*e));
    e->visit = visit;
    e->answer = answer;
    e->call = c;
    buf_init(&e->out, ANSWER_MAX);
    c->release = errand_release;
    return e;
}

/* Streams of others do not exist for those who are no admins. */
static bool may_touch(const struct errand *e, const struct stream *s)
{
    return e->call->caller.admin || e->call->caller.token == s->token;
}

/* Who has no token shows that a subscription is its own by the subscription's id, which is random;
 * a client id can be guessed, and so is for those only whose subscriptions are told apart by their
 * tokens, and for admins. */
static enum errc check_client_id(const struct call *c, struct err *err)
{
    return c->caller.admin || c->caller.token >= 0
               ? OK
               : err_field(err, ERR_DENIED, "client_id",
                           "the subscriptions of clients need an admin token; one's own can be "
                           "ended by its subscription id");
}

/* ---- Unsubscribe
 * --------------------------------------------------------------------------------- */

static void end_one(void *arg, struct stream *s)
{
    struct errand *e = arg;
    if (may_touch(e, s)) {
        struct err err;
        (void)err_set(&err, ERR_UNSUBSCRIBED, "the subscription was ended on request");
        e->found++;
        stream_end(s, &err, false, END_GRACE_MS);
    }
}

static void end_on(struct errand *e, struct fanout *f)
{
    if (e->subscription_id.n == 0) {
        registry_each(&f->registry, e->client_id, end_one, e);
        return;
    }
    struct stream *s = registry_find(&f->registry, e->subscription_id);
    if (s != NULL) {
        end_one(e, s);
        e->done = true;
    }
}

static void fail_not_found(struct call *c, const struct errand *e)
{
    struct err err;
    if (e->subscription_id.n > 0) {
        (void)err_field(&err, ERR_NOT_FOUND, "subscription_id",
                        "there is no open subscription \"%.*s\"", STR_ARG(e->subscription_id));
    } else {
        (void)err_field(&err, ERR_NOT_FOUND, "client_id",
                        "the client \"%.*s\" has no open subscription", STR_ARG(e->client_id));
    }
    call_fail(c, &err);
}

static void end_answer(struct call *c, struct errand *e)
{
    if (e->found == 0) {
        fail_not_found(c, e);
        return;
    }
    wire_write_unsubscribe_response(e->found, &e->out);
    call_reply(c, &e->out);
}

void watch_unsubscribe(struct call *c, struct str in)
{
    struct err err = {0};
    struct errand *e = errand_new(c, end_on, end_answer);
    struct wire_unsubscribe_request req;
    if (wire_read_unsubscribe_request(&c->arena, in, &req, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    e->client_id = req.client_id;
    e->subscription_id = req.subscription_id;
    if (e->client_id.n == 0 && e->subscription_id.n == 0) {
        (void)err_field(&err, ERR_INVALID, "target", "name a client id or a subscription id");
        call_fail(c, &err);
        return;
    }
    if (e->client_id.n > 0 && check_client_id(c, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    errand_go_on(e);
}

/* ---- RequestBookmark
 * ------------------------------------------------------------------------------ */

static void bookmark_on(struct errand *e, struct fanout *f)
{
    struct stream *s = registry_find(&f->registry, e->subscription_id);
    if (s == NULL) {
        return;
    }
    e->done = true;
    if (may_touch(e, s)) {
        e->found++;
        /* It should know of all that is committed by now. */
        atomic_store(&f->turn_due, true);
        f->turn_now = true;
        stream_bookmark(s);
    }
}

static void bookmark_answer(struct call *c, struct errand *e)
{
    if (e->found == 0) {
        fail_not_found(c, e);
        return;
    }
    call_reply(c, &e->out); /* a message without members */
}

void watch_request_bookmark(struct call *c, struct str in)
{
    struct err err = {0};
    struct errand *e = errand_new(c, bookmark_on, bookmark_answer);
    if (wire_read_request_bookmark_request(&c->arena, in, &e->subscription_id, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    if (e->subscription_id.n == 0) {
        (void)err_field(&err, ERR_INVALID, "subscription_id", "name a subscription");
        call_fail(c, &err);
        return;
    }
    errand_go_on(e);
}

/* ---- ListSubscriptions
 * ------------------------------------------------------------------------------ */

static void list_one(void *arg, struct stream *s)
{
    struct errand *e = arg;
    if (!may_touch(e, s) || e->out.full) {
        return;
    }
    mono_ms_t now = loop_now();
    const struct selections *sel = watcher_selections(s->watcher);
    struct selection shown[SELECTIONS_MAX];
    size_t n = selections_count(sel);
    for (size_t i = 0; i < n; i++) {
        selections_show(sel, i, &shown[i]);
    }
    CLEANUP(buf_fini) struct buf peer;
    buf_init(&peer, 128);
    peer_show(&s->peer, &peer);
    struct wire_subscription sub = {
        .subscription_id = str_of(s->id),
        .client_id = stream_client_id(s),
        .peer = buf_str(&peer),
        .selections = shown,
        .n_selections = n,
        .state = (int)watcher_phase(s->watcher),
        .rv = watcher_rv(s->watcher),
        .age_ms = (uint64_t)(now - s->opened_at),
        .stalled_ms = s->state == STREAM_SENDING ? (uint64_t)(now - s->sent_at) : 0,
        .events_sent = s->events_sent,
    };
    wire_append_subscription(&sub, &e->out);
}

static void list_on(struct errand *e, struct fanout *f)
{
    fanout_catch_up(f);
    registry_each(&f->registry, e->client_id, list_one, e);
}

static void list_answer(struct call *c, struct errand *e)
{
    if (e->out.full) {
        struct err err;
        (void)err_set(&err, ERR_LIMIT,
                      "the list is larger than %zu bytes; ask for one client id at a time",
                      e->out.limit);
        call_fail(c, &err);
        return;
    }
    call_reply(c, &e->out);
}

void watch_list(struct call *c, struct str in)
{
    struct err err = {0};
    struct errand *e = errand_new(c, list_on, list_answer);
    if (wire_read_list_subscriptions_request(&c->arena, in, &e->client_id, &err) != OK ||
        check_client_id(c, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    errand_go_on(e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ObjectService.History: the kept versions of one object, a page at a time. */
#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/write_request.h"

#define PAGE_BYTES     (1024 * 1024)
#define PAGE_REVISIONS 1000
/* A page is at most this, or one object; what it adds to the texts is less than they are, but
 * without texts it is all there is. */
#define ANSWER_MAX(c) ((size_t)(c)->srv->config->max_object_bytes * 4 + 4 * (size_t)PAGE_BYTES)

struct history_call {
    struct history history;
    struct buf out; /* the revisions, as they are found */
};

static void history_release(struct call *c)
{
    struct history_call *hc = c->state;
    buf_fini(&hc->out);
}

static void history_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct history_call *hc = c->state;
    if (hc->history.err.code != OK) {
        call_fail(c, &hc->history.err);
        return;
    }
    wire_append_history_end(hc->history.next, hc->history.floor, &hc->out);
    call_reply(c, &hc->out);
}

static void history_done(struct history *h)
{
    call_return(h->arg, history_answer);
}

static void history_revision(struct history *h, const struct event *ev)
{
    struct call *c = h->arg;
    struct history_call *hc = c->state;
    wire_append_revision(ev, h->omit, &hc->out);
}

void object_history(struct call *c, struct str in)
{
    struct err err = {0};
    struct history_call *hc = call_state(c, sizeof(*hc));
    struct history *h = &hc->history;
    struct wire_history_request req;
    buf_init(&hc->out, ANSWER_MAX(c));
    c->release = history_release;
    if (wire_read_history_request(&c->arena, in, &req, &err) != OK ||
        request_key(&req.key, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    h->key = req.key;
    h->at_most = req.at_most;
    h->limit = req.limit == 0 || req.limit > PAGE_REVISIONS ? PAGE_REVISIONS : req.limit;
    h->max_bytes = PAGE_BYTES;
    h->omit = req.omit;
    h->revision = history_revision;
    h->done = history_done;
    h->arg = c;
    if (store_history(c->srv->store, h, &err) != OK) {
        call_fail(c, &err);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ObjectService's reads: of one object, of a selection page by page. */
#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/write_request.h"
#include "store/continue.h"

#define PAGE_BYTES (1024 * 1024)
/* A page is at most this, or one object; what it adds to the texts is less than they are. */
#define ANSWER_MAX(c) ((size_t)(c)->srv->config->max_object_bytes * 4 + 4 * (size_t)PAGE_BYTES)

/* ---- Get ------------------------------------------------------------------------------------ */

struct get_call {
    struct get get;
    struct buf owners;
};

static void get_release(struct call *c)
{
    struct get_call *gc = c->state;
    object_unref(TAKE(gc->get.object));
    buf_fini(&gc->owners);
}

static void get_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct get_call *gc = c->state;
    const struct get *g = &gc->get;
    if (g->err.code != OK) {
        call_fail(c, &g->err);
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX(c));
    wire_write_get_response(g->object, buf_str(&gc->owners), &out);
    call_reply(c, &out);
}

static void get_done(struct get *g)
{
    call_return(g->arg, get_answer);
}

void object_get(struct call *c, struct str in)
{
    struct err err = {0};
    struct get_call *gc = call_state(c, sizeof(*gc));
    struct get *g = &gc->get;
    struct wire_get_request req;
    if (wire_read_get_request(&c->arena, in, &req, &err) != OK ||
        request_key(&req.key, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    g->key = req.key;
    g->at = req.rv;
    buf_init(&gc->owners, SIZE_MAX);
    g->owners = req.show_managed_fields ? &gc->owners : NULL;
    g->done = get_done;
    g->arg = c;
    c->release = get_release;
    if (store_get(c->srv->store, g, &err) != OK) {
        call_fail(c, &err);
    }
}

/* ---- List ----------------------------------------------------------------------------------- */

struct list_call {
    struct list list;
    struct selections *selections;
    struct buf out;              /* the objects, as they are found */
    uint8_t after[POSITION_MAX]; /* list.after borrows from it */
};

static void list_release(struct call *c)
{
    struct list_call *lc = c->state;
    selections_free(lc->selections);
    buf_fini(&lc->out);
}

static void list_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct list_call *lc = c->state;
    struct list *l = &lc->list;
    CLEANUP(buf_fini) struct buf token;
    buf_init(&token, CONTINUE_TOKEN_MAX);
    if (list_is_outlived(l) || (l->err.code == OK && l->more)) {
        list_token_write(c->srv->store, l, &token);
    }
    if (l->err.code != OK) {
        call_fail_with(c, &l->err, &(struct wire_more){.continue_token = buf_str(&token)});
        return;
    }
    wire_append_list_end(l->rv, buf_str(&token), l->remaining, &lc->out);
    call_reply(c, &lc->out);
}

static void list_item(struct list *l, const struct object *o)
{
    struct call *c = l->arg;
    struct list_call *lc = c->state;
    wire_append_list_object(o, &lc->out);
}

static void list_done(struct list *l)
{
    call_return(l->arg, list_answer);
}

/* What of the request says at which version the list is. */
static enum errc list_version(struct call *c, const struct wire_list_request *req,
                              struct list_call *lc, struct err *err)
{
    struct list *l = &lc->list;
    if (req->continue_token.n > 0) {
        if (req->rv != 0 || req->match != WIRE_MATCH_ANY) {
            return err_field(err, ERR_INVALID, req->rv != 0 ? "resource_version" : "version_match",
                             "cannot be given together with a continue token, which has its own");
        }
        return list_token_read(c->srv->store, req->continue_token, lc->after, l, err);
    }
    if (req->match == WIRE_MATCH_EXACT && req->rv == 0) {
        return err_field(err, ERR_INVALID, "resource_version",
                         "must be given where it is to be matched exactly");
    }
    l->at = req->rv;
    l->match = req->match == WIRE_MATCH_EXACT ? LIST_EXACT
               : req->rv != 0                 ? LIST_NOT_OLDER
                                              : LIST_NEWEST;
    return OK;
}

static enum errc list_prepare(struct call *c, struct str in, struct list_call *lc, struct err *err)
{
    struct wire_list_request req;
    if (wire_read_list_request(&c->arena, in, &req, err) != OK ||
        selections_new(&req.selection, 1, true, &lc->selections, err) != OK ||
        list_version(c, &req, lc, err) != OK) {
        return err->code;
    }
    lc->list.selections = lc->selections;
    lc->list.limit = req.limit;
    lc->list.max_bytes = PAGE_BYTES;
    lc->list.item = list_item;
    lc->list.done = list_done;
    lc->list.arg = c;
    return OK;
}

void object_list(struct call *c, struct str in)
{
    struct err err = {0};
    struct list_call *lc = call_state(c, sizeof(*lc));
    buf_init(&lc->out, ANSWER_MAX(c));
    c->release = list_release;
    if (list_prepare(c, in, lc, &err) != OK || store_list(c->srv->store, &lc->list, &err) != OK) {
        call_fail(c, &err);
    }
}

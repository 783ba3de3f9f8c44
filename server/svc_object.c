/* SPDX-License-Identifier: Apache-2.0 */
/* ObjectService: requests become reads and writes of the store; its answers come back by
 * call_return. Everything about a request that does not need the object as it is, is checked here,
 * before the writer sees it. */
#include <assert.h>

#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "store/model/draft.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define PAGE_OBJECTS 500
#define PAGE_BYTES   (1024 * 1024)
/* A page is at most this, or one object; what it adds to the texts is less than they are. */
#define ANSWER_MAX(c) ((size_t)(c)->srv->config->max_object_bytes * 4 + 4 * (size_t)PAGE_BYTES)

/* The key as it is meant, checked. */
static enum errc check_key(struct key *k, struct err *err)
{
    if (k->resource.n == 0) {
        k->resource = STR(RESOURCE_DEFAULT);
    }
    if (k->ns.n == 0) {
        k->ns = STR(NAMESPACE_DEFAULT);
    }
    if (str_eq(k->resource, STR(RESOURCE_ALL))) {
        return err_field(err, ERR_INVALID, "key.resource",
                         "\"all\" stands for every resource, but one object is meant here");
    }
    return name_check_key(k, err);
}

/* ---- Get ------------------------------------------------------------------------------------ */

static void get_release(struct call *c)
{
    struct get *g = c->state;
    object_unref(TAKE(g->object));
}

static void get_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct get *g = c->state;
    if (g->err.code != OK) {
        call_fail(c, &g->err);
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX(c));
    wire_write_get_response(g->object, &out);
    call_reply(c, &out);
}

static void get_done(struct get *g)
{
    call_return(g->arg, get_answer);
}

void object_get(struct call *c, struct str in)
{
    struct err err = {0};
    struct get *g = call_state(c, sizeof(*g));
    struct wire_get_request req;
    if (wire_read_get_request(&c->arena, in, &req, &err) != OK || check_key(&req.key, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    g->key = req.key;
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
    uint8_t token[POSITION_MAX]; /* list.after borrows from it */
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
    if (lc->list.err.code != OK) {
        call_fail(c, &lc->list.err);
        return;
    }
    CLEANUP(buf_fini) struct buf token;
    buf_init(&token, (size_t)POSITION_MAX * 2);
    if (lc->list.more) {
        position_to_text(&lc->list.next, &token);
    }
    wire_append_list_end(lc->list.rv, buf_str(&token), &lc->out);
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

static enum errc list_prepare(struct call *c, struct str in, struct list_call *lc, struct err *err)
{
    struct wire_list_request req;
    if (wire_read_list_request(&c->arena, in, &req, err) != OK ||
        selections_new(&req.selection, 1, true, &lc->selections, err) != OK) {
        return err->code;
    }
    if (req.continue_token.n > 0 && position_from_text(req.continue_token, "continue_token",
                                                       lc->token, &lc->list.after, err) != OK) {
        return err->code;
    }
    if (req.continue_token.n > 0 && !lc->list.after.in_snapshot) {
        return err_field(err, ERR_INVALID, "continue_token",
                         "is not from a list; send what the page before brought");
    }
    lc->list.selections = lc->selections;
    lc->list.limit = req.limit == 0 ? PAGE_OBJECTS : req.limit;
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

/* ---- Put, Patch, Delete ---------------------------------------------------------------------- */

struct write_call {
    struct write write;
    struct draft *draft;
    json_t *json;
    bool return_object;
};

static void write_release(struct call *c)
{
    struct write_call *wc = c->state;
    draft_free(wc->draft);
    json_decrefp(&wc->json);
    object_unref(TAKE(wc->write.object));
}

static enum wire_result wire_result_of(enum write_result r)
{
    switch (r) {
    case WRITE_CREATED:
        return WIRE_RESULT_CREATED;
    case WRITE_UPDATED:
        return WIRE_RESULT_UPDATED;
    case WRITE_UNCHANGED:
        return WIRE_RESULT_UNCHANGED;
    case WRITE_DELETED:
        return WIRE_RESULT_DELETED;
    }
    return WIRE_RESULT_NONE;
}

static void write_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct write_call *wc = c->state;
    struct write *w = &wc->write;
    if (w->err.code != OK) {
        call_fail(c, &w->err);
        return;
    }
    struct wire_write_response res = {
        .object = {.key = w->key, .rv = w->rv},
        .result = wire_result_of(w->result),
        .generation = w->generation,
    };
    CLEANUP(buf_fini) struct buf json;
    buf_init(&json, ANSWER_MAX(c));
    if (w->object != NULL) {
        res.uid = object_uid(w->object);
        if (wc->return_object) {
            object_render(w->object->body, w->object->splice, w->rv, w->generation, &json);
            res.object.json = buf_str(&json);
        }
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX(c));
    wire_write_write_response(&res, &out);
    call_reply(c, &out);
}

static void write_done(struct write *w)
{
    call_return(w->arg, write_answer);
}

static enum errc check_request_id(struct str id, struct write *w, struct err *err)
{
    if (id.n == 0) {
        return OK;
    }
    if (id.n != REQUEST_ID_LEN) {
        return err_field(err, ERR_INVALID, "request_id", "must be %d bytes or empty, not %zu",
                         REQUEST_ID_LEN, id.n);
    }
    w->has_request_id = true;
    memcpy(w->request_id, id.p, REQUEST_ID_LEN);
    return OK;
}

/* What the document demands and what the request demands are one precondition. */
static enum errc merge_precondition(struct precondition *pre, const struct precondition *doc,
                                    struct err *err)
{
    if (doc->rv != 0) {
        if (pre->rv != 0 && pre->rv != doc->rv) {
            return err_field(err, ERR_INVALID, "precondition.resource_version",
                             "differs from metadata.resourceVersion in the document");
        }
        pre->rv = doc->rv;
    }
    if (doc->uid[0] != '\0') {
        if (pre->uid[0] != '\0' && strcmp(pre->uid, doc->uid) != 0) {
            return err_field(err, ERR_INVALID, "precondition.uid",
                             "differs from metadata.uid in the document");
        }
        memcpy(pre->uid, doc->uid, sizeof(pre->uid));
    }
    return OK;
}

static enum errc parse_json(struct call *c, struct str text, struct write_call *wc, struct err *err)
{
    int64_t limit = c->srv->config->max_object_bytes;
    if (text.n > (size_t)limit) {
        return err_field(err, ERR_TOO_LARGE, "json",
                         "the document has %zu bytes; at most %lld are taken", text.n,
                         (long long)limit);
    }
    return json_text_parse(text, "json", &wc->json, err);
}

/* The tree waits in the writer's queue, and counts there for what it takes. */
static void send_tree(struct write_call *wc, enum write_verb verb)
{
    wc->write.verb = verb;
    wc->write.json = wc->json;
    wc->write.bytes += json_tree_bytes(wc->json);
}

static enum errc put_prepare(struct call *c, const struct wire_write_request *req,
                             struct write_call *wc, struct err *err)
{
    static const enum write_mode modes[] = {
        [WIRE_PUT_ANY] = WRITE_ANY,
        [WIRE_PUT_CREATE] = WRITE_CREATE,
        [WIRE_PUT_UPDATE] = WRITE_UPDATE,
    };
    struct write *w = &wc->write;
    enum document_form form;
    if (parse_json(c, req->json, wc, err) != OK || document_form_of(wc->json, &form, err) != OK) {
        return err->code;
    }
    w->mode = modes[req->mode];
    if (req->scope == WIRE_SCOPE_SPEC || (req->scope == WIRE_SCOPE_AUTO && form == DOCUMENT_SPEC)) {
        send_tree(wc, WRITE_SPEC);
        return OK;
    }
    struct precondition in_document = {0};
    if (draft_new(&w->key, wc->json, (size_t)c->srv->config->max_object_bytes, &wc->draft,
                  &in_document, err) != OK) {
        return err->code;
    }
    json_decrefp(&wc->json);
    w->verb = WRITE_PUT;
    w->draft = wc->draft;
    w->bytes += draft_size(wc->draft);
    return merge_precondition(&w->pre, &in_document, err);
}

static enum errc patch_prepare(struct call *c, const struct wire_write_request *req,
                               struct write_call *wc, struct err *err)
{
    if (parse_json(c, req->json, wc, err) != OK) {
        return err->code;
    }
    if (!json_is_object(wc->json)) {
        return err_field(err, ERR_INVALID, "json", "a merge patch must be a JSON object");
    }
    send_tree(wc, WRITE_PATCH);
    return OK;
}

static enum errc delete_prepare(struct call *c, const struct wire_write_request *req,
                                struct write_call *wc, struct err *err)
{
    (void)c;
    (void)req;
    (void)err;
    wc->write.verb = WRITE_DELETE;
    return OK;
}

typedef enum errc read_fn(struct arena *a, struct str in, struct wire_write_request *ret,
                          struct err *err);
typedef enum errc prepare_fn(struct call *c, const struct wire_write_request *req,
                             struct write_call *wc, struct err *err);

static void object_write(struct call *c, struct str in, read_fn *read, prepare_fn *prepare)
{
    struct err err = {0};
    struct write_call *wc = call_state(c, sizeof(*wc));
    struct write *w = &wc->write;
    struct wire_write_request req;
    c->release = write_release;
    if (read(&c->arena, in, &req, &err) != OK || check_key(&req.key, &err) != OK ||
        check_request_id(req.request_id, w, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    w->key = req.key;
    w->pre = req.pre;
    w->dry_run = req.dry_run;
    w->done = write_done;
    w->arg = c;
    w->bytes = sizeof(*c) + sizeof(*wc) + in.n;
    wc->return_object = req.return_object;
    if (prepare(c, &req, wc, &err) != OK || store_submit(c->srv->store, w, &err) != OK) {
        call_fail(c, &err);
    }
}

void object_put(struct call *c, struct str in)
{
    object_write(c, in, wire_read_put_request, put_prepare);
}

void object_patch(struct call *c, struct str in)
{
    object_write(c, in, wire_read_patch_request, patch_prepare);
}

void object_delete(struct call *c, struct str in)
{
    object_write(c, in, wire_read_delete_request, delete_prepare);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ObjectService's Put, Patch and Delete: a request becomes one write of the store, whose answer
 * comes back by call_return. */
#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/write_request.h"

/* One document, perhaps of a time when larger ones were taken. */
#define ANSWER_MAX(c) ((size_t)(c)->srv->config->max_object_bytes * 4 + (size_t)4 * 1024 * 1024)

static void write_release(struct call *c)
{
    write_request_fini(c->state);
}

static void write_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct write_request *r = c->state;
    struct write *w = &r->write;
    if (w->err.code != OK) {
        call_fail_with(c, &w->err, &(struct wire_more){.conflicts = write_request_conflicts(w)});
        return;
    }
    struct wire_write_response res = {
        .object = {.key = w->key, .rv = w->rv},
        .result = write_request_result(w->result),
        .generation = w->generation,
    };
    CLEANUP(buf_fini) struct buf json;
    buf_init(&json, ANSWER_MAX(c));
    if (w->object != NULL) {
        res.uid = object_uid(w->object);
        if (r->return_object) {
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

typedef enum errc read_fn(struct arena *a, struct str in, struct wire_write_request *ret,
                          struct err *err);

static void object_write(struct call *c, struct str in, read_fn *read, write_request_fn *prepare)
{
    struct err err = {0};
    struct write_request *r = call_state(c, sizeof(*r));
    struct wire_write_request req;
    c->release = write_release;
    r->write.done = write_done;
    r->write.arg = c;
    r->write.bytes = sizeof(*c) + sizeof(*r) + in.n;
    if (read(&c->arena, in, &req, &err) != OK ||
        prepare(r, &req, c->srv->store, (size_t)c->srv->config->max_object_bytes, &err) != OK ||
        store_submit(c->srv->store, &r->write, &err) != OK) {
        call_fail(c, &err);
    }
}

void object_put(struct call *c, struct str in)
{
    object_write(c, in, wire_read_put_request, write_request_put);
}

void object_patch(struct call *c, struct str in)
{
    object_write(c, in, wire_read_patch_request, write_request_patch);
}

void object_delete(struct call *c, struct str in)
{
    object_write(c, in, wire_read_delete_request, write_request_delete);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Transact: several requests become one write of the store. What does not need the objects as they
 * are, is checked here for each of them, before the writer sees any. */
#include <stdlib.h>

#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/write_request.h"

/* The documents of a transaction, each perhaps of a time when larger ones were taken. */
#define ANSWER_MAX(c) ((size_t)(c)->srv->config->max_object_bytes * 4 + (size_t)4 * 1024 * 1024)

struct transact_call {
    struct write txn;
    struct write *ops;              /* of txn */
    struct write_request *requests; /* what ops borrow from */
    size_t n;
    bool return_objects;
};

static void transact_release(struct call *c)
{
    struct transact_call *t = c->state;
    for (size_t i = 0; i < t->n; i++) {
        object_unref(TAKE(t->ops[i].object));
        conflicts_free(TAKE(t->ops[i].conflicts));
        write_request_fini(&t->requests[i]);
    }
    conflicts_free(TAKE(t->txn.conflicts));
    free(t->ops);
    free(t->requests);
}

/* ---- The answer ---------------------------------------------------------------------------- */

static void append_outcome(const struct transact_call *t, const struct write *op, struct buf *out)
{
    struct wire_write_response res = {
        .object = {.key = op->key, .rv = op->rv},
        .result = write_request_result(op->result),
        .generation = op->generation,
    };
    CLEANUP(buf_fini) struct buf json;
    buf_init(&json, out->limit);
    if (op->object != NULL) {
        res.uid = object_uid(op->object);
        if (t->return_objects) {
            object_render(op->object->body, op->object->splice, op->rv, op->generation, &json);
            res.object.json = buf_str(&json);
        }
    }
    wire_append_outcome(&res, out);
}

static void transact_answer(struct task *task)
{
    struct call *c = CONTAINER(task, struct call, task);
    struct transact_call *t = c->state;
    if (t->txn.err.code != OK) {
        call_fail_with(c, &t->txn.err,
                       &(struct wire_more){.conflicts = write_request_conflicts(&t->txn)});
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX(c));
    for (size_t i = 0; i < t->n; i++) {
        append_outcome(t, &t->ops[i], &out);
    }
    wire_append_transaction_end(t->txn.rv, &out);
    call_reply(c, &out);
}

static void transact_done(struct write *w)
{
    call_return(w->arg, transact_answer);
}

/* ---- The request --------------------------------------------------------------------------- */

static enum errc check_op(const struct wire_write_request *req, struct err *err)
{
    if (req->request_id.n != 0) {
        return err_field(err, ERR_INVALID, "request_id", "belongs to the whole transaction");
    }
    if (req->dry_run) {
        return err_field(err, ERR_INVALID, "dry_run", "belongs to the whole transaction");
    }
    if (req->return_object) {
        return err_field(err, ERR_INVALID, "return_object",
                         "belongs to the whole transaction: return_objects");
    }
    return OK;
}

static enum errc prepare_check(struct write_request *r, const struct wire_write_request *req,
                               struct store *store, size_t limit, struct err *err)
{
    enum errc rc = write_request_delete(r, req, store, limit, err);
    r->write.verb = WRITE_CHECK;
    return rc;
}

static enum errc prepare_op(const struct call *c, struct transact_call *t,
                            const struct wire_operation *o, struct err *err)
{
    static write_request_fn *const prepare[] = {
        [WIRE_OP_PUT] = write_request_put,
        [WIRE_OP_PATCH] = write_request_patch,
        [WIRE_OP_DELETE] = write_request_delete,
        [WIRE_OP_CHECK] = prepare_check,
    };
    size_t i = t->n++;
    struct write_request *r = &t->requests[i];
    size_t limit = (size_t)c->srv->config->max_object_bytes;
    if (check_op(&o->write, err) != OK ||
        prepare[o->kind](r, &o->write, c->srv->store, limit, err) != OK) {
        return err->code;
    }
    for (size_t k = 0; k < i && r->write.generate.n == 0; k++) {
        if (key_eq(&t->ops[k].key, &r->write.key)) {
            return err_field(err, ERR_INVALID, "key",
                             "names the same object as operations[%zu]; give one for each object",
                             k);
        }
    }
    t->txn.bytes += sizeof(*r) + sizeof(t->ops[i]) + r->write.bytes;
    t->ops[i] = r->write;
    return OK;
}

static enum errc prepare(struct call *c, struct transact_call *t,
                         const struct wire_transact_request *req, struct err *err)
{
    size_t documents = 0;
    if (req->n_operations == 0 || req->n_operations > TXN_OPS_MAX) {
        return err_field(err, ERR_INVALID, "operations", "must be 1 to %d, not %zu", TXN_OPS_MAX,
                         req->n_operations);
    }
    for (size_t i = 0; i < req->n_operations; i++) {
        documents += req->operations[i].write.json.n;
    }
    if (documents > TXN_BYTES_MAX) {
        return err_field(err, ERR_TOO_LARGE, "operations",
                         "the documents have %zu bytes together; at most %d fit one transaction",
                         documents, TXN_BYTES_MAX);
    }
    t->ops = mem_zalloc(req->n_operations * sizeof(*t->ops));
    t->requests = mem_zalloc(req->n_operations * sizeof(*t->requests));
    for (size_t i = 0; i < req->n_operations; i++) {
        const struct wire_operation *o = &req->operations[i];
        if (prepare_op(c, t, o, err) != OK) {
            err_within(err, "operations[%zu].%s", i, wire_operation_word(o->kind));
            return err->code;
        }
    }
    return OK;
}

void object_transact(struct call *c, struct str in)
{
    struct err err = {0};
    struct transact_call *t = call_state(c, sizeof(*t));
    struct wire_transact_request req;
    c->release = transact_release;
    t->txn.verb = WRITE_TXN;
    t->txn.done = transact_done;
    t->txn.arg = c;
    t->txn.bytes = sizeof(*c) + in.n;
    if (wire_read_transact_request(&c->arena, in, &req, &err) != OK ||
        prepare(c, t, &req, &err) != OK) {
        call_fail(c, &err);
        return;
    }
    t->txn.ops = t->ops;
    t->txn.n_ops = t->n;
    t->txn.dry_run = req.dry_run;
    t->return_objects = req.return_objects;
    request_id_take(req.request_id, &t->txn);
    if (store_submit(c->srv->store, &t->txn, &err) != OK) {
        call_fail(c, &err);
    }
}

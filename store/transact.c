/* SPDX-License-Identifier: Apache-2.0 */
#include "store/transact.h"

#include <assert.h>
#include <stdio.h>

#include <xxhash.h>

#include "store/judge.h"

static const char *op_word(enum write_verb verb)
{
    switch (verb) {
    case WRITE_PUT:
    case WRITE_SPEC:
        return "put";
    case WRITE_PATCH:
    case WRITE_JSON_PATCH:
    case WRITE_APPLY:
        return "patch";
    case WRITE_DELETE:
        return "delete";
    case WRITE_CHECK:
        return "check";
    case WRITE_TXN:
        break;
    }
    return "";
}

/* The same for the fields of conflicts, of which there may be none. */
static void name_conflicts(size_t i, struct conflicts *c)
{
    for (size_t k = 0; c != NULL && k < c->n; k++) {
        char *field = c->v[k].field;
        c->v[k].field = mem_printf("operations[%zu].patch.%s", i, field);
        free(field);
    }
}

/* What an operation is about, whether or not its name is generated yet: of such a one, how that
 * begins, and which operation it is. No name has a '#'. */
#define ASKED_MAX (NAME_MAX_LEN + 16)
static struct key asked_key(const struct write *t, size_t i, char text[ASKED_MAX])
{
    const struct write *op = &t->ops[i];
    struct key k = op->key;
    if (op->generate.n != 0) {
        int n = snprintf(text, ASKED_MAX, "%.*s#%zu", STR_ARG(op->generate), i);
        k.name = (struct str){text, (size_t)n < ASKED_MAX ? (size_t)n : ASKED_MAX - 1};
    }
    return k;
}

uint64_t transact_hash(const struct write *t)
{
    XXH64_hash_t h = t->n_ops;
    for (size_t i = 0; i < t->n_ops; i++) {
        char text[ASKED_MAX];
        struct key k = asked_key(t, i, text);
        const uint64_t part[] = {h, requests_key_hash(&k)};
        h = XXH3_64bits(part, sizeof(part));
    }
    return h;
}

/* ---- Judging ------------------------------------------------------------------------------- */

/* What its events carry must fit one message to a watcher, the objects before included. */
static enum errc check_size(const struct batch *b, size_t first, struct err *err)
{
    size_t now = 0, before = 0;
    for (size_t i = first; i < b->n_changes; i++) {
        now += b->changes[i].event.body.n;
        before += b->was[i] != NULL ? b->was[i]->body.n : 0;
    }
    size_t most = now > before ? now : before;
    if (b->n_changes - first < 2 || most <= TXN_BYTES_MAX) {
        return OK;
    }
    return err_field(err, ERR_TOO_LARGE, "operations",
                     "the documents have %zu bytes together (%s); at most %d fit one transaction",
                     most, now > before ? "as they would be" : "as they are", TXN_BYTES_MAX);
}

static void op_prepare(const struct write *t, size_t i)
{
    struct write *op = &t->ops[i];
    op->txn = t;
    op->err.code = OK;
    op->object = NULL;
    op->conflicts = NULL;
    op->rv = 0;
    op->generation = 0;
    op->has_request_id = t->has_request_id;
    if (t->has_request_id) {
        char text[ASKED_MAX];
        struct key k = asked_key(t, i, text);
        requests_derive(t->request_id, &k, op->request_id);
    }
}

static void forget_outcomes(struct write *t)
{
    for (size_t i = 0; i < t->n_ops; i++) {
        object_unref(TAKE(t->ops[i].object));
    }
}

static enum errc judge_all(struct batch *b, struct write *t)
{
    size_t first = b->n_changes;
    t->result = WRITE_UNCHANGED;
    for (size_t i = 0; i < t->n_ops; i++) {
        struct write *op = &t->ops[i];
        enum errc rc = judge_one(b, op);
        if (rc == OK && b->n_changes - first > TXN_EVENTS_MAX) {
            rc = err_field(
                &op->err, ERR_LIMIT, "propagation",
                "more than %d objects would be changed at once; leave fewer dependents in "
                "one transaction",
                TXN_EVENTS_MAX);
        }
        if (rc != OK) {
            t->err = op->err;
            t->conflicts = TAKE(op->conflicts);
            name_conflicts(i, t->conflicts);
            err_within(&t->err, "operations[%zu].%s", i, op_word(op->verb));
            return t->err.code;
        }
        t->result = op->result != WRITE_UNCHANGED ? WRITE_UPDATED : t->result;
    }
    return check_size(b, first, &t->err);
}

/* A dry run tells of the version that there is. */
static void show_as_it_is(struct batch *b, struct write *op)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    struct err err;
    row_t row = 0;
    bool found = batch_current(b, &op->key, &cur, &row, &err) == OK && cur != NULL;
    op->rv = found ? cur->rv : 0;
}

enum errc transact(struct batch *b, struct write *t)
{
    struct batch_mark mark = batch_mark(b);
    assert(t->n_ops <= TXN_OPS_MAX);
    for (size_t i = 0; i < t->n_ops; i++) {
        op_prepare(t, i);
    }
    enum errc rc = judge_all(b, t);
    if (rc == OK && !t->dry_run) {
        batch_tie(b, mark.changes);
    } else {
        batch_undo(b, mark);
    }
    if (rc != OK) {
        forget_outcomes(t);
        return rc;
    }
    for (size_t i = 0; i < t->n_ops && t->dry_run; i++) {
        show_as_it_is(b, &t->ops[i]);
    }
    t->rv = store_head(b->store) + b->n_changes;
    return OK;
}

/* ---- Repeats ------------------------------------------------------------------------------- */

static bool recall_op(struct store *s, struct requests *requests, struct write *op)
{
    const struct answer *a = requests_find(requests, op->request_id);
    if (a == NULL) {
        return false;
    }
    judge_recall(s, a, op);
    return true;
}

/* The last version of a transaction one version of which is known. */
static rv_t end_of(struct store *s, rv_t rv)
{
    struct event ev;
    struct err err;
    return s->engine->ops->recall(s->engine, rv, &ev, &err) == OK ? ev.txn_end : rv;
}

/* The operations' events in the transaction that ended at `end`, should it be kept. */
static void recall_events(struct store *s, struct write *t, bool *found, rv_t end)
{
    struct event ev;
    struct err err;
    for (rv_t at = end; at > 0 && end - at < TXN_EVENTS_MAX; at--) {
        if (s->engine->ops->recall(s->engine, at, &ev, &err) != OK || ev.txn_end != end) {
            return;
        }
        uint8_t id[REQUEST_ID_LEN] = {0};
        struct answer a = requests_answer_of(&ev);
        bool has_id = ev.request_id.n == REQUEST_ID_LEN;
        if (has_id) {
            memcpy(id, ev.request_id.p, REQUEST_ID_LEN); /* the event is borrowed until the next */
        }
        for (size_t i = 0; i < t->n_ops && has_id; i++) {
            if (!found[i] && memcmp(id, t->ops[i].request_id, REQUEST_ID_LEN) == 0) {
                judge_recall(s, &a, &t->ops[i]);
                found[i] = true;
            }
        }
    }
}

/* An operation that changed nothing: the object as it was when the transaction was done. */
static void recall_unchanged(struct store *s, struct write *op, rv_t end)
{
    index_lock(s->index);
    const struct index_entry *e = index_find(s->index, &op->key);
    bool created;
    rv_t undo = e != NULL ? index_kept_after(e, end, &created) : 0;
    rv_t rv = e != NULL ? e->rv : 0;
    row_t row = e != NULL ? e->row : 0;
    index_unlock(s->index);
    struct event ev;
    struct err err;
    op->result = WRITE_UNCHANGED;
    if (undo != 0 && s->engine->ops->recall(s->engine, undo, &ev, &err) == OK) {
        op->object = event_previous(&ev);
    } else if (rv != 0 && s->engine->ops->load(s->engine, row, rv, &op->object, &err) != OK) {
        op->object = NULL;
    }
    op->rv = op->object != NULL ? op->object->rv : 0;
    op->generation = op->object != NULL ? op->object->generation : 0;
}

bool transact_repeat(struct store *s, struct requests *requests, struct write *t)
{
    bool found[TXN_OPS_MAX] = {false};
    const struct answer *whole = requests_find(requests, t->request_id);
    rv_t end = whole != NULL ? whole->rv : 0;
    rv_t known = 0;
    for (size_t i = 0; i < t->n_ops; i++) {
        struct write *op = &t->ops[i];
        op_prepare(t, i);
        found[i] = recall_op(s, requests, op);
        if (found[i] && op->result != WRITE_UNCHANGED) {
            known = op->rv;
        }
    }
    if (end == 0 && known == 0) {
        forget_outcomes(t);
        return false;
    }
    end = end != 0 ? end : end_of(s, known);
    size_t n_found = 0;
    for (size_t i = 0; i < t->n_ops; i++) {
        n_found += found[i];
    }
    if (n_found < t->n_ops) {
        recall_events(s, t, found, end);
    }
    for (size_t i = 0; i < t->n_ops; i++) {
        if (!found[i]) {
            recall_unchanged(s, &t->ops[i], end);
        }
    }
    t->rv = end;
    t->result = known != 0 ? WRITE_UPDATED : WRITE_UNCHANGED;
    return true;
}

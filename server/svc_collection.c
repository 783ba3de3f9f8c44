/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteCollection: a page of a list, and an ordinary delete for each object on it. The deletes
 * demand the uid that was listed, so an object made meanwhile under a name of the list stays; what
 * has gone meanwhile is not told. So a page may be repeated, and never deletes twice.
 *
 *   list (reader) ─► items ─► one delete each (writer) ─► the last one to end answers (I/O)
 *
 * Bounded by the page: PAGE_MAX objects, and the list's own limits. */
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/wire.h"
#include "server/rpc.h"
#include "server/services.h"
#include "server/write_request.h"
#include "store/base/mem.h"
#include "store/continue.h"

#define PAGE_OBJECTS 500
#define PAGE_MAX     1000
#define PAGE_BYTES   (1024 * 1024)
#define ANSWER_MAX   ((size_t)2 * 1024 * 1024) /* keys and uids of PAGE_MAX objects */

/* One object of the page. */
struct doomed {
    struct write write;
    struct collection *collection;
    bool submitted;
    char names[]; /* of write.key */
};

struct collection {
    struct call *call;
    struct list list;
    struct selections *selections;
    uint8_t token[POSITION_MAX]; /* list.after borrows from it */
    bool dry_run, orphan;
    struct str field_manager; /* in the call's arena */
    struct doomed *items[PAGE_MAX];
    size_t n;
    atomic_size_t pending; /* deletes under way; one more while they are submitted */
    struct err refused;    /* of the first that could not be submitted */
};

static void collection_release(struct call *c)
{
    struct collection *co = c->state;
    for (size_t i = 0; i < co->n; i++) {
        object_unref(co->items[i]->write.object);
        free(co->items[i]);
    }
    selections_free(co->selections);
}

static void collection_item(struct list *l, const struct object *o)
{
    struct collection *co = l->arg;
    const struct key *k = &o->key;
    struct str uid = object_uid(o);
    struct doomed *d = mem_zalloc(sizeof(*d) + key_len(k));
    d->collection = co;
    d->write.key = key_copy_to(k, d->names);
    memcpy(d->write.pre.uid, uid.p, uid.n < UUID_LEN ? uid.n : UUID_LEN);
    co->items[co->n++] = d;
}

/* ---- The answer ---------------------------------------------------------------------------- */

/* Gone, or another object of that name: nothing was to be done. */
static bool was_gone(const struct doomed *d)
{
    return d->write.err.code == ERR_NOT_FOUND || d->write.err.code == ERR_CONFLICT;
}

static const struct err *first_error(const struct collection *co)
{
    for (size_t i = 0; i < co->n; i++) {
        const struct doomed *d = co->items[i];
        if (!d->submitted) {
            return &co->refused;
        }
        if (d->write.err.code != OK && !was_gone(d)) {
            return &d->write.err;
        }
    }
    return NULL;
}

static void collection_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct collection *co = c->state;
    const struct err *err = first_error(co);
    if (err != NULL) {
        call_fail(c, err);
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    for (size_t i = 0; i < co->n; i++) {
        const struct write *w = &co->items[i]->write;
        if (w->err.code == OK) {
            struct wire_write_response outcome = {
                .object = {.key = w->key, .rv = w->rv},
                .result = write_request_result(w->result),
                .uid = str_of(w->pre.uid),
                .generation = w->generation,
            };
            wire_append_outcome(&outcome, &out);
        }
    }
    CLEANUP(buf_fini) struct buf token;
    buf_init(&token, CONTINUE_TOKEN_MAX);
    if (co->list.more) {
        list_token_write(c->srv->store, &co->list, &token);
    }
    wire_append_collection_end(buf_str(&token), &out);
    call_reply(c, &out);
}

/* ---- The deletes --------------------------------------------------------------------------- */

static void one_less(struct collection *co)
{
    if (atomic_fetch_sub(&co->pending, 1) == 1) {
        call_return(co->call, collection_answer);
    }
}

static void deleted(struct write *w)
{
    one_less(((struct doomed *)w->arg)->collection);
}

static void delete_all(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    struct collection *co = c->state;
    if (co->list.err.code != OK) {
        CLEANUP(buf_fini) struct buf token;
        buf_init(&token, CONTINUE_TOKEN_MAX);
        if (list_is_outlived(&co->list)) {
            list_token_write(c->srv->store, &co->list, &token);
        }
        call_fail_with(c, &co->list.err, &(struct wire_more){.continue_token = buf_str(&token)});
        return;
    }
    atomic_store(&co->pending, co->n + 1);
    size_t refused = 0;
    for (size_t i = 0; i < co->n; i++) {
        struct doomed *d = co->items[i];
        d->write.verb = WRITE_DELETE;
        d->write.dry_run = co->dry_run;
        d->write.orphan = co->orphan;
        d->write.field_manager = co->field_manager;
        d->write.bytes = sizeof(*d);
        d->write.done = deleted;
        d->write.arg = d;
        d->submitted = refused == 0 && store_submit(c->srv->store, &d->write, &co->refused) == OK;
        refused += !d->submitted;
    }
    atomic_fetch_sub(&co->pending, refused);
    one_less(co);
}

static void listed(struct list *l)
{
    call_return(((struct collection *)l->arg)->call, delete_all);
}

static enum errc prepare(struct call *c, struct str in, struct collection *co, struct err *err)
{
    struct wire_delete_collection_request req;
    if (wire_read_delete_collection_request(&c->arena, in, &req, err) != OK ||
        request_manager(req.field_manager, err) != OK ||
        selections_new(&req.selection, 1, true, &co->selections, err) != OK) {
        return err->code;
    }
    if (req.continue_token.n > 0 &&
        list_token_read(c->srv->store, req.continue_token, co->token, &co->list, err) != OK) {
        return err->code;
    }
    co->dry_run = req.dry_run;
    co->field_manager = req.field_manager;
    co->orphan = req.propagation == WIRE_PROPAGATE_ORPHAN;
    co->list.selections = co->selections;
    co->list.limit = req.limit == 0 ? PAGE_OBJECTS : req.limit < PAGE_MAX ? req.limit : PAGE_MAX;
    co->list.max_bytes = PAGE_BYTES;
    co->list.item = collection_item;
    co->list.done = listed;
    co->list.arg = co;
    return OK;
}

void object_delete_collection(struct call *c, struct str in)
{
    struct err err = {0};
    struct collection *co = call_state(c, sizeof(*co));
    co->call = c;
    c->release = collection_release;
    if (prepare(c, in, co, &err) != OK || store_list(c->srv->store, &co->list, &err) != OK) {
        call_fail(c, &err);
    }
}

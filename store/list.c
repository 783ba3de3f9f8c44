/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: one page each, a job of the reader. A page's version is pinned while it is read, and stays
 * leased for a while after, for the next. */
#include <stdlib.h>

#include "store/continue.h"
#include "store/store_impl.h"
#include "store/view.h"

/* Candidates of one step, at least: most of an older version's need not match. */
#define STEP_KEYS_MIN 64

struct list_job {
    struct read_job job;
    struct store *store;
    struct list *list;
    struct view_walk walk;
    struct pin pin;
    bool pinned, begun;
    bool counted;   /* is `objects` known? */
    uint64_t total; /* objects of the selection from this page on */
};

/* Where the next page begins. */
static void point_to_next(struct list_job *j)
{
    struct list *l = j->list;
    const struct engine_identity *id = &j->store->engine->identity;
    l->next = (struct position){
        .epoch = id->epoch,
        .epoch_random = id->epoch_random,
        .rv = l->rv,
        .in_snapshot = true,
        .selection = selections_hash(l->selections),
        .last = key_copy_to(&j->walk.last_key, l->last_key),
    };
    memcpy(l->next.store_id, id->store_id, UUID_LEN + 1);
}

static void list_finish(struct list_job *j)
{
    struct list *l = j->list;
    bool ok = l->err.code == OK;
    l->remaining = ok && l->more && j->counted && j->total > l->count ? j->total - l->count : 0;
    if (j->pinned && ok && l->more) {
        store_lease(j->store, l->rv);
    }
    if (j->pinned) {
        store_unpin(j->store, &j->pin);
    }
    if (ok && l->more) {
        point_to_next(j);
    } else if (list_is_outlived(l)) {
        /* The rest can still be had, though not as of the version of the pages before. */
        l->next = l->after;
        l->next.rv = 0;
    }
    if (j->begun) {
        view_walk_fini(&j->walk);
    }
    reader_answered(j->store->reader, 1);
    l->done(l);
    free(j);
}

static bool list_take(void *arg, const struct object *o)
{
    struct list *l = arg;
    bool full = (l->limit != 0 && l->count == l->limit) ||
                (l->count != 0 && l->bytes + o->body.n > l->max_bytes);
    if (full) {
        l->more = true;
        return false;
    }
    l->count++;
    l->bytes += o->body.n;
    l->item(l, o);
    return true;
}

/* How many objects a selection has now, where that is known without a walk. Under the index's lock.
 */
static bool count_selected(struct index *x, const struct selections *sel, uint64_t *ret)
{
    const struct scope *c = selections_at(sel, 0);
    if (selections_count(sel) != 1 || c->name.n != 0 || !selector_is_empty(c->labels) ||
        !field_selector_is_empty(c->fields)) {
        return false;
    }
    *ret = index_count(x, c->resource, c->ns);
    return true;
}

/* Pins the newest version. The index runs ahead of the head while a batch is published; what it
 * counts is true of the head only when both are the same. */
static void pin_newest(struct list_job *j)
{
    struct list *l = j->list;
    struct store *s = j->store;
    for (int tries = 0; tries < 3; tries++) {
        struct err err;
        l->rv = store_pin_head(s, &j->pin);
        index_lock(s->index);
        rv_t counted_at = index_head(s->index);
        bool counted = count_selected(s->index, l->selections, &j->total);
        index_unlock(s->index);
        j->counted = counted && counted_at == l->rv;
        if (!counted || j->counted || store_await(s, counted_at, &err) != OK) {
            return;
        }
        store_unpin(s, &j->pin);
    }
    l->rv = store_pin_head(s, &j->pin);
}

static enum errc list_begin(struct list_job *j, struct engine_reader *r)
{
    struct list *l = j->list;
    struct store *s = j->store;
    enum errc rc = OK;
    if (l->after.in_snapshot) {
        j->counted = l->after_total != 0;
        j->total = l->after_total;
    }
    rv_t exact = l->after.in_snapshot ? l->after.rv : l->match == LIST_EXACT ? l->at : 0;
    if (rc == OK && l->match == LIST_NOT_OLDER && l->at > store_head(s)) {
        rc = err_version(&l->err, ERR_FUTURE, l->at, store_floor(s), store_head(s));
    }
    if (rc == OK && exact != 0) {
        l->rv = exact;
        rc = view_check(s, r, exact, &l->err);
        rc = rc == OK ? store_pin(s, exact, &j->pin, &l->err) : rc;
    } else if (rc == OK) {
        pin_newest(j);
        j->counted &= !l->after.in_snapshot; /* else some of them came before */
    }
    if (rc == OK) {
        j->pinned = true;
        view_walk_init(&j->walk, s, l->selections, l->rv,
                       l->after.in_snapshot ? &l->after.last : NULL);
        if (l->limit != 0 && l->limit < j->walk.step_keys) {
            size_t keys = l->limit + 1; /* one more tells whether there is a next page */
            j->walk.step_keys = keys > STEP_KEYS_MIN ? keys : STEP_KEYS_MIN;
        }
        j->begun = true;
    }
    return rc;
}

static bool list_step(struct read_job *job, struct engine_reader *r)
{
    struct list_job *j = (struct list_job *)job;
    struct list *l = j->list;
    enum errc rc = OK;
    if (!j->begun) {
        bool older = l->after.rv != 0 || l->match == LIST_EXACT;
        if (older && atomic_load(&j->store->loaded) == LOAD_RUNNING) {
            return false; /* an older version needs the kept versions */
        }
        rc = list_begin(j, r);
    }
    if (rc == OK) {
        rc = view_step(&j->walk, r, list_take, l, &l->err);
    }
    if (rc == OK) {
        l->err.code = OK; /* a detour on the way to the answer may have left its mark */
    }
    if (rc != OK || j->walk.end || l->more) {
        list_finish(j);
        return true;
    }
    return false;
}

static void list_refuse(struct read_job *job, const struct err *err)
{
    struct list_job *j = (struct list_job *)job;
    j->list->err = *err;
    list_finish(j);
}

void list_token_write(const struct store *s, const struct list *l, struct buf *out)
{
    continue_write(s->engine->secret, &l->next, l->remaining, out);
}

enum errc list_token_read(const struct store *s, struct str token, uint8_t bytes[POSITION_MAX],
                          struct list *l, struct err *err)
{
    return continue_read(s->engine->secret, s->engine->identity.store_id, token, bytes, &l->after,
                         &l->after_total, err);
}

enum errc store_list(struct store *s, struct list *l, struct err *err)
{
    bool later = l->after.in_snapshot;
    if (later &&
        position_check(&l->after, &s->engine->identity, store_floor(s), store_head(s), err) != OK) {
        return err->code;
    }
    if (later && l->after.selection != selections_hash(l->selections)) {
        return err_field(err, ERR_INVALID, "continue_token",
                         "belongs to another selection; send it with the selection of its list");
    }
    if (reader_ask(s->reader, err) != OK) {
        return ERR_LIMIT;
    }
    struct list_job *j = mem_zalloc(sizeof *j);
    j->job.step = list_step;
    j->job.refuse = list_refuse;
    j->store = s;
    j->list = l;
    l->err.code = OK;
    l->more = false;
    l->count = 0;
    l->bytes = 0;
    reader_submit(s->reader, &j->job);
    return OK;
}

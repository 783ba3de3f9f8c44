/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 *   (1) candidates are taken from the index before the read transaction begins, and S <= head, so
 *       the transaction sees every change that the index knew then;
 *   (2) before objects are read, every version the transaction shows is published, so the index now
 *       knows the first change after S of every object which turns out to be newer than S;
 *   (3) events > S are kept: S is pinned, or the floor is checked in the same transaction.
 * An entry whose first kept version r > S is known: the object at S is the previous of event r.
 * Otherwise the version that the index knew is the object at S; should it be replaced and compacted
 * already, then (2). */
#include "store/view.h"

#include <stdlib.h>

#include "store/model/delta.h"

#define STEP_KEYS 256  /* candidates of one transaction */
#define STEP_SCAN 8192 /* entries looked at in one step */

struct candidate {
    struct key key; /* in the step's arena */
    row_t row;
    rv_t rv;   /* of the object */
    rv_t undo; /* first event after S; 0: none known */
};

struct candidates {
    struct candidate v[STEP_KEYS];
    size_t n;
    struct key scanned; /* the last key looked at */
    struct buf text;    /* of all these keys */
};

void view_walk_init(struct view_walk *v, struct store *s, const struct selections *sel, rv_t rv,
                    const struct key *after)
{
    *v = (struct view_walk){.store = s, .selections = sel, .rv = rv};
    buf_init(&v->last, RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN);
    if (after != NULL) {
        buf_adds(&v->last, after->resource);
        buf_adds(&v->last, after->ns);
        buf_adds(&v->last, after->name);
        v->last_key.resource = (struct str){v->last.p, after->resource.n};
        v->last_key.ns = (struct str){v->last.p + after->resource.n, after->ns.n};
        v->last_key.name = (struct str){v->last.p + after->resource.n + after->ns.n, after->name.n};
    }
}

void view_walk_fini(struct view_walk *v)
{
    buf_fini(&v->last);
}

static void set_last(struct view_walk *v, const struct key *k)
{
    if (k->name.p == v->last_key.name.p) {
        return;
    }
    buf_clear(&v->last);
    size_t r = k->resource.n, ns = k->ns.n;
    buf_adds(&v->last, k->resource);
    buf_adds(&v->last, k->ns);
    buf_adds(&v->last, k->name);
    v->last_key = (struct key){
        {v->last.p,          r        },
        {v->last.p + r,      ns       },
        {v->last.p + r + ns, k->name.n}
    };
}

static void keep_text(struct candidates *c, const struct key *k)
{
    buf_adds(&c->text, k->resource);
    buf_adds(&c->text, k->ns);
    buf_adds(&c->text, k->name);
}

static const char *point_to_text(struct key *k, const char *p)
{
    k->resource.p = p;
    k->ns.p = k->resource.p + k->resource.n;
    k->name.p = k->ns.p + k->ns.n;
    return k->name.p + k->name.n;
}

/* Collects the next candidates in key order. Texts are copied, as entries may go. */
static void collect(struct view_walk *v, struct candidates *c, bool *ret_end)
{
    struct index *x = v->store->index;
    size_t scanned = 0;
    index_lock(x);
    struct index_entry *e = index_seek(x, &v->last_key);
    if (e != NULL && v->last_key.name.n != 0) {
        struct key k = index_key(e);
        if (key_eq(&k, &v->last_key)) {
            e = index_next(e);
        }
    }
    c->scanned = v->last_key;
    while (e != NULL && c->n < STEP_KEYS && scanned++ < STEP_SCAN) {
        struct key k = index_key(e);
        struct key at;
        if (!selections_seek(v->selections, &k, &at)) {
            e = NULL;
            break;
        }
        c->scanned = k;
        if (!key_eq(&at, &k)) {
            e = index_seek(x, &at);
            continue;
        }
        rv_t undo = index_kept_after(e, v->rv);
        /* Labels of an older version are only known from its event. */
        if (undo != 0 || (e->rv != 0 && selections_match(v->selections, &k, index_labels(e)))) {
            struct candidate *d = &c->v[c->n++];
            d->row = e->row;
            d->rv = e->rv;
            d->undo = undo;
            d->key = k;
            keep_text(c, &k);
        }
        e = index_next(e);
    }
    *ret_end = e == NULL;
    keep_text(c, &c->scanned);
    index_unlock(x);
    const char *p = c->text.p;
    for (size_t i = 0; i < c->n; i++) {
        p = point_to_text(&c->v[i].key, p);
    }
    (void)point_to_text(&c->scanned, p);
}

/* The object before event `undo`; NULL if there was none. */
static enum errc object_before(struct engine_reader *r, struct engine *e, rv_t undo,
                               struct object **ret, struct err *err)
{
    struct event ev;
    enum errc rc = e->ops->read_event(r, undo, &ev, err);
    if (rc != OK) {
        return rc;
    }
    *ret = NULL;
    if (ev.prev_rv == 0) {
        return OK;
    }
    struct buf body;
    buf_init(&body, SIZE_MAX);
    if (!delta_apply(ev.body, ev.delta, &body)) {
        buf_fini(&body);
        return err_set(err, ERR_DATA_LOSS, "event %llu has a damaged previous object",
                       (unsigned long long)undo);
    }
    *ret = object_new(&ev.key, ev.prev_labels, buf_str(&body), ev.prev_splice, ev.prev_generation,
                      0, 0);
    (*ret)->rv = ev.prev_rv;
    buf_fini(&body);
    return OK;
}

/* The object of a candidate as of v->rv, or NULL if there was none. */
static enum errc object_at(struct view_walk *v, struct engine_reader *r, const struct candidate *c,
                           struct object **ret, struct err *err)
{
    struct engine *e = v->store->engine;
    rv_t undo = c->undo;
    if (undo == 0) {
        CLEANUP(object_unrefp) struct object *o = NULL;
        enum errc rc = e->ops->read_object(r, c->row, c->rv, &o, err);
        if (rc != OK && rc != ERR_NOT_FOUND) {
            return rc;
        }
        if (rc == OK) {
            *ret = TAKE(o);
            return OK;
        }
        struct index *x = v->store->index; /* (2) */
        index_lock(x);
        struct index_entry *entry = index_find(x, &c->key);
        undo = entry != NULL ? index_kept_after(entry, v->rv) : 0;
        index_unlock(x);
        if (undo == 0) {
            return err_version(err, ERR_EXPIRED, v->rv, store_floor(v->store),
                               store_head(v->store));
        }
    }
    enum errc rc = object_before(r, e, undo, ret, err);
    if (rc == ERR_NOT_FOUND) { /* (3) */
        return err_version(err, ERR_EXPIRED, v->rv, store_floor(v->store), store_head(v->store));
    }
    return rc;
}

static enum errc give(struct view_walk *v, struct engine_reader *r, const struct candidates *c,
                      bool end, bool (*fn)(void *arg, const struct object *o), void *arg,
                      struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        CLEANUP(object_unrefp) struct object *o = NULL;
        enum errc rc = object_at(v, r, &c->v[i], &o, err);
        if (rc != OK) {
            return rc;
        }
        if (o != NULL && selections_match(v->selections, &o->key, o->labels) && !fn(arg, o)) {
            return OK;
        }
        set_last(v, &c->v[i].key);
    }
    set_last(v, &c->scanned);
    v->end = end;
    return OK;
}

enum errc view_step(struct view_walk *v, struct engine_reader *r,
                    bool (*fn)(void *arg, const struct object *o), void *arg, struct err *err)
{
    struct engine *e = v->store->engine;
    struct candidates *c = mem_alloc(sizeof *c);
    c->n = 0;
    buf_init(&c->text, SIZE_MAX);
    bool end = false;
    collect(v, c, &end); /* (1) */
    rv_t shown = 0;
    enum errc rc = e->ops->view_begin(r, &shown, err);
    if (rc == OK) {
        rc = store_await(v->store, shown, err); /* (2) */
        if (rc == OK && v->rv < store_floor(v->store)) {
            rc = err_version(err, ERR_EXPIRED, v->rv, store_floor(v->store), store_head(v->store));
        }
        if (rc == OK) {
            rc = give(v, r, c, end, fn, arg, err);
        }
        e->ops->view_end(r);
    }
    buf_fini(&c->text);
    free(c);
    return rc;
}

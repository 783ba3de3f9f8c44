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

#include <stdio.h>
#include <stdlib.h>

#define STEP_KEYS 1024 /* candidates of one transaction */
#define LOCK_KEYS 1024 /* looked at while the index is locked: any write may wait for it */
#define STEP_MS   5    /* of looking at entries */

struct candidate {
    struct key key; /* in the step's arena */
    row_t row;
    rv_t rv;   /* of the object */
    rv_t undo; /* first event after S; 0: none known */
};

struct candidates {
    struct candidate v[STEP_KEYS];
    size_t n;
    struct buf text; /* of all these keys, one behind the other */
};

/* Verdicts of the label selectors, by the labels' number in the index: an index holds few distinct
 * labels, and they need not be judged for each object. What fell out is judged again. */
#define MEMO_SLOTS 1024
struct label_memo {
    uint64_t cover; /* the scopes that were asked */
    struct {
        uint32_t id; /* 0: empty */
        bool match;
    } slots[MEMO_SLOTS];
};

void view_walk_init(struct view_walk *v, struct store *s, const struct selections *sel, rv_t rv,
                    const struct key *after)
{
    *v = (struct view_walk){.store = s, .selections = sel, .rv = rv, .step_keys = STEP_KEYS};
    for (size_t i = 0; i < selections_count(sel); i++) {
        const struct scope *c = selections_at(sel, i);
        v->by_name |= c->name.n != 0;
        if (v->memo == NULL && !selector_is_empty(c->labels)) {
            v->memo = mem_zalloc(sizeof *v->memo);
        }
    }
    if (after != NULL && after->name.n != 0) {
        v->last_key = key_copy_to(after, v->last);
    }
}

void view_walk_fini(struct view_walk *v)
{
    free(v->memo);
}

static void set_last(struct view_walk *v, const struct key *k)
{
    if (k->name.p == v->last_key.name.p) {
        return;
    }
    v->last_key = k->name.n != 0 ? key_copy_to(k, v->last) : (struct key){0};
}

static void keep_text(struct buf *text, const struct key *k)
{
    buf_adds(text, k->resource);
    buf_adds(text, k->ns);
    buf_adds(text, k->name);
}

static bool labels_match(struct view_walk *v, const struct index_entry *e, uint64_t cover)
{
    struct label_memo *m = v->memo;
    if (m == NULL) {
        return cover != 0;
    }
    if (m->cover != cover) {
        memset(m, 0, sizeof *m);
        m->cover = cover;
    }
    uint32_t id = index_labels_id(e);
    uint32_t slot = id % MEMO_SLOTS;
    if (m->slots[slot].id != id) {
        m->slots[slot].id = id;
        m->slots[slot].match = selections_match_labels(v->selections, cover, index_labels(e));
    }
    return m->slots[slot].match;
}

/* Was e's object there at S, as far as the index knows, and may it be selected? */
static bool may_show(struct view_walk *v, const struct index_entry *e, uint64_t cover,
                     rv_t *ret_undo)
{
    bool created = false;
    *ret_undo = index_kept_after(e, v->rv, &created);
    if (*ret_undo != 0) {
        return !created; /* labels of an older version are only known from its event */
    }
    return e->rv != 0 && labels_match(v, e, cover);
}

static struct index_entry *after_last(struct index *x, const struct key *last)
{
    struct index_entry *e = index_seek(x, last);
    if (e != NULL && last->name.n != 0) {
        struct key k = index_key(e);
        e = key_eq(&k, last) ? index_next(e) : e;
    }
    return e;
}

/* Goes on behind v->last_key, which becomes the last key looked at. False at the end. */
static bool collect_some(struct view_walk *v, struct candidates *c)
{
    struct index *x = v->store->index;
    struct key k = v->last_key;       /* the last one looked at */
    const struct place *place = NULL; /* of the one before */
    uint64_t cover = 0;
    size_t looked_at = 0;
    index_lock(x);
    struct index_entry *e = after_last(x, &v->last_key);
    while (e != NULL && c->n < v->step_keys && looked_at++ < LOCK_KEYS) {
        k = index_key(e);
        /* Without names a selection covers all of a place or nothing of it. */
        if (v->by_name || place != index_place(e)) {
            struct key at;
            if (!selections_seek(v->selections, &k, &at)) {
                e = NULL;
                break;
            }
            if (!key_eq(&at, &k)) {
                e = index_seek(x, &at);
                continue;
            }
            place = index_place(e);
            cover = selections_cover(v->selections, &k);
        }
        rv_t undo = 0;
        if (may_show(v, e, cover, &undo)) {
            c->v[c->n++] = (struct candidate){.key = k, .row = e->row, .rv = e->rv, .undo = undo};
            keep_text(&c->text, &k);
        }
        e = index_next(e);
    }
    set_last(v, &k);
    index_unlock(x);
    return e != NULL;
}

/* Collects the next candidates in key order. Texts are copied, as entries may go. */
static void collect(struct view_walk *v, struct candidates *c, bool *ret_end)
{
    mono_ms_t until = clock_mono(&clock_system) + STEP_MS;
    bool more = true;
    while (more && c->n < v->step_keys && clock_mono(&clock_system) < until) {
        more = collect_some(v, c);
    }
    *ret_end = !more;
    const char *p = c->text.p;
    for (size_t i = 0; i < c->n; i++) {
        c->v[i].key = key_at(&c->v[i].key, p);
        p += key_len(&c->v[i].key);
    }
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
    *ret = event_previous(&ev);
    if (*ret == NULL && ev.prev_rv != 0) {
        return err_set(err, ERR_DATA_LOSS, "event %llu has a damaged previous object",
                       (unsigned long long)undo);
    }
    return OK;
}

/* The object of a candidate as of rv, or NULL if there was none. */
static enum errc object_at(struct store *s, struct engine_reader *r, const struct candidate *c,
                           rv_t rv, struct object **ret, struct err *err)
{
    struct engine *e = s->engine;
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
        index_lock(s->index); /* (2) */
        const struct index_entry *entry = index_find(s->index, &c->key);
        bool created = false;
        undo = entry != NULL ? index_kept_after(entry, rv, &created) : 0;
        index_unlock(s->index);
        if (undo == 0) {
            return err_version(err, ERR_EXPIRED, rv, store_floor(s), store_head(s));
        }
    }
    enum errc rc = object_before(r, e, undo, ret, err);
    if (rc == ERR_NOT_FOUND) { /* (3) */
        return err_version(err, ERR_EXPIRED, rv, store_floor(s), store_head(s));
    }
    return rc;
}

/* A view of the database that shows nothing unpublished (2), and still all that rv needs (3). */
static enum errc begin(struct store *s, struct engine_reader *r, rv_t rv, struct err *err)
{
    rv_t shown = 0;
    enum errc rc = s->engine->ops->view_begin(r, &shown, err);
    if (rc != OK) {
        return rc;
    }
    rc = store_await(s, shown, err);
    if (rc == OK && rv < store_floor(s)) {
        rc = err_version(err, ERR_EXPIRED, rv, store_floor(s), store_head(s));
    }
    if (rc != OK) {
        s->engine->ops->view_end(r);
    }
    return rc;
}

/* *ret_taken: how many of the candidates are done with. */
static enum errc give(struct view_walk *v, struct engine_reader *r, const struct candidates *c,
                      bool (*fn)(void *arg, const struct object *o), void *arg, size_t *ret_taken,
                      struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        *ret_taken = i;
        CLEANUP(object_unrefp) struct object *o = NULL;
        enum errc rc = object_at(v->store, r, &c->v[i], v->rv, &o, err);
        if (rc != OK) {
            return rc;
        }
        if (o != NULL) {
            const struct subject f = {o->key, o->rv, o->generation, o->body};
            if (selections_match(v->selections, &f, o->labels) && !fn(arg, o)) {
                return OK;
            }
        }
    }
    *ret_taken = c->n;
    return OK;
}

enum errc view_step(struct view_walk *v, struct engine_reader *r,
                    bool (*fn)(void *arg, const struct object *o), void *arg, struct err *err)
{
    struct candidates *c = mem_alloc(sizeof *c);
    char from[KEY_MAX_LEN];
    const struct key first = key_copy_to(&v->last_key, from);
    c->n = 0;
    buf_init(&c->text, SIZE_MAX);
    bool end = false;
    collect(v, c, &end); /* (1) */
    size_t taken = 0;
    enum errc rc = OK;
    if (c->n != 0) {
        rc = begin(v->store, r, v->rv, err);
        if (rc == OK) {
            rc = give(v, r, c, fn, arg, &taken, err);
            v->store->engine->ops->view_end(r);
        }
    } else if (v->rv < store_floor(v->store)) { /* entries may have gone unseen */
        rc = err_version(err, ERR_EXPIRED, v->rv, store_floor(v->store), store_head(v->store));
    }
    if (taken < c->n) {
        set_last(v, taken != 0 ? &c->v[taken - 1].key : &first);
    } else {
        v->end = end;
    }
    buf_fini(&c->text);
    free(c);
    return rc;
}

/* The version before the transaction with the last version `end` which rv is inside of. */
static rv_t before_txn(struct store *s, struct engine_reader *r, rv_t rv, rv_t end)
{
    struct event ev;
    struct err err;
    rv_t floor = store_floor(s);
    do {
        rv--;
    } while (rv > floor && s->engine->ops->read_event(r, rv, &ev, &err) == OK && ev.txn_end == end);
    return rv;
}

enum errc view_check(struct store *s, struct engine_reader *r, rv_t rv, struct err *err)
{
    enum errc rc = store_check_resume(s, rv, err);
    rc = rc == OK ? begin(s, r, rv, err) : rc;
    if (rc != OK) {
        return rc;
    }
    struct event ev;
    struct err none;
    rc = s->engine->ops->read_event(r, rv, &ev, &none);
    /* The floor and the base of an epoch have no event; compaction takes whole transactions. */
    rv_t end = rc == OK ? ev.txn_end : rv;
    rv_t before = end != rv ? before_txn(s, r, rv, end) : 0;
    s->engine->ops->view_end(r);
    if (rc != OK && rc != ERR_NOT_FOUND) {
        *err = none;
        return rc;
    }
    if (end != rv && before == 0) {
        return err_field(err, ERR_INVALID, "resource_version",
                         "is inside of a transaction: ask for version %llu, which shows all of it; "
                         "there was nothing before it",
                         (unsigned long long)end);
    }
    if (end != rv) {
        return err_field(err, ERR_INVALID, "resource_version",
                         "is inside of a transaction: ask for version %llu, which shows all of it, "
                         "or %llu, which was before it",
                         (unsigned long long)end, (unsigned long long)before);
    }
    return OK;
}

enum errc view_not_found(const struct key *k, rv_t deleted, struct err *err)
{
    char why[64] = "";
    if (deleted != 0) {
        snprintf(why, sizeof why, ": it was deleted at version %llu", (unsigned long long)deleted);
    }
    return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found%s", STR_ARG(k->resource),
                   STR_ARG(k->name), why);
}

static enum errc not_found_at(const struct key *k, rv_t rv, rv_t deleted, rv_t created,
                              struct err *err)
{
    char why[64] = "";
    if (deleted != 0) {
        snprintf(why, sizeof why, ": it was deleted at version %llu", (unsigned long long)deleted);
    } else if (created != 0) {
        snprintf(why, sizeof why, ": it was made at version %llu", (unsigned long long)created);
    }
    return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found at version %llu%s",
                   STR_ARG(k->resource), STR_ARG(k->name), (unsigned long long)rv, why);
}

enum errc view_get(struct store *s, struct engine_reader *r, const struct key *k, rv_t rv,
                   struct object **ret, struct err *err)
{
    struct candidate c = {.key = *k};
    bool created = false;
    rv_t last = 0;
    index_lock(s->index);
    const struct index_entry *e = index_find(s->index, k);
    if (e != NULL) {
        c.row = e->row;
        c.rv = e->rv;
        c.undo = index_kept_after(e, rv, &created);
        last = index_kept_upto(e, rv);
    }
    index_unlock(s->index);
    enum errc rc = begin(s, r, rv, err); /* (1) */
    if (rc != OK) {
        return rc;
    }
    CLEANUP(object_unrefp) struct object *o = NULL;
    if (c.undo != 0 ? !created : c.rv != 0) {
        rc = object_at(s, r, &c, rv, &o, err);
    }
    s->engine->ops->view_end(r);
    if (rc == OK && o == NULL) {
        /* An event at or before rv that left no object behind was a deletion. */
        return not_found_at(k, rv, last, created ? c.undo : 0, err);
    }
    if (rc == OK) {
        *ret = TAKE(o);
    }
    return rc;
}

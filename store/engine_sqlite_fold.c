/* SPDX-License-Identifier: Apache-2.0 */
/* Folding: a commit writes only its events; the rows of the objects follow later, many at once in
 * order of the rows, so that an object which changes often is written seldom and a page of rows
 * once for all of them. That halves the bytes and the work of a put.
 *
 * A pass takes all rows that are dirty as it begins, and brings them to their last version in
 * slices: some with each commit, or on demand. When it ends, `folded` becomes the head as it was at
 * the beginning.
 *
 * Invariants:
 *   (1) every object is its row in `objects`, or its row is dirty and its last event is kept:
 *       nothing above `folded` is compacted;
 *   (2) an event above `folded` may have been folded already; the version in the row tells;
 *   (3) what a transaction folded is forgotten as dirty only after it has committed;
 *   (4) a row that is gone goes before a newer row of the same key comes: rows ascend in a pass,
 * and a row made after a pass began is in a later one.
 *
 * At a start the dirty rows are found again from the events above `folded`. */
#include <inttypes.h>
#include <stdlib.h>
#include <uthash.h>

#include "store/engine_sqlite_impl.h"

#define EVENTS_MANY                                                                                \
    4                  /* events above `folded` for each row that may be dirty; a start reads them \
                        */
#define WITH_COMMIT 16 /* rows of a pass that go with a commit beside one per change */

/* ---- A pass ---------------------------------------------------------------------------------- */

static void pass_begin(struct engine_sqlite *s)
{
    struct fold_pass *p = &s->pass;
    p->n = dirty_sorted(&s->dirty, &p->rows);
    p->next = p->done = 0;
    p->head = s->base.head;
    p->active = true;
}

void fold_abandon(struct engine_sqlite *s)
{
    freep(&s->pass.rows);
    s->pass = (struct fold_pass){.active = false};
}

void fold_fini(struct engine_sqlite *s)
{
    fold_abandon(s);
    dirty_fini(&s->dirty);
}

void fold_told(struct engine_sqlite *s, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dirty_set(&s->dirty, changes[i].row, changes[i].event.rv,
                  event_is_delete(&changes[i].event));
    }
}

static int fold_row(struct engine_sqlite *s, row_t row)
{
    struct dirty_row *d = dirty_find(&s->dirty, row);
    if (d == NULL || d->bad) {
        return SQLITE_OK;
    }
    if (d->gone) {
        sqlite3_bind_int64(s->w.st[ST_OBJECT_DROP], 1, row);
        return conn_run(&s->w, ST_OBJECT_DROP);
    }
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_EVENT_GET];
    sqlite3_bind_int64(st, 1, (int64_t)d->rv);
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc; /* (1) */
    }
    struct event ev;
    if (row_event(st, &ev, NULL) != OK) {
        d->bad = true; /* (5) */
        s->damaged = d->rv;
        return SQLITE_OK;
    }
    rc = row_bind_object(s->w.st[ST_OBJECT_PUT], row, &ev);
    return rc == SQLITE_OK ? conn_run(&s->w, ST_OBJECT_PUT) : rc;
}

int fold_some(struct engine_sqlite *s, size_t max_rows)
{
    struct fold_pass *p = &s->pass;
    int rc = SQLITE_OK;
    p->next = p->done; /* what a failed transaction had folded is folded again */
    for (size_t i = 0; i < max_rows && p->next < p->n && rc == SQLITE_OK; i++) {
        rc = fold_row(s, p->rows[p->next++].row);
    }
    if (rc == SQLITE_OK && p->next == p->n && s->damaged == 0) {
        rc = engine_sqlite_bind_meta(s, "folded", (int64_t)p->head);
    }
    return rc;
}

void fold_committed(struct engine_sqlite *s)
{
    struct fold_pass *p = &s->pass;
    for (; p->done < p->next; p->done++) {
        const struct dirty_row *d = dirty_find(&s->dirty, p->rows[p->done].row);
        if (d != NULL && !d->bad) {
            dirty_clear(&s->dirty, d->row); /* (3) */
        }
    }
    if (p->active && p->done == p->n) {
        if (s->damaged == 0) {
            atomic_store_explicit(&s->folded, p->head, memory_order_release);
        }
        fold_abandon(s);
    }
}

int fold_with_commit(struct engine_sqlite *s, size_t n)
{
    bool many =
        s->dirty.n >= s->fold_rows || s->base.head - s->folded >= EVENTS_MANY * s->fold_rows;
    if (!s->pass.active && many && s->damaged == 0) {
        pass_begin(s);
    }
    return s->pass.active ? fold_some(s, n + WITH_COMMIT) : SQLITE_OK;
}

enum errc engine_sqlite_fold(struct engine *e, rv_t upto, size_t max_rows, bool *ret_done,
                             struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
    }
    upto = upto < e->head ? upto : e->head;
    *ret_done = s->folded >= upto;
    if (*ret_done) {
        return OK;
    }
    if (s->damaged != 0) {
        return err_set(err, ERR_DATA_LOSS,
                       "the stored event of version %" PRIu64
                       " is damaged, and an object's state is only there: restore from a backup",
                       s->damaged);
    }
    if (!s->pass.active) {
        pass_begin(s);
    }
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = fold_some(s, max_rows);
    }
    enum errc code = engine_sqlite_end_txn(s, rc, "fold", err);
    if (code == OK) {
        fold_committed(s);
        *ret_done = s->folded >= upto;
    }
    return code;
}

/* ---- At a start
 * ---------------------------------------------------------------------------------- */

/* A key with events above `folded`. */
struct trace {
    UT_hash_handle hh;
    row_t row;     /* 0: there is no object, or it is known to be gone */
    rv_t table_rv; /* of the row in the table; 0: it is not there */
    char key[];
};

struct tracing {
    struct engine_sqlite *s;
    struct trace *traces;
    int rc;
};

static struct trace *trace_of(struct tracing *t, const struct key *k)
{
    struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_printf(&text, "%.*s/%.*s/%.*s", STR_ARG(k->resource), STR_ARG(k->ns), STR_ARG(k->name));
    struct trace *found = NULL;
    HASH_FIND(hh, t->traces, text.p, text.n, found);
    if (found == NULL) {
        found = mem_zalloc(sizeof(*found) + text.n);
        memcpy(found->key, text.p, text.n);
        HASH_ADD(hh, t->traces, key, text.n, found);
        t->rc = engine_sqlite_find_row(&t->s->w, k, &found->row, &found->table_rv);
    }
    buf_fini(&text);
    return found;
}

static bool trace_event(void *arg, const struct event *ev, size_t bytes)
{
    (void)bytes;
    struct tracing *t = arg;
    struct engine_sqlite *s = t->s;
    struct trace *x = trace_of(t, &ev->key);
    if (t->rc != SQLITE_OK) {
        return false;
    }
    if (ev->rv <= x->table_rv) { /* (2) */
        return true;
    }
    if (ev->cause == CAUSE_CREATED) {
        x->row = s->next_row++;
        x->table_rv = 0;
    }
    if (x->row == 0) {
        return true; /* its deletion was folded */
    }
    if (!event_is_delete(ev)) {
        dirty_set(&s->dirty, x->row, ev->rv, false);
    } else if (x->table_rv != 0) {
        dirty_set(&s->dirty, x->row, ev->rv, true);
        x->row = 0;
    } else {
        dirty_clear(&s->dirty, x->row);
        x->row = 0;
    }
    return true;
}

enum errc fold_find_dirty(struct engine_sqlite *s, struct err *err)
{
    struct tracing t = {.s = s, .rc = SQLITE_OK};
    enum errc code =
        engine_sqlite_scan_keys(&s->w, &s->epochs, s->folded, s->base.head, trace_event, &t, err);
    if (code == OK && t.rc != SQLITE_OK) {
        code = conn_fail(s->w.db, t.rc, "read the objects", err);
    }
    struct trace *x = NULL, *next = NULL;
    HASH_ITER(hh, t.traces, x, next)
    {
        HASH_DEL(t.traces, x);
        free(x);
    }
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Readers. Invariants:
 * (1) A view is one read transaction, begun by a real read, so its snapshot is fixed at once.
 * (2) Within a view every version in (floor, head] has its event, but for those that a restore left
 *     out; a reader that finds another gap says so rather than skip it. */
#include <assert.h>
#include <inttypes.h>

#include "store/engine_sqlite_impl.h"

struct engine_reader {
    struct engine_sqlite *s;
    struct conn c;
    bool in_view;
    rv_t head, floor;           /* of the view */
    struct deadlines deadlines; /* of the view, read when they are needed first */
    bool knows_deadlines;
    struct buf body; /* of the event that read_event gave */
};

static sqlite3_int64 bound(rv_t rv)
{
    return rv > INT64_MAX ? INT64_MAX : (sqlite3_int64)rv;
}

enum errc engine_sqlite_state(struct conn *c, const struct epochs *epochs, rv_t *ret_head,
                              rv_t *ret_floor, rv_t *ret_folded, struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_STATE];
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW) {
        return conn_fail(c->db, rc, "read the head", err);
    }
    rv_t last = (rv_t)sqlite3_column_int64(st, 0);
    rv_t floor = (rv_t)sqlite3_column_int64(st, 1);
    rv_t base = epochs->v[epochs->n - 1].base;
    *ret_head = last > base ? last : base;
    *ret_floor = last == 0 && floor < base ? base : floor;
    if (ret_folded != NULL) {
        rv_t folded = (rv_t)sqlite3_column_int64(st, 2);
        *ret_folded = folded > *ret_floor ? folded : *ret_floor;
    }
    return OK;
}

enum errc engine_sqlite_reader_open(struct engine *e, struct engine_reader **ret, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    CLEANUP(freep) struct engine_reader *r = mem_zalloc(sizeof(*r));
    r->s = s;
    buf_init(&r->body, SIZE_MAX);
    enum errc code = conn_open(&r->c, CONN_READER, s->path, s->vfs, false, err);
    if (code == OK) {
        code = conn_prepare(&r->c, CONN_READER, err);
    }
    if (code == OK) {
        r->c.stays = true;
        *ret = TAKE(r);
    }
    return code;
}

void engine_sqlite_reader_close(struct engine_reader *r)
{
    if (r != NULL) {
        engine_sqlite_view_end(r);
        conn_close(&r->c);
        buf_fini(&r->body);
        freep(&r);
    }
}

enum errc engine_sqlite_view_begin(struct engine_reader *r, rv_t *ret_head, struct err *err)
{
    assert(!r->in_view);
    int rc = conn_run(&r->c, ST_BEGIN);
    if (rc != SQLITE_OK) {
        return conn_fail(r->c.db, rc, "begin a view", err);
    }
    r->in_view = true;
    enum errc code =
        engine_sqlite_state(&r->c, &r->s->epochs, &r->head, &r->floor, NULL, err); /* (1) */
    if (code != OK) {
        engine_sqlite_view_end(r);
        return code;
    }
    *ret_head = r->head;
    return OK;
}

void engine_sqlite_view_end(struct engine_reader *r)
{
    if (!r->in_view) {
        return;
    }
    sqlite3_reset(r->c.st[ST_EVENT_GET]);
    row_load_end(&r->c);
    if (!sqlite3_get_autocommit(r->c.db)) {
        (void)conn_run(&r->c, ST_ROLLBACK);
    }
    deadlines_fini(&r->deadlines);
    r->knows_deadlines = false;
    r->in_view = false;
}

enum errc engine_sqlite_read_object(struct engine_reader *r, row_t row, rv_t rv,
                                    struct object **ret, struct err *err)
{
    assert(r->in_view);
    bool folded = rv <= atomic_load_explicit(&r->s->folded, memory_order_acquire);
    return row_load(&r->c, row, rv, folded, ret, err);
}

enum errc engine_sqlite_read_owners(struct engine_reader *r, row_t row, struct buf *out,
                                    struct err *err)
{
    assert(r->in_view);
    return aside_read_owners(&r->c, row, out, err);
}

/* The statement stays at its row until the next read, since the event borrows from it. */
enum errc engine_sqlite_read_event(struct engine_reader *r, rv_t rv, struct event *ret,
                                   struct err *err)
{
    assert(r->in_view);
    sqlite3_stmt *st = r->c.st[ST_EVENT_GET];
    sqlite3_reset(st);
    sqlite3_bind_int64(st, 1, bound(rv));
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        row_t row;
        return row_event(st, &r->body, ret, &row, err);
    }
    sqlite3_reset(st);
    if (rc == SQLITE_DONE) {
        return err_set(err, ERR_NOT_FOUND, "no event of version %" PRIu64, rv);
    }
    return conn_fail(r->c.db, rc, "read an event", err);
}

static enum errc gap(rv_t want, rv_t found, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS,
                   "the stored history lacks versions %" PRIu64 " to %" PRIu64
                   ": restore from a backup",
                   want, found);
}

/* Where a scan is: the version that must come next (2). */
struct scan {
    const struct epochs *epochs;
    rv_t want;
};

static enum errc scan_check(struct scan *scan, rv_t rv, struct err *err)
{
    if (rv != scan->want) {
        return gap(scan->want, rv - 1, err);
    }
    scan->want = epochs_next(scan->epochs, rv);
    return OK;
}

static enum errc scan_end(const struct scan *scan, struct conn *c, int rc, rv_t upto,
                          struct err *err)
{
    if (rc != SQLITE_DONE) {
        return conn_fail(c->db, rc, "read the history", err);
    }
    return scan->want <= upto ? gap(scan->want, upto, err) : OK;
}

enum errc engine_sqlite_scan(struct conn *c, const struct epochs *epochs, rv_t after, rv_t upto,
                             bool (*fn)(void *arg, const struct event *ev, row_t row), void *arg,
                             struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_HISTORY];
    struct scan scan = {epochs, epochs_next(epochs, after)};
    sqlite3_bind_int64(st, 1, bound(after));
    sqlite3_bind_int64(st, 2, bound(upto));
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct event ev;
        row_t row;
        enum errc code = row_event(st, &c->body, &ev, &row, err);
        if (code == OK) {
            code = scan_check(&scan, ev.rv, err);
        }
        if (code != OK || !fn(arg, &ev, row)) {
            return code;
        }
    }
    return scan_end(&scan, c, rc, upto, err);
}

struct reading {
    bool (*fn)(void *arg, const struct event *ev);
    void *arg;
};

static bool give_event(void *arg, const struct event *ev, row_t row)
{
    (void)row;
    const struct reading *reading = arg;
    return reading->fn(reading->arg, ev);
}

/* Cuts `upto` to the view. */
static enum errc begin_history(const struct engine_reader *r, rv_t after, rv_t *upto,
                               struct err *err)
{
    assert(r->in_view);
    if (after < r->floor) {
        return err_version(err, ERR_EXPIRED, after, r->floor, r->head);
    }
    *upto = *upto < r->head ? *upto : r->head;
    return OK;
}

enum errc engine_sqlite_history(struct engine_reader *r, rv_t after, rv_t upto,
                                bool (*fn)(void *arg, const struct event *ev), void *arg,
                                struct err *err)
{
    struct reading reading = {fn, arg};
    enum errc code = begin_history(r, after, &upto, err);
    if (code != OK || after >= upto) {
        return code;
    }
    return engine_sqlite_scan(&r->c, &r->s->epochs, after, upto, give_event, &reading, err);
}

static enum errc know_deadlines(struct engine_reader *r, struct err *err)
{
    enum errc code = r->knows_deadlines ? OK : deadlines_read(&r->c, &r->deadlines, err);
    r->knows_deadlines = code == OK;
    return code;
}

enum errc engine_sqlite_history_keys(struct engine_reader *r, rv_t after, rv_t upto,
                                     bool (*fn)(void *arg, const struct engine_past *past),
                                     void *arg, struct err *err)
{
    enum errc code = begin_history(r, after, &upto, err);
    if (code != OK || after >= upto) {
        return code;
    }
    code = know_deadlines(r, err);
    if (code != OK) {
        return code;
    }
    CLEANUP(stmt_resetp) sqlite3_stmt *st = r->c.st[ST_HISTORY_KEYS];
    struct scan scan = {&r->s->epochs, epochs_next(&r->s->epochs, after)};
    sqlite3_bind_int64(st, 1, bound(after));
    sqlite3_bind_int64(st, 2, bound(upto));
    sqlite3_bind_int64(st, 3, -1);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct engine_past past;
        code = row_event_identity(st, &past, err);
        if (code == OK) {
            code = scan_check(&scan, past.event.rv, err);
        }
        past.deadline_ms = deadlines_find(&r->deadlines, past.row);
        if (code != OK || !fn(arg, &past)) {
            return code;
        }
    }
    return scan_end(&scan, &r->c, rc, upto, err);
}

enum errc engine_sqlite_objects(struct engine_reader *r,
                                bool (*fn)(void *arg, const struct engine_object *o), void *arg,
                                struct err *err)
{
    assert(r->in_view);
    CLEANUP(stmt_resetp) sqlite3_stmt *st = r->c.st[ST_OBJECTS];
    enum errc code = know_deadlines(r, err);
    int rc = SQLITE_DONE;
    while (code == OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct engine_object o;
        code = row_object_identity(st, &o, err);
        o.deadline_ms = deadlines_find(&r->deadlines, o.row);
        if (code == OK && !fn(arg, &o)) {
            return OK;
        }
    }
    return code != OK || rc == SQLITE_DONE ? code : conn_fail(r->c.db, rc, "read the objects", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side. Invariants:
 * (1) The sink hears of an event only after COMMIT has returned SQLITE_OK under synchronous=FULL.
 * (2) base.head is the last version told. A failed commit leaves it alone; its versions are given
 *     out again only when it is certain that the transaction cannot come back.
 * (3) After a failure that is not ERR_STORAGE_FULL nothing is written until recover has succeeded.
 */
#include <inttypes.h>
#include <sys/stat.h>

#include "store/engine_sqlite_impl.h"

#define COUNT_FREE_EVERY 256 /* commits */

static enum errc suspect(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "storage: recovering from an earlier fault, try again");
}

/* Ends a transaction that failed with rc, which conn_fail has told of in *err: gives the code that
 * says what became of it. A full disk usually shows at COMMIT, where the pages are written; then
 * the log is cut, which makes it certain that nothing of the transaction is left (2). */
static enum errc txn_fail(struct engine_sqlite *s, int rc, bool at_commit, const char *doing,
                          struct err *err)
{
    enum errc code = conn_fail(s->w.db, rc, doing, err);
    if (!sqlite3_get_autocommit(s->w.db)) {
        (void)conn_run(&s->w, ST_ROLLBACK);
    }
    bool undone = sqlite3_get_autocommit(s->w.db) && (!at_commit || conn_cut_wal(&s->w));
    if (code != ERR_STORAGE_FULL || !undone) {
        s->suspect = true; /* (3) */
        code = at_commit ? ERR_OUTCOME_UNKNOWN : ERR_UNAVAILABLE;
    }
    if (err != NULL) {
        err->code = code;
    }
    return code;
}

/* One row was to change and did; else our maps and the table differ. */
static int run_on_one(struct engine_sqlite *s, enum conn_statement id)
{
    int rc = conn_run(&s->w, id);
    return rc == SQLITE_OK && sqlite3_changes(s->w.db) != 1 ? SQLITE_CORRUPT : rc;
}

static int find_row(struct engine_sqlite *s, const struct key *k, row_t *ret)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_OBJECT_FIND];
    sqlite3_bind_text64(st, 1, k->resource.p, k->resource.n, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text64(st, 2, k->ns.p, k->ns.n, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text64(st, 3, k->name.p, k->name.n, SQLITE_STATIC, SQLITE_UTF8);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
        return SQLITE_OK;
    }
    return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static int write_object(struct engine_sqlite *s, struct change *c)
{
    if (c->event.cause == CAUSE_CREATED) {
        c->row = s->next_row++;
        int rc = row_bind_object_add(s->w.st[ST_OBJECT_ADD], c->row, c);
        return rc == SQLITE_OK ? conn_run(&s->w, ST_OBJECT_ADD) : rc;
    }
    if (c->row == 0) {
        int rc = find_row(s, &c->event.key, &c->row);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (event_is_delete(&c->event)) {
        sqlite3_bind_int64(s->w.st[ST_OBJECT_DROP], 1, c->row);
        sqlite3_bind_int64(s->w.st[ST_OBJECT_DROP], 2, (int64_t)c->event.prev_rv);
        return run_on_one(s, ST_OBJECT_DROP);
    }
    int rc = row_bind_object_set(s->w.st[ST_OBJECT_SET], c->row, c);
    return rc == SQLITE_OK ? run_on_one(s, ST_OBJECT_SET) : rc;
}

static int write_change(struct engine_sqlite *s, struct change *c)
{
    int rc = row_bind_event(s->w.st[ST_EVENT_ADD], &c->event);
    if (rc == SQLITE_OK) {
        rc = conn_run(&s->w, ST_EVENT_ADD);
    }
    return rc == SQLITE_OK ? write_object(s, c) : rc;
}

static enum errc commit(struct engine *e, struct change *changes, size_t n, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return suspect(err);
    }
    if (n == 0) {
        return OK;
    }
    wall_ms_t now = clock_wall(&clock_system);
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        changes[i].event.rv = e->head + 1 + i;
        changes[i].event.time = now;
        rc = write_change(s, &changes[i]);
    }
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, false, "write", err);
    }
    rc = conn_run(&s->w, ST_COMMIT);
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, true, "commit", err);
    }
    e->head += n; /* (1) */
    if (++s->commits % COUNT_FREE_EVERY == 0) {
        engine_sqlite_count_free(s);
    }
    if (e->sink.committed != NULL) {
        e->sink.committed(e->sink.arg, changes, n);
    }
    return OK;
}

static enum errc load(struct engine *e, row_t row, struct object **ret, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    return s->suspect ? suspect(err) : row_load(&s->w, row, ret, err);
}

static enum errc recall(struct engine *e, rv_t rv, struct event *ret, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return suspect(err);
    }
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_EVENT_GET];
    sqlite3_bind_int64(st, 1, (int64_t)rv);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) {
        return err_set(err, ERR_NOT_FOUND, "no event of version %" PRIu64, rv);
    }
    if (rc != SQLITE_ROW) {
        return conn_fail(s->w.db, rc, "read an event", err);
    }
    struct event ev;
    enum errc code = row_event(st, &ev, err);
    if (code == OK) {
        row_event_copy(&ev, &s->recalled, ret);
    }
    return code;
}

static int set_meta(struct engine_sqlite *s, const char *k, int64_t v)
{
    sqlite3_bind_int64(s->w.st[ST_META_SET], 1, v);
    sqlite3_bind_text(s->w.st[ST_META_SET], 2, k, -1, SQLITE_STATIC);
    return run_on_one(s, ST_META_SET);
}

enum errc engine_sqlite_set_meta(struct engine_sqlite *s, const char *k, int64_t v, struct err *err)
{
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = set_meta(s, k, v);
    }
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, false, "write", err);
    }
    rc = conn_run(&s->w, ST_COMMIT);
    return rc == SQLITE_OK ? OK : txn_fail(s, rc, true, "commit", err);
}

static enum errc keep_clock(struct engine *e, int64_t run_seconds, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    return s->suspect ? suspect(err) : engine_sqlite_set_meta(s, "run_seconds", run_seconds, err);
}

/* Tells of the oldest events up to `upto`, at most max_rows; *ret_last is the last of them, or 0.
 */
static int tell_gone(struct engine_sqlite *s, rv_t upto, size_t max_rows,
                     void (*gone)(void *arg, rv_t rv, const struct key *key, size_t bytes),
                     void *arg, rv_t *ret_last)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_HISTORY_KEYS];
    sqlite3_bind_int64(st, 1, 0);
    sqlite3_bind_int64(st, 2, (int64_t)upto);
    sqlite3_bind_int64(st, 3, max_rows < INT64_MAX ? (int64_t)max_rows : INT64_MAX);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct event ev;
        size_t bytes;
        row_event_unchecked(st, &ev, &bytes);
        gone(arg, ev.rv, &ev.key, bytes);
        *ret_last = ev.rv;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The newest event stays: it is what the next start knows the head by. */
static int newest(struct engine_sqlite *s, rv_t *ret)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_STATE];
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *ret = (rv_t)sqlite3_column_int64(st, 0);
    }
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static enum errc compact(struct engine *e, rv_t upto, size_t max_rows,
                         void (*gone)(void *arg, rv_t rv, const struct key *key, size_t bytes),
                         void *arg, rv_t *ret_floor, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return suspect(err);
    }
    rv_t last = 0, top = 0;
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = newest(s, &top);
    }
    if (rc == SQLITE_OK && top != 0) {
        rc = tell_gone(s, upto < top ? upto : top - 1, max_rows, gone, arg, &last);
    }
    if (rc == SQLITE_OK && last != 0) {
        sqlite3_bind_int64(s->w.st[ST_EVENTS_DROP], 1, (int64_t)last);
        rc = conn_run(&s->w, ST_EVENTS_DROP);
    }
    if (rc == SQLITE_OK && last != 0) {
        rc = set_meta(s, "floor", (int64_t)last);
    }
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, false, "compact", err);
    }
    rc = conn_run(&s->w, last != 0 ? ST_COMMIT : ST_ROLLBACK);
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, true, "compact", err);
    }
    if (last != 0) {
        e->floor = last;
        engine_sqlite_count_free(s);
    }
    *ret_floor = e->floor;
    return OK;
}

void engine_sqlite_count_free(struct engine_sqlite *s)
{
    enum { PAGE = 4096 };
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_FREE_PAGES];
    if (sqlite3_step(st) == SQLITE_ROW) {
        atomic_store_explicit(&s->free_bytes, sqlite3_column_int64(st, 0) * PAGE,
                              memory_order_relaxed);
    }
}

static int64_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void usage(struct engine *e, struct engine_usage *ret)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    ret->wal_bytes = file_size(s->wal_path);
    ret->file_bytes = file_size(s->path) + ret->wal_bytes + file_size(s->shm_path);
    ret->free_bytes = atomic_load_explicit(&s->free_bytes, memory_order_relaxed);
}

const struct engine_ops engine_sqlite_ops = {
    .commit = commit,
    .recover = engine_sqlite_recover,
    .load = load,
    .recall = recall,
    .compact = compact,
    .keep_clock = keep_clock,
    .reader_open = engine_sqlite_reader_open,
    .reader_close = engine_sqlite_reader_close,
    .view_begin = engine_sqlite_view_begin,
    .view_end = engine_sqlite_view_end,
    .read_row = engine_sqlite_read_row,
    .read_event = engine_sqlite_read_event,
    .history = engine_sqlite_history,
    .history_keys = engine_sqlite_history_keys,
    .objects = engine_sqlite_objects,
    .usage = usage,
    .close = engine_sqlite_close,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side. Invariants:
 * (1) The sink hears of an event only after COMMIT has returned SQLITE_OK under synchronous=FULL.
 * (2) base.head is the last version told. A failed commit leaves it alone; its versions are given
 *     out again only when it is certain that the transaction cannot come back.
 * (3) After a failure that is not ERR_STORAGE_FULL nothing is written until recover has succeeded.
 */
#include <assert.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "store/engine_sqlite_impl.h"

#define COUNT_FREE_EVERY 256 /* commits */

enum errc engine_sqlite_suspect(struct err *err)
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
    fold_abandon(s);
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

enum errc engine_sqlite_end_txn(struct engine_sqlite *s, int rc, const char *doing, struct err *err)
{
    if (rc != SQLITE_OK) {
        return txn_fail(s, rc, false, doing, err);
    }
    rc = conn_run(&s->w, ST_COMMIT);
    return rc == SQLITE_OK ? OK : txn_fail(s, rc, true, doing, err);
}

/* The row that an earlier change of the same commit gave the object. */
static row_t row_of_earlier(const struct change *changes, size_t i)
{
    for (size_t k = i; k-- > 0;) {
        if (key_eq(&changes[k].event.key, &changes[i].event.key)) {
            return changes[k].row;
        }
    }
    return 0;
}

/* Only the event; the object's row is folded in later. A handle is the version that created its
 * object: so none is ever used again, and none needs to be counted. */
static int write_change(struct engine_sqlite *s, struct change *changes, size_t i)
{
    struct change *c = &changes[i];
    if (c->event.cause == CAUSE_CREATED) {
        c->row = (row_t)c->event.rv;
    } else if (c->row == 0) {
        c->row = row_of_earlier(changes, i);
    }
    int rc = row_bind_event(&s->w, c->row, &c->event);
    return rc == SQLITE_OK ? conn_run(&s->w, ST_EVENT_ADD) : rc;
}

/* Each change has the version after the one before it; a transaction ends with its last. */
static void assign(const struct engine_sqlite *s, struct change *changes, size_t n)
{
    wall_ms_t now = clock_wall(&clock_system);
    for (size_t i = 0; i < n; i++) {
        struct event *ev = &changes[i].event;
        ev->rv = s->base.head + 1 + i;
        ev->txn_end = ev->rv + changes[i].txn_more;
        ev->time = now;
        assert(i + changes[i].txn_more < n);
    }
}

/* Is the clock to be kept with this commit? */
static bool clock_due(const struct engine_sqlite *s, const struct commit *c)
{
    enum { KEEP_EVERY_MS = 100 };
    bool at_once = c->n == 0 && c->n_asides == 0;
    for (size_t i = 0; i < c->n; i++) {
        enum cause cause = c->changes[i].event.cause;
        at_once = at_once || cause == CAUSE_EXPIRED || cause == CAUSE_EXPIRING;
    }
    int64_t passed = c->run_ms - s->base.kept_ms;
    return passed >= KEEP_EVERY_MS || (at_once && passed > 0);
}

/* Should recover find that a commit happened although it failed. */
static void note_attempt(struct engine_sqlite *s, const struct commit *c)
{
    s->attempt.n = c->n;
    aside_note(s, c);
}

enum errc engine_sqlite_see_file(struct engine_sqlite *s, struct err *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0 || st.st_dev != s->file.dev || st.st_ino != s->file.ino) {
        s->suspect = true;
        return err_set(err, ERR_UNAVAILABLE,
                       "%s was removed or replaced while it was in use: put it back, or stop",
                       s->path);
    }
    s->file.looked = clock_mono(&clock_system);
    return OK;
}

static enum errc commit(struct engine *e, const struct commit *c, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
    }
    bool keep_clock = clock_due(s, c);
    bool empty = c->n == 0 && c->n_asides == 0;
    if (empty && !keep_clock) {
        return OK;
    }
    enum { LOOK_EVERY_MS = 1000 };
    if (clock_mono(&clock_system) - s->file.looked >= LOOK_EVERY_MS) {
        enum errc seen = engine_sqlite_see_file(s, err);
        if (seen != OK) {
            return seen;
        }
    }
    assign(s, c->changes, c->n);
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = fold_with_commit(s, c->n);
    }
    for (size_t i = 0; i < c->n && rc == SQLITE_OK; i++) {
        rc = write_change(s, c->changes, i);
    }
    if (rc == SQLITE_OK) {
        rc = aside_write(s, c);
    }
    if (rc == SQLITE_OK && keep_clock) {
        rc = engine_sqlite_bind_meta(s, "run_ms", c->run_ms);
    }
    note_attempt(s, c);
    enum errc code = engine_sqlite_end_txn(s, rc, "commit", err);
    if (code != OK) {
        return code;
    }
    e->head += c->n; /* (1) */
    e->kept_ms = keep_clock ? c->run_ms : e->kept_ms;
    fold_committed(s);
    aside_committed(s, c);
    if (++s->commits % COUNT_FREE_EVERY == 0) {
        engine_sqlite_count_free(s);
    }
    if (!empty && e->sink.committed != NULL) {
        e->sink.committed(e->sink.arg, c);
    }
    return OK;
}

static enum errc load(struct engine *e, row_t row, rv_t rv, struct object **ret, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    return s->suspect ? engine_sqlite_suspect(err)
                      : row_load(&s->w, row, rv, rv <= e->folded, ret, err);
}

/* A statement under way keeps the read transaction open that each load would else begin and end,
 * with two locks of the file. */
static void loads(struct engine *e, bool on)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    sqlite3_stmt *st = s->w.st[ST_STATE];
    if (on && !s->suspect) {
        (void)sqlite3_step(st); /* without it, too, everything is found */
    } else if (!on && st != NULL) {
        (void)sqlite3_reset(st);
    }
}

static enum errc recall(struct engine *e, rv_t rv, struct event *ret, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
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
    row_t row;
    enum errc code = row_event(st, &s->w.body, &ev, &row, err);
    if (code == OK) {
        row_event_copy(&ev, &s->recalled, ret);
    }
    return code;
}

int engine_sqlite_bind_meta(struct engine_sqlite *s, const char *k, int64_t v)
{
    sqlite3_bind_int64(s->w.st[ST_META_SET], 1, v);
    sqlite3_bind_text(s->w.st[ST_META_SET], 2, k, -1, SQLITE_STATIC);
    int rc = conn_run(&s->w, ST_META_SET);
    return rc == SQLITE_OK && sqlite3_changes(s->w.db) != 1 ? SQLITE_CORRUPT : rc;
}

enum errc engine_sqlite_set_meta(struct engine_sqlite *s, const char *k, int64_t v, struct err *err)
{
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = engine_sqlite_bind_meta(s, k, v);
    }
    return engine_sqlite_end_txn(s, rc, "write", err);
}

static enum errc keep_clock(struct engine *e, int64_t run_ms, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
    }
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(s->w.st[ST_AGE_ADD], 1, run_ms);
        sqlite3_bind_int64(s->w.st[ST_AGE_ADD], 2, (int64_t)e->head);
        rc = conn_run(&s->w, ST_AGE_ADD);
    }
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(s->w.st[ST_AGES_DROP], 1, ENGINE_AGES);
        rc = conn_run(&s->w, ST_AGES_DROP);
    }
    if (rc == SQLITE_OK) {
        rc = engine_sqlite_bind_meta(s, "run_ms", run_ms);
    }
    enum errc code = engine_sqlite_end_txn(s, rc, "keep the clock", err);
    e->kept_ms = code == OK ? run_ms : e->kept_ms;
    return code;
}

/* Is there an event of this version, and the last of its transaction? */
static int ends_txn(struct engine_sqlite *s, rv_t rv, bool *ret)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_HISTORY_KEYS];
    sqlite3_bind_int64(st, 1, (int64_t)rv - 1);
    sqlite3_bind_int64(st, 2, (int64_t)rv);
    sqlite3_bind_int64(st, 3, 1);
    struct engine_past past;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        row_event_unchecked(st, &past);
        *ret = event_ends_txn(&past.event);
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The keys of all events up to `upto`, to be stepped through. */
static sqlite3_stmt *keys_upto(struct engine_sqlite *s, rv_t upto)
{
    sqlite3_stmt *st = s->w.st[ST_HISTORY_KEYS];
    sqlite3_bind_int64(st, 1, 0);
    sqlite3_bind_int64(st, 2, (int64_t)upto);
    sqlite3_bind_int64(st, 3, INT64_MAX);
    return st;
}

/* The end of the first transaction above the floor that is not above upto, or 0. */
static int first_end(struct engine_sqlite *s, rv_t upto, rv_t *ret)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = keys_upto(s, upto);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct engine_past past;
        row_event_unchecked(st, &past);
        if (event_ends_txn(&past.event)) {
            *ret = past.event.rv;
            return SQLITE_OK;
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Where at most max_rows of the oldest events end, whole transactions and not above upto; or the
 * first transaction alone, should it have more. 0: there is none. Versions above the floor are
 * without a gap but between two epochs, and transactions short: so the end is near where max_rows
 * versions end. */
static int find_end(struct engine_sqlite *s, rv_t upto, size_t max_rows, rv_t *ret)
{
    rv_t floor = s->base.floor;
    rv_t top = upto - floor > max_rows ? floor + max_rows : upto;
    bool found = false;
    int rc = SQLITE_OK;
    for (rv_t rv = upto > floor ? top : floor; rc == SQLITE_OK && !found && rv > floor; rv--) {
        rc = ends_txn(s, rv, &found);
        *ret = found ? rv : 0;
    }
    return rc == SQLITE_OK && !found ? first_end(s, upto, ret) : rc;
}

/* Tells of the events up to `upto`; *ret_last is the last of them, or 0. */
static int tell_gone(struct engine_sqlite *s, rv_t upto,
                     void (*gone)(void *arg, rv_t rv, const struct key *key, size_t bytes),
                     void *arg, rv_t *ret_last)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = keys_upto(s, upto);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct engine_past past;
        row_event_unchecked(st, &past);
        gone(arg, past.event.rv, &past.event.key, past.bytes);
        *ret_last = past.event.rv;
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
        return engine_sqlite_suspect(err);
    }
    rv_t last = 0, top = 0;
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = newest(s, &top);
    }
    if (rc == SQLITE_OK && top != 0) {
        upto = upto < e->folded ? upto : e->folded; /* the rest is still needed by objects */
        rv_t end = 0;
        rc = max_rows != 0 ? find_end(s, upto < top ? upto : top - 1, max_rows, &end) : SQLITE_OK;
        if (rc == SQLITE_OK && end != 0) {
            rc = tell_gone(s, end, gone, arg, &last);
        }
    }
    if (rc == SQLITE_OK && last != 0) {
        sqlite3_bind_int64(s->w.st[ST_EVENTS_DROP], 1, (int64_t)last);
        rc = conn_run(&s->w, ST_EVENTS_DROP);
    }
    if (rc == SQLITE_OK && last != 0) {
        rc = engine_sqlite_bind_meta(s, "floor", (int64_t)last);
    }
    enum errc code = engine_sqlite_end_txn(s, rc, "compact", err);
    if (code != OK) {
        return code;
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
    .loads = loads,
    .owners = engine_sqlite_owners,
    .compact = compact,
    .fold = engine_sqlite_fold,
    .keep_clock = keep_clock,
    .reader_open = engine_sqlite_reader_open,
    .reader_close = engine_sqlite_reader_close,
    .view_begin = engine_sqlite_view_begin,
    .view_end = engine_sqlite_view_end,
    .read_object = engine_sqlite_read_object,
    .read_owners = engine_sqlite_read_owners,
    .read_event = engine_sqlite_read_event,
    .history = engine_sqlite_history,
    .history_keys = engine_sqlite_history_keys,
    .objects = engine_sqlite_objects,
    .usage = usage,
    .close = engine_sqlite_close,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SQLite engine share: the connection with its statements, the rows, and the
 * engine itself. Private to store/engine_sqlite*.c and store/engine_schema.c.
 * Threads: a struct conn belongs to one thread at a time. Of struct engine_sqlite, what is set at
 * open never changes and may be read by all; the rest is the writer's, but for the atomics. */
#ifndef WATCHD_ENGINE_SQLITE_IMPL_H
#define WATCHD_ENGINE_SQLITE_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "store/base/ids.h"
#include "store/engine_schema.h"
#include "store/engine_sqlite.h"

/* --- connection: engine_sqlite_conn.c ---------------------------------------------------- */

/* Columns of the whole rows; engine_sqlite_row.c knows this order. The big one comes last, so that
 * a scan which leaves it out never follows an overflow page. */
#define EVENT_COLUMNS  "rv,object,cause,head,texts"
#define OBJECT_COLUMNS "id,rv,head,texts"

enum conn_kind { CONN_WRITER = 1, CONN_READER = 2 };

/* X(statement, kinds of connection that have it, SQL) */
#define CONN_STATEMENTS(X)                                                                        \
    X(ST_BEGIN, CONN_READER, "BEGIN")                                                             \
    X(ST_BEGIN_WRITE, CONN_WRITER, "BEGIN IMMEDIATE")                                             \
    X(ST_COMMIT, CONN_WRITER, "COMMIT")                                                           \
    X(ST_ROLLBACK, CONN_WRITER | CONN_READER, "ROLLBACK")                                         \
    X(ST_STATE, CONN_WRITER | CONN_READER,                                                        \
      "SELECT (SELECT max(rv) FROM events),(SELECT v FROM meta WHERE k='floor'),"                 \
      "(SELECT v FROM meta WHERE k='folded')")                                                    \
    X(ST_EVENT_ADD, CONN_WRITER, "INSERT INTO events(" EVENT_COLUMNS ") VALUES(?,?,?,?,?)")       \
    X(ST_EVENT_GET, CONN_WRITER | CONN_READER, "SELECT " EVENT_COLUMNS " FROM events WHERE rv=?") \
    X(ST_VERSION_GET, CONN_WRITER | CONN_READER,                                                  \
      "SELECT " EVENT_COLUMNS " FROM events WHERE rv>=? ORDER BY rv")                             \
    X(ST_HISTORY, CONN_WRITER | CONN_READER,                                                      \
      "SELECT " EVENT_COLUMNS " FROM events WHERE rv>? AND rv<=? ORDER BY rv")                    \
    X(ST_HISTORY_KEYS, CONN_WRITER | CONN_READER,                                                 \
      "SELECT rv,object,cause,head,length(texts) FROM events"                                     \
      " WHERE rv>? AND rv<=? ORDER BY rv LIMIT ?")                                                \
    X(ST_EVENTS_DROP, CONN_WRITER, "DELETE FROM events WHERE rv<=?")                              \
    X(ST_OBJECT_PUT, CONN_WRITER,                                                                 \
      "INSERT INTO objects(" OBJECT_COLUMNS ") VALUES(?,?,?,?) ON CONFLICT(id) DO UPDATE SET"     \
      " rv=excluded.rv,head=excluded.head,texts=excluded.texts WHERE rv<>excluded.rv")            \
    X(ST_OBJECT_RV, CONN_WRITER, "SELECT rv FROM objects WHERE id=?")                             \
    X(ST_OBJECT_DROP, CONN_WRITER, "DELETE FROM objects WHERE id=?")                              \
    X(ST_OBJECT_GET, CONN_WRITER | CONN_READER,                                                   \
      "SELECT " OBJECT_COLUMNS " FROM objects WHERE id>=? ORDER BY id")                           \
    X(ST_FOLD_SCAN, CONN_WRITER,                                                                  \
      "SELECT rv,object,cause FROM events WHERE rv>? AND rv<=? ORDER BY rv LIMIT ?")              \
    X(ST_OBJECTS, CONN_READER, "SELECT id,rv,head,length(texts) FROM objects ORDER BY id")        \
    X(ST_META_SET, CONN_WRITER, "UPDATE meta SET v=? WHERE k=?")                                  \
    X(ST_AGE_ADD, CONN_WRITER, "INSERT OR REPLACE INTO ages VALUES(?,?)")                         \
    X(ST_AGES_DROP, CONN_WRITER,                                                                  \
      "DELETE FROM ages WHERE run_ms NOT IN"                                                      \
      " (SELECT run_ms FROM ages ORDER BY run_ms DESC LIMIT ?)")                                  \
    X(ST_AGES, CONN_WRITER, "SELECT run_ms,rv FROM ages ORDER BY run_ms")                         \
    X(ST_DEADLINE_SET, CONN_WRITER, "REPLACE INTO deadlines(object,at,crc) VALUES(?,?,?)")        \
    X(ST_DEADLINE_DROP, CONN_WRITER, "DELETE FROM deadlines WHERE object=?")                      \
    X(ST_DEADLINES, CONN_READER, "SELECT object,at,crc FROM deadlines ORDER BY object")           \
    X(ST_OWNERS_SET, CONN_WRITER, "REPLACE INTO owners(object,crc,body) VALUES(?,?,?)")           \
    X(ST_OWNERS_DROP, CONN_WRITER, "DELETE FROM owners WHERE object=?")                           \
    X(ST_OWNED, CONN_WRITER, "SELECT object FROM owners")                                         \
    X(ST_OWNERS_GET, CONN_WRITER | CONN_READER, "SELECT crc,body FROM owners WHERE object=?")     \
    X(ST_FREE_PAGES, CONN_WRITER, "PRAGMA freelist_count")

enum conn_statement {
#define CONN_ENUM(id, kinds, sql) id,
    CONN_STATEMENTS(CONN_ENUM)
#undef CONN_ENUM
        ST_COUNT
};

struct conn {
    sqlite3 *db;
    sqlite3_stmt *st[ST_COUNT]; /* NULL for those of the other kind */
    struct buf head, texts;     /* of the row that is bound to be written */
    struct buf body;            /* of the event that is being read, see row_event */
    bool stays;                 /* what row_load read stays where it is, for the next one behind */
    int64_t next_event, next_object; /* which that would be; 0: it stands nowhere */
};

/* Opens and configures; the statements come later, by conn_prepare, when the tables are there.
 * Never makes the file. After a failure the connection is closed. */
enum errc conn_open(struct conn *c, enum conn_kind kind, const char *path, const char *vfs,
                    bool no_sync, struct err *err) NODISCARD;
enum errc conn_prepare(struct conn *c, enum conn_kind kind, struct err *err) NODISCARD;
void conn_close(struct conn *c); /* One that is closed is fine. */

/* Runs a statement that gives no row, bound already, and resets it. SQLITE_OK when it is done. */
int conn_run(struct conn *c, enum conn_statement id);
/* Checkpoints everything and truncates the log; SQLITE_BUSY when a reader is in the way. Of the
 * writer only. */
int conn_checkpoint(struct conn *c);
/* Makes certain that a transaction whose COMMIT failed cannot come back: cuts the write-ahead log
 * behind the last committed frame; and syncs it. Of the writer, between transactions. */
bool conn_cut_wal(struct conn *c);

/* The error of the last call: ERR_STORAGE_FULL, ERR_DATA_LOSS or ERR_UNAVAILABLE.
 * `doing` reads on after "cannot". */
enum errc conn_fail(sqlite3 *db, int rc, const char *doing, struct err *err);

/* For CLEANUP: a statement that is not reset holds a snapshot open. */
static inline void stmt_resetp(sqlite3_stmt **st)
{
    if (*st != NULL) {
        sqlite3_reset(*st);
    }
}

/* --- rows: engine_sqlite_row.c ----------------------------------------------------------- */

/* Bind ST_EVENT_ADD and ST_OBJECT_PUT, which borrow from c->head and c->texts until the next row.
 */
int row_bind_event(struct conn *c, row_t row, const struct event *ev);
int row_bind_object(struct conn *c, row_t row, const struct event *ev);

/* The row at hand, borrowed from the statement until its next step or reset, and from `body`, which
 * is overwritten. Errors: ERR_DATA_LOSS, naming the version. */
enum errc row_event(sqlite3_stmt *st, struct buf *body, struct event *ret, row_t *ret_row,
                    struct err *err) NODISCARD;
/* All but the deadline. */
enum errc row_event_identity(sqlite3_stmt *st, struct engine_past *ret, struct err *err) NODISCARD;
enum errc row_object(sqlite3_stmt *st, struct object **ret, struct err *err) NODISCARD;
enum errc row_object_identity(sqlite3_stmt *st, struct engine_object *ret,
                              struct err *err) NODISCARD;

/* As row_event_identity, but takes a damaged row as it is: compaction must get rid of it too. */
void row_event_unchecked(sqlite3_stmt *st, struct engine_past *ret);
/* Of the statement ST_FOLD_SCAN. */
row_t row_of_event(sqlite3_stmt *st, rv_t *ret_rv, bool *ret_gone);

/* A copy of an event whose texts lie in `texts`, which is overwritten. */
void row_event_copy(const struct event *ev, struct buf *texts, struct event *ret);

/* One version of an object, as a new reference: from its row or from its event, looked for in this
 * order if it is `folded`, else in the other. Errors: ERR_NOT_FOUND, ERR_DATA_LOSS, … */
enum errc row_load(struct conn *c, row_t row, rv_t rv, bool folded, struct object **ret,
                   struct err *err) NODISCARD;
/* Of a connection that stays: before its view ends. */
void row_load_end(struct conn *c);

/* --- engine: engine_sqlite.c, engine_sqlite_open.c, engine_sqlite_reader.c ----------------- */

/* See engine_sqlite_fold.c. */
struct fold_pass {
    bool active;
    bool merging;  /* everything is collected */
    bool finished; /* with the transaction at hand */
    rv_t at, upto; /* events in (at, upto] are still to be collected */
    rv_t due;      /* the head by which it is to be over */
    size_t left;   /* of items: those that are still to be merged */
    size_t credit; /* of commits, not used yet: in events to collect */
    struct fold_item *items;
    size_t n, cap;
    struct fold_run *runs; /* of items */
    size_t n_runs, cap_runs;
};

struct engine_sqlite {
    struct engine base;
    char *path;        /* real path of the database */
    char *wal_path;    /* of the log beside it */
    char *shm_path;    /* of the log's index */
    char *vfs;         /* NULL: SQLite's default */
    int64_t max_bytes; /* of the database file; 0: no limit */
    struct {
        dev_t dev;
        ino_t ino;
        mono_ms_t looked; /* when it was last seen at its path */
    } file;
    bool no_sync;         /* the planted fault of tests */
    bool unclean;         /* at open: the last stop was not a clean one */
    int lock_fd;          /* holds the lock file */
    int file_fd;          /* holds the lock on the database */
    struct epochs epochs; /* of this history, from the oldest */

    struct conn w;       /* the one connection that writes; closed after a failed recover */
    bool suspect;        /* a commit failed: only recover may come next */
    struct buf recalled; /* the texts of the event that recall gave */
    struct fold_pass pass;
    rv_t damaged;        /* an event that could not be folded; 0: none */
    size_t fold_events;  /* a history that keeps more, or all, is folded as if it kept these */
    size_t fold_rows;    /* of a pass that go with one commit; 0: by its changes */
    _Atomic rv_t folded; /* base.folded, for readers */
    struct ids owned;    /* rows of objects that have owners, and perhaps some more */
    struct {
        size_t n;
        struct aside *asides; /* those that set deadlines; their keys lie in keys */
        size_t n_asides;
        struct buf keys;
    } attempt;        /* the last commit, in case its outcome is unknown */
    unsigned commits; /* since the free pages were counted */

    _Atomic int64_t free_bytes;
    _Atomic bool check_cancelled;
};

static inline struct engine_sqlite *engine_sqlite_of(struct engine *e)
{
    return (struct engine_sqlite *)e;
}

/* engine_sqlite_open.c: opens the writer's connection, reads what is there. *ret_head is the last
 * version in the file. Versions above `told` may be in the log only because a failed sync left them
 * there, and a later sync may pass without having written them; so with such versions it succeeds
 * only once all of the log has been written into the database. */
enum errc engine_sqlite_attach(struct engine_sqlite *s, rv_t told, rv_t *ret_head,
                               struct err *err) NODISCARD;
void engine_sqlite_close(struct engine *e);

/* engine_sqlite.c */
extern const struct engine_ops engine_sqlite_ops;
enum errc engine_sqlite_set_meta(struct engine_sqlite *s, const char *k, int64_t v,
                                 struct err *err) NODISCARD;
void engine_sqlite_count_free(struct engine_sqlite *s);
enum errc engine_sqlite_suspect(struct err *err);
/* Is the file still at its path? What is committed to one that was removed is lost when we stop. */
enum errc engine_sqlite_see_file(struct engine_sqlite *s, struct err *err) NODISCARD;
/* Within a transaction. */
int engine_sqlite_bind_meta(struct engine_sqlite *s, const char *k, int64_t v);
/* Commits if rc is SQLITE_OK, else rolls back; says what became of it. */
enum errc engine_sqlite_end_txn(struct engine_sqlite *s, int rc, const char *doing,
                                struct err *err) NODISCARD;

/* engine_sqlite_aside.c */
/* Within the transaction of a commit, once the changes have their rows: gives the asides theirs. */
int aside_write(struct engine_sqlite *s, const struct commit *c);
/* Copies what recover needs of them into s->attempt. */
void aside_note(struct engine_sqlite *s, const struct commit *c);
/* Of the committed changes: what went with its object. */
void aside_committed(struct engine_sqlite *s, const struct commit *c);
/* Fills s->owned. */
enum errc owned_read(struct engine_sqlite *s, struct err *err) NODISCARD;
enum errc engine_sqlite_owners(struct engine *e, row_t row, struct buf *out, struct err *err);
enum errc aside_read_owners(struct conn *c, row_t row, struct buf *out, struct err *err) NODISCARD;
/* All deadlines of a view, by row. */
struct deadlines {
    struct deadline {
        row_t row;
        int64_t at;
    } * v;
    size_t n, cap;
};
enum errc deadlines_read(struct conn *c, struct deadlines *ret, struct err *err) NODISCARD;
int64_t deadlines_find(const struct deadlines *d, row_t row); /* 0: none */
void deadlines_fini(struct deadlines *d);

/* engine_sqlite_fold.c */
enum errc engine_sqlite_fold(struct engine *e, rv_t upto, size_t max_rows, bool *ret_done,
                             struct err *err);
/* Within the transaction of a commit of n changes: some of the pass, if there is one to do. */
int fold_with_commit(struct engine_sqlite *s, size_t n);
/* What the transaction folded is committed. */
void fold_committed(struct engine_sqlite *s);
/* After a fault, and at the end: frees the pass; a later one folds the same again. */
void fold_abandon(struct engine_sqlite *s);
/* What a file says. */
void fold_set(struct engine_sqlite *s, rv_t folded);

/* engine_sqlite_recover.c */
enum errc engine_sqlite_recover(struct engine *e, struct err *err);

/* engine_sqlite_reader.c. The last version and the floor as the connection sees them, and up to
 * where the rows are folded (ret_folded may be NULL). */
enum errc engine_sqlite_state(struct conn *c, const struct epochs *epochs, rv_t *ret_head,
                              rv_t *ret_floor, rv_t *ret_folded, struct err *err) NODISCARD;
/* Events with after < rv <= upto, verified and without a gap; upto <= the head. */
enum errc engine_sqlite_scan(struct conn *c, const struct epochs *epochs, rv_t after, rv_t upto,
                             bool (*fn)(void *arg, const struct event *ev, row_t row), void *arg,
                             struct err *err) NODISCARD;
enum errc engine_sqlite_reader_open(struct engine *e, struct engine_reader **ret, struct err *err);
void engine_sqlite_reader_close(struct engine_reader *r);
enum errc engine_sqlite_view_begin(struct engine_reader *r, rv_t *ret_head, struct err *err);
void engine_sqlite_view_end(struct engine_reader *r);
enum errc engine_sqlite_read_object(struct engine_reader *r, row_t row, rv_t rv,
                                    struct object **ret, struct err *err);
enum errc engine_sqlite_read_owners(struct engine_reader *r, row_t row, struct buf *out,
                                    struct err *err);
enum errc engine_sqlite_read_event(struct engine_reader *r, rv_t rv, struct event *ret,
                                   struct err *err);
enum errc engine_sqlite_history(struct engine_reader *r, rv_t after, rv_t upto,
                                bool (*fn)(void *arg, const struct event *ev), void *arg,
                                struct err *err);
enum errc engine_sqlite_history_keys(struct engine_reader *r, rv_t after, rv_t upto,
                                     bool (*fn)(void *arg, const struct engine_past *past),
                                     void *arg, struct err *err);
enum errc engine_sqlite_objects(struct engine_reader *r,
                                bool (*fn)(void *arg, const struct engine_object *o), void *arg,
                                struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Connections. Invariants:
 * (1) The writer's connection alone is opened for writing, and it alone commits and checkpoints:
 *     SQLite before 3.51.3 can corrupt a file when one connection checkpoints while another
 * commits. See: https://sqlite.org/wal.html#the_wal_reset_bug (2) No statement stays active after
 * its use, but for a reader's inside its view. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "store/engine_sqlite_impl.h"

#define WRITER_PRAGMAS                                         \
    "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=250;" \
    "PRAGMA journal_size_limit=67108864; PRAGMA secure_delete=OFF;"
#define READER_PRAGMAS \
    "PRAGMA query_only=ON; PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=0;"
#define COMMON_PRAGMAS     "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;"
#define BUSY_MS            5000 /* only a foreign process can make us wait */
#define CHECKPOINT_WAIT_MS 100  /* for our readers, when the writer is reopened beside them */

static const struct {
    const char *sql;
    int kinds;
} statements[ST_COUNT] = {
#define CONN_ROW(id, kinds, sql) [id] = {(sql), (kinds)},
    CONN_STATEMENTS(CONN_ROW)
#undef CONN_ROW
};

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Whoever loads SQLite before us may have initialised it; then its settings stand, and are safe as
 * well. No log hook is set: libraries do not log. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool means_no_room(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* SQLite itself knows only ENOSPC as a full disk; a quota and a limit are errors like any other to
 * it, and those of a COMMIT are not in sqlite3_system_errno but only with the log's file. */
static bool out_of_room(sqlite3 *db, int rc)
{
    int primary = rc & 0xff;
    if (primary == SQLITE_FULL) {
        return true;
    }
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) {
        return false;
    }
    sqlite3_file *wal = NULL;
    int error = 0;
    if (rc == SQLITE_IOERR_WRITE &&
        sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK &&
        wal->pMethods != NULL) {
        (void)wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &error);
    }
    return means_no_room(error) || means_no_room(sqlite3_system_errno(db));
}

enum errc conn_fail(sqlite3 *db, int rc, const char *doing, struct err *err)
{
    int primary = rc & 0xff;
    enum errc code = ERR_UNAVAILABLE;
    if (out_of_room(db, rc)) {
        code = ERR_STORAGE_FULL;
    } else if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_FORMAT) {
        code = ERR_DATA_LOSS;
    }
    return err_set(err, code, "storage: cannot %s: %s (SQLite %d)", doing, sqlite3_errstr(rc), rc);
}

static int set_up(sqlite3 *db, enum conn_kind kind, bool no_sync)
{
    int rc = sqlite3_busy_timeout(db, BUSY_MS);
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    }
    if (rc == SQLITE_OK && kind == CONN_READER) {
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* (1) */
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, COMMON_PRAGMAS, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, kind == CONN_WRITER ? WRITER_PRAGMAS : READER_PRAGMAS, NULL, NULL,
                          NULL);
    }
    if (rc == SQLITE_OK && kind == CONN_WRITER) {
        rc = sqlite3_exec(db, no_sync ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", NULL,
                          NULL, NULL);
    }
    return rc;
}

enum errc conn_open(struct conn *c, enum conn_kind kind, const char *path, const char *vfs,
                    bool no_sync, struct err *err)
{
    pthread_once(&configured, configure);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (kind == CONN_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY); /* (1) */
    memset(c, 0, sizeof(*c));
    buf_init(&c->head, SIZE_MAX);
    buf_init(&c->texts, SIZE_MAX);
    buf_init(&c->body, SIZE_MAX);
    int rc = sqlite3_open_v2(path, &c->db, flags, vfs);
    if (rc == SQLITE_OK) {
        rc = set_up(c->db, kind, no_sync);
    }
    /* SQLite opens a file that it may not write as read-only, and says nothing. */
    if (rc == SQLITE_OK && kind == CONN_WRITER && sqlite3_db_readonly(c->db, "main") != 0) {
        conn_close(c);
        return err_set(err, ERR_DENIED, "no permission to write %s", path);
    }
    if (rc != SQLITE_OK) {
        enum errc code = conn_fail(c->db, rc, "open the database", err);
        conn_close(c);
        return code;
    }
    return OK;
}

enum errc conn_prepare(struct conn *c, enum conn_kind kind, struct err *err)
{
    for (size_t i = 0; i < ST_COUNT; i++) {
        if ((statements[i].kinds & (int)kind) == 0) {
            continue;
        }
        int rc = sqlite3_prepare_v3(c->db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    &c->st[i], NULL);
        if (rc != SQLITE_OK) {
            enum errc code = conn_fail(c->db, rc, "prepare the statements", err);
            conn_close(c);
            return code;
        }
    }
    return OK;
}

void conn_close(struct conn *c)
{
    for (size_t i = 0; i < ST_COUNT; i++) {
        sqlite3_finalize(c->st[i]);
        c->st[i] = NULL;
    }
    int rc = sqlite3_close(c->db);
    assert(rc == SQLITE_OK); /* (2): otherwise it would live on as a zombie, holding its locks */
    c->db = NULL;
    buf_fini(&c->head);
    buf_fini(&c->texts);
    buf_fini(&c->body);
}

int conn_run(struct conn *c, enum conn_statement id)
{
    int rc = sqlite3_step(c->st[id]);
    int end = sqlite3_reset(c->st[id]);
    return rc == SQLITE_DONE ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_MISUSE;
}

int conn_checkpoint(struct conn *c)
{
    sqlite3_busy_timeout(c->db, CHECKPOINT_WAIT_MS);
    int rc = sqlite3_wal_checkpoint_v2(c->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(c->db, BUSY_MS);
    return rc;
}

/* See: https://sqlite.org/walformat.html: the log has a head of 32 bytes and frames of 24 bytes and
 * a page; its index, shared in memory, has a mark that it is in use, the size of a page and the
 * number of committed frames at these offsets, in the machine's byte order. With no frame
 * committed the next transaction writes the head anew. Nobody reads behind the last committed
 * frame, and we are the only writer (1). */
bool conn_cut_wal(struct conn *c)
{
    enum { HEAD = 32, FRAME_HEAD = 24, INDEX_SIZE = 32768 };
    enum { INDEX_IN_USE = 12, INDEX_PAGE_SIZE = 14, INDEX_FRAMES = 16 };

    sqlite3_file *db = NULL, *wal = NULL;
    if (!sqlite3_get_autocommit(c->db) ||
        sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &db) != SQLITE_OK ||
        sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) != SQLITE_OK ||
        db->pMethods == NULL || wal->pMethods == NULL || db->pMethods->iVersion < 2) {
        return false;
    }
    void volatile *index = NULL;
    if (db->pMethods->xShmMap(db, 0, INDEX_SIZE, 0, &index) != SQLITE_OK || index == NULL) {
        return false;
    }
    const volatile char *at = index;
    if (at[INDEX_IN_USE] == 0) {
        return false;
    }
    uint16_t page = *(const volatile uint16_t *)(at + INDEX_PAGE_SIZE);
    uint32_t frames = *(const volatile uint32_t *)(at + INDEX_FRAMES);
    sqlite3_int64 keep = 0;
    if (frames != 0) {
        keep = HEAD + (sqlite3_int64)frames * (FRAME_HEAD + (page == 1 ? 65536 : page));
    }
    sqlite3_int64 size = 0;
    if (wal->pMethods->xFileSize(wal, &size) != SQLITE_OK) {
        return false;
    }
    return (size <= keep || wal->pMethods->xTruncate(wal, keep) == SQLITE_OK) &&
           wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/random.h"
#include "store/engine_sqlite_impl.h"

/* A file without tables counts as of this version. */
#define NO_TABLES (SCHEMA_FIRST - 1)

/* Step i brings a file from version NO_TABLES + i to the next. A step that was ever released never
 * changes.
 * In events, object is NULL when equal to rv. See engine_sqlite_row.c for what is in head and
 * texts.
 */
static const char *const steps[SCHEMA_VERSION - NO_TABLES] = {
    "CREATE TABLE meta(k TEXT PRIMARY KEY, v ANY NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE epochs(epoch INTEGER PRIMARY KEY, random INTEGER NOT NULL,"
    " base_rv INTEGER NOT NULL, prior_head INTEGER NOT NULL, time INTEGER NOT NULL,"
    " reason TEXT NOT NULL) STRICT;"
    "CREATE TABLE ages(run_ms INTEGER PRIMARY KEY, rv INTEGER NOT NULL) STRICT;"
    "CREATE TABLE objects(id INTEGER PRIMARY KEY, rv INTEGER NOT NULL, head BLOB NOT NULL,"
    " texts BLOB NOT NULL) STRICT;"
    "CREATE TABLE events(rv INTEGER PRIMARY KEY, object INTEGER, cause INTEGER NOT NULL,"
    " head BLOB NOT NULL, texts BLOB NOT NULL) STRICT;"
    "CREATE TABLE deadlines(object INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " crc INTEGER NOT NULL) STRICT;"
    "CREATE TABLE owners(object INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL)"
    " STRICT;",
};

/* The head of a SQLite file. See: https://sqlite.org/fileformat.html#the_database_header */
#define HEADER_SIZE           100
#define HEADER_APPLICATION_ID 68

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum errc not_ours(const char *path, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s is not a watchd database: name another file", path);
}

enum errc schema_recognise(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, errno == EACCES ? ERR_DENIED : ERR_UNAVAILABLE, "cannot open %s: %s",
                       path, strerror(errno));
    }
    unsigned char head[HEADER_SIZE];
    ssize_t n = pread(fd, head, sizeof(head), 0);
    int error = errno;
    close(fd);
    if (n < 0) {
        return err_set(err, ERR_UNAVAILABLE, "cannot read %s: %s", path, strerror(error));
    }
    if (n == 0) {
        return OK;
    }
    if (n == HEADER_SIZE && memcmp(head, "SQLite format 3", 16) == 0 &&
        be32(head + HEADER_APPLICATION_ID) == SCHEMA_APPLICATION_ID) {
        return OK;
    }
    /* A file whose making was cut off is rolled back by SQLite from the journal beside it. */
    CLEANUP(freep) char *journal = mem_printf("%s-journal", path);
    struct stat st;
    if (stat(journal, &st) == 0 && st.st_size > 0) {
        return OK;
    }
    return not_ours(path, err);
}

static int exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int query_int(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW) {
            *ret = sqlite3_column_int64(st, 0);
        }
        int end = sqlite3_finalize(st);
        rc = rc == SQLITE_ROW ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_ERROR;
    }
    return rc;
}

/* The first step also gives the file its identity. */
static int give_identity(sqlite3 *db)
{
    char store_id[UUID_LEN + 1];
    random_uuid(store_id);
    int64_t random;
    random_bytes(&random, sizeof(random));
    int64_t now = clock_wall(&clock_system);
    uint8_t secret[ENGINE_SECRET_LEN];
    char hex[2 * ENGINE_SECRET_LEN + 1];
    random_bytes(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) {
        snprintf(hex + 2 * i, 3, "%02x", secret[i]);
    }
    char *sql = sqlite3_mprintf(
        "PRAGMA application_id=%d;"
        "INSERT INTO meta VALUES('store_id',%Q),('created',%lld),('floor',0),('folded',0),"
        "('run_ms',0),('clean',1),('secret',x'%s');"
        "INSERT INTO epochs VALUES(1,%lld,0,0,%lld,'created');",
        SCHEMA_APPLICATION_ID, store_id, (long long)now, hex, (long long)random, (long long)now);
    int rc = sql != NULL ? exec(db, sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return rc;
}

static enum errc step_up(sqlite3 *db, int64_t from, struct err *err)
{
    char version[48];
    snprintf(version, sizeof(version), "PRAGMA user_version=%d", (int)from + 1);
    int rc = exec(db, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK) {
        rc = exec(db, steps[from - NO_TABLES]);
    }
    if (rc == SQLITE_OK && from == NO_TABLES) {
        rc = give_identity(db);
    }
    if (rc == SQLITE_OK) {
        rc = exec(db, version);
    }
    if (rc == SQLITE_OK) {
        rc = exec(db, "COMMIT");
    }
    if (rc != SQLITE_OK) {
        enum errc code = conn_fail(db, rc, "make the tables", err);
        if (!sqlite3_get_autocommit(db)) {
            (void)exec(db, "ROLLBACK");
        }
        return code;
    }
    return OK;
}

enum errc schema_prepare(sqlite3 *db, struct err *err)
{
    const char *path = sqlite3_db_filename(db, "main");
    int64_t application, version, pages;
    int rc = query_int(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK) {
        rc = query_int(db, "PRAGMA user_version", &version);
    }
    if (rc == SQLITE_OK) {
        rc = query_int(db, "PRAGMA page_count", &pages);
    }
    if (rc == SQLITE_NOTADB) {
        return not_ours(path, err);
    }
    if (rc != SQLITE_OK) {
        return conn_fail(db, rc, "read the database", err);
    }
    if (pages == 0) {
        version = NO_TABLES;
        rc = exec(db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE");
    } else if (application != SCHEMA_APPLICATION_ID || version < 1) {
        return not_ours(path, err);
    } else if (version > SCHEMA_VERSION) {
        return err_set(err, ERR_INVALID,
                       "%s has version %" PRId64 " of the format and this program knows %d: "
                       "use a newer watchd",
                       path, version, SCHEMA_VERSION);
    }
    if (pages != 0 && version < SCHEMA_FIRST) {
        return err_set(err, ERR_INVALID,
                       "%s has version %" PRId64 " of the format, from before the first release, "
                       "which this program cannot read: name another file, or use the watchd that "
                       "made it",
                       path, version);
    }
    for (; rc == SQLITE_OK && version < SCHEMA_VERSION; version++) {
        enum errc code = step_up(db, version, err);
        if (code != OK) {
            return code;
        }
    }
    sqlite3_stmt *st = NULL;
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &st, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    const unsigned char *mode = rc == SQLITE_ROW ? sqlite3_column_text(st, 0) : NULL;
    bool wal = mode != NULL && strcmp((const char *)mode, "wal") == 0;
    rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
    int end = sqlite3_finalize(st);
    if (rc != SQLITE_OK || end != SQLITE_OK) {
        return conn_fail(db, rc != SQLITE_OK ? rc : end, "switch to a write-ahead log", err);
    }
    return wal ? OK
               : err_set(err, ERR_UNAVAILABLE,
                         "%s: this file system has no shared memory for a write-ahead log", path);
}

static int read_epochs(sqlite3 *db, struct schema_facts *f)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        db, "SELECT epoch,random,base_rv,prior_head FROM epochs ORDER BY epoch", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            f->identity.epoch = (uint32_t)sqlite3_column_int64(st, 0);
            f->identity.epoch_random = (uint64_t)sqlite3_column_int64(st, 1);
            f->identity.epoch_base = (rv_t)sqlite3_column_int64(st, 2);
            f->identity.prior_head = (rv_t)sqlite3_column_int64(st, 3);
            f->epochs.v = mem_realloc(f->epochs.v, (f->epochs.n + 1) * sizeof(*f->epochs.v));
            f->epochs.v[f->epochs.n++] =
                (struct epoch){f->identity.epoch_base, f->identity.prior_head};
        }
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
        sqlite3_finalize(st);
    }
    return rc;
}

/* One value of n bytes in meta, text or blob. */
static int read_bytes(sqlite3 *db, const char *sql, size_t n, void *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW && (size_t)sqlite3_column_bytes(st, 0) == n) {
            memcpy(ret, sqlite3_column_blob(st, 0), n);
            rc = SQLITE_OK;
        } else if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
            rc = SQLITE_CORRUPT;
        }
        sqlite3_finalize(st);
    }
    return rc;
}

enum errc schema_read(sqlite3 *db, struct schema_facts *ret, struct err *err)
{
    struct schema_facts f = {.clean = false};
    int64_t clean = 0;
    int rc = read_bytes(db, "SELECT v FROM meta WHERE k='store_id'", UUID_LEN, f.identity.store_id);
    if (rc == SQLITE_OK) {
        rc = read_bytes(db, "SELECT v FROM meta WHERE k='secret'", sizeof(f.secret), f.secret);
    }
    if (rc == SQLITE_OK) {
        rc = read_epochs(db, &f);
    }
    if (rc == SQLITE_OK) {
        rc = query_int(db, "SELECT v FROM meta WHERE k='run_ms'", &f.run_ms);
    }
    if (rc == SQLITE_OK) {
        rc = query_int(db, "SELECT v FROM meta WHERE k='clean'", &clean);
    }
    if (rc == SQLITE_OK && f.epochs.n == 0) {
        rc = SQLITE_CORRUPT;
    }
    if (rc != SQLITE_OK) {
        epochs_fini(&f.epochs);
        return conn_fail(db, rc, "read the database's identity", err);
    }
    f.clean = clean != 0;
    *ret = f;
    return OK;
}

void epochs_fini(struct epochs *e)
{
    freep(&e->v);
    e->n = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/engine_lock.h"
#include "store/engine_sqlite_impl.h"

#define TEXTS_MAX ((size_t)1 << 31)
/* A start reads the events that are not folded; so these are bounded, whatever the history is. */
#define FOLD_EVENTS (1000 * 1000)

/* Makes the file before SQLite would, so that its mode is 0600 and the mode of the files beside it
 * follows; and makes its name durable. */
static enum errc file_make(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return OK;
    }
    if (fd < 0) {
        enum errc code = errno == EACCES || errno == EROFS    ? ERR_DENIED
                         : errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL
                                                              : ERR_UNAVAILABLE;
        return err_set(err, code, "cannot make %s: %s", path, strerror(errno));
    }
    close(fd);
    const char *slash = strrchr(path, '/');
    CLEANUP(freep)
    char *folder =
        slash == path ? mem_strdup("/") : str_dup((struct str){path, (size_t)(slash - path)});
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    return synced ? OK
                  : err_set(err, ERR_UNAVAILABLE, "cannot sync the folder %s: %s", folder,
                            strerror(error));
}

/* Everything in the log goes into the file, and the log shrinks to nothing. Readers that are in our
 * way, or a full disk, may only put that off; what is behind the last commit must go at once. */
static enum errc settle_wal(struct conn *c, bool may_put_off, struct err *err)
{
    int rc = conn_checkpoint(c);
    int primary = rc & 0xff;
    bool put_off = may_put_off && (primary == SQLITE_BUSY || primary == SQLITE_FULL);
    if (rc != SQLITE_OK && !put_off) {
        return conn_fail(c->db, rc, "checkpoint", err);
    }
    if (!conn_cut_wal(c)) {
        return err_set(err, ERR_UNAVAILABLE, "storage: cannot cut the write-ahead log");
    }
    return OK;
}

/* The file must still be the one we opened first. */
static enum errc same_file(const struct engine_sqlite *s, const struct engine_identity *found,
                           struct err *err)
{
    const struct engine_identity *id = &s->base.identity;
    if (id->store_id[0] != '\0' &&
        (strcmp(id->store_id, found->store_id) != 0 || id->epoch != found->epoch ||
         id->epoch_random != found->epoch_random)) {
        return err_set(err, ERR_DATA_LOSS, "%s was replaced while it was in use: stop and restart",
                       s->path);
    }
    return OK;
}

static enum errc attach_tables(struct engine_sqlite *s, rv_t told, rv_t *ret_head, struct err *err)
{
    enum errc code = schema_prepare(s->w.db, err);
    struct schema_facts facts = {.clean = false};
    if (code == OK) {
        code = schema_read(s->w.db, &facts, err);
    }
    if (code != OK) {
        return code;
    }
    code = same_file(s, &facts.identity, err);
    if (code == OK && s->epochs.n == 0) {
        s->base.identity = facts.identity;
        memcpy(s->base.secret, facts.secret, sizeof(s->base.secret));
        s->base.run_ms = s->base.kept_ms = facts.run_ms;
        s->unclean = !facts.clean;
        s->epochs = facts.epochs; /* Never changes while we run, so readers need no lock. */
        facts.epochs = (struct epochs){NULL, 0};
    }
    epochs_fini(&facts.epochs);
    rv_t folded = 0;
    if (code == OK) {
        code = conn_prepare(&s->w, CONN_WRITER, err);
    }
    if (code == OK) {
        code = engine_sqlite_state(&s->w, &s->epochs, ret_head, &s->base.floor, &folded, err);
    }
    if (code == OK) {
        code = settle_wal(&s->w, *ret_head <= told, err);
    }
    if (code == OK) {
        engine_sqlite_count_free(s);
        fold_set(s, folded);
    }
    return code;
}

static enum errc read_ages(struct engine_sqlite *s, struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_AGES];
    int rc;
    s->base.n_ages = 0;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && s->base.n_ages < ENGINE_AGES) {
        s->base.ages[s->base.n_ages++] =
            (struct engine_age){sqlite3_column_int64(st, 0), (rv_t)sqlite3_column_int64(st, 1)};
    }
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? OK
                                                 : conn_fail(s->w.db, rc, "read the ages", err);
}

/* The file as it is at its path now, which is what was opened: it is locked by its path. */
static enum errc know_file(struct engine_sqlite *s, struct err *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0) {
        return err_set(err, ERR_UNAVAILABLE, "cannot look at %s: %s", s->path, strerror(errno));
    }
    s->file.dev = st.st_dev;
    s->file.ino = st.st_ino;
    return OK;
}

static enum errc limit_file(struct engine_sqlite *s, struct err *err)
{
    enum { PAGE = 4096 };
    if (s->max_bytes == 0) {
        return OK;
    }
    char sql[64];
    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA max_page_count=%lld",
                     (long long)(s->max_bytes / PAGE + 1));
    int rc = sqlite3_exec(s->w.db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : conn_fail(s->w.db, rc, "limit the file", err);
}

enum errc engine_sqlite_attach(struct engine_sqlite *s, rv_t told, rv_t *ret_head, struct err *err)
{
    enum errc code = conn_open(&s->w, CONN_WRITER, s->path, s->vfs, s->no_sync, err);
    if (code == OK) {
        code = attach_tables(s, told, ret_head, err);
    }
    if (code == OK) {
        code = limit_file(s, err);
    }
    if (code == OK) {
        code = know_file(s, err);
    }
    if (code != OK) {
        conn_close(&s->w);
    }
    return code;
}

static void engine_freep(struct engine_sqlite **sp)
{
    struct engine_sqlite *s = *sp;
    if (s == NULL) {
        return;
    }
    conn_close(&s->w);
    engine_lock_release(s->file_fd);
    engine_lock_release(s->lock_fd);
    fold_abandon(s);
    freep(&s->attempt.asides);
    buf_fini(&s->attempt.keys);
    ids_fini(&s->owned);
    epochs_fini(&s->epochs);
    buf_fini(&s->recalled);
    freep(&s->path);
    freep(&s->wal_path);
    freep(&s->shm_path);
    freep(&s->vfs);
    freep(sp);
}

enum errc engine_sqlite_open(const struct engine_sqlite_options *opt, struct engine **ret,
                             struct err *err)
{
    CLEANUP(engine_freep) struct engine_sqlite *s = mem_zalloc(sizeof(*s));
    s->base.ops = &engine_sqlite_ops;
    s->lock_fd = -1;
    s->file_fd = -1;
    s->no_sync = opt->no_sync;
    s->max_bytes = opt->max_bytes;
    s->fold_events = opt->fold_events != 0 ? opt->fold_events : FOLD_EVENTS;
    s->fold_rows = opt->fold_rows;
    s->vfs = opt->vfs != NULL ? mem_strdup(opt->vfs) : NULL;
    buf_init(&s->recalled, TEXTS_MAX);
    buf_init(&s->attempt.keys, TEXTS_MAX);
    enum errc code = engine_path(opt->path, &s->path, err);
    if (code == OK) {
        s->wal_path = mem_printf("%s-wal", s->path);
        s->shm_path = mem_printf("%s-shm", s->path);
        code = engine_lock_take(s->path, &s->lock_fd, err);
    }
    if (code == OK) {
        code = file_make(s->path, err);
    }
    if (code == OK) {
        code = engine_lock_database(s->path, &s->file_fd, err);
    }
    if (code == OK) {
        code = schema_recognise(s->path, err);
    }
    if (code == OK) {
        /* Nobody was told of anything yet, and a full disk must not keep us from serving. */
        code = engine_sqlite_attach(s, UINT64_MAX, &s->base.head, err);
    }
    if (code == OK) {
        code = read_ages(s, err);
    }
    if (code == OK) {
        code = owned_read(s, err);
    }
    /* From here on a stop that does not pass through engine_sqlite_close is an unclean one. */
    if (code == OK && !s->unclean) {
        code = engine_sqlite_set_meta(s, "clean", 0, err);
    }
    if (code == ERR_OUTCOME_UNKNOWN) {
        code = ERR_UNAVAILABLE; /* It says nothing to who opens a file. */
        if (err != NULL) {
            err->code = code;
        }
    }
    if (code != OK) {
        return code;
    }
    *ret = &TAKE(s)->base;
    return OK;
}

void engine_sqlite_close(struct engine *e)
{
    CLEANUP(engine_freep) struct engine_sqlite *s = e != NULL ? engine_sqlite_of(e) : NULL;
    if (s == NULL || s->suspect) {
        return;
    }
    /* Should one of these fail, the next start finds an unclean stop and a log to read. */
    if (engine_sqlite_set_meta(s, "clean", 1, NULL) == OK) {
        (void)conn_checkpoint(&s->w);
    }
}

const char *engine_sqlite_version(void)
{
    return sqlite3_libversion();
}

bool engine_sqlite_was_unclean(const struct engine *e)
{
    return ((const struct engine_sqlite *)e)->unclean;
}

static int check_step(void *arg)
{
    struct engine_sqlite *s = arg;
    return atomic_load_explicit(&s->check_cancelled, memory_order_relaxed) ? 1 : 0;
}

static enum errc check_run(struct engine_sqlite *s, sqlite3 *db, struct err *err)
{
    enum { EVERY = 10000 /* steps of SQLite's machine: a few hundred µs */ };
    sqlite3_progress_handler(db, EVERY, check_step, s);
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    enum errc code = OK;
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(st, 0);
        if (text == NULL || strcmp((const char *)text, "ok") != 0) {
            code = err_set(err, ERR_DATA_LOSS, "%s is damaged: %s: restore from a backup", s->path,
                           text != NULL ? (const char *)text : "?");
        }
    } else if ((rc & 0xff) == SQLITE_INTERRUPT) {
        code = err_set(err, ERR_CANCELLED, "the check of %s was cancelled", s->path);
    } else {
        code = conn_fail(db, rc, "check the database", err);
    }
    sqlite3_finalize(st);
    return code;
}

enum errc engine_sqlite_quick_check(struct engine *e, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    struct conn c;
    enum errc code = conn_open(&c, CONN_READER, s->path, s->vfs, false, err);
    if (code == OK) {
        code = check_run(s, c.db, err);
        conn_close(&c);
    }
    return code;
}

void engine_sqlite_cancel_check(struct engine *e)
{
    atomic_store_explicit(&engine_sqlite_of(e)->check_cancelled, true, memory_order_relaxed);
}

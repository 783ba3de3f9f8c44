/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine and the file system: whose file it is, who has it open, and how. */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/lib/engine_rig.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    struct rig *f = mem_alloc(sizeof(*f));
    rig_init(f, 3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    freep(state);
    return 0;
}

static char *beside(struct rig *f, const char *name)
{
    return mem_printf("%s/%s", f->folder, name);
}

static enum errc open_path(const char *path, struct err *err)
{
    struct engine *e = NULL;
    const struct engine_sqlite_options opt = {.path = path};
    enum errc code = engine_sqlite_open(&opt, &e, err);
    if (code == OK) {
        e->ops->close(e);
    } else {
        assert_null(e);
    }
    return code;
}

static void write_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t sql_int(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return v;
}

static int64_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static void all_files_are_for_the_owner_only(void **state)
{
    struct rig *f = *state;
    struct err err;
    mode_t mask = umask(0);
    assert_ok(rig_open(f, &err), &err);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    umask(mask);
    static const char *const names[] = {"watchd.db", "watchd.db-wal", "watchd.db-shm",
                                        "watchd.db.lock"};
    for (size_t i = 0; i < COUNT(names); i++) {
        CLEANUP(freep) char *path = beside(f, names[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void the_file_says_what_it_is(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    rig_close(f);
    assert_int_equal(sql_int(f->path, "PRAGMA application_id"), 0x57415443);
    assert_int_equal(sql_int(f->path, "PRAGMA user_version"), 2);
    assert_int_equal(sql_int(f->path, "PRAGMA page_size"), 4096);
    assert_int_equal(sql_int(f->path, "PRAGMA auto_vacuum"), 0);
    assert_int_equal(sql_int(f->path, "SELECT count(*) FROM sqlite_schema WHERE type='index' AND "
                                      "name NOT LIKE 'sqlite_%'"),
                     0);
}

static void a_file_that_is_not_a_database_is_refused_and_left_alone(void **state)
{
    struct rig *f = *state;
    struct err err;
    static const char text[] = "dear diary\n";
    write_file(f->path, text, sizeof(text) - 1);
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "not a watchd database"));
    assert_int_equal(file_size(f->path), sizeof(text) - 1);

    char noise[8192];
    memset(noise, 'x', sizeof(noise));
    write_file(f->path, noise, sizeof(noise));
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_int_equal(file_size(f->path), sizeof(noise));
}

static void another_programs_database_is_refused_and_left_alone(void **state)
{
    struct rig *f = *state;
    struct err err;
    sql(f->path, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "not a watchd database"));
    assert_int_equal(sql_int(f->path, "SELECT count(*) FROM sqlite_schema"), 1);

    /* Even with a hot journal beside it, which makes us ask SQLite. */
    CLEANUP(freep) char *journal = mem_printf("%s-journal", f->path);
    write_file(journal, "x", 1);
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_int_equal(sql_int(f->path, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void a_newer_file_is_refused_by_its_version(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(open_path(f->path, &err), &err);
    sql(f->path, "PRAGMA user_version=42");
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "version 42"));
    assert_non_null(strstr(err.msg, "knows 2"));
    sql(f->path, "PRAGMA user_version=2");
    assert_ok(open_path(f->path, &err), &err);
}

static void an_older_file_is_refused_by_its_version_and_left_as_it_is(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(open_path(f->path, &err), &err);
    sql(f->path, "DROP TABLE events; PRAGMA user_version=1");
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "version 1 of the format"));
    assert_non_null(strstr(err.msg, "name another file"));
    assert_int_equal(sql_int(f->path, "PRAGMA user_version"), 1);
    assert_int_equal(sql_int(f->path, "SELECT count(*) FROM sqlite_schema WHERE name='events'"), 0);
}

static void an_empty_file_is_filled(void **state)
{
    struct rig *f = *state;
    struct err err;
    write_file(f->path, "", 0);
    assert_ok(rig_open(f, &err), &err);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
}

static void folders_links_and_missing_places_are_refused_with_reasons(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(open_path(f->folder, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "folder"));
    CLEANUP(freep) char *slash = beside(f, "");
    assert_int_equal(open_path(slash, &err), ERR_INVALID);
    CLEANUP(freep) char *nowhere = beside(f, "no/such/watchd.db");
    assert_int_equal(open_path(nowhere, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "no/such does not exist"));
    CLEANUP(freep) char *dangling = beside(f, "dangling.db");
    assert_int_equal(symlink(nowhere, dangling), 0);
    assert_int_equal(open_path(dangling, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "symbolic link"));
    assert_int_equal(open_path("", &err), ERR_INVALID);
    assert_int_equal(open_path("/dev/null", &err), ERR_INVALID);

    assert_ok(open_path(f->path, &err), &err);
    CLEANUP(freep) char *hard = beside(f, "hard.db");
    assert_int_equal(link(f->path, hard), 0);
    assert_int_equal(open_path(f->path, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "hard links"));
}

/* Runs fn in a process of its own; gives its exit status. */
static int in_child(int (*fn)(struct rig *f), struct rig *f)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(fn(f));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int open_as_nobody(struct rig *f)
{
    struct err err;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
        return 100;
    }
    enum errc code = open_path(f->path, &err);
    return code == ERR_DENIED && strstr(err.msg, "permission") != NULL ? 0 : 1;
}

static void no_permission_is_denied(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(open_path(f->path, &err), &err);
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->path, 0400), 0);
    assert_int_equal(in_child(open_as_nobody, f), 0);
    /* A folder in which nothing may be made. */
    assert_int_equal(chmod(f->folder, 0555), 0);
    assert_int_equal(unlink(f->path) == 0 || geteuid() != 0, 1);
    assert_int_equal(in_child(open_as_nobody, f), 0);
    assert_int_equal(chmod(f->folder, 0755), 0);
}

static int open_is_refused(struct rig *f)
{
    struct err err;
    CLEANUP(freep) char *pid = mem_printf("process %ld ", (long)getppid());
    const char *path = f->arg != NULL ? f->arg : f->path;
    return open_path(path, &err) == ERR_EXISTS && strstr(err.msg, pid) != NULL &&
                   strstr(err.msg, f->path) != NULL
               ? 0
               : 1;
}

static void a_second_process_is_refused_by_pid_and_path(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    assert_int_equal(in_child(open_is_refused, f), 0);

    CLEANUP(freep) char *alias = beside(f, "alias.db");
    assert_int_equal(symlink("watchd.db", alias), 0);
    f->arg = alias;
    assert_int_equal(in_child(open_is_refused, f), 0);

    char cwd[4096];
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(f->folder), 0);
    static char relative[] = "./watchd.db", bare[] = "watchd.db";
    f->arg = relative;
    assert_int_equal(in_child(open_is_refused, f), 0);
    f->arg = bare;
    assert_int_equal(in_child(open_is_refused, f), 0);
    assert_int_equal(chdir(cwd), 0);

    rig_close(f);
    assert_ok(open_path(alias, &err), &err);
}

static int open_is_refused_anyhow(struct rig *f)
{
    struct err err;
    return open_path(f->arg != NULL ? f->arg : f->path, &err) == ERR_EXISTS &&
                   strstr(err.msg, f->path) != NULL
               ? 0
               : 1;
}

static int open_other_is_refused(struct rig *f)
{
    struct err err;
    CLEANUP(freep) char *other = beside(f, "other.db");
    return open_path(other, &err) == ERR_EXISTS && strstr(err.msg, other) != NULL ? 0 : 1;
}

/* Also where there is no lock file, or one of another name. */
static void a_second_process_is_refused_by_the_database_itself(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    CLEANUP(freep) char *lock = beside(f, "watchd.db.lock");
    CLEANUP(freep) char *alias = beside(f, "alias.db");
    CLEANUP(freep) char *other = beside(f, "other.db");
    assert_int_equal(symlink("watchd.db", alias), 0);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(in_child(open_is_refused_anyhow, f), 0);
    assert_int_equal(unlink(lock), 0);
    f->arg = alias;
    assert_int_equal(in_child(open_is_refused_anyhow, f), 0);
    f->arg = NULL;

    /* The only name there is left is another one. */
    assert_int_equal(link(f->path, other), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(in_child(open_other_is_refused, f), 0);
    assert_int_equal(rename(other, f->path), 0);
    assert_ok(rig_write(f, 0, CAUSE_UPDATED, "", &err), &err);
    rig_close(f);
    assert_ok(open_path(f->path, &err), &err);
}

static void a_second_engine_in_one_process_is_refused(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    assert_int_equal(open_path(f->path, &err), ERR_EXISTS);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
}

static int write_and_die(struct rig *f)
{
    struct err err;
    if (rig_open(f, &err) != OK || rig_write(f, 0, CAUSE_CREATED, "", &err) != OK) {
        return 1;
    }
    _exit(0);
}

static void a_dead_process_leaves_no_lock_but_an_unclean_file(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(in_child(write_and_die, f), 0);
    assert_ok(rig_open(f, &err), &err);
    assert_int_equal(f->e->head, 1);
    assert_true(engine_sqlite_was_unclean(f->e));
    rig_close(f);
    assert_ok(rig_open(f, &err), &err);
    assert_false(engine_sqlite_was_unclean(f->e));
}

static void a_clean_stop_leaves_no_log(void **state)
{
    struct rig *f = *state;
    struct err err;
    CLEANUP(freep) char *wal = beside(f, "watchd.db-wal");
    assert_ok(rig_open(f, &err), &err);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    assert_true(file_size(wal) > 0);
    rig_close(f);
    assert_true(file_size(wal) <= 0);
}

static void the_log_stays_small_under_load(void **state)
{
    struct rig *f = *state;
    struct err err;
    struct engine_usage usage;
    assert_ok(rig_open(f, &err), &err);
    for (size_t i = 0; i < 500; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
    f->e->ops->usage(f->e, &usage);
    assert_true(usage.wal_bytes < 2 * 1024 * 1024);
}

/* The descriptors of this process on the database itself that may write, one of which only holds
 * the lock on it. */
static size_t writing_descriptors(const char *path, size_t *ret_all)
{
    size_t writing = 0;
    *ret_all = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        char link[300], target[4096];
        snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        if (n > 0 && (target[n] = '\0', strcmp(target, path) == 0)) {
            int flags = fcntl((int)strtol(entry->d_name, NULL, 10), F_GETFL);
            writing += (flags & O_ACCMODE) != O_RDONLY ? 1 : 0;
            *ret_all += 1;
        }
    }
    closedir(d);
    return writing;
}

static void one_connection_writes_and_all_others_cannot(void **state)
{
    struct rig *f = *state;
    struct err err;
    struct engine_reader *r[3];
    rv_t head;
    size_t all;
    assert_ok(rig_open(f, &err), &err);
    CLEANUP(freep) char *real = realpath(f->path, NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(f->e->ops->reader_open(f->e, &r[i], &err), &err);
        assert_ok(f->e->ops->view_begin(r[i], &head, &err), &err);
    }
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    assert_int_equal(writing_descriptors(real, &all), 2);
    assert_int_equal(all, 5);
    for (size_t i = 0; i < 3; i++) {
        f->e->ops->view_end(r[i]);
        f->e->ops->reader_close(r[i]);
    }
    /* Recovery opens anew, and does not add. */
    assert_ok(f->e->ops->recover(f->e, &err), &err);
    assert_int_equal(writing_descriptors(real, &all), 2);
}

static bool ignore(void *arg, const struct event *ev)
{
    (void)arg;
    (void)ev;
    return true;
}

/* Neither reading nor closing a reader moves anything from the log into the file. */
static void readers_never_checkpoint(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    for (size_t i = 0; i < 20; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
    CLEANUP(freep) char *wal = beside(f, "watchd.db-wal");
    struct stat before, after;
    assert_int_equal(stat(f->path, &before), 0);
    int64_t wal_size = file_size(wal);
    for (size_t i = 0; i < 20; i++) {
        struct engine_reader *r = NULL;
        rv_t head;
        assert_ok(f->e->ops->reader_open(f->e, &r, &err), &err);
        assert_ok(f->e->ops->view_begin(r, &head, &err), &err);
        assert_ok(f->e->ops->history(r, 0, head, ignore, NULL, &err), &err);
        f->e->ops->view_end(r);
        f->e->ops->reader_close(r);
    }
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(file_size(wal), wal_size);
}

static void a_file_put_in_place_of_ours_is_seen_by_recover(void **state)
{
    struct rig *f = *state;
    struct err err;
    CLEANUP(freep) char *other = beside(f, "other.db");
    assert_ok(open_path(other, &err), &err);
    assert_ok(rig_open(f, &err), &err);
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    assert_int_equal(rename(other, f->path), 0);
    CLEANUP(freep) char *wal = beside(f, "watchd.db-wal");
    assert_int_equal(unlink(wal), 0);
    assert_int_equal(f->e->ops->recover(f->e, &err), ERR_UNAVAILABLE);
    assert_int_equal(rig_write(f, 1, CAUSE_CREATED, "", &err), ERR_UNAVAILABLE);
}

static void quick_check_passes_a_sound_file_while_writes_go_on(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    for (size_t i = 0; i < 50; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
    assert_ok(engine_sqlite_quick_check(f->e, &err), &err);
    rig_make_batch(f);
    assert_ok(rig_commit(f, &err), &err);
}

static void quick_check_finds_a_damaged_page(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    for (size_t i = 0; i < 100; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
    rig_close(f);
    int64_t root = sql_int(f->path, "SELECT rootpage FROM sqlite_schema WHERE name='events'");
    int fd = open(f->path, O_RDWR);
    assert_true(fd >= 0);
    char noise[600];
    memset(noise, 0x55, sizeof(noise));
    assert_int_equal(pwrite(fd, noise, sizeof(noise), (root - 1) * 4096 + 8), sizeof(noise));
    close(fd);
    const struct engine_sqlite_options opt = {.path = f->path};
    enum errc code = engine_sqlite_open(&opt, &f->e, &err);
    if (code == OK) {
        code = engine_sqlite_quick_check(f->e, &err);
    }
    assert_int_equal(code, ERR_DATA_LOSS);
}

static void a_cancelled_check_ends(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_open(f, &err), &err);
    f->pad = 20;
    for (size_t i = 0; i < 300; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
    engine_sqlite_cancel_check(f->e);
    assert_int_equal(engine_sqlite_quick_check(f->e, &err), ERR_CANCELLED);
    /* The engine itself goes on. */
    rig_make_batch(f);
    assert_ok(rig_commit(f, &err), &err);
}

/* --- threads ----------------------------------------------------------------------------- */

struct reading {
    struct engine *e;
    _Atomic bool stop;
    char why[400];
    size_t views;
};

struct walk {
    rv_t next;
    bool ok;
};

static bool walk_on(void *arg, const struct event *ev)
{
    struct walk *w = arg;
    w->ok = w->ok && ev->rv == w->next;
    w->next++;
    return w->ok;
}

static void *read_all_the_time(void *arg)
{
    struct reading *t = arg;
    struct engine_reader *r = NULL;
    struct err err;
    rv_t seen = 0;
    if (t->e->ops->reader_open(t->e, &r, &err) != OK) {
        snprintf(t->why, sizeof(t->why), "%s", err.msg);
        return NULL;
    }
    while (!atomic_load(&t->stop) && t->why[0] == '\0') {
        rv_t head = 0;
        struct walk w = {seen + 1, true};
        if (t->e->ops->view_begin(r, &head, &err) != OK ||
            t->e->ops->history(r, seen, head, walk_on, &w, &err) != OK) {
            snprintf(t->why, sizeof(t->why), "%s", err.msg);
        } else if (!w.ok || w.next != head + 1) {
            snprintf(t->why, sizeof(t->why), "walked to %lu of %lu", (unsigned long)w.next,
                     (unsigned long)head);
        }
        t->e->ops->view_end(r);
        seen = head;
        t->views++;
    }
    t->e->ops->reader_close(r);
    return NULL;
}

static void readers_on_threads_see_every_version_while_the_writer_works(void **state)
{
    enum { READERS = 3 };
    struct rig *f = *state;
    struct err err;
    struct reading readings[READERS];
    pthread_t threads[READERS];
    assert_ok(rig_open(f, &err), &err);
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.e = f->e};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &readings[i]), 0);
    }
    for (size_t i = 0; i < 400; i++) {
        struct engine_usage usage;
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
        f->e->ops->usage(f->e, &usage);
        if (i % 100 == 50) {
            assert_ok(f->e->ops->recover(f->e, &err), &err);
        }
    }
    for (size_t i = 0; i < READERS; i++) {
        atomic_store(&readings[i].stop, true);
        pthread_join(threads[i], NULL);
        assert_string_equal(readings[i].why, "");
        assert_true(readings[i].views > 0);
    }
    assert_false(f->disorder);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(all_files_are_for_the_owner_only),
        T(the_file_says_what_it_is),
        T(a_file_that_is_not_a_database_is_refused_and_left_alone),
        T(another_programs_database_is_refused_and_left_alone),
        T(a_newer_file_is_refused_by_its_version),
        T(an_older_file_is_refused_by_its_version_and_left_as_it_is),
        T(an_empty_file_is_filled),
        T(folders_links_and_missing_places_are_refused_with_reasons),
        T(no_permission_is_denied),
        T(a_second_process_is_refused_by_pid_and_path),
        T(a_second_process_is_refused_by_the_database_itself),
        T(a_second_engine_in_one_process_is_refused),
        T(a_dead_process_leaves_no_lock_but_an_unclean_file),
        T(a_clean_stop_leaves_no_log),
        T(the_log_stays_small_under_load),
        T(one_connection_writes_and_all_others_cannot),
        T(readers_never_checkpoint),
        T(a_file_put_in_place_of_ours_is_seen_by_recover),
        T(quick_check_passes_a_sound_file_while_writes_go_on),
        T(quick_check_finds_a_damaged_page),
        T(a_cancelled_check_ends),
        T(readers_on_threads_see_every_version_while_the_writer_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

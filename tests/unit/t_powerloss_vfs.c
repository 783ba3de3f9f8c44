/* SPDX-License-Identifier: Apache-2.0 */
/* The VFS of our power losses: what is not synced is seen by every connection of the process and is
 * not in the file; a loss leaves some of it; a fault comes when it is planned. */
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/lib/powerloss_vfs.h"
#include "tests/unit/check.h"

struct fixture {
    char *folder, *path, *copy;
    sqlite3 *a, *b; /* two connections, of a database that is never synced of itself */
};

static const struct powerloss_plan no_plan = {.seed = 1};

static sqlite3 *connect(const char *path, const char *vfs)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                     SQLITE_OK);
    return db;
}

static int run(sqlite3 *db, const char *sql)
{
    sqlite3_extended_result_codes(db, 1);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* The one number, or -1 on any error. */
static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        v = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return v;
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    f->folder = mem_printf("%s/watch-vfs-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    if (mkdtemp(f->folder) == NULL) {
        return -1;
    }
    f->path = mem_printf("%s/a.db", f->folder);
    f->copy = mem_printf("%s/copy.db", f->folder);
    powerloss_plan(&no_plan);
    f->a = connect(f->path, POWERLOSS_NAME);
    f->b = connect(f->path, POWERLOSS_NAME);
    assert_int_equal(run(f->a, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                               "CREATE TABLE t(x); INSERT INTO t VALUES(1)"),
                     SQLITE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    powerloss_plan(&no_plan);
    sqlite3_close(f->b);
    sqlite3_close(f->a);
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s%s", f->path, names[i]);
        CLEANUP(freep) char *copy = mem_printf("%s%s", f->copy, names[i]);
        (void)unlink(path);
        (void)unlink(copy);
    }
    (void)rmdir(f->folder);
    freep(&f->folder);
    freep(&f->path);
    freep(&f->copy);
    freep(state);
    return 0;
}

/* What a loss of this seed would leave, as the sum of t; -1: no database. */
static int64_t sum_after_loss(struct fixture *f, uint64_t seed)
{
    assert_true(powerloss_copy(f->path, f->copy, seed));
    sqlite3 *db = connect(f->copy, NULL);
    int64_t sum = number(db, "SELECT sum(x) FROM t");
    sqlite3_close(db);
    return sum;
}

static void what_is_not_synced_is_seen_inside_and_lost_outside(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sum_after_loss(f, 0), 1);
    assert_int_equal(run(f->a, "PRAGMA synchronous=OFF; INSERT INTO t VALUES(10)"), SQLITE_OK);
    assert_int_equal(number(f->b, "SELECT sum(x) FROM t"), 11);
    assert_int_equal(sum_after_loss(f, 0), 1);
    assert_int_equal(run(f->a, "PRAGMA synchronous=FULL; INSERT INTO t VALUES(100)"), SQLITE_OK);
    assert_int_equal(sum_after_loss(f, 0), 111);
}

/* Each of two unsynced transactions may be found or not, but not the second without the first: the
 * log's checksums see to that. All three outcomes come up. */
static void losses_differ_by_their_seed(void **state)
{
    struct fixture *f = *state;
    size_t none = 0, first = 0, both = 0;
    assert_int_equal(run(f->a, "PRAGMA synchronous=OFF; INSERT INTO t VALUES(10);"
                               "INSERT INTO t VALUES(100)"),
                     SQLITE_OK);
    for (uint64_t seed = 1; seed < 200; seed++) {
        int64_t sum = sum_after_loss(f, seed);
        none += sum == 1 ? 1 : 0;
        first += sum == 11 ? 1 : 0;
        both += sum == 111 ? 1 : 0;
        assert_true(sum == 1 || sum == 11 || sum == 111);
    }
    assert_true(none > 10 && first > 0 && both > 10);
    assert_int_equal(sum_after_loss(f, 7), sum_after_loss(f, 7));
}

static void a_fault_comes_when_it_is_planned_and_goes(void **state)
{
    struct fixture *f = *state;
    const struct powerloss_plan plan = {.fault = PL_FSYNC, .fault_at = 2, .fault_count = 2};
    powerloss_plan(&plan);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(10)"), SQLITE_OK);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(20)"), SQLITE_IOERR_FSYNC);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(30)"), SQLITE_IOERR_FSYNC);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(40)"), SQLITE_OK);
    assert_int_equal(powerloss_faults_injected(), 2);
    assert_int_equal(number(f->b, "SELECT sum(x) FROM t"), 51);
}

static void a_fault_lasts_while_its_file_is_there(void **state)
{
    struct fixture *f = *state;
    const struct powerloss_plan plan = {
        .fault = PL_FULL, .fault_at = 1, .fault_count = 0, .fault_while = f->copy};
    powerloss_plan(&plan);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(10)"), SQLITE_OK);
    FILE *mark = fopen(f->copy, "we");
    assert_non_null(mark);
    fclose(mark);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(20)"), SQLITE_FULL);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(30)"), SQLITE_FULL);
    assert_int_equal(unlink(f->copy), 0);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(40)"), SQLITE_OK);
    assert_int_equal(number(f->b, "SELECT sum(x) FROM t"), 51);
}

static void a_sync_that_lies_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    const struct powerloss_plan plan = {.lie = true};
    powerloss_plan(&plan);
    assert_int_equal(run(f->a, "INSERT INTO t VALUES(10)"), SQLITE_OK);
    assert_int_equal(number(f->b, "SELECT sum(x) FROM t"), 11);
    assert_int_equal(sum_after_loss(f, 0), 1);
}

static int group_setup(void **state)
{
    (void)state;
    return powerloss_register(false);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_not_synced_is_seen_inside_and_lost_outside),
        T(losses_differ_by_their_seed),
        T(a_fault_comes_when_it_is_planned_and_goes),
        T(a_fault_lasts_while_its_file_is_there),
        T(a_sync_that_lies_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}

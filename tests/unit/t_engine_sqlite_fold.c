/* SPDX-License-Identifier: Apache-2.0 */
/* Folding in the SQLite engine: whatever has been folded, in however many slices, a start finds the
 * same objects, each once. */
#include <sqlite3.h>

#include "tests/lib/engine_rig.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    struct rig *f = mem_alloc(sizeof(*f));
    struct err err;
    rig_init(f, 4);
    f->fold_events = 1000000; /* on demand only */
    assert_int_equal(rig_open(f, &err), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    freep(state);
    return 0;
}

static bool fold(struct rig *f, rv_t upto, size_t rows)
{
    bool done = false;
    struct err err;
    assert_ok(f->e->ops->fold(f->e, upto, rows, &done, &err), &err);
    return done;
}

static void gone(void *arg, rv_t rv, const struct key *key, size_t bytes)
{
    (void)key;
    (void)bytes;
    *(rv_t *)arg = rv;
}

/* As the next start finds it, and by the check of everything. */
static void assert_sound(struct rig *f)
{
    struct err err;
    struct rig_item was[RIG_KEYS];
    for (size_t i = 0; i < RIG_KEYS; i++) {
        was[i] = f->items[i];
        was[i].body = f->items[i].body != NULL ? mem_strdup(f->items[i].body) : NULL;
    }
    rig_close(f);
    struct rig_verdict v;
    rig_verify(f->path, NULL, 0, 0, &v);
    assert_string_equal(v.why, "");
    assert_ok(rig_open(f, &err), &err);
    assert_false(f->disorder);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        assert_int_equal(f->items[i].rv, was[i].rv);
        assert_int_equal(f->items[i].row, was[i].row);
        assert_int_equal(f->items[i].body == NULL, was[i].body == NULL);
        if (was[i].body != NULL) {
            assert_string_equal(f->items[i].body, was[i].body);
        }
        freep(&was[i].body);
    }
}

static void commit_batches(struct rig *f, size_t n)
{
    struct err err;
    for (size_t i = 0; i < n; i++) {
        rig_make_batch(f);
        assert_ok(rig_commit(f, &err), &err);
    }
}

static void a_start_needs_nothing_folded_and_nothing_unfolded(void **state)
{
    struct rig *f = *state;
    commit_batches(f, 20);
    assert_int_equal(f->e->folded, 0);
    assert_sound(f);
    assert_int_equal(f->e->folded, 0);
    while (!fold(f, f->e->head, 5)) {
    }
    assert_int_equal(f->e->folded, f->e->head);
    assert_sound(f);
    assert_int_equal(f->e->folded, f->e->head);
    commit_batches(f, 5);
    assert_sound(f);
}

/* A stop after each number of slices, and another pass after the start, while writes go on. */
static void a_pass_may_end_anywhere(void **state)
{
    struct rig *f = *state;
    for (size_t slices = 1; slices < 14; slices++) {
        commit_batches(f, 3);
        for (size_t i = 0; i < slices; i++) {
            (void)fold(f, f->e->head, 2);
        }
        commit_batches(f, 1);
        assert_sound(f);
    }
}

/* The key's older object is in its row, deleted above `folded`, and made anew there. */
static void an_object_made_anew_is_one_object(void **state)
{
    struct rig *f = *state;
    struct err err;
    for (size_t slices = 0; slices < 12; slices++) {
        enum cause cause = f->items[0].rv != 0 ? CAUSE_UPDATED : CAUSE_CREATED;
        assert_ok(rig_write(f, 0, cause, "", &err), &err);
        while (!fold(f, f->e->head, 5)) {
        }
        row_t row = f->items[0].row;
        assert_ok(rig_write(f, 0, CAUSE_UPDATED, "", &err), &err);
        assert_ok(rig_write(f, 0, CAUSE_DELETED, "", &err), &err);
        assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
        assert_ok(rig_write(f, 0, CAUSE_UPDATED, "", &err), &err);
        assert_int_not_equal(f->items[0].row, row);
        for (size_t i = 0; i < slices; i++) {
            (void)fold(f, f->e->head, 1);
        }
        assert_sound(f);
        assert_ok(rig_write(f, 0, CAUSE_DELETED, "", &err), &err);
        assert_sound(f);
    }
}

static void compaction_goes_as_far_as_is_folded(void **state)
{
    struct rig *f = *state;
    struct err err;
    rv_t last = 0, floor = 0;
    commit_batches(f, 10);
    assert_ok(f->e->ops->compact(f->e, f->e->head, 1000, gone, &last, &floor, &err), &err);
    assert_int_equal(floor, 0);
    rv_t upto = f->e->head;
    (void)fold(f, upto, 1); /* begins: events from here on are a later pass's */
    commit_batches(f, 10);
    while (!fold(f, upto, 2)) {
    }
    assert_int_equal(f->e->folded, upto);
    assert_ok(f->e->ops->compact(f->e, f->e->head, 100000, gone, &last, &floor, &err), &err);
    assert_int_equal(floor, upto);
    assert_int_equal(last, upto);
    assert_sound(f);
}

/* To take it for a deletion would lose the object, and nobody would be told. */
static void an_event_that_became_a_deletion_by_damage_deletes_nothing(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_ok(rig_write(f, 0, CAUSE_CREATED, "", &err), &err);
    while (!fold(f, f->e->head, 5)) {
    }
    assert_ok(rig_write(f, 0, CAUSE_UPDATED, "", &err), &err);
    assert_ok(rig_write(f, 1, CAUSE_CREATED, "", &err), &err);
    rig_close(f);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE events SET cause=3 WHERE rv=2", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct engine *e = NULL;
    const struct engine_sqlite_options opt = {.path = f->path};
    assert_ok(engine_sqlite_open(&opt, &e, &err), &err);
    bool done = false;
    enum errc rc = OK;
    for (size_t i = 0; i < 10 && rc == OK && !done; i++) {
        rc = e->ops->fold(e, e->head, 5, &done, &err);
    }
    rv_t folded = e->folded;
    e->ops->close(e);
    assert_int_equal(rc, ERR_DATA_LOSS);
    assert_int_equal(folded, 1);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM objects WHERE id=1", -1, &st, 0),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 1);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void nothing_is_folded_before_it_is_asked_for(void **state)
{
    struct rig *f = *state;
    struct err err;
    commit_batches(f, 10);
    assert_int_equal(f->e->folded, 0);
    assert_false(fold(f, f->e->head, 0)); /* along with the commits */
    rv_t asked = f->e->head;
    for (size_t i = 0; i < 40 && f->e->folded < asked; i++) {
        commit_batches(f, 1);
    }
    assert_int_equal(f->e->folded, asked);
    rig_close(f);
    f->fold_rows = 0;
    f->fold_events = 30; /* or when there are so many */
    assert_ok(rig_open(f, &err), &err);
    commit_batches(f, 40);
    assert_true(f->e->head - f->e->folded < 30 + 20 * RIG_BATCH);
    assert_sound(f);
}

/* ---- Pace ------------------------------------------------------------------------------------ */

#define KEEPS 1600

/* One more object; and how many have a row afterwards. */
static void create(struct rig *f)
{
    char name[32];
    struct err err;
    snprintf(name, sizeof(name), "o%llu", (unsigned long long)f->e->head);
    struct change c = {
        .event = {.key = {STR("objects"), STR("default"), str_of(name)},
                  .cause = CAUSE_CREATED,
                  .generation = 1,
                  .body = STR("{\"spec\":{}}")}
    };
    const struct commit commit = {.changes = &c, .n = 1};
    assert_ok(f->e->ops->commit(f->e, &commit, &err), &err);
}

static bool count_row(void *arg, const struct engine_object *o)
{
    (void)o;
    ++*(size_t *)arg;
    return true;
}

static size_t rows(struct rig *f, struct engine_reader *r)
{
    struct err err;
    rv_t head = 0;
    size_t n = 0;
    assert_ok(f->e->ops->view_begin(r, &head, &err), &err);
    assert_ok(f->e->ops->objects(r, count_row, &n, &err), &err);
    f->e->ops->view_end(r);
    return n;
}

/* Of as many objects as there are events, which is the most that there can be to do. */
static void a_pass_goes_along_with_commits_evenly_and_is_over_in_time(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_close(f);
    f->fold_rows = 0;
    f->no_sync = true;
    assert_ok(rig_open(f, &err), &err);
    f->e->sink.committed = NULL;
    f->e->keeps = KEEPS;
    struct engine_reader *r = NULL;
    assert_ok(f->e->ops->reader_open(f->e, &r, &err), &err);
    size_t most = 0, before = 0;
    for (rv_t unfolded = 0; f->e->head < 4 * KEEPS; unfolded = f->e->head - f->e->folded) {
        assert_true(unfolded <= KEEPS / 8 * 9);
        create(f);
        size_t n = rows(f, r);
        most = n - before > most ? n - before : most;
        before = n;
        if (f->e->head <= KEEPS / 4 * 3) {
            assert_int_equal(n, 0);
        } else if (f->e->head == KEEPS / 16 * 15) { /* half of the time of the pass */
            assert_in_range(n, KEEPS / 4, KEEPS / 2);
        } else if (f->e->head == KEEPS / 8 * 9 + 1) {
            assert_true(f->e->folded >= KEEPS / 4 * 3);
        }
    }
    assert_true(f->e->folded > 2 * KEEPS);
    assert_in_range(most, 1, 100);
    f->e->ops->reader_close(r);
}

/* A start in the middle of a pass begins it anew. */
static void a_pass_that_was_cut_off_is_over_in_time(void **state)
{
    struct rig *f = *state;
    struct err err;
    f->fold_rows = 0;
    f->no_sync = true;
    for (rv_t stop = KEEPS / 4 * 3; stop <= KEEPS / 8 * 9; stop += KEEPS / 16) {
        rv_t from = f->e->folded;
        f->e->sink.committed = NULL;
        f->e->keeps = KEEPS;
        while (f->e->head - from < stop && f->e->folded == from) {
            create(f);
        }
        rig_close(f);
        assert_ok(rig_open(f, &err), &err);
        f->e->sink.committed = NULL;
        f->e->keeps = KEEPS;
        while (f->e->folded == from) {
            create(f);
            assert_true(f->e->head - from <= KEEPS / 8 * 10 + 1);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_start_needs_nothing_folded_and_nothing_unfolded),
        T(a_pass_may_end_anywhere),
        T(an_object_made_anew_is_one_object),
        T(compaction_goes_as_far_as_is_folded),
        T(an_event_that_became_a_deletion_by_damage_deletes_nothing),
        T(nothing_is_folded_before_it_is_asked_for),
        T(a_pass_goes_along_with_commits_evenly_and_is_over_in_time),
        T(a_pass_that_was_cut_off_is_over_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a commit of the SQLite engine holds beside single changes: transactions, asides, the clock.
 */
#include <sqlite3.h>

#include "tests/lib/engine_rig.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    struct rig *f = mem_alloc(sizeof(*f));
    struct err err;
    rig_init(f, 1);
    if (rig_open(f, &err) != OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    freep(state);
    return 0;
}

static void reopen(struct rig *f)
{
    struct err err;
    rig_close(f);
    assert_int_equal(rig_open(f, &err), OK);
}

/* ---- Transactions ---------------------------------------------------------------------------- */

static bool take_txn_end(void *arg, const struct event *ev)
{
    rv_t *ends = arg;
    ends[ev->rv] = ev->txn_end;
    return true;
}

static bool take_txn_end_of_key(void *arg, const struct engine_past *p)
{
    return take_txn_end(arg, &p->event);
}

static void every_event_knows_the_end_of_its_transaction(void **state)
{
    static const rv_t want[] = {0, 1, 4, 4, 4, 5, 7, 7};
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    for (size_t i = 0; i < 7; i++) {
        rig_add(f, i, CAUSE_CREATED, "");
    }
    f->changes[1].txn_more = 2;
    f->changes[2].txn_more = 1;
    f->changes[5].txn_more = 1;
    assert_int_equal(rig_commit(f, &err), OK);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(f->changes[i].event.txn_end, want[i + 1]);
    }
    reopen(f);
    struct engine_reader *r = NULL;
    struct event ev;
    rv_t head;
    rv_t ends[8] = {0}, of_keys[8] = {0};
    assert_int_equal(f->e->ops->reader_open(f->e, &r, &err), OK);
    assert_int_equal(f->e->ops->view_begin(r, &head, &err), OK);
    assert_int_equal(f->e->ops->history(r, 0, head, take_txn_end, ends, &err), OK);
    assert_int_equal(f->e->ops->history_keys(r, 0, head, take_txn_end_of_key, of_keys, &err), OK);
    assert_memory_equal(ends, want, sizeof(want));
    assert_memory_equal(of_keys, want, sizeof(want));
    for (rv_t rv = 1; rv <= 7; rv++) {
        assert_int_equal(f->e->ops->read_event(r, rv, &ev, &err), OK);
        assert_int_equal(ev.txn_end, want[rv]);
        assert_int_equal(f->e->ops->recall(f->e, rv, &ev, &err), OK);
        assert_int_equal(ev.txn_end, want[rv]);
    }
    f->e->ops->reader_close(r);
}

/* ---- Asides ---------------------------------------------------------------------------------- */

static struct aside *aside(struct rig *f, size_t item)
{
    struct aside *a = &f->asides[f->n_asides++];
    *a = (struct aside){.key = rig_key(item), .row = f->items[item].row};
    return a;
}

static void set_deadline(struct rig *f, size_t item, int64_t ms)
{
    struct aside *a = aside(f, item);
    a->sets_deadline = true;
    a->deadline_ms = ms;
}

static void set_owners(struct rig *f, size_t item, const char *text)
{
    struct aside *a = aside(f, item);
    a->sets_owners = true;
    a->owners = str_of(text);
}

struct deadline_of {
    int64_t at;
    size_t n; /* objects with a deadline */
};

/* As a start finds it. */
static struct deadline_of deadline(struct rig *f, size_t item)
{
    struct engine_reader *r = NULL;
    struct err err;
    rv_t head;
    struct rig *seen = mem_zalloc(sizeof(*seen));
    seen->e = f->e;
    assert_int_equal(f->e->ops->reader_open(f->e, &r, &err), OK);
    assert_int_equal(f->e->ops->view_begin(r, &head, &err), OK);
    assert_int_equal(rig_load_items(seen, r, &err), OK);
    f->e->ops->reader_close(r);
    struct deadline_of d = {.at = seen->items[item].deadline_ms};
    for (size_t i = 0; i < RIG_KEYS; i++) {
        d.n += seen->items[i].deadline_ms != 0;
    }
    freep(&seen);
    return d;
}

static void assert_owners(struct rig *f, row_t row, const char *want)
{
    struct engine_reader *r = NULL;
    struct err err;
    rv_t head;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(f->e->ops->owners(f->e, row, &out, &err), OK);
    assert_str(buf_str(&out), want);
    buf_clear(&out);
    assert_int_equal(f->e->ops->reader_open(f->e, &r, &err), OK);
    assert_int_equal(f->e->ops->view_begin(r, &head, &err), OK);
    assert_int_equal(f->e->ops->read_owners(r, row, &out, &err), OK);
    assert_str(buf_str(&out), want);
    f->e->ops->reader_close(r);
}

static void a_deadline_is_set_moved_and_removed_without_a_version(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    rig_add(f, 1, CAUSE_CREATED, "");
    set_deadline(f, 1, 5000);
    f->asides[0].change = 1;
    assert_int_equal(rig_commit(f, &err), OK);
    assert_int_equal(f->asides[0].row, f->changes[1].row);
    assert_int_equal(f->tells, 1);
    static const int64_t moves[] = {7000, 6999, 0, 8000};
    for (size_t i = 0; i < 4; i++) {
        rig_begin(f);
        set_deadline(f, 1, moves[i]);
        assert_int_equal(rig_commit(f, &err), OK);
        assert_int_equal(f->tells, 2 + i);
        reopen(f);
        struct deadline_of d = deadline(f, 1);
        assert_int_equal(d.at, moves[i]);
        assert_int_equal(d.n, moves[i] != 0);
    }
    assert_int_equal(f->e->head, 2);
}

static void owners_are_kept_replaced_and_removed(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 3, CAUSE_CREATED, "");
    set_owners(f, 3, "{\"me\":1}");
    assert_int_equal(rig_commit(f, &err), OK);
    row_t row = f->items[3].row;
    assert_owners(f, row, "{\"me\":1}");
    rig_begin(f);
    rig_add(f, 3, CAUSE_UPDATED, "");
    set_owners(f, 3, "{\"you\":2}");
    set_deadline(f, 3, 1);
    assert_int_equal(rig_commit(f, &err), OK);
    reopen(f);
    assert_owners(f, row, "{\"you\":2}");
    rig_begin(f);
    set_owners(f, 3, "");
    assert_int_equal(rig_commit(f, &err), OK);
    assert_owners(f, row, "");
    assert_int_equal(deadline(f, 3).at, 1);
}

static void asides_go_with_their_object(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    rig_add(f, 1, CAUSE_CREATED, "");
    set_deadline(f, 0, 100);
    set_owners(f, 0, "a");
    set_deadline(f, 1, 200);
    f->asides[2].change = 1;
    assert_int_equal(rig_commit(f, &err), OK);
    row_t row = f->items[0].row;
    /* Deleted, made anew with a deadline, and the old one beaten for: all at once. */
    rig_begin(f);
    rig_add(f, 0, CAUSE_DELETED, "");
    rig_add(f, 0, CAUSE_CREATED, "");
    set_deadline(f, 0, 300);
    set_deadline(f, 0, 400);
    f->asides[1].row = 0;
    f->asides[1].change = 1;
    assert_int_equal(rig_commit(f, &err), OK);
    assert_int_not_equal(f->items[0].row, row);
    assert_owners(f, row, "");
    reopen(f);
    assert_int_equal(deadline(f, 0).at, 400);
    assert_int_equal(deadline(f, 1).at, 200);
    assert_int_equal(deadline(f, 0).n, 2);
    assert_int_equal(rig_write(f, 0, CAUSE_EXPIRED, "", &err), OK);
    assert_int_equal(rig_write(f, 1, CAUSE_DELETED, "", &err), OK);
    rig_close(f);
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (SELECT count(*) FROM deadlines)"
                                        "+(SELECT count(*) FROM owners)",
                                        -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void damaged_asides_are_data_loss(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    set_deadline(f, 0, 100);
    set_owners(f, 0, "owners");
    assert_int_equal(rig_commit(f, &err), OK);
    row_t row = f->items[0].row;
    rig_close(f);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE owners SET body=CAST('ownerz' AS BLOB)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rig_open(f, &err), OK);
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(f->e->ops->owners(f->e, row, &out, &err), ERR_DATA_LOSS);
    assert_int_equal(out.n, 0);
    rig_close(f);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE deadlines SET at=at+1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(rig_open(f, &err), ERR_DATA_LOSS);
}

static void told_asides(void *arg, const struct commit *c)
{
    size_t *n = arg;
    assert_int_equal(c->n_asides, 2);
    for (size_t i = 0; i < c->n_asides; i++) {
        struct key k = rig_key(i);
        assert_true(key_eq(&c->asides[i].key, &k));
        assert_int_equal(c->asides[i].row, c->changes[i].row);
        assert_int_equal(c->asides[i].deadline_ms, 100 + (int64_t)i);
    }
    ++*n;
}

/* As in recover_tells_what_is_there_and_was_not_told. */
static void recover_tells_deadlines_too(void **state)
{
    struct rig *f = *state;
    struct err err;
    size_t tells = 0;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    rig_add(f, 1, CAUSE_CREATED, "");
    set_deadline(f, 0, 100);
    set_owners(f, 0, "nobody needs them again");
    set_deadline(f, 1, 101);
    f->asides[2].change = 1;
    f->e->sink.committed = NULL;
    assert_int_equal(rig_commit(f, &err), OK);
    memset(f->asides, 0, sizeof(f->asides)); /* borrowed only until commit returned */
    f->e->sink = (struct engine_sink){told_asides, &tells};
    f->e->head = 0;
    assert_int_equal(f->e->ops->recover(f->e, &err), OK);
    assert_int_equal(tells, 1);
}

/* ---- The clock ------------------------------------------------------------------------------- */

/* What an expiry was judged by is kept to the millisecond, and so is what is kept for its own sake;
 * along with other commits it is kept now and then; and the clock never falls back while it runs.
 */
static void commits_keep_the_clock_along(void **state)
{
    struct rig *f = *state;
    struct err err;
    enum { NOTHING, A_WRITE, AN_EXPIRY };
    static const struct {
        int64_t now, kept;
        int what;
    } steps[] = {
        {99,   0,    A_WRITE  },
        {100,  100,  A_WRITE  },
        {199,  100,  A_WRITE  },
        {101,  101,  NOTHING  },
        {100,  101,  NOTHING  },
        {2500, 2500, NOTHING  },
        {2501, 2501, AN_EXPIRY},
        {2400, 2501, AN_EXPIRY},
        {2400, 2501, NOTHING  },
        {0,    2501, AN_EXPIRY},
        {9000, 9000, A_WRITE  },
    };
    for (size_t i = 0; i < COUNT(steps); i++) {
        int what = steps[i].what;
        f->run_ms = 0;
        if (what != NOTHING) {
            assert_int_equal(rig_write(f, 0, CAUSE_CREATED, "", &err), OK);
        }
        f->run_ms = steps[i].now;
        rig_begin(f);
        if (what != NOTHING) {
            rig_add(f, 0, what == AN_EXPIRY ? CAUSE_EXPIRED : CAUSE_DELETED, "");
        }
        size_t tells = f->tells;
        assert_int_equal(rig_commit(f, &err), OK);
        assert_int_equal(f->tells, tells + (what != NOTHING ? 1 : 0));
        assert_int_equal(f->e->kept_ms, steps[i].kept);
        /* As after a kill: without a word at the close. */
        reopen(f);
        assert_int_equal(f->e->run_ms, steps[i].kept);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_event_knows_the_end_of_its_transaction),
        T(a_deadline_is_set_moved_and_removed_without_a_version),
        T(owners_are_kept_replaced_and_removed),
        T(asides_go_with_their_object),
        T(damaged_asides_are_data_loss),
        T(recover_tells_deadlines_too),
        T(commits_keep_the_clock_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

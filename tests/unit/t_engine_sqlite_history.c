/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine's readers: views, history, damage, compaction. */
#include <inttypes.h>

#include <sqlite3.h>

#include "tests/lib/engine_rig.h"
#include "tests/unit/check.h"

struct fixture {
    struct rig rig;
    struct engine_reader *r;
};

static void reader_open(struct fixture *f)
{
    struct err err;
    assert_ok(f->rig.e->ops->reader_open(f->rig.e, &f->r, &err), &err);
}

static void close_all(struct fixture *f)
{
    if (f->rig.e != NULL) {
        f->rig.e->ops->reader_close(f->r);
        f->r = NULL;
    }
    rig_close(&f->rig);
}

static void open_all(struct fixture *f)
{
    struct err err;
    assert_ok(rig_open(&f->rig, &err), &err);
    reader_open(f);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    rig_init(&f->rig, 2);
    open_all(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    rig_fini(&f->rig);
    freep(state);
    return 0;
}

static void commit_batches(struct fixture *f, size_t n)
{
    struct err err;
    for (size_t i = 0; i < n; i++) {
        rig_make_batch(&f->rig);
        assert_ok(rig_commit(&f->rig, &err), &err);
    }
}

static void fold_all(struct fixture *f)
{
    struct err err;
    for (bool folded = false; !folded;) {
        assert_ok(f->rig.e->ops->fold(f->rig.e, f->rig.e->head, 100, &folded, &err), &err);
    }
    assert_int_equal(f->rig.e->folded, f->rig.e->head);
}

/* Changes the closed file behind the engine's back. Everything is folded before, as what is not is
 * needed at a start already. */
static void tamper(struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    if (f->rig.e != NULL) {
        fold_all(f);
    }
    close_all(f);
    assert_int_equal(sqlite3_open(f->rig.path, &db), SQLITE_OK);
    char *msg = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK) {
        fail_msg("%s: %s", sql, msg);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static rv_t view_begin(struct fixture *f)
{
    struct err err;
    rv_t head = 0;
    assert_ok(f->rig.e->ops->view_begin(f->r, &head, &err), &err);
    return head;
}

static void view_end(struct fixture *f)
{
    f->rig.e->ops->view_end(f->r);
}

struct seen {
    rv_t first, last;
    size_t n, stop_at;
    size_t bytes;
};

static bool see(void *arg, const struct event *ev)
{
    struct seen *s = arg;
    s->first = s->n == 0 ? ev->rv : s->first;
    s->last = ev->rv;
    return ++s->n != s->stop_at;
}

static bool see_key(void *arg, const struct engine_past *p)
{
    struct seen *s = arg;
    s->bytes += p->bytes;
    assert_int_equal(p->event.body.n, 0);
    assert_int_equal(p->event.delta.n, 0);
    assert_int_equal(p->event.request_id.n, REQUEST_ID_LEN);
    assert_true(p->event.time > 0);
    assert_true(p->row > 0 && (rv_t)p->row <= p->event.rv);
    return see(arg, &p->event);
}

static enum errc history(struct fixture *f, rv_t after, rv_t upto, struct seen *s, struct err *err)
{
    *s = (struct seen){.n = 0};
    return f->rig.e->ops->history(f->r, after, upto, see, s, err);
}

static enum errc history_keys(struct fixture *f, rv_t after, rv_t upto, struct seen *s,
                              struct err *err)
{
    *s = (struct seen){.n = 0};
    return f->rig.e->ops->history_keys(f->r, after, upto, see_key, s, err);
}

static void an_empty_file_has_an_empty_history(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    assert_int_equal(view_begin(f), 0);
    assert_ok(history(f, 0, 0, &s, &err), &err);
    assert_ok(history(f, 0, UINT64_MAX, &s, &err), &err);
    assert_int_equal(s.n, 0);
    view_end(f);
}

static void history_gives_every_range(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s, k;
    commit_batches(f, 4);
    rv_t head = view_begin(f);
    assert_int_equal(head, f->rig.told);
    for (rv_t after = 0; after <= head + 1; after++) {
        for (rv_t upto = 0; upto <= head + 2; upto++) {
            rv_t last = upto < head ? upto : head;
            size_t n = last > after ? (size_t)(last - after) : 0;
            assert_ok(history(f, after, upto, &s, &err), &err);
            assert_ok(history_keys(f, after, upto, &k, &err), &err);
            assert_int_equal(s.n, n);
            assert_int_equal(k.n, n);
            if (n != 0) {
                assert_int_equal(s.first, after + 1);
                assert_int_equal(s.last, last);
                assert_int_equal(k.first, after + 1);
                assert_int_equal(k.last, last);
            }
        }
    }
    assert_ok(history(f, 0, UINT64_MAX, &s, &err), &err);
    assert_int_equal(s.n, head);
    assert_ok(history(f, UINT64_MAX, UINT64_MAX, &s, &err), &err);
    assert_int_equal(s.n, 0);
    view_end(f);
}

static void history_stops_when_told_to(void **state)
{
    struct fixture *f = *state;
    struct err err;
    commit_batches(f, 4);
    rv_t head = view_begin(f);
    assert_true(head > 3);
    struct seen s = {.stop_at = 3};
    assert_ok(f->rig.e->ops->history(f->r, 0, head, see, &s, &err), &err);
    assert_int_equal(s.n, 3);
    s = (struct seen){.stop_at = 2};
    assert_ok(f->rig.e->ops->history_keys(f->r, 0, head, see_key, &s, &err), &err);
    assert_int_equal(s.n, 2);
    view_end(f);
}

static void a_view_shows_one_version_while_writes_go_on(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    assert_ok(rig_write(&f->rig, 0, CAUSE_CREATED, "", &err), &err);
    row_t row = f->rig.items[0].row;
    assert_int_equal(view_begin(f), 1);
    assert_ok(rig_write(&f->rig, 0, CAUSE_UPDATED, "", &err), &err);
    assert_ok(rig_write(&f->rig, 0, CAUSE_DELETED, "", &err), &err);
    assert_ok(history(f, 0, 10, &s, &err), &err);
    assert_int_equal(s.last, 1);
    CLEANUP(object_unrefp) struct object *o = NULL;
    assert_ok(f->rig.e->ops->read_object(f->r, row, 1, &o, &err), &err);
    assert_int_equal(o->rv, 1);
    view_end(f);

    assert_int_equal(view_begin(f), 3);
    struct object *gone = NULL;
    assert_int_equal(f->rig.e->ops->read_object(f->r, row, 3, &gone, &err), ERR_NOT_FOUND);
    view_end(f);
}

static void an_event_is_found_by_its_version(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct event ev;
    commit_batches(f, 3);
    rv_t head = view_begin(f);
    for (rv_t rv = 1; rv <= head; rv++) {
        assert_ok(f->rig.e->ops->read_event(f->r, rv, &ev, &err), &err);
        assert_int_equal(ev.rv, rv);
        assert_true(str_starts(ev.body, STR("{\"key\":")));
    }
    assert_int_equal(f->rig.e->ops->read_event(f->r, head + 1, &ev, &err), ERR_NOT_FOUND);
    assert_int_equal(f->rig.e->ops->read_event(f->r, UINT64_MAX, &ev, &err), ERR_NOT_FOUND);
    assert_int_equal(f->rig.e->ops->read_event(f->r, 0, &ev, &err), ERR_NOT_FOUND);
    view_end(f);
}

static void a_gap_is_data_loss_and_named(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    for (size_t i = 0; i < 12; i++) {
        assert_ok(rig_write(&f->rig, i, CAUSE_CREATED, "", &err), &err);
    }
    tamper(f, "DELETE FROM events WHERE rv IN (5,6)");
    open_all(f);
    view_begin(f);
    for (rv_t after = 0; after < 12; after++) {
        for (rv_t upto = after + 1; upto <= 12; upto++) {
            bool hit = after < 6 && upto >= 5;
            enum errc want = hit ? ERR_DATA_LOSS : OK;
            assert_int_equal(history(f, after, upto, &s, &err), want);
            assert_true(!hit || strstr(err.msg, after >= 5 ? "6" : "5") != NULL);
            assert_true(!hit || s.n == (after < 4 ? 4 - after : 0));
            assert_int_equal(history_keys(f, after, upto, &s, &err), want);
        }
    }
    view_end(f);
}

/* The oldest gone, without the floor that says so. */
static void a_missing_beginning_is_data_loss(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    commit_batches(f, 3);
    tamper(f, "DELETE FROM events WHERE rv<=2");
    open_all(f);
    view_begin(f);
    assert_int_equal(history(f, 0, 100, &s, &err), ERR_DATA_LOSS);
    assert_int_equal(s.n, 0);
    assert_ok(history(f, 2, 100, &s, &err), &err);
    view_end(f);
}

/* Every column of an event is under a checksum; all but what the texts hold also in history_keys.
 */
static void damage_to_any_column_of_an_event_is_data_loss(void **state)
{
    static const struct {
        const char *sql;
        bool big;
    } cases[] = {
        {"object=object+1",                                                  false},
        {"object=NULL",                                                      false},
        {"cause=4",                                                          false},
        {"head=x''",                                                         false},
        {"head=zeroblob(length(head))",                                      false},
        {"head=substr(head,1,length(head)-1)",                               false},
        {"head=CAST(head||x'00' AS BLOB)",                                   false},
        {"head=substr(head,1,7)",                                            false},
        {"texts=x''",                                                        false},
        {"texts=substr(texts,1,length(texts)-1)",                            false},
        {"texts=CAST(texts||x'00' AS BLOB)",                                 false},
        {"texts=zeroblob(length(texts))",                                    true },
        {"texts=CAST(substr(texts,2)||substr(texts,1,1) AS BLOB)",           true },
        {"texts=CAST(replace(CAST(texts AS TEXT),'batch','botch') AS BLOB)", true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture *f = *state;
        struct err err;
        struct seen s;
        struct event ev;
        f->rig.pad = 40;
        enum cause cause = i == 0 ? CAUSE_CREATED : CAUSE_UPDATED;
        assert_ok(rig_write(&f->rig, 0, cause, "app=b", &err), &err);
        assert_ok(rig_write(&f->rig, 0, CAUSE_UPDATED, "app=a", &err), &err);
        rv_t bad = f->rig.told;
        assert_ok(rig_write(&f->rig, 0, CAUSE_UPDATED, "app=a", &err), &err);
        CLEANUP(freep)
        char *sql = mem_printf("UPDATE events SET %s WHERE rv=%" PRIu64, cases[i].sql, bad);
        print_message("%s\n", sql);
        tamper(f, sql);
        open_all(f);
        view_begin(f);
        CLEANUP(freep) char *named = mem_printf("version %" PRIu64 " ", bad);
        assert_int_equal(history(f, bad - 1, bad, &s, &err), ERR_DATA_LOSS);
        assert_non_null(strstr(err.msg, named));
        assert_int_equal(f->rig.e->ops->read_event(f->r, bad, &ev, &err), ERR_DATA_LOSS);
        assert_int_equal(f->rig.e->ops->recall(f->rig.e, bad, &ev, &err), ERR_DATA_LOSS);
        assert_int_equal(history_keys(f, bad - 1, bad, &s, &err),
                         cases[i].big ? OK : ERR_DATA_LOSS);
        /* The neighbours are as readable as ever. */
        assert_ok(f->rig.e->ops->read_event(f->r, bad - 1, &ev, &err), &err);
        assert_ok(history(f, bad, bad + 1, &s, &err), &err);
        view_end(f);
    }
}

static bool count_object(void *arg, const struct engine_object *o)
{
    (void)o;
    *(size_t *)arg += 1;
    return true;
}

static void damage_to_any_column_of_an_object_is_data_loss(void **state)
{
    static const struct {
        const char *sql, *undo;
        bool big;
    } cases[] = {
        {"id=99",                                                            "id=1",                                  false},
        {"rv=rv+1",                                                          "rv=rv-1",                               false},
        {"head=CAST(head||x'00' AS BLOB)",                                   "head=substr(head,1,length(head)-1)",    false},
        {"texts=CAST(texts||x'00' AS BLOB)",                                 "texts=substr(texts,1,length(texts)-1)", false},
        {"texts=CAST(replace(CAST(texts AS TEXT),'batch','botch') AS BLOB)", "rv=rv",                                 true },
    };
    struct fixture *f = *state;
    struct err err;
    assert_ok(rig_write(&f->rig, 0, CAUSE_CREATED, "app=b", &err), &err);
    bool folded = false;
    assert_ok(f->rig.e->ops->fold(f->rig.e, 1, 10, &folded, &err), &err);
    assert_true(folded);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(freep) char *sql = mem_printf("UPDATE objects SET %s", cases[i].sql);
        print_message("%s\n", sql);
        tamper(f, sql);
        struct engine_sqlite_options opt = {.path = f->rig.path};
        assert_ok(engine_sqlite_open(&opt, &f->rig.e, &err), &err);
        reader_open(f);
        view_begin(f);
        size_t n = 0;
        row_t row = i == 0 ? 99 : 1;
        struct object *o = NULL;
        assert_int_equal(f->rig.e->ops->read_object(f->r, row, 1, &o, &err), ERR_DATA_LOSS);
        assert_int_equal(f->rig.e->ops->load(f->rig.e, row, 1, &o, &err), ERR_DATA_LOSS);
        assert_int_equal(f->rig.e->ops->objects(f->r, count_object, &n, &err),
                         cases[i].big ? OK : ERR_DATA_LOSS);
        assert_int_equal(n, cases[i].big ? 1 : 0);
        view_end(f);
        CLEANUP(freep) char *undo = mem_printf("UPDATE objects SET %s", cases[i].undo);
        tamper(f, undo);
    }
}

/* --- compaction -------------------------------------------------------------------------- */

struct gone {
    rv_t first, last;
    size_t n, bytes, nameless;
};

static void gone(void *arg, rv_t rv, const struct key *key, size_t bytes)
{
    struct gone *g = arg;
    assert_true(g->n == 0 || rv == g->last + 1);
    g->first = g->n == 0 ? rv : g->first;
    g->last = rv;
    g->n++;
    g->bytes += bytes;
    if (key->name.n == 0) {
        g->nameless++; /* its row is damaged */
        return;
    }
    const struct key want = rig_key((size_t)(key->name.p[0] - 'a'));
    assert_true(key_eq(key, &want));
}

/* Only the body of an object's last event, which is not folded yet. */
static void a_damaged_event_does_not_stop_other_objects(void **state)
{
    struct fixture *f = *state;
    struct err err;
    f->rig.fold_events = 4;
    assert_ok(rig_write(&f->rig, 0, CAUSE_CREATED, "app=b", &err), &err);
    rv_t bad = f->rig.told;
    close_all(f);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->rig.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE events SET texts=CAST(replace(CAST(texts AS TEXT),"
                                  "'batch','botch') AS BLOB)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct engine_sqlite_options opt = {.path = f->rig.path, .fold_events = 4};
    struct seen s = {.n = 0};
    assert_ok(engine_sqlite_open(&opt, &f->rig.e, &err), &err);
    f->rig.told = f->rig.e->head;
    reader_open(f);
    view_begin(f);
    assert_ok(history_keys(f, 0, bad, &s, &err), &err);
    assert_int_equal(s.n, 1);
    view_end(f);
    for (size_t i = 1; i < RIG_KEYS; i++) {
        assert_ok(rig_write(&f->rig, i, CAUSE_CREATED, "", &err), &err);
    }
    struct object *o = NULL;
    assert_int_equal(f->rig.e->ops->load(f->rig.e, 1, bad, &o, &err), ERR_DATA_LOSS);
    bool done = false;
    assert_int_equal(f->rig.e->ops->fold(f->rig.e, f->rig.e->head, 100, &done, &err),
                     ERR_DATA_LOSS);
    struct gone g = {0};
    rv_t floor = 0;
    assert_ok(f->rig.e->ops->compact(f->rig.e, 100, 100, gone, &g, &floor, &err), &err);
    assert_int_equal(floor, 0); /* it may be all that is left of the object */
}

static rv_t compact(struct fixture *f, rv_t upto, size_t max_rows, struct gone *g)
{
    struct err err;
    rv_t floor = 0;
    *g = (struct gone){.n = 0};
    assert_ok(rig_compact(&f->rig, upto, max_rows, gone, g, &floor, &err), &err);
    assert_int_equal(floor, f->rig.e->floor);
    return floor;
}

static void compaction_goes_in_slices_and_keeps_the_newest(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    struct gone g;
    assert_int_equal(compact(f, 100, 10, &g), 0);
    assert_int_equal(g.n, 0);
    commit_batches(f, 20);
    rv_t head = view_begin(f);
    assert_ok(history_keys(f, 0, 7, &s, &err), &err);
    view_end(f);

    assert_int_equal(compact(f, 100000, 7, &g), 7);
    assert_int_equal(g.n, 7);
    assert_int_equal(g.first, 1);
    assert_int_equal(g.bytes, s.bytes);
    assert_int_equal(compact(f, 9, 100, &g), 9);
    assert_int_equal(g.first, 8);
    assert_int_equal(g.n, 2);
    assert_int_equal(compact(f, 9, 100, &g), 9);
    assert_int_equal(g.n, 0);
    assert_int_equal(compact(f, 100000, 100000, &g), head - 1);
    assert_int_equal(compact(f, 100000, 100000, &g), head - 1);
    assert_int_equal(g.n, 0);

    assert_int_equal(view_begin(f), head);
    assert_ok(history(f, head - 1, head, &s, &err), &err);
    assert_int_equal(s.first, head);
    view_end(f);
    close_all(f);
    open_all(f);
    assert_int_equal(f->rig.e->head, head);
    assert_int_equal(f->rig.e->floor, head - 1);
    commit_batches(f, 1);
    assert_int_equal(f->rig.changes[0].event.rv, head + 1);
}

static void compaction_never_cuts_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct gone g;
    rig_begin(&f->rig);
    for (size_t i = 0; i < 8; i++) {
        rig_add(&f->rig, i, CAUSE_CREATED, "");
    }
    f->rig.changes[1].txn_more = 2; /* 1 | 2 3 4 | 5 | 6 7 | 8 */
    f->rig.changes[2].txn_more = 1;
    f->rig.changes[5].txn_more = 1;
    assert_ok(rig_commit(&f->rig, &err), &err);
    assert_int_equal(compact(f, 100, 3, &g), 1);
    assert_int_equal(compact(f, 3, 3, &g), 1);
    assert_int_equal(compact(f, 100, 2, &g), 4); /* the first goes, however long it is */
    assert_int_equal(g.n, 3);
    assert_int_equal(compact(f, 100, 2, &g), 5);
    assert_int_equal(compact(f, 6, 100, &g), 5);
    assert_int_equal(compact(f, 100, 100, &g), 7);
    assert_int_equal(g.n, 2);
}

static void below_the_floor_is_expired_and_the_floor_itself_is_not(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    struct gone g;
    commit_batches(f, 10);
    assert_int_equal(compact(f, 5, 100, &g), 5);
    rv_t head = view_begin(f);
    for (rv_t after = 0; after < 5; after++) {
        assert_int_equal(history(f, after, head, &s, &err), ERR_EXPIRED);
        assert_int_equal(err.requested, after);
        assert_int_equal(err.oldest, 5);
        assert_int_equal(err.head, head);
        assert_int_equal(history_keys(f, after, head, &s, &err), ERR_EXPIRED);
        assert_int_equal(s.n, 0);
    }
    assert_ok(history(f, 5, head, &s, &err), &err);
    assert_int_equal(s.first, 6);
    view_end(f);
}

static void a_view_keeps_what_compaction_takes_away(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    struct gone g;
    commit_batches(f, 10);
    rv_t head = view_begin(f);
    compact(f, head, 1000, &g);
    assert_ok(history(f, 0, head, &s, &err), &err);
    assert_int_equal(s.n, head);
    view_end(f);
    view_begin(f);
    assert_int_equal(history(f, 0, head, &s, &err), ERR_EXPIRED);
    view_end(f);
}

/* A damaged event must not be there for ever. */
static void compaction_takes_damaged_events_too(void **state)
{
    struct fixture *f = *state;
    struct gone g;
    commit_batches(f, 10);
    tamper(f, "UPDATE events SET head=zeroblob(length(head)) WHERE rv=3");
    open_all(f);
    assert_int_equal(compact(f, 5, 100, &g), 5);
    assert_int_equal(g.n, 5);
    assert_int_equal(g.nameless, 1);
}

static void compaction_gives_pages_back_for_new_events(void **state)
{
    struct fixture *f = *state;
    struct engine_usage before, usage;
    struct gone g;
    f->rig.pad = 3000;
    commit_batches(f, 150);
    fold_all(f);
    close_all(f);
    open_all(f);
    f->rig.e->ops->usage(f->rig.e, &before);
    compact(f, f->rig.told, 100000, &g);
    f->rig.e->ops->usage(f->rig.e, &usage);
    assert_true(usage.free_bytes > (int64_t)g.bytes / 2);
    assert_true(usage.free_bytes < before.file_bytes);
    commit_batches(f, 50);
    close_all(f);
    open_all(f);
    f->rig.e->ops->usage(f->rig.e, &usage);
    assert_true(usage.file_bytes - usage.wal_bytes <= before.file_bytes);
}

/* What a restore does: a new epoch whose versions begin above its base. */
static void history_crosses_from_one_epoch_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct seen s;
    for (size_t i = 0; i < 5; i++) {
        assert_ok(rig_write(&f->rig, i, CAUSE_CREATED, "", &err), &err);
    }
    tamper(f, "INSERT INTO epochs VALUES(2,4711,1000,5,0,'restored')");
    open_all(f);
    assert_int_equal(f->rig.e->identity.epoch, 2);
    assert_int_equal(f->rig.e->identity.epoch_random, 4711);
    assert_int_equal(f->rig.e->identity.epoch_base, 1000);
    assert_int_equal(f->rig.e->identity.prior_head, 5);
    assert_int_equal(f->rig.e->head, 1000);
    assert_int_equal(f->rig.e->floor, 0);
    assert_int_equal(view_begin(f), 1000);
    assert_ok(history(f, 0, 1000, &s, &err), &err);
    assert_int_equal(s.last, 5);
    view_end(f);

    assert_ok(rig_write(&f->rig, 0, CAUSE_UPDATED, "", &err), &err);
    assert_int_equal(f->rig.told, 1001);
    assert_ok(rig_write(&f->rig, 0, CAUSE_UPDATED, "", &err), &err);
    view_begin(f);
    assert_ok(history(f, 0, 2000, &s, &err), &err);
    assert_int_equal(s.n, 7);
    assert_int_equal(s.last, 1002);
    assert_ok(history(f, 5, 2000, &s, &err), &err);
    assert_int_equal(s.first, 1001);
    assert_ok(history(f, 1000, 2000, &s, &err), &err);
    assert_int_equal(s.n, 2);
    view_end(f);

    tamper(f, "DELETE FROM events WHERE rv=1001");
    open_all(f);
    view_begin(f);
    assert_int_equal(history(f, 0, 2000, &s, &err), ERR_DATA_LOSS);
    assert_int_equal(s.n, 5);
    view_end(f);
}

static void compaction_crosses_from_one_epoch_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct err err;
    struct gone g;
    for (size_t i = 0; i < 5; i++) {
        assert_ok(rig_write(&f->rig, i, CAUSE_CREATED, "", &err), &err);
    }
    tamper(f, "INSERT INTO epochs VALUES(2,4711,1000,5,0,'restored')");
    open_all(f);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(rig_write(&f->rig, i, CAUSE_UPDATED, "", &err), &err);
    }
    assert_int_equal(compact(f, 2000, 3, &g), 3);
    assert_int_equal(compact(f, 2000, 3, &g), 5);
    assert_int_equal(compact(f, 1000, 3, &g), 5);
    assert_int_equal(compact(f, 2000, 3, &g), 1001);
    assert_int_equal(compact(f, 2000, 3, &g), 1002);
}

static void objects_and_events_give_each_object_once(void **state)
{
    struct fixture *f = *state;
    struct err err;
    commit_batches(f, 30);
    size_t want = 0, n = 0;
    for (size_t i = 0; i < RIG_KEYS; i++) {
        want += f->rig.items[i].rv != 0 ? 1 : 0;
    }
    view_begin(f);
    assert_ok(rig_load_items(&f->rig, f->r, &err), &err);
    view_end(f);
    assert_false(f->rig.disorder);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        n += f->rig.items[i].rv != 0 ? 1 : 0;
    }
    assert_int_equal(n, want);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_empty_file_has_an_empty_history),
        T(history_gives_every_range),
        T(history_stops_when_told_to),
        T(a_view_shows_one_version_while_writes_go_on),
        T(an_event_is_found_by_its_version),
        T(a_gap_is_data_loss_and_named),
        T(a_missing_beginning_is_data_loss),
        T(damage_to_any_column_of_an_event_is_data_loss),
        T(damage_to_any_column_of_an_object_is_data_loss),
        T(a_damaged_event_does_not_stop_other_objects),
        T(compaction_goes_in_slices_and_keeps_the_newest),
        T(compaction_never_cuts_a_transaction),
        T(below_the_floor_is_expired_and_the_floor_itself_is_not),
        T(a_view_keeps_what_compaction_takes_away),
        T(compaction_takes_damaged_events_too),
        T(compaction_gives_pages_back_for_new_events),
        T(history_crosses_from_one_epoch_to_the_next),
        T(compaction_crosses_from_one_epoch_to_the_next),
        T(objects_and_events_give_each_object_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

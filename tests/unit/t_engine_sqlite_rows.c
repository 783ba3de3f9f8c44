/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the SQLite engine: whatever is committed comes back the same, on every way there is to
 * read it; and a bit that flipped anywhere in a row is noticed. */
#include <inttypes.h>

#include <sqlite3.h>

#include "store/model/delta.h"
#include "store/model/draft.h"
#include "tests/lib/engine_rig.h"
#include "tests/unit/json_random.h"

struct fixture {
    struct rig rig; /* its engine and folder only */
    struct engine_reader *r;
    struct dice dice;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    struct err err;
    rig_init(&f->rig, 3);
    f->dice = (struct dice){21};
    assert_ok(rig_open(&f->rig, &err), &err);
    f->rig.e->sink.committed = NULL;
    assert_ok(f->rig.e->ops->reader_open(f->rig.e, &f->r, &err), &err);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->rig.e->ops->reader_close(f->r);
    rig_fini(&f->rig);
    freep(state);
    return 0;
}

/* ---- Random events --------------------------------------------------------------------------- */

/* An event whose texts are its own. */
struct own {
    struct event ev;
    char *strs[9];
};

static void own_fini(struct own *o)
{
    for (size_t i = 0; i < COUNT(o->strs); i++) {
        freep(&o->strs[i]);
    }
}

static struct str keep(struct own *o, size_t at, struct str s)
{
    o->strs[at] = str_dup(s);
    return (struct str){o->strs[at], s.n};
}

static struct str random_text(struct dice *d, char out[64])
{
    size_t n = dice_below(d, 4) == 0 ? 0 : 1 + dice_below(d, 63);
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)('a' + dice_below(d, 26));
    }
    return (struct str){out, n};
}

static json_t *random_doc(struct dice *d)
{
    json_t *doc = json_object(), *metadata = json_object();
    json_object_set_new(doc, "metadata", metadata);
    if (dice_below(d, 3) != 0) {
        json_t *labels = json_object();
        json_object_set_new(metadata, "labels", labels);
        json_object_set_new(labels, dice_below(d, 2) != 0 ? "app" : "zone", json_string("a-1"));
        json_object_set_new(labels, "tier", json_string(dice_below(d, 2) != 0 ? "b" : ""));
    }
    if (dice_below(d, 4) == 0) {
        json_object_set_new(doc, "kind", json_string("Deployment"));
        json_object_set_new(doc, "apiVersion", json_string("apps/v1"));
    }
    json_object_set_new(doc, "spec", random_json(d, 3));
    return doc;
}

/* Mostly a real body, sometimes one that is none. */
static void random_object(struct dice *d, const struct key *key, struct own *o)
{
    CLEANUP(json_decrefp) json_t *doc = random_doc(d);
    CLEANUP(draft_freep) struct draft *draft = NULL;
    CLEANUP(object_unrefp) struct object *made = NULL;
    struct err err = {0};
    char uid[UUID_LEN + 1], text[64];
    random_uuid(uid);
    assert_ok(draft_new(key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &draft,
                        NULL, &err),
              &err);
    draft_finish(draft, NULL, uid, (wall_ms_t)dice_below(d, (size_t)4000000000000), &made);
    struct str body = made->body;
    o->ev.splice = made->splice;
    o->ev.labels = keep(o, 3, made->labels);
    if (dice_below(d, 5) == 0) {
        body = random_text(d, text);
        o->ev.splice = (uint32_t)dice_below(d, body.n + 1);
    }
    o->ev.body = keep(o, 4, body);
    o->ev.hash = dice_next(d) >> dice_below(d, 64);
    o->ev.spec_hash = dice_next(d) >> dice_below(d, 64);
    o->ev.generation = dice_next(d) >> dice_below(d, 64);
}

static void random_event(struct dice *d, rv_t rv, bool updates, struct own *o)
{
    static const char *const resources[] = {"objects", "jobs", "flags"};
    char text[64];
    *o = (struct own){.ev = {.rv = rv}};
    o->ev.key.resource = keep(o, 0, str_of(resources[dice_below(d, COUNT(resources))]));
    o->ev.key.ns = keep(o, 1, STR("default"));
    if (dice_below(d, 2) != 0) {
        o->ev.key.ns.p = strcpy(o->strs[1], "prod");
        o->ev.key.ns.n = 4;
    }
    CLEANUP(freep) char *name = mem_printf("n%" PRIu64 ".%zu", rv, dice_below(d, 1000));
    o->ev.key.name = keep(o, 2, str_of(name));
    random_object(d, &o->ev.key, o);
    bool same = dice_below(d, 2) != 0;
    o->ev.prev_labels = keep(o, 5, same ? o->ev.labels : random_text(d, text));
    o->ev.manager = keep(o, 6, dice_below(d, 2) != 0 ? STR("watchctl") : STR_EMPTY);
    uint64_t id[2] = {dice_next(d), dice_next(d)};
    if (dice_below(d, 3) != 0) {
        o->strs[7] = mem_dup(id, sizeof(id));
        o->ev.request_id = (struct str){o->strs[7], sizeof(id)};
    }
    o->ev.cause = CAUSE_CREATED;
    if (updates) {
        CLEANUP(buf_fini) struct buf delta;
        buf_init(&delta, SIZE_MAX);
        delta_make(o->ev.body, random_text(d, text), &delta);
        o->strs[8] = mem_dup(delta.p, delta.n);
        o->ev.delta = (struct str){o->strs[8], delta.n};
        o->ev.cause = dice_below(d, 8) == 0 ? CAUSE_DELETED : CAUSE_UPDATED;
        o->ev.prev_rv = 1 + dice_below(d, rv - 1);
        o->ev.prev_generation = dice_next(d) >> dice_below(d, 64);
        o->ev.prev_splice = dice_below(d, 2) != 0 ? o->ev.splice : (uint32_t)dice_next(d);
    }
}

/* Commits it; rv, txn_end and time are filled in. */
static row_t commit_one(struct fixture *f, struct own *o)
{
    struct err err;
    struct change c = {.event = o->ev, .row = o->ev.cause == CAUSE_CREATED ? 0 : 77};
    const struct commit one = {.changes = &c, .n = 1};
    assert_ok(f->rig.e->ops->commit(f->rig.e, &one, &err), &err);
    assert_int_equal(c.event.rv, o->ev.rv);
    o->ev = c.event;
    return c.row;
}

static void assert_same_str(struct str a, struct str b)
{
    assert_int_equal(a.n, b.n);
    assert_true(str_eq(a, b));
}

static void assert_same_identity(const struct event *a, const struct event *b)
{
    assert_int_equal(a->rv, b->rv);
    assert_int_equal(a->txn_end, b->txn_end);
    assert_int_equal(a->prev_rv, b->prev_rv);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->prev_generation, b->prev_generation);
    assert_int_equal(a->cause, b->cause);
    assert_int_equal(a->splice, b->splice);
    assert_int_equal(a->prev_splice, b->prev_splice);
    assert_int_equal(a->time, b->time);
    assert_true(key_eq(&a->key, &b->key));
    assert_same_str(a->labels, b->labels);
    assert_same_str(a->prev_labels, b->prev_labels);
    assert_int_equal(a->hash, b->hash);
    assert_int_equal(a->spec_hash, b->spec_hash);
    assert_same_str(a->request_id, b->request_id);
    assert_same_str(a->manager, b->manager);
}

static void assert_same(const struct event *a, const struct event *b)
{
    assert_same_identity(a, b);
    assert_same_str(a->body, b->body);
    assert_same_str(a->delta, b->delta);
}

static void assert_same_object(const struct object *o, const struct event *ev)
{
    assert_int_equal(o->rv, ev->rv);
    assert_int_equal(o->generation, ev->generation);
    assert_int_equal(o->splice, ev->splice);
    assert_int_equal(o->hash, ev->hash);
    assert_int_equal(o->spec_hash, ev->spec_hash);
    assert_true(key_eq(&o->key, &ev->key));
    assert_same_str(o->labels, ev->labels);
    assert_same_str(o->body, ev->body);
}

static bool same_as_wanted(void *arg, const struct event *ev)
{
    assert_same(ev, arg);
    return true;
}

static bool same_past(void *arg, const struct engine_past *p)
{
    const struct event *want = arg;
    assert_same_identity(&p->event, want);
    assert_int_equal(p->bytes, engine_event_bytes(want, want->delta.n, want->body.n));
    return true;
}

static void what_is_committed_comes_back_the_same(void **state)
{
    struct fixture *f = *state;
    const struct engine_ops *ops = f->rig.e->ops;
    struct err err;
    for (rv_t rv = 1; rv <= 3000; rv++) {
        CLEANUP(own_fini) struct own o;
        struct event ev;
        rv_t head;
        random_event(&f->dice, rv, rv > 1 && dice_below(&f->dice, 3) != 0, &o);
        row_t row = commit_one(f, &o);
        assert_ok(ops->recall(f->rig.e, rv, &ev, &err), &err);
        assert_same(&ev, &o.ev);
        assert_ok(ops->view_begin(f->r, &head, &err), &err);
        assert_ok(ops->history(f->r, rv - 1, rv, same_as_wanted, &o.ev, &err), &err);
        assert_ok(ops->history_keys(f->r, rv - 1, rv, same_past, &o.ev, &err), &err);
        assert_ok(ops->read_event(f->r, rv, &ev, &err), &err);
        CLEANUP(object_unrefp) struct object *loaded = NULL;
        enum errc code = ops->load(f->rig.e, row, rv, &loaded, &err);
        assert_int_equal(code, o.ev.cause == CAUSE_DELETED ? ERR_NOT_FOUND : OK);
        if (code == OK) {
            assert_same_object(loaded, &o.ev);
        }
        assert_same(&ev, &o.ev); /* still borrowed */
        ops->view_end(f->r);
    }
}

static bool is_wanted_object(void *arg, const struct engine_object *e)
{
    const struct own *all = arg;
    const struct event *want = &all[e->rv].ev;
    assert_int_equal(e->row, e->rv);
    assert_int_equal(e->generation, want->generation);
    assert_true(key_eq(&e->key, &want->key));
    assert_same_str(e->labels, want->labels);
    return true;
}

static void what_is_folded_comes_back_the_same(void **state)
{
    enum { N = 500 };
    struct fixture *f = *state;
    const struct engine_ops *ops = f->rig.e->ops;
    struct err err;
    rv_t head;
    struct own *all = mem_zalloc((N + 1) * sizeof(*all));
    for (rv_t rv = 1; rv <= N; rv++) {
        random_event(&f->dice, rv, false, &all[rv]);
        commit_one(f, &all[rv]);
    }
    for (bool done = false; !done;) {
        assert_ok(ops->fold(f->rig.e, N, 100, &done, &err), &err);
    }
    assert_ok(ops->view_begin(f->r, &head, &err), &err);
    assert_ok(ops->objects(f->r, is_wanted_object, all, &err), &err);
    /* One behind the other, the same again, backwards, and at random: rows and events. */
    for (size_t i = 0; i < 6 * N; i++) {
        rv_t rv = i < N       ? i + 1
                  : i < 2 * N ? (i - N) / 2 + 1
                  : i < 3 * N ? 3 * N - i
                              : 1 + dice_below(&f->dice, N);
        struct object *o = NULL;
        bool gone = i > 3 * N && i % 7 == 0;
        /* A row that there is not leaves the event. */
        row_t row = i > 3 * N && i % 3 == 0 ? 10 * N : (row_t)rv;
        enum errc code = ops->read_object(f->r, row, gone ? rv + N : rv, &o, &err);
        assert_int_equal(code, gone ? ERR_NOT_FOUND : OK);
        if (!gone) {
            assert_same_object(o, &all[rv].ev);
        }
        object_unref(o);
    }
    for (rv_t rv = 1; rv <= N; rv++) {
        own_fini(&all[rv]);
    }
    ops->view_end(f->r);
    free(all);
}

/* What is not where it is looked for first leaves the place as it is. */
static void an_object_is_found_behind_one_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct engine_ops *ops = f->rig.e->ops;
    struct err err;
    rv_t head;
    struct own all[3];
    for (rv_t rv = 1; rv <= 2; rv++) {
        random_event(&f->dice, rv, false, &all[rv]);
        commit_one(f, &all[rv]);
    }
    for (bool done = false; !done;) {
        assert_ok(ops->fold(f->rig.e, 2, 100, &done, &err), &err);
    }
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->rig.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DELETE FROM objects WHERE id=1; DELETE FROM events WHERE rv=2",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_ok(ops->view_begin(f->r, &head, &err), &err);
    for (rv_t rv = 1; rv <= 2; rv++) {
        CLEANUP(object_unrefp) struct object *o = NULL;
        assert_ok(ops->read_object(f->r, (row_t)rv, rv, &o, &err), &err);
        assert_same_object(o, &all[rv].ev);
        own_fini(&all[rv]);
    }
    ops->view_end(f->r);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

struct stored {
    sqlite3 *db;
    sqlite3_stmt *get, *set;
    char *bytes;
    size_t n;
};

static void stored_open(struct stored *c, const char *path, const char *table, const char *name)
{
    CLEANUP(freep) char *get = mem_printf("SELECT %s FROM %s", name, table);
    CLEANUP(freep) char *set = mem_printf("UPDATE %s SET %s=?", table, name);
    assert_int_equal(sqlite3_open(path, &c->db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(c->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(c->db, get, -1, &c->get, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(c->db, set, -1, &c->set, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(c->get), SQLITE_ROW);
    c->n = (size_t)sqlite3_column_bytes(c->get, 0);
    c->bytes = mem_dup(sqlite3_column_blob(c->get, 0), c->n);
    sqlite3_reset(c->get);
}

static void stored_write(struct stored *c)
{
    sqlite3_bind_blob(c->set, 1, c->bytes, (int)c->n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(c->set), SQLITE_DONE);
    sqlite3_reset(c->set);
}

static void stored_close(struct stored *c)
{
    sqlite3_finalize(c->get);
    sqlite3_finalize(c->set);
    assert_int_equal(sqlite3_close(c->db), SQLITE_OK);
    freep(&c->bytes);
}

static bool any_event(void *arg, const struct event *ev)
{
    (void)ev;
    (void)arg;
    return true;
}

static bool any_past(void *arg, const struct engine_past *p)
{
    (void)p;
    (void)arg;
    return true;
}

static bool any_object(void *arg, const struct engine_object *o)
{
    (void)o;
    (void)arg;
    return true;
}

static void assert_event_is(struct fixture *f, enum errc whole, enum errc keys)
{
    const struct engine_ops *ops = f->rig.e->ops;
    struct err err;
    struct event ev;
    rv_t head;
    CLEANUP(object_unrefp) struct object *o = NULL;
    assert_int_equal(ops->load(f->rig.e, 1, 1, &o, &err), whole);
    assert_int_equal(ops->recall(f->rig.e, 1, &ev, &err), whole);
    assert_ok(ops->view_begin(f->r, &head, &err), &err);
    assert_int_equal(ops->read_event(f->r, 1, &ev, &err), whole);
    assert_int_equal(ops->history(f->r, 0, 1, any_event, NULL, &err), whole);
    assert_int_equal(ops->history_keys(f->r, 0, 1, any_past, NULL, &err), keys);
    ops->view_end(f->r);
}

static void assert_object_is(struct fixture *f, enum errc whole, enum errc keys)
{
    const struct engine_ops *ops = f->rig.e->ops;
    struct err err;
    rv_t head;
    CLEANUP(object_unrefp) struct object *o = NULL;
    assert_ok(ops->view_begin(f->r, &head, &err), &err);
    assert_int_equal(ops->read_object(f->r, 1, 1, &o, &err), whole);
    assert_int_equal(ops->objects(f->r, any_object, NULL, &err), keys);
    ops->view_end(f->r);
}

/* Flips each bit. Scans without texts notice all but those of the texts, and of the sum of them,
 * which is the head's bytes 4 to 7. */
static void flip_all(struct fixture *f, const char *table, const char *name,
                     void (*check)(struct fixture *f, enum errc whole, enum errc keys))
{
    struct stored c;
    bool head = strcmp(name, "head") == 0;
    stored_open(&c, f->rig.path, table, name);
    assert_true(c.n > 60);
    check(f, OK, OK);
    for (size_t i = 0; i < 8 * c.n; i++) {
        bool big = !head || (i / 8 >= 4 && i / 8 < 8);
        c.bytes[i / 8] = (char)(c.bytes[i / 8] ^ 1 << i % 8);
        stored_write(&c);
        check(f, ERR_DATA_LOSS, big ? OK : ERR_DATA_LOSS);
        c.bytes[i / 8] = (char)(c.bytes[i / 8] ^ 1 << i % 8);
    }
    stored_write(&c);
    check(f, OK, OK);
    stored_close(&c);
}

static void commit_usual(struct fixture *f)
{
    for (bool usual = false; !usual;) {
        CLEANUP(own_fini) struct own o;
        random_event(&f->dice, 1, false, &o);
        usual = o.ev.labels.n != 0 && o.ev.body.n > 300 && str_starts(o.ev.body, STR("{\"api"));
        if (usual) {
            commit_one(f, &o);
        }
    }
}

static void a_bit_that_flips_in_an_event_is_noticed(void **state)
{
    struct fixture *f = *state;
    commit_usual(f);
    flip_all(f, "events", "head", assert_event_is);
    flip_all(f, "events", "texts", assert_event_is);
}

static void a_bit_that_flips_in_an_object_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct err err;
    commit_usual(f);
    for (bool done = false; !done;) {
        assert_ok(f->rig.e->ops->fold(f->rig.e, 1, 10, &done, &err), &err);
    }
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->rig.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM events", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    flip_all(f, "objects", "head", assert_object_is);
    flip_all(f, "objects", "texts", assert_object_is);
}

/* The usual object of half a kilobyte: seven in a page, which is what a write costs. */
static void seven_usual_events_share_a_page(void **state)
{
    struct fixture *f = *state;
    struct dice *d = &f->dice;
    CLEANUP(buf_fini) struct buf spec;
    struct own last;
    for (rv_t rv = 1; rv <= 700; rv++) {
        char text[64];
        uint64_t id[2] = {dice_next(d), dice_next(d)};
        buf_init(&spec, SIZE_MAX);
        for (size_t i = 0; i < 415; i++) {
            buf_addc(&spec, (char)('a' + dice_below(d, 26)));
        }
        CLEANUP(freep) char *name = mem_printf("o-%08" PRIu64, rv);
        CLEANUP(freep)
        char *doc_text =
            mem_printf("{\"metadata\":{\"labels\":{\"app\":\"a-%02" PRIu64 "\"}},\"spec\":{\"seq\":"
                       "%" PRIu64 ",\"data\":\"%.*s\"}}",
                       rv % 100, UINT64_C(1375560282904) + rv, (int)spec.n, spec.p);
        buf_fini(&spec);
        CLEANUP(json_decrefp) json_t *doc = json_of(doc_text);
        CLEANUP(draft_freep) struct draft *draft = NULL;
        CLEANUP(object_unrefp) struct object *o = NULL;
        struct err err = {0};
        struct key key = {STR("objects"), STR("default"), str_of(name)};
        char uid[UUID_LEN + 1];
        random_uuid(uid);
        assert_ok(draft_new(&key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES},
                            &draft, NULL, &err),
                  &err);
        draft_finish(draft, NULL, uid, clock_wall(&clock_system), &o);
        last = (struct own){
            .ev = {.rv = rv,
                   .cause = rv == 1 ? CAUSE_CREATED : CAUSE_UPDATED,
                   .prev_rv = rv / 2,
                   .generation = 2,
                   .prev_generation = 1,
                   .splice = o->splice,
                   .prev_splice = rv == 1 ? 0 : o->splice,
                   .hash = dice_next(d),
                   .spec_hash = dice_next(d),
                   .key = o->key,
                   .labels = o->labels,
                   .prev_labels = o->labels,
                   .body = o->body,
                   .delta = {text, 11},
                   .request_id = {(const char *)id, sizeof(id)}}
        };
        memset(text, 'x', 11);
        (void)commit_one(f, &last);
    }
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(f->rig.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_true(sqlite3_column_int(st, 0) <= 100 + 12); /* the other tables' */
    sqlite3_finalize(st);
    sqlite3_close(db);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_committed_comes_back_the_same),
        T(what_is_folded_comes_back_the_same),
        T(an_object_is_found_behind_one_that_is_not_there),
        T(a_bit_that_flips_in_an_event_is_noticed),
        T(a_bit_that_flips_in_an_object_is_noticed),
        T(seven_usual_events_share_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

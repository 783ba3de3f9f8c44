/* SPDX-License-Identifier: Apache-2.0 */
/* Time to live, on a clock that the test moves. */
#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/metric.h"
#include "store/model/json.h"
#include "store_setup.h"

static _Atomic int64_t now_mono, now_wall;
static _Atomic int64_t runs; /* by so much with each look */

static mono_ms_t test_mono(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&now_mono, atomic_load(&runs));
}

static wall_ms_t test_wall(void *arg)
{
    (void)arg;
    return atomic_load(&now_wall);
}

static const struct clock test_clock = {test_mono, test_wall, NULL};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    atomic_store(&now_mono, 1000000);
    atomic_store(&now_wall, 1700000000000);
    fixture_init(f);
    f->opt.clock = &test_clock;
    fixture_open(f);
    *state = f;
    return 0;
}

/* Puts a whole document; returns what became of it. */
static enum write_result put(struct fixture *f, const char *name, const char *doc, uint64_t ttl_ms,
                             bool no_ttl)
{
    struct key key = {STR("objects"), STR("default"), str_of(name)};
    struct err err = {0};
    json_t *json = NULL;
    struct draft_rules rules = {.limit_bytes = OBJECT_MAX_BYTES};
    struct draft *d = NULL;
    struct precondition pre = {0};
    assert_int_equal(json_text_parse(str_of(doc), "json", &json, &err), OK);
    assert_int_equal(draft_new(&key, json, &rules, &d, &pre, &err), OK);
    struct write w = {.key = key,
                      .verb = WRITE_PUT,
                      .draft = d,
                      .ttl_ms = ttl_ms,
                      .no_ttl = no_ttl,
                      .bytes = strlen(doc)};
    assert_int_equal(fixture_write(f, &w), OK);
    object_unref(w.object);
    draft_free(d);
    json_decref(json);
    return w.result;
}

/* Lets the writer look at its clock. */
static void settle(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        struct write w = {
            .key = {STR("objects"), STR("default"), STR("nothing")},
            .verb = WRITE_CHECK,
            .bytes = 1
        };
        assert_int_equal(fixture_write(f, &w), OK);
        object_unref(w.object);
    }
}

static void advance(struct fixture *f, int64_t ms)
{
    atomic_fetch_add(&now_mono, ms);
    settle(f);
}

static bool there(struct fixture *f, const char *name)
{
    struct object *o = NULL;
    enum errc rc = fixture_get(f, "objects", "default", name, &o);
    object_unref(o);
    assert_true(rc == OK || rc == ERR_NOT_FOUND);
    return rc == OK;
}

static void an_object_expires_after_its_time_and_not_before(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false), WRITE_CREATED);
    assert_int_equal(put(f, "b", "{\"spec\":{\"n\":1}}", 0, false), WRITE_CREATED);
    advance(f, 5000);
    assert_true(there(f, "a"));
    assert_int_equal(store_head(f->store), 2);
    advance(f, 1);
    assert_false(there(f, "a"));
    assert_int_equal(store_head(f->store), 3);
    advance(f, 1000000);
    assert_true(there(f, "b"));
    assert_int_equal(put(f, "a", "{\"spec\":{\"n\":1}}", 0, false), WRITE_CREATED);
    advance(f, 1000000);
    assert_true(there(f, "a")); /* made again without a time */
}

static void a_heartbeat_takes_no_version_and_is_durable(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    for (int i = 0; i < 5; i++) {
        advance(f, 3000);
        assert_int_equal(put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false), WRITE_UNCHANGED);
        fixture_close(f);
        fixture_open(f);
    }
    assert_int_equal(store_head(f->store), 1);
    advance(f, 4999);
    assert_true(there(f, "a"));
    advance(f, 1002); /* the clock of a restart may be a second behind */
    assert_false(there(f, "a"));
    assert_int_equal(store_head(f->store), 2);
}

static void a_heartbeat_that_came_before_the_deletion_wins(void **state)
{
    struct fixture *f = *state;
    int won = 0;
    for (int i = 0; i < 20; i++) {
        (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
        atomic_fetch_add(&now_mono, 6000); /* due, unless the next write comes first */
        if (put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false) == WRITE_UNCHANGED) {
            settle(f);
            assert_true(there(f, "a"));
            won++;
        }
    }
    assert_true(won > 0); /* the writer may have looked at its clock in between, now and then */
}

static void a_write_without_a_time_leaves_the_deadline_and_no_ttl_removes_it(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    (void)put(f, "b", "{\"spec\":{\"n\":1}}", 5000, false);
    assert_int_equal(put(f, "a", "{\"spec\":{\"n\":2}}", 0, false), WRITE_UPDATED);
    assert_int_equal(put(f, "b", "{\"spec\":{\"n\":1}}", 0, true), WRITE_UNCHANGED);
    fixture_close(f);
    fixture_open(f);
    advance(f, 6500);
    assert_false(there(f, "a"));
    assert_true(there(f, "b"));
}

/* Two writes that the writer takes at once, since they come while it tells of another. */
struct pair {
    struct store *store;
    struct write v[2];
    atomic_int done;
};

static void one_done(struct write *w)
{
    struct pair *p = w->arg;
    atomic_fetch_add(&p->done, 1);
}

static void submit_pair(struct write *w)
{
    struct pair *p = w->arg;
    for (size_t i = 0; i < 2; i++) {
        p->v[i].done = one_done;
        p->v[i].arg = p;
        assert(store_submit(p->store, &p->v[i], &p->v[i].err) == OK);
    }
}

static void no_ttl_counts_for_an_object_that_the_same_batch_makes(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    json_t *spec = json_object();
    struct pair p = {.store = f->store};
    const struct write make = {
        .key = {STR("objects"), STR("default"), STR("a")},
        .verb = WRITE_SPEC,
        .json = spec,
        .bytes = 1,
    };
    p.v[0] = p.v[1] = make;
    p.v[0].ttl_ms = 5000;
    p.v[1].no_ttl = true;
    struct write first = {
        .key = {STR("objects"), STR("default"), STR("nothing")},
        .verb = WRITE_CHECK,
        .bytes = 1,
        .done = submit_pair,
        .arg = &p,
    };
    assert_int_equal(store_submit(f->store, &first, &err), OK);
    while (atomic_load(&p.done) < 2) {
        usleep(1000);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(p.v[i].err.code, OK);
        object_unref(p.v[i].object);
    }
    assert_int_equal(p.v[0].result, WRITE_CREATED);
    assert_int_equal(p.v[1].result, WRITE_UNCHANGED);
    advance(f, 6000);
    assert_true(there(f, "a"));
    json_decref(spec);
}

static void the_wall_clock_does_not_matter(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    atomic_fetch_add(&now_wall, (int64_t)1000 * 3600 * 24 * 365);
    settle(f);
    assert_true(there(f, "a"));
    fixture_close(f);
    atomic_store(&now_wall, 0);
    atomic_store(&now_mono, 77); /* another boot of the machine */
    fixture_open(f);
    advance(f, 3900);
    assert_true(there(f, "a"));
    advance(f, 2200);
    assert_false(there(f, "a"));
}

/* As many starts as it likes: what the store ran counts. */
static void the_clock_goes_on_over_many_short_runs(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    int64_t ran = 0;
    while (there(f, "a")) {
        fixture_close(f);
        atomic_fetch_add(&now_mono, 100000); /* what it did not run does not */
        fixture_open(f);
        advance(f, 300);
        ran += 300;
        assert_true(ran <= 5400);
    }
    assert_true(ran > 5000);
}

static void finalizers_hold_what_has_expired(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"metadata\":{\"finalizers\":[\"x/y\"]},\"spec\":{\"n\":1}}", 5000, false);
    advance(f, 5001);
    struct object *o = NULL;
    assert_int_equal(fixture_get(f, "objects", "default", "a", &o), OK);
    assert_true(object_deletion(o).n != 0);
    object_unref(o);
    assert_int_equal(store_head(f->store), 2);
    advance(f, 100000);
    assert_int_equal(store_head(f->store), 2); /* marked once */
    assert_int_equal(put(f, "a", "{\"spec\":{\"n\":1}}", 0, false), WRITE_DELETED);
}

static void seen(void *arg, const struct seen *s)
{
    size_t *n = arg;
    assert_int_equal(s->cause, CAUSE_EXPIRED);
    assert_int_equal(s->form, FORM_PLAIN);
    (*n)++;
}

static void thousands_expire_at_once_each_with_an_event(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 2000 };
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        (void)put(f, name, "{\"spec\":{\"n\":1}}", 5000, false);
    }
    struct watch_set *set = watch_set_new(f->store, test_kick, NULL);
    struct test_watch t = {.n_spec = 1};
    t.spec[0] = (struct selection){.resource = STR("all"), .all_namespaces = true};
    struct err err = {0};
    assert_int_equal(test_watch_open(set, &t, START_NOW, 0, &err), OK);
    atomic_fetch_add(&now_mono, 5001);
    size_t n = 0;
    for (int i = 0; i < 1000 && n < MANY; i++) {
        settle(f);
        watch_set_turn(set);
        rv_t synced = 0;
        enum errc rc = OK;
        while (t.parked ? watch_set_ready(set) != NULL : true) {
            (void)test_watch_pull(&t, seen, &n, &synced, &rc, &err);
            assert_int_equal(rc, OK);
        }
    }
    assert_int_equal(n, MANY);
    assert_int_equal(store_head(f->store), 2 * MANY);
    test_watch_fini(&t);
    watch_set_free(set);
}

static void on_a_full_disk_expiry_waits_and_tries_seldom(void **state)
{
    struct fixture *f = *state;
    struct rlimit was, limit;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit = was;
    limit.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int64_t before = metric_get(M_COMMIT_FAILURES);
    atomic_fetch_add(&now_mono, 6000);
    for (int i = 0; i < 500 && metric_get(M_COMMIT_FAILURES) == before; i++) {
        usleep(10000);
    }
    usleep(500000);
    int64_t failures = metric_get(M_COMMIT_FAILURES) - before;
    bool stays = there(f, "a");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, handler);
    assert_true(stays);
    assert_in_range(failures, 1, 20);
    for (int i = 0; i < 500 && there(f, "a"); i++) {
        usleep(10000);
    }
    assert_false(there(f, "a"));
}

static void a_dry_run_moves_no_deadline(void **state)
{
    struct fixture *f = *state;
    (void)put(f, "a", "{\"spec\":{\"n\":1}}", 5000, false);
    struct write w = {
        .key = {STR("objects"), STR("default"), STR("a")},
        .verb = WRITE_PATCH,
        .json = json_object(),
        .ttl_ms = 100000,
        .dry_run = true,
        .bytes = 1
    };
    assert_int_equal(fixture_write(f, &w), OK);
    object_unref(w.object);
    json_decref((json_t *)(uintptr_t)w.json);
    advance(f, 5001);
    assert_false(there(f, "a"));
}

/* The writer may be at it before the thread that opens the store goes on. */
static void what_is_due_while_the_store_opens_expires(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        (void)put(f, "a", "{\"spec\":{\"n\":1}}", 20, false);
        fixture_close(f);
        atomic_store(&runs, 50);
        fixture_open(f);
        settle(f);
        atomic_store(&runs, 0);
        assert_false(there(f, "a"));
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_object_expires_after_its_time_and_not_before),
        TEST(a_heartbeat_takes_no_version_and_is_durable),
        TEST(a_heartbeat_that_came_before_the_deletion_wins),
        TEST(a_write_without_a_time_leaves_the_deadline_and_no_ttl_removes_it),
        TEST(no_ttl_counts_for_an_object_that_the_same_batch_makes),
        TEST(the_wall_clock_does_not_matter),
        TEST(the_clock_goes_on_over_many_short_runs),
        TEST(finalizers_hold_what_has_expired),
        TEST(thousands_expire_at_once_each_with_an_event),
        TEST(on_a_full_disk_expiry_waits_and_tries_seldom),
        TEST(a_dry_run_moves_no_deadline),
        TEST(what_is_due_while_the_store_opens_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

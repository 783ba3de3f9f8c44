/* SPDX-License-Identifier: Apache-2.0 */
/* Which commits have a watch set take a turn: those that may concern its watchers, and those that
 * leave it far behind. None that concerns one is missed, however it races with the parking. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "store_fixture.h"

static void count_kick(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void put(struct fixture *f, const char *name, int n)
{
    char spec[32];
    rv_t rv = 0;
    snprintf(spec, sizeof spec, "{\"n\":%d}", n);
    if (fixture_put(f, "jobs", "default", name, "{}", spec, &rv) != OK) {
        abort(); /* it may be another thread than the test's */
    }
}

/* Open and ready, not yet parked. */
static void open_watch(struct watch_set *set, struct test_watch *t, struct selection sel)
{
    struct err err = {0};
    *t = (struct test_watch){.n_spec = 1, .spec[0] = sel};
    assert_ok(test_watch_open(set, t, START_NOW, 0, &err), &err);
}

static size_t pull(struct test_watch *t)
{
    struct watch_batch b;
    struct err err = {0};
    assert_ok(watcher_pull(t->watcher, &b, &err), &err);
    size_t events = b.events;
    watch_batch_fini(&b);
    return events;
}

#define NAME(name_)                                 \
    (struct selection)                              \
    {                                               \
        .resource = STR("jobs"), .name = STR(name_) \
    }

static void a_commit_kicks_only_sets_with_idle_watchers_that_it_may_concern(void **state)
{
    (void)state;
    const struct selection selections[] = {
        NAME("a"),
        {.resource = STR("jobs"), .all_namespaces = true, .name = STR("a")},
        {.resource = STR("all"),                       .name = STR("a")                       },
        {.resource = STR("all"),                       .all_namespaces = true, .name = STR("a")},
        {.resource = STR("jobs")      },
        {.resource = STR("jobs"),                 .all_namespaces = true                            },
        {.resource = STR("all")                      },
        {.resource = STR("all"),  .all_namespaces = true                },
    };
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    for (int i = 0; i < 8; i++) {
        _Atomic int kicks = 0, others = 0;
        struct test_watch t, other;
        struct watch_set *set = watch_set_new(f.store, count_kick, &kicks);
        struct watch_set *other_set = watch_set_new(f.store, count_kick, &others);
        put(&f, "a", 10 * i);
        assert_int_equal(kicks, 0); /* nobody is there */
        open_watch(set, &t, selections[i]);
        open_watch(other_set, &other, NAME("c"));
        assert_int_equal(pull(&t) + pull(&other), 0);
        assert_int_equal(kicks, 0);
        put(&f, "b", 10 * i);
        assert_int_equal(kicks, i < 4 ? 0 : 1);
        put(&f, "a", 10 * i + 1);
        put(&f, "a", 10 * i + 2);
        assert_int_equal(kicks, 1); /* once until it takes its turn */
        watch_set_turn(set);
        assert_ptr_equal(watch_set_ready(set), &t);
        assert_int_equal(pull(&t), i < 4 ? 2 : 3);
        put(&f, "a", 10 * i + 3);
        assert_int_equal(kicks, 2); /* and again after it */
        assert_int_equal(others, 0);
        test_watch_fini(&t);
        test_watch_fini(&other);
        put(&f, "c", i);
        watch_set_turn(set);
        put(&f, "a", 10 * i + 4);
        assert_int_equal(kicks + others, 2); /* nobody is there any more */
        watch_set_free(set);
        watch_set_free(other_set);
    }
    fixture_fini(&f);
}

/* A set with one watcher, of the name "a", which is not idle yet. */
struct one {
    struct fixture f;
    struct watch_set *set;
    struct test_watch t;
    _Atomic int kicks;
};

/* log_bytes 0: the fixture's. */
static void begin(struct one *o, size_t log_bytes)
{
    o->kicks = 0;
    fixture_init(&o->f);
    if (log_bytes != 0) {
        o->f.opt.log_bytes = log_bytes;
    }
    fixture_open(&o->f);
    o->set = watch_set_new(o->f.store, count_kick, &o->kicks);
    open_watch(o->set, &o->t, NAME("a"));
}

static void end(struct one *o)
{
    test_watch_fini(&o->t);
    watch_set_free(o->set);
    fixture_fini(&o->f);
}

static void a_watcher_that_parks_behind_the_head_kicks_its_set(void **state)
{
    (void)state;
    struct one o;
    begin(&o, 0);
    put(&o.f, "a", 1); /* the watcher is not idle, so this is no reason to kick */
    assert_int_equal(o.kicks, 0);
    assert_int_equal(pull(&o.t), 0);
    assert_int_equal(o.kicks, 1);
    watch_set_turn(o.set);
    assert_ptr_equal(watch_set_ready(o.set), &o.t);
    assert_int_equal(pull(&o.t), 1);
    end(&o);
}

static void a_set_that_was_not_concerned_is_kicked_before_the_log_has_passed_it(void **state)
{
    (void)state;
    struct one o;
    begin(&o, 256 * 1024);
    assert_int_equal(pull(&o.t), 0);
    int n = 0, turns = 0;
    for (; n < 2000; n++) {
        put(&o.f, "b", n);
        if (atomic_exchange(&o.kicks, 0) != 0) {
            watch_set_turn(o.set);
            turns++;
        }
        /* It would be if the log had been passed: all would have to read the past. */
        assert_null(watch_set_ready(o.set));
        assert_true(store_head(o.f.store) - watch_set_at(o.set) < 500);
    }
    assert_in_range(turns, 4, 200);
    end(&o);
}

static void an_idle_watcher_is_at_the_head_after_a_turn_that_nobody_asked_for(void **state)
{
    (void)state;
    struct one o;
    begin(&o, 0);
    assert_int_equal(pull(&o.t), 0);
    put(&o.f, "b", 1);
    assert_int_equal(o.kicks, 0);
    watch_set_turn(o.set);
    assert_int_equal(watcher_rv(o.t.watcher), store_head(o.f.store));
    watch_set_rearm(o.set);
    put(&o.f, "b", 2);
    assert_int_equal(o.kicks, 1); /* somebody waits for a commit, whatever it is about */
    watch_set_turn(o.set);
    put(&o.f, "b", 3);
    assert_int_equal(o.kicks, 1);
    end(&o);
}

/* ---- Parking while something is committed ------------------------------------------------------
 */

#define ROUNDS 4000

struct putter {
    struct fixture *f;
    _Atomic int wanted; /* puts; < 0: no more */
};

static void *put_as_wanted(void *arg)
{
    struct putter *p = arg;
    int wanted = 0;
    for (int n = 0; wanted >= 0;) {
        wanted = atomic_load(&p->wanted);
        if (n < wanted) {
            put(p->f, "a", n++);
        }
    }
    return NULL;
}

/* Parks a watcher again and again until the head has moved to `until`. Nothing is committed after
 * that, so a kick that is missed then does not come. True if it moved while one was parking. */
static bool park_until(struct fixture *f, struct watch_set *set, _Atomic int *kicks, rv_t until)
{
    for (bool raced = false;;) {
        struct test_watch t;
        open_watch(set, &t, NAME("a"));
        atomic_store(kicks, 0); /* from here on, no turn is taken */
        raced = store_head(f->store) == watch_set_at(set);
        assert_int_equal(pull(&t), 0);
        bool behind = store_head(f->store) > watch_set_at(set);
        for (int ms = 0; behind && atomic_load(kicks) == 0; ms++) {
            struct timespec pause = {.tv_nsec = 1000 * 1000};
            assert_true(ms < 5000); /* asleep with an event to see */
            nanosleep(&pause, NULL);
        }
        test_watch_fini(&t);
        if (store_head(f->store) >= until) {
            return raced && behind;
        }
    }
}

static void no_commit_is_missed_that_comes_while_a_watcher_parks(void **state)
{
    (void)state;
    struct fixture f;
    _Atomic int kicks = 0;
    fixture_init(&f);
    fixture_open(&f);
    struct watch_set *set = watch_set_new(f.store, count_kick, &kicks);
    struct putter p = {.f = &f};
    pthread_t thread;
    int raced = 0;
    assert_int_equal(pthread_create(&thread, NULL, put_as_wanted, &p), 0);
    for (int i = 1; i <= (int)fixture_rounds(ROUNDS); i++) {
        rv_t until = store_head(f.store) + 1;
        atomic_store(&p.wanted, i);
        raced += park_until(&f, set, &kicks, until);
    }
    atomic_store(&p.wanted, -1);
    pthread_join(thread, NULL);
    assert_true(raced > 0);
    watch_set_free(set);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_kicks_only_sets_with_idle_watchers_that_it_may_concern),
        cmocka_unit_test(a_watcher_that_parks_behind_the_head_kicks_its_set),
        cmocka_unit_test(a_set_that_was_not_concerned_is_kicked_before_the_log_has_passed_it),
        cmocka_unit_test(an_idle_watcher_is_at_the_head_after_a_turn_that_nobody_asked_for),
        cmocka_unit_test(no_commit_is_missed_that_comes_while_a_watcher_parks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

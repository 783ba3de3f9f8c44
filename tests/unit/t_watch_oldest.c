/* SPDX-License-Identifier: Apache-2.0 */
/* A watch from the oldest version kept, when compaction takes that away before it is read. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store_fixture.h"

#define PAD 50000 /* some events to a batch, some batches to what is read at once */

/* A store with n events, none of which is in memory. */
static void fill(struct fixture *f, int n)
{
    char *spec = mem_alloc(PAD + 32);
    fixture_init(f);
    fixture_open(f);
    for (int i = 1; i <= n; i++) {
        int head = sprintf(spec, "{\"n\":%d,\"pad\":\"", i);
        memset(spec + head, 'x', PAD);
        memcpy(spec + head + PAD, "\"}", 3);
        rv_t rv = 0;
        assert_int_equal(fixture_put(f, "jobs", "default", "a", "{}", spec, &rv), OK);
        assert_int_equal(rv, i);
    }
    free(spec);
    fixture_close(f);
    fixture_open(f);
}

static void compact(struct fixture *f, rv_t upto)
{
    enum errc rc = OK;
    assert_int_equal(fixture_compact(f, upto, &rc), upto);
    assert_int_equal(rc, OK);
}

struct taken {
    rv_t first, last;
    size_t n;
};

static void take(void *arg, const struct seen *s)
{
    struct taken *t = arg;
    assert_true(t->n == 0 || s->rv == t->last + 1);
    t->first = t->n == 0 ? s->rv : t->first;
    t->last = s->rv;
    t->n++;
}

static struct watch_set *open_oldest(struct fixture *f, struct test_watch *w)
{
    struct watch_set *set = watch_set_new(f->store, test_kick, NULL);
    struct err err = {0};
    *w = (struct test_watch){.n_spec = 1};
    w->spec[0] = (struct selection){.resource = STR("jobs"), .all_namespaces = true};
    assert_int_equal(test_watch_open(set, w, START_OLDEST, 0, &err), OK);
    assert_ptr_equal(watch_set_ready(set), w);
    return set;
}

/* Pulls until there are so many, or it ends. */
static enum errc pull_until(struct watch_set *set, struct test_watch *w, struct taken *t, size_t n)
{
    struct err err = {0};
    enum errc rc = OK;
    rv_t synced = 0;
    for (int i = 0; i < 5000 && t->n < n && rc == OK; i++) {
        while (w->parked && watch_set_ready(set) == NULL) {
            usleep(1000);
            watch_set_turn(set);
        }
        (void)test_watch_pull(w, take, t, &synced, &rc, &err);
    }
    return rc;
}

static void it_begins_at_what_is_kept_when_it_is_read(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct test_watch w;
    struct taken t = {0};
    fill(&f, 10);
    struct watch_set *set = open_oldest(&f, &w);
    compact(&f, 7); /* before anything was read */
    assert_int_equal(pull_until(set, &w, &t, 3), OK);
    assert_int_equal(t.first, 8);
    assert_int_equal(t.last, 10);
    test_watch_fini(&w);
    watch_set_free(set);
    fixture_fini(&f);
}

static void once_it_has_delivered_it_leaves_nothing_out(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct test_watch w;
    struct taken t = {0};
    fill(&f, 60);
    struct watch_set *set = open_oldest(&f, &w);
    assert_int_equal(pull_until(set, &w, &t, 1), OK);
    compact(&f, 50);
    assert_int_equal(pull_until(set, &w, &t, 60), ERR_EXPIRED);
    assert_int_equal(t.first, 1);
    assert_true(t.last < 50);
    test_watch_fini(&w);
    watch_set_free(set);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_at_what_is_kept_when_it_is_read),
        cmocka_unit_test(once_it_has_delivered_it_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

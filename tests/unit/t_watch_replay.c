/* SPDX-License-Identifier: Apache-2.0 */
/* A watch of the past: what is read ahead for it; from the oldest version kept, when compaction
 * takes that away before it is read. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store/base/metric.h"
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

static struct watch_set *open_oldest(struct fixture *f, struct test_watch *w, const char *resource)
{
    struct watch_set *set = watch_set_new(f->store, test_kick, NULL);
    struct err err = {0};
    *w = (struct test_watch){.n_spec = 1};
    w->spec[0] = (struct selection){.resource = str_of(resource), .all_namespaces = true};
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

/* Pulls until it is at the head, or it ends. */
static enum errc pull_all(struct watch_set *set, struct test_watch *w, struct taken *t)
{
    struct err err = {0};
    enum errc rc = OK;
    rv_t synced = 0;
    watch_set_turn(set);
    while (rc == OK && watcher_rv(w->watcher) < watch_set_at(set)) {
        usleep(1000);
        watch_set_turn(set);
        (void)watch_set_ready(set);
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
    struct watch_set *set = open_oldest(&f, &w, "jobs");
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
    struct watch_set *set = open_oldest(&f, &w, "jobs");
    assert_int_equal(pull_until(set, &w, &t, 1), OK);
    compact(&f, 50);
    assert_int_equal(pull_until(set, &w, &t, 60), ERR_EXPIRED);
    assert_int_equal(t.first, 1);
    assert_true(t.last < 50);
    test_watch_fini(&w);
    watch_set_free(set);
    fixture_fini(&f);
}

/* It has been at the head, and its client may know: what is gone since was never the beginning. */
static void once_it_was_at_the_head_it_leaves_nothing_out(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct test_watch w;
    struct taken t = {0};
    char spec[4096];
    memset(spec, ' ', sizeof(spec));
    memcpy(spec, "{\"pad\":\"", 8);
    memcpy(spec + sizeof(spec) - 3, "\"}", 3);
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        fill(&f, 10);
        fixture_close(&f);
        f.opt.log_bytes = 64 * 1024;
        fixture_open(&f);
        if (in_memory) { /* then nothing is read from disk */
            assert_int_equal(fixture_put(&f, "jobs", "default", "b", "{}", "{}", NULL), OK);
            compact(&f, 10);
        }
        struct watch_set *set = open_oldest(&f, &w, "flags");
        assert_int_equal(pull_all(set, &w, &t), OK);
        assert_int_equal(watcher_rv(w.watcher), 10 + in_memory);
        for (int i = 0; i < 60; i++) {
            const char *resource = i == 0 ? "flags" : "jobs";
            char name[16];
            snprintf(name, sizeof(name), "n%d", i);
            assert_int_equal(fixture_put(&f, resource, "default", name, "{}", spec, NULL), OK);
        }
        compact(&f, 20);
        assert_int_equal(pull_all(set, &w, &t), ERR_EXPIRED);
        assert_int_equal(t.n, 0);
        test_watch_fini(&w);
        watch_set_free(set);
        fixture_fini(&f);
    }
}

/* Waits for it; returns for how many bytes it counts. */
static int64_t until_read_ahead(struct watch_set *set, int64_t before)
{
    for (int i = 0; i < 5000 && metric_get(M_PINNED_BYTES) == before; i++) {
        usleep(1000);
        watch_set_turn(set);
    }
    return metric_get(M_PINNED_BYTES) - before;
}

static void what_is_read_ahead_counts_as_held_for_the_client(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct test_watch w;
    struct taken t = {0};
    fill(&f, 60);
    struct watch_set *set = open_oldest(&f, &w, "jobs");
    int64_t before = metric_get(M_PINNED_BYTES);
    assert_int_equal(pull_until(set, &w, &t, 1), OK);
    int64_t ahead = until_read_ahead(set, before);
    assert_true(ahead > PAD);
    for (int i = 0; i < 100; i++) { /* and nothing more, however long it does not pull */
        usleep(1000);
        watch_set_turn(set);
    }
    assert_int_equal(metric_get(M_PINNED_BYTES) - before, ahead);
    assert_int_equal(pull_until(set, &w, &t, 60), OK);
    assert_int_equal(t.first, 1);
    assert_int_equal(t.last, 60);
    assert_int_equal(metric_get(M_PINNED_BYTES), before);
    test_watch_fini(&w);
    watch_set_free(set);
    fixture_fini(&f);
}

static void what_was_read_ahead_goes_with_its_watch(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct test_watch w;
    struct taken t = {0};
    fill(&f, 60);
    int64_t before = metric_get(M_PINNED_BYTES);
    for (int i = 0; i < 2; i++) {
        struct watch_set *set = open_oldest(&f, &w, "jobs");
        t = (struct taken){0};
        assert_int_equal(pull_until(set, &w, &t, 1), OK);
        if (i == 0) { /* the second time it is perhaps with the reader */
            assert_true(until_read_ahead(set, before) > 0);
        }
        test_watch_fini(&w);
        watch_set_free(set);
        assert_int_equal(metric_get(M_PINNED_BYTES), before);
    }
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_ahead_counts_as_held_for_the_client),
        cmocka_unit_test(what_was_read_ahead_goes_with_its_watch),
        cmocka_unit_test(it_begins_at_what_is_kept_when_it_is_read),
        cmocka_unit_test(once_it_has_delivered_it_leaves_nothing_out),
        cmocka_unit_test(once_it_was_at_the_head_it_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

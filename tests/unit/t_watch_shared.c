/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers share the bytes of an event: those of one form are encoded once, whoever asks first. */
#include <string.h>

#include "check.h"
#include "store_fixture.h"

#define WATCHERS 20

static void open_all(struct watch_set *set, struct test_watch *watches, bool previous)
{
    for (size_t i = 0; i < WATCHERS; i++) {
        struct err err = {0};
        watches[i] = (struct test_watch){.n_spec = 1, .previous = previous};
        /* Different scopes and selectors, all of which the object matches. */
        watches[i].spec[0] = (struct selection){
            .resource = i % 2 == 0 ? STR("all") : STR("jobs"),
            .all_namespaces = i % 3 == 0,
            .name = i % 5 == 0 ? STR("a") : STR_EMPTY,
            .label_selector = i % 7 == 0 ? STR("app=x") : STR_EMPTY,
        };
        assert_ok(test_watch_open(set, &watches[i], START_NOW, 0, &err), &err);
        struct watch_batch b;
        assert_ptr_equal(watch_set_ready(set), &watches[i]);
        assert_ok(watcher_pull(watches[i].watcher, &b, &err), &err);
        assert_int_equal(b.kind, BATCH_NONE);
        watch_batch_fini(&b);
    }
}

static void close_all(struct test_watch *watches)
{
    for (size_t i = 0; i < WATCHERS; i++) {
        watcher_close(TAKE(watches[i].watcher));
        test_watch_fini(&watches[i]);
    }
}

static void an_event_is_encoded_once_for_all_its_watchers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    struct watch_set *set = watch_set_new(f.store, test_kick, NULL);
    struct test_watch plain[WATCHERS], with_previous[WATCHERS];
    rv_t rv = 0;
    assert_int_equal(fixture_put(&f, "jobs", "default", "a", "{\"app\":\"x\"}", "{\"n\":0}", &rv),
                     OK);
    watch_set_turn(set);
    open_all(set, plain, false);
    open_all(set, with_previous, true);
    for (int n = 1; n < 4; n++) {
        char spec[32];
        snprintf(spec, sizeof(spec), "{\"n\":%d}", n);
        assert_int_equal(fixture_put(&f, "jobs", "default", "a", "{\"app\":\"x\"}", spec, &rv), OK);
        watch_set_turn(set);
        struct watch_piece first[2] = {0};
        size_t seen[2] = {0};
        struct test_watch *t = NULL;
        for (int i = 0; i < 2 * WATCHERS; i++) {
            /* Whichever is next. */
            struct watch_batch b;
            struct err err = {0};
            t = watch_set_ready(set);
            assert_non_null(t);
            assert_ok(watcher_pull(t->watcher, &b, &err), &err);
            assert_int_equal(b.kind, BATCH_EVENTS);
            assert_int_equal(b.n_pieces, 1);
            struct watch_piece *want = &first[t->previous];
            if (seen[t->previous]++ == 0) {
                *want = b.pieces[0];
            }
            assert_ptr_equal(b.pieces[0].blob, want->blob);
            assert_int_equal(b.pieces[0].at, want->at);
            assert_int_equal(b.pieces[0].n, want->n);
            bool parked = b.parked;
            watch_batch_fini(&b);
            if (!parked) {
                assert_ok(watcher_pull(t->watcher, &b, &err), &err);
                assert_int_equal(b.kind, BATCH_NONE);
                watch_batch_fini(&b);
            }
        }
        assert_int_equal(seen[0], WATCHERS);
        assert_int_equal(seen[1], WATCHERS);
        assert_null(watch_set_ready(set));
        assert_false(first[0].blob == first[1].blob && first[0].at == first[1].at);
    }
    close_all(plain);
    close_all(with_previous);
    watch_set_free(set);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_encoded_once_for_all_its_watchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts of fields: the same from an event as from its two documents, and each found once. */
#include "store/base/metric.h"
#include "store/model/delta.h"
#include "store/verdict.h"
#include "store_fixture.h"
#include "tests/unit/json_random.h"

static const struct key key = {
    {"jobs",    4},
    {"default", 7},
    {"web",     3}
};

static const char *const selectors[] = {
    "spec.a=x",
    "spec.a!=x,spec.b in (1,2)",
    "spec.b notin (,1),metadata.name=web",
    "spec.c[0].a=",
    "metadata.generation=2",
    "metadata.resourceVersion!=5,spec.a in (x,y)",
    "metadata.name!=web",
    "status=",
};

static void random_body(struct dice *d, struct buf *out)
{
    static const char *const words[] = {"\"x\"", "\"y\"", "1", "2", "null", "\"\"", "{}"};
    buf_init(out, 1000);
    buf_adds(out, STR("{\"spec\":{"));
    for (const char *k = "abc"; *k != '\0'; k++) {
        if (dice_below(d, 4) != 0) {
            const char *word = words[dice_below(d, COUNT(words))];
            buf_printf(out, *k == 'c' ? "%s\"%c\":[{\"a\":%s}]" : "%s\"%c\":%s",
                       out->p[out->n - 1] == '{' ? "" : ",", *k, word);
        }
    }
    buf_adds(out, STR("}}"));
}

static struct selections *selections_of(const char *fields)
{
    const struct selection v = {.resource = STR("jobs"), .field_selector = str_of(fields)};
    struct selections *s = NULL;
    struct err err = {0};
    assert_ok(selections_new(&v, 1, true, &s, &err), &err);
    return s;
}

/* An event and its two bodies. */
struct sample {
    struct buf before, now, delta;
    struct event ev;
};

static void sample_init(struct sample *s, struct dice *d, rv_t rv)
{
    random_body(d, &s->before);
    random_body(d, &s->now);
    if (dice_below(d, 4) == 0) {
        buf_clear(&s->now);
        buf_adds(&s->now, buf_str(&s->before));
    }
    buf_init(&s->delta, 1000);
    delta_make(buf_str(&s->now), buf_str(&s->before), &s->delta);
    size_t kind = dice_below(d, 4);
    s->ev = (struct event){
        .rv = rv,
        .prev_rv = kind == 0 ? 0 : 1 + dice_below(d, rv - 1),
        .generation = 1 + dice_below(d, 3),
        .prev_generation = 1 + dice_below(d, 3),
        .cause = kind == 0   ? CAUSE_CREATED
                 : kind == 1 ? CAUSE_DELETED
                             : CAUSE_UPDATED,
        .key = key,
        .body = buf_str(&s->now),
        .delta = buf_str(&s->delta),
    };
}

static void sample_fini(struct sample *s)
{
    buf_fini(&s->before);
    buf_fini(&s->now);
    buf_fini(&s->delta);
}

static bool expected(const struct selections *sel, const struct sample *s, enum side side)
{
    const struct event *ev = &s->ev;
    const struct subject now = {key, ev->rv, ev->generation, buf_str(&s->now)};
    const struct subject before = {key, ev->prev_rv, ev->prev_generation, buf_str(&s->before)};
    if (side == SIDE_NOW) {
        return ev->cause != CAUSE_DELETED && selections_match(sel, &now, STR_EMPTY);
    }
    return ev->prev_rv != 0 && selections_match(sel, &before, STR_EMPTY);
}

static void an_event_is_judged_as_its_two_documents_are(void **state)
{
    (void)state;
    struct dice d = {77};
    struct verdict_table table = {0};
    struct previous previous = {0};
    struct selections *sel[COUNT(selectors)];
    struct verdicts *verdicts[COUNT(selectors)];
    for (size_t i = 0; i < COUNT(selectors); i++) {
        sel[i] = selections_of(selectors[i]);
        verdicts[i] = verdicts_ref(&table, selections_at(sel[i], 0));
        assert_non_null(verdicts[i]);
    }
    enum { SAMPLES = 5000 };
    struct sample *samples = mem_zalloc(SAMPLES * sizeof(*samples));
    for (size_t i = 0; i < SAMPLES; i++) {
        sample_init(&samples[i], &d, i + 2);
    }
    size_t yes = 0;
    size_t no = 0;
    for (size_t round = 0; round < 60000; round++) {
        /* Mostly forward, sometimes back: both what is remembered and what is forgotten. */
        size_t i = (round / 12 + (dice_below(&d, 8) == 0 ? dice_below(&d, 3000) : 0)) % SAMPLES;
        size_t j = dice_below(&d, COUNT(selectors));
        enum side side = dice_below(&d, 2) != 0 ? SIDE_NOW : SIDE_BEFORE;
        const struct event *ev = &samples[i].ev;
        bool wanted = expected(sel[j], &samples[i], side);
        assert_int_equal(verdict_of_event(sel[j], ev, side, &previous), wanted);
        struct str labels;
        bool there = event_side(ev, side, &labels);
        assert_int_equal(there && verdicts_match(&table, verdicts[j], ev, side), wanted);
        yes += wanted;
        no += !wanted;
    }
    assert_true(yes > 10000 && no > 10000);
    for (size_t i = 0; i < SAMPLES; i++) {
        sample_fini(&samples[i]);
    }
    free(samples);
    for (size_t i = 0; i < COUNT(selectors); i++) {
        verdicts_unref(&table, verdicts[i]);
        selections_free(sel[i]);
    }
    previous_fini(&previous);
    verdict_table_fini(&table);
}

static void equal_selectors_share_their_verdicts(void **state)
{
    (void)state;
    struct verdict_table table = {0};
    struct selections *a = selections_of("spec.a=x,spec.b=y");
    struct selections *b = selections_of(".spec.b == y , spec.a in (x)");
    struct selections *c = selections_of("spec.b=y");
    struct selections *named = selections_of("metadata.name=web");
    struct verdicts *va = verdicts_ref(&table, selections_at(a, 0));
    struct verdicts *vb = verdicts_ref(&table, selections_at(b, 0));
    struct verdicts *vc = verdicts_ref(&table, selections_at(c, 0));
    assert_ptr_equal(va, vb);
    assert_ptr_not_equal(va, vc);
    assert_null(verdicts_ref(&table, selections_at(named, 0)));
    assert_true(verdicts_match(&table, NULL, NULL, SIDE_NOW));
    verdicts_unref(&table, va);
    verdicts_unref(&table, vb);
    verdicts_unref(&table, vc);
    verdicts_unref(&table, NULL);
    verdict_table_fini(&table);
    selections_free(a);
    selections_free(b);
    selections_free(c);
    selections_free(named);
}

/* ---- Through a watch set --------------------------------------------------------------------- */

#define WATCHES 60

static void ignore(void *arg, const struct seen *s)
{
    (void)s;
    ++*(size_t *)arg;
}

static size_t pull_all(struct watch_set *set)
{
    size_t events = 0;
    struct test_watch *t = NULL;
    watch_set_turn(set);
    while ((t = watch_set_ready(set)) != NULL) {
        do {
            struct err err = {0};
            enum errc rc = OK;
            rv_t synced = 0;
            (void)test_watch_pull(t, ignore, &events, &synced, &rc, &err);
            assert_ok(rc, &err);
        } while (!t->parked);
    }
    return events;
}

static void put_phase(struct fixture *f, const char *name, const char *phase)
{
    char spec[64];
    static int n;
    snprintf(spec, sizeof(spec), "{\"n\":%d,\"phase\":\"%s\"}", n++, phase);
    rv_t rv = 0;
    assert_int_equal(fixture_put(f, "jobs", "default", name, "{}", spec, &rv), OK);
}

static void each_distinct_selector_is_judged_once_per_event_and_side(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    struct watch_set *set = watch_set_new(f.store, test_kick, NULL);
    struct test_watch watches[WATCHES];
    memset(watches, 0, sizeof(watches));
    for (size_t i = 0; i < WATCHES; i++) {
        struct err err = {0};
        /* Two distinct selectors, each in three kinds of scopes. */
        watches[i].n_spec = 1;
        watches[i].spec[0] = (struct selection){
            .resource = i % 3 == 0 ? STR("all") : STR("jobs"),
            .all_namespaces = i % 3 == 1,
            .field_selector = i % 2 == 0 ? STR("spec.phase=run") : STR("spec.phase!=done"),
        };
        assert_ok(test_watch_open(set, &watches[i], START_NOW, 0, &err), &err);
    }
    (void)pull_all(set);
    static const char *const phases[] = {"run", "done", "wait"};
    /* One event at a time, then many at once, longer than what is remembered at first. */
    static const int bursts[] = {1, 1, 1, 10, 300};
    size_t events = 0;
    size_t expected_events = 0;
    int written = 0;
    int64_t judged = metric_get(M_FIELDS_JUDGED);
    for (size_t i = 0; i < COUNT(bursts); i++) {
        for (int j = 0; j < bursts[i]; j++, written++) {
            put_phase(&f, "a", phases[written % 3]);
            /* run; done is LEFT for both; wait is ENTERED for the second. */
            expected_events += written % 3 == 0 ? WATCHES : written % 3 == 1 ? WATCHES / 2 : 0;
            expected_events += written % 3 == 2 ? WATCHES / 2 : 0;
            expected_events += written % 3 == 1 ? WATCHES / 2 : 0;
        }
        events += pull_all(set);
    }
    judged = metric_get(M_FIELDS_JUDGED) - judged;
    assert_int_equal(events, expected_events);
    /* Twice two per event; some again while the memory grows. */
    assert_true(judged >= 4 * written - 4 && judged <= 4 * written + 4 * 4 * 160);
    for (size_t i = 0; i < WATCHES; i++) {
        watcher_close(TAKE(watches[i].watcher));
        test_watch_fini(&watches[i]);
    }
    watch_set_free(set);
    fixture_fini(&f);
}

static void one_name_costs_what_a_named_watch_costs(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    struct watch_set *set = watch_set_new(f.store, test_kick, NULL);
    struct test_watch watches[WATCHES];
    memset(watches, 0, sizeof(watches));
    char selectors_of_names[WATCHES][64];
    for (size_t i = 0; i < WATCHES; i++) {
        struct err err = {0};
        snprintf(selectors_of_names[i], sizeof(selectors_of_names[i]),
                 i % 2 == 0 ? "metadata.name=n%zu" : "metadata.name=n%zu,spec.phase=run", i);
        watches[i].n_spec = 1;
        watches[i].spec[0] = (struct selection){.resource = STR("jobs"),
                                                .field_selector = str_of(selectors_of_names[i])};
        assert_ok(test_watch_open(set, &watches[i], START_NOW, 0, &err), &err);
    }
    (void)pull_all(set);
    int64_t judged = metric_get(M_FIELDS_JUDGED);
    put_phase(&f, "n0", "run");
    put_phase(&f, "other", "run");
    assert_int_equal(pull_all(set), 1);
    assert_int_equal(metric_get(M_FIELDS_JUDGED), judged);
    put_phase(&f, "n1", "run");
    put_phase(&f, "n1", "done");
    assert_int_equal(pull_all(set), 2);
    assert_int_equal(metric_get(M_FIELDS_JUDGED), judged + 3);
    for (size_t i = 0; i < WATCHES; i++) {
        watcher_close(TAKE(watches[i].watcher));
        test_watch_fini(&watches[i]);
    }
    watch_set_free(set);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_judged_as_its_two_documents_are),
        cmocka_unit_test(equal_selectors_share_their_verdicts),
        cmocka_unit_test(each_distinct_selector_is_judged_once_per_event_and_side),
        cmocka_unit_test(one_name_costs_what_a_named_watch_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The store as its callers see it: writes, repeats, lists, compaction, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "store_pages.h"
#include "store_setup.h"

/* ---- Writes -----------------------------------------------------------------------------------
 */

static enum errc put_as(struct fixture *f, const char *name, const char *spec, struct write *w)
{
    struct err err = {0};
    w->key = (struct key){STR("jobs"), STR("default"), str_of(name)};
    w->verb = WRITE_SPEC;
    json_t *json = NULL;
    assert_int_equal(json_text_parse(str_of(spec), "json", &json, &err), OK);
    w->json = json;
    w->bytes = strlen(spec);
    enum errc rc = fixture_write(f, w);
    json_decref(json);
    return rc;
}

static void a_write_that_changes_nothing_uses_no_version(void **state)
{
    struct fixture *f = *state;
    rv_t first = 0, second = 0;
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{}", "{\"a\":1,\"b\":2}", &first), OK);
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{}", "{\"b\":2,\"a\":1}", &second),
                     OK);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    assert_int_equal(store_head(f->store), 1);
}

static void the_generation_counts_changes_outside_metadata_and_status(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{}", "{\"v\":1}", NULL), OK);
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{\"l\":\"x\"}", "{\"v\":1}", NULL),
                     OK);
    char *text = fixture_text(f, "a");
    assert_non_null(strstr(text, "\"generation\":1,"));
    free(text);
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{\"l\":\"x\"}", "{\"v\":2}", NULL),
                     OK);
    text = fixture_text(f, "a");
    assert_non_null(strstr(text, "\"generation\":2,"));
    assert_non_null(strstr(text, "\"resourceVersion\":\"3\""));
    free(text);
}

static void a_new_spec_keeps_metadata_and_status(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_put(f, "jobs", "default", "a", "{\"l\":\"x\"}",
                                 "{\"v\":1},\"status\":{\"phase\":\"on\"}", NULL),
                     OK);
    struct write w = {0};
    assert_int_equal(put_as(f, "a", "{\"v\":2}", &w), OK);
    assert_int_equal(w.result, WRITE_UPDATED);
    object_unref(w.object);
    char *text = fixture_text(f, "a");
    assert_non_null(strstr(text, "\"labels\":{\"l\":\"x\"}"));
    assert_non_null(strstr(text, "\"spec\":{\"v\":2}"));
    assert_non_null(strstr(text, "\"status\":{\"phase\":\"on\"}"));
    free(text);
}

static void a_precondition_that_fails_changes_nothing_and_names_both_versions(void **state)
{
    struct fixture *f = *state;
    struct write w = {0};
    assert_int_equal(put_as(f, "a", "{\"v\":1}", &w), OK);
    object_unref(w.object);
    w = (struct write){.pre = {.rv = 7}};
    assert_int_equal(put_as(f, "a", "{\"v\":2}", &w), ERR_CONFLICT);
    assert_int_equal(w.err.requested, 7);
    assert_int_equal(w.err.head, 1);
    assert_null(w.object);
    w = (struct write){.mode = WRITE_CREATE};
    assert_int_equal(put_as(f, "a", "{\"v\":2}", &w), ERR_EXISTS);
    w = (struct write){.mode = WRITE_UPDATE};
    assert_int_equal(put_as(f, "b", "{\"v\":2}", &w), ERR_NOT_FOUND);
    assert_int_equal(store_head(f->store), 1);
    w = (struct write){.pre = {.rv = 1}};
    assert_int_equal(put_as(f, "a", "{\"v\":2}", &w), OK);
    object_unref(w.object);
    assert_int_equal(store_head(f->store), 2);
}

static void a_dry_run_checks_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct write w = {.dry_run = true};
    assert_int_equal(put_as(f, "a", "{\"v\":1}", &w), OK);
    assert_int_equal(w.result, WRITE_CREATED);
    assert_int_equal(w.rv, 0);
    object_unref(w.object);
    assert_null(fixture_text(f, "a"));
    assert_int_equal(store_head(f->store), 0);
    for (int i = 1; i <= 2; i++) {
        w = (struct write){0};
        assert_int_equal(put_as(f, "a", i == 1 ? "{\"v\":1}" : "{\"v\":2}", &w), OK);
        object_unref(w.object);
    }
    w = (struct write){.dry_run = true};
    assert_int_equal(put_as(f, "a", "{\"v\":3}", &w), OK);
    assert_int_equal(w.result, WRITE_UPDATED);
    assert_int_equal(w.rv, 2); /* as it is */
    object_unref(w.object);
}

static void a_repeated_request_gets_the_first_answer_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct write w = {
        .has_request_id = true, .request_id = {1, 2, 3}
    };
    assert_int_equal(put_as(f, "a", "{\"v\":1}", &w), OK);
    assert_int_equal(w.result, WRITE_CREATED);
    object_unref(w.object);
    struct write other = {0};
    assert_int_equal(put_as(f, "a", "{\"v\":2}", &other), OK);
    object_unref(other.object);
    for (int i = 0; i < 2; i++) {
        struct write again = {
            .has_request_id = true, .request_id = {1, 2, 3}
        };
        assert_int_equal(put_as(f, "a", "{\"v\":1}", &again), OK);
        assert_int_equal(again.result, WRITE_CREATED);
        assert_int_equal(again.rv, 1);
        assert_int_equal(again.generation, 1);
        assert_non_null(again.object);
        object_unref(again.object);
        assert_int_equal(store_head(f->store), 2);
        fixture_reopen(f);
    }
    struct write misused = {
        .has_request_id = true, .request_id = {1, 2, 3}
    };
    assert_int_equal(put_as(f, "b", "{\"v\":1}", &misused), ERR_INVALID);
    assert_string_equal(misused.err.field, "request_id");
}

static void a_repeated_request_is_answered_though_its_event_is_compacted(void **state)
{
    struct fixture *f = *state;
    struct write w = {.has_request_id = true, .request_id = {9}};
    assert_int_equal(put_as(f, "a", "{\"v\":1}", &w), OK);
    object_unref(w.object);
    assert_int_equal(fixture_put(f, "jobs", "default", "b", "{}", "{}", NULL), OK);
    enum errc rc = OK;
    assert_int_equal(fixture_compact(f, 0, &rc), 1);
    struct write again = {.has_request_id = true, .request_id = {9}};
    assert_int_equal(put_as(f, "a", "{\"v\":1}", &again), OK);
    assert_int_equal(again.result, WRITE_CREATED);
    assert_int_equal(again.rv, 1);
    assert_null(again.object);
    struct write deletion = {
        .key = {STR("jobs"), STR("default"), STR("a")},
        .verb = WRITE_DELETE,
        .has_request_id = true,
        .request_id = {9  }
    };
    assert_int_equal(fixture_write(f, &deletion), ERR_INVALID);
    assert_string_equal(deletion.err.field, "request_id");
    assert_int_equal(store_head(f->store), 2);
}

static void count_done(struct write *w)
{
    atomic_fetch_add((_Atomic int *)w->arg, 1);
}

static void new_resources_of_one_batch_count_once_each(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->opt.resources_max = 4;
    fixture_open(f);
    enum { WRITES = 60 };
    static struct write writes[WRITES];
    static char names[WRITES][8];
    json_t *spec = json_object();
    _Atomic int done = 0;
    /* Submitted at once, so that most are of one batch: two new resources, then many. */
    for (int i = 0; i < WRITES; i++) {
        snprintf(names[i], sizeof names[i], "%c%d", i < 40 ? 'a' + i % 2 : 'c', i);
        const char *resource = i < 40 ? (i % 2 != 0 ? "xs" : "ys") : names[i];
        writes[i] = (struct write){
            .key = {str_of(resource), STR("default"), str_of(names[i])},
            .verb = WRITE_SPEC,
            .json = spec,
            .bytes = 10,
            .done = count_done,
            .arg = &done
        };
        assert_int_equal(store_submit(f->store, &writes[i], &writes[i].err), OK);
    }
    while (atomic_load(&done) < WRITES) {
        usleep(1000);
    }
    int made = 0;
    for (int i = 0; i < WRITES; i++) {
        assert_int_equal(writes[i].err.code, i < 42 ? OK : ERR_LIMIT);
        made += writes[i].err.code == OK;
        object_unref(writes[i].object);
    }
    assert_int_equal(made, 42);
    json_decref(spec);
}

static void one_resource_too_many_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->opt.resources_max = 3;
    fixture_open(f);
    assert_int_equal(fixture_put(f, "as", "default", "x", "{}", "{}", NULL), OK);
    assert_int_equal(fixture_put(f, "bs", "default", "x", "{}", "{}", NULL), OK);
    assert_int_equal(fixture_put(f, "cs", "default", "x", "{}", "{}", NULL), OK);
    assert_int_equal(fixture_put(f, "ds", "default", "x", "{}", "{}", NULL), ERR_LIMIT);
    assert_int_equal(fixture_put(f, "cs", "default", "y", "{}", "{}", NULL), OK);
    assert_int_equal(store_head(f->store), 4);
}

/* ---- Lists
 * --------------------------------------------------------------------------------------- */

static void put_n(struct fixture *f, const char *ns, int from, int to, const char *spec)
{
    for (int i = from; i < to; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%03d", i);
        assert_int_equal(
            fixture_put(f, "jobs", ns, name, i % 2 != 0 ? "{\"odd\":\"y\"}" : "{}", spec, NULL),
            OK);
    }
}

static void all_pages_show_one_version_while_writes_compaction_and_restarts_go_on(void **state)
{
    struct fixture *f = *state;
    struct selection sel = {.resource = STR("jobs"), .ns = STR("default")};
    struct page p;
    char token[PAGE_TOKEN] = "";
    put_n(f, "default", 0, 50, "{\"v\":1}");
    size_t seen = 0;
    rv_t rv = 0;
    for (int page = 0; page == 0 || token[0] != '\0'; page++) {
        assert_int_equal(list_page(f, &sel, 7, token, &p), OK);
        rv = page == 0 ? p.list.rv : rv;
        assert_int_equal(p.list.rv, rv);
        for (size_t i = 0; i < p.n; i++) {
            char want[16];
            snprintf(want, sizeof want, "n%03d", (int)(seen + i));
            assert_string_equal(p.names[i], want);
            assert_int_equal(p.rvs[i], seen + i + 1);
        }
        seen += p.n;
        /* Change, delete, make again and add on both sides of the page. */
        put_n(f, "default", 0, 60, page % 2 != 0 ? "{\"v\":2}" : "{\"v\":3}");
        char name[16];
        snprintf(name, sizeof name, "n%03d", 49 - page);
        assert_int_equal(fixture_delete(f, "jobs", "default", name, NULL), OK);
        if (page == 2) {
            fixture_reopen(f);
        }
        if (page == 3) {
            enum errc rc = OK;
            assert_int_equal(fixture_compact(f, rv, &rc), rv);
        }
    }
    assert_int_equal(seen, 50);
}

static void a_limit_counts_selected_objects_only(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 0, 41, "{\"v\":1}");
    put_n(f, "def", 0, 3, "{\"v\":1}");
    put_n(f, "defaultx", 0, 3, "{\"v\":1}");
    struct selection sel = {
        .resource = STR("jobs"), .ns = STR("default"), .label_selector = STR("odd=y")};
    struct page p;
    char token[PAGE_TOKEN] = "";
    size_t pages = 0, seen = 0;
    do {
        assert_int_equal(list_page(f, &sel, 5, token, &p), OK);
        assert_int_equal(p.n, 5);
        seen += p.n;
        pages++;
    } while (token[0] != '\0');
    assert_int_equal(pages, 4);
    assert_int_equal(seen, 20);
}

static void a_list_of_one_name_in_very_many_namespaces_ends(void **state)
{
    struct fixture *f = *state;
    enum { SPACES = 9000 };
    static struct write writes[SPACES];
    static char spaces[SPACES][8];
    json_t *spec = json_object();
    _Atomic int done = 0;
    for (int i = 0; i < SPACES; i++) {
        snprintf(spaces[i], sizeof spaces[i], "s%d", i);
        writes[i] = (struct write){
            .key = {STR("jobs"), str_of(spaces[i]), STR("b")},
            .verb = WRITE_SPEC,
            .json = spec,
            .bytes = 10,
            .done = count_done,
            .arg = &done
        };
        assert_int_equal(store_submit(f->store, &writes[i], &writes[i].err), OK);
    }
    while (atomic_load(&done) < SPACES) {
        usleep(1000);
    }
    for (int i = 0; i < SPACES; i++) {
        assert_int_equal(writes[i].err.code, OK);
        object_unref(writes[i].object);
    }
    assert_int_equal(fixture_put(f, "jobs", "zz", "a", "{}", "{}", NULL), OK);
    struct selection sel = {.resource = STR("jobs"), .all_namespaces = true, .name = STR("a")};
    struct page p;
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, &sel, 10, token, &p), OK);
    assert_int_equal(p.n, 1);
    json_decref(spec);
}

static void a_token_of_another_selection_is_refused(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 0, 10, "{\"v\":1}");
    struct selection sel = {.resource = STR("jobs"), .ns = STR("default")};
    struct page p;
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, &sel, 5, token, &p), OK);
    sel.label_selector = STR("odd=y");
    assert_int_equal(list_page(f, &sel, 5, token, &p), ERR_INVALID);
}

/* ---- History
 * --------------------------------------------------------------------------------------- */

static void the_newest_event_survives_every_compaction(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 0, 10, "{\"v\":1}");
    enum errc rc = OK;
    assert_int_equal(fixture_compact(f, 0, &rc), 9);
    assert_int_equal(fixture_compact(f, 10, &rc), 9);
    assert_int_equal(rc, OK);
    (void)fixture_compact(f, 11, &rc);
    assert_int_equal(rc, ERR_FUTURE);
    fixture_reopen(f);
    assert_int_equal(store_head(f->store), 10);
    assert_int_equal(store_floor(f->store), 9);
    assert_int_equal(fixture_put(f, "jobs", "default", "z", "{}", "{}", NULL), OK);
    assert_int_equal(store_head(f->store), 11);
}

static void wait_for_events(struct fixture *f, uint64_t at_most)
{
    struct store_facts facts;
    for (int i = 0; i < 5000; i++) {
        store_facts(f->store, &facts);
        /* 0: those of before the start are still being counted. */
        if (facts.history_events > 0 && facts.history_events <= at_most) {
            return;
        }
        usleep(1000);
    }
    fail_msg("%llu events are kept", (unsigned long long)facts.history_events);
}

static void the_history_stays_within_its_number_and_bytes_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->opt.history_events = 100;
    fixture_open(f);
    for (int i = 0; i < 20; i++) {
        put_n(f, "default", 0, 20, i % 2 != 0 ? "{\"v\":1}" : "{\"v\":2}");
    }
    wait_for_events(f, 100);
    assert_true(store_floor(f->store) >= 300);
    assert_true(store_floor(f->store) < 400);
    fixture_close(f);
    f->opt.history_events = -1;
    f->opt.history_bytes = 10000;
    fixture_open(f);
    wait_for_events(f, 50);
    struct store_facts facts;
    store_facts(f->store, &facts);
    assert_true(facts.history_bytes <= 10000);
    assert_true(facts.history_events > 5);
    assert_int_equal(facts.objects, 20);
    assert_int_equal(facts.head - facts.floor, facts.history_events);
}

static _Atomic mono_ms_t fake_ms;
static mono_ms_t fake_mono(void *arg)
{
    (void)arg;
    return fake_ms;
}
static wall_ms_t fake_wall(void *arg)
{
    (void)arg;
    return 1;
}

static void a_full_history_is_never_more_than_an_eighth_over_its_limit(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    static const struct clock fake = {fake_mono, fake_wall, NULL};
    f->opt.history_events = 400;
    f->opt.clock = &fake;
    fixture_open(f);
    fake_ms += 10 * 1000; /* those who watched before the start are back */
    uint64_t most = 0;
    for (int i = 0; i < 3000; i++) { /* of each object an event that it still needs */
        char name[16], spec[32];
        struct store_facts facts;
        snprintf(name, sizeof(name), "n%d", i * 7 % 390);
        snprintf(spec, sizeof(spec), "{\"v\":%d}", i);
        assert_int_equal(fixture_put(f, "jobs", "default", name, "{}", spec, NULL), OK);
        store_facts(f->store, &facts);
        most = facts.history_events > most ? facts.history_events : most;
    }
    assert_in_range(most, 400, 450 + 2); /* what the writer is about to remove, and one more */
    wait_for_events(f, 400);
}

static void the_next_page_is_there_whatever_is_compacted_but_not_for_ever(void **state)
{
    struct fixture *f = *state;
    static const struct clock fake = {fake_mono, fake_wall, NULL};
    struct selection sel = {.resource = STR("jobs"), .ns = STR("default")};
    struct page p;
    char token[PAGE_TOKEN] = "";
    fixture_close(f);
    fake_ms = 1000;
    f->opt.clock = &fake;
    f->opt.history_events = 5;
    fixture_open(f);
    put_n(f, "default", 0, 20, "{\"v\":1}");
    enum errc rc = OK;
    (void)fixture_compact(f, 0, &rc);
    assert_int_equal(list_page(f, &sel, 7, token, &p), OK);
    put_n(f, "default", 0, 20, "{\"v\":2}");
    assert_int_equal(fixture_compact(f, 0, &rc), 20);
    fake_ms += 50 * 1000;
    assert_int_equal(list_page(f, &sel, 7, token, &p), OK);
    assert_int_equal(p.list.rv, 20);
    assert_int_equal(p.rvs[0], 8);
    fake_ms += 50 * 1000;
    assert_int_equal(fixture_compact(f, 0, &rc), 20);
    fake_ms += 11 * 1000;
    assert_int_equal(fixture_compact(f, 0, &rc), 39);
    assert_int_equal(list_page(f, &sel, 7, token, &p), ERR_EXPIRED);
    assert_int_equal(p.list.err.requested, 20);
    assert_int_equal(p.list.err.oldest, 39);
    assert_int_equal(p.list.err.head, 40);
}

static void the_age_of_history_counts_running_time_only(void **state)
{
    struct fixture *f = *state;
    static const struct clock fake = {fake_mono, fake_wall, NULL};
    fixture_close(f);
    fake_ms = 1000;
    f->opt.clock = &fake;
    f->opt.history_age_s = 640;
    fixture_open(f);
    put_n(f, "default", 0, 10, "{\"v\":1}");
    fake_ms += 20 * 1000;
    put_n(f, "default", 0, 1, "{\"v\":2}"); /* 20 s: version 10 or 11 is noted */
    usleep(20000);
    fixture_reopen(f); /* the time that passes before it is opened again does not count */
    fake_ms += 600 * 1000;
    put_n(f, "default", 0, 10, "{\"v\":3}"); /* 620 s */
    usleep(20000);
    assert_int_equal(store_floor(f->store), 0);
    fake_ms += 60 * 1000;
    put_n(f, "default", 0, 1, "{\"v\":4}"); /* 680 s: what was there at 20 s goes */
    for (int i = 0; i < 5000 && store_floor(f->store) < 10; i++) {
        usleep(1000);
    }
    assert_true(store_floor(f->store) >= 10);
    assert_true(store_floor(f->store) < 21);
}

static void one_object_too_many_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->opt.objects_max = 3;
    fixture_open(f);
    put_n(f, "default", 0, 3, "{}");
    assert_int_equal(fixture_put(f, "jobs", "default", "x", "{}", "{}", NULL), ERR_LIMIT);
    assert_int_equal(fixture_put(f, "jobs", "default", "n001", "{}", "{\"v\":2}", NULL), OK);
    assert_int_equal(fixture_delete(f, "jobs", "default", "n001", NULL), OK);
    assert_int_equal(fixture_put(f, "jobs", "default", "x", "{}", "{}", NULL), OK);
}

static void a_database_that_was_removed_takes_no_more_writes(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 0, 3, "{}");
    assert_int_equal(unlink(f->path), 0);
    usleep(1100 * 1000);
    assert_int_equal(fixture_put(f, "jobs", "default", "x", "{}", "{}", NULL), ERR_UNAVAILABLE);
    struct store_facts facts;
    store_facts(f->store, &facts);
    assert_non_null(strstr(facts.read_only_reason, "db"));
    assert_int_equal(store_head(f->store), 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(a_write_that_changes_nothing_uses_no_version),
        T(the_generation_counts_changes_outside_metadata_and_status),
        T(a_new_spec_keeps_metadata_and_status),
        T(a_precondition_that_fails_changes_nothing_and_names_both_versions),
        T(a_dry_run_checks_and_changes_nothing),
        T(a_repeated_request_gets_the_first_answer_also_after_a_restart),
        T(a_repeated_request_is_answered_though_its_event_is_compacted),
        T(new_resources_of_one_batch_count_once_each),
        T(one_resource_too_many_is_refused),
        T(all_pages_show_one_version_while_writes_compaction_and_restarts_go_on),
        T(the_next_page_is_there_whatever_is_compacted_but_not_for_ever),
        T(a_limit_counts_selected_objects_only),
        T(a_list_of_one_name_in_very_many_namespaces_ends),
        T(a_token_of_another_selection_is_refused),
        T(the_newest_event_survives_every_compaction),
        T(the_history_stays_within_its_number_and_bytes_also_after_a_restart),
        T(a_full_history_is_never_more_than_an_eighth_over_its_limit),
        T(the_age_of_history_counts_running_time_only),
        T(one_object_too_many_is_refused),
        T(a_database_that_was_removed_takes_no_more_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Gets and lists at versions, and what continue tokens hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_pages.h"
#include "store_setup.h"

static struct selection everything = {.resource = STR("all"), .all_namespaces = true};
static struct selection jobs = {.resource = STR("jobs"), .ns = STR("default")};

static rv_t put(struct fixture *f, const char *name, const char *spec)
{
    rv_t rv = 0;
    assert_int_equal(fixture_put(f, "jobs", "default", name, "{}", spec, &rv), OK);
    return rv;
}

static void put_n(struct fixture *f, const char *ns, int n, const char *spec)
{
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%03d", i);
        assert_int_equal(fixture_put(f, "jobs", ns, name, "{}", spec, NULL), OK);
    }
}

static enum errc get_at(struct fixture *f, const char *name, rv_t at, struct object **ret,
                        struct err *err)
{
    struct key key = {STR("jobs"), STR("default"), str_of(name)};
    return fixture_get_at(f, &key, at, ret, err);
}

static void assert_spec_at(struct fixture *f, const char *name, rv_t at, rv_t rv, const char *spec)
{
    struct object *o = NULL;
    struct err err;
    assert_int_equal(get_at(f, name, at, &o, &err), OK);
    assert_int_equal(o->rv, rv);
    CLEANUP(freep) char *body = str_dup(o->body);
    if (strstr(body, spec) == NULL) {
        fail_msg("at %d: %s lacks %s", (int)at, body, spec);
    }
    object_unref(o);
}

static void assert_none_at(struct fixture *f, const char *name, rv_t at, const char *why)
{
    struct object *o = NULL;
    struct err err;
    assert_int_equal(get_at(f, name, at, &o, &err), ERR_NOT_FOUND);
    assert_null(o);
    if (strstr(err.msg, why) == NULL) {
        fail_msg("at %d: \"%s\" lacks \"%s\"", (int)at, err.msg, why);
    }
}

static void an_object_is_shown_as_it_was_at_every_version(void **state)
{
    struct fixture *f = *state;
    put(f, "other", "{}");                                                    /* 1 */
    put(f, "a", "{\"v\":1}");                                                 /* 2 */
    put(f, "a", "{\"v\":2}");                                                 /* 3 */
    assert_int_equal(fixture_delete(f, "jobs", "default", "a", NULL), OK);    /* 4 */
    put(f, "other", "{\"x\":1}");                                             /* 5 */
    put(f, "a", "{\"v\":3}");                                                 /* 6 */
    assert_int_equal(fixture_delete(f, "jobs", "default", "other", NULL), 0); /* 7 */
    for (int round = 0; round < 2; round++) {
        assert_none_at(f, "a", 1, "made at version 2");
        assert_spec_at(f, "a", 2, 2, "\"spec\":{\"v\":1}");
        assert_spec_at(f, "a", 3, 3, "\"spec\":{\"v\":2}");
        assert_none_at(f, "a", 4, "deleted at version 4");
        assert_none_at(f, "a", 5, "deleted at version 4");
        assert_spec_at(f, "a", 6, 6, "\"spec\":{\"v\":3}");
        assert_spec_at(f, "a", 7, 6, "\"spec\":{\"v\":3}");
        assert_spec_at(f, "other", 4, 1, "\"spec\":{}");
        assert_none_at(f, "other", 7, "deleted at version 7");
        assert_none_at(f, "other", 0, "deleted at version 7");
        assert_none_at(f, "never", 3, "not found at version 3");
        fixture_reopen(f);
    }
}

static void versions_below_the_floor_and_above_the_head_are_refused_with_both(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 10, "{}");
    enum errc rc = OK;
    assert_int_equal(fixture_compact(f, 5, &rc), 5);
    struct object *o = NULL;
    struct err err;
    struct page p;
    char token[PAGE_TOKEN] = "";
    const struct {
        rv_t at;
        enum errc rc;
    } cases[] = {
        {4,  ERR_EXPIRED},
        {5,  OK         },
        {10, OK         },
        {11, ERR_FUTURE }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(get_at(f, "n000", cases[i].at, &o, &err), cases[i].rc);
        object_unref(o);
        assert_int_equal(list_page_at(f, &jobs, 0, LIST_EXACT, cases[i].at, token, &p),
                         cases[i].rc);
        if (cases[i].rc != OK) {
            assert_string_equal(token, "");
            assert_int_equal(err.requested, cases[i].at);
            assert_int_equal(err.oldest, 5);
            assert_int_equal(err.head, 10);
            assert_int_equal(p.list.err.requested, cases[i].at);
            assert_int_equal(p.list.err.oldest, 5);
            assert_int_equal(p.list.err.head, 10);
        } else {
            assert_int_equal(p.list.rv, cases[i].at);
            assert_int_equal(p.n, cases[i].at); /* one object was made by each version */
        }
    }
    assert_int_equal(list_page_at(f, &jobs, 0, LIST_NOT_OLDER, 3, token, &p), OK);
    assert_int_equal(p.list.rv, 10);
    assert_int_equal(list_page_at(f, &jobs, 0, LIST_NOT_OLDER, 10, token, &p), OK);
    assert_int_equal(list_page_at(f, &jobs, 0, LIST_NOT_OLDER, 11, token, &p), ERR_FUTURE);
}

static void what_is_left_is_counted_in_the_version_of_the_list(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 20, "{}");
    put_n(f, "other", 7, "{}");
    struct page p;
    const struct {
        struct selection sel;
        size_t left;
    } cases[] = {
        {jobs,                                                   15},
        {{.resource = STR("jobs"), .ns = STR("other")},          2 },
        {{.resource = STR("jobs"), .all_namespaces = true},      22},
        {everything,                                             22},
        {{.resource = STR("all"), .ns = STR("other")},           2 },
        {{.resource = STR("jobs"), .label_selector = STR("!a")}, 0 },
        {{.resource = STR("flags")},                             0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char token[PAGE_TOKEN] = "";
        assert_int_equal(list_page(f, &cases[i].sel, 5, token, &p), OK);
        assert_int_equal(p.list.remaining, cases[i].left);
    }
    /* Writes between the pages, and a restart, change nothing about the list's own version. */
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    assert_int_equal(fixture_delete(f, "jobs", "default", "n013", NULL), OK);
    put(f, "zzz", "{}");
    fixture_reopen(f);
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    assert_int_equal(p.list.remaining, 10);
    assert_int_equal(list_page(f, &jobs, 9, token, &p), OK);
    assert_int_equal(p.list.remaining, 1);
    assert_int_equal(list_page(f, &jobs, 9, token, &p), OK);
    assert_int_equal(p.list.remaining, 0);
    assert_string_equal(token, "");
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    assert_int_equal(p.list.remaining, 15); /* n013 went, zzz came */
}

/* The longest key that there can be. */
static void a_token_shows_no_name_and_has_room_for_the_longest(void **state)
{
    struct fixture *f = *state;
    char name[NAME_MAX_LEN + 1], ns[NAMESPACE_MAX_LEN + 1], resource[RESOURCE_MAX_LEN + 1];
    memset(name, 'x', sizeof name);
    memset(ns, 'y', sizeof ns);
    memset(resource, 'z', sizeof resource);
    name[NAME_MAX_LEN] = ns[NAMESPACE_MAX_LEN] = resource[RESOURCE_MAX_LEN] = '\0';
    assert_int_equal(fixture_put(f, resource, ns, name, "{}", "{}", NULL), OK);
    name[NAME_MAX_LEN - 1] = 'y';
    assert_int_equal(fixture_put(f, resource, ns, name, "{}", "{}", NULL), OK);
    struct page p;
    char token[PAGE_TOKEN] = "", again[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, &everything, 1, token, &p), OK);
    assert_int_equal(list_page(f, &everything, 1, again, &p), OK);
    assert_string_not_equal(token, again);
    /* Sixteen equal letters in clear are the same four digits over and over. */
    for (size_t i = 0; i + 16 <= strlen(token); i++) {
        assert_memory_not_equal(token + i, token + i + 4, 12);
    }
    assert_int_equal(list_page(f, &everything, 1, token, &p), OK);
    assert_int_equal(p.n, 1);
    assert_string_equal(token, "");
}

static enum errc read_token(struct fixture *f, const char *token, struct list *l)
{
    uint8_t bytes[POSITION_MAX];
    struct err err = {0};
    enum errc rc = list_token_read(f->store, str_of(token), bytes, l, &err);
    if (rc != OK) {
        assert_string_equal(err.field, "continue_token");
    }
    return rc;
}

static void a_token_that_was_changed_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 3, "{}");
    struct page p;
    struct list l = {0};
    char token[PAGE_TOKEN] = "", bad[PAGE_TOKEN];
    assert_int_equal(list_page(f, &jobs, 1, token, &p), OK);
    assert_int_equal(read_token(f, token, &l), OK);
    size_t n = strlen(token);
    static const char others[] = "AQgw-_*";
    for (size_t i = 0; i < n; i++) {
        for (const char *c = others; *c != '\0'; c++) {
            memcpy(bad, token, n + 1);
            bad[i] = *c;
            assert_int_equal(read_token(f, bad, &l), *c == token[i] ? OK : ERR_INVALID);
        }
        memcpy(bad, token, n + 1);
        bad[i] = '\0'; /* cut off */
        assert_int_equal(read_token(f, bad, &l), ERR_INVALID);
        memcpy(bad, token, i);
        memcpy(bad + i, token + i + 1, n - i); /* one left out */
        assert_int_equal(read_token(f, bad, &l), ERR_INVALID);
    }
    snprintf(bad, sizeof bad, "%sA", token);
    assert_int_equal(read_token(f, bad, &l), ERR_INVALID);
    memset(bad, 'A', sizeof bad - 1);
    bad[sizeof bad - 1] = '\0';
    assert_int_equal(read_token(f, bad, &l), ERR_INVALID);
}

static void a_token_belongs_to_its_store_and_selection(void **state)
{
    struct fixture *f = *state;
    struct fixture other;
    fixture_init(&other);
    fixture_open(&other);
    put_n(f, "default", 3, "{}");
    put_n(&other, "default", 3, "{}");
    struct page p;
    char token[PAGE_TOKEN] = "", copy[PAGE_TOKEN];
    assert_int_equal(list_page(f, &jobs, 1, token, &p), OK);
    memcpy(copy, token, sizeof copy);
    assert_int_equal(list_page(&other, &jobs, 1, copy, &p), ERR_FOREIGN);
    memcpy(copy, token, sizeof copy);
    assert_int_equal(list_page(f, &everything, 1, copy, &p), ERR_INVALID);
    assert_string_equal(p.list.err.field, "continue_token");
    fixture_close(&other);
    fixture_fini(&other);
}

static void an_expired_token_is_answered_with_one_that_goes_on_at_the_newest_version(void **state)
{
    struct fixture *f = *state;
    put_n(f, "default", 12, "{\"v\":1}");
    struct page p;
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    rv_t first = p.list.rv;
    put_n(f, "default", 12, "{\"v\":2}");
    fixture_reopen(f); /* the lease of the first version ends with it */
    enum errc rc = OK;
    assert_int_equal(fixture_compact(f, 20, &rc), 20);
    assert_int_equal(list_page(f, &jobs, 5, token, &p), ERR_EXPIRED);
    assert_int_equal(p.list.err.requested, first);
    assert_int_equal(p.list.err.oldest, 20);
    assert_int_equal(p.list.err.head, 24);
    assert_string_not_equal(token, "");
    put(f, "n001", "{\"v\":3}");
    put(f, "n002x", "{\"v\":3}");
    put(f, "n008", "{\"v\":3}");
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    assert_int_equal(p.list.rv, 27);
    assert_string_equal(p.names[0], "n005");
    assert_int_equal(p.n, 5);
    assert_int_equal(p.list.remaining, 0); /* not known */
    put(f, "n011", "{\"v\":4}");
    assert_int_equal(list_page(f, &jobs, 5, token, &p), OK);
    assert_int_equal(p.list.rv, 27);
    assert_int_equal(p.n, 2);
    assert_non_null(strstr(p.bodies[1], "\"v\":2")); /* n011 as of 27 */
    assert_string_equal(token, "");
}

static void a_list_at_an_old_version_passes_over_what_was_made_later(void **state)
{
    struct fixture *f = *state;
    put(f, "m", "{}");
    put_n(f, "default", 300, "{}");
    struct page p;
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page_at(f, &jobs, 1, LIST_EXACT, 1, token, &p), OK);
    assert_int_equal(p.n, 1);
    assert_string_equal(p.names[0], "m");
    assert_string_equal(token, "");
    fixture_reopen(f);
    assert_int_equal(list_page_at(f, &jobs, 1, LIST_EXACT, 1, token, &p), OK);
    assert_int_equal(p.n, 1);
    assert_string_equal(token, "");
}

static void versions_inside_a_transaction_are_not_shown(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "{\"v\":1}");
    struct fixture_op ops[3] = {
        {.resource = "jobs", .ns = "default", .name = "a", .doc = "{\"metadata\":{},\"spec\":{}}"},
        {.resource = "jobs", .ns = "default", .name = "b", .doc = "{\"metadata\":{},\"spec\":{}}"},
        {.resource = "jobs", .ns = "default", .name = "c", .doc = "{\"metadata\":{},\"spec\":{}}"},
    };
    struct err err;
    rv_t end = 0;
    assert_int_equal(fixture_txn(f, ops, 3, NULL, false, &end, &err), OK);
    assert_int_equal(end, 4);
    for (rv_t at = 1; at <= 4; at++) {
        enum errc want = at == 2 || at == 3 ? ERR_INVALID : OK;
        struct object *o = NULL;
        struct page p;
        char token[PAGE_TOKEN] = "";
        assert_int_equal(get_at(f, "a", at, &o, &err), want);
        object_unref(o);
        assert_int_equal(list_page_at(f, &jobs, 0, LIST_EXACT, at, token, &p), want);
        if (want != OK) {
            assert_string_equal(err.field, "resource_version");
            assert_string_equal(p.list.err.field, "resource_version");
            assert_non_null(strstr(err.msg, "version 4, which shows all of it"));
            assert_non_null(strstr(err.msg, "or 1, which was before it"));
            assert_string_equal(p.list.err.msg, err.msg);
        } else {
            assert_int_equal(p.n, at == 1 ? 1 : 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
        T(an_object_is_shown_as_it_was_at_every_version),
        T(versions_below_the_floor_and_above_the_head_are_refused_with_both),
        T(what_is_left_is_counted_in_the_version_of_the_list),
        T(a_token_shows_no_name_and_has_room_for_the_longest),
        T(a_token_that_was_changed_anywhere_is_refused),
        T(a_token_belongs_to_its_store_and_selection),
        T(an_expired_token_is_answered_with_one_that_goes_on_at_the_newest_version),
        T(a_list_at_an_old_version_passes_over_what_was_made_later),
        T(versions_inside_a_transaction_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

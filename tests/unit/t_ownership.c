/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply, scenario by scenario: the document, who owns what, conflicts. */
#include "tests/unit/thing.h"

static void what_is_applied_to_nothing_is_the_document_and_all_of_it_is_owned(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a",
          "{\"apiVersion\":\"v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"x\",\"uid\":\"1\","
          "\"labels\":{\"l\":\"1\"},\"creationTimestamp\":null,\"annotations\":null,"
          "\"finalizers\":[\"a/b\"],\"ownerReferences\":[{\"uid\":\"7\",\"kind\":\"K\"}]},"
          "\"spec\":{\"list\":[1,{}],\"map\":{},\"null\":null,\"n\":0.5},\"status\":\"ok\"}");
    check_doc(&t,
              "{\"apiVersion\":\"v1\",\"kind\":\"Job\",\"metadata\":{\"labels\":{\"l\":\"1\"},"
              "\"ownerReferences\":[{\"uid\":\"7\",\"kind\":\"K\"}],\"finalizers\":[\"a/b\"]},"
              "\"spec\":{\"list\":[1,{}],\"map\":{},\"null\":null,\"n\":0.5},\"status\":\"ok\"}");
    check_set(&t, "a", true,
              "{\"f:metadata\":{\"f:finalizers\":{\".\":{},\"v:\\\"a/b\\\"\":{}},"
              "\"f:labels\":{\".\":{},\"f:l\":{}},"
              "\"f:ownerReferences\":{\".\":{},\"k:{\\\"uid\\\":\\\"7\\\"}\":"
              "{\".\":{},\"f:kind\":{},\"f:uid\":{}}}},"
              "\"f:spec\":{\".\":{},\"f:list\":{},\"f:map\":{},\"f:n\":{},\"f:null\":{}},"
              "\"f:status\":{}}");
    assert_int_equal(t.managed.n, 1);
}

static void two_who_apply_different_fields_own_each_their_own(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1}}");
    apply(&t, "b", "{\"spec\":{\"y\":2}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"x\":1,\"y\":2}}");
    check_set(&t, "a", true, "{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    check_set(&t, "b", true, "{\"f:spec\":{\".\":{},\"f:y\":{}}}");
}

static void what_one_no_longer_applies_is_removed_unless_another_owns_it(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":2,\"m\":{\"z\":3}}}");
    apply(&t, "b", "{\"spec\":{\"y\":2}}");
    apply(&t, "a", "{\"spec\":{}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"y\":2}}");
    check_set(&t, "a", true, "{\"f:spec\":{}}");
    apply(&t, "b", "{}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{}}");
    check_set(&t, "b", true, NULL);
    apply(&t, "a", "{}");
    check_doc(&t, "{\"metadata\":{}}");
    assert_int_equal(t.managed.n, 0);
}

static void a_map_stays_while_another_has_something_in_it(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"m\":{\"x\":1}}}");
    update(&t, "b", "{\"spec\":{\"m\":{\"x\":1,\"y\":2}}}");
    apply(&t, "a", "{}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"m\":{\"y\":2}}}");
    check_set(&t, "b", false, "{\"f:spec\":{\"f:m\":{\"f:y\":{}}}}");
}

static void equal_values_are_shared_without_conflict(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1,\"l\":[1,2]}}");
    apply(&t, "b", "{\"spec\":{\"x\":1,\"l\":[1,2]}}");
    check_set(&t, "a", true, "{\"f:spec\":{\".\":{},\"f:l\":{},\"f:x\":{}}}");
    check_set(&t, "b", true, "{\"f:spec\":{\".\":{},\"f:l\":{},\"f:x\":{}}}");
    /* 1 and 1.0 are two values. */
    assert_int_equal(try_apply(&t, "b", "{\"spec\":{\"x\":1.0}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.x a");
}

static void all_conflicts_are_told_at_once_and_change_nothing(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"x\":1,\"y\":[1]}}");
    apply(&t, "b", "{\"spec\":{\"x\":1,\"z\":1}}");
    CLEANUP(freep) char *before = managed_text(&t.managed);
    assert_int_equal(try_apply(&t, "c",
                               "{\"metadata\":{\"labels\":{\"app\":\"db\"}},"
                               "\"spec\":{\"x\":2,\"y\":[],\"z\":1,\"new\":1}}",
                               false),
                     ERR_CONFLICT);
    check_conflicts(&t, "metadata.labels.app a, spec.x a, spec.y a, spec.x b");
    assert_int_equal(t.conflicts->more, 0);
    CLEANUP(freep) char *after = managed_text(&t.managed);
    assert_string_equal(before, after);
}

static void force_takes_over(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":1}}");
    assert_int_equal(try_apply(&t, "b", "{\"spec\":{\"x\":2}}", true), OK);
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"x\":2,\"y\":1}}");
    check_set(&t, "a", true, "{\"f:spec\":{\".\":{},\"f:y\":{}}}");
    check_set(&t, "b", true, "{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    /* Now it is the other who conflicts. */
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":1}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.x b");
    /* What was taken away is not removed by not applying it. */
    apply(&t, "a", "{\"spec\":{}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"x\":2}}");
}

static void other_writes_take_over_what_they_change(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":1,\"z\":1}}");
    update(&t, "b", "{\"spec\":{\"x\":2,\"y\":1,\"w\":1}}");
    check_set(&t, "a", true, "{\"f:spec\":{\".\":{},\"f:y\":{}}}");
    check_set(&t, "b", false, "{\"f:spec\":{\"f:w\":{},\"f:x\":{}}}");
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":1,\"z\":1}}", false),
                     ERR_CONFLICT);
    check_conflicts(&t, "spec.x b/update");
    /* The same name writing in two ways is two owners. */
    update(&t, "a", "{\"spec\":{\"x\":2,\"y\":5,\"w\":1}}");
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"y\":1}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.y a/update");
}

static void replacing_a_map_conflicts_with_those_who_own_what_is_in_it(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"m\":{}}}");
    update(&t, "b", "{\"spec\":{\"m\":{\"x\":1}}}");
    assert_int_equal(try_apply(&t, "c", "{\"spec\":{\"m\":5}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.m a, spec.m.x b/update");
    assert_int_equal(try_apply(&t, "c", "{\"spec\":{\"m\":5}}", true), OK);
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"m\":5}}");
    check_set(&t, "a", true, "{\"f:spec\":{}}");
    check_set(&t, "b", false, NULL);
    /* And back. */
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"m\":{\"y\":1}}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.m c");
}

static void all_that_was_there_before_the_first_apply_has_an_owner(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {.doc = json_of("{\"kind\":\"K\",\"spec\":{\"x\":1}}")};
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"x\":2}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.x " MANAGER_BEFORE "/update");
    apply(&t, "a", "{\"spec\":{\"x\":1,\"y\":1}}");
    check_set(&t, MANAGER_BEFORE, false, "{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    check_doc(&t, "{\"kind\":\"K\",\"metadata\":{},\"spec\":{\"x\":1,\"y\":1}}");
    apply(&t, "a", "{}");
    check_doc(&t, "{\"kind\":\"K\",\"metadata\":{},\"spec\":{\"x\":1}}");
}

static void an_apply_that_changes_nothing_changes_no_time_either(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"x\":1,\"m\":{}}}");
    CLEANUP(freep) char *before = managed_text(&t.managed);
    apply(&t, "a", "{\"spec\":{\"m\":{},\"x\":1}}");
    update(&t, "b", "{\"metadata\":{\"uid\":\"9\"},\"spec\":{\"m\":{},\"x\":1}}");
    CLEANUP(freep) char *after = managed_text(&t.managed);
    assert_string_equal(before, after);
    apply(&t, "a", "{\"spec\":{\"m\":{},\"x\":2}}");
    CLEANUP(freep) char *changed = managed_text(&t.managed);
    assert_string_not_equal(before, changed);
}

static void what_nests_too_deep_is_one_value(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    char one[4096] = "";
    char two[4096] = "";
    char **ends[] = {&(char *){one}, &(char *){two}};
    for (int k = 0; k < 2; k++) {
        char *at = *ends[k];
        for (int i = 0; i < FIELDS_DEPTH_MAX + 2; i++) {
            at += sprintf(at, "{\"a\":");
        }
        at += sprintf(at, "%d", k);
        for (int i = 0; i < FIELDS_DEPTH_MAX + 2; i++) {
            at += sprintf(at, "}");
        }
    }
    apply(&t, "a", one);
    CLEANUP(freep) char *text = managed_text(&t.managed);
    CLEANUP(managed_fini) struct managed back = {0};
    struct err err = {0};
    assert_ok(managed_read(str_of(text), &back, &err), &err);
    assert_int_equal(try_apply(&t, "b", two, false), ERR_CONFLICT);
    assert_int_equal(t.conflicts->n, 1);
    assert_int_equal(strlen(t.conflicts->v[0].field), FIELDS_DEPTH_MAX * 2 - 1);
}

static void very_many_conflicts_are_counted(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    CLEANUP(json_decrefp) json_t *config = json_object();
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        json_object_set_new(config, name, json_integer(1));
    }
    CLEANUP(freep) char *one = text_of(config);
    apply(&t, "a", one);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        json_object_set_new(config, name, json_integer(2));
    }
    CLEANUP(freep) char *two = text_of(config);
    assert_int_equal(try_apply(&t, "b", two, false), ERR_CONFLICT);
    assert_int_equal(t.conflicts->n + t.conflicts->more, 1000);
    assert_true(t.conflicts->n > 50 && t.conflicts->more > 800);
}

static void too_many_who_apply_are_refused(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    for (int i = 0; i <= MANAGERS_APPLYING; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        assert_int_equal(try_apply(&t, name, "{\"spec\":{}}", false),
                         i < MANAGERS_APPLYING ? OK : ERR_LIMIT);
    }
    apply(&t, "m0", "{}");
    apply(&t, "m64", "{\"spec\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_applied_to_nothing_is_the_document_and_all_of_it_is_owned),
        cmocka_unit_test(two_who_apply_different_fields_own_each_their_own),
        cmocka_unit_test(what_one_no_longer_applies_is_removed_unless_another_owns_it),
        cmocka_unit_test(a_map_stays_while_another_has_something_in_it),
        cmocka_unit_test(equal_values_are_shared_without_conflict),
        cmocka_unit_test(all_conflicts_are_told_at_once_and_change_nothing),
        cmocka_unit_test(force_takes_over),
        cmocka_unit_test(other_writes_take_over_what_they_change),
        cmocka_unit_test(replacing_a_map_conflicts_with_those_who_own_what_is_in_it),
        cmocka_unit_test(all_that_was_there_before_the_first_apply_has_an_owner),
        cmocka_unit_test(an_apply_that_changes_nothing_changes_no_time_either),
        cmocka_unit_test(what_nests_too_deep_is_one_value),
        cmocka_unit_test(very_many_conflicts_are_counted),
        cmocka_unit_test(too_many_who_apply_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

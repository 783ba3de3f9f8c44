/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/managed.h"
#include "tests/unit/json_random.h"

#define ENTRY(name, operation, time, set)                                        \
    "{\"manager\":\"" name "\",\"operation\":\"" operation "\",\"time\":\"" time \
    "\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" set "}"
#define NOON "2026-01-02T12:00:00Z"

static void check_text(const struct managed *m, const char *expected)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    managed_write(m, &text);
    assert_str(buf_str(&text), expected);
}

static void add(struct managed *m, const char *name, bool applies, const char *time,
                const char *field)
{
    struct manager *x = managed_have(m, str_of(name), applies, false);
    snprintf(x->time, sizeof(x->time), "%s", time);
    struct fields *below = fields_add(x->set, 'f', str_of(field));
    below->here = true;
    fields_settle(x->set);
}

static void managers_are_written_in_one_order_and_read_back(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    add(&m, "b", false, "2026-01-02T12:00:00Z", "x");
    add(&m, "z", true, "2026-01-02T12:00:01Z", "x");
    add(&m, "c", false, "2026-01-02T12:00:00Z", "y");
    add(&m, "a", false, "2026-01-02T12:00:09Z", "z");
    add(&m, "b", true, "2026-01-02T12:00:01Z", "x");
    assert_true(managed_settle(&m, SIZE_MAX));
    const char *expected =
        "[" ENTRY("b", "Apply", "2026-01-02T12:00:01Z", "{\"f:x\":{}}") "," ENTRY(
            "z", "Apply", "2026-01-02T12:00:01Z",
            "{\"f:x\":{}}") "," ENTRY("b", "Update", NOON,
                                      "{\"f:x\":{}}") "," ENTRY("c", "Update", NOON,
                                                                "{\"f:y\":{}}") "," ENTRY("a",
                                                                                          "Update",
                                                                                          "2026-01-"
                                                                                          "02T12:"
                                                                                          "00:"
                                                                                          "09Z",
                                                                                          "{\"f:"
                                                                                          "z\":{}"
                                                                                          "}") "]";
    check_text(&m, expected);
    CLEANUP(managed_fini) struct managed back = {0};
    struct err err = {0};
    assert_ok(managed_read(str_of(expected), &back, &err), &err);
    assert_int_equal(back.n, 5);
    check_text(&back, expected);
    assert_non_null(managed_find(&back, STR("b"), true, false));
    assert_non_null(managed_find(&back, STR("b"), false, false));
    assert_null(managed_find(&back, STR("a"), true, false));
}

static void nobody_is_the_empty_text_and_the_empty_array(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    struct err err = {0};
    assert_ok(managed_read(STR_EMPTY, &m, &err), &err);
    assert_int_equal(m.n, 0);
    assert_ok(managed_read(STR("[]"), &m, &err), &err);
    assert_int_equal(m.n, 0);
    check_text(&m, "[]");
}

static void a_text_that_is_no_list_of_managers_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "x",
        "[1]",
        "[{}]",
        "[" ENTRY("", "Apply", NOON, "{}") "]",
        "[" ENTRY("a\\n", "Apply", NOON, "{}") "]",
        "[" ENTRY("a", "apply", NOON, "{}") "]",
        "[" ENTRY("a", "Apply", "", "{}") "]",
        "[" ENTRY("a", "Apply", "2026", "{}") "]",
        "[" ENTRY("a", "Apply", NOON, "[]") "]",
        "[" ENTRY("a", "Apply", NOON, "{\"a\":{}}") "]",
        "[" ENTRY("a", "Apply", NOON, "{}") "," ENTRY("a", "Apply", NOON, "{}") "]",
        "[{\"manager\":\"a\",\"operation\":\"Apply\",\"time\":\"" NOON "\",\"fieldsV1\":{}}]",
        "[{\"manager\":\"a\",\"operation\":\"Apply\",\"time\":\"" NOON
        "\",\"fieldsType\":\"FieldsV1\"}]",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct managed m = {0};
        struct err err = {0};
        assert_case(managed_read(str_of(cases[i]), &m, &err) == ERR_INVALID, cases[i]);
        assert_string_equal(err.field, "managedFields");
        assert_int_equal(m.n, 0);
    }
}

static void names_of_managers_are_short_and_printable(void **state)
{
    (void)state;
    char longest[MANAGER_MAX_LEN + 2];
    memset(longest, 'x', sizeof(longest));
    struct err err = {0};
    assert_ok(manager_check((struct str){longest, MANAGER_MAX_LEN}, &err), &err);
    assert_ok(manager_check(STR("caf\xc3\xa9 & co"), &err), &err);
    const struct str bad[] = {
        STR_EMPTY, {longest, MANAGER_MAX_LEN + 1},
         STR("a\tb"), STR("\x7f"), STR("a\xff")
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(manager_check(bad[i], &err), ERR_INVALID);
        assert_string_equal(err.field, "field_manager");
    }
}

static void those_who_own_nothing_are_forgotten(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    (void)managed_have(&m, STR("nothing"), true, false);
    add(&m, "something", true, NOON, "x");
    (void)managed_have(&m, STR("nothing"), false, false);
    assert_true(managed_settle(&m, SIZE_MAX));
    check_text(&m, "[" ENTRY("something", "Apply", NOON, "{\"f:x\":{}}") "]");
}

static void the_oldest_of_more_than_ten_who_update_are_joined(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    for (int i = 0; i < MANAGERS_UPDATING + 2; i++) {
        char name[16];
        char time[CLOCK_RFC3339_LEN + 1];
        snprintf(name, sizeof(name), "m%02d", i);
        /* The later in the alphabet, the older. */
        clock_rfc3339((wall_ms_t)(100 - i) * 1000, time);
        add(&m, name, false, time, name);
        assert_true(managed_settle(&m, SIZE_MAX));
    }
    assert_int_equal(m.n, MANAGERS_UPDATING);
    struct manager *ancient = managed_find(&m, STR(MANAGER_ANCIENT), false, false);
    assert_non_null(ancient);
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    fields_write(ancient->set, &text);
    assert_str(buf_str(&text), "{\"f:m09\":{},\"f:m10\":{},\"f:m11\":{}}");
    assert_string_equal(ancient->time, "1970-01-01T00:01:31Z");
    assert_non_null(managed_find(&m, STR("m00"), false, false));
    assert_null(managed_find(&m, STR("m11"), false, false));
}

static void those_who_apply_are_bounded_and_never_joined(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    for (int i = 0; i <= MANAGERS_APPLYING; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        add(&m, name, true, NOON, "x");
        assert_int_equal(managed_settle(&m, SIZE_MAX), i < MANAGERS_APPLYING);
    }
}

static void too_much_text_joins_those_who_update_and_at_last_forgets_them(void **state)
{
    (void)state;
    CLEANUP(managed_fini) struct managed m = {0};
    add(&m, "applies", true, NOON, "x");
    add(&m, "one", false, NOON, "x");
    add(&m, "two", false, NOON, "x");
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    managed_write(&m, &text);
    assert_true(managed_settle(&m, text.n));
    assert_int_equal(m.n, 3);
    assert_true(managed_settle(&m, text.n - 50));
    assert_int_equal(m.n, 2);
    assert_non_null(managed_find(&m, STR(MANAGER_ANCIENT), false, false));
    assert_true(managed_settle(&m, text.n / 2));
    assert_int_equal(m.n, 1);
    assert_non_null(managed_find(&m, STR("applies"), true, false));
    assert_false(managed_settle(&m, 20));
    assert_int_equal(m.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(managers_are_written_in_one_order_and_read_back),
        cmocka_unit_test(nobody_is_the_empty_text_and_the_empty_array),
        cmocka_unit_test(a_text_that_is_no_list_of_managers_is_refused),
        cmocka_unit_test(names_of_managers_are_short_and_printable),
        cmocka_unit_test(those_who_own_nothing_are_forgotten),
        cmocka_unit_test(the_oldest_of_more_than_ten_who_update_are_joined),
        cmocka_unit_test(those_who_apply_are_bounded_and_never_joined),
        cmocka_unit_test(too_much_text_joins_those_who_update_and_at_last_forgets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

static void every_code_has_a_row_and_a_unique_reason(void **state)
{
    (void)state;
    for (int i = 0; i < ERRC_COUNT; i++) {
        const struct err_info *info = err_info((enum errc)i);
        assert_non_null(info->name);
        assert_true(info->grpc >= 0 && info->grpc <= 16);
        assert_int_equal(errc_from_reason(info->reason), i);
    }
    assert_int_equal(errc_from_reason("NO_SUCH_REASON"), ERRC_COUNT);
    assert_ptr_equal(err_info((enum errc)999), err_info(ERR_INTERNAL));
}

static void a_failing_function_fills_the_error_and_returns_its_code(void **state)
{
    (void)state;
    struct err e = {.requested = 1, .oldest = 2, .head = 3, .retry_ms = 4, .field = "old"};
    assert_int_equal(err_set(&e, ERR_NOT_FOUND, "%s is not there", "a"), ERR_NOT_FOUND);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.msg, "a is not there");
    assert_string_equal(e.field, "");
    assert_true(e.requested == 0 && e.oldest == 0 && e.head == 0 && e.retry_ms == 0);
    assert_int_equal(err_field(&e, ERR_INVALID, "metadata.name", "no"), ERR_INVALID);
    assert_string_equal(e.field, "metadata.name");
    assert_int_equal(err_set(NULL, ERR_LIMIT, "nobody listens"), ERR_LIMIT);
}

static void versions_that_cannot_be_resumed_are_told_with_the_bounds(void **state)
{
    (void)state;
    static const enum errc codes[] = {ERR_EXPIRED, ERR_FUTURE, ERR_FOREIGN};
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct err e;
        assert_int_equal(err_version(&e, codes[i], 5, 10, 20), codes[i]);
        assert_int_equal(e.requested, 5);
        assert_int_equal(e.oldest, 10);
        assert_int_equal(e.head, 20);
        assert_non_null(strstr(e.msg, " 5 "));
        assert_non_null(strstr(e.msg, "20"));
        assert_int_equal(err_version(NULL, codes[i], 5, 10, 20), codes[i]);
    }
}

static void messages_are_one_line_of_utf8_whatever_they_quote(void **state)
{
    (void)state;
    struct err e;
    err_field(&e, ERR_INVALID, "a\nb\x7f", "x\ny\x1b[0m \xff \xc3\xa9 end");
    assert_string_equal(e.field, "a b ");
    assert_string_equal(e.msg, "x y [0m ? \xc3\xa9 end");

    /* A character that the end of the room cuts in two goes as a whole. */
    char text[sizeof(e.msg) * 2];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 4);
        }
        err_set(&e, ERR_INVALID, "%s", text);
        size_t n = strlen(e.msg);
        for (size_t at = 0; at < n;) {
            size_t len = utf8_len(e.msg + at, n - at);
            assert_int_not_equal(len, 0);
            at += len;
        }
        assert_null(strchr(e.msg, '?'));
        assert_true(n > sizeof(e.msg) - 5);

        text[sizeof(e.field) - 1] = '\0';
        err_field(&e, ERR_INVALID, text, "no");
        err_within(&e, "operations[%d]", 7);
        n = strlen(e.field);
        for (size_t at = 0; at < n;) {
            size_t len = utf8_len(e.field + at, n - at);
            assert_int_not_equal(len, 0);
            at += len;
        }
        assert_true(n > sizeof(e.field) - 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_row_and_a_unique_reason),
        cmocka_unit_test(a_failing_function_fills_the_error_and_returns_its_code),
        cmocka_unit_test(versions_that_cannot_be_resumed_are_told_with_the_bounds),
        cmocka_unit_test(messages_are_one_line_of_utf8_whatever_they_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/delta.h"
#include "tests/unit/check.h"

/* Makes a delta, applies it, returns its size. */
static size_t round_trip(struct str newer, struct str older)
{
    CLEANUP(buf_fini) struct buf delta;
    CLEANUP(buf_fini) struct buf back;
    buf_init(&delta, (size_t)4 * 1024 * 1024);
    buf_init(&back, (size_t)4 * 1024 * 1024);
    delta_make(newer, older, &delta);
    assert_true(delta_apply(newer, buf_str(&delta), &back));
    assert_true(str_eq(buf_str(&back), older));
    return delta.n;
}

static void the_older_text_comes_back(void **state)
{
    (void)state;
    static const struct {
        const char *newer;
        const char *older;
        size_t size;
    } cases[] = {
        {"",                    "",                    2 },
        {"abc",                 "",                    2 },
        {"",                    "abc",                 5 },
        {"abc",                 "abc",                 2 },
        {"abcdefghij",          "abcdeXfghij",         3 },
        {"aaaa",                "aaaaaa",              4 }, /* head and tail must not overlap */
        {"aaaaaa",              "aaaa",                2 },
        {"abab",                "ab",                  2 },
        {"x12345678y12345678z", "x12345678Y12345678z", 3 },
        {"completely",          "different",           11},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = round_trip(str_of(cases[i].newer), str_of(cases[i].older));
        assert_case(n == cases[i].size, cases[i].newer);
    }
}

static void random_edits_come_back(void **state)
{
    (void)state;
    struct dice d = {5};
    char newer[600];
    char older[600];
    for (int i = 0; i < 20000; i++) {
        size_t alphabet = 1 + dice_below(&d, 3);
        size_t n = dice_below(&d, 300);
        for (size_t j = 0; j < n; j++) {
            newer[j] = (char)('a' + dice_below(&d, alphabet));
        }
        size_t cut = dice_below(&d, n + 1);
        size_t gone = dice_below(&d, n - cut + 1);
        size_t added = dice_below(&d, 40);
        memcpy(older, newer, cut);
        memset(older + cut, 'x', added);
        memcpy(older + cut + added, newer + cut + gone, n - cut - gone);
        size_t size = round_trip((struct str){newer, n}, (struct str){older, n - gone + added});
        assert_true(size <= added + 2 + 4);
    }
}

static void a_large_text_with_a_small_edit_has_a_small_delta(void **state)
{
    (void)state;
    size_t n = 1024 * 1024;
    CLEANUP(freep) char *a = mem_alloc(n);
    for (size_t i = 0; i < n; i++) {
        a[i] = (char)(i % 251);
    }
    CLEANUP(freep) char *b = mem_dup(a, n);
    b[n / 2] = '!';
    assert_true(round_trip((struct str){a, n}, (struct str){b, n}) < 10);
}

static void a_delta_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct str deltas[] = {
        {"",                                             0 },
        {"\x01",                                         1 },
        {"\x04\x00",                                     2 },
        {"\x00\x04",                                     2 },
        {"\x02\x02",                                     2 },
        {"\x80\x80",                                     2 },
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02", 11},
        {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
    };
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT(deltas); i++) {
        assert_false(delta_apply(STR("abc"), deltas[i], &out));
        assert_int_equal(out.n, 0);
    }
    assert_false(delta_apply(STR_EMPTY, STR("\x01\x00"), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_older_text_comes_back),
        cmocka_unit_test(random_edits_come_back),
        cmocka_unit_test(a_large_text_with_a_small_edit_has_a_small_delta),
        cmocka_unit_test(a_delta_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

static void strings_compare_bytewise_and_the_shorter_goes_first(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("a\xff"), STR("a\x7f")) > 0);
    assert_int_equal(str_cmp(STR_EMPTY, STR("")), 0);
    assert_true(str_cmp(STR_EMPTY, STR("a")) < 0);
    assert_true(str_eq(STR_EMPTY, STR("")));
    assert_false(str_eq(STR("a"), STR("b")));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts(STR("abc"), STR_EMPTY));
    assert_false(str_starts(STR("a"), STR("ab")));
    CLEANUP(freep) char *copy = str_dup((struct str){"abcdef", 3});
    assert_string_equal(copy, "abc");
}

static void only_plain_decimals_are_versions(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "01",
                                          "00",
                                          "0x1",
                                          "1e3",
                                          "18446744073709551616",
                                          "99999999999999999999"};
    uint64_t v = 42;
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_case(!str_to_u64(str_of(refused[i]), &v), refused[i]);
    }
    assert_int_equal(v, 42);
    assert_true(str_to_u64(STR("0"), &v) && v == 0);
    assert_true(str_to_u64(STR("97"), &v) && v == 97);
    assert_true(str_to_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
}

static void utf8_characters_are_told_from_other_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {
        {"a",                1},
        {"\x7f",             1},
        {"\xc2\x80",         2},
        {"\xdf\xbf",         2},
        {"\xe0\xa0\x80",     3},
        {"\xed\x9f\xbf",     3},
        {"\xef\xbf\xbf",     3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80",             0}, /* continues nothing */
        {"\xc0\x80",         0}, /* overlong */
        {"\xc1\xbf",         0}, /* overlong */
        {"\xe0\x9f\xbf",     0}, /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xed\xa0\x80",     0}, /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff",             0},
        {"\xe2\x82",         0}, /* cut off */
        {"\xe2\x82g",        0},
        {"",                 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_case(utf8_len(cases[i].text, strlen(cases[i].text)) == cases[i].len, cases[i].text);
    }
}

static void a_buffer_grows_up_to_its_ceiling_and_not_above(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 10);
    buf_adds(&b, STR("12345"));
    buf_printf(&b, "%s", "6789");
    buf_addc(&b, '0');
    assert_false(b.full);
    assert_str(buf_str(&b), "1234567890");
    buf_addc(&b, 'x');
    assert_true(b.full);
    assert_str(buf_str(&b), "1234567890");
    buf_clear(&b);
    assert_false(b.full);
    buf_adds(&b, STR("12345678901"));
    assert_true(b.full);
    assert_int_equal(b.n, 0);
    buf_addc(&b, 'x'); /* Nothing goes in after what did not fit. */
    assert_int_equal(b.n, 0);
    assert_null(buf_grow(&b, 1));
}

static void a_buffer_takes_any_length_of_formatted_text(void **state)
{
    (void)state;
    for (size_t n = 200; n < 300; n++) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, n);
        buf_printf(&b, "%*s", (int)n, "x");
        assert_false(b.full);
        assert_int_equal(b.n, n);
        assert_int_equal(b.p[n - 1], 'x');
        buf_clear(&b);
        buf_printf(&b, "%*s", (int)n + 1, "x");
        assert_true(b.full);
    }
}

static void varints_read_back_as_written(void **state)
{
    (void)state;
    struct dice dice = {1};
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 64);
    for (int i = 0; i < 10000; i++) {
        uint64_t v = i == 0 ? UINT64_MAX : dice_next(&dice) >> dice_below(&dice, 64);
        buf_clear(&b);
        buf_varint(&b, v);
        assert_int_equal(b.n, varint_size(v));
        size_t at = 0;
        uint64_t back;
        assert_true(varint_read(buf_str(&b), &at, &back));
        assert_true(back == v && at == b.n);
        at = 0;
        assert_false(varint_read((struct str){b.p, b.n - 1}, &at, &back));
        assert_int_equal(at, 0);
    }
}

static void varints_of_more_than_64_bits_are_refused(void **state)
{
    (void)state;
    static const struct str cases[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",     10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t at = 0;
        uint64_t v;
        assert_false(varint_read(cases[i], &at, &v));
    }
}

static int released;

static void count_release(struct blob *b)
{
    released++;
    free(b);
}

static void a_blob_lives_until_its_last_reference_goes(void **state)
{
    (void)state;
    uint8_t *p;
    struct blob *b = blob_new(3, &p);
    memcpy(p, "abc", 3);
    b->release = count_release;
    struct blob *again = blob_ref(b);
    blob_unref(b);
    assert_int_equal(released, 0);
    assert_memory_equal(again->p, "abc", 3);
    blob_unrefp(&again);
    assert_null(again);
    assert_int_equal(released, 1);
    blob_unref(NULL);
    blob_unref(blob_new(0, &p));
}

static void take_gives_the_pointer_away(void **state)
{
    (void)state;
    CLEANUP(freep) char *p = mem_printf("%d", 42);
    CLEANUP(freep) char *q = TAKE(p);
    assert_null(p);
    assert_string_equal(q, "42");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_compare_bytewise_and_the_shorter_goes_first),
        cmocka_unit_test(only_plain_decimals_are_versions),
        cmocka_unit_test(utf8_characters_are_told_from_other_bytes),
        cmocka_unit_test(a_buffer_grows_up_to_its_ceiling_and_not_above),
        cmocka_unit_test(a_buffer_takes_any_length_of_formatted_text),
        cmocka_unit_test(varints_read_back_as_written),
        cmocka_unit_test(varints_of_more_than_64_bits_are_refused),
        cmocka_unit_test(a_blob_lives_until_its_last_reference_goes),
        cmocka_unit_test(take_gives_the_pointer_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

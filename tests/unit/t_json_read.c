/* SPDX-License-Identifier: Apache-2.0 */
/* json_read against jansson: what it takes, jansson takes too, and makes the same tree of it, in
 * the same order; and it takes nearly everything that is right. */
#include "store/model/json_read.h"
#include "tests/unit/json_random.h"

/* True: it was taken. */
static bool compare(struct str text)
{
    json_t *got = json_read(text);
    if (got == NULL) {
        return false;
    }
    json_error_t e;
    json_t *want =
        json_loadb(text.n != 0 ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (want == NULL) {
        print_error("taken, but %s: %.*s\n", e.text, STR_ARG(text));
        fail();
    }
    assert_true(json_equal(got, want));
    char *a = json_dumps(got, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    char *b = json_dumps(want, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(got);
    json_decref(want);
    return true;
}

static void what_is_usual_is_taken(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "{}",
        " [ ] ",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-999999999999999999",
        "0.5",
        "-0.0",
        "1e3",
        "1E+3",
        "2.5e-300",
        "\"\"",
        "\"a\\n\\\"\\\\\\/\\b\\f\\r\\t\"",
        "{\"\":\"\"}",
        "{\"a\\nb\":{\"a\\nb\":\"c\\nd\"},\"a\":[1,2,{\"b\":null}]}",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\t{\r\n\"a\" : [ 1 , 2 ] }\n",
        "\"\x7f\"",
    };
    for (size_t i = 0; i < COUNT(taken); i++) {
        if (!compare(str_of(taken[i]))) {
            print_error("not taken: %s\n", taken[i]);
            fail();
        }
    }
}

static void what_is_wrong_is_left_to_jansson(void **state)
{
    (void)state;
    static const char *const left[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1,\"a\":1}",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "1e999",
        "nul",
        "nullx",
        "tru",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\n\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "\"\xe0\x80\x80\"",
        "\"\xf0\x80\x80\x80\"",
        "1 2",
        "{} x",
        "99999999999999999999",
        "'a'",
    };
    for (size_t i = 0; i < COUNT(left); i++) {
        if (json_read(str_of(left[i])) != NULL) {
            print_error("taken: %s\n", left[i]);
            fail();
        }
    }
    assert_null(json_read((struct str){"\"a\0b\"", 5}));
    assert_null(json_read((struct str){"\"\\\0\"", 4}));
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(compare((struct str){text, 2 * depth}), depth <= JSON_DEPTH_MAX);
    }
}

/* Random documents, as they are and with bytes changed, cut out or doubled. */
static void both_read_the_same(void **state)
{
    (void)state;
    static const char bytes[] = "{}[],:\"\\ 0123456789-+.eEtrufalsn\n\x01\x80\xc3\xa9\xff/bx";
    struct dice d = {11};
    size_t whole = 0, n = 20000;
    for (size_t i = 0; i < n; i++) {
        json_t *v = random_json(&d, 4);
        char *text = text_of(v);
        size_t len = strlen(text);
        whole += compare((struct str){text, len});
        for (int k = 0; k < 8 && len > 0; k++) {
            size_t at = dice_below(&d, len);
            if (dice_below(&d, 4) == 0) {
                memmove(text + at, text + at + 1, len - at);
                len--;
            } else {
                text[at] = bytes[dice_below(&d, sizeof(bytes) - 1)];
            }
            (void)compare((struct str){text, len});
        }
        free(text);
        json_decref(v);
    }
    assert_true(whole > n / 2); /* the others have escapes by number, or large integers */
}

/* Every byte, at every place of runs of every length up to three words, with such before it that
 * sums over eight bytes carry into it. */
static void a_plain_run_ends_before_the_first_byte_that_is_not(void **state)
{
    (void)state;
    static const unsigned char before[] = {'a', ' ', '!', '#', '[', ']', 0x7f};
    for (size_t n = 0; n <= 24; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned c = 0; c < 256; c++) {
                unsigned char text[24];
                memset(text, before[(n + at + c) % sizeof(before)], sizeof(text));
                text[at] = (unsigned char)c;
                bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                assert_int_equal(json_plain(text, n), plain ? n : at);
                text[n - 1] = '"';
                assert_int_equal(json_plain(text, n), plain || at == n - 1 ? n - 1 : at);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_usual_is_taken),
        cmocka_unit_test(what_is_wrong_is_left_to_jansson),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(both_read_the_same),
        cmocka_unit_test(a_plain_run_ends_before_the_first_byte_that_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

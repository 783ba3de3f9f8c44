/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/json_random.h"

static void text_that_is_already_short_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "0.42",
        "1.0",
        "-0.0",
        "0.1",
        "1e22",
        "1e-7",
        "1.5e-10",
        "5e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "3.141592653589793",
        "0.30000000000000004",
        "123456789.12345679",
        "\"\"",
        "\"a\\\"b\\\\c/d\\n\\t\\r\\b\\f\\u0001\\u001f\"",
        "\"\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"",
        "[]",
        "{}",
        "[1,\"a\",null,[true],{\"b\":2}]",
        "{\"z\":1,\"a\":2,\"m\":{\"y\":1,\"b\":2}}",
        "{\"\":{\"\":1}}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i]);
        CLEANUP(freep) char *text = text_of(v);
        assert_string_equal(text, cases[i]);
    }
}

static void other_spellings_become_the_short_one(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {" { \"a\" :\t[ 1 ,\n2 ] } ",           "{\"a\":[1,2]}"                 },
        {"1.50",                                "1.5"                           },
        {"100.0",                               "100.0"                         },
        {"1e5",                                 "100000.0"                      },
        {"1E400000",                            NULL                            },
        {"-0",                                  "0"                             },
        {"\"\\u0041\\/\\u00e9\\ud83d\\ude00\"", "\"A/\xc3\xa9\xf0\x9f\x98\x80\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *v = NULL;
        enum errc code = json_text_parse(str_of(cases[i].in), "json", &v, NULL);
        assert_case((code == OK) == (cases[i].out != NULL), cases[i].in);
        if (code == OK) {
            CLEANUP(freep) char *text = text_of(v);
            assert_string_equal(text, cases[i].out);
            json_decref(v);
        }
    }
}

static void what_is_refused_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *says; /* part of the message */
    } cases[] = {
        {{"{\"a\":1,\"a\":2}", 13},                                     "duplicate key \"a\" (line 1"     },
        {{"{\"s\":{\"list\":[0,{\"x y\":1,\"k\":2,\n \"k\":3}]}}", 43},
         "duplicate key \"k\" in s.list[1] (line 2"                                                       },
        {{"{\"a b\":{\"c\":1,\"c\":1}}", 21},                           "duplicate key \"c\" in [\"a b\"]"},
        {{"{\"\\u0061\":1,\"a\":2}", 18},                               "duplicate key \"a\""             },
        {{"{\"spec\":{\"n\":9223372036854775808}}", 34},                "too big integer"                 },
        {{"{\"spec\":{\"n\":9223372036854775808}}", 34},                " in spec.n (line 1"              },
        {{"[0,-9223372036854775809]", 24},                              "in [1] (line 1"                  },
        {{"{\"spec\":[1e400]}", 16},                                    "in spec[0] (line 1"              },
        {{"{\"a\":\"x\\u0000y\"}", 16},                                 "NUL (\\u0000) in a"              },
        {{"{\"a\\u0000\":1}", 13},                                      "NUL"                             },
        {{"{\"a\":\"x\0y\"}", 11},                                      "line 1"                          },
        {{"{} {}", 5},                                                  "line 1"                          },
        {{"{}x", 3},                                                    "line 1"                          },
        {{"{}\0", 3},                                                   "line 1"                          },
        {{"", 0},                                                       "line 1"                          },
        {{"   ", 3},                                                    "line 1"                          },
        {{"{\"a\":\n\n[1,]}", 12},                                      "in a[1]: "                       },
        {{"{\"a\":1,}", 8},                                             "line 1"                          },
        {{"{a:1}", 5},                                                  "line 1"                          },
        {{"{'a':1}", 7},                                                "line 1"                          },
        {{"[01]", 4},                                                   "line 1"                          },
        {{"[.5]", 4},                                                   "line 1"                          },
        {{"[1.]", 4},                                                   "line 1"                          },
        {{"[+1]", 4},                                                   "line 1"                          },
        {{"NaN", 3},                                                    "line 1"                          },
        {{"[Infinity]", 10},                                            "line 1"                          },
        {{"True", 4},                                                   "line 1"                          },
        {{"\"a\nb\"", 5},                                               "line 1"                          },
        {{"\"a", 2},                                                    "line 1"                          },
        {{"\"\\x41\"", 6},                                              "line 1"                          },
        {{"\"\xff\"", 3},                                               "line 1"                          },
        {{"\"\xc0\x80\"", 4},                                           "line 1"                          },
        {{"\"\xed\xa0\x80\"", 5},                                       "line 1"                          },
        {{"\"\\ud800\"", 8},                                            "line 1"                          },
        {{"\"\\udc00\"", 8},                                            "line 1"                          },
        {{"\xef\xbb\xbf{}", 5},                                         "line 1"                          },
        {{"[1 2]", 5},                                                  "line 1"                          },
        {{"[1}", 3},                                                    "line 1"                          },
        {{"]", 1},                                                      "line 1"                          },
        {{"/* */ 1", 7},                                                "line 1"                          },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *v = NULL;
        struct err err = {0};
        assert_case(json_text_parse(cases[i].text, "the.field", &v, &err) == ERR_INVALID,
                    cases[i].text.p);
        assert_case(v == NULL, cases[i].text.p);
        assert_string_equal(err.field, "the.field");
        if (strstr(err.msg, cases[i].says) == NULL) {
            print_error("%s: \"%s\" does not say \"%s\"\n", cases[i].text.p, err.msg,
                        cases[i].says);
            fail();
        }
    }
}

/* `n` levels of arrays or objects. */
static char *nested(size_t n, bool objects)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, (size_t)64 * 1024 * 1024);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&b, objects ? STR("{\"a\":") : STR("["));
    }
    buf_addc(&b, '1');
    for (size_t i = 0; i < n; i++) {
        buf_addc(&b, objects ? '}' : ']');
    }
    return str_dup(buf_str(&b));
}

static void sixty_four_levels_are_read_and_no_more(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        CLEANUP(freep) char *fits = nested(JSON_DEPTH_MAX, objects != 0);
        CLEANUP(json_decrefp) json_t *v = json_of(fits);
        assert_int_equal(json_depth(v), JSON_DEPTH_MAX);
        CLEANUP(freep) char *again = text_of(v);
        assert_string_equal(again, fits);
        static const size_t depths[] = {JSON_DEPTH_MAX + 1, 1000000};
        for (size_t i = 0; i < COUNT(depths); i++) {
            CLEANUP(freep) char *deep = nested(depths[i], objects != 0);
            json_t *none = NULL;
            struct err err;
            assert_int_equal(json_text_parse(str_of(deep), "json", &none, &err), ERR_INVALID);
            assert_non_null(strstr(err.msg, "deeper than 64 levels (line 1, column "));
        }
    }
    /* Brackets inside strings are none. */
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 4096);
    buf_adds(&b, STR("[\"\\\""));
    for (int i = 0; i < 100; i++) {
        buf_adds(&b, STR("[{"));
    }
    buf_adds(&b, STR("\"]"));
    json_t *v = NULL;
    assert_int_equal(json_text_parse(buf_str(&b), "json", &v, NULL), OK);
    json_decref(v);
}

static void depth_counts_levels_of_trees_too_and_stops_above_the_limit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int depth;
    } cases[] = {
        {"1",                    0},
        {"[]",                   1},
        {"{\"a\":[{}],\"b\":1}", 3},
        {"[1,[2,[3]],[]]",       3}
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].text);
        assert_int_equal(json_depth(v), cases[i].depth);
    }
    CLEANUP(json_decrefp) json_t *deep = json_array();
    for (int i = 0; i < 1000; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, deep);
        deep = outer;
    }
    assert_int_equal(json_depth(deep), JSON_DEPTH_MAX + 1);
}

static void random_values_read_back_equal_and_hash_the_same_in_any_order(void **state)
{
    (void)state;
    struct dice d = {2026};
    for (int i = 0; i < 3000; i++) {
        CLEANUP(json_decrefp) json_t *v = random_json(&d, 5);
        CLEANUP(freep) char *text = text_of(v);
        CLEANUP(json_decrefp) json_t *back = json_of(text);
        assert_case(json_equal(v, back), text);
        CLEANUP(freep) char *again = text_of(back);
        assert_string_equal(again, text);
        assert_case(json_hash(v) == json_hash(back), text);
        CLEANUP(json_decrefp) json_t *other = shuffled(v, &d);
        assert_case(json_equal(v, other), text);
        assert_case(json_hash(v) == json_hash(other), text);
    }
}

static void different_values_have_different_hashes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "0.0",
        "\"\"",
        "\"1\"",
        "\"null\"",
        "[]",
        "{}",
        "[1]",
        "[[1]]",
        "[1,2]",
        "[2,1]",
        "[[1],2]",
        "[[1,2]]",
        "{\"a\":1}",
        "{\"a\":1.0}",
        "{\"1\":\"a\"}",
        "{\"a\":null}",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":1,\"b\":2}",
        "{\"a\":2,\"b\":1}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":{\"b\":1}}",
        "{\"b\":{\"a\":1}}",
        "{\"a\":{\"b\":1},\"c\":1}",
        "{\"a\":{\"b\":1,\"c\":1}}",
        "[{\"a\":1},{\"b\":2}]",
        "[{\"b\":2},{\"a\":1}]",
        "[\"a\",\"bc\"]",
        "[\"ab\",\"c\"]",
        "[[],[]]",
        "[[[]]]",
        "[null]",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t j = 0; j < i; j++) {
            CLEANUP(json_decrefp) json_t *a = json_of(cases[i]);
            CLEANUP(json_decrefp) json_t *b = json_of(cases[j]);
            assert_case(json_hash(a) != json_hash(b), cases[i]);
        }
    }
    CLEANUP(json_decrefp) json_t *plus = json_of("0.0");
    CLEANUP(json_decrefp) json_t *minus = json_of("-0.0");
    assert_true(json_equal(plus, minus) && json_hash(plus) == json_hash(minus));
}

static void random_bytes_never_do_more_than_be_refused(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:\\u0aeE+-.1tfn \n\xc3\xa9\xff";
    struct dice d = {99};
    size_t accepted = 0;
    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t n = dice_below(&d, sizeof(text));
        for (size_t j = 0; j < n; j++) {
            text[j] = alphabet[dice_below(&d, sizeof(alphabet))];
        }
        json_t *v = NULL;
        struct err err;
        if (json_text_parse((struct str){text, n}, "json", &v, &err) == OK) {
            accepted++;
            json_decref(v);
        } else {
            assert_true(err.msg[0] != '\0');
        }
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_already_short_is_written_as_it_was_read),
        cmocka_unit_test(other_spellings_become_the_short_one),
        cmocka_unit_test(what_is_refused_is_named_with_its_place),
        cmocka_unit_test(sixty_four_levels_are_read_and_no_more),
        cmocka_unit_test(depth_counts_levels_of_trees_too_and_stops_above_the_limit),
        cmocka_unit_test(random_values_read_back_equal_and_hash_the_same_in_any_order),
        cmocka_unit_test(different_values_have_different_hashes),
        cmocka_unit_test(random_bytes_never_do_more_than_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

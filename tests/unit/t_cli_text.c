/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cli/table.h"
#include "cli/text.h"
#include "tests/unit/check.h"

static void nothing_in_a_text_can_steer_the_terminal(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } cases[] = {
        {{"plain", 5},              "plain"             },
        {{"a\x1b[31mb", 7},         "a\\u001b[31mb"     },
        {{"a\nb\tc\rd", 7},         "a\\nb\\tc\\rd"     },
        {{"\0", 1},                 "\\u0000"           },
        {{"\x7f", 1},               "\\u007f"           },
        {{"\xc2\x9b"
          "31m",
          5},
         "\\u009b31m"                                   },
        {{"\xe2\x80\xae"
          "evil",
          7},
         "\\u202eevil"                                  },
        {{"\xff\xfe", 2},           "\\xff\\xfe"        },
        {{"gr\xc3\xbc\xc3\x9f", 6}, "gr\xc3\xbc\xc3\x9f"},
        {{"\xf0\x9f\x98\x80", 4},   "\xf0\x9f\x98\x80"  },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(buf_fini) struct buf out;
        buf_init(&out, 1000);
        text_escape(cases[i].in, &out);
        assert_str(buf_str(&out), cases[i].out);
    }
}

static void escaped_json_is_the_same_json(void **state)
{
    (void)state;
    static const char json[] =
        "{\"a\":\"\x7f \xc2\x9b \xe2\x80\xae \xc3\xbc \\u001b\",\"b\":[1,0.42]}";
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 1000);
    text_escape_json(str_of(json), &out);
    assert_str(buf_str(&out),
               "{\"a\":\"\\u007f \\u009b \\u202e \xc3\xbc \\u001b\",\"b\":[1,0.42]}");
    json_t *before = json_loads(json, 0, NULL);
    json_t *after = json_loadb(out.p, out.n, 0, NULL);
    assert_true(before != NULL && json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

static void long_texts_are_shortened_by_characters(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *out;
    } cases[] = {
        {"abcdef",                   6, "abcdef"                  },
        {"abcdefg",                  6, "abcde\xe2\x80\xa6"       },
        {"\xc3\xbc\xc3\xbc\xc3\xbc", 3, "\xc3\xbc\xc3\xbc\xc3\xbc"},
        {"\xc3\xbc\xc3\xbc\xc3\xbc", 2, "\xc3\xbc\xe2\x80\xa6"    },
        {"",                         3, ""                        },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(buf_fini) struct buf out;
        buf_init(&out, 1000);
        text_shorten(str_of(cases[i].in), cases[i].n, &out);
        assert_str(buf_str(&out), cases[i].out);
    }
}

static void json_is_indented_without_touching_its_values(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"{}",                              "{}"                                              },
        {"[ ]",                             "[]"                                              },
        {"1",                               "1"                                               },
        {"{\"a\":1}",                       "{\n    \"a\": 1\n}"                              },
        {"{\"a\":[1,0.42,1e400],\"b\":{}}",
         "{\n    \"a\": [\n        1,\n        0.42,\n        1e400\n    ],\n    \"b\": {}\n}"},
        {"{\"a{,:\\\"}\":\"[\\\\\"}",       "{\n    \"a{,:\\\"}\": \"[\\\\\"\n}"              },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(buf_fini) struct buf out;
        CLEANUP(buf_fini) struct buf again;
        buf_init(&out, 1000);
        buf_init(&again, 1000);
        text_indent_json(str_of(cases[i].in), &out);
        assert_str(buf_str(&out), cases[i].out);
        text_indent_json(buf_str(&out), &again);
        assert_str(buf_str(&again), cases[i].out);
    }
}

static void ages_read_as_kubectl_shows_them(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } cases[] = {
        {-5,            "0s"   },
        {0,             "0s"   },
        {119,           "119s" },
        {120,           "2m"   },
        {200,           "3m20s"},
        {599,           "9m59s"},
        {600,           "10m"  },
        {10799,         "179m" },
        {10800,         "3h"   },
        {12000,         "3h20m"},
        {28800,         "8h"   },
        {172799,        "47h"  },
        {172800,        "2d"   },
        {183600,        "2d3h" },
        {8 * 86400,     "8d"   },
        {729LL * 86400, "729d" },
        {730LL * 86400, "2y"   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[TEXT_AGE_MAX];
        text_age(cases[i].s * 1000, text);
        assert_string_equal(text, cases[i].text);
    }
    char text[TEXT_AGE_MAX];
    text_age_of(STR("2026-01-02T03:04:05Z"), INT64_C(1767323045000) + 90000, text);
    assert_string_equal(text, "90s");
    text_age_of(STR("2026-01-02 03:04:05Z"), 0, text);
    assert_string_equal(text, "<unknown>");
    text_age_of(STR("yesterday"), 0, text);
    assert_string_equal(text, "<unknown>");
}

static void sizes_are_short(void **state)
{
    (void)state;
    char text[TEXT_BYTES_MAX];
    text_bytes(1023, text);
    assert_string_equal(text, "1023 B");
    text_bytes(1536, text);
    assert_string_equal(text, "1.5 KiB");
    text_bytes(UINT64_C(5) << 30, text);
    assert_string_equal(text, "5.0 GiB");
}

/* ---- Tables -------------------------------------------------------------------------------- */

static const struct table_column columns[] = {
    {"NAME", 0},
    {"RV",   4},
    {"SPEC", 0},
};

static void show(struct table *t, const char *a, const char *b, const char *c, struct buf *out)
{
    const struct str cells[] = {str_of(a), str_of(b), str_of(c)};
    table_row(t, cells, out);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct table t;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 10000);
    table_init(&t, columns, COUNT(columns), 100);
    show(&t, "a", "1", "{}", &out);
    show(&t, "a-longer-name", "22", "", &out);
    assert_int_equal(out.n, 0);
    table_end(&t, &out);
    table_fini(&t);
    assert_str(buf_str(&out), "NAME            RV     SPEC\n"
                              "a               1      {}\n"
                              "a-longer-name   22\n");
}

static void a_live_table_shows_its_header_again_when_it_grows(void **state)
{
    (void)state;
    struct table t;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 10000);
    table_init(&t, columns, COUNT(columns), 0);
    show(&t, "a", "1", "{}", &out);
    assert_str(buf_str(&out), "NAME   RV     SPEC\n"
                              "a      1      {}\n");
    buf_clear(&out);
    show(&t, "bbbb", "2", "x", &out);
    assert_str(buf_str(&out), "bbbb   2      x\n");
    buf_clear(&out);
    show(&t, "ccccc", "3", "x", &out);
    assert_str(buf_str(&out), "NAME    RV     SPEC\n"
                              "ccccc   3      x\n");
    buf_clear(&out);
    show(&t, "d", "4", "a much longer last cell needs no new header", &out);
    assert_str(buf_str(&out), "d       4      a much longer last cell needs no new header\n");
    table_end(&t, &out);
    table_fini(&t);
}

static void cells_are_escaped_and_measured_in_characters(void **state)
{
    (void)state;
    struct table t;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 10000);
    table_init(&t, columns, COUNT(columns), 100);
    show(&t, "\x1b[2J", "1", "", &out);
    show(&t, "\xc3\xbc", "2", "x", &out);
    table_end(&t, &out);
    table_fini(&t);
    assert_str(buf_str(&out), "NAME        RV     SPEC\n"
                              "\\u001b[2J   1\n"
                              "\xc3\xbc           2      x\n");
}

static void an_empty_table_shows_nothing(void **state)
{
    (void)state;
    struct table t;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 10000);
    table_init(&t, columns, COUNT(columns), 100);
    table_end(&t, &out);
    table_fini(&t);
    assert_int_equal(out.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_a_text_can_steer_the_terminal),
        cmocka_unit_test(escaped_json_is_the_same_json),
        cmocka_unit_test(long_texts_are_shortened_by_characters),
        cmocka_unit_test(json_is_indented_without_touching_its_values),
        cmocka_unit_test(ages_read_as_kubectl_shows_them),
        cmocka_unit_test(sizes_are_short),
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(a_live_table_shows_its_header_again_when_it_grows),
        cmocka_unit_test(cells_are_escaped_and_measured_in_characters),
        cmocka_unit_test(an_empty_table_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

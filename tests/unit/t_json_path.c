/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/json_path.h"
#include "tests/unit/json_random.h"

static struct json_path *path_of(const char *text)
{
    struct json_path *p = NULL;
    struct err err = {0};
    check_ok(json_path_parse(str_of(text), "path", &p, &err), &err, __FILE__, __LINE__);
    return p;
}

static void each_spelling_has_one_canonical_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"status.phase",                "status.phase"               },
        {".status.phase",               "status.phase"               },
        {"$.status.phase",              "status.phase"               },
        {"{.status.phase}",             "status.phase"               },
        {"{$.status.phase}",            "status.phase"               },
        {"{status.phase}",              "status.phase"               },
        {"['status'].phase",            "status.phase"               },
        {"$['status'][\"phase\"]",      "status.phase"               },
        {".spec.containers[0].image",   "spec.containers[0].image"   },
        {"a[007]",                      "a[7]"                       },
        {"[0][1]",                      "[0][1]"                     },
        {"a['b.c']",                    "a['b.c']"                   },
        {"a[\"b.c\"]",                  "a['b.c']"                   },
        {"a.b\\.c",                     "a['b.c']"                   },
        {"a.b\\\\c",                    "a['b\\\\c']"                },
        {"a['it\\'s']",                 "a['it\\'s']"                },
        {"a[\"it's\"]",                 "a['it\\'s']"                },
        {"a['\"']",                     "a['\"']"                    },
        {"a['\\\"']",                   "a['\"']"                    },
        {"['']",                        "['']"                       },
        {"a['']['']",                   "a['']['']"                  },
        {"a['0']",                      "a.0"                        },
        {"a.0",                         "a.0"                        },
        {"metadata.labels.app\\.io/x",  "metadata.labels['app.io/x']"},
        {"metadata.labels['app.io/x']", "metadata.labels['app.io/x']"},
        {"$ref",                        "['$ref']"                   },
        {"a.$b",                        "a['$b']"                    },
        {"caf\xc3\xa9",                 "['caf\xc3\xa9']"            },
        {"['a b']",                     "['a b']"                    },
        {"a\\ b",                       "['a b']"                    },
        {"a-b_c",                       "a-b_c"                      },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_path_freep) struct json_path *p = path_of(cases[i].in);
        assert_str(json_path_text(p), cases[i].out);
        CLEANUP(json_path_freep) struct json_path *again = path_of(cases[i].out);
        assert_str(json_path_text(again), cases[i].out);
    }
}

static void what_is_no_path_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"",              "ends where a member's name"     },
        {".",             "ends where a member's name"     },
        {"$",             NULL                             }, /* a key */
        {"$.",            "ends where a member's name"     },
        {"{}",            "\"}\" at offset 1"              },
        {"{.a",           "ends where '}'"                 },
        {"{.a}.b",        "\".\" at offset 4"              },
        {".a}",           "\"}\" at offset 2"              },
        {"a..b",          "\".\" at offset 2"              },
        {"a.",            "ends where a member's name"     },
        {"a.[0]",         "\"[\" at offset 2"              },
        {"a.*",           "\"*\" at offset 2"              },
        {"a[*]",          "\"*\" at offset 2, expected an" },
        {"a[?(@.b)]",     "\"?\" at offset 2"              },
        {"a[-1]",         "\"-\" at offset 2"              },
        {"a[0:2]",        "\":\" at offset 3, expected ']'"},
        {"a[0,1]",        "\",\" at offset 3"              },
        {"a[]",           "\"]\" at offset 2"              },
        {"a[0",           "ends where ']'"                 },
        {"a[1234567890]", "at most 9 digits"               },
        {"a['b",          "ends where the closing quote"   },
        {"a['b'",         "ends where ']'"                 },
        {"a['b\"]",       "ends where the closing quote"   },
        {"a['\\n']",      "\"n\" at offset 4"              },
        {"a['\\",         "ends where a quote"             },
        {"a\\",           "ends where a character"         },
        {"a b",           "\" \" at offset 1"              },
        {" a",            "\" \" at offset 0"              },
        {"a=b",           "\"=\" at offset 1"              },
        {"a\nb",          "offset 1"                       },
        {"a['\n']",       "byte at offset 3"               },
        {"a\\\n",         "byte at offset 2"               },
        {"a.\xc3",        "byte at offset 2"               },
        {"a\xff",         "byte at offset 1"               },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_path *p = NULL;
        struct err err = {0};
        enum errc code = json_path_parse(str_of(cases[i].text), "the.field", &p, &err);
        if (cases[i].says == NULL) {
            assert_case(code == OK, cases[i].text);
            json_path_free(p);
            continue;
        }
        assert_case(code == ERR_INVALID && p == NULL, cases[i].text);
        assert_string_equal(err.field, "the.field");
        if (strstr(err.msg, cases[i].says) == NULL) {
            print_error("%s: \"%s\" does not say \"%s\"\n", cases[i].text, err.msg, cases[i].says);
            fail();
        }
    }
    struct json_path *p = NULL;
    assert_int_equal(json_path_parse((struct str){"a\0b", 3}, "f", &p, NULL), ERR_INVALID);
    assert_int_equal(json_path_parse((struct str){"['\0']", 5}, "f", &p, NULL), ERR_INVALID);
}

static void a_path_within_a_text_ends_where_it_cannot_go_on(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t end;
    } cases[] = {
        {"a.b=c",     3},
        {"a['=']!=c", 6},
        {"a in (b)",  1},
        {"{.a.b}==c", 6},
        {"a[0],b",    4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_path_freep) struct json_path *p = NULL;
        size_t at = 0;
        assert_int_equal(json_path_read(str_of(cases[i].text), &at, "f", &p, NULL), OK);
        assert_case(at == cases[i].end, cases[i].text);
    }
}

static const char *const document =
    "{\"a\":{\"b\":\"x\",\"bb\":[1,[2,{\"c\":null}],\"],}\"],\"\":{\"\":true}},\"b\":0.5,"
    "\"q\\\"\\\\\":{\"a\\\\\":\"\\\"\\\\\",\"e\":{}},\"a.b\":[],\"\xc3\xa9\":\"\xc3\xa9\"}";

static void a_member_is_found_in_the_tree_and_in_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *value; /* NULL: none */
    } cases[] = {
        {"a.b",                  "\"x\""                            },
        {"b",                    "0.5"                              },
        {"a.bb[0]",              "1"                                },
        {"a.bb[1]",              "[2,{\"c\":null}]"                 },
        {"a.bb[1][1].c",         "null"                             },
        {"a.bb[2]",              "\"],}\""                          },
        {"a.bb[3]",              NULL                               },
        {"a.bb[1][0][0]",        NULL                               },
        {"a.bb.c",               NULL                               },
        {"a[0]",                 NULL                               },
        {"a.c",                  NULL                               },
        {"c",                    NULL                               },
        {"a.b.c",                NULL                               },
        {"a['']['']",            "true"                             },
        {"['']",                 NULL                               },
        {"['q\"\\\\']",          "{\"a\\\\\":\"\\\"\\\\\",\"e\":{}}"},
        {"['q\"\\\\']['a\\\\']", "\"\\\"\\\\\""                     },
        {"['q\"\\\\'].e",        "{}"                               },
        {"['q\"\\\\'].e.e",      NULL                               },
        {"['a.b']",              "[]"                               },
        {"['a.b'][0]",           NULL                               },
        {"caf\xc3\xa9",          NULL                               },
        {"\xc3\xa9",             "\"\xc3\xa9\""                     },
    };
    CLEANUP(json_decrefp) json_t *tree = json_of(document);
    CLEANUP(freep) char *text = text_of(tree);
    assert_string_equal(text, document);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_path_freep) struct json_path *p = path_of(cases[i].path);
        const json_t *v = json_path_get(p, tree);
        struct str found = STR_EMPTY;
        bool there = json_path_scan(p, str_of(text), &found);
        assert_case((v != NULL) == (cases[i].value != NULL), cases[i].path);
        assert_case(there == (cases[i].value != NULL), cases[i].path);
        if (v != NULL) {
            CLEANUP(freep) char *shown = text_of(v);
            assert_string_equal(shown, cases[i].value);
            assert_str(found, cases[i].value);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(json_path_freep) struct json_path *p = path_of(i == 0 ? "a" : "[0]");
        struct str found;
        static const char *const scalars[] = {"1", "\"a\"", "null", "[]", "{}"};
        for (size_t j = 0; j < COUNT(scalars); j++) {
            CLEANUP(json_decrefp) json_t *scalar = json_of(scalars[j]);
            assert_null(json_path_get(p, scalar));
            assert_false(json_path_scan(p, str_of(scalars[j]), &found));
        }
    }
}

/* Appends a random step into v, or one that leads nowhere, and goes there. */
static const json_t *random_step(struct dice *d, const json_t *v, struct buf *path)
{
    if (json_is_array(v)) {
        size_t i = dice_below(d, json_array_size(v) + 1);
        buf_printf(path, "[%zu]", i);
        return json_array_get(v, i);
    }
    size_t n = json_is_object(v) ? json_object_size(v) : 0;
    size_t pick = dice_below(d, n + 1);
    json_t *object = json_mutable(v);
    void *it = n != 0 ? json_object_iter(object) : NULL;
    while (it != NULL && pick-- != 0) {
        it = json_object_iter_next(object, it);
    }
    struct str key = it != NULL
                         ? (struct str){json_object_iter_key(it), json_object_iter_key_len(it)}
                         : STR("no");
    buf_adds(path, STR("['"));
    for (size_t i = 0; i < key.n; i++) {
        buf_adds(path, strchr("'\\\"", key.p[i]) != NULL ? STR("\\") : STR_EMPTY);
        buf_addc(path, key.p[i]);
    }
    buf_adds(path, STR("']"));
    return json_object_getn(v, key.p, key.n);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static void tree_and_text_agree_on_random_documents(void **state)
{
    (void)state;
    struct dice d = {65};
    size_t found_some = 0;
    for (int i = 0; i < 20000; i++) {
        CLEANUP(json_decrefp) json_t *doc = json_object();
        for (size_t m = 0; m < 4; m++) {
            json_object_set_new(doc, (const char *[]){"a", "b", "\"", "\\"}[m], random_json(&d, 4));
        }
        CLEANUP(freep) char *text = text_of(doc);
        CLEANUP(buf_fini) struct buf spelling;
        buf_init(&spelling, JSON_PATH_MAX_LEN);
        const json_t *expected = doc;
        size_t steps = 1 + dice_below(&d, 4);
        for (size_t s = 0; s < steps; s++) {
            expected = random_step(&d, expected, &spelling);
        }
        CLEANUP(json_path_freep) struct json_path *p = NULL;
        if (has_control(buf_str(&spelling))) {
            assert_int_equal(json_path_parse(buf_str(&spelling), "f", &p, NULL), ERR_INVALID);
            continue;
        }
        assert_int_equal(json_path_parse(buf_str(&spelling), "f", &p, NULL), OK);
        assert_ptr_equal(json_path_get(p, doc), expected);
        struct str found;
        bool there = json_path_scan(p, str_of(text), &found);
        assert_case(there == (expected != NULL), text);
        if (there) {
            CLEANUP(freep) char *shown = text_of(expected);
            assert_str(found, shown);
            found_some++;
        }
    }
    assert_true(found_some > 2000);
}

static void length_and_depth_are_bounded(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        buf_adds(&b, STR(".a"));
    }
    struct json_path *p = NULL;
    struct err err;
    assert_int_equal(json_path_parse(buf_str(&b), "f", &p, NULL), OK);
    json_path_free(p);
    buf_adds(&b, STR(".a"));
    assert_int_equal(json_path_parse(buf_str(&b), "f", &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "more than 64 steps"));

    buf_clear(&b);
    while (b.n < JSON_PATH_MAX_LEN) {
        buf_addc(&b, 'a');
    }
    assert_int_equal(json_path_parse(buf_str(&b), "f", &p, NULL), OK);
    json_path_free(p);
    buf_addc(&b, 'a');
    assert_int_equal(json_path_parse(buf_str(&b), "f", &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "1024 bytes"));
    b.n -= 2;
    buf_addc(&b, '/');
    assert_int_equal(json_path_parse(buf_str(&b), "f", &p, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "written out"));
    json_path_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_spelling_has_one_canonical_text),
        cmocka_unit_test(what_is_no_path_is_refused_with_its_place),
        cmocka_unit_test(a_path_within_a_text_ends_where_it_cannot_go_on),
        cmocka_unit_test(a_member_is_found_in_the_tree_and_in_the_text),
        cmocka_unit_test(tree_and_text_agree_on_random_documents),
        cmocka_unit_test(length_and_depth_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

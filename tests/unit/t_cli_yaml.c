/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/document.h"
#include "cli/yaml.h"
#include "store/model/json.h"
#include "tests/unit/check.h"

static enum errc append_document(void *arg, json_t *document, struct err *err)
{
    (void)err;
    struct buf *out = arg;
    json_text_write(document, out);
    buf_addc(out, '\n');
    return OK;
}

/* Every document as a line of JSON, or the error's sentence. */
static enum errc read_as_json(const char *yaml, struct buf *out, struct err *err)
{
    buf_clear(out);
    return yaml_read(str_of(yaml), "test.yaml", append_document, out, err);
}

static void plain_scalars_follow_the_core_schema_of_1_2(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *json;
    } cases[] = {
  /* What YAML 1.1 took for booleans, dates, times and octal numbers is text. */
        {"y",                            "\"y\""                           },
        {"n",                            "\"n\""                           },
        {"yes",                          "\"yes\""                         },
        {"no",                           "\"no\""                          },
        {"on",                           "\"on\""                          },
        {"off",                          "\"off\""                         },
        {"Yes",                          "\"Yes\""                         },
        {"NO",                           "\"NO\""                          },
        {"2020-01-02",                   "\"2020-01-02\""                  },
        {"2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\""},
        {"1:20",                         "\"1:20\""                        },
        {"190:20:30",                    "\"190:20:30\""                   },
        {"1_000",                        "\"1_000\""                       },
        {"0b101",                        "\"0b101\""                       },
        {"=",                            "\"=\""                           },
        {"1.2.3",                        "\"1.2.3\""                       },
        {"1e",                           "\"1e\""                          },
        {"e1",                           "\"e1\""                          },
        {".",                            "\".\""                           },
        {"+",                            "\"+\""                           },
        {"0x",                           "\"0x\""                          },
        {"0o8",                          "\"0o8\""                         },
        {"tRUE",                         "\"tRUE\""                        },
        {"nUll",                         "\"nUll\""                        },
        {"1 2",                          "\"1 2\""                         },
 /* Null and booleans. */
        {"~",                            "null"                            },
        {"null",                         "null"                            },
        {"Null",                         "null"                            },
        {"NULL",                         "null"                            },
        {"true",                         "true"                            },
        {"True",                         "true"                            },
        {"TRUE",                         "true"                            },
        {"false",                        "false"                           },
        {"False",                        "false"                           },
        {"FALSE",                        "false"                           },
 /* Integers. */
        {"0",                            "0"                               },
        {"-0",                           "0"                               },
        {"12",                           "12"                              },
        {"+12",                          "12"                              },
        {"-12",                          "-12"                             },
        {"010",                          "10"                              },
        {"0o17",                         "15"                              },
        {"0x1F",                         "31"                              },
        {"9223372036854775807",          "9223372036854775807"             },
        {"-9223372036854775808",         "-9223372036854775808"            },
 /* Reals. */
        {"0.42",                         "0.42"                            },
        {"1.0",                          "1.0"                             },
        {".5",                           "0.5"                             },
        {"5.",                           "5.0"                             },
        {"1e3",                          "1000.0"                          },
        {"-1.5E-3",                      "-0.0015"                         },
        {"+.5",                          "0.5"                             },
        {"1e+2",                         "100.0"                           },
 /* In quotes all is text. */
        {"\"12\"",                       "\"12\""                          },
        {"'true'",                       "\"true\""                        },
        {"\"~\"",                        "\"~\""                           },
        {"''",                           "\"\""                            },
        {"\"a\\tb\\u00fc\"",             "\"a\\tb\xc3\xbc\""               },
 /* Tags. */
        {"!!str 12",                     "\"12\""                          },
        {"!!int 12",                     "12"                              },
        {"!!int \"12\"",                 "12"                              },
        {"!!float 1",                    "1.0"                             },
        {"!!bool true",                  "true"                            },
        {"!!null ~",                     "null"                            },
        {"! 12",                         "\"12\""                          },
    };
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(freep) char *yaml = mem_printf("v: %s\n", cases[i].yaml);
        CLEANUP(freep) char *json = mem_printf("{\"v\":%s}\n", cases[i].json);
        struct err err;
        assert_ok(read_as_json(yaml, &out, &err), &err);
        assert_str(buf_str(&out), json);
        /* And as a key it is the text that stands there. */
        if (strpbrk(cases[i].yaml, "\"'! ") == NULL) {
            CLEANUP(freep) char *key = mem_printf("%s: 1\n", cases[i].yaml);
            CLEANUP(freep) char *object = mem_printf("{\"%s\":1}\n", cases[i].yaml);
            assert_ok(read_as_json(key, &out, &err), &err);
            assert_str(buf_str(&out), object);
        }
    }
}

static void documents_come_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *json;
    } cases[] = {
        {"a: 1\n---\nb: 2\n...\n---\nc: [1, x]\n",      "{\"a\":1}\n{\"b\":2}\n{\"c\":[1,\"x\"]}\n"},
        {"---\n---\na: 1\n---\n",                       "{\"a\":1}\n"                              },
        {"",                                            ""                                         },
        {"# only a comment\n",                          ""                                         },
        {"a:\nb: {c: [], d: {}}\n",                     "{\"a\":null,\"b\":{\"c\":[],\"d\":{}}}\n" },
        {"text: |\n  one\n  two\nfold: >-\n  a\n  b\n",
         "{\"text\":\"one\\ntwo\\n\",\"fold\":\"a b\"}\n"                                          },
        {"- 1\n- [2, 3]\n",                             "[1,[2,3]]\n"                              },
        {"{\"a\": [1, true, null]}",                    "{\"a\":[1,true,null]}\n"                  },
    };
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        assert_ok(read_as_json(cases[i].yaml, &out, &err), &err);
        assert_str(buf_str(&out), cases[i].json);
    }
}

static void aliases_repeat_what_their_anchor_names(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 100000);
    struct err err;
    assert_ok(read_as_json("a: &x {k: &y v}\nb: *x\nc: [*y, *x]\nd: &x 2\ne: *x\n", &out, &err),
              &err);
    assert_str(buf_str(&out),
               "{\"a\":{\"k\":\"v\"},\"b\":{\"k\":\"v\"},\"c\":[\"v\",{\"k\":\"v\"}],"
               "\"d\":2,\"e\":2}\n");
}

static void what_json_cannot_say_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *says;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n",                "line 3, column 1: the key \"a\" is there twice"},
        {"a: {x: 1, x: 2}\n",                 "\"x\" is there twice"                          },
        {"a: 9223372036854775808\n",          "line 1, column 4: the integer does not fit"    },
        {"a: 0xffffffffffffffffff\n",         "the integer does not fit"                      },
        {"a: .inf\n",                         "no infinity"                                   },
        {"a: -.INF\n",                        "no infinity"                                   },
        {"a: .nan\n",                         "no infinity"                                   },
        {"a: 1e999\n",                        "too large for JSON"                            },
        {"[1, 2]: x\n",                       "a key must be"                                 },
        {"? {a: b}\n: x\n",                   "a key must be"                                 },
        {"a: &x {b: *x}\n",                   "no complete value with this anchor"            },
        {"a: *nowhere\n",                     "no complete value with this anchor"            },
        {"a: &x 1\n---\nb: *x\n",             "no complete value with this anchor"            },
        {"base: &b {a: 1}\nuse:\n  <<: *b\n", "no merge keys"                                 },
        {"a: !!binary aGk=\n",                "not what its tag says"                         },
        {"a: !mine x\n",                      "no such tag"                                   },
        {"a: !!int x\n",                      "not what its tag says"                         },
        {"a: !!set {x}\n",                    "no such tag"                                   },
        {"a: \"\\0\"\n",                      "NUL"                                           },
        {"\"a\\0b\": 1\n",                    "NUL"                                           },
        {"a: [1\n",                           "test.yaml: line"                               },
        {"a: b: c\n",                         "test.yaml: line 1"                             },
        {"\ta: 1\n",                          "test.yaml: line 1"                             },
        {"a: \"\xff\"\n",                     "test.yaml: line"                               },
    };
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err;
        assert_case(read_as_json(cases[i].yaml, &out, &err) == ERR_INVALID, cases[i].yaml);
        if (strstr(err.msg, cases[i].says) == NULL) {
            fail_msg("\"%s\" says \"%s\"", cases[i].yaml, err.msg);
        }
    }
}

static void aliases_cannot_make_a_document_explode(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf yaml;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&yaml, 1 << 20);
    buf_init(&out, 100000);
    buf_adds(&yaml, STR("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 12; i++) {
        buf_printf(&yaml, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) {
            buf_printf(&yaml, "%s*a%d", k > 0 ? ", " : "", i - 1);
        }
        buf_adds(&yaml, STR("]\n"));
    }
    buf_addc(&yaml, '\0');
    struct err err;
    assert_int_equal(read_as_json(yaml.p, &out, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "too many values"));
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf yaml;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&yaml, 1 << 20);
    buf_init(&out, 100000);
    for (int depth = YAML_DEPTH_MAX; depth <= YAML_DEPTH_MAX + 1; depth++) {
        buf_clear(&yaml);
        for (int i = 0; i < depth; i++) {
            buf_addc(&yaml, '[');
        }
        for (int i = 0; i < depth; i++) {
            buf_addc(&yaml, ']');
        }
        buf_addc(&yaml, '\0');
        struct err err;
        assert_int_equal(read_as_json(yaml.p, &out, &err),
                         depth <= YAML_DEPTH_MAX ? OK : ERR_INVALID);
    }
}

/* ---- Writing ------------------------------------------------------------------------------- */

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "{\"a\":[]}",
        "{\"n\":1,\"y\":true,\"~\":null,\"on\":\"off\",\"\":\"\"}",
        "{\"a\":[1,-2,0.42,1.0,1e300,\"1\",\"0.5\",\"1e3\",\"0x1f\",\"010\",\"1_0\",\"1:20\"]}",
        "{\"d\":\"2020-01-02\",\"t\":\"2001-12-14 "
        "21:59:43\",\"x\":\"=\",\"m\":\"<<\",\"i\":\".inf\"}",
        "{\"s\":[\" lead\",\"trail \",\"a: b\",\"# no\",\"- x\",\"? "
        "y\",\"{\",\"*a\",\"&a\",\"!t\",\"%\",\"@\"]}",
        "{\"l\":[\"one\\ntwo\\n\",\"one\\ntwo\",\"\\nlead\",\" x\\ny\",\"a "
        "\\nb\",\"tab\\tx\\ny\",\"\\n\"]}",
        "{\"c\":[\"\\u001b[31m\",\"\\u007f\",\"\\u0085\",\"\\u2028\",\"\\ufeff\",\"\\r\\n\"]}",
        "{\"u\":\"gr\\u00fc\\u00df \\ud83d\\ude00\",\"k \\u00fc\":1}",
        "{\"deep\":{\"a\":[{\"b\":[[1],[{\"c\":{}}]]},[]]}}",
        "{\"q\":[\"'\",\"\\\"\",\"\\\\\",\"null\",\"Null\",\"true\",\"FALSE\",\"no\",\"Y\"]}",
    };
    CLEANUP(buf_fini) struct buf yaml;
    CLEANUP(buf_fini) struct buf back;
    CLEANUP(buf_fini) struct buf json;
    buf_init(&yaml, 100000);
    buf_init(&back, 100000);
    buf_init(&json, 100000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = NULL;
        struct err err;
        assert_ok(json_text_parse(str_of(cases[i]), "case", &v, &err), &err);
        buf_clear(&yaml);
        buf_clear(&json);
        json_text_write(v, &json);
        buf_addc(&json, '\n');
        assert_ok(yaml_write(v, &yaml, &err), &err);
        for (size_t k = 0; k < yaml.n; k++) {
            unsigned char c = (unsigned char)yaml.p[k];
            assert_case((c >= ' ' || c == '\n') && c != 0x7f, cases[i]);
        }
        buf_addc(&yaml, '\0');
        assert_ok(read_as_json(yaml.p, &back, &err), &err);
        buf_addc(&json, '\0');
        assert_str(buf_str(&back), json.p);
    }
}

static void texts_that_older_readers_mistake_are_quoted(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf yaml;
    buf_init(&yaml, 100000);
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    assert_ok(json_text_parse(STR("{\"n\":\"yes\",\"plain\":\"text\",\"day\":\"2020-01-02\",\"rv\":"
                                  "\"97\",\"lines\":\"a\\nb\\n\"}"),
                              "case", &v, &err),
              &err);
    assert_ok(yaml_write(v, &yaml, &err), &err);
    assert_str(
        buf_str(&yaml),
        "\"n\": \"yes\"\nplain: text\nday: \"2020-01-02\"\nrv: \"97\"\nlines: |\n  a\n  b\n");
}

/* ---- Documents ----------------------------------------------------------------------------- */

static void files_are_json_or_yaml_by_what_they_hold(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool only_json;
        size_t n; /* documents; 99: refused */
        const char *says;
    } cases[] = {
        {"{\"a\":1}",                                           false, 1,  NULL           },
        {" \n{\"a\":1}\n",                                      true,  1,  NULL           },
        {"a: 1\n---\nb: 2\n",                                   false, 2,  NULL           },
        {"{a: 1}",                                              false, 1,  NULL           },
        {"{a: 1}",                                              true,  99, "no valid JSON"},
        {"a: 1",                                                true,  99, "no valid JSON"},
        {"{\"a\":1,\"a\":2}",                                   false, 99, "a"            },
        {"{\"a\":",                                             false, 99, "no valid JSON"},
        {"{\"kind\":\"List\",\"items\":[{\"a\":1},{\"b\":2}]}", false, 2,  NULL           },
        {"kind: List\nitems:\n- a: 1\n- b: 2\n- c: 3\n",        false, 3,  NULL           },
        {"{\"kind\":\"List\",\"items\":[1]}",                   false, 99, "a number"     },
        {"[1]",                                                 false, 99, "an array"     },
        {"- a\n",                                               false, 99, "an array"     },
        {"\xef\xbb\xbf{\"a\":1}",                               true,  1,  NULL           },
        {"\xef\xbb\xbf{\"a\":1}",                               false, 1,  NULL           },
        {"\xef\xbb\xbf"
         "a: 1\n",                                     false, 1,  NULL           },
        {"\xef\xbb\xbf\xef\xbb\xbf{}",                          true,  99, "no valid JSON"},
        {"just text",                                           false, 99, "a string"     },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(documents_fini) struct documents d = {0};
        struct err err = {0};
        enum errc rc =
            documents_from_bytes(str_of(cases[i].text), "f", cases[i].only_json, &d, &err);
        if (cases[i].n == 99) {
            assert_case(rc == ERR_INVALID, cases[i].text);
            assert_case(strstr(err.msg, cases[i].says) != NULL, err.msg);
        } else {
            assert_ok(rc, &err);
            assert_int_equal(d.n, cases[i].n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_follow_the_core_schema_of_1_2),
        cmocka_unit_test(documents_come_in_their_order),
        cmocka_unit_test(aliases_repeat_what_their_anchor_names),
        cmocka_unit_test(what_json_cannot_say_is_refused_with_its_place),
        cmocka_unit_test(aliases_cannot_make_a_document_explode),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(texts_that_older_readers_mistake_are_quoted),
        cmocka_unit_test(files_are_json_or_yaml_by_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

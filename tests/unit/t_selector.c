/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/labels.h"
#include "store/model/selector.h"
#include "tests/unit/check.h"

static struct selector *selector_of(const char *text)
{
    struct selector *s = NULL;
    struct err err = {0};
    check_ok(selector_parse(str_of(text), "selector", &s, &err), &err, __FILE__, __LINE__);
    return s;
}

static void each_form_has_one_canonical_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"",                                               ""                        },
        {"  \t\r\n ",                                      ""                        },
        {"k",                                              "k"                       },
        {"!k",                                             "!k"                      },
        {" ! k ",                                          "!k"                      },
        {"k=v",                                            "k=v"                     },
        {"k==v",                                           "k=v"                     },
        {" k \t= \nv\r",                                   "k=v"                     },
        {"k!=v",                                           "k!=v"                    },
        {"k=",                                             "k="                      },
        {"k==",                                            "k="                      },
        {"k!=",                                            "k!="                     },
        {"k=,a",                                           "a,k="                    },
        {"k in (a,b)",                                     "k in (a,b)"              },
        {"k in(b,a)",                                      "k in (a,b)"              },
        {"k in ( b , a , b )",                             "k in (a,b)"              },
        {"k in (a)",                                       "k=a"                     },
        {"k notin (a)",                                    "k!=a"                    },
        {"k notin (b,a)",                                  "k notin (a,b)"           },
        {"k in (,a)",                                      "k in (,a)"               },
        {"k in (a,)",                                      "k in (,a)"               },
        {"k in (a,,b)",                                    "k in (,a,b)"             },
        {"k in (,)",                                       "k="                      },
        {"k notin (,)",                                    "k!="                     },
        {"k>5",                                            "k>5"                     },
        {"k > 007",                                        "k>7"                     },
        {"k<9223372036854775807",                          "k<9223372036854775807"   },
        {"in",                                             "in"                      },
        {"notin",                                          "notin"                   },
        {"!in",                                            "!in"                     },
        {"in in (in,notin)",                               "in in (in,notin)"        },
        {"notin notin (in)",                               "notin!=in"               },
        {"in=in",                                          "in=in"                   },
        {"b=1,a=2",                                        "a=2,b=1"                 },
        {"a=1,a=1,a==1,a in (1)",                          "a=1"                     },
        {"a!=1,a=2,a,!a",                                  "!a,a,a!=1,a=2"           },
        {"example.com/Tier_1=A.b-c",                       "example.com/Tier_1=A.b-c"},
        {"x,!y,z=1,w!=2,v in (1,2),u notin (3,4),t>1,s<2",
         "s<2,t>1,u notin (3,4),v in (1,2),w!=2,x,!y,z=1"                            },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(selector_freep) struct selector *s = selector_of(cases[i].in);
        assert_str(selector_text(s), cases[i].out);
        assert_case(selector_is_empty(s) == (cases[i].out[0] == '\0'), cases[i].in);
        CLEANUP(selector_freep) struct selector *again = selector_of(cases[i].out);
        assert_str(selector_text(again), cases[i].out);
    }
}

static void what_is_no_selector_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {",",                                                                  "\",\" at offset 0"              },
        {"a,",                                                                 "ends where a label's key or '!'"},
        {"a,,b",                                                               "\",\" at offset 2"              },
        {"a b",                                                                "\"b\" at offset 2"              },
        {"=a",                                                                 "\"=\" at offset 0"              },
        {"!",                                                                  "ends where a label's key"       },
        {"!!a",                                                                "\"!\" at offset 1"              },
        {"!a=b",                                                               "\"=\" at offset 2"              },
        {"!a in (b)",                                                          "\"in\" at offset 3"             },
        {"a=b=c",                                                              "\"=\" at offset 3"              },
        {"a=!b",                                                               "\"!\" at offset 2"              },
        {"a=(b)",                                                              "\"(\" at offset 2"              },
        {"a===b",                                                              "\"=\" at offset 3"              },
        {"a=>b",                                                               "\">\" at offset 2"              },
        {"a>=5",                                                               "\"=\" at offset 2"              },
        {"a in b",                                                             "\"b\" at offset 5, expected '('"},
        {"a in",                                                               "ends where '('"                 },
        {"a in (",                                                             "ends where"                     },
        {"a in ()",                                                            "\")\" at offset 6"              },
        {"a = = b",                                                            "\"=\" at offset 4"              },
        {"a notin ()",                                                         "at least one"                   },
        {"a in (b",                                                            "ends where ',' or ')'"          },
        {"a in (b c)",                                                         "\"c\" at offset 8"              },
        {"a in (b,c))",                                                        "\")\" at offset 10"             },
        {"a in (b,,)",                                                         "\")\" at offset 9"              },
        {"a in (!b)",                                                          "\"!\" at offset 6"              },
        {"a in (b) c",                                                         "\"c\" at offset 9"              },
        {"a(b)",                                                               "\"(\" at offset 1"              },
        {"a)",                                                                 "\")\" at offset 1"              },
        {"a notin b",                                                          "expected '('"                   },
        {"a inn (b)",                                                          "\"inn\" at offset 2"            },
        {"a>",                                                                 "after '>'"                      },
        {"a>b",                                                                "not \"b\""                      },
        {"a>1.5",                                                              "not \"1.5\""                    },
        {"a>-5",                                                               "\"-5\" is no label value"       },
        {"a<9223372036854775808",                                              "64 bits"                        },
        {"-a",                                                                 "\"-a\""                         },
        {"a b/c",                                                              "offset 2"                       },
        {"A.com/x=1",                                                          "DNS name"                       },
        {"a/b/c",                                                              "\"a/b/c\""                      },
        {"a=b/c",                                                              "\"b/c\" is no label value"      },
        {"a=-b",                                                               "\"-b\" is no label value"       },
        {"a in (b,c/d)",                                                       "\"c/d\""                        },
        {"k=0123456789012345678901234567890123456789012345678901234567890123", "label value"                    },
        {"a;b",                                                                "\"a;b\""                        },
        {"\xc3\xa9=1",                                                         "\xc3\xa9"                       },
        {"a=\"b\"",                                                            "label value"                    },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct selector *s = NULL;
        struct err err = {0};
        assert_case(selector_parse(str_of(cases[i].text), "the.field", &s, &err) == ERR_INVALID,
                    cases[i].text);
        assert_string_equal(err.field, "the.field");
        if (strstr(err.msg, cases[i].says) == NULL) {
            print_error("%s: \"%s\" does not say \"%s\"\n", cases[i].text, err.msg, cases[i].says);
            fail();
        }
    }
    struct selector *s = NULL;
    assert_int_equal(selector_parse((struct str){"a\0b", 3}, "f", &s, NULL), ERR_INVALID);
}

static void objects_match_as_in_kubernetes(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        const char *labels;
        bool matches;
    } cases[] = {
        {"",              "",                       true },
        {"",              "a=1",                    true },
        {"a=1",           "a=1",                    true },
        {"a=1",           "a=2",                    false},
        {"a=1",           "",                       false},
        {"a=1",           "b=1",                    false},
        {"a=1",           "aa=1",                   false},
        {"aa=1",          "a=1,aa=1",               true },
        {"a=",            "a=",                     true },
        {"a=",            "a=1",                    false},
        {"a=",            "",                       false}, /* absent is not empty */
        {"a!=1",          "a=1",                    false},
        {"a!=1",          "a=2",                    true },
        {"a!=1",          "b=1",                    true }, /* also without the key */
        {"a!=",           "",                       true },
        {"a!=",           "a=",                     false},
        {"a",             "a=",                     true },
        {"a",             "b=1",                    false},
        {"!a",            "b=1",                    true },
        {"!a",            "a=",                     false},
        {"a in (1,2)",    "a=2",                    true },
        {"a in (1,2)",    "a=3",                    false},
        {"a in (1,2)",    "b=1",                    false},
        {"a in (,1)",     "a=",                     true },
        {"a in (,1)",     "",                       false},
        {"a notin (1,2)", "a=3",                    true },
        {"a notin (1,2)", "a=1",                    false},
        {"a notin (1,2)", "",                       true },
        {"a notin (,1)",  "a=",                     false},
        {"a>5",           "a=6",                    true },
        {"a>5",           "a=5",                    false},
        {"a>5",           "a=x",                    false},
        {"a>5",           "a=",                     false},
        {"a>5",           "",                       false},
        {"a>5",           "a=007",                  true },
        {"a>5",           "a=6.5",                  false},
        {"a>5",           "a=99999999999999999999", false},
        {"a<5",           "a=4",                    true },
        {"a<5",           "a=5",                    false},
        {"a<5",           "a=x",                    false},
        {"a<5",           "b=1",                    false},
        {"a>1,a<5",       "a=3",                    true },
        {"a>1,a<5",       "a=7",                    false},
        {"a=1,b=2",       "a=1,b=2,c=3",            true },
        {"a=1,b=2",       "a=1,c=3",                false},
        {"a=1,!b,c",      "a=1,c=3",                true },
        {"a=1,!b,c",      "a=1,b=2,c=3",            false},
        {"z=1",           "a=1,b=2,c=3,z=1",        true },
        {"a,a!=2,a=1",    "a=1",                    true },
        {"a=1,a=2",       "a=1",                    false},
        {"!a,!b,!z",      "c=1",                    true },
        {"x.io/a=1",      "a=1,x.io/a=1",           true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(selector_freep) struct selector *s = selector_of(cases[i].selector);
        assert_case(selector_match(s, str_of(cases[i].labels)) == cases[i].matches,
                    cases[i].selector);
    }
}

/* One requirement, judged the slow way. */
static bool judge(const char *form, const char *key, const char *value, struct str labels)
{
    struct str v;
    bool there = labels_get(labels, str_of(key), &v);
    bool same = there && str_eq(v, str_of(value));
    switch (form[0]) {
    case '=':
        return same;
    case '!':
        return form[1] == '=' ? !same : !there;
    case '>':
        return there && v.n != 0 && atoi(v.p) > atoi(value);
    default:
        return there;
    }
}

static void conjunctions_match_iff_each_part_does(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "b-", "c", "d"};
    static const char *const values[] = {"1", "2", "3"};
    static const char *const forms[] = {"=", "!=", "!", ">", ""};
    struct dice d = {11};
    for (int i = 0; i < 20000; i++) {
        char labels[128] = "";
        size_t n_labels = 0;
        for (size_t k = 0; k < COUNT(keys); k++) {
            if (k != 2 && dice_below(&d, 2) != 0) {
                sprintf(labels + strlen(labels), "%s%s=%s", n_labels++ != 0 ? "," : "", keys[k],
                        values[dice_below(&d, COUNT(values))]);
            }
        }
        char text[256] = "";
        bool expected = true;
        size_t n = 1 + dice_below(&d, 5);
        for (size_t j = 0; j < n; j++) {
            size_t k = dice_below(&d, COUNT(keys));
            const char *key = k == 2 ? "e" : keys[k];
            const char *value = values[dice_below(&d, COUNT(values))];
            const char *form = forms[dice_below(&d, COUNT(forms))];
            bool prefix = strcmp(form, "!") == 0;
            bool bare = prefix || form[0] == '\0';
            sprintf(text + strlen(text), "%s%s%s%s%s", j != 0 ? "," : "", prefix ? "!" : "", key,
                    bare ? "" : form, bare ? "" : value);
            expected = expected && judge(form, key, value, str_of(labels));
        }
        CLEANUP(selector_freep) struct selector *s = selector_of(text);
        if (selector_match(s, str_of(labels)) != expected) {
            print_error("\"%s\" on \"%s\"\n", text, labels);
            fail();
        }
    }
}

static void order_and_repetition_make_no_difference(void **state)
{
    (void)state;
    static const char *const parts[] = {"a=1", "b!=2", "!c", "d", "e in (x,y)", "f notin (z,y)"};
    struct dice d = {12};
    CLEANUP(selector_freep) struct selector *first = NULL;
    for (int i = 0; i < 200; i++) {
        char text[512] = "";
        size_t order[COUNT(parts)];
        for (size_t j = 0; j < COUNT(parts); j++) {
            size_t k = dice_below(&d, j + 1);
            order[j] = order[k];
            order[k] = j;
        }
        for (size_t j = 0; j < COUNT(parts); j++) {
            sprintf(text + strlen(text), "%s,%s,", parts[order[j]], parts[order[0]]);
        }
        text[strlen(text) - 1] = '\0';
        CLEANUP(selector_freep) struct selector *s = selector_of(text);
        if (first == NULL) {
            first = TAKE(s);
        } else {
            assert_true(str_eq(selector_text(s), selector_text(first)));
        }
    }
}

static void length_and_number_of_requirements_are_bounded(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 100000);
    struct selector *s = NULL;
    struct err err;
    for (int i = 0; i < SELECTOR_MAX_REQUIREMENTS; i++) {
        buf_printf(&b, "%sk%d", i != 0 ? "," : "", i);
    }
    assert_int_equal(selector_parse(buf_str(&b), "f", &s, NULL), OK);
    selector_free(s);
    buf_adds(&b, STR(",more"));
    assert_int_equal(selector_parse(buf_str(&b), "f", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "64 requirements"));

    buf_clear(&b);
    buf_adds(&b, STR("k in(a1"));
    while (b.n < SELECTOR_MAX_LEN - 8) {
        buf_printf(&b, ",a%zu", b.n);
    }
    buf_addc(&b, ')');
    assert_int_equal(selector_parse(buf_str(&b), "f", &s, NULL), OK);
    /* Its own text must be one that it takes. */
    struct selector *again = NULL;
    assert_int_equal(selector_parse(selector_text(s), "f", &again, NULL), OK);
    selector_free(again);
    selector_free(s);

    while (b.n <= SELECTOR_MAX_LEN) {
        buf_addc(&b, ' ');
    }
    assert_int_equal(selector_parse(buf_str(&b), "f", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "4097 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_has_one_canonical_text),
        cmocka_unit_test(what_is_no_selector_is_refused_with_its_place),
        cmocka_unit_test(objects_match_as_in_kubernetes),
        cmocka_unit_test(conjunctions_match_iff_each_part_does),
        cmocka_unit_test(order_and_repetition_make_no_difference),
        cmocka_unit_test(length_and_number_of_requirements_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/json_patch.h"
#include "store/model/object.h"
#include "tests/unit/json_random.h"

static enum errc patch_text(const char *doc, const char *patch, char **ret, struct err *err)
{
    json_t *tree = json_of(doc);
    CLEANUP(json_decrefp) json_t *ops = json_of(patch);
    CLEANUP(freep) char *before = text_of(ops);
    enum errc code = json_patch_apply(&tree, ops, OBJECT_MAX_BYTES, "json", err);
    CLEANUP(freep) char *after = text_of(ops);
    assert_string_equal(after, before); /* The patch is only read. */
    assert_int_equal(code == OK, tree != NULL);
    if (code == OK) {
        *ret = text_of(tree);
        json_decref(tree);
    }
    return code;
}

struct patch_case {
    const char *doc;
    const char *patch;
    const char *result;
};

static void check_cases(const struct patch_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(freep) char *text = NULL;
        struct err err = {0};
        enum errc code = patch_text(cases[i].doc, cases[i].patch, &text, &err);
        if (code != OK) {
            print_error("%s\n", cases[i].patch);
        }
        assert_ok(code, &err);
        assert_string_equal(text, cases[i].result);
    }
}

static void the_examples_of_rfc_6902_appendix_a(void **state)
{
    (void)state;
    static const struct patch_case cases[] = {
        {"{\"foo\":\"bar\"}",                                                             "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
         "{\"foo\":\"bar\",\"baz\":\"qux\"}"                                                                                                                                                                                                  },
        {"{\"foo\":[\"bar\",\"baz\"]}",                                                   "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"                                                                                                                                                                                                },
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}",                                             "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
         "{\"foo\":\"bar\"}"                                                                                                                                                                                                                  },
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}",                                           "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
         "{\"foo\":[\"bar\",\"baz\"]}"                                                                                                                                                                                                        },
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}",
         "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",                                                                                          "{\"baz\":\"boo\",\"foo\":\"bar\"}"                                           },
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",                                                                                  "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
         "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",                                                                                         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"                              },
        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
         "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
         "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",                                                                                                  "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"                                   },
        {"{\"foo\":\"bar\"}",
         "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",                                                                                "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"                             },
        {"{\"foo\":\"bar\"}",                                                             "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]",
         "{\"foo\":\"bar\",\"baz\":\"qux\"}"                                                                                                                                                                                                  },
        {"{\"/\":9,\"~1\":10}",                                                           "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
         "{\"/\":9,\"~1\":10}"                                                                                                                                                                                                                },
        {"{\"foo\":[\"bar\"]}",
         "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",                                                                                  "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"                                       },
    };
    check_cases(cases, COUNT(cases));
}

static void each_operation_does_what_the_rfc_says(void **state)
{
    (void)state;
    static const struct patch_case cases[] = {
        {"{\"a\":1}",                                                            "[]",                                                    "{\"a\":1}"                            },
        {"{\"z\":1,\"a\":2}",                                                    "[{\"op\":\"add\",\"path\":\"/z\",\"value\":null}]",
         "{\"z\":null,\"a\":2}"                                                                                                                                                  },
        {"{}",
         "[{\"op\":\"add\",\"path\":\"/\",\"value\":1},{\"op\":\"copy\",\"from\":\"/\","
         "\"path\":\"/~1~0\"}]",                                                                                                          "{\"\":1,\"/~\":1}"                    },
        {"{\"a\":[]}",
         "[{\"op\":\"add\",\"path\":\"/a/0\",\"value\":1},{\"op\":\"add\","
         "\"path\":\"/a/1\",\"value\":2},{\"op\":\"add\",\"path\":\"/a/0\",\"value\":0}]",                                                "{\"a\":[0,1,2]}"                      },
        {"{\"a\":1}",
         "[{\"op\":\"add\",\"path\":\"\",\"value\":{\"b\":2}},"
         "{\"op\":\"add\",\"path\":\"/c\",\"value\":3}]",                                                                                 "{\"b\":2,\"c\":3}"                    },
        {"{\"a\":1}",                                                            "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1]}]",    "[1]"                                  },
        {"{\"a\":{\"b\":1}}",                                                    "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"\"}]",     "{\"b\":1}"                            },
        {"{\"a\":{\"b\":1}}",                                                    "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/c\"}]",
         "{\"a\":{\"b\":1},\"c\":{\"a\":{\"b\":1}}}"                                                                                                                             },
        {"{\"a\":{\"b\":1}}",                                                    "[{\"op\":\"copy\",\"from\":\"/a/b\",\"path\":\"/a\"}]", "{\"a\":1}"                            },
        {"{\"a\":{\"b\":1}}",                                                    "[{\"op\":\"move\",\"from\":\"/a/b\",\"path\":\"/a\"}]", "{\"a\":1}"                            },
        {"{\"a\":1,\"b\":2}",                                                    "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",
         "{\"a\":1,\"b\":2}"                                                                                                                                                     },
        {"{\"a\":1}",                                                            "[{\"op\":\"move\",\"from\":\"\",\"path\":\"\"}]",       "{\"a\":1}"                            },
        {"{\"a\":1,\"b\":2}",                                                    "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]",   "{\"b\":1}"                            },
        {"{\"a\":{\"x\":1}}",                                                    "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/ab\"}]",
         "{\"ab\":{\"x\":1}}"                                                                                                                                                    },
        {"[1,2,3]",                                                              "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/-\"}]",   "[2,3,1]"                              },
        {"[1,2,3]",                                                              "[{\"op\":\"move\",\"from\":\"/2\",\"path\":\"/0\"}]",   "[3,1,2]"                              },
        {"[1,[2]]",                                                              "[{\"op\":\"replace\",\"path\":\"/1/0\",\"value\":{}}]", "[1,[{}]]"                             },
 /* What was put in can be changed further. */
        {"{}",
         "[{\"op\":\"add\",\"path\":\"/a\",\"value\":{\"b\":[]}},{\"op\":\"copy\",\"from\":"
         "\"/a\",\"path\":\"/c\"},{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":1},"
         "{\"op\":\"add\",\"path\":\"/c/b/-\",\"value\":2}]",                                                                             "{\"a\":{\"b\":[1]},\"c\":{\"b\":[2]}}"},
 /* Equal by value. */
        {"{\"a\":1,\"b\":1.0,\"c\":-0.0,\"d\":{\"x\":1,\"y\":[2.0]},\"e\":1e3}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1.0},{\"op\":\"test\",\"path\":\"/b\","
         "\"value\":1},{\"op\":\"test\",\"path\":\"/c\",\"value\":0},{\"op\":\"test\",\"path\":"
         "\"/d\",\"value\":{\"y\":[2],\"x\":1.0}},{\"op\":\"test\",\"path\":\"/e\",\"value\":1000},"
         "{\"op\":\"replace\",\"path\":\"\",\"value\":null},{\"op\":\"test\",\"path\":\"\","
         "\"value\":null}]",                                                                                                              "null"                                 },
    };
    check_cases(cases, COUNT(cases));
}

static void what_cannot_be_done_is_refused_by_operation_and_member(void **state)
{
    (void)state;
    static const struct {
        const char *doc;
        const char *patch;
        const char *field;
        const char *says;
    } cases[] = {
        {"{}",                          "{}",                                                                "json",          "array of operations"   },
        {"{}",                          "null",                                                              "json",          "array of operations"   },
        {"{}",                          "[1]",                                                               "json[0]",       "must be an object"     },
        {"{}",                          "[{\"op\":\"test\",\"path\":\"\",\"value\":{}},{}]",                 "json[1].op",    "not \"\""              },
        {"{}",                          "[{\"op\":\"ADD\",\"path\":\"/a\",\"value\":1}]",                    "json[0].op",    "not \"ADD\""           },
        {"{}",                          "[{\"op\":1,\"path\":\"/a\",\"value\":1}]",                          "json[0].op",    "must be add"           },
        {"{}",                          "[{\"op\":\"add\",\"value\":1}]",                                    "json[0].path",  "is missing"            },
        {"{}",                          "[{\"op\":\"add\",\"path\":1,\"value\":1}]",                         "json[0].path",  "is no string"          },
        {"{}",                          "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]",                     "json[0].path",  "begin with '/'"        },
        {"{}",                          "[{\"op\":\"add\",\"path\":\"/~\",\"value\":1}]",                    "json[0].path",  "no JSON pointer"       },
        {"{}",                          "[{\"op\":\"add\",\"path\":\"/~2\",\"value\":1}]",                   "json[0].path",  "\"~0\""                },
        {"{}",                          "[{\"op\":\"add\",\"path\":\"/a\"}]",                                "json[0].value", "\"add\" wants one"     },
        {"{}",                          "[{\"op\":\"test\",\"path\":\"\"}]",                                 "json[0].value", "is missing"            },
        {"{}",                          "[{\"op\":\"replace\",\"path\":\"\"}]",                              "json[0].value", "is missing"            },
        {"{}",                          "[{\"op\":\"move\",\"path\":\"/a\"}]",                               "json[0].from",  "is missing"            },
        {"{}",                          "[{\"op\":\"copy\",\"from\":\"x\",\"path\":\"/a\"}]",                "json[0].from",  "'/'"                   },
 /* A malformed operation is found before the first one is done. */
        {"{}",                          "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"x\"}]",              "json[1].op",    "\"x\""                 },
        {"{}",                          "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",                  "json[0].path",
         "nothing at \"/a\""                                                                                                                          },
        {"{\"q\":{\"bar\":2}}",         "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",                  "json[0].path",
         "nothing at \"/a\""                                                                                                                          },
        {"{\"a\":1}",                   "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":1}]",                  "json[0].path",
         "\"/a\" is neither"                                                                                                                          },
        {"1",                           "[{\"op\":\"add\",\"path\":\"/a\",\"value\":1}]",                    "json[0].path",  "\"\" is neither"       },
        {"{}",                          "[{\"op\":\"remove\",\"path\":\"/a\"}]",                             "json[0].path",  "nothing at \"/a\""     },
        {"{}",                          "[{\"op\":\"remove\",\"path\":\"\"}]",                               "json[0].path",  "cannot be removed"     },
        {"{}",                          "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1}]",                "json[0].path",  "nothing at"            },
        {"{}",                          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]",               "json[0].from",  "nothing at"            },
        {"{}",                          "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a\"}]",               "json[0].from",  "nothing at"            },
        {"{}",                          "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]",               "json[0].from",  "nothing at"            },
        {"{\"a\":{}}",                  "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]",             "json[0].path",
         "into itself"                                                                                                                                },
        {"{\"a\":{}}",                  "[{\"op\":\"move\",\"from\":\"\",\"path\":\"/b\"}]",                 "json[0].path",
         "into itself"                                                                                                                                },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/2\",\"value\":1}]",                    "json[0].path",
         "only 1 elements"                                                                                                                            },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/99999999999999999999\",\"value\":1}]", "json[0].path",
         "no index"                                                                                                                                   },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/18446744073709551615\",\"value\":1}]", "json[0].path",
         "only 1 elements"                                                                                                                            },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/00\",\"value\":1}]",                   "json[0].path",  "no index"              },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":1}]",                   "json[0].path",  "no index"              },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/\",\"value\":1}]",                     "json[0].path",
         "\"\" is no index"                                                                                                                           },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/1e0\",\"value\":1}]",                  "json[0].path",  "no index"              },
        {"{\"a\":[0]}",                 "[{\"op\":\"test\",\"path\":\"/a/x\",\"value\":1}]",                 "json[0].path",
         "\"x\" is no index of the array at \"/a\""                                                                                                   },
        {"[0]",                         "[{\"op\":\"remove\",\"path\":\"/1\"}]",                             "json[0].path",  "nothing at \"/1\""     },
        {"[0]",                         "[{\"op\":\"remove\",\"path\":\"/-\"}]",                             "json[0].path",  "nothing at \"/-\""     },
        {"[0]",                         "[{\"op\":\"replace\",\"path\":\"/-\",\"value\":1}]",                "json[0].path",  "nothing at"            },
        {"[0]",                         "[{\"op\":\"test\",\"path\":\"/-\",\"value\":1}]",                   "json[0].path",  "nothing at"            },
        {"[0]",                         "[{\"op\":\"add\",\"path\":\"/-/a\",\"value\":1}]",                  "json[0].path",  "\"/-\""                },
        {"[0,1]",                       "[{\"op\":\"move\",\"from\":\"/0\",\"path\":\"/2\"}]",               "json[0].path",
         "only 1 elements"                                                                                                                            },
        {"{\"a\":\"10\"}",              "[{\"op\":\"test\",\"path\":\"/a\",\"value\":10}]",                  "json[0].value",
         "at \"/a\" is \"10\""                                                                                                                        },
        {"{\"a\":9}",                   "[{\"op\":\"test\",\"path\":\"/a\",\"value\":10}]",                  "json[0].value", "is 9"                  },
        {"{\"a\":1}",                   "[{\"op\":\"test\",\"path\":\"/a\",\"value\":true}]",                "json[0].value", ""                      },
        {"{\"a\":null}",                "[{\"op\":\"test\",\"path\":\"/a\",\"value\":false}]",               "json[0].value",
         "is null"                                                                                                                                    },
        {"{\"a\":{}}",                  "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[]}]",                  "json[0].value",
         "another object"                                                                                                                             },
        {"{\"a\":[1]}",                 "[{\"op\":\"test\",\"path\":\"/a\",\"value\":[1,2]}]",               "json[0].value",
         "another array"                                                                                                                              },
        {"{\"a\":{\"b\":1}}",           "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"c\":1}}]",
         "json[0].value",                                                                                                     "another object"        },
        {"{\"a\":{\"b\":1}}",           "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{}}]",                  "json[0].value",
         "another object"                                                                                                                             },
        {"{\"a\":9007199254740993}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":"
         "9007199254740992.0}]",                                                                             "json[0].value", "is 9007199254740993"   },
        {"{\"a\":9223372036854775807}",
         "[{\"op\":\"test\",\"path\":\"/a\",\"value\":"
         "9223372036854775808.0}]",                                                                          "json[0].value", "is 9223372036854775807"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        char *text = NULL;
        assert_case(patch_text(cases[i].doc, cases[i].patch, &text, &err) == ERR_INVALID,
                    cases[i].patch);
        if (strcmp(err.field, cases[i].field) != 0 || strstr(err.msg, cases[i].says) == NULL) {
            print_error("%s: \"%s: %s\" is not \"%s: …%s\"\n", cases[i].patch, err.field, err.msg,
                        cases[i].field, cases[i].says);
            fail();
        }
    }
}

static void operations_copies_moves_and_depth_are_bounded(void **state)
{
    (void)state;
    struct err err = {0};
    CLEANUP(json_decrefp) json_t *op = json_of("{\"op\":\"add\",\"path\":\"/a\",\"value\":1}");
    CLEANUP(json_decrefp) json_t *many = json_array();
    for (int i = 0; i < JSON_PATCH_MAX_OPS; i++) {
        json_array_append(many, op);
    }
    json_t *doc = json_object();
    assert_ok(json_patch_apply(&doc, many, 1024, "json", &err), &err);
    json_array_append(many, op);
    assert_int_equal(json_patch_check(many, "json", &err), ERR_TOO_LARGE);
    assert_string_equal(err.field, "json");
    assert_int_equal(json_patch_apply(&doc, many, 1024, "json", &err), ERR_TOO_LARGE);
    assert_null(doc);

    /* A bomb: each copy doubles the document. */
    CLEANUP(json_decrefp)
    json_t *twice = json_of("{\"op\":\"copy\",\"from\":\"\",\"path\":\"/0\"}");
    CLEANUP(json_decrefp) json_t *bomb = json_array();
    for (int i = 0; i < 40; i++) {
        CLEANUP(freep) char *path = mem_printf("/%d", i);
        json_t *o = json_deep_copy(twice);
        json_object_set_new(o, "path", json_string(path));
        json_array_append_new(bomb, o);
    }
    doc = json_of("{\"x\":\"0123456789012345678901234567890123456789\"}");
    assert_int_equal(json_patch_apply(&doc, bomb, OBJECT_MAX_BYTES, "json", &err), ERR_TOO_LARGE);
    assert_string_equal(err.field, "json[14].from");

    /* Copies over one another do not add up in the document, but they do in work. */
    CLEANUP(json_decrefp) json_t *again = json_array();
    CLEANUP(json_decrefp)
    json_t *over = json_of("{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}");
    for (int i = 0; i < 100; i++) {
        json_array_append(again, over);
    }
    doc = json_of("{\"a\":\"0123456789\"}");
    assert_int_equal(json_patch_apply(&doc, again, 1199, "json", &err), ERR_TOO_LARGE);
    doc = json_of("{\"a\":\"0123456789\"}");
    assert_ok(json_patch_apply(&doc, again, 1200, "json", &err), &err);
    json_decref(doc);

    /* A large value that goes down and up again and again. */
    CLEANUP(json_decrefp)
    json_t *down = json_of("{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/a\"}");
    CLEANUP(json_decrefp)
    json_t *up = json_of("{\"op\":\"move\",\"from\":\"/b/a\",\"path\":\"/a\"}");
    CLEANUP(json_decrefp) json_t *swings = json_array();
    for (int i = 0; i < 5000; i++) {
        json_array_append(swings, down);
        json_array_append(swings, up);
    }
    doc = json_of("{\"a\":[],\"b\":{}}");
    for (int i = 0; i < 100000; i++) {
        json_array_append_new(json_object_get(doc, "a"), json_integer(1));
    }
    assert_int_equal(json_patch_apply(&doc, swings, OBJECT_MAX_BYTES, "json", &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.msg, "moves too much"));

    /* A long array that is shifted again and again. */
    CLEANUP(json_decrefp) json_t *front = json_of("{\"op\":\"add\",\"path\":\"/0\",\"value\":1}");
    CLEANUP(json_decrefp) json_t *shifts = json_array();
    for (int i = 0; i < JSON_PATCH_MAX_OPS; i++) {
        json_array_append(shifts, front);
    }
    doc = json_array();
    for (int i = 0; i < 500000; i++) {
        json_array_append_new(doc, json_integer(1));
    }
    assert_int_equal(json_patch_apply(&doc, shifts, OBJECT_MAX_BYTES, "json", &err), ERR_TOO_LARGE);
    doc = json_array();
    assert_ok(json_patch_apply(&doc, shifts, OBJECT_MAX_BYTES, "json", &err), &err);
    assert_int_equal(json_array_size(doc), JSON_PATCH_MAX_OPS);
    json_decref(doc);
}

static void nothing_gets_deeper_than_a_document_may_be(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "{\"op\":\"add\",\"path\":\"%s/a\",\"value\":{}}",
        "{\"op\":\"replace\",\"path\":\"%s\",\"value\":{\"a\":{}}}",
        "{\"op\":\"copy\",\"from\":\"/e\",\"path\":\"%s/a\"}",
        "{\"op\":\"move\",\"from\":\"/e\",\"path\":\"%s/a\"}",
    };
    for (size_t way = 0; way < COUNT(ways); way++) {
        json_t *doc = json_of("{\"e\":{},\"a\":{}}");
        CLEANUP(buf_fini) struct buf path;
        buf_init(&path, 1000);
        buf_adds(&path, STR("/a"));
        enum errc code = OK;
        struct err err = {0};
        int levels = 2;
        while (code == OK) {
            char text[400];
            size_t n = strcspn(ways[way], "%");
            snprintf(text, sizeof(text), "[%.*s%.*s%s]", (int)n, ways[way], STR_ARG(buf_str(&path)),
                     ways[way] + n + 2);
            CLEANUP(json_decrefp) json_t *patch = json_of(text);
            code = json_patch_apply(&doc, patch, OBJECT_MAX_BYTES, "json", &err);
            if (code == OK) {
                levels++;
                assert_int_equal(json_depth(doc), levels);
                json_object_set_new(doc, "e", json_object());
            }
            buf_adds(&path, STR("/a"));
        }
        assert_int_equal(code, ERR_INVALID);
        assert_int_equal(levels, JSON_DEPTH_MAX);
        assert_string_equal(err.field, "json[0].path");
        assert_non_null(strstr(err.msg, "64 levels"));
    }
}

/* ---- A model: each operation makes a new document, from the inside out. -----------------------
 */

enum edit { EDIT_ADD, EDIT_REMOVE, EDIT_REPLACE };

/* The value at path[i …], or NULL. */
static const json_t *model_get(const json_t *v, const json_t *path)
{
    for (size_t i = 0; i < json_array_size(path) && v != NULL; i++) {
        const char *token = json_string_value(json_array_get(path, i));
        char *end = NULL;
        unsigned long index = strtoul(token, &end, 10);
        bool number = token[0] >= '0' && token[0] <= '9' && *end == '\0' &&
                      (token[0] != '0' || token[1] == '\0');
        v = json_is_object(v)            ? json_object_get(v, token)
            : json_is_array(v) && number ? json_array_get(v, index)
                                         : NULL;
    }
    return v;
}

/* A new document with the edit done below `v`, at path[i …]; NULL if it cannot be. */
static json_t *model_edit(const json_t *v, const json_t *path, size_t i, enum edit edit,
                          const json_t *value)
{
    if (i == json_array_size(path)) {
        return edit == EDIT_REMOVE ? NULL : json_deep_copy(value);
    }
    bool last = i + 1 == json_array_size(path);
    const char *token = json_string_value(json_array_get(path, i));
    CLEANUP(json_decrefp) json_t *result = json_is_array(v) ? json_array() : json_object();
    bool done = false;
    if (json_is_object(v)) {
        const char *key;
        json_t *member;
        json_object_foreach(json_mutable(v), key, member)
        {
            bool here = strcmp(key, token) == 0;
            done = done || here;
            json_t *next = here && last && edit == EDIT_REMOVE
                               ? NULL
                               : (here ? model_edit(member, path, i + 1, edit, value)
                                       : json_deep_copy(member));
            if (next == NULL && !(last && edit == EDIT_REMOVE)) {
                return NULL;
            }
            if (next != NULL) {
                json_object_set_new(result, key, next);
            }
        }
        if (!done && last && edit == EDIT_ADD) {
            json_object_set_new(result, token, json_deep_copy(value));
            done = true;
        }
    } else if (json_is_array(v)) {
        size_t n = json_array_size(v);
        for (size_t e = 0; e <= n; e++) {
            char number[24];
            sprintf(number, "%zu", e);
            bool here = strcmp(number, token) == 0 ||
                        (e == n && strcmp(token, "-") == 0 && edit == EDIT_ADD && last);
            if (here && last && edit == EDIT_ADD) {
                json_array_append_new(result, json_deep_copy(value));
                done = true;
            }
            if (e == n) {
                break;
            }
            const json_t *element = json_array_get(v, e);
            if (!here || (last && edit == EDIT_ADD)) {
                json_array_append_new(result, json_deep_copy(element));
                continue;
            }
            done = true;
            if (!last || edit == EDIT_REPLACE) {
                json_t *next = model_edit(element, path, i + 1, edit, value);
                if (next == NULL) {
                    return NULL;
                }
                json_array_append_new(result, next);
            }
        }
    }
    return done ? TAKE(result) : NULL;
}

static bool model_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        /* The numbers of this test are small. */
        return json_number_value(a) == json_number_value(b);
    }
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        bool equal = true;
        for (size_t i = 0; i < json_array_size(a); i++) {
            equal = equal && model_equal(json_array_get(a, i), json_array_get(b, i));
        }
        return equal;
    }
    if (json_is_object(a) && json_is_object(b) && json_object_size(a) == json_object_size(b)) {
        bool equal = true;
        const char *key;
        json_t *v;
        json_object_foreach(json_mutable(a), key, v)
        {
            const json_t *w = json_object_get(b, key);
            equal = equal && w != NULL && model_equal(v, w);
        }
        return equal;
    }
    return json_equal(a, b);
}

/* Takes doc; NULL if the operation fails. */
static json_t *model_apply(json_t *doc, const char *op, const json_t *path, const json_t *from,
                           const json_t *value)
{
    CLEANUP(json_decrefp) json_t *taken = doc;
    const json_t *there = model_get(doc, path);
    const json_t *source = model_get(doc, from);
    if (strcmp(op, "add") == 0) {
        return model_edit(doc, path, 0, EDIT_ADD, value);
    }
    if (strcmp(op, "remove") == 0) {
        return there != NULL ? model_edit(doc, path, 0, EDIT_REMOVE, NULL) : NULL;
    }
    if (strcmp(op, "replace") == 0) {
        return there != NULL ? model_edit(doc, path, 0, EDIT_REPLACE, value) : NULL;
    }
    if (strcmp(op, "test") == 0) {
        return there != NULL && model_equal(there, value) ? TAKE(taken) : NULL;
    }
    if (source == NULL) {
        return NULL;
    }
    if (strcmp(op, "copy") == 0) {
        return model_edit(doc, path, 0, EDIT_ADD, source);
    }
    if (json_equal(path, from)) {
        return TAKE(taken);
    }
    size_t shared = 0;
    while (shared < json_array_size(from) && shared < json_array_size(path) &&
           json_equal(json_array_get(from, shared), json_array_get(path, shared))) {
        shared++;
    }
    if (shared == json_array_size(from)) {
        return NULL; /* into itself */
    }
    CLEANUP(json_decrefp) json_t *moved = json_deep_copy(source);
    CLEANUP(json_decrefp) json_t *without = model_edit(doc, from, 0, EDIT_REMOVE, NULL);
    return model_edit(without, path, 0, EDIT_ADD, moved);
}

static json_t *small_value(struct dice *d, int levels)
{
    static const char *const keys[] = {"a", "b", "0", "1", "-", "", "x/y", "~1"};
    switch (dice_below(d, levels == 0 ? 4 : 6)) {
    case 0:
        return json_integer((json_int_t)dice_below(d, 3));
    case 1:
        return json_real((double)dice_below(d, 4) / 2);
    case 2:
        return json_string(keys[dice_below(d, COUNT(keys))]);
    case 3:
        return dice_below(d, 2) != 0 ? json_null() : json_true();
    case 4: {
        json_t *v = json_array();
        for (size_t n = dice_below(d, 4); n != 0; n--) {
            json_array_append_new(v, small_value(d, levels - 1));
        }
        return v;
    }
    default: {
        json_t *v = json_object();
        for (size_t n = dice_below(d, 5); n != 0; n--) {
            json_object_set_new(v, keys[dice_below(d, COUNT(keys))], small_value(d, levels - 1));
        }
        return v;
    }
    }
}

/* A path that mostly leads somewhere. */
static json_t *random_path(struct dice *d, const json_t *v)
{
    static const char *const tokens[] = {"a", "b", "0", "1", "-", "", "x/y", "~1", "00"};
    json_t *path = json_array();
    while (dice_below(d, 5) != 0) {
        const char *token = tokens[dice_below(d, COUNT(tokens))];
        char number[24];
        size_t n = json_is_object(v) ? json_object_size(v) : json_array_size(v);
        if (n != 0 && dice_below(d, 10) != 0) {
            size_t pick = dice_below(d, n);
            sprintf(number, "%zu", pick);
            token = number;
            if (json_is_object(v)) {
                void *it = json_object_iter(json_mutable(v));
                while (pick-- != 0) {
                    it = json_object_iter_next(json_mutable(v), it);
                }
                token = json_object_iter_key(it);
            }
        }
        json_array_append_new(path, json_string(token));
        CLEANUP(json_decrefp) json_t *one = json_array();
        json_array_append_new(one, json_string(token));
        v = v != NULL ? model_get(v, one) : NULL;
    }
    return path;
}

static json_t *pointer_of(const json_t *path)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < json_array_size(path); i++) {
        buf_addc(&b, '/');
        for (const char *c = json_string_value(json_array_get(path, i)); *c != '\0'; c++) {
            buf_adds(&b, *c == '~' ? STR("~0") : *c == '/' ? STR("~1") : (struct str){c, 1});
        }
    }
    return json_stringn(b.n != 0 ? b.p : "", b.n);
}

static void random_patches_do_what_the_model_does(void **state)
{
    (void)state;
    static const char *const names[] = {"add", "remove", "replace", "move", "copy", "test"};
    struct dice d = {6902};
    size_t done[COUNT(names)] = {0};
    size_t failed[COUNT(names)] = {0};
    for (int i = 0; i < 20000; i++) {
        CLEANUP(json_decrefp) json_t *model = json_array();
        for (int j = 0; j < 4; j++) {
            json_array_append_new(model, small_value(&d, 4));
        }
        json_t *doc = json_deep_copy(model);
        CLEANUP(freep) char *before = text_of(doc);
        CLEANUP(json_decrefp) json_t *patch = json_array();
        size_t last = 0;
        size_t n = 1 + dice_below(&d, 6);
        while (model != NULL && json_array_size(patch) < n) {
            last = dice_below(&d, COUNT(names));
            CLEANUP(json_decrefp) json_t *path = random_path(&d, model);
            CLEANUP(json_decrefp) json_t *from = random_path(&d, model);
            const json_t *there = model_get(model, path);
            CLEANUP(json_decrefp)
            json_t *value = there != NULL && dice_below(&d, 2) != 0 ? json_deep_copy(there)
                                                                    : small_value(&d, 2);
            json_t *op = json_object();
            json_object_set_new(op, "op", json_string(names[last]));
            json_object_set_new(op, "path", pointer_of(path));
            json_object_set_new(op, "from", pointer_of(from));
            json_object_set(op, "value", value);
            json_array_append_new(patch, op);
            model = model_apply(TAKE(model), names[last], path, from, value);
            done[last] += model != NULL;
            failed[last] += model == NULL;
        }
        CLEANUP(freep) char *patch_before = text_of(patch);
        struct err err = {0};
        enum errc code = json_patch_apply(&doc, patch, OBJECT_MAX_BYTES, "json", &err);
        CLEANUP(freep) char *patch_after = text_of(patch);
        assert_string_equal(patch_after, patch_before);
        if ((code == OK) != (model != NULL)) {
            print_error("%s\n%s\n%s %s\n", before, patch_before, err.field, err.msg);
            fail();
        }
        if (model == NULL) {
            char field[32];
            sprintf(field, "json[%zu].", json_array_size(patch) - 1);
            assert_case(strncmp(err.field, field, strlen(field)) == 0, patch_before);
            assert_null(doc);
            continue;
        }
        CLEANUP(freep) char *text = text_of(doc);
        CLEANUP(freep) char *expected = text_of(model);
        json_decref(doc);
        if (strcmp(text, expected) != 0) {
            print_error("%s\n%s\n%s\n%s\n", before, patch_before, text, expected);
            fail();
        }
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_case(done[i] > 300 && failed[i] > 300, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_6902_appendix_a),
        cmocka_unit_test(each_operation_does_what_the_rfc_says),
        cmocka_unit_test(what_cannot_be_done_is_refused_by_operation_and_member),
        cmocka_unit_test(operations_copies_moves_and_depth_are_bounded),
        cmocka_unit_test(nothing_gets_deeper_than_a_document_may_be),
        cmocka_unit_test(random_patches_do_what_the_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

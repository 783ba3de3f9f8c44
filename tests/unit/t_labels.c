/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/labels.h"
#include "tests/unit/json_random.h"

static void labels_become_text_sorted_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"null",                                                               ""                              },
        {"{}",                                                                 ""                              },
        {"{\"a\":\"\"}",                                                       "a="                            },
        {"{\"b\":\"2\",\"a\":\"1\"}",                                          "a=1,b=2"                       },
        {"{\"a.b\":\"x\",\"a\":\"y\",\"a-b\":\"z\",\"A\":\"w\",\"a0\":\"v\"}",
         "A=w,a=y,a-b=z,a.b=x,a0=v"                                                                            },
        {"{\"example.com/tier\":\"front\",\"app\":\"web\"}",                   "app=web,example.com/tier=front"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].json);
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 4096);
        struct err err;
        assert_ok(labels_from_json(v, &b, &err), &err);
        assert_str(buf_str(&b), cases[i].text);
    }
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(labels_from_json(NULL, &b, NULL), OK);
    assert_int_equal(b.n, 0);
}

static void bad_labels_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *field;
    } cases[] = {
        {"[]",                        "metadata.labels"         },
        {"\"a=b\"",                   "metadata.labels"         },
        {"{\"a b\":\"x\"}",           "metadata.labels[\"a b\"]"},
        {"{\"ok\":\"x\",\"\":\"x\"}", "metadata.labels[\"\"]"   },
        {"{\"a\":1}",                 "metadata.labels[\"a\"]"  },
        {"{\"a\":null}",              "metadata.labels[\"a\"]"  },
        {"{\"a\":\"b c\"}",           "metadata.labels[\"a\"]"  },
        {"{\"a\":\"b,c\"}",           "metadata.labels[\"a\"]"  },
        {"{\"a=b\":\"c\"}",           "metadata.labels[\"a=b\"]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].json);
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, 4096);
        struct err err = {0};
        assert_case(labels_from_json(v, &b, &err) == ERR_INVALID, cases[i].json);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void a_label_is_found_by_its_whole_key(void **state)
{
    (void)state;
    static const struct str labels = {"a=1,ab=,abc=3,b/c=4", 19};
    static const struct {
        const char *key;
        const char *value; /* NULL: not there */
    } cases[] = {
        {"a",    "1" },
        {"ab",   ""  },
        {"abc",  "3" },
        {"b/c",  "4" },
        {"b",    NULL},
        {"",     NULL},
        {"abcd", NULL},
        {"z",    NULL},
        {"0",    NULL},
        {"1",    NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str value = STR("untouched");
        bool found = labels_get(labels, str_of(cases[i].key), &value);
        assert_case(found == (cases[i].value != NULL), cases[i].key);
        assert_str(value, found ? cases[i].value : "untouched");
    }
    struct str value;
    assert_false(labels_get(STR_EMPTY, STR("a"), &value));
}

static void walking_gives_each_pair_once(void **state)
{
    (void)state;
    static const struct str labels = {"a=1,b=,c=3", 10};
    static const char *const keys[] = {"a", "b", "c"};
    static const char *const values[] = {"1", "", "3"};
    size_t at = 0;
    struct str key;
    struct str value;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_true(labels_next(labels, &at, &key, &value));
        assert_str(key, keys[i]);
        assert_str(value, values[i]);
    }
    assert_false(labels_next(labels, &at, &key, &value));
    at = 0;
    assert_true(labels_next(STR("a="), &at, &key, &value));
    assert_str(value, "");
    assert_false(labels_next(STR("a="), &at, &key, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_become_text_sorted_by_key),
        cmocka_unit_test(bad_labels_are_refused_by_name),
        cmocka_unit_test(a_label_is_found_by_its_whole_key),
        cmocka_unit_test(walking_gives_each_pair_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

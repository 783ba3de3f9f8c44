/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/patch.h"
#include "tests/unit/json_random.h"

struct patch_case {
    const char *target;
    const char *patch;
    const char *result;
};

static void check_cases(const struct patch_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(json_decrefp)
        json_t *target = cases[i].target != NULL ? json_of(cases[i].target) : NULL;
        CLEANUP(json_decrefp) json_t *patch = json_of(cases[i].patch);
        CLEANUP(json_decrefp) json_t *result = patch_merge(target, patch);
        CLEANUP(freep) char *text = text_of(result);
        assert_string_equal(text, cases[i].result);
        if (target != NULL) {
            CLEANUP(freep) char *target_after = text_of(target);
            assert_string_equal(target_after, cases[i].target);
        }
        CLEANUP(freep) char *patch_after = text_of(patch);
        assert_string_equal(patch_after, cases[i].patch);
    }
}

static void the_examples_of_rfc_7396_appendix_a(void **state)
{
    (void)state;
    static const struct patch_case cases[] = {
        {"{\"a\":\"b\"}",             "{\"a\":\"c\"}",                    "{\"a\":\"c\"}"            },
        {"{\"a\":\"b\"}",             "{\"b\":\"c\"}",                    "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}",             "{\"a\":null}",                     "{}"                       },
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}",                     "{\"b\":\"c\"}"            },
        {"{\"a\":[\"b\"]}",           "{\"a\":\"c\"}",                    "{\"a\":\"c\"}"            },
        {"{\"a\":\"c\"}",             "{\"a\":[\"b\"]}",                  "{\"a\":[\"b\"]}"          },
        {"{\"a\":{\"b\":\"c\"}}",     "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"    },
        {"{\"a\":[{\"b\":\"c\"}]}",   "{\"a\":[1]}",                      "{\"a\":[1]}"              },
        {"[\"a\",\"b\"]",             "[\"c\",\"d\"]",                    "[\"c\",\"d\"]"            },
        {"{\"a\":\"b\"}",             "[\"c\"]",                          "[\"c\"]"                  },
        {"{\"a\":\"foo\"}",           "null",                             "null"                     },
        {"{\"a\":\"foo\"}",           "\"bar\"",                          "\"bar\""                  },
        {"{\"e\":null}",              "{\"a\":1}",                        "{\"e\":null,\"a\":1}"     },
        {"[1,2]",                     "{\"a\":\"b\",\"c\":null}",         "{\"a\":\"b\"}"            },
        {"{}",                        "{\"a\":{\"bb\":{\"ccc\":null}}}",  "{\"a\":{\"bb\":{}}}"      },
    };
    check_cases(cases, COUNT(cases));
}

static void members_keep_their_place_and_nothing_is_a_target_too(void **state)
{
    (void)state;
    static const struct patch_case cases[] = {
        {"{\"z\":1,\"a\":2,\"m\":3}", "{\"new\":4,\"a\":5}",                     "{\"z\":1,\"a\":5,\"m\":3,\"new\":4}"},
        {"{\"a\":{\"z\":1,\"b\":2}}", "{\"a\":{\"z\":{\"q\":[null]}}}",
         "{\"a\":{\"z\":{\"q\":[null]},\"b\":2}}"                                                                     },
        {NULL,                        "{\"a\":{\"b\":null,\"c\":1},\"d\":null}", "{\"a\":{\"c\":1}}"                  },
        {NULL,                        "[null]",                                  "[null]"                             },
        {"{\"a\":1}",                 "{}",                                      "{\"a\":1}"                          },
    };
    check_cases(cases, COUNT(cases));
}

/* RFC 7396, section 2, word for word. Takes target. */
static json_t *by_the_book(json_t *target, const json_t *patch)
{
    if (!json_is_object(patch)) {
        json_decref(target);
        return json_deep_copy(patch);
    }
    if (!json_is_object(target)) {
        json_decref(target);
        target = json_object();
    }
    json_t *members = json_mutable(patch);
    for (void *it = json_object_iter(members); it != NULL;
         it = json_object_iter_next(members, it)) {
        const char *name = json_object_iter_key(it);
        if (json_is_null(json_object_iter_value(it))) {
            json_object_del(target, name);
        } else {
            json_t *old = json_deep_copy(json_object_get(target, name));
            json_object_set_new(target, name, by_the_book(old, json_object_iter_value(it)));
        }
    }
    return target;
}

static void random_patches_do_what_the_rfc_says(void **state)
{
    (void)state;
    struct dice d = {7396};
    for (int i = 0; i < 2000; i++) {
        CLEANUP(json_decrefp) json_t *target = random_json(&d, 4);
        CLEANUP(json_decrefp) json_t *patch = random_json(&d, 4);
        CLEANUP(freep) char *before = text_of(target);
        CLEANUP(json_decrefp) json_t *result = patch_merge(target, patch);
        CLEANUP(json_decrefp) json_t *expected = by_the_book(json_deep_copy(target), patch);
        assert_case(json_equal(result, expected), before);
        CLEANUP(freep) char *after = text_of(target);
        assert_string_equal(after, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_7396_appendix_a),
        cmocka_unit_test(members_keep_their_place_and_nothing_is_a_target_too),
        cmocka_unit_test(random_patches_do_what_the_rfc_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

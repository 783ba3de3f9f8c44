/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/metadata.h"
#include "store/model/object.h"
#include "tests/unit/json_random.h"

static const struct key key = {
    {"jobs",    4},
    {"default", 7},
    {"web",     3}
};

static enum errc check(const char *text, struct err *err)
{
    CLEANUP(json_decrefp) json_t *v = json_of(text);
    CLEANUP(buf_fini) struct buf labels;
    buf_init(&labels, 65536);
    return metadata_check(&key, v, &labels, err);
}

static void what_users_may_write_is_accepted(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{}",
        "{\"name\":\"web\",\"namespace\":\"default\"}",
        "{\"name\":null,\"namespace\":null,\"labels\":null,\"annotations\":null,"
        "\"finalizers\":null,\"ownerReferences\":null,\"generateName\":null}",
        "{\"labels\":{},\"annotations\":{},\"finalizers\":[],\"ownerReferences\":[]}",
        "{\"labels\":{\"a\":\"\",\"x.io/b\":\"c\"}}",
        "{\"annotations\":{\"a\":\"any text\\n\xe2\x82\xac \",\"X.io/B\":\"\"}}",
        "{\"finalizers\":[\"x.io/clean\",\"orphan\"]}",
        "{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"K\",\"name\":\"n\",\"uid\":\"u\","
        "\"controller\":true,\"blockOwnerDeletion\":false},"
        "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"name\":\"m\",\"uid\":\"w\",\"controller\":false,"
        "\"more\":1}]}",
        "{\"generateName\":\"web-\"}",
        "{\"something\":{\"of\":[\"theirs\"]}}",
        /* The values of the server's own members are not looked at. */
        "{\"generation\":-7,\"creationTimestamp\":null,\"deletionTimestamp\":\"x\","
        "\"deletionGracePeriodSeconds\":0,\"managedFields\":[1],\"selfLink\":\"\","
        "\"uid\":\"u\",\"resourceVersion\":\"y\"}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        assert_ok(check(cases[i], &err), &err);
    }
    CLEANUP(buf_fini) struct buf labels;
    buf_init(&labels, 100);
    assert_int_equal(metadata_check(&key, NULL, &labels, NULL), OK);
}

static void what_breaks_a_rule_is_named_by_its_path(void **state)
{
    (void)state;
#define OWNER "\"apiVersion\":\"v1\",\"kind\":\"K\",\"name\":\"n\",\"uid\":\"u\""
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"{\"name\":\"other\"}",                                                                    "metadata.name"                         },
        {"{\"name\":\"\"}",                                                                         "metadata.name"                         },
        {"{\"name\":1}",                                                                            "metadata.name"                         },
        {"{\"namespace\":\"other\"}",                                                               "metadata.namespace"                    },
        {"{\"generateName\":1}",                                                                    "metadata.generateName"                 },
        {"{\"labels\":[]}",                                                                         "metadata.labels"                       },
        {"{\"labels\":{\"a b\":\"c\"}}",                                                            "metadata.labels[\"a b\"]"              },
        {"{\"labels\":{\"a\":\"c d\"}}",                                                            "metadata.labels[\"a\"]"                },
        {"{\"labels\":{\"a\":true}}",                                                               "metadata.labels[\"a\"]"                },
        {"{\"annotations\":\"x\"}",                                                                 "metadata.annotations"                  },
        {"{\"annotations\":{\"a b\":\"c\"}}",                                                       "metadata.annotations[\"a b\"]"         },
        {"{\"annotations\":{\"a\":1}}",                                                             "metadata.annotations[\"a\"]"           },
        {"{\"annotations\":{\"a\":null}}",                                                          "metadata.annotations[\"a\"]"           },
        {"{\"finalizers\":{}}",                                                                     "metadata.finalizers"                   },
        {"{\"finalizers\":[\"a\",1]}",                                                              "metadata.finalizers[1]"                },
        {"{\"finalizers\":[\"a b\"]}",                                                              "metadata.finalizers[0]"                },
        {"{\"finalizers\":[\"a\",\"b\",\"a\"]}",                                                    "metadata.finalizers[2]"                },
        {"{\"finalizers\":[\"\"]}",                                                                 "metadata.finalizers[0]"                },
        {"{\"ownerReferences\":{}}",                                                                "metadata.ownerReferences"              },
        {"{\"ownerReferences\":[1]}",                                                               "metadata.ownerReferences[0]"           },
        {"{\"ownerReferences\":[{" OWNER "},{}]}",                                                  "metadata.ownerReferences[1].apiVersion"},
        {"{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"name\":\"n\",\"uid\":\"u\"}]}",
         "metadata.ownerReferences[0].kind"                                                                                                 },
        {"{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"K\",\"name\":\"\",\"uid\":\"u\"}]"
         "}",                                                                              "metadata.ownerReferences[0].name"      },
        {"{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"K\",\"name\":\"n\",\"uid\":5}]}",
         "metadata.ownerReferences[0].uid"                                                                                                  },
        {"{\"ownerReferences\":[{" OWNER ",\"controller\":\"yes\"}]}",
         "metadata.ownerReferences[0].controller"                                                                                           },
        {"{\"ownerReferences\":[{" OWNER ",\"blockOwnerDeletion\":1}]}",
         "metadata.ownerReferences[0].blockOwnerDeletion"                                                                                   },
        {"{\"ownerReferences\":[{" OWNER ",\"controller\":true},{" OWNER ",\"controller\":true}]}",
         "metadata.ownerReferences[1].controller"                                                                                           },
        {"{\"uid\":1}",                                                                             "metadata.uid"                          },
        {"{\"resourceVersion\":1}",                                                                 "metadata.resourceVersion"              },
        {"{\"generation\":\"1\"}",                                                                  "metadata.generation"                   },
        {"{\"generation\":1.5}",                                                                    "metadata.generation"                   },
        {"{\"creationTimestamp\":0}",                                                               "metadata.creationTimestamp"            },
        {"{\"deletionTimestamp\":false}",                                                           "metadata.deletionTimestamp"            },
        {"{\"deletionGracePeriodSeconds\":\"5\"}",                                                  "metadata.deletionGracePeriodSeconds"   },
        {"{\"selfLink\":{}}",                                                                       "metadata.selfLink"                     },
        {"{\"managedFields\":{}}",                                                                  "metadata.managedFields"                },
    };
#undef OWNER
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        assert_case(check(cases[i].text, &err) == ERR_INVALID, cases[i].text);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void annotations_are_limited_together(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        size_t n = ANNOTATIONS_MAX_BYTES - 4 - 10 + (size_t)over;
        CLEANUP(freep) char *value = mem_alloc(n + 1);
        memset(value, 'x', n);
        value[n] = '\0';
        CLEANUP(json_decrefp)
        json_t *v = json_pack("{s:{s:s,s:s}}", "annotations", "ab", "0123456789", "cd", value);
        CLEANUP(buf_fini) struct buf labels;
        buf_init(&labels, 100);
        struct err err = {0};
        assert_int_equal(metadata_check(&key, v, &labels, &err), over ? ERR_TOO_LARGE : OK);
        assert_string_equal(err.field, over ? "metadata.annotations" : "");
    }
}

static void many_finalizers_are_checked_in_a_moment(void **state)
{
    (void)state;
    CLEANUP(json_decrefp) json_t *v = json_object();
    json_t *list = json_array();
    json_object_set_new(v, "finalizers", list);
    for (int i = 0; i < 100000; i++) {
        json_array_append_new(list, json_sprintf("f%d", i));
    }
    CLEANUP(buf_fini) struct buf labels;
    buf_init(&labels, 100);
    assert_int_equal(metadata_check(&key, v, &labels, NULL), OK);
}

static void expectations_are_version_and_uid(void **state)
{
    (void)state;
#define UID "01234567-89ab-4cde-8f01-23456789abcd"
    static const struct {
        const char *text;
        const char *field; /* refused because of it; NULL: fine */
        rv_t rv;
        const char *uid;
    } cases[] = {
        {"{}",                                             NULL,                       0,          "" },
        {"{\"resourceVersion\":null,\"uid\":null}",        NULL,                       0,          "" },
        {"{\"resourceVersion\":\"\",\"uid\":\"\"}",        NULL,                       0,          "" },
        {"{\"resourceVersion\":\"97\"}",                   NULL,                       97,         "" },
        {"{\"resourceVersion\":\"18446744073709551615\"}", NULL,                       UINT64_MAX, "" },
        {"{\"uid\":\"" UID "\"}",                          NULL,                       0,          UID},
        {"{\"resourceVersion\":97}",                       "metadata.resourceVersion", 0,          "" },
        {"{\"resourceVersion\":\"x\"}",                    "metadata.resourceVersion", 0,          "" },
        {"{\"resourceVersion\":\"-1\"}",                   "metadata.resourceVersion", 0,          "" },
        {"{\"resourceVersion\":\"097\"}",                  "metadata.resourceVersion", 0,          "" },
        {"{\"resourceVersion\":\"18446744073709551616\"}", "metadata.resourceVersion", 0,          "" },
        {"{\"uid\":\"short\"}",                            "metadata.uid",             0,          "" },
        {"{\"uid\":\"" UID "x\"}",                         "metadata.uid",             0,          "" },
        {"{\"uid\":1}",                                    "metadata.uid",             0,          "" },
    };
#undef UID
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].text);
        rv_t rv = 0;
        char uid[UUID_LEN + 1] = "";
        struct err err = {0};
        enum errc code = metadata_expectations(v, &rv, uid, sizeof(uid), &err);
        assert_case(code == (cases[i].field == NULL ? OK : ERR_INVALID), cases[i].text);
        assert_string_equal(err.field, cases[i].field == NULL ? "" : cases[i].field);
        assert_true(rv == cases[i].rv);
        assert_string_equal(uid, cases[i].uid);
    }
}

static void to_an_object_that_is_being_deleted_no_finalizer_is_added(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *after;
        const char *field; /* NULL: taken */
    } cases[] = {
        {"[\"a\",\"b\"]", "[\"b\",\"a\"]",       NULL                    },
        {"[\"a\",\"b\"]", "[\"b\"]",             NULL                    },
        {"[\"a\"]",       NULL,                  NULL                    },
        {"[\"a\"]",       "[]",                  NULL                    },
        {"[\"a\"]",       "[\"b\"]",             "metadata.finalizers[0]"},
        {"[\"a\",\"b\"]", "[\"a\",\"b\",\"c\"]", "metadata.finalizers[2]"},
        {NULL,            "[\"a\"]",             "metadata.finalizers[0]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp)
        json_t *before = cases[i].before != NULL ? json_of(cases[i].before) : NULL;
        CLEANUP(json_decrefp)
        json_t *after = cases[i].after != NULL ? json_of(cases[i].after) : NULL;
        struct err err = {0};
        enum errc code = metadata_check_no_new_finalizers(before, after, &err);
        assert_int_equal(code, cases[i].field == NULL ? OK : ERR_INVALID);
        assert_string_equal(err.field, cases[i].field == NULL ? "" : cases[i].field);
    }
}

static void the_users_members_are_kept_in_a_fixed_order(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *v =
        json_of("{\"zeta\":1,\"finalizers\":[\"f\"],\"uid\":\"x\",\"name\":\"web\",\"alpha\":null,"
                "\"generateName\":\"w\",\"resourceVersion\":\"1\",\"generation\":5,"
                "\"namespace\":\"default\",\"annotations\":{\"b\":\"1\",\"a\":\"2\"},"
                "\"ownerReferences\":null,\"creationTimestamp\":null,\"selfLink\":\"l\","
                "\"deletionTimestamp\":\"t\",\"deletionGracePeriodSeconds\":3,"
                "\"managedFields\":[],\"labels\":{\"l\":\"m\"},\"beta\":{}}");
    CLEANUP(json_decrefp) json_t *user = metadata_of_user(v);
    CLEANUP(freep) char *text = text_of(user);
    assert_string_equal(text, "{\"labels\":{\"l\":\"m\"},\"annotations\":{\"b\":\"1\",\"a\":\"2\"},"
                              "\"finalizers\":[\"f\"],\"zeta\":1,\"generateName\":\"w\","
                              "\"beta\":{}}");
    CLEANUP(json_decrefp) json_t *none = metadata_of_user(NULL);
    assert_int_equal(json_object_size(none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_users_may_write_is_accepted),
        cmocka_unit_test(what_breaks_a_rule_is_named_by_its_path),
        cmocka_unit_test(annotations_are_limited_together),
        cmocka_unit_test(many_finalizers_are_checked_in_a_moment),
        cmocka_unit_test(expectations_are_version_and_uid),
        cmocka_unit_test(to_an_object_that_is_being_deleted_no_finalizer_is_added),
        cmocka_unit_test(the_users_members_are_kept_in_a_fixed_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply where lists and maps are declared, by a schema or by us for metadata. */
#include "tests/unit/thing.h"

/* spec.ports is keyed by name and protocol, spec.tags a set, spec.whole one value. */
static struct schema *declared;

static int declare(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *json = json_of(
        "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
        "\"ports\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\","
        "\"x-kubernetes-list-map-keys\":[\"protocol\",\"name\"],\"items\":{\"type\":\"object\","
        "\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"},"
        "\"protocol\":{\"type\":\"string\",\"default\":\"tcp\"}}}},"
        "\"tags\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\","
        "\"items\":{\"x-kubernetes-int-or-string\":true}},"
        "\"whole\":{\"type\":\"object\",\"x-kubernetes-map-type\":\"atomic\"}}}}}");
    struct err err = {0};
    assert_ok(schema_new(json, "schema", &declared, &err), &err);
    return 0;
}

static int undeclare(void **state)
{
    (void)state;
    schema_freep(&declared);
    return 0;
}

static void finalizers_are_a_set_and_owners_are_known_by_uid(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a",
          "{\"metadata\":{\"finalizers\":[\"a/1\",\"a/2\"],"
          "\"ownerReferences\":[{\"uid\":\"1\",\"name\":\"n\"}]}}");
    apply(&t, "b",
          "{\"metadata\":{\"finalizers\":[\"b/1\",\"a/2\"],"
          "\"ownerReferences\":[{\"uid\":\"2\"},{\"uid\":\"1\",\"controller\":true}]}}");
    check_doc(&t, "{\"metadata\":{\"ownerReferences\":[{\"uid\":\"1\",\"name\":\"n\","
                  "\"controller\":true},{\"uid\":\"2\"}],"
                  "\"finalizers\":[\"a/1\",\"a/2\",\"b/1\"]}}");
    assert_int_equal(try_apply(&t, "c",
                               "{\"metadata\":{\"ownerReferences\":[{\"uid\":\"1\","
                               "\"name\":\"other\",\"controller\":false}]}}",
                               false),
                     ERR_CONFLICT);
    check_conflicts(&t, "metadata.ownerReferences[uid=\"1\"].name a, "
                        "metadata.ownerReferences[uid=\"1\"].controller b");
    /* The item stays while another owns it. */
    apply(&t, "a", "{\"metadata\":{\"finalizers\":[]}}");
    check_doc(&t, "{\"metadata\":{\"ownerReferences\":[{\"uid\":\"1\",\"controller\":true},"
                  "{\"uid\":\"2\"}],\"finalizers\":[\"a/2\",\"b/1\"]}}");
    apply(&t, "b", "{}");
    check_doc(&t, "{\"metadata\":{\"finalizers\":[]}}");
}

static void an_item_goes_with_its_keys_once_nothing_else_is_left_in_it(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {.schema = declared};
    const char *ports = "{\"spec\":{\"ports\":[{\"name\":\"web\",\"protocol\":\"tcp\",\"p\":80}]}}";
    apply(&t, "a", ports);
    update(&t, "b",
           "{\"spec\":{\"ports\":[{\"name\":\"web\",\"protocol\":\"tcp\",\"p\":80,"
           "\"note\":\"n\"}]}}");
    apply(&t, "a", "{\"spec\":{\"ports\":[]}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"ports\":[{\"name\":\"web\",\"protocol\":\"tcp\","
                  "\"note\":\"n\"}]}}");
    apply(&t, "a", ports);
    update(&t, "b", "{\"spec\":{\"ports\":[{\"name\":\"web\",\"protocol\":\"tcp\",\"p\":80}]}}");
    apply(&t, "a", "{\"spec\":{\"ports\":[]}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"ports\":[]}}");
}

static void a_schema_names_keys_sets_and_what_is_one_value(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {.schema = declared};
    apply(&t, "a",
          "{\"spec\":{\"tags\":[\"x\",1],\"whole\":{\"m\":1},"
          "\"ports\":[{\"protocol\":\"tcp\",\"name\":\"web\"}]}}");
    check_set(&t, "a", true,
              "{\"f:spec\":{\".\":{},\"f:ports\":{\".\":{},"
              "\"k:{\\\"name\\\":\\\"web\\\",\\\"protocol\\\":\\\"tcp\\\"}\":"
              "{\".\":{},\"f:name\":{},\"f:protocol\":{}}},"
              "\"f:tags\":{\".\":{},\"v:\\\"x\\\"\":{},\"v:1\":{}},\"f:whole\":{}}}");
    apply(&t, "b",
          "{\"spec\":{\"tags\":[\"y\",1],"
          "\"ports\":[{\"protocol\":\"udp\",\"name\":\"web\"}]}}");
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"tags\":[\"x\",1,\"y\"],\"whole\":{\"m\":1},"
                  "\"ports\":[{\"protocol\":\"tcp\",\"name\":\"web\"},"
                  "{\"protocol\":\"udp\",\"name\":\"web\"}]}}");
    assert_int_equal(try_apply(&t, "b", "{\"spec\":{\"whole\":{\"n\":1}}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.whole a");
}

static void declared_lists_are_applied_as_they_are_declared(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        const char *field;
        const char *msg;
    } cases[] = {
        {"{\"metadata\":{\"ownerReferences\":[{\"uid\":\"1\"},{\"uid\":\"1\"}]}}",
         "metadata.ownerReferences[1]",                                                                           "has the same \"uid\" as"},
        {"{\"metadata\":{\"ownerReferences\":[{\"name\":\"1\"}]}}",                "metadata.ownerReferences[0]",
         "needs \"uid\""                                                                                                                   },
        {"{\"metadata\":{\"ownerReferences\":[7]}}",                               "metadata.ownerReferences[0]",
         "needs \"uid\""                                                                                                                   },
        {"{\"metadata\":{\"finalizers\":[\"a\",\"b\",\"c\",\"b\",\"a\"]}}",
         "metadata.finalizers[3]",                                                                                "is there twice"         },
        {"{\"metadata\":{\"finalizers\":[[]]}}",                                   "metadata.finalizers[0]",      "must be a string"       },
        {"{\"spec\":{\"tags\":[null]}}",                                           "spec.tags[0]",                "must be a string"       },
        {"{\"spec\":{\"ports\":[{\"name\":\"a\",\"protocol\":{}}]}}",              "spec.ports[0]",
         "needs \"protocol\""                                                                                                              },
        {"{\"spec\":{\"ports\":[{\"protocol\":\"a\"}]}}",                          "spec.ports[0]",               "needs \"name\""         },
 /* A key that is filled in is not the one that is missing. */
        {"{\"spec\":{\"ports\":[{}]}}",                                            "spec.ports[0]",               "needs \"name\""         },
        {"{\"spec\":{\"ports\":[{\"name\":\"a\"},{\"name\":\"a\"}]}}",             "spec.ports[1]",
         "has the same \"protocol\" (and other keys) as"                                                                                   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *config = json_of(cases[i].config);
        struct applying a = {NULL, config, declared, STR("a"), false, true, 0, THING_MAX_BYTES};
        CLEANUP(managed_fini) struct managed m = {0};
        json_t *doc = NULL;
        struct conflicts *conflicts = NULL;
        struct err err = {0};
        assert_case(ownership_apply(&a, &m, &doc, &conflicts, &err) == ERR_INVALID,
                    cases[i].config);
        assert_string_equal(err.field, cases[i].field);
        assert_case(strncmp(err.msg, cases[i].msg, strlen(cases[i].msg)) == 0, err.msg);
    }
}

/* A key's default is in the name of each item: here it would be hundreds of times the list. */
static void names_of_items_are_bounded(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *json =
        json_of("{\"properties\":{\"v\":{\"x-kubernetes-list-type\":\"map\","
                "\"x-kubernetes-list-map-keys\":[\"id\",\"long\"],\"items\":{\"type\":\"object\","
                "\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"integer\"},"
                "\"long\":{\"type\":\"string\"}}}}}}");
    CLEANUP(freep) char *text = mem_alloc(10001);
    memset(text, 'x', 10000);
    text[10000] = '\0';
    json_t *v = json_object_get(json_object_get(json, "properties"), "v");
    json_t *properties = json_object_get(json_object_get(v, "items"), "properties");
    json_object_set_new(json_object_get(properties, "long"), "default", json_string(text));
    CLEANUP(schema_freep) struct schema *s = NULL;
    struct err err = {0};
    assert_ok(schema_new(json, "schema", &s, &err), &err);
    CLEANUP(json_decrefp) json_t *config = json_pack("{s:[]}", "v");
    for (int i = 0; i < 10000; i++) {
        json_array_append_new(json_object_get(config, "v"), json_pack("{s:i}", "id", i));
    }
    struct applying a = {NULL, config, s, STR("a"), false, true, 0, THING_MAX_BYTES};
    CLEANUP(managed_fini) struct managed m = {0};
    json_t *doc = NULL;
    struct conflicts *conflicts = NULL;
    assert_int_equal(ownership_apply(&a, &m, &doc, &conflicts, &err), ERR_INVALID);
    assert_string_equal(err.field, "v[3348]");
    assert_non_null(strstr(err.msg, "33554432 bytes"));
}

static void a_live_list_that_is_not_as_declared_is_one_value(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {.schema = declared};
    apply(&t, "a", "{\"spec\":{\"tags\":[1,2]}}");
    update(&t, "b", "{\"spec\":{\"tags\":[1,2,2]}}");
    check_set(&t, "b", false, "{\"f:spec\":{\"f:tags\":{}}}");
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"tags\":[1,2]}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.tags b/update");
    assert_int_equal(try_apply(&t, "a", "{\"spec\":{\"tags\":[1,2]}}", true), OK);
    check_doc(&t, "{\"metadata\":{},\"spec\":{\"tags\":[1,2]}}");
    check_set(&t, "b", false, NULL);
}

static void a_schema_that_makes_a_map_one_value_makes_its_owners_own_that(void **state)
{
    (void)state;
    CLEANUP(thing_fini) struct thing t = {0};
    apply(&t, "a", "{\"spec\":{\"whole\":{\"x\":1}}}");
    t.schema = declared;
    assert_int_equal(try_apply(&t, "b", "{\"spec\":{\"whole\":{\"x\":2}}}", false), ERR_CONFLICT);
    check_conflicts(&t, "spec.whole a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finalizers_are_a_set_and_owners_are_known_by_uid),
        cmocka_unit_test(an_item_goes_with_its_keys_once_nothing_else_is_left_in_it),
        cmocka_unit_test(a_schema_names_keys_sets_and_what_is_one_value),
        cmocka_unit_test(declared_lists_are_applied_as_they_are_declared),
        cmocka_unit_test(names_of_items_are_bounded),
        cmocka_unit_test(a_live_list_that_is_not_as_declared_is_one_value),
        cmocka_unit_test(a_schema_that_makes_a_map_one_value_makes_its_owners_own_that),
    };
    return cmocka_run_group_tests(tests, declare, undeclare);
}

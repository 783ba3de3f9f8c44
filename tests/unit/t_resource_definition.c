/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/resource_definition.h"
#include "tests/unit/check.h"

static json_t *json_of(const char *text)
{
    json_t *v = NULL;
    struct err err = {0};
    assert_ok(json_text_parse(str_of(text), "text", &v, &err), &err);
    return v;
}

static struct resource_definition *definition_of(const char *name, const char *text)
{
    CLEANUP(json_decrefp) json_t *v = json_of(text);
    struct resource_definition *d = NULL;
    struct err err = {0};
    assert_ok(resource_definition_new(str_of(name), v, &d, &err), &err);
    return d;
}

static void every_member_may_be_absent(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "{\"spec\":{}}", "{\"kind\":\"Resource\",\"metadata\":{},\"status\":{\"kind\":3}}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        CLEANUP(resource_definition_unrefp)
        struct resource_definition *d = definition_of("cron-jobs", texts[i]);
        assert_str(d->resource, "cron-jobs");
        assert_str(d->kind, "CronJob");
        assert_str(d->api_version, "watch/v1");
        assert_false(d->has_kind);
        assert_true(d->namespaced);
        assert_null(d->schema);
        assert_int_equal(d->n_columns + d->n_short_names + d->singular.n, 0);
    }
}

static void a_full_definition_is_read(void **state)
{
    (void)state;
    CLEANUP(resource_definition_unrefp)
    struct resource_definition *d = definition_of(
        "jobs",
        "{\"spec\":{\"kind\":\"BatchJob\",\"apiVersion\":\"batch/v1\",\"singular\":\"job\","
        "\"shortNames\":[\"jb\",\"j\"],\"namespaced\":false,\"columns\":[{\"name\":\"State\","
        "\"jsonPath\":\".status.state\"},{\"name\":\"Last "
        "Run\",\"jsonPath\":\"status['last.run']\","
        "\"type\":\"date\",\"priority\":1,\"description\":\"when\",\"format\":\"date-time\"}],"
        "\"schema\":{\"properties\":{\"spec\":{\"type\":\"object\"}}}}}");
    assert_str(d->kind, "BatchJob");
    assert_true(d->has_kind);
    assert_str(d->api_version, "batch/v1");
    assert_false(d->namespaced);
    assert_non_null(d->schema);
    assert_int_equal(d->n_columns, 2);
    assert_str(d->columns[0].name, "State");
    assert_int_equal(d->columns[0].type, COLUMN_STRING);
    assert_int_equal(d->columns[0].priority, 0);
    assert_str(d->columns[1].name, "Last Run");
    assert_int_equal(d->columns[1].type, COLUMN_DATE);
    assert_int_equal(d->columns[1].priority, 1);
    CLEANUP(json_decrefp) json_t *object = json_of("{\"status\":{\"last.run\":\"now\"}}");
    assert_string_equal(json_string_value(json_path_get(d->columns[1].path, object)), "now");
    static const char *const called[] = {"jobs", "job", "jb", "j", "BatchJob", "batchjob"};
    for (size_t i = 0; i < COUNT(called); i++) {
        assert_case(resource_definition_is_called(d, str_of(called[i])), called[i]);
    }
    static const char *const not_called[] = {"", "b", "Jobs", "JB", "jobss", "batchjobs"};
    for (size_t i = 0; i < COUNT(not_called); i++) {
        assert_case(!resource_definition_is_called(d, str_of(not_called[i])), not_called[i]);
    }
}

static void mistakes_are_told_with_their_field(void **state)
{
    (void)state;
    static const struct {
        const char *name, *spec, *field, *msg;
    } cases[] = {
        {"resources", "{}",                                                                     "metadata.name",            "is built in"               },
        {"all",       "{}",                                                                     "metadata.name",            "every resource"            },
        {"a.b",       "{}",                                                                     "metadata.name",            "is no resource"            },
        {"jobs",      "[]",                                                                     "spec",                     "must be an object"         },
        {"jobs",      "null",                                                                   "spec",                     "must be an object"         },
        {"jobs",      "{\"names\":{}}",                                                         "spec.names",               "these are kind, apiVersion"},
        {"jobs",      "{\"kind\":\"a b\"}",                                                     "spec.kind",                "letters and digits"        },
        {"jobs",      "{\"kind\":null}",                                                        "spec.kind",                "letters and digits"        },
        {"jobs",      "{\"apiVersion\":\"\"}",                                                  "spec.apiVersion",          "batch/v1"                  },
        {"jobs",      "{\"singular\":\"Job\"}",                                                 "spec.singular",            "is no resource"            },
        {"jobs",      "{\"shortNames\":\"jb\"}",                                                "spec.shortNames",          "must be an array"          },
        {"jobs",      "{\"shortNames\":[\"jb\",\"all\"]}",                                      "spec.shortNames[1]",       "every resource"            },
        {"jobs",      "{\"shortNames\":[\"jb\",\"jb\"]}",                                       "spec.shortNames[1]",       "there twice"               },
        {"jobs",      "{\"namespaced\":\"no\"}",                                                "spec.namespaced",          "true or false"             },
        {"jobs",      "{\"columns\":{}}",                                                       "spec.columns",             "must be an array"          },
        {"jobs",      "{\"columns\":[3]}",                                                      "spec.columns[0]",          "must be an object"         },
        {"jobs",      "{\"columns\":[{\"jsonPath\":\".a\"}]}",                                  "spec.columns[0].name",     "is required"               },
        {"jobs",      "{\"columns\":[{\"name\":\"A\"}]}",                                       "spec.columns[0].jsonPath", "is required"               },
        {"jobs",      "{\"columns\":[{\"name\":\"\",\"jsonPath\":\".a\"}]}",                    "spec.columns[0].name",
         "1 to 40 bytes"                                                                                                                                },
        {"jobs",      "{\"columns\":[{\"name\":\"A\",\"jsonPath\":\".a[*]\"}]}",
         "spec.columns[0].jsonPath",                                                                                        ""                          },
        {"jobs",      "{\"columns\":[{\"name\":\"A\",\"jsonPath\":3}]}",                        "spec.columns[0].jsonPath",
         "must be a path"                                                                                                                               },
        {"jobs",      "{\"columns\":[{\"name\":\"A\",\"jsonPath\":\".a\",\"type\":\"text\"}]}",
         "spec.columns[0].type",                                                                                            "must be one of"            },
        {"jobs",      "{\"columns\":[{\"name\":\"A\",\"jsonPath\":\".a\",\"priority\":-1}]}",
         "spec.columns[0].priority",                                                                                        "0 to 1000"                 },
        {"jobs",      "{\"columns\":[{\"name\":\"A\",\"jsonPath\":\".a\",\"path\":\"b\"}]}",
         "spec.columns[0].path",                                                                                            "is no member"              },
        {"jobs",      "{\"schema\":{\"properties\":{\"spec\":{\"type\":\"thing\"}}}}",
         "spec.schema.properties.spec.type",                                                                                "must be one of"            },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[500];
        snprintf(text, sizeof(text), "{\"spec\":%s}", cases[i].spec);
        CLEANUP(json_decrefp) json_t *v = json_of(text);
        struct resource_definition *d = NULL;
        struct err err = {0};
        enum errc rc = resource_definition_new(str_of(cases[i].name), v, &d, &err);
        assert_case(rc == ERR_INVALID && d == NULL, cases[i].spec);
        assert_string_equal(err.field, cases[i].field);
        assert_case(strstr(err.msg, cases[i].msg) != NULL, err.msg);
    }
}

static void a_spec_in_the_place_of_the_object_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *object, *field, *msg;
    } cases[] = {
        {"{\"kind\":\"Job\",\"apiVersion\":\"batch/v1\",\"columns\":[]}", "kind",
         "must be \"Resource\", is \"Job\"; the kind that is defined is spec.kind"},
        {"{\"shortNames\":[\"jb\"]}",                                     "shortNames",
         "is no member of a Resource; what it defines goes into spec"             },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].object);
        struct resource_definition *d = NULL;
        struct err err = {0};
        assert_int_equal(resource_definition_new(STR("jobs"), v, &d, &err), ERR_INVALID);
        assert_string_equal(err.field, cases[i].field);
        assert_string_equal(err.msg, cases[i].msg);
    }
}

static void there_are_bounds_of_names_and_columns(void **state)
{
    (void)state;
    CLEANUP(json_decrefp) json_t *object = json_of("{\"spec\":{\"columns\":[],\"shortNames\":[]}}");
    json_t *columns = json_object_get(json_object_get(object, "spec"), "columns");
    json_t *names = json_object_get(json_object_get(object, "spec"), "shortNames");
    struct resource_definition *d = NULL;
    struct err err = {0};
    for (int i = 0; i < DEFINITION_COLUMNS; i++) {
        json_array_append_new(columns, json_of("{\"name\":\"A\",\"jsonPath\":\"a\"}"));
    }
    for (int i = 0; i < DEFINITION_NAMES; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%d", i);
        json_array_append_new(names, json_string(name));
    }
    assert_ok(resource_definition_new(STR("jobs"), object, &d, &err), &err);
    resource_definition_unref(d);
    d = NULL;
    json_array_append_new(names, json_string("more"));
    assert_int_equal(resource_definition_new(STR("jobs"), object, &d, &err), ERR_INVALID);
    assert_string_equal(err.field, "spec.shortNames");
    json_array_clear(names);
    json_array_append_new(columns, json_of("{\"name\":\"A\",\"jsonPath\":\"a\"}"));
    assert_int_equal(resource_definition_new(STR("jobs"), object, &d, &err), ERR_INVALID);
    assert_string_equal(err.field, "spec.columns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_may_be_absent),
        cmocka_unit_test(a_full_definition_is_read),
        cmocka_unit_test(mistakes_are_told_with_their_field),
        cmocka_unit_test(a_spec_in_the_place_of_the_object_is_noticed),
        cmocka_unit_test(there_are_bounds_of_names_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

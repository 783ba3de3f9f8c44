/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"
#include "cli/export_line.h"
#include "tests/unit/check.h"

#define RES TARGET_ONE_WORD_IS_RESOURCE
#define NAM TARGET_ONE_WORD_IS_NAME

static void words_name_a_resource_an_object_or_both(void **state)
{
    (void)state;
    static const struct {
        enum target_rule rule;
        const char *a, *b, *c;
        const char *resource; /* NULL: refused */
        const char *name;
    } cases[] = {
        {RES, NULL,      NULL,  NULL, "",     ""     },
        {NAM, NULL,      NULL,  NULL, "",     ""     },
        {RES, "jobs",    NULL,  NULL, "jobs", ""     },
        {NAM, "jobs",    NULL,  NULL, "",     "jobs" },
        {RES, "jobs/a",  NULL,  NULL, "jobs", "a"    },
        {NAM, "jobs/a",  NULL,  NULL, "jobs", "a"    },
        {RES, "jobs",    "a",   NULL, "jobs", "a"    },
        {NAM, "jobs",    "a",   NULL, "jobs", "a"    },
        {RES, "all",     NULL,  NULL, "all",  ""     },
        {NAM, "j/a:b.c", NULL,  NULL, "j",    "a:b.c"},
        {RES, "jobs/",   NULL,  NULL, NULL,   NULL   },
        {NAM, "/a",      NULL,  NULL, NULL,   NULL   },
        {NAM, "/",       NULL,  NULL, NULL,   NULL   },
        {NAM, "a/b/c",   NULL,  NULL, NULL,   NULL   },
        {NAM, "a//c",    NULL,  NULL, NULL,   NULL   },
        {NAM, "jobs/a",  "b",   NULL, NULL,   NULL   },
        {NAM, "jobs",    "a/b", NULL, NULL,   NULL   },
        {RES, "jobs",    "a",   "b",  NULL,   NULL   },
        {NAM, "",        NULL,  NULL, NULL,   NULL   },
        {NAM, "jobs",    "",    NULL, NULL,   NULL   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *words[3] = {cases[i].a, cases[i].b, cases[i].c};
        size_t n = 0;
        while (n < 3 && words[n] != NULL) {
            n++;
        }
        struct target t;
        struct err err = {0};
        enum errc rc = target_read(words, n, cases[i].rule, &t, &err);
        if (cases[i].resource == NULL) {
            assert_case(rc == ERR_INVALID && err.msg[0] != '\0', cases[i].a);
        } else {
            assert_ok(rc, &err);
            assert_string_equal(t.resource, cases[i].resource);
            assert_string_equal(t.name, cases[i].name);
        }
    }
}

static void a_word_may_be_as_long_as_names_are(void **state)
{
    (void)state;
    char word[2000];
    memset(word, 'x', sizeof(word));
    word[63] = '/';
    for (size_t n = 1000; n < sizeof(word); n += 500) {
        word[n] = '\0';
        const char *words[] = {word};
        struct target t;
        struct err err;
        enum errc rc = target_read(words, 1, NAM, &t, &err);
        assert_int_equal(rc, n == 1000 ? OK : ERR_INVALID);
        word[n] = 'x';
    }
}

static void a_kind_tells_its_resource(void **state)
{
    (void)state;
    static const struct {
        const char *api;
        const char *kind;
        const char *resource;
    } cases[] = {
        {"watch/v1",             "Object",        "objects"        },
        {"watch/v1",             "Job",           "jobs"           },
        {"watch/v1",             "Policy",        "policies"       },
        {"watch/v1",             "Class",         "classes"        },
        {"watch/v1",             "BatchJob",      "batch-jobs"     },
        {"",                     "Key",           "keys"           },
        {"v1",                   "ConfigMap",     "configmaps"     },
        {"v1",                   "Endpoints",     "endpoints"      },
        {"networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"},
        {"networking.k8s.io/v1", "Ingress",       "ingresses"      },
        {"monitoring/v1",        "Prometheus",    "prometheuses"   },
        {"v1",                   "Box",           "boxes"          },
        {"v1",                   "Branch",        "branches"       },
        {"v1",                   "y",             "ys"             },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char resource[ARGS_RESOURCE_MAX];
        resource_of_kind(cases[i].api, cases[i].kind, resource);
        assert_string_equal(resource, cases[i].resource);
    }
    char kind[500];
    memset(kind, 'k', sizeof(kind) - 1);
    kind[sizeof(kind) - 1] = '\0';
    char resource[ARGS_RESOURCE_MAX];
    resource_of_kind("v1", kind, resource);
    assert_true(strlen(resource) < ARGS_RESOURCE_MAX);
}

static void a_line_is_an_operation_or_a_whole_object(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum watch_verb verb;
        const char *key;  /* "resource namespace name"; NULL: refused */
        const char *json; /* or the field at fault */
    } cases[] = {
        {"{\"op\":\"put\",\"resource\":\"jobs\",\"namespace\":\"ci\",\"name\":\"a\",\"object\":{"
         "\"n\":1}}",                                                                           WATCH_PUT,    "jobs ci a", "{\"n\":1}"},
        { "{\"op\":\"put\",\"namespace\":\"\",\"name\":\"a\",\"time\":\"x\",\"object\":{}}",
         WATCH_PUT,                                                                                           "  a",       "{}"},
        { "{\"op\":\"put\",\"object\":{\"metadata\":{\"name\":\"a\",\"namespace\":\"ci\"}}}",
         WATCH_PUT,                                                                                           " ci a",     "{\"metadata\":{\"name\":\"a\",\"namespace\":\"ci\"}}"},
        { "{\"op\":\"put\",\"resource\":null,\"name\":\"a\",\"object\":{\"x\":0.42}}",        WATCH_PUT,
         "  a",                                                                                                            "{\"x\":0.42}"},
        { "{\"op\":\"delete\",\"resource\":\"jobs\",\"name\":\"a\"}",                         WATCH_DELETE, "jobs  a",   ""},
        { "{\"metadata\":{\"name\":\"a\"}}",                                                  WATCH_PUT,    "  a",       "{\"metadata\":{\"name\":\"a\"}}"},
        { "{\"kind\":\"Job\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ci\"}}",            WATCH_PUT,
         "jobs ci a",                                                                                                      "{\"kind\":\"Job\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ci\"}}"},
        { "{\"op\":\"patch\",\"name\":\"a\"}",                                                WATCH_PUT,    NULL,        "op"},
        { "{\"op\":1,\"name\":\"a\"}",                                                        WATCH_PUT,    NULL,        "op"},
        { "{\"op\":\"put\",\"name\":\"a\"}",                                                  WATCH_PUT,    NULL,        "object"},
        { "{\"op\":\"put\",\"name\":\"a\",\"object\":[]}",                                    WATCH_PUT,    NULL,        "object"},
        { "{\"op\":\"put\",\"object\":{}}",                                                   WATCH_PUT,    NULL,        "name"},
        { "{\"op\":\"put\",\"name\":7,\"object\":{}}",                                        WATCH_PUT,    NULL,        "name"},
        { "{\"op\":\"delete\"}",                                                              WATCH_PUT,    NULL,        "name"},
        { "{\"spec\":{}}",                                                                    WATCH_PUT,    NULL,        "metadata.name"},
        { "[]",                                                                               WATCH_PUT,    NULL,        ""},
        { "{\"metadata\":{\"name\":\"a\"}} x",                                                WATCH_PUT,    NULL,        ""},
        { "{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}",                                   WATCH_PUT,    NULL,        NULL},
        { "nonsense",                                                                         WATCH_PUT,    NULL,        NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_line line = {0};
        struct err err = {0};
        enum errc rc = import_line_read(str_of(cases[i].line), &line, &err);
        if (cases[i].key == NULL) {
            assert_case(rc == ERR_INVALID && err.msg[0] != '\0', cases[i].line);
            assert_case(cases[i].json == NULL || strcmp(err.field, cases[i].json) == 0,
                        cases[i].line);
        } else {
            assert_ok(rc, &err);
            CLEANUP(freep) char *key = mem_printf("%s %s %s", line.resource, line.ns, line.name);
            assert_string_equal(key, cases[i].key);
            assert_int_equal(line.verb, cases[i].verb);
            assert_str(buf_str(&line.json), cases[i].json);
        }
        import_line_fini(&line);
    }
}

static void an_exported_line_can_be_imported(void **state)
{
    (void)state;
    static const char json[] =
        "{\"apiVersion\":\"watch/"
        "v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"a\",\"namespace\":\"ci\","
        "\"uid\":\"u\",\"resourceVersion\":\"7\",\"generation\":2,\"creationTimestamp\":\"t\","
        "\"labels\":{\"x\":\"y\"},\"ownerReferences\":[{\"uid\":\"o\"}]},\"spec\":{\"r\":0.42}}";
    static const struct watch_object object = {.resource = "jobs",
                                               .ns = "ci",
                                               .name = "a",
                                               .rv = 7,
                                               .json = json,
                                               .json_len = sizeof(json) - 1};
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 10000);
    struct err err;
    bool owned = false;
    assert_ok(export_line(&object, &out, &owned, &err), &err);
    assert_true(owned);
    assert_int_equal(out.p[out.n - 1], '\n');
    struct import_line line;
    assert_ok(import_line_read((struct str){out.p, out.n - 1}, &line, &err), &err);
    assert_string_equal(line.resource, "jobs");
    assert_string_equal(line.ns, "ci");
    assert_string_equal(line.name, "a");
    assert_str(buf_str(&line.json),
               "{\"apiVersion\":\"watch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"a\","
               "\"namespace\":\"ci\",\"labels\":{\"x\":\"y\"}},\"spec\":{\"r\":0.42}}");
    import_line_fini(&line);
}

static void a_line_that_is_no_json_is_described_without_its_number(void **state)
{
    (void)state;
    char deep[100];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    const struct {
        const char *line, *msg;
    } cases[] = {
        {"nonsense",              "it is no valid JSON: invalid token near 'nonsense' (column 8)"},
        {"{\"a\":\"(line 1, \"x", "it is no valid JSON in a: "                                   },
        {"{\"a\":1,\"a\":2}",     "duplicate key \"a\" (column "                                 },
        {deep,                    "it nests deeper than 64 levels (column 65)"                   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_line line;
        struct err err = {0};
        assert_int_equal(import_line_read(str_of(cases[i].line), &line, &err), ERR_INVALID);
        assert_case(strncmp(err.msg, cases[i].msg, strlen(cases[i].msg)) == 0, err.msg);
        assert_case(strstr(err.msg, " (column ") != NULL, err.msg);
        assert_string_equal(err.field, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_name_a_resource_an_object_or_both),
        cmocka_unit_test(a_word_may_be_as_long_as_names_are),
        cmocka_unit_test(a_kind_tells_its_resource),
        cmocka_unit_test(a_line_is_an_operation_or_a_whole_object),
        cmocka_unit_test(an_exported_line_can_be_imported),
        cmocka_unit_test(a_line_that_is_no_json_is_described_without_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

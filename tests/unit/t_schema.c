/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/schema.h"
#include "tests/unit/check.h"

static json_t *json_of(const char *text)
{
    json_t *v = NULL;
    struct err err = {0};
    assert_ok(json_text_parse(str_of(text), "text", &v, &err), &err);
    return v;
}

static struct schema *schema_of(const char *text)
{
    CLEANUP(json_decrefp) json_t *v = json_of(text);
    struct schema *s = NULL;
    struct err err = {0};
    if (schema_new(v, "spec.schema", &s, &err) != OK) {
        print_error("%s: %s: %s\n", text, err.field, err.msg);
        fail();
    }
    return s;
}

/* A schema of the member `v` alone. */
static struct schema *schema_of_v(const char *text)
{
    char whole[2000];
    snprintf(whole, sizeof(whole), "{\"properties\":{\"v\":%s}}", text);
    return schema_of(whole);
}

static void keywords_that_make_no_sense_are_refused_by_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *field;
        const char *msg;
    } cases[] = {
        {"[]",                                                                                               "spec.schema",                                      "must be a schema, which is an object, of at most 64 levels"                       },
        {"{\"type\":\"array\"}",                                                                             "spec.schema",                                      "must have the type object"                                                        },
        {"{\"default\":{}}",                                                                                 "spec.schema.default",                              "the object as a whole has no default"                                             },
        {"{\"typ\":\"object\"}",                                                                             "spec.schema.typ",                                  "is no keyword that these schemas have"                                            },
        {"{\"type\":[\"string\",\"null\"]}",                                                                 "spec.schema.type",
         "must be one of object, array, string, integer, number, boolean; for null there is "
         "nullable"                                                                                                                                                                                                                                 },
        {"{\"properties\":{\"a\":{\"type\":\"int\"}}}",                                                      "spec.schema.properties.a.type",
         "must be one of object, array, string, integer, number, boolean; for null there is "
         "nullable"                                                                                                                                                                                                                                 },
        {"{\"properties\":[]}",                                                                              "spec.schema.properties",                           "must be an object of schemas"                                                     },
        {"{\"properties\":{\"a b\":3}}",                                                                     "spec.schema.properties[\"a b\"]",
         "must be a schema, which is an object"                                                                                                                                                                                                     },
        {"{\"properties\":{\"metadata\":{\"type\":\"object\",\"required\":[\"labels\"]}}}",
         "spec.schema.properties.metadata",                                                                                                                      "has rules of its own; a schema may give its type and description, and that is all"},
        {"{\"additionalProperties\":\"no\"}",                                                                "spec.schema.additionalProperties",
         "must be a schema, which is an object"                                                                                                                                                                                                     },
        {"{\"required\":\"a\"}",                                                                             "spec.schema.required",                             "must be an array of names"                                                        },
        {"{\"required\":[\"a\",1]}",                                                                         "spec.schema.required[1]",                          "must be a name"                                                                   },
        {"{\"required\":[\"a\",\"a\"]}",                                                                     "spec.schema.required[1]",                          "\"a\" is there twice"                                                             },
        {"{\"properties\":{\"a\":{\"enum\":[]}}}",                                                           "spec.schema.properties.a.enum",
         "must be an array of 1 to 1000 values"                                                                                                                                                                                                     },
        {"{\"properties\":{\"a\":{\"nullable\":1}}}",                                                        "spec.schema.properties.a.nullable",
         "must be true or false"                                                                                                                                                                                                                    },
        {"{\"properties\":{\"a\":{\"minimum\":\"1\"}}}",                                                     "spec.schema.properties.a.minimum",
         "must be a number"                                                                                                                                                                                                                         },
        {"{\"properties\":{\"a\":{\"minLength\":-1}}}",                                                      "spec.schema.properties.a.minLength",
         "must be an integer, 0 or more"                                                                                                                                                                                                            },
        {"{\"properties\":{\"a\":{\"maxItems\":1.5}}}",                                                      "spec.schema.properties.a.maxItems",
         "must be an integer, 0 or more"                                                                                                                                                                                                            },
        {"{\"properties\":{\"a\":{\"multipleOf\":0}}}",                                                      "spec.schema.properties.a.multipleOf",
         "must be a number above 0"                                                                                                                                                                                                                 },
        {"{\"properties\":{\"a\":{\"pattern\":\"(\"}}}",                                                     "spec.schema.properties.a.pattern",
         "at byte 1 of the pattern: the group is not closed"                                                                                                                                                                                        },
        {"{\"properties\":{\"a\":{\"type\":\"string\",\"minimum\":1}}}",
         "spec.schema.properties.a.minimum",                                                                                                                     "says nothing about the type that is declared beside it"                           },
        {"{\"properties\":{\"a\":{\"type\":\"integer\",\"x-kubernetes-int-or-string\":true}}}",
         "spec.schema.properties.a.x-kubernetes-int-or-string",                                                                                                  "says nothing about the type that is declared beside it"                           },
        {"{\"properties\":{\"a\":{\"minimum\":1,\"exclusiveMinimum\":2}}}",
         "spec.schema.properties.a.exclusiveMinimum",                                                                                                            "either it is true or false, or it takes the place of the bound beside it"         },
        {"{\"properties\":{\"a\":{\"x-kubernetes-list-type\":\"bag\"}}}",
         "spec.schema.properties.a.x-kubernetes-list-type",                                                                                                      "must be one of atomic, set, map"                                                  },
        {"{\"properties\":{\"a\":{\"x-kubernetes-list-type\":\"set\",\"items\":{\"type\":"
         "\"object\"}}}}",                                                                          "spec.schema.properties.a",                         "a list of the type set wants items that are scalars"                              },
        {"{\"properties\":{\"a\":{\"x-kubernetes-list-type\":\"map\",\"items\":{\"type\":"
         "\"object\"}}}}",                                                                          "spec.schema.properties.a",
         "a list of the type map wants items of the type object, and x-kubernetes-list-map-keys"                                                                                                                                                    },
        {"{\"properties\":{\"a\":{\"x-kubernetes-list-map-keys\":[\"k\"]}}}",
         "spec.schema.properties.a",                                                                                                                             "x-kubernetes-list-map-keys belongs to x-kubernetes-list-type: map"                },
        {"{\"properties\":{\"a\":{\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-"
         "keys\":"
         "[\"k\"],\"items\":{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"string\"}}}}}}", "spec.schema.properties.a",
         "the key \"k\" must be a scalar property of the items, and required or with a default"                                                                                                                                                     },
        {"{\"properties\":{\"a\":{\"x-kubernetes-map-type\":\"loose\"}}}",
         "spec.schema.properties.a.x-kubernetes-map-type",                                                                                                       "must be one of granular, atomic"                                                  },
        {"{\"properties\":{\"a\":{\"x-kubernetes-validations\":[]}}}",
         "spec.schema.properties.a.x-kubernetes-validations",                                                                                                    "is no keyword that these schemas have"                                            },
        {"{\"properties\":{\"a\":{\"type\":\"integer\",\"default\":\"1\"}}}",
         "spec.schema.properties.a.default",                                                                                                                     "must be an integer, is a string"                                                  },
        {"{\"properties\":{\"a\":{\"type\":\"integer\",\"default\":null}}}",
         "spec.schema.properties.a.default",                                                                                                                     "must be an integer, is null"                                                      },
        {"{\"properties\":{\"a\":{\"properties\":{\"b\":{\"default\":[1],\"items\":{\"maximum\":0}}"
         "}}}}",                                                                                    "spec.schema.properties.a.properties.b.default[0]", "must be ≤ 0, is 1"                                                              },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i].schema);
        struct schema *s = NULL;
        struct err err = {0};
        enum errc rc = schema_new(v, "spec.schema", &s, &err);
        assert_case(rc == ERR_INVALID && s == NULL, cases[i].schema);
        assert_string_equal(err.field, cases[i].field);
        assert_string_equal(err.msg, cases[i].msg);
    }
}

/* v: a schema of the member v, a value, and what is said of it; NULL: it is as it must be. */
static void each_keyword_holds_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value, *field, *msg;
    } cases[] = {
        {"{}",                                                                         "null",                                                                NULL,         NULL                                      },
        {"{\"type\":\"string\"}",                                                      "\"a\"",                                                               NULL,         NULL                                      },
        {"{\"type\":\"string\"}",                                                      "1",                                                                   "v",          "must be a string, is an integer"         },
        {"{\"type\":\"string\"}",                                                      "null",                                                                "v",          "must be a string, is null"               },
        {"{\"type\":\"string\",\"nullable\":true,\"enum\":[\"a\"]}",                   "null",                                                                NULL,         NULL                                      },
        {"{\"type\":\"boolean\"}",                                                     "true",                                                                NULL,         NULL                                      },
        {"{\"type\":\"boolean\"}",                                                     "\"true\"",                                                            "v",          "must be a boolean, is a string"          },
        {"{\"type\":\"object\"}",                                                      "[]",                                                                  "v",          "must be an object, is an array"          },
        {"{\"type\":\"array\"}",                                                       "{}",                                                                  "v",          "must be an array, is an object"          },
        {"{\"type\":\"integer\"}",                                                     "3",                                                                   NULL,         NULL                                      },
        {"{\"type\":\"integer\"}",                                                     "3.0",                                                                 NULL,         NULL                                      },
        {"{\"type\":\"integer\"}",                                                     "3.5",                                                                 "v",          "must be an integer, is 3.5"              },
        {"{\"type\":\"number\"}",                                                      "3",                                                                   NULL,         NULL                                      },
        {"{\"type\":\"number\"}",                                                      "false",                                                               "v",          "must be a number, is false"              },
        {"{\"x-kubernetes-int-or-string\":true}",                                      "80",                                                                  NULL,         NULL                                      },
        {"{\"x-kubernetes-int-or-string\":true}",                                      "\"http\"",                                                            NULL,         NULL                                      },
        {"{\"x-kubernetes-int-or-string\":true}",                                      "1.5",                                                                 "v",
         "must be an integer or a string, is a number"                                                                                                                                                                },
        {"{\"minimum\":0}",                                                            "0",                                                                   NULL,         NULL                                      },
        {"{\"minimum\":0}",                                                            "-1",                                                                  "v",          "must be ≥ 0, is -1"                    },
        {"{\"minimum\":0}",                                                            "\"-1\"",                                                              NULL,         NULL                                      },
        {"{\"minimum\":0,\"exclusiveMinimum\":true}",                                  "0",                                                                   "v",          "must be > 0, is 0"                       },
        {"{\"exclusiveMinimum\":0}",                                                   "0",                                                                   "v",          "must be > 0, is 0"                       },
        {"{\"exclusiveMinimum\":0}",                                                   "0.5",                                                                 NULL,         NULL                                      },
        {"{\"maximum\":2.5}",                                                          "2",                                                                   NULL,         NULL                                      },
        {"{\"maximum\":2.5}",                                                          "3",                                                                   "v",          "must be ≤ 2.5, is 3"                   },
        {"{\"exclusiveMaximum\":10}",                                                  "10.0",                                                                "v",          "must be < 10, is 10.0"                   },
        {"{\"maximum\":9007199254740992}",                                             "9007199254740993",                                                    "v",
         "must be ≤ 9007199254740992, is 9007199254740993"                                                                                                                                                          },
        {"{\"maximum\":9007199254740992.0}",                                           "9007199254740993",                                                    "v",
         "must be ≤ 9007199254740992.0, is 9007199254740993"                                                                                                                                                        },
        {"{\"minimum\":9223372036854775807}",                                          "1e300",                                                               NULL,         NULL                                      },
        {"{\"multipleOf\":5}",                                                         "15",                                                                  NULL,         NULL                                      },
        {"{\"multipleOf\":10}",                                                        "10000000001",                                                         "v",          "must be a multiple of 10, is 10000000001"},
        {"{\"multipleOf\":10}",                                                        "9223372036854775800",                                                 NULL,         NULL                                      },
        {"{\"multipleOf\":10}",                                                        "1e3",                                                                 NULL,         NULL                                      },
        {"{\"multipleOf\":0.1}",                                                       "0.3",                                                                 NULL,         NULL                                      },
        {"{\"multipleOf\":5}",                                                         "16",                                                                  "v",          "must be a multiple of 5, is 16"          },
        {"{\"minLength\":2}",                                                          "\"\xc3\xa9\"",                                                        "v",          "must have at least 2 characters, has 1"  },
        {"{\"maxLength\":2}",                                                          "\"\xc3\xa9\xe2\x89\xa5\"",                                            NULL,         NULL                                      },
        {"{\"maxLength\":2}",                                                          "\"abc\"",                                                             "v",          "must have at most 2 characters, has 3"   },
        {"{\"pattern\":\"^[a-z]+$\"}",                                                 "\"abc\"",                                                             NULL,         NULL                                      },
        {"{\"pattern\":\"^[a-z]+$\"}",                                                 "\"Abc\"",                                                             "v",
         "must match the pattern ^[a-z]+$, is \"Abc\""                                                                                                                                                                },
        {"{\"pattern\":\"b\"}",                                                        "\"abc\"",                                                             NULL,         NULL                                      },
        {"{\"enum\":[\"a\",1,null,{\"x\":1}]}",                                        "{\"x\":1}",                                                           NULL,         NULL                                      },
        {"{\"enum\":[\"a\",1]}",                                                       "1.0",                                                                 NULL,         NULL                                      },
        {"{\"enum\":[\"a\",1]}",                                                       "\"b\"",                                                               "v",          "must be one of \"a\", 1, is \"b\""       },
        {"{\"enum\":[\"a\",1]}",                                                       "null",                                                                "v",          "must be one of \"a\", 1, is null"        },
        {"{\"minItems\":1}",                                                           "[]",                                                                  "v",          "must have at least 1 items, has 0"       },
        {"{\"maxItems\":1}",                                                           "[1,2]",                                                               "v",          "must have at most 1 items, has 2"        },
        {"{\"items\":{\"type\":\"string\"}}",                                          "[\"a\",2]",                                                           "v[1]",
         "must be a string, is an integer"                                                                                                                                                                            },
        {"{\"minProperties\":1}",                                                      "{}",                                                                  "v",          "must have at least 1 members, has 0"     },
        {"{\"maxProperties\":1}",                                                      "{\"a\":1,\"b\":2}",                                                   "v",          "must have at most 1 members, has 2"      },
        {"{\"required\":[\"a\"]}",                                                     "{\"b\":1}",                                                           "v.a",        "is required"                             },
        {"{\"properties\":{\"a\":{\"type\":\"string\"}}}",                             "{\"b\":1}",                                                           NULL,         NULL                                      },
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}",                 "{\"a\":1,\"b\":1}",                                                   "v.b",
         "is not among the members that the schema allows"                                                                                                                                                            },
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}",
         "{\"a\":1,\"x y\":1}",                                                                                                                               "v[\"x y\"]", "must be a string, is an integer"         },
        {"{\"additionalProperties\":true}",                                            "{\"a\":1}",                                                           NULL,         NULL                                      },
        {"{\"x-kubernetes-list-type\":\"set\",\"items\":{\"type\":\"string\"}}",       "[\"a\",\"b\"]",
         NULL,                                                                                                                                                              NULL                                      },
        {"{\"x-kubernetes-list-type\":\"set\",\"items\":{\"type\":\"string\"}}",
         "[\"a\",\"b\",\"a\"]",                                                                                                                               "v[2]",       "is the same as [0]; this list is a set"  },
        {"{\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-map-keys\":[\"p\",\"q\"],"
         "\"items\":{\"type\":\"object\",\"required\":[\"p\",\"q\"],\"properties\":{\"p\":{"
         "\"type\":"
         "\"string\"},\"q\":{\"type\":\"integer\"}}}}",                       "[{\"p\":\"a\",\"q\":1},{\"p\":\"a\",\"q\":2},{\"p\":\"a\",\"q\":1}]", "v[2]",
         "is the same as [0] by the keys of this list"                                                                                                                                                                },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(schema_freep) struct schema *s = schema_of_v(cases[i].schema);
        char text[500];
        snprintf(text, sizeof(text), "{\"v\":%s}", cases[i].value);
        CLEANUP(json_decrefp) json_t *doc = json_of(text);
        struct schema_violations found;
        schema_check(s, doc, &found);
        if (cases[i].msg == NULL) {
            assert_case(found.n == 0, cases[i].schema);
            continue;
        }
        assert_case(found.n == 1, cases[i].schema);
        assert_string_equal(found.v[0].field, cases[i].field);
        assert_string_equal(found.v[0].msg, cases[i].msg);
    }
}

static void identity_at_the_top_is_not_the_schemas_business(void **state)
{
    (void)state;
    CLEANUP(schema_freep)
    struct schema *s = schema_of(
        "{\"type\":\"object\",\"required\":[\"metadata\",\"spec\"],\"additionalProperties\":false,"
        "\"properties\":{\"apiVersion\":{\"type\":\"string\",\"description\":\"x\"},\"kind\":"
        "{\"type\":\"string\"},\"metadata\":{\"type\":\"object\"},\"spec\":{\"properties\":"
        "{\"kind\":{\"type\":\"integer\"}}}}}");
    CLEANUP(json_decrefp) json_t *good = json_of("{\"kind\":3,\"metadata\":4,\"spec\":{}}");
    struct schema_violations found;
    schema_check(s, good, &found);
    assert_int_equal(found.n, 0);
    CLEANUP(json_decrefp) json_t *bad = json_of("{\"spec\":{\"kind\":\"x\"},\"more\":1}");
    schema_check(s, bad, &found);
    assert_int_equal(found.n, 2);
    assert_string_equal(found.v[0].field, "spec.kind");
    assert_string_equal(found.v[1].field, "more");
}

static void all_violations_are_told_in_one_error_up_to_ten(void **state)
{
    (void)state;
    CLEANUP(schema_freep)
    struct schema *s = schema_of(
        "{\"properties\":{\"spec\":{\"required\":[\"image\"],\"properties\":{\"replicas\":"
        "{\"minimum\":0}}},\"l\":{\"items\":{\"type\":\"string\"}}}}");
    CLEANUP(json_decrefp) json_t *doc = json_of("{\"spec\":{\"replicas\":-1}}");
    struct err err = {0};
    assert_int_equal(schema_require(s, doc, &err), ERR_INVALID);
    assert_string_equal(err.field, "spec.image");
    assert_string_equal(err.msg, "is required; spec.replicas must be ≥ 0, is -1");

    CLEANUP(json_decrefp) json_t *many = json_of("{\"l\":[0,1,2,3,4,5,6,7,8,9,10,11]}");
    struct schema_violations found;
    schema_check(s, many, &found);
    assert_int_equal(found.n, SCHEMA_VIOLATIONS_MAX);
    assert_int_equal(schema_require(s, many, &err), ERR_INVALID);
    assert_string_equal(err.field, "l[0]");
    assert_non_null(strstr(err.msg, "must be a string, is an integer; l[1] must be"));
    assert_string_equal(err.msg + strlen(err.msg) - 10, "; and more");
}

static void defaults_fill_what_is_absent_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value, *filled;
    } cases[] = {
        {"{\"default\":1}",                                                NULL,                             "1"                                                        },
        {"{\"default\":1}",                                                "2",                              "2"                                                        },
        {"{\"default\":1}",                                                "null",                           "1"                                                        },
        {"{\"default\":1,\"nullable\":true}",                              "null",                           "null"                                                     },
        {"{\"default\":null,\"nullable\":true}",                           NULL,                             "null"                                                     },
        {"{\"properties\":{\"a\":{\"default\":1}}}",                       NULL,                             NULL                                                       },
        {"{\"properties\":{\"a\":{\"default\":1}}}",                       "{}",                             "{\"a\":1}"                                                },
        {"{\"properties\":{\"a\":{\"default\":1}}}",                       "[]",                             "[]"                                                       },
        {"{\"properties\":{\"b\":{\"default\":2},\"a\":{\"default\":1}}}", "{\"c\":0}",
         "{\"c\":0,\"b\":2,\"a\":1}"                                                                                                                                    },
        {"{\"default\":{},\"properties\":{\"a\":{\"default\":{\"b\":1},\"properties\":{\"c\":"
         "{\"default\":2}}}}}",                                   NULL,                             "{\"a\":{\"b\":1,\"c\":2}}"                                },
        {"{\"items\":{\"properties\":{\"p\":{\"default\":\"TCP\"}}}}",
         "[{},{\"p\":\"UDP\"},{\"q\":1}]",                                                                   "[{\"p\":\"TCP\"},{\"p\":\"UDP\"},{\"q\":1,\"p\":\"TCP\"}]"},
        {"{\"items\":{\"default\":0}}",                                    "[null,1]",                       "[0,1]"                                                    },
        {"{\"properties\":{\"k\":{}},\"additionalProperties\":{\"default\":0,\"properties\":{\"a\":"
         "{\"default\":1}}}}",                                    "{\"k\":{},\"x\":{},\"y\":null}", "{\"k\":{},\"x\":{\"a\":1},\"y\":0}"                       },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(schema_freep) struct schema *s = schema_of_v(cases[i].schema);
        CLEANUP(json_decrefp) json_t *doc = json_object();
        CLEANUP(json_decrefp) json_t *expected = json_object();
        if (cases[i].value != NULL) {
            json_object_set_new(doc, "v", json_of(cases[i].value));
        }
        if (cases[i].filled != NULL) {
            json_object_set_new(expected, "v", json_of(cases[i].filled));
        }
        CLEANUP(json_decrefp) json_t *before = json_deep_copy(doc);
        CLEANUP(json_decrefp) json_t *filled = NULL;
        assert_int_equal(schema_fill(s, doc, 1000, &filled, NULL), OK);
        assert_case(json_equal(filled, expected), cases[i].schema);
        assert_case(json_equal(doc, before), cases[i].schema);
        assert_case(json_equal(doc, expected) == (filled == doc), cases[i].schema);
        CLEANUP(buf_fini) struct buf text;
        buf_init(&text, 1000);
        if (cases[i].filled != NULL) { /* the order of members too */
            json_text_write(json_object_get(filled, "v"), &text);
            assert_str(buf_str(&text), cases[i].filled);
        }
    }
}

static void defaults_cannot_multiply_beyond_the_limit(void **state)
{
    (void)state;
    CLEANUP(schema_freep)
    struct schema *s = schema_of_v("{\"items\":{\"properties\":{\"a\":{\"default\":"
                                   "\"0123456789012345678901234567890123\"}}}}");
    CLEANUP(json_decrefp) json_t *doc = json_object();
    json_t *list = json_array();
    json_object_set_new(doc, "v", list);
    for (int i = 0; i < 100; i++) {
        json_array_append_new(list, json_object());
    }
    json_t *filled = NULL;
    struct err err = {0};
    assert_int_equal(schema_fill(s, doc, 4099, &filled, &err), ERR_TOO_LARGE);
    assert_null(filled);
    assert_string_equal(err.field, "json");
    assert_int_equal(schema_fill(s, doc, 4100, &filled, &err), OK); /* "a":"…", is 41 bytes */
    json_decref(filled);

    CLEANUP(json_decrefp)
    json_t *bomb =
        json_of("{\"properties\":{\"v\":{\"default\":[],\"items\":{\"properties\":{\"a\":{}}}}}}");
    json_t *v = json_object_get(json_object_get(bomb, "properties"), "v");
    for (int i = 0; i < 2000; i++) {
        json_array_append_new(json_object_get(v, "default"), json_object());
    }
    json_t *a = json_object_get(json_object_get(json_object_get(v, "items"), "properties"), "a");
    json_object_set_new(a, "default", json_string("0123456789012345678901234567890123"));
    struct schema *none = NULL;
    assert_int_equal(schema_new(bomb, "spec.schema", &none, &err), ERR_INVALID);
    assert_string_equal(err.field, "spec.schema.properties.v.default");
}

static void a_check_that_would_take_too_long_ends_with_an_error(void **state)
{
    (void)state;
    CLEANUP(schema_freep) struct schema *s = schema_of_v("{\"pattern\":\"a[ab]{900}[ab]{900}c\"}");
    char *text = mem_alloc(200001);
    memset(text, 'a', 200000);
    text[200000] = '\0';
    CLEANUP(json_decrefp) json_t *doc = json_object();
    json_object_set_new(doc, "v", json_string(text));
    free(text);
    struct schema_violations found;
    schema_check(s, doc, &found);
    assert_int_equal(found.n, 1);
    assert_string_equal(found.v[0].field, "v");
    assert_non_null(strstr(found.v[0].msg, "takes too long to check"));
}

static void merging_learns_what_lists_are(void **state)
{
    (void)state;
    CLEANUP(schema_freep)
    struct schema *s = schema_of(
        "{\"properties\":{\"spec\":{\"properties\":{\"ports\":{\"x-kubernetes-list-type\":\"map\","
        "\"x-kubernetes-list-map-keys\":[\"port\",\"protocol\"],\"items\":{\"type\":\"object\","
        "\"required\":[\"port\"],\"properties\":{\"port\":{\"type\":\"integer\"},\"protocol\":"
        "{\"type\":\"string\",\"default\":\"TCP\"}}}},\"tags\":{\"x-kubernetes-list-type\":\"set\","
        "\"items\":{\"type\":\"string\"}},\"args\":{\"type\":\"array\"}},\"additionalProperties\":"
        "{\"x-kubernetes-map-type\":\"atomic\"}}}}");
    const struct schema *spec = schema_member(s, STR("spec"));
    const struct schema *ports = schema_member(spec, STR("ports"));
    size_t n = 0;
    const struct str *keys = schema_list_keys(ports, &n);
    assert_int_equal(schema_list_kind(ports), SCHEMA_LIST_MAP);
    assert_int_equal(n, 2);
    assert_str(keys[0], "port");
    assert_str(keys[1], "protocol");
    const json_t *def = schema_default(schema_member(schema_items(ports), keys[1]));
    assert_string_equal(json_string_value(def), "TCP");
    assert_null(schema_default(schema_member(schema_items(ports), keys[0])));
    assert_int_equal(schema_list_kind(schema_member(spec, STR("tags"))), SCHEMA_LIST_SET);
    assert_int_equal(schema_list_kind(schema_member(spec, STR("args"))), SCHEMA_LIST_ATOMIC);
    assert_true(schema_map_is_atomic(schema_member(spec, STR("other"))));
    assert_false(schema_map_is_atomic(spec));
    assert_null(schema_member(s, STR("metadata")));
    assert_null(schema_member(schema_items(schema_member(NULL, STR("a"))), STR("b")));
    assert_int_equal(schema_list_kind(NULL), SCHEMA_LIST_ATOMIC);
    assert_null(schema_list_keys(NULL, &n));
    assert_false(schema_map_is_atomic(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keywords_that_make_no_sense_are_refused_by_their_path),
        cmocka_unit_test(each_keyword_holds_what_it_says),
        cmocka_unit_test(identity_at_the_top_is_not_the_schemas_business),
        cmocka_unit_test(all_violations_are_told_in_one_error_up_to_ten),
        cmocka_unit_test(defaults_fill_what_is_absent_and_nothing_else),
        cmocka_unit_test(defaults_cannot_multiply_beyond_the_limit),
        cmocka_unit_test(a_check_that_would_take_too_long_ends_with_an_error),
        cmocka_unit_test(merging_learns_what_lists_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema and a document cost each other, however unlike in size: neither is trusted. */
#include <time.h>

#include "store/model/schema.h"
#include "tests/unit/check.h"

#define MANY_OBJECTS 200000
#define DEARER_MAX   20 /* times; were each object to pay for the whole schema, hundreds */

static struct schema *schema_of(const struct buf *text)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct schema *s = NULL;
    struct err err = {0};
    assert_ok(json_text_parse(buf_str(text), "text", &v, &err), &err);
    assert_ok(schema_new(v, "spec.schema", &s, &err), &err);
    return s;
}

/* {"v": [value, value, …]}; takes the value. */
static json_t *many(json_t *value, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append(list, value);
    }
    json_decref(value);
    return json_pack("{s:o}", "v", list);
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* What the same document costs by a schema of so many properties. */
static double cost_of_small_objects(int properties)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_adds(&text, STR("{\"properties\":{\"v\":{\"items\":{\"properties\":{\"last\":{"
                        "\"default\":1}"));
    for (int i = 0; i < properties; i++) {
        buf_printf(&text, ",\"p%d\":{\"properties\":{\"a\":{\"default\":1}}}", i);
    }
    buf_adds(&text, STR("}}}}}"));
    CLEANUP(schema_freep) struct schema *s = schema_of(&text);
    CLEANUP(json_decrefp) json_t *doc = many(json_object(), MANY_OBJECTS);
    struct err err = {0};
    double begin = cpu_s();

    CLEANUP(json_decrefp) json_t *filled = NULL;
    assert_ok(schema_fill(s, doc, (size_t)16 << 20, &filled, &err), &err);
    const json_t *first = json_array_get(json_object_get(filled, "v"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "last")), 1);
    assert_int_equal(json_object_size(first), 1);

    CLEANUP(json_decrefp) json_t *too_much = NULL;
    assert_int_equal(schema_fill(s, doc, 1000, &too_much, &err), ERR_TOO_LARGE);

    struct schema_violations found;
    schema_check(s, filled, &found);
    assert_int_equal(found.n, 0);
    return cpu_s() - begin;
}

static void small_objects_do_not_pay_for_a_large_schema(void **state)
{
    (void)state;
    double small = cost_of_small_objects(1);
    assert_true(cost_of_small_objects(4500) < DEARER_MAX * small);
}

static void short_texts_pay_for_a_large_pattern(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_adds(&text, STR("{\"properties\":{\"v\":{\"items\":{\"pattern\":\"^(x[ab]{900}){9}$|^$\"}}}"
                        "}"));
    CLEANUP(schema_freep) struct schema *s = schema_of(&text);
    struct schema_violations found;
    CLEANUP(json_decrefp) json_t *few = many(json_string(""), 1000);
    schema_check(s, few, &found);
    assert_int_equal(found.n, 0);
    CLEANUP(json_decrefp) json_t *doc = many(json_string(""), 2 * MANY_OBJECTS);
    schema_check(s, doc, &found);
    assert_int_equal(found.n, 1);
    assert_non_null(strstr(found.v[0].msg, "takes too long to check"));
}

/* 100 members, the last of which tells. */
static void add_large(struct buf *text, int last)
{
    buf_addc(text, '{');
    for (int i = 0; i < 100; i++) {
        buf_printf(text, "\"member%d\":%d,", i, i);
    }
    buf_printf(text, "\"z\":%d}", last);
}

static void large_values_pay_for_an_enum_of_large_values(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf value;
    buf_init(&text, SIZE_MAX);
    buf_init(&value, SIZE_MAX);
    buf_adds(&text, STR("{\"properties\":{\"v\":{\"items\":{\"enum\":["));
    for (int i = 0; i < 600; i++) {
        buf_adds(&text, i == 0 ? STR("") : STR(","));
        add_large(&text, i);
    }
    buf_adds(&text, STR("]}}}}"));
    add_large(&value, 599);
    CLEANUP(schema_freep) struct schema *s = schema_of(&text);
    json_t *v = NULL;
    struct err err = {0};
    assert_ok(json_text_parse(buf_str(&value), "value", &v, &err), &err);
    struct schema_violations found;
    CLEANUP(json_decrefp) json_t *few = many(json_incref(v), 20);
    schema_check(s, few, &found);
    assert_int_equal(found.n, 0);
    CLEANUP(json_decrefp) json_t *doc = many(v, 1000);
    schema_check(s, doc, &found);
    assert_int_equal(found.n, 1);
    assert_non_null(strstr(found.v[0].msg, "takes too long to check"));
}

static void a_list_has_few_keys(void **state)
{
    (void)state;
    for (int n = 16; n <= 17; n++) {
        CLEANUP(buf_fini) struct buf text;
        buf_init(&text, SIZE_MAX);
        buf_adds(&text, STR("{\"properties\":{\"v\":{\"x-kubernetes-list-type\":\"map\","
                            "\"items\":{\"type\":\"object\",\"properties\":{"));
        for (int i = 0; i < n; i++) {
            buf_printf(&text, "%s\"k%d\":{\"type\":\"integer\",\"default\":0}", i == 0 ? "" : ",",
                       i);
        }
        buf_adds(&text, STR("}},\"x-kubernetes-list-map-keys\":["));
        for (int i = 0; i < n; i++) {
            buf_printf(&text, "%s\"k%d\"", i == 0 ? "" : ",", i);
        }
        buf_adds(&text, STR("]}}}"));
        CLEANUP(json_decrefp) json_t *v = NULL;
        CLEANUP(schema_freep) struct schema *s = NULL;
        struct err err = {0};
        assert_ok(json_text_parse(buf_str(&text), "text", &v, &err), &err);
        assert_int_equal(schema_new(v, "spec.schema", &s, &err), n == 16 ? OK : ERR_INVALID);
        assert_string_equal(err.field,
                            n == 16 ? "" : "spec.schema.properties.v.x-kubernetes-list-map-keys");
    }
}

/* Every definition is kept in memory, compiled. */
static void a_schema_is_not_much_larger_in_memory(void **state)
{
    (void)state;
    for (int n = 8; n <= 9; n++) {
        CLEANUP(json_decrefp) json_t *all = json_object();
        CLEANUP(json_decrefp) json_t *json = json_pack("{s:O}", "properties", all);
        for (int i = 0; i < n; i++) {
            char name[8];
            snprintf(name, sizeof(name), "p%d", i);
            json_object_set_new(all, name, json_pack("{s:s}", "pattern", "^([ab]{900}x){9}$"));
        }
        CLEANUP(schema_freep) struct schema *s = NULL;
        struct err err = {0};
        assert_int_equal(schema_new(json, "spec.schema", &s, &err), n == 8 ? OK : ERR_INVALID);
        assert_string_equal(err.field, n == 8 ? "" : "spec.schema.properties.p8.pattern");
    }
    json_t *parts = json_array();
    for (int i = 0; i < 100000; i++) {
        json_array_append_new(parts, json_array());
    }
    CLEANUP(json_decrefp) json_t *json = json_pack("{s:o}", "example", parts);
    struct schema *none = NULL;
    struct err err = {0};
    assert_int_equal(schema_new(json, "spec.schema", &none, &err), ERR_INVALID);
    assert_string_equal(err.field, "spec.schema");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_objects_do_not_pay_for_a_large_schema),
        cmocka_unit_test(short_texts_pay_for_a_large_pattern),
        cmocka_unit_test(large_values_pay_for_an_enum_of_large_values),
        cmocka_unit_test(a_list_has_few_keys),
        cmocka_unit_test(a_schema_is_not_much_larger_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/fields.h"
#include "tests/unit/json_random.h"

static struct fields *fields_from(const char *text)
{
    CLEANUP(json_decrefp) json_t *v = json_of(text);
    struct fields *s = NULL;
    struct err err = {0};
    assert_ok(fields_read(v, "set", &s, &err), &err);
    return s;
}

static void check_text(const struct fields *s, const char *expected)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    fields_write(s, &text);
    assert_str(buf_str(&text), expected);
}

static void a_set_is_written_as_fields_v1_in_one_order(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}",                                                              "{}"                                    },
        {"{\"f:a\":{}}",                                                    "{\"f:a\":{}}"                          },
        {"{\"f:b\":{},\"f:a\":{}}",                                         "{\"f:a\":{},\"f:b\":{}}"               },
        {"{\"f:a\":{\"f:b\":{},\".\":{}}}",                                 "{\"f:a\":{\".\":{},\"f:b\":{}}}"       },
        {"{\"f:a\":{\".\":{}}}",                                            "{\"f:a\":{}}"                          },
        {"{\"v:\\\"x\\\"\":{},\"k:{\\\"uid\\\":\\\"1\\\"}\":{\"f:a\":{}}}",
         "{\"k:{\\\"uid\\\":\\\"1\\\"}\":{\"f:a\":{}},\"v:\\\"x\\\"\":{}}"                                          },
        {"{\"f:\":{},\"v:1.5\":{},\"v:true\":{}}",                          "{\"f:\":{},\"v:1.5\":{},\"v:true\":{}}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(fields_freep) struct fields *s = fields_from(cases[i][0]);
        check_text(s, cases[i][1]);
        CLEANUP(fields_freep) struct fields *copy = fields_copy(s);
        assert_true(fields_equal(s, copy));
        assert_int_equal(fields_is_empty(s), i == 0);
    }
}

static void what_is_no_set_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "[]",
        "{\"f:a\":1}",
        "{\"f:a\":[]}",
        "{\"a\":{}}",
        "{\"x:a\":{}}",
        "{\"\":{}}",
        "{\".\":{}}",
        "{\"f:a\":{\".\":{\"f:b\":{}}}}",
        "{\"v:\":{}}",
        "{\"v:x\":{}}",
        "{\"v:null\":{}}",
        "{\"v:[1]\":{}}",
        "{\"v: 1\":{}}",
        "{\"v:1.50\":{}}",
        "{\"k:{}\":{}}",
        "{\"k:1\":{}}",
        "{\"k:{\\\"a\\\":null}\":{}}",
        "{\"k:{\\\"b\\\":1,\\\"a\\\":1}\":{}}",
        "{\"k:{\\\"a\\\":[]}\":{}}",
        "{\"i:0\":{}}",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *v = json_of(cases[i]);
        struct fields *s = NULL;
        struct err err = {0};
        assert_case(fields_read(v, "set", &s, &err) == ERR_INVALID, cases[i]);
        assert_string_equal(err.field, "set");
        assert_null(s);
    }
}

/* A path of `depth` steps. */
static json_t *deep(int depth)
{
    json_t *v = json_object();
    for (int i = 0; i < depth; i++) {
        json_t *outer = json_object();
        json_object_set_new(outer, "f:a", v);
        v = outer;
    }
    return v;
}

static void a_path_has_so_many_steps_and_no_more(void **state)
{
    (void)state;
    CLEANUP(json_decrefp) json_t *most = deep(FIELDS_DEPTH_MAX);
    CLEANUP(json_decrefp) json_t *more = deep(FIELDS_DEPTH_MAX + 1);
    CLEANUP(fields_freep) struct fields *s = NULL;
    struct err err = {0};
    assert_ok(fields_read(most, "set", &s, &err), &err);
    struct fields *none = NULL;
    assert_int_equal(fields_read(more, "set", &none, &err), ERR_INVALID);
    assert_null(none);
}

struct seen {
    struct buf text;
};

static void see(void *arg, struct str path)
{
    struct seen *s = arg;
    buf_adds(&s->text, path);
    buf_addc(&s->text, '\n');
}

static void paths_are_shown_as_people_write_them(void **state)
{
    (void)state;
    CLEANUP(fields_freep)
    struct fields *s =
        fields_from("{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:a.b/c\":{},\"f:app\":{}},"
                    "\"f:finalizers\":{\"v:\\\"a/b\\\"\":{}}},"
                    "\"f:spec\":{\"f:ports\":{\"k:{\\\"name\\\":\\\"web\\\",\\\"port\\\":80}\":"
                    "{\".\":{},\"f:x\":{}}}}}");
    struct seen seen;
    buf_init(&seen.text, SIZE_MAX);
    fields_each(s, see, &seen);
    assert_str(buf_str(&seen.text), "metadata.finalizers[=\"a/b\"]\n"
                                    "metadata.labels\n"
                                    "metadata.labels[\"a.b/c\"]\n"
                                    "metadata.labels.app\n"
                                    "spec.ports[name=\"web\",port=80]\n"
                                    "spec.ports[name=\"web\",port=80].x\n");
    buf_fini(&seen.text);
}

/* A set over few paths: bit i says that paths[i] is in it. */
static const char *const paths[] = {"a", "a/b", "a/b/c", "a/d", "b", "b/a", "c/a/a", "c/b"};

static struct fields *set_of(unsigned bits)
{
    CLEANUP(json_decrefp) json_t *v = json_object();
    for (size_t i = 0; i < COUNT(paths); i++) {
        if ((bits >> i & 1) == 0) {
            continue;
        }
        json_t *at = v;
        for (const char *p = paths[i]; *p != '\0'; p += p[1] == '/' ? 2 : 1) {
            const char step[] = {'f', ':', *p, '\0'};
            if (json_object_get(at, step) == NULL) {
                json_object_set_new(at, step, json_object());
            }
            at = json_object_get(at, step);
        }
        json_object_set_new(at, ".", json_object());
    }
    struct fields *s = NULL;
    struct err err = {0};
    assert_ok(fields_read(v, "set", &s, &err), &err);
    return s;
}

static void sets_are_joined_subtracted_and_intersected_like_sets(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 1u << COUNT(paths); a++) {
        for (unsigned b = a % 3; b < 1u << COUNT(paths); b += 3) {
            CLEANUP(fields_freep) struct fields *left = set_of(a);
            CLEANUP(fields_freep) struct fields *right = set_of(b);
            CLEANUP(fields_freep) struct fields *joined = fields_copy(left);
            CLEANUP(fields_freep) struct fields *less = fields_copy(left);
            CLEANUP(fields_freep) struct fields *both = fields_copy(left);
            fields_join(joined, right);
            fields_minus(less, right);
            fields_keep(both, right);
            CLEANUP(fields_freep) struct fields *e1 = set_of(a | b);
            CLEANUP(fields_freep) struct fields *e2 = set_of(a & ~b);
            CLEANUP(fields_freep) struct fields *e3 = set_of(a & b);
            assert_true(fields_equal(joined, e1));
            assert_true(fields_equal(less, e2));
            assert_true(fields_equal(both, e3));
            assert_int_equal(fields_equal(left, right), a == b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_written_as_fields_v1_in_one_order),
        cmocka_unit_test(what_is_no_set_is_refused_by_name),
        cmocka_unit_test(a_path_has_so_many_steps_and_no_more),
        cmocka_unit_test(paths_are_shown_as_people_write_them),
        cmocka_unit_test(sets_are_joined_subtracted_and_intersected_like_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

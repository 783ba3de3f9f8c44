/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/object.h"
#include "tests/unit/json_random.h"

#define UID     "01234567-89ab-4cde-8f01-23456789abcd"
#define CREATED "2026-01-02T15:04:05Z"
#define HEAD                                                                                    \
    "{\"apiVersion\":\"watch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"a\",\"namespace\":" \
    "\"default\",\"uid\":\"" UID "\","
#define TAIL "\"creationTimestamp\":\"" CREATED "\"},\"spec\":{\"x\":0.42}}"

static struct object *example(void)
{
    const struct key key = {STR("jobs"), STR("default"), STR("a")};
    return object_new(&key, STR("app=web"), STR(HEAD TAIL), sizeof(HEAD) - 1, 2, 3, 4);
}

static void an_object_owns_copies_of_all_it_was_given(void **state)
{
    (void)state;
    char labels[] = "app=web";
    char body[] = HEAD TAIL;
    char name[] = "a";
    const struct key key = {STR("jobs"), STR("default"), str_of(name)};
    struct object *o = object_new(&key, str_of(labels), str_of(body), sizeof(HEAD) - 1, 2, 3, 4);
    memset(labels, 'x', sizeof(labels));
    memset(body, 'x', sizeof(body));
    name[0] = 'x';
    assert_str(o->labels, "app=web");
    assert_str(o->body, HEAD TAIL);
    assert_str(o->key.name, "a");
    assert_str(o->key.ns, "default");
    assert_str(o->key.resource, "jobs");
    assert_true(o->rv == 0 && o->generation == 2 && o->hash == 3 && o->spec_hash == 4);
    struct object *again = object_ref(o);
    object_unrefp(&o);
    assert_null(o);
    assert_str(again->body, HEAD TAIL);
    object_unref(again);
    object_unref(NULL);
}

static void uid_and_creation_time_are_found_in_the_body(void **state)
{
    (void)state;
    struct object *o = example();
    assert_str(object_uid(o), UID);
    assert_str(object_created(o), CREATED);
    object_unref(o);
}

static void the_beginning_of_a_deletion_is_a_time_in_the_body(void **state)
{
    (void)state;
    struct object *o = example();
    assert_int_equal(object_deletion(o).n, 0);
    assert_str(object_times(o), "\"creationTimestamp\":\"" CREATED "\"");
    o->rv = 9;
    struct object *d = object_begin_deletion(o, INT64_C(1767366245123) + 60000);
    assert_str(d->body, HEAD "\"creationTimestamp\":\"" CREATED "\",\"deletionTimestamp\":"
                             "\"2026-01-02T15:05:05Z\"},\"spec\":{\"x\":0.42}}");
    assert_str(object_deletion(d), "2026-01-02T15:05:05Z");
    assert_str(object_created(d), CREATED);
    assert_str(object_uid(d), UID);
    assert_int_equal(object_times(d).n, OBJECT_TIMES_MAX);
    assert_str(d->labels, "app=web");
    assert_true(d->rv == 0 && d->generation == 3 && d->hash == 3 && d->spec_hash == 4);
    object_unref(d);
    object_unref(o);
}

static void a_version_is_spliced_in_as_text(void **state)
{
    (void)state;
    static const struct {
        rv_t rv;
        uint64_t generation;
        const char *text;
    } cases[] = {
        {97,         2,          "\"resourceVersion\":\"97\",\"generation\":2,"             },
        {0,          1,          "\"generation\":1,"                                        },
        {UINT64_MAX, UINT64_MAX,
         "\"resourceVersion\":\"18446744073709551615\",\"generation\":18446744073709551615,"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[SPLICE_MAX];
        size_t n = splice_text(cases[i].rv, cases[i].generation, text);
        assert_str(((struct str){text, n}), cases[i].text);
    }
    struct object *o = example();
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 4096);
    object_render(o->body, o->splice, 97, 2, &b);
    assert_str(buf_str(&b), HEAD "\"resourceVersion\":\"97\",\"generation\":2," TAIL);
    CLEANUP(freep) char *text = str_dup(buf_str(&b));
    CLEANUP(json_decrefp) json_t *v = json_of(text);
    const json_t *metadata = json_object_get(v, "metadata");
    assert_string_equal(json_string_value(json_object_get(metadata, "resourceVersion")), "97");
    object_unref(o);
}

static void the_tree_is_the_stored_body(void **state)
{
    (void)state;
    struct object *o = example();
    CLEANUP(json_decrefp) json_t *v = object_tree(o);
    CLEANUP(freep) char *text = text_of(v);
    assert_string_equal(text, HEAD TAIL);
    object_unref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_owns_copies_of_all_it_was_given),
        cmocka_unit_test(uid_and_creation_time_are_found_in_the_body),
        cmocka_unit_test(the_beginning_of_a_deletion_is_a_time_in_the_body),
        cmocka_unit_test(a_version_is_spliced_in_as_text),
        cmocka_unit_test(the_tree_is_the_stored_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/draft.h"
#include "tests/unit/json_random.h"

#define UID       "01234567-89ab-4cde-8f01-23456789abcd"
#define OTHER_UID "fedcba98-7654-4321-8fed-cba987654321"
#define T0        INT64_C(1767366245123)
#define CREATED   "2026-01-02T15:04:05Z"
#define LIMIT     ((size_t)OBJECT_MAX_BYTES)

static const struct key key = {
    {"jobs",    4},
    {"default", 7},
    {"web",     3}
};

static struct draft *draft_of(const json_t *doc)
{
    struct draft *d = NULL;
    struct precondition pre;
    struct err err = {0};
    check_ok(draft_new(&key, doc, &(struct draft_rules){.limit_bytes = LIMIT}, &d, &pre, &err),
             &err, __FILE__, __LINE__);
    return d;
}

/* The object after `text` was put over `cur`; NULL if that changes nothing. */
static struct object *put(const struct object *cur, const char *text)
{
    CLEANUP(json_decrefp) json_t *doc = json_of(text);
    CLEANUP(draft_freep) struct draft *d = draft_of(doc);
    struct object *o = NULL;
    draft_finish(d, cur, cur == NULL ? UID : OTHER_UID, T0 + 86400000, &o);
    return o;
}

static struct object *create(const char *text)
{
    CLEANUP(json_decrefp) json_t *doc = json_of(text);
    CLEANUP(draft_freep) struct draft *d = draft_of(doc);
    struct object *o = NULL;
    draft_finish(d, NULL, UID, T0, &o);
    assert_non_null(o);
    return o;
}

static void documents_are_whole_objects_or_specs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int form; /* -1: refused */
    } cases[] = {
        {"{\"metadata\":{}}",                              DOCUMENT_WHOLE},
        {"{\"metadata\":{},\"x\":1}",                      DOCUMENT_WHOLE},
        {"{\"apiVersion\":\"v1\",\"kind\":\"K\",\"x\":1}", DOCUMENT_WHOLE},
        {"{\"spec\":1}",                                   DOCUMENT_WHOLE},
        {"{\"status\":{}}",                                DOCUMENT_WHOLE},
        {"{\"status\":{},\"spec\":null}",                  DOCUMENT_WHOLE},
        {"{}",                                             DOCUMENT_SPEC },
        {"{\"a\":1}",                                      DOCUMENT_SPEC },
        {"{\"spec\":1,\"a\":1}",                           DOCUMENT_SPEC },
        {"{\"spec\":1,\"status\":1,\"kind\":\"K\"}",       DOCUMENT_SPEC },
        {"{\"kind\":\"K\"}",                               DOCUMENT_SPEC },
        {"{\"apiVersion\":\"v1\"}",                        DOCUMENT_SPEC },
        {"{\"metadata\":\"text\"}",                        DOCUMENT_SPEC },
        {"{\"metadata\":null}",                            DOCUMENT_SPEC },
        {"[]",                                             -1            },
        {"[{\"metadata\":{}}]",                            -1            },
        {"1",                                              -1            },
        {"\"a\"",                                          -1            },
        {"null",                                           -1            },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *doc = json_of(cases[i].text);
        enum document_form form = DOCUMENT_WHOLE;
        struct err err = {0};
        enum errc code = document_form_of(doc, &form, &err);
        assert_case(code == (cases[i].form < 0 ? ERR_INVALID : OK), cases[i].text);
        assert_case(cases[i].form < 0 || (int)form == cases[i].form, cases[i].text);
        assert_string_equal(err.field, cases[i].form < 0 ? "json" : "");
    }
}

static void the_body_has_the_layout_of_object_h(void **state)
{
    (void)state;
    static const struct {
        const char *doc;
        const char *body;
        const char *labels;
    } cases[] = {
        {"{}",
         "{\"apiVersion\":\"watch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"web\","
         "\"namespace\":\"default\",\"uid\":\"" UID "\",\"creationTimestamp\":\"" CREATED "\"}}",
         ""                                                                                                                                                                                        },
        {"{\"status\":{\"ok\":true},\"kind\":\"Custom\",\"spec\":{\"z\":0.42,\"a\":[1,2]},"
         "\"metadata\":{\"mine\":1,\"finalizers\":[\"f\"],\"labels\":{\"b\":\"2\",\"a\":\"1\"},"
         "\"generation\":7,\"name\":\"web\"},\"extra\":null,\"apiVersion\":\"batch/v1\"}", "{\"apiVersion\":\"batch/v1\",\"kind\":\"Custom\",\"metadata\":{\"name\":\"web\","
         "\"namespace\":\"default\",\"uid\":\"" UID "\",\"creationTimestamp\":\"" CREATED "\","
         "\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"finalizers\":[\"f\"],\"mine\":1},"
         "\"status\":{\"ok\":true},\"spec\":{\"z\":0.42,\"a\":[1,2]},\"extra\":null}", "a=1,b=2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct object *o = create(cases[i].doc);
        assert_str(o->body, cases[i].body);
        assert_str(o->labels, cases[i].labels);
        assert_str(object_uid(o), UID);
        assert_str(object_created(o), CREATED);
        assert_true(key_eq(&o->key, &key));
        assert_int_equal(o->generation, 1);
        assert_int_equal(o->rv, 0);
        assert_memory_equal(o->body.p + o->splice - 2, "\",\"creationTimestamp\"", 21);
        object_unref(o);
    }
}

static void what_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"[]",                                          "json"                    },
        {"1",                                           "json"                    },
        {"{\"metadata\":[]}",                           "metadata"                },
        {"{\"metadata\":\"x\"}",                        "metadata"                },
        {"{\"apiVersion\":\"\"}",                       "apiVersion"              },
        {"{\"apiVersion\":1}",                          "apiVersion"              },
        {"{\"apiVersion\":\"/v1\"}",                    "apiVersion"              },
        {"{\"apiVersion\":\"v 1\"}",                    "apiVersion"              },
        {"{\"kind\":\"\"}",                             "kind"                    },
        {"{\"kind\":{}}",                               "kind"                    },
        {"{\"kind\":\"a/b\"}",                          "kind"                    },
        {"{\"kind\":\"J\xc3\xb6"
         "b\"}",                               "kind"                    },
        {"{\"metadata\":{\"name\":\"other\"}}",         "metadata.name"           },
        {"{\"metadata\":{\"labels\":{\"a b\":\"c\"}}}", "metadata.labels[\"a b\"]"},
        {"{\"metadata\":{\"resourceVersion\":7}}",      "metadata.resourceVersion"},
        {"{\"metadata\":{\"uid\":\"x\"}}",              "metadata.uid"            },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *doc = json_of(cases[i].text);
        struct draft *d = NULL;
        struct precondition pre = {.rv = 42};
        struct err err = {0};
        assert_case(draft_new(&key, doc, &(struct draft_rules){.limit_bytes = LIMIT}, &d, &pre,
                              &err) == ERR_INVALID,
                    cases[i].text);
        assert_string_equal(err.field, cases[i].field);
        assert_null(d);
        assert_int_equal(pre.rv, 42);
    }
}

static void depth_is_limited_for_trees_that_were_put_together(void **state)
{
    (void)state;
    json_t *spec = json_integer(1);
    for (int i = 0; i < JSON_DEPTH_MAX - 1; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, spec);
        spec = outer;
    }
    CLEANUP(json_decrefp) json_t *fits = json_pack("{s:o}", "spec", spec);
    CLEANUP(draft_freep) struct draft *d = draft_of(fits);
    CLEANUP(json_decrefp) json_t *deeper = json_pack("{s:{s:O}}", "spec", "a", spec);
    struct draft *none = NULL;
    struct err err;
    assert_int_equal(
        draft_new(&key, deeper, &(struct draft_rules){.limit_bytes = LIMIT}, &none, NULL, &err),
        ERR_INVALID);
    assert_string_equal(err.field, "json");
}

static void version_and_uid_come_back_as_a_precondition(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *doc = json_of("{\"metadata\":{\"resourceVersion\":\"97\",\"uid\":\"" OTHER_UID "\"}}");
    CLEANUP(draft_freep) struct draft *d = NULL;
    struct precondition pre = {0};
    struct err err;
    assert_ok(draft_new(&key, doc, &(struct draft_rules){.limit_bytes = LIMIT}, &d, &pre, &err),
              &err);
    assert_int_equal(pre.rv, 97);
    assert_string_equal(pre.uid, OTHER_UID);
    struct object *o = NULL;
    draft_finish(d, NULL, UID, T0, &o);
    assert_str(object_uid(o), UID);
    assert_null(memmem(o->body.p, o->body.n, "resourceVersion", 15));
    object_unref(o);

    /* Who does not ask for the precondition is not bothered by it. */
    CLEANUP(json_decrefp) json_t *odd = json_of("{\"metadata\":{\"resourceVersion\":\"x\"}}");
    CLEANUP(draft_freep) struct draft *d2 = NULL;
    assert_ok(draft_new(&key, odd, &(struct draft_rules){.limit_bytes = LIMIT}, &d2, NULL, &err),
              &err);
}

static void the_limit_counts_what_the_server_adds(void **state)
{
    (void)state;
    CLEANUP(json_decrefp) json_t *doc = json_of("{\"spec\":{\"x\":\"12345678\"}}");
    CLEANUP(draft_freep) struct draft *d = draft_of(doc);
    size_t size = draft_size(d) + SPLICE_MAX;
    struct object *o = NULL;
    draft_finish(d, NULL, UID, T0, &o);
    struct object *deleted = object_begin_deletion(o, T0);
    assert_int_equal(deleted->body.n, draft_size(d));
    object_unref(deleted);
    object_unref(o);
    CLEANUP(draft_freep) struct draft *fits = NULL;
    struct precondition pre;
    struct err err;
    assert_ok(draft_new(&key, doc, &(struct draft_rules){.limit_bytes = size}, &fits, &pre, &err),
              &err);
    struct draft *none = NULL;
    assert_int_equal(
        draft_new(&key, doc, &(struct draft_rules){.limit_bytes = size - 1}, &none, &pre, &err),
        ERR_TOO_LARGE);
    assert_string_equal(err.field, "json");
    char sizes[64];
    snprintf(sizes, sizeof(sizes), "is %zu bytes", size);
    assert_non_null(strstr(err.msg, sizes));
    snprintf(sizes, sizeof(sizes), "limit of %zu", size - 1);
    assert_non_null(strstr(err.msg, sizes));
}

#define BASE                                                                                    \
    "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}," \
    "\"annotations\":{\"x\":\"y\"}},\"spec\":{\"p\":1,\"q\":[1,{\"r\":2.0,\"s\":null}]},"       \
    "\"status\":{\"ok\":true},\"data\":\"d\"}"

static void what_changes_nothing_is_no_new_version(void **state)
{
    (void)state;
    static const char *const same[] = {
        BASE,
        /* Members in another order, everywhere. */
        "{\"data\":\"d\",\"status\":{\"ok\":true},\"spec\":{\"q\":[1,{\"s\":null,\"r\":2.0}],"
        "\"p\":1},\"metadata\":{\"annotations\":{\"x\":\"y\"},\"labels\":{\"b\":\"2\",\"a\":\"1\"}"
        "},\"kind\":\"K\",\"apiVersion\":\"v1\"}",
        /* What the server sets, and what is null or the key's, is no difference. */
        "{\"apiVersion\":\"v1\",\"kind\":\"K\",\"metadata\":{\"name\":\"web\",\"uid\":\"" OTHER_UID
        "\",\"resourceVersion\":\"5\",\"generation\":9,\"creationTimestamp\":null,"
        "\"finalizers\":null,\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"annotations\":{\"x\":\"y\"}},"
        "\"spec\":{\"p\":1,\"q\":[1,{\"r\":2.0,\"s\":null}]},\"status\":{\"ok\":true},\"data\":"
        "\"d\"}",
    };
    struct object *cur = create(BASE);
    for (size_t i = 0; i < COUNT(same); i++) {
        struct object *o = put(cur, same[i]);
        assert_case(o == NULL, same[i]);
    }
    object_unref(cur);

    /* A default that is spelled out is the default. */
    cur = create("{\"spec\":1}");
    assert_null(put(cur, "{\"apiVersion\":\"watch/v1\",\"kind\":\"Job\",\"spec\":1}"));
    assert_null(put(cur, "{\"apiVersion\":null,\"kind\":null,\"metadata\":null,\"spec\":1}"));
    object_unref(cur);
}

static void generation_counts_changes_outside_metadata_and_status(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *from;
        const char *to;
        uint64_t generation;
    } cases[] = {
        {"spec",              "\"p\":1",                    "\"p\":2",                               2},
        {"type of a number",  "\"p\":1",                    "\"p\":1.0",                             2},
        {"order of an array", "[1,{\"r\":2.0,\"s\":null}]", "[{\"r\":2.0,\"s\":null},1]",            2},
        {"null member",       ",\"s\":null",                "",                                      2},
        {"other member",      "\"data\":\"d\"",             "\"data\":\"e\"",                        2},
        {"kind",              "\"kind\":\"K\"",             "\"kind\":\"L\"",                        2},
        {"apiVersion",        "\"v1\"",                     "\"v2\"",                                2},
        {"status",            "\"ok\":true",                "\"ok\":false",                          1},
        {"no status",         "\"status\":{\"ok\":true},",  "",                                      1},
        {"label",             "\"b\":\"2\"",                "\"b\":\"3\"",                           1},
        {"annotation",        "\"x\":\"y\"",                "\"x\":\"z\"",                           1},
        {"finalizer",         "\"metadata\":{",             "\"metadata\":{\"finalizers\":[\"f\"],", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct object *cur = create(BASE);
        const char *at = strstr(BASE, cases[i].from);
        assert_non_null(at);
        CLEANUP(freep)
        char *text =
            mem_printf("%.*s%s%s", (int)(at - BASE), BASE, cases[i].to, at + strlen(cases[i].from));
        struct object *o = put(cur, text);
        assert_case(o != NULL, cases[i].what);
        assert_case(o->generation == cases[i].generation, cases[i].what);
        assert_case(o->hash != cur->hash, cases[i].what);
        assert_case((o->spec_hash == cur->spec_hash) == (cases[i].generation == 1), cases[i].what);
        /* Identity and birth are the first version's. */
        assert_str(object_uid(o), UID);
        assert_str(object_created(o), CREATED);
        struct object *back = put(o, BASE);
        assert_non_null(back);
        assert_int_equal(back->generation, cases[i].generation * 2 - 1);
        assert_true(str_eq(back->body, cur->body) && back->hash == cur->hash);
        object_unref(back);
        object_unref(o);
        object_unref(cur);
    }
}

static void equal_hashes_alone_do_not_make_a_no_op(void **state)
{
    (void)state;
    struct object *cur = create("{\"spec\":1}");
    cur->hash = 0;
    CLEANUP(json_decrefp) json_t *doc = json_of("{\"spec\":2}");
    CLEANUP(draft_freep) struct draft *d = draft_of(doc);
    struct object *next = NULL;
    draft_finish(d, cur, OTHER_UID, T0, &next);
    assert_non_null(next);
    cur->hash = next->hash; /* As if they collided. */
    object_unref(next);
    draft_finish(d, cur, OTHER_UID, T0, &next);
    assert_non_null(next);
    object_unref(next);
    object_unref(cur);
}

static void a_draft_serves_more_than_one_finish(void **state)
{
    (void)state;
    CLEANUP(json_decrefp) json_t *doc = json_of(BASE);
    CLEANUP(draft_freep) struct draft *d = draft_of(doc);
    struct object *first = NULL;
    struct object *second = NULL;
    struct object *none = NULL;
    draft_finish(d, NULL, UID, T0, &first);
    draft_finish(d, NULL, OTHER_UID, T0 + 1000, &second);
    draft_finish(d, second, UID, T0, &none);
    assert_str(object_uid(first), UID);
    assert_str(object_uid(second), OTHER_UID);
    assert_str(object_created(second), "2026-01-02T15:04:06Z");
    assert_null(none);
    object_unref(first);
    object_unref(second);
}

static void a_deletion_that_has_begun_goes_on_whatever_is_put(void **state)
{
    (void)state;
#define FINALIZERS "\"finalizers\":[\"x.io/a\"]"
    struct object *cur = create("{\"metadata\":{" FINALIZERS "},\"spec\":1}");
    struct object *marked = object_begin_deletion(cur, T0 + 5000);
    assert_null(put(marked, "{\"metadata\":{" FINALIZERS "},\"spec\":1}"));
    assert_null(put(marked, "{\"metadata\":{" FINALIZERS ",\"deletionTimestamp\":"
                            "\"2030-01-01T00:00:00Z\"},\"spec\":1}"));
    struct object *next = put(marked, "{\"metadata\":{" FINALIZERS "},\"spec\":2}");
    assert_str(object_created(next), CREATED);
    assert_str(object_deletion(next), "2026-01-02T15:04:10Z");
    assert_int_equal(next->generation, 3);
    assert_null(put(next, "{\"metadata\":{" FINALIZERS "},\"spec\":2}"));
    assert_int_equal(object_deletion(cur).n, 0);
    /* Users cannot set it. */
    assert_null(put(cur, "{\"metadata\":{" FINALIZERS ",\"deletionTimestamp\":"
                         "\"2030-01-01T00:00:00Z\"},\"spec\":1}"));
    object_unref(next);
    object_unref(marked);
    object_unref(cur);
}

static void a_draft_tells_its_finalizers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"{\"metadata\":{" FINALIZERS "}}",                            1},
        {"{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",              2},
        {"{\"metadata\":{\"finalizers\":[]}}",                         0},
        {"{\"metadata\":{\"finalizers\":null}}",                       0},
        {"{\"metadata\":{\"annotations\":{\"finalizers\":\"[\"}}}",    0},
        {"{\"spec\":{\"finalizers\":[\"a\"]},\"finalizers\":[\"a\"]}", 0},
        {"{}",                                                         0},
    };
#undef FINALIZERS
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *doc = json_of(cases[i].text);
        CLEANUP(draft_freep) struct draft *d = draft_of(doc);
        json_decrefp(&doc);
        assert_int_equal(json_array_size(draft_finalizers(d)), cases[i].n);
        assert_case((draft_finalizers(d) == NULL) == (cases[i].n == 0), cases[i].text);
        struct object *o = create(cases[i].text);
        assert_case(object_has_finalizers(o) == (cases[i].n != 0), cases[i].text);
        object_unref(o);
    }
}

static void random_documents_come_back_as_they_were_given(void **state)
{
    (void)state;
    struct dice dice = {404};
    for (int i = 0; i < 1000; i++) {
        CLEANUP(json_decrefp) json_t *doc = json_object();
        json_object_set_new(doc, "spec", random_json(&dice, 4));
        json_object_set_new(doc, "other", random_json(&dice, 3));
        if (dice_below(&dice, 2) != 0) {
            json_object_set_new(doc, "status", random_json(&dice, 3));
        }
        json_object_set_new(doc, "metadata",
                            json_pack("{s:{s:s}}", "labels", "n", i % 2 == 0 ? "even" : "odd"));
        CLEANUP(freep) char *text = text_of(doc);
        struct object *o = create(text);

        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, (size_t)4 * 1024 * 1024);
        object_render(o->body, o->splice, 97, o->generation, &b);
        CLEANUP(freep) char *shown = str_dup(buf_str(&b));
        CLEANUP(json_decrefp) json_t *back = json_of(shown);
        static const char *const members[] = {"spec", "other", "status"};
        for (size_t j = 0; j < COUNT(members); j++) {
            json_t *a = json_object_get(doc, members[j]);
            json_t *z = json_object_get(back, members[j]);
            assert_case((a == NULL && z == NULL) || json_equal(a, z), text);
        }
        /* What a client read, it can put back, and nothing changes; in any order. */
        assert_null(put(o, shown));
        CLEANUP(json_decrefp) json_t *other = shuffled(back, &dice);
        CLEANUP(freep) char *other_text = text_of(other);
        assert_null(put(o, other_text));
        object_unref(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_whole_objects_or_specs),
        cmocka_unit_test(the_body_has_the_layout_of_object_h),
        cmocka_unit_test(what_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(depth_is_limited_for_trees_that_were_put_together),
        cmocka_unit_test(version_and_uid_come_back_as_a_precondition),
        cmocka_unit_test(the_limit_counts_what_the_server_adds),
        cmocka_unit_test(what_changes_nothing_is_no_new_version),
        cmocka_unit_test(generation_counts_changes_outside_metadata_and_status),
        cmocka_unit_test(equal_hashes_alone_do_not_make_a_no_op),
        cmocka_unit_test(a_draft_serves_more_than_one_finish),
        cmocka_unit_test(a_deletion_that_has_begun_goes_on_whatever_is_put),
        cmocka_unit_test(a_draft_tells_its_finalizers),
        cmocka_unit_test(random_documents_come_back_as_they_were_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

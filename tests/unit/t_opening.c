/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/draft.h"
#include "store/model/opening.h"
#include "tests/unit/json_random.h"

#define T0 INT64_C(1767366245123)

/* The object that a document makes. */
static struct object *object_of(const struct key *key, const json_t *doc, wall_ms_t now)
{
    CLEANUP(draft_freep) struct draft *d = NULL;
    struct object *o = NULL;
    struct err err = {0};
    char uid[UUID_LEN + 1];
    random_uuid(uid);
    check_ok(
        draft_new(key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &d, NULL, &err),
        &err, __FILE__, __LINE__);
    draft_finish(d, NULL, uid, now, &o);
    assert_non_null(o);
    return o;
}

/* Finds the opening, writes it again, and compares. The size of what was found, or 0. */
static size_t round_trip(const struct key *key, struct str labels, struct str body, uint32_t splice)
{
    struct opening o;
    size_t n = 0;
    if (!opening_find(key, labels, body, splice, &o, &n)) {
        return 0;
    }
    assert_int_equal(opening_size(&o), n);
    assert_int_equal(opening_splice(&o), splice);
    CLEANUP(freep) char *text = mem_alloc(n + 1);
    text[n] = '~';
    assert_ptr_equal(opening_write(&o, text), text + n);
    assert_memory_equal(text, body.p, n);
    assert_int_equal(text[n], '~');
    return n;
}

static size_t opening_of(const struct object *o)
{
    return round_trip(&o->key, o->labels, o->body, o->splice);
}

static const struct key key = {
    {"jobs",    4},
    {"default", 7},
    {"web",     3}
};

static void an_opening_ends_where_the_user_begins(void **state)
{
    (void)state;
    static const struct {
        const char *doc, *rest;
    } cases[] = {
        {"{\"spec\":{\"n\":1}}",                                                 "},\"spec\":{\"n\":1}}"           },
        {"{\"metadata\":{}}",                                                    "}}"                              },
        {"{\"metadata\":{\"labels\":{}}}",                                       ",\"labels\":{}}}"                },
        {"{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"x\":1}",                    "},\"x\":1}"                      },
        {"{\"metadata\":{\"labels\":{\"a\":\"\"}}}",                             "}}"                              },
        {"{\"metadata\":{\"labels\":{\"a\":\"b\",\"c.d/e\":\"f\"}}}",            "}}"                              },
        {"{\"metadata\":{\"labels\":{\"c\":\"d\",\"a\":\"b\"}}}",
         ",\"labels\":{\"c\":\"d\",\"a\":\"b\"}}}"                                                                 },
        {"{\"metadata\":{\"annotations\":{\"a\":\"b\"}}}",                       ",\"annotations\":{\"a\":\"b\"}}}"},
        {"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{}}", "}}"                              },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(json_decrefp) json_t *doc = json_of(cases[i].doc);
        CLEANUP(object_unrefp) struct object *o = object_of(&key, doc, T0);
        size_t n = opening_of(o);
        assert_true(n != 0);
        assert_str(((struct str){o->body.p + n, o->body.n - n}), cases[i].rest);
    }
}

static void a_deletion_that_has_begun_is_behind_the_opening(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *doc = json_of("{\"metadata\":{\"labels\":{\"a\":\"b\"},\"finalizers\":[\"x/y\"]}}");
    CLEANUP(object_unrefp) struct object *o = object_of(&key, doc, T0);
    CLEANUP(object_unrefp) struct object *gone = object_begin_deletion(o, T0 + 5000);
    size_t n = opening_of(gone);
    assert_true(n != 0);
    assert_true(str_starts((struct str){gone->body.p + n, gone->body.n - n},
                           STR(",\"deletionTimestamp\":\"")));
}

/* Any byte of an opening changed makes another text, and that is found or not, but never taken for
 * the first. */
static void other_texts_come_back_or_are_left_alone(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *doc = json_of("{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"x\":1}");
    CLEANUP(object_unrefp) struct object *o = object_of(&key, doc, T0);
    CLEANUP(freep) char *text = str_dup(o->body);
    size_t found = 0;
    for (size_t i = 0; i < o->body.n; i++) {
        for (int c = 0; c < 256; c++) {
            text[i] = (char)c;
            found += round_trip(&key, o->labels, (struct str){text, o->body.n}, o->splice) != 0;
        }
        text[i] = o->body.p[i];
        (void)round_trip(&key, o->labels, (struct str){text, i}, o->splice);
        (void)round_trip(&key, o->labels, o->body, (uint32_t)i);
    }
    assert_true(found > 256);
    struct key other = key;
    other.name = STR("wed");
    assert_int_equal(round_trip(&other, o->labels, o->body, o->splice), 0);
    assert_int_equal(round_trip(&key, STR_EMPTY, STR_EMPTY, 0), 0);
}

static json_t *random_labels(struct dice *d)
{
    json_t *labels = json_object();
    for (size_t n = dice_below(d, 5); n > 0; n--) {
        char name[32], value[32];
        snprintf(name, sizeof(name), "%s%c%zu", dice_below(d, 2) != 0 ? "x.io/" : "",
                 (char)('a' + dice_below(d, 26)), dice_below(d, 100));
        snprintf(value, sizeof(value), "%zu", dice_next(d) % 1000);
        json_object_set_new(labels, name, json_string(dice_below(d, 4) != 0 ? value : ""));
    }
    return labels;
}

static void random_documents_come_back(void **state)
{
    (void)state;
    static const char *const resources[] = {"objects", "jobs", "flags", "resources-not"};
    struct dice d = {7};
    for (int i = 0; i < 5000; i++) {
        char name[64];
        snprintf(name, sizeof(name), "n%zu:x.%zu", dice_below(&d, 1000), dice_below(&d, 10));
        struct key k = {str_of(resources[dice_below(&d, COUNT(resources))]),
                        str_of(dice_below(&d, 2) != 0 ? "default" : "prod-1"), str_of(name)};
        CLEANUP(json_decrefp) json_t *doc = json_object();
        json_t *metadata = json_object();
        json_object_set_new(doc, "metadata", metadata);
        if (dice_below(&d, 4) != 0) {
            json_object_set_new(metadata, "labels", random_labels(&d));
        }
        if (dice_below(&d, 3) == 0) {
            json_object_set_new(doc, "kind", json_string("Some.Kind-1"));
        }
        json_object_set_new(doc, "spec", random_json(&d, 3));
        wall_ms_t now = (wall_ms_t)dice_below(&d, (size_t)253402300800000);
        CLEANUP(object_unrefp) struct object *o = object_of(&k, doc, now);
        assert_true(opening_of(o) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opening_ends_where_the_user_begins),
        cmocka_unit_test(a_deletion_that_has_begun_is_behind_the_opening),
        cmocka_unit_test(other_texts_come_back_or_are_left_alone),
        cmocka_unit_test(random_documents_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

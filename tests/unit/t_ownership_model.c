/* SPDX-License-Identifier: Apache-2.0 */
/* Random applies and updates by several managers, against the naive model of flat.h. */
#include "store/model/ownership.h"
#include "tests/unit/flat.h"
#include "tests/unit/json_random.h"

#define MANAGERS 5

static struct schema *schema;

static int declare(void **state)
{
    (void)state;
    CLEANUP(json_decrefp)
    json_t *json =
        json_of("{\"type\":\"object\",\"properties\":{\"spec\":{\"properties\":{"
                "\"items\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\","
                "\"x-kubernetes-list-map-keys\":[\"id\"],\"items\":{\"type\":\"object\","
                "\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"integer\"}}}},"
                "\"tags\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\","
                "\"items\":{\"x-kubernetes-int-or-string\":true}},"
                "\"whole\":{\"type\":\"object\",\"x-kubernetes-map-type\":\"atomic\"}}}}}");
    struct err err = {0};
    assert_ok(schema_new(json, "schema", &schema, &err), &err);
    return 0;
}

static int undeclare(void **state)
{
    (void)state;
    schema_freep(&schema);
    return 0;
}

/* ---- Random documents ------------------------------------------------------------------------ */

static json_t *small_value(struct dice *d, int levels)
{
    size_t kind = dice_below(d, levels > 0 ? 8 : 5);
    if (kind < 4) {
        return kind == 3 ? json_null() : json_integer((json_int_t)kind);
    }
    if (kind == 4) {
        return dice_below(d, 2) ? json_array() : json_pack("[i]", (int)dice_below(d, 2));
    }
    static const char *const names[] = {"a", "b", "c"};
    json_t *v = json_object();
    for (size_t i = 0; i < COUNT(names); i++) {
        if (dice_below(d, 2) != 0) {
            json_object_set_new(v, names[i], small_value(d, levels - 1));
        }
    }
    return v;
}

static json_t *small_items(struct dice *d, const char *key, bool sound)
{
    json_t *list = json_array();
    for (int id = 1; id <= 3; id++) {
        for (size_t n = dice_below(d, sound ? 2 : 3); n > 0; n--) {
            json_t *item = json_object();
            json_object_set_new(item, key, json_integer(id));
            if (dice_below(d, 2) != 0) {
                json_object_set_new(item, "a", small_value(d, 1));
            }
            if (dice_below(d, 2) != 0) {
                json_object_set_new(item, "b", small_value(d, 0));
            }
            json_array_insert_new(list, dice_below(d, json_array_size(list) + 1), item);
        }
    }
    return list;
}

static json_t *small_set(struct dice *d, bool sound)
{
    static const char *const words[] = {"x", "y", "z"};
    json_t *list = json_array();
    for (size_t i = 0; i < COUNT(words); i++) {
        for (size_t n = dice_below(d, sound ? 2 : 3); n > 0; n--) {
            json_array_insert_new(list, dice_below(d, json_array_size(list) + 1),
                                  json_string(words[i]));
        }
    }
    return list;
}

static json_t *small_spec(struct dice *d, bool sound)
{
    json_t *spec = small_value(d, 3);
    if (json_is_object(spec) && dice_below(d, 2) != 0) {
        json_object_set_new(spec, "items",
                            dice_below(d, 8) ? small_items(d, "id", sound) : json_null());
    }
    if (json_is_object(spec) && dice_below(d, 2) != 0) {
        json_object_set_new(spec, "tags", dice_below(d, 8) ? small_set(d, sound) : json_object());
    }
    if (json_is_object(spec) && dice_below(d, 3) == 0) {
        json_object_set_new(spec, "whole", small_value(d, 1));
    }
    return spec;
}

/* `sound`: declared lists are what they are declared to be, as an apply must say them. */
static json_t *small_doc(struct dice *d, bool sound)
{
    json_t *doc = json_object();
    json_t *metadata = json_object();
    json_object_set_new(doc, "metadata", metadata);
    if (dice_below(d, 2) != 0) {
        json_object_set_new(metadata, "labels", json_pack("{s:i}", "a", (int)dice_below(d, 2)));
    }
    if (dice_below(d, 3) == 0) {
        json_object_set_new(metadata, "ownerReferences", small_items(d, "uid", sound));
    }
    if (dice_below(d, 3) == 0) {
        json_object_set_new(metadata, "finalizers", small_set(d, sound));
    }
    if (dice_below(d, 3) == 0) {
        json_object_set_new(doc, "kind", json_string("K"));
    }
    if (dice_below(d, 6) != 0) {
        json_object_set_new(doc, "spec", small_spec(d, sound));
    }
    if (dice_below(d, 4) == 0) {
        json_object_set_new(doc, "status", small_value(d, 1));
    }
    return doc;
}

/* ---- The comparison ---------------------------------------------------------------------------
 */

struct checking {
    const struct owner *owner;
    size_t seen;
};

static void check_owned(void *arg, struct str path)
{
    struct checking *c = arg;
    char text[PATH_MAX_];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(path));
    assert_case(owns(c->owner, text), text);
    c->seen++;
}

static void check_owners(struct model *m, const struct managed *managed)
{
    assert_int_equal(m->n, managed->n);
    for (size_t i = 0; i < m->n; i++) {
        const struct owner *o = &m->owners[i];
        const char *name = strcmp(o->name, "before") == 0 ? MANAGER_BEFORE : o->name;
        const struct manager *real = managed_find(managed, str_of(name), o->applies, false);
        assert_non_null(real);
        struct checking c = {o, 0};
        fields_each(real->set, check_owned, &c);
        assert_int_equal(c.seen, o->n);
        assert_int_equal(strlen(real->time), CLOCK_RFC3339_LEN);
    }
}

static void check_doc(struct model *m, const json_t *doc)
{
    static struct flat real;
    flatten_doc(&real, doc);
    for (size_t i = 0; i < real.n; i++) {
        const struct flat_path *p = flat_find(&m->doc, real.v[i].path);
        assert_case(p != NULL, real.v[i].path);
        assert_string_equal(p->value, real.v[i].value);
    }
    assert_int_equal(real.n, m->doc.n);
    flat_fini(&real);
}

/* The text of the managers reads back to the same text. */
static void check_text(struct managed *m)
{
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf again;
    buf_init(&text, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    managed_write(m, &text);
    managed_fini(m);
    struct err err = {0};
    assert_ok(managed_read(buf_str(&text), m, &err), &err);
    managed_write(m, &again);
    check_str(buf_str(&again), buf_str(&text), __FILE__, __LINE__);
}

static size_t conflicts_seen, applies_done;

static void step(struct dice *d, struct model *model, json_t **doc, struct managed *managed,
                 wall_ms_t now)
{
    const char name[] = {(char)('A' + dice_below(d, MANAGERS)), '\0'};
    bool applying = dice_below(d, 3) != 0;
    json_t *said = small_doc(d, applying);
    if (!applying) {
        ownership_update(*doc, said, schema, str_of(name), false, now, SIZE_MAX, managed);
        model_update(model, name, said);
        json_decref(*doc);
        *doc = said;
        return;
    }
    bool force = dice_below(d, 4) == 0;
    struct applying a = {*doc, said, schema, str_of(name), false, force, now, SIZE_MAX};
    CLEANUP(buf_fini) struct buf before;
    buf_init(&before, SIZE_MAX);
    managed_write(managed, &before);
    json_t *next = NULL;
    struct conflicts *conflicts = NULL;
    struct err err = {0};
    enum errc code = ownership_apply(&a, managed, &next, &conflicts, &err);
    size_t expected = model_apply(model, name, said, force);
    json_decref(said);
    assert_int_equal(code, expected == 0 ? OK : ERR_CONFLICT);
    if (code == OK) {
        json_decref(*doc);
        *doc = next;
        applies_done++;
        return;
    }
    assert_int_equal(conflicts->n + conflicts->more, expected);
    conflicts_free(conflicts);
    conflicts_seen++;
    managed_fini(managed);
    assert_ok(managed_read(buf_str(&before), managed, &err), &err);
}

static void random_writes_do_what_the_flat_model_does(void **state)
{
    (void)state;
    static struct model model;
    struct dice d = {4711};
    for (int round = 0; round < 300; round++) {
        json_t *doc = NULL;
        CLEANUP(managed_fini) struct managed managed = {0};
        flat_fini(&model.doc);
        model.exists = false;
        model.n = 0;
        for (int i = 0; i < 20; i++) {
            step(&d, &model, &doc, &managed, (wall_ms_t)i * 1000);
            check_doc(&model, doc);
            check_owners(&model, &managed);
            check_text(&managed);
        }
        json_decref(doc);
    }
    flat_fini(&model.doc);
    assert_true(conflicts_seen > 500 && applies_done > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_writes_do_what_the_flat_model_does),
    };
    return cmocka_run_group_tests(tests, declare, undeclare);
}

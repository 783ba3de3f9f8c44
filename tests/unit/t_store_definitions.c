/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of resources in the store: which one judges a write, whatever happens meanwhile. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store_setup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A put on its way: as the server makes it, with a draft by the definition that is published. */
struct put {
    struct write write;
    struct draft *draft;
    char *text;
    enum errc rc; /* of the draft */
};

static void put_make(struct fixture *f, struct key key, const char *text, struct put *ret)
{
    struct err *err = &ret->write.err;
    json_t *json = NULL;
    memset(ret, 0, sizeof(*ret));
    ret->text = mem_strdup(text);
    assert_int_equal(json_text_parse(str_of(text), "json", &json, err), OK);
    struct resource_definition *definition = store_definition(f->store, key.resource);
    const struct draft_rules rules = {OBJECT_MAX_BYTES, definition};
    ret->rc = draft_new(&key, json, &rules, &ret->draft, NULL, err);
    ret->write.key = key;
    ret->write.draft = ret->draft;
    ret->write.text = str_of(ret->text);
    ret->write.bytes = strlen(text);
    resource_definition_unref(definition);
    json_decref(json);
}

static void put_fini(struct put *p)
{
    object_unref(p->write.object);
    draft_free(p->draft);
    free(p->text);
}

/* The outcome of a put made in advance; the text of the object, or "field: message". */
static char *put_end(struct fixture *f, struct put *p)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    if (p->rc != OK || fixture_write(f, &p->write) != OK) {
        buf_printf(&b, "%s: %s", p->write.err.field, p->write.err.msg);
    } else {
        buf_adds(&b, p->write.object->body);
    }
    buf_addc(&b, '\0');
    put_fini(p);
    return b.p;
}

static char *put(struct fixture *f, const char *resource, const char *ns, const char *name,
                 const char *text)
{
    struct put p;
    put_make(f, (struct key){str_of(resource), str_of(ns), str_of(name)}, text, &p);
    return put_end(f, &p);
}

static void expect(char *outcome, const char *part)
{
    if (strstr(outcome, part) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", part, outcome);
        free(outcome);
        fail();
    }
    free(outcome);
}

static void define(struct fixture *f, const char *name, const char *spec)
{
    char *text = mem_printf("{\"spec\":%s}", spec);
    expect(put(f, "resources", "default", name, text), "\"kind\":\"Resource\"");
    free(text);
}

#define NEEDS_N                                                                        \
    "{\"schema\":{\"properties\":{\"spec\":{\"type\":\"object\",\"required\":[\"n\"]," \
    "\"properties\":"                                                                  \
    "{\"n\":{\"type\":\"integer\"}}}},\"required\":[\"spec\"]}}"
#define N_IS_7                                                                                    \
    "{\"schema\":{\"properties\":{\"spec\":{\"default\":{},\"required\":[\"n\"],\"properties\":{" \
    "\"n\":"                                                                                      \
    "{\"type\":\"integer\",\"default\":7}}}}}}"

static void a_definition_judges_every_write_after_it(void **state)
{
    struct fixture *f = *state;
    expect(put(f, "jobs", "default", "old", "{\"spec\":{\"n\":\"text\"}}"), "\"n\":\"text\"");
    define(f, "jobs", NEEDS_N);
    expect(put(f, "jobs", "default", "a", "{\"spec\":{\"n\":\"text\"}}"),
           "spec.n: must be an integer, is a string");
    expect(put(f, "jobs", "default", "a", "{}"), "spec: is required");
    expect(put(f, "jobs", "default", "a", "{\"spec\":{\"n\":1}}"), "\"n\":1");
    expect(put(f, "others", "default", "a", "{}"), "\"kind\":\"Other\"");
    /* What there was before stays as it is, and may go. */
    struct object *o = NULL;
    assert_int_equal(fixture_get(f, "jobs", "default", "old", &o), OK);
    object_unref(o);
    assert_int_equal(fixture_delete(f, "jobs", "default", "old", NULL), OK);
    /* Partial writes are judged by what they make. */
    json_t *patch = NULL;
    struct err err;
    assert_int_equal(json_text_parse(STR("{\"spec\":{\"n\":2.5}}"), "json", &patch, &err), OK);
    struct write w = {
        .key = {STR("jobs"), STR("default"), STR("a")},
          .verb = WRITE_PATCH, .json = patch
    };
    rv_t head = store_head(f->store);
    assert_int_equal(fixture_write(f, &w), ERR_INVALID);
    assert_string_equal(w.err.field, "spec.n");
    assert_int_equal(store_head(f->store), head);
    json_decref(patch);
}

static void defaults_are_filled_in_and_repeating_a_put_changes_nothing(void **state)
{
    struct fixture *f = *state;
    define(f, "jobs", N_IS_7);
    expect(put(f, "jobs", "default", "a", "{}"), "\"spec\":{\"n\":7}");
    rv_t head = store_head(f->store);
    expect(put(f, "jobs", "default", "a", "{}"), "\"spec\":{\"n\":7}");
    expect(put(f, "jobs", "default", "a", "{\"spec\":{\"n\":7}}"), "\"spec\":{\"n\":7}");
    assert_int_equal(store_head(f->store), head);
}

static void a_draft_made_before_its_definition_is_judged_again(void **state)
{
    struct fixture *f = *state;
    const struct key key = {STR("jobs"), STR("default"), STR("a")};
    struct put early[4];
    put_make(f, key, "{\"spec\":{\"n\":\"text\"}}", &early[0]);
    put_make(f, key, "{}", &early[1]);
    define(f, "jobs", N_IS_7);
    expect(put_end(f, &early[0]), "spec.n: must be an integer");
    expect(put_end(f, &early[1]), ",\"spec\":{\"n\":7}}");
    /* Another definition's defaults leave no trace, nor does its kind. */
    put_make(f, key, "{}", &early[2]);
    define(f, "jobs",
           "{\"kind\":\"Task\",\"apiVersion\":\"x/v1\",\"schema\":{\"properties\":"
           "{\"spec\":{\"default\":{\"m\":1}}}}}");
    put_make(f, key, "{}", &early[3]);
    char *after = put_end(f, &early[2]);
    assert_non_null(strstr(after, "{\"apiVersion\":\"x/v1\",\"kind\":\"Task\","));
    assert_non_null(strstr(after, ",\"spec\":{\"m\":1}}"));
    free(after);
    assert_int_equal(fixture_delete(f, "resources", "default", "jobs", NULL), OK);
    after = put_end(f, &early[3]);
    assert_non_null(strstr(after, "{\"apiVersion\":\"watch/v1\",\"kind\":\"Job\","));
    assert_null(strstr(after, "spec"));
    free(after);
}

static void done(struct write *w)
{
    sem_post(w->arg);
}

/* The order of versions is the order of judging, also within one commit. */
static void writes_that_wait_together_are_judged_in_their_order(void **state)
{
    struct fixture *f = *state;
    static const char *const definitions[] = {NEEDS_N, "{}"};
    for (int round = 0; round < 50; round++) {
        struct put puts[60];
        sem_t sem;
        sem_init(&sem, 0, 0);
        for (size_t i = 0; i < COUNT(puts); i++) {
            char text[300];
            char name[8];
            snprintf(name, sizeof(name), "j%zu", i);
            if (i % 20 == 10) {
                snprintf(text, sizeof(text), "{\"spec\":%s}", definitions[i / 20 % 2]);
                put_make(f, (struct key){STR("resources"), STR("default"), STR("jobs")}, text,
                         &puts[i]);
            } else {
                snprintf(text, sizeof(text), "{\"spec\":{\"n\":\"%d\"}}", round);
                put_make(f, (struct key){STR("jobs"), STR("default"), str_of(name)}, text,
                         &puts[i]);
                puts[i].write.key.name = str_of(mem_strdup(name));
            }
            puts[i].write.done = done;
            puts[i].write.arg = &sem;
        }
        for (size_t i = 0; i < COUNT(puts); i++) {
            struct err err;
            assert_int_equal(store_submit(f->store, &puts[i].write, &err), OK);
        }
        for (size_t i = 0; i < COUNT(puts); i++) {
            sem_wait(&sem);
        }
        for (size_t i = 0; i < COUNT(puts); i++) {
            bool strict = (i > 10 && i < 30) || i > 50;
            bool definition = i % 20 == 10;
            assert_int_equal(puts[i].write.err.code, strict && !definition ? ERR_INVALID : OK);
            if (!definition) {
                free((void *)(uintptr_t)puts[i].write.key.name.p);
            }
            put_fini(&puts[i]);
        }
        sem_destroy(&sem);
        assert_int_equal(fixture_delete(f, "resources", "default", "jobs", NULL), OK);
    }
}

static void a_transaction_may_define_and_use(void **state)
{
    struct fixture *f = *state;
    struct fixture_op ops[] = {
        {.resource = "resources", .ns = "default", .name = "jobs", .doc = "{\"spec\":" NEEDS_N "}"     },
        {.resource = "jobs",      .ns = "default", .name = "a",    .doc = "{\"spec\":{\"n\":\"text\"}}"},
    };
    struct err err = {0};
    rv_t rv;
    assert_int_equal(fixture_txn(f, ops, 2, NULL, false, &rv, &err), ERR_INVALID);
    assert_string_equal(err.field, "operations[1].put.spec.n");
    assert_int_equal(store_head(f->store), 0);
    expect(put(f, "jobs", "default", "a", "{\"spec\":{\"n\":\"text\"}}"), "\"n\":\"text\"");
    ops[1].doc = "{\"spec\":{\"n\":3}}";
    assert_int_equal(fixture_txn(f, ops, 2, NULL, false, &rv, &err), OK);
    expect(put(f, "jobs", "default", "a", "{\"spec\":{\"n\":\"text\"}}"), "spec.n: must be");
}

static void definitions_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    define(f, "jobs", NEEDS_N);
    define(f, "gone", NEEDS_N);
    define(f, "nodes", "{\"namespaced\":false}");
    assert_int_equal(fixture_delete(f, "resources", "default", "gone", NULL), OK);
    fixture_reopen(f);
    expect(put(f, "jobs", "default", "a", "{}"), "spec: is required");
    expect(put(f, "gone", "default", "a", "{}"), "\"kind\":\"Gone\"");
    expect(put(f, "nodes", "prod", "a", "{}"), "key.namespace: nodes are not namespaced");
    expect(put(f, "nodes", "default", "a", "{}"), "\"kind\":\"Node\"");
}

static void what_is_no_definition_is_refused_with_its_field(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *ns, *name, *text, *outcome;
    } cases[] = {
        {"default", "jobs",      "{\"spec\":{\"kind\":3}}",                                          "spec.kind: must be a string"                },
        {"default", "jobs",      "{\"spec\":{\"schema\":{\"properties\":{\"spec\":{\"type\":3}}}}}",
         "spec.schema.properties.spec.type: must be one of"                                                                                       },
        {"default", "resources", "{}",                                                               "metadata.name: \"resources\" is built in"   },
        {"default", "a.b",       "{}",                                                               "metadata.name: \"a.b\" is no resource"      },
        {"other",   "jobs",      "{}",                                                               "key.namespace: resources are not namespaced"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect(put(f, "resources", cases[i].ns, cases[i].name, cases[i].text), cases[i].outcome);
    }
    define(f, "jobs", NEEDS_N);
    json_t *patch = json_pack("{s:{s:i}}", "spec", "kind", 3);
    struct write w = {
        .key = {STR("resources"), STR("default"), STR("jobs")},
          .verb = WRITE_PATCH, .json = patch
    };
    assert_int_equal(fixture_write(f, &w), ERR_INVALID);
    assert_string_equal(w.err.field, "spec.kind");
    json_decref(patch);
    expect(put(f, "jobs", "default", "a", "{}"), "spec: is required");
    assert_int_equal(store_head(f->store), 1);
}

static void a_declared_kind_is_the_only_one(void **state)
{
    struct fixture *f = *state;
    define(f, "jobs", "{\"kind\":\"Task\"}");
    expect(put(f, "jobs", "default", "a", "{\"kind\":\"Job\",\"spec\":1}"),
           "kind: must be \"Task\" in jobs, is \"Job\"");
    expect(put(f, "jobs", "default", "a", "{\"kind\":\"Task\",\"spec\":1}"), "\"kind\":\"Task\"");
    expect(put(f, "jobs", "default", "b", "{\"kind\":null,\"spec\":1}"), "\"kind\":\"Task\"");
    define(f, "flags", "{}");
    expect(put(f, "flags", "default", "a", "{\"kind\":\"Other\",\"spec\":1}"),
           "\"kind\":\"Other\"");
}

static void what_is_being_deleted_is_not_held_by_a_later_definition(void **state)
{
    struct fixture *f = *state;
    expect(
        put(f, "jobs", "default", "a", "{\"metadata\":{\"finalizers\":[\"x.io/a\"]},\"spec\":1}"),
        "\"spec\":1");
    define(f, "jobs", NEEDS_N);
    json_t *patch = json_pack("{s:{s:n}}", "metadata", "finalizers");
    struct write w = {
        .key = {STR("jobs"), STR("default"), STR("a")},
          .verb = WRITE_PATCH, .json = patch
    };
    assert_int_equal(fixture_write(f, &w), ERR_INVALID);
    assert_int_equal(fixture_delete(f, "jobs", "default", "a", NULL), OK);
    assert_int_equal(fixture_write(f, &w), OK);
    assert_int_equal(w.result, WRITE_DELETED);
    object_unref(w.object);
    json_decref(patch);
}

static void declared_only_refuses_writes_to_what_is_not_declared(void **state)
{
    struct fixture *f = *state;
    expect(put(f, "jobs", "default", "a", "{\"spec\":1}"), "\"spec\":1");
    expect(put(f, "flags", "default", "a", "{\"spec\":1}"), "\"spec\":1");
    define(f, "flags", "{}");
    f->opt.declared_only = true;
    fixture_reopen(f);
    expect(put(f, "jobs", "default", "a", "{\"spec\":2}"),
           "key.resource: \"jobs\" is not declared");
    expect(put(f, "objects", "default", "a", "{}"), "key.resource: \"objects\" is not declared");
    expect(put(f, "flags", "default", "a", "{\"spec\":2}"), "\"spec\":2");
    assert_int_equal(fixture_delete(f, "jobs", "default", "a", NULL), OK);
    define(f, "jobs", "{}");
    expect(put(f, "jobs", "default", "a", "{\"spec\":3}"), "\"spec\":3");
    assert_int_equal(fixture_delete(f, "resources", "default", "jobs", NULL), OK);
    expect(put(f, "jobs", "default", "a", "{\"spec\":4}"), "key.resource");
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_definition_judges_every_write_after_it),
        WITH_STORE(defaults_are_filled_in_and_repeating_a_put_changes_nothing),
        WITH_STORE(a_draft_made_before_its_definition_is_judged_again),
        WITH_STORE(writes_that_wait_together_are_judged_in_their_order),
        WITH_STORE(a_transaction_may_define_and_use),
        WITH_STORE(definitions_survive_a_restart),
        WITH_STORE(what_is_no_definition_is_refused_with_its_field),
        WITH_STORE(a_declared_kind_is_the_only_one),
        WITH_STORE(what_is_being_deleted_is_not_held_by_a_later_definition),
        WITH_STORE(declared_only_refuses_writes_to_what_is_not_declared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What writes come to in the store: finalizers, the status as a side of an object, preconditions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"
#include "store/engine_sqlite.h"
#include "store_setup.h"

/* A write of `name` with a document: a draft for a whole one, else the tree. */
static enum errc write_doc(struct fixture *f, const char *name, const char *text, struct write *w)
{
    struct err err = {0};
    w->key = (struct key){STR("jobs"), STR("default"), str_of(name)};
    json_t *json = NULL;
    struct draft *draft = NULL;
    assert_int_equal(json_text_parse(str_of(text), "json", &json, &err), OK);
    if (w->verb == WRITE_PUT && w->scope == WRITE_SCOPE_WHOLE) {
        struct precondition pre;
        assert_int_equal(draft_new(&w->key, json,
                                   &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &draft,
                                   &pre, &err),
                         OK);
        w->draft = draft;
    } else {
        w->json = json;
    }
    w->bytes = strlen(text);
    enum errc rc = fixture_write(f, w);
    draft_free(draft);
    json_decref(json);
    return rc;
}

/* The result of a write that is taken, with its version. */
static enum write_result must(struct fixture *f, const char *name, const char *text, struct write w,
                              rv_t *ret_rv)
{
    enum errc rc = write_doc(f, name, text, &w);
    if (rc != OK) {
        fail_msg("%s: %s: %s", text, w.err.field, w.err.msg);
    }
    object_unref(w.object);
    if (ret_rv != NULL) {
        *ret_rv = w.rv;
    }
    return w.result;
}

static enum write_result delete_one(struct fixture *f, const char *name, struct write *ret)
{
    struct write w = {
        .key = {STR("jobs"), STR("default"), str_of(name)},
          .verb = WRITE_DELETE, .bytes = 10
    };
    assert_int_equal(fixture_write(f, &w), OK);
    *ret = w;
    return w.result;
}

#define WAITING "{\"metadata\":{\"finalizers\":[\"x.io/a\",\"x.io/b\"]},\"spec\":1}"

static void a_deletion_waits_for_the_finalizers(void **state)
{
    struct fixture *f = *state;
    struct write w;
    assert_int_equal(must(f, "a", WAITING, (struct write){0}, NULL), WRITE_CREATED);
    assert_int_equal(delete_one(f, "a", &w), WRITE_UPDATED);
    assert_true(w.rv == 2 && w.generation == 2 && object_deletion(w.object).n != 0);
    char *began = str_dup(object_deletion(w.object));
    object_unref(w.object);
    /* Again is nothing new, also over a restart. */
    assert_int_equal(delete_one(f, "a", &w), WRITE_UNCHANGED);
    assert_int_equal(w.rv, 2);
    object_unref(w.object);
    fixture_reopen(f);
    assert_int_equal(delete_one(f, "a", &w), WRITE_UNCHANGED);
    object_unref(w.object);
    /* Writes go on, and do not end it. */
    const char *patch = "{\"metadata\":{\"deletionTimestamp\":null},\"spec\":2}";
    assert_int_equal(must(f, "a", patch, (struct write){.verb = WRITE_PATCH}, NULL), WRITE_UPDATED);
    char *text = fixture_text(f, "a");
    assert_non_null(strstr(text, began));
    assert_non_null(strstr(text, "\"generation\":3,"));
    free(text);
    free(began);
    /* No finalizer more, one less, none. */
    w = (struct write){.verb = WRITE_PATCH};
    assert_int_equal(
        write_doc(f, "a", "{\"metadata\":{\"finalizers\":[\"x.io/a\",\"x.io/c\"]}}", &w),
        ERR_INVALID);
    assert_string_equal(w.err.field, "metadata.finalizers[1]");
    w = (struct write){.mode = WRITE_CREATE};
    assert_int_equal(write_doc(f, "a", WAITING, &w), ERR_EXISTS);
    assert_non_null(strstr(w.err.msg, "being deleted"));
    assert_int_equal(store_head(f->store), 3);
    assert_int_equal(must(f, "a", "{\"metadata\":{\"finalizers\":[\"x.io/b\"]}}",
                          (struct write){.verb = WRITE_PATCH}, NULL),
                     WRITE_UPDATED);
    w = (struct write){.verb = WRITE_PATCH};
    assert_int_equal(write_doc(f, "a", "{\"metadata\":{\"finalizers\":null},\"spec\":9}", &w), OK);
    assert_int_equal(w.result, WRITE_DELETED);
    assert_int_equal(w.rv, 5);
    assert_non_null(memmem(w.object->body.p, w.object->body.n, "\"spec\":2", 8));
    object_unref(w.object);
    assert_null(fixture_text(f, "a"));
    assert_int_equal(must(f, "a", WAITING, (struct write){.mode = WRITE_CREATE}, NULL),
                     WRITE_CREATED);
}

static void every_kind_of_write_may_take_the_last_finalizer(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum write_verb verb;
        enum write_scope scope;
        enum write_result result;
    } cases[] = {
        {"{\"metadata\":{},\"spec\":1}",       WRITE_PUT,   WRITE_SCOPE_WHOLE,       WRITE_DELETED  },
        {"{\"metadata\":{\"finalizers\":[]}}", WRITE_PATCH, WRITE_SCOPE_WHOLE,       WRITE_DELETED  },
        {"{\"metadata\":{},\"spec\":1}",       WRITE_PUT,   WRITE_SCOPE_KEEP_STATUS, WRITE_DELETED  },
        {"{\"n\":1}",                          WRITE_SPEC,  WRITE_SCOPE_WHOLE,       WRITE_UPDATED  },
        {"{\"metadata\":{},\"status\":1}",     WRITE_PUT,   WRITE_SCOPE_STATUS,      WRITE_UPDATED  },
        {"{\"metadata\":{\"finalizers\":[]}}", WRITE_PATCH, WRITE_SCOPE_STATUS,      WRITE_UNCHANGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[8];
        struct write w;
        snprintf(name, sizeof name, "o%zu", i);
        must(f, name, WAITING, (struct write){0}, NULL);
        assert_int_equal(delete_one(f, name, &w), WRITE_UPDATED);
        object_unref(w.object);
        assert_int_equal(must(f, name, cases[i].text,
                              (struct write){.verb = cases[i].verb, .scope = cases[i].scope}, NULL),
                         cases[i].result);
        char *text = fixture_text(f, name);
        assert_int_equal(text == NULL, cases[i].result == WRITE_DELETED);
        free(text);
    }
}

static void the_scope_of_a_write_is_one_side_of_the_object(void **state)
{
    struct fixture *f = *state;
    static const char before[] =
        "{\"metadata\":{\"labels\":{\"l\":\"a\"}},\"spec\":1,\"status\":1}";
    static const char after[] = "{\"metadata\":{\"labels\":{\"l\":\"b\"}},\"spec\":2,\"status\":2}";
    static const char bare[] = "{\"metadata\":{}}";
    static const struct {
        const char *text;
        enum write_verb verb;
        enum write_scope scope;
        const char *label, *spec, *status; /* afterwards */
        int generation;
    } cases[] = {
        {after, WRITE_PUT,   WRITE_SCOPE_WHOLE,       "b", "2", "2",  2},
        {after, WRITE_PUT,   WRITE_SCOPE_STATUS,      "a", "1", "2",  1},
        {after, WRITE_PUT,   WRITE_SCOPE_KEEP_STATUS, "b", "2", "1",  2},
        {after, WRITE_PATCH, WRITE_SCOPE_WHOLE,       "b", "2", "2",  2},
        {after, WRITE_PATCH, WRITE_SCOPE_STATUS,      "a", "1", "2",  1},
        {after, WRITE_PATCH, WRITE_SCOPE_KEEP_STATUS, "b", "2", "1",  2},
        {bare,  WRITE_PUT,   WRITE_SCOPE_STATUS,      "a", "1", NULL, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[8], want[64];
        snprintf(name, sizeof name, "o%zu", i);
        must(f, name, before, (struct write){0}, NULL);
        assert_int_equal(must(f, name, cases[i].text,
                              (struct write){.verb = cases[i].verb, .scope = cases[i].scope}, NULL),
                         WRITE_UPDATED);
        char *text = fixture_text(f, name);
        snprintf(want, sizeof want, "{\"l\":\"%s\"}", cases[i].label);
        assert_non_null(strstr(text, want));
        snprintf(want, sizeof want, "\"spec\":%s", cases[i].spec);
        assert_non_null(strstr(text, want));
        if (cases[i].status != NULL) {
            snprintf(want, sizeof want, "\"status\":%s", cases[i].status);
            assert_non_null(strstr(text, want));
        } else {
            assert_null(strstr(text, "status"));
        }
        snprintf(want, sizeof want, "\"generation\":%d,", cases[i].generation);
        assert_non_null(strstr(text, want));
        free(text);
    }
    /* There is no status without an object, and a new object has all that it is given. */
    struct write w = {.scope = WRITE_SCOPE_STATUS};
    assert_int_equal(write_doc(f, "none", "{\"status\":1}", &w), ERR_NOT_FOUND);
    must(f, "new", "{\"status\":7}", (struct write){.scope = WRITE_SCOPE_KEEP_STATUS}, NULL);
    char *text = fixture_text(f, "new");
    assert_non_null(strstr(text, "\"status\":7"));
    free(text);
}

static void a_write_of_the_status_keeps_to_the_preconditions_in_its_metadata(void **state)
{
    struct fixture *f = *state;
    must(f, "a", "{\"metadata\":{},\"spec\":1}", (struct write){0}, NULL);
    static const struct {
        const char *text;
        enum write_verb verb;
        enum errc rc;
        const char *field;
    } cases[] = {
        {"{\"metadata\":{\"resourceVersion\":\"9\"},\"status\":1}",                        WRITE_PUT,   ERR_CONFLICT,
         "metadata.resourceVersion"                                                                                                  },
        {"{\"metadata\":{\"resourceVersion\":\"9\"},\"status\":1}",                        WRITE_PATCH, ERR_CONFLICT,
         "metadata.resourceVersion"                                                                                                  },
        {"{\"metadata\":{\"uid\":\"01234567-89ab-4cde-8f01-23456789abcd\"},\"status\":1}",
         WRITE_PUT,                                                                                     ERR_CONFLICT, "metadata.uid" },
        {"{\"metadata\":{\"uid\":\"01234567-89ab-4cde-8f01-23456789abcd\"},\"status\":1}",
         WRITE_PATCH,                                                                                   ERR_CONFLICT, "metadata.uid" },
        {"{\"metadata\":{\"name\":\"b\"},\"status\":1}",                                   WRITE_PUT,   ERR_INVALID,  "metadata.name"},
        {"{\"metadata\":{\"name\":\"b\"},\"status\":1}",                                   WRITE_PATCH, ERR_INVALID,  "metadata.name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write w = {.verb = cases[i].verb, .scope = WRITE_SCOPE_STATUS};
        assert_int_equal(write_doc(f, "a", cases[i].text, &w), cases[i].rc);
        assert_string_equal(w.err.field, cases[i].field);
        assert_int_equal(store_head(f->store), 1);
    }
    assert_int_equal(must(f, "a",
                          "{\"metadata\":{\"resourceVersion\":\"1\",\"name\":\"a\"},\"status\":1}",
                          (struct write){.scope = WRITE_SCOPE_STATUS}, NULL),
                     WRITE_UPDATED);
}

static void a_repeat_knows_deletions_that_wait_and_those_by_the_last_finalizer(void **state)
{
    struct fixture *f = *state;
    must(f, "a", WAITING, (struct write){0}, NULL);
    for (int i = 0; i < 2; i++) {
        struct write mark = {
            .key = {STR("jobs"), STR("default"), STR("a")},
            .verb = WRITE_DELETE,
            .has_request_id = true,
            .request_id = {1  },
        };
        assert_int_equal(fixture_write(f, &mark), OK);
        assert_true(mark.result == WRITE_UPDATED && mark.rv == 2);
        object_unref(mark.object);
    }
    for (int i = 0; i < 3; i++) {
        struct write last = {.verb = WRITE_PATCH, .has_request_id = true, .request_id = {2}};
        assert_int_equal(write_doc(f, "a", "{\"metadata\":{\"finalizers\":null}}", &last), OK);
        assert_true(last.result == WRITE_DELETED && last.rv == 3);
        object_unref(last.object);
        if (i == 1) {
            fixture_reopen(f);
        }
    }
    struct write other = {.verb = WRITE_PATCH, .has_request_id = true, .request_id = {3}};
    assert_int_equal(write_doc(f, "a", "{}", &other), ERR_NOT_FOUND);
    must(f, "a", WAITING, (struct write){.has_request_id = true, .request_id = {4}}, NULL);
    struct write misused = {
        .key = {STR("jobs"), STR("default"), STR("a")},
        .verb = WRITE_DELETE,
        .has_request_id = true,
        .request_id = {4  },
    };
    assert_int_equal(fixture_write(f, &misused), ERR_INVALID);
    assert_string_equal(misused.err.field, "request_id");
    assert_int_equal(store_head(f->store), 4);
}

static void an_object_that_is_to_be_created_has_no_version_yet(void **state)
{
    struct fixture *f = *state;
    struct write w = {.mode = WRITE_CREATE, .pre = {.rv = 5}};
    assert_int_equal(write_doc(f, "a", "{\"metadata\":{}}", &w), ERR_INVALID);
    assert_string_equal(w.err.field, "metadata.resourceVersion");
    w = (struct write){.pre = {.rv = 5}};
    assert_int_equal(write_doc(f, "a", "{\"metadata\":{}}", &w), ERR_NOT_FOUND);
    assert_int_equal(store_head(f->store), 0);
}

static void an_event_keeps_who_wrote_it(void **state)
{
    struct fixture *f = *state;
    struct write w = {.field_manager = STR("ci")};
    assert_int_equal(write_doc(f, "a", "{\"metadata\":{},\"spec\":1}", &w), OK);
    object_unref(w.object);
    w = (struct write){.verb = WRITE_PATCH, .field_manager = STR("j\u00fcrgen")};
    assert_int_equal(write_doc(f, "a", "{\"spec\":2}", &w), OK);
    object_unref(w.object);
    assert_int_equal(delete_one(f, "a", &w), WRITE_DELETED);
    object_unref(w.object);
    fixture_close(f);
    struct engine_sqlite_options options = {.path = f->path};
    struct engine *e = NULL;
    struct err err = {0};
    assert_int_equal(engine_sqlite_open(&options, &e, &err), OK);
    static const char *const managers[] = {"ci", "j\u00fcrgen", ""};
    for (rv_t rv = 1; rv <= 3; rv++) {
        struct event ev;
        assert_int_equal(e->ops->recall(e, rv, &ev, &err), OK);
        assert_true(str_eq(ev.manager, str_of(managers[rv - 1])));
    }
    e->ops->close(e);
}

/* Makes each suffix twice: aaaaa, aaaaa, baaaa, … */
static _Atomic int suffixes;

static void make_suffix(char ret[NAME_SUFFIX_LEN])
{
    memset(ret, 'a', NAME_SUFFIX_LEN);
    ret[0] = (char)('a' + atomic_fetch_add(&suffixes, 1) / 2);
}

static void stuck_suffix(char ret[NAME_SUFFIX_LEN])
{
    memset(ret, 'z', NAME_SUFFIX_LEN);
}

static enum errc generate(struct fixture *f, const char *base, const char *text, struct write *w)
{
    json_t *json = NULL;
    struct err err = {0};
    assert_int_equal(json_text_parse(str_of(text), "json", &json, &err), OK);
    w->key = (struct key){STR("jobs"), STR("default"), STR_EMPTY};
    w->generate = str_of(base);
    w->mode = WRITE_CREATE;
    w->json = json;
    w->bytes = strlen(text);
    enum errc rc = fixture_write(f, w);
    json_decref(json);
    return rc;
}

static void a_generated_name_is_free_and_known_to_a_repeat(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    atomic_store(&suffixes, 0);
    f->opt.name_suffix = make_suffix;
    fixture_open(f);
    static const char *const names[] = {"job-aaaaa", "job-baaaa", "job-caaaa"};
    for (size_t i = 0; i < 3; i++) {
        struct write w = {.has_request_id = true, .request_id = {(uint8_t)(i + 1)}};
        assert_int_equal(generate(f, "job-", "{\"metadata\":{},\"spec\":1}", &w), OK);
        assert_int_equal(w.result, WRITE_CREATED);
        assert_true(str_eq(w.key.name, str_of(names[i])) && str_eq(w.object->key.name, w.key.name));
        object_unref(w.object);
    }
    for (int i = 0; i < 2; i++) {
        struct write again = {.has_request_id = true, .request_id = {2}};
        assert_int_equal(generate(f, "job-", "{\"metadata\":{},\"spec\":1}", &again), OK);
        assert_true(again.rv == 2 && str_eq(again.key.name, str_of(names[1])));
        object_unref(again.object);
        struct write other = {.has_request_id = true, .request_id = {2}};
        assert_int_equal(generate(f, "jobs-", "{\"metadata\":{},\"spec\":1}", &other), ERR_INVALID);
        assert_string_equal(other.err.field, "request_id");
        fixture_reopen(f);
    }
    struct write spec = {.verb = WRITE_SPEC};
    assert_int_equal(generate(f, "job-", "{\"n\":1}", &spec), OK);
    object_unref(spec.object);
    assert_int_equal(store_head(f->store), 4);
}

static void names_that_are_all_taken_end_in_a_refusal(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->opt.name_suffix = stuck_suffix;
    fixture_open(f);
    struct write w = {0};
    assert_int_equal(generate(f, "a", "{\"metadata\":{}}", &w), OK);
    object_unref(w.object);
    w = (struct write){0};
    assert_int_equal(generate(f, "a", "{\"metadata\":{}}", &w), ERR_EXISTS);
    w = (struct write){.pre = {.rv = 1}};
    assert_int_equal(generate(f, "b", "{\"metadata\":{}}", &w), ERR_INVALID);
    assert_string_equal(w.err.field, "metadata.resourceVersion");
    w = (struct write){0};
    assert_int_equal(generate(f, "b", "{\"metadata\":{\"name\":\"b\"}}", &w), ERR_INVALID);
    assert_string_equal(w.err.field, "metadata.name");
    assert_int_equal(store_head(f->store), 1);
    /* What belongs to another object in a copied document does not matter to a new one. */
    w = (struct write){0};
    assert_int_equal(
        generate(f, "b", "{\"metadata\":{\"uid\":\"01234567-89ab-4cde-8f01-23456789abcd\"}}", &w),
        OK);
    object_unref(w.object);
}

static void a_name_generated_in_a_transaction_is_none_that_it_has(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    atomic_store(&suffixes, 0);
    f->opt.name_suffix = make_suffix;
    fixture_open(f);
    json_t *json = json_object();
    struct write op = {
        .key = {STR("jobs"), STR("default"), STR_EMPTY},
        .verb = WRITE_SPEC,
        .mode = WRITE_CREATE,
        .generate = STR("j"),
        .json = json,
    };
    assert_int_equal(fixture_put(f, "jobs", "default", "jcaaaa", "{}", "{}", NULL), OK);
    struct write ops[] = {op, op, op, op};
    ops[0].key.name = STR("jcaaaa"); /* free once it is deleted, but not for the others */
    ops[0].verb = WRITE_DELETE;
    ops[0].generate = ops[3].generate = STR_EMPTY;
    ops[3].key.name = STR("jbaaaa");
    struct write txn = {.verb = WRITE_TXN, .ops = ops, .n_ops = COUNT(ops), .bytes = 10};
    assert_int_equal(fixture_write(f, &txn), OK);
    static const char *const names[] = {"jcaaaa", "jaaaaa", "jdaaaa", "jbaaaa"};
    for (size_t i = 0; i < COUNT(ops); i++) {
        assert_true(str_eq(ops[i].key.name, str_of(names[i])));
        assert_int_equal(ops[i].rv, 2 + i);
        object_unref(ops[i].object);
    }
    assert_int_equal(store_head(f->store), 5);
    json_decref(json);
}

#define SAME_BATCH 40

static void count_done(struct write *w)
{
    atomic_fetch_add((_Atomic int *)w->arg, 1);
}

static void writes_of_one_batch_get_different_names_and_repeats_the_same(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    atomic_store(&suffixes, 0);
    f->opt.name_suffix = make_suffix;
    fixture_open(f);
    static struct write writes[SAME_BATCH];
    json_t *json = json_object();
    _Atomic int done = 0;
    for (int i = 0; i < SAME_BATCH; i++) {
        writes[i] = (struct write){
            .key = {STR("jobs"), STR("default"), STR_EMPTY},
            .verb = WRITE_SPEC,
            .mode = WRITE_CREATE,
            .generate = STR("j"),
            .json = json,
            .has_request_id = true,
            .request_id = {(uint8_t)(i / 4) },
            .bytes = 10,
            .done = count_done,
            .arg = &done,
        };
        assert_int_equal(store_submit(f->store, &writes[i], &writes[i].err), OK);
    }
    while (atomic_load(&done) < SAME_BATCH) {
        usleep(1000);
    }
    for (int i = 0; i < SAME_BATCH; i++) {
        char want[8];
        snprintf(want, sizeof want, "j%caaaa", 'a' + i / 4);
        assert_int_equal(writes[i].err.code, OK);
        assert_true(str_eq(writes[i].key.name, str_of(want)));
        assert_int_equal(writes[i].rv, i / 4 + 1);
        object_unref(writes[i].object);
    }
    assert_int_equal(store_head(f->store), SAME_BATCH / 4);
    json_decref(json);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(a_deletion_waits_for_the_finalizers),
        T(every_kind_of_write_may_take_the_last_finalizer),
        T(the_scope_of_a_write_is_one_side_of_the_object),
        T(a_write_of_the_status_keeps_to_the_preconditions_in_its_metadata),
        T(a_repeat_knows_deletions_that_wait_and_those_by_the_last_finalizer),
        T(an_object_that_is_to_be_created_has_no_version_yet),
        T(an_event_keeps_who_wrote_it),
        T(a_generated_name_is_free_and_known_to_a_repeat),
        T(names_that_are_all_taken_end_in_a_refusal),
        T(a_name_generated_in_a_transaction_is_none_that_it_has),
        T(writes_of_one_batch_get_different_names_and_repeats_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

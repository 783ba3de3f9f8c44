/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply in the store: what is kept beside an object, when it changes, and that it is
 * never a reason for an event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_setup.h"

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    struct err err = {0};
    assert_int_equal(json_text_parse(str_of(text), "json", &json, &err), OK);
    return json;
}

/* The answer to a write of jobs/NAME by a manager; its object and conflicts are released. */
static struct write write_as(struct fixture *f, const char *manager, enum write_verb verb,
                             const char *name, const char *text, struct write w)
{
    CLEANUP(json_decrefp) json_t *json = parse(text);
    w.key = (struct key){STR("jobs"), STR("default"), str_of(name)};
    w.verb = verb;
    w.json = json;
    w.field_manager = str_of(manager);
    w.bytes = strlen(text);
    (void)fixture_write(f, &w);
    object_unref(TAKE(w.object));
    assert_true(w.conflicts == NULL || w.err.code == ERR_CONFLICT);
    conflicts_free(w.conflicts);
    return w;
}

static enum write_result apply(struct fixture *f, const char *manager, const char *name,
                               const char *text)
{
    struct write w = write_as(f, manager, WRITE_APPLY, name, text, (struct write){0});
    if (w.err.code != OK) {
        fail_msg("%s: %s: %s", text, w.err.field, w.err.msg);
    }
    return w.result;
}

/* "ci:Apply{…} ops:Update{…}", without the times. */
static void check_owners(struct fixture *f, const char *name, const char *expected)
{
    CLEANUP(freep) char *text = fixture_owners(f, "jobs", "default", name);
    assert_non_null(text);
    struct managed m = {0};
    struct err err = {0};
    assert_int_equal(managed_read(str_of(text), &m, &err), OK);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    for (size_t i = 0; i < m.n; i++) {
        buf_printf(&out, "%s%s:%s", i != 0 ? " " : "", m.v[i].name,
                   m.v[i].applies ? "Apply" : "Update");
        fields_write(m.v[i].set, &out);
    }
    buf_addc(&out, '\0');
    assert_string_equal(out.p, expected);
    buf_fini(&out);
    managed_fini(&m);
}

static void check_spec(struct fixture *f, const char *name, const char *expected)
{
    struct object *o = NULL;
    assert_int_equal(fixture_get(f, "jobs", "default", name, &o), OK);
    json_t *tree = object_tree(o);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    json_text_write(json_object_get(tree, "spec"), &out);
    buf_addc(&out, '\0');
    assert_string_equal(out.p, expected);
    buf_fini(&out);
    json_decref(tree);
    object_unref(o);
}

static void an_apply_creates_changes_and_owns_over_restarts(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1,\"y\":2}}"), WRITE_CREATED);
    check_owners(f, "a", "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:y\":{}}}");
    fixture_reopen(f);
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":2}}"), WRITE_UPDATED);
    check_spec(f, "a", "{\"x\":2}");
    check_owners(f, "a", "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    assert_int_equal(store_head(f->store), 2);
}

static void a_change_of_owners_alone_is_durable_and_no_event(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1}}"), WRITE_CREATED);
    struct write w =
        write_as(f, "ops", WRITE_APPLY, "a", "{\"spec\":{\"x\":1}}", (struct write){0});
    assert_int_equal(w.err.code, OK);
    assert_int_equal(w.result, WRITE_UNCHANGED);
    assert_int_equal(w.rv, 1);
    assert_int_equal(store_head(f->store), 1);
    const char *both = "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}} "
                       "ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}";
    check_owners(f, "a", both);
    fixture_reopen(f);
    check_owners(f, "a", both);
    assert_int_equal(store_head(f->store), 1);
    /* What two own stays when one lets go. */
    assert_int_equal(apply(f, "ci", "a", "{}"), WRITE_UNCHANGED);
    check_owners(f, "a", "ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    assert_int_equal(apply(f, "ops", "a", "{}"), WRITE_UPDATED);
    check_owners(f, "a", "");
}

static void a_conflict_changes_nothing_and_force_takes_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1}}"), WRITE_CREATED);
    CLEANUP(freep) char *before = fixture_owners(f, "jobs", "default", "a");
    struct write w =
        write_as(f, "ops", WRITE_APPLY, "a", "{\"spec\":{\"x\":2}}", (struct write){0});
    assert_int_equal(w.err.code, ERR_CONFLICT);
    assert_string_equal(w.err.field, "spec.x");
    CLEANUP(freep) char *after = fixture_owners(f, "jobs", "default", "a");
    assert_string_equal(before, after);
    assert_int_equal(store_head(f->store), 1);
    w = write_as(f, "ops", WRITE_APPLY, "a", "{\"spec\":{\"x\":2}}", (struct write){.force = true});
    assert_int_equal(w.err.code, OK);
    check_spec(f, "a", "{\"x\":2}");
    check_owners(f, "a", "ci:Apply{\"f:spec\":{}} ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
}

static void objects_that_nobody_applied_have_no_owners(void **state)
{
    struct fixture *f = *state;
    struct write w = write_as(f, "ci", WRITE_SPEC, "a", "{\"x\":1}", (struct write){0});
    assert_int_equal(w.result, WRITE_CREATED);
    w = write_as(f, "ci", WRITE_PATCH, "a", "{\"spec\":{\"x\":2}}", (struct write){0});
    assert_int_equal(w.result, WRITE_UPDATED);
    CLEANUP(freep) char *none = fixture_owners(f, "jobs", "default", "a");
    assert_string_equal(none, "");
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"y\":1}}"), WRITE_UPDATED);
    check_owners(f, "a",
                 "ci:Apply{\"f:spec\":{\".\":{},\"f:y\":{}}} "
                 "before-first-apply:Update{\"f:spec\":{\".\":{},\"f:x\":{}}}");
}

static void other_writes_take_over_what_they_change(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1,\"y\":1,\"z\":1}}"), WRITE_CREATED);
    struct write w =
        write_as(f, "ops", WRITE_PATCH, "a", "{\"spec\":{\"x\":2,\"z\":null}}", (struct write){0});
    assert_int_equal(w.result, WRITE_UPDATED);
    w = write_as(f, "", WRITE_SPEC, "a", "{\"x\":2,\"y\":1,\"w\":1}", (struct write){0});
    assert_int_equal(w.result, WRITE_UPDATED);
    fixture_reopen(f);
    w = write_as(f, "json", WRITE_JSON_PATCH, "a",
                 "[{\"op\":\"add\",\"path\":\"/status\",\"value\":\"ok\"}]", (struct write){0});
    assert_int_equal(w.result, WRITE_UPDATED);
    const char *expected = "ci:Apply{\"f:spec\":{\".\":{},\"f:y\":{}}} json:Update{\"f:status\":{}}"
                           " ops:Update{\"f:spec\":{\"f:x\":{}}}"
                           " unknown:Update{\"f:spec\":{\"f:w\":{}}}";
    /* Within one second they are in the order of their names. */
    CLEANUP(freep) char *text = fixture_owners(f, "jobs", "default", "a");
    if (strstr(text, "\"json\"") < strstr(text, "\"ops\"")) {
        check_owners(f, "a", expected);
    }
    assert_non_null(strstr(text, "{\"f:spec\":{\"f:w\":{}}}"));
    w = write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":{\"x\":1,\"y\":1}}", (struct write){0});
    assert_int_equal(w.err.code, ERR_CONFLICT);
    assert_string_equal(w.err.field, "spec.x");
}

static void owners_go_with_the_object(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1}}"), WRITE_CREATED);
    assert_int_equal(fixture_delete(f, "jobs", "default", "a", NULL), OK);
    assert_null(fixture_owners(f, "jobs", "default", "a"));
    struct write w = write_as(f, "ops", WRITE_SPEC, "a", "{\"x\":5}", (struct write){0});
    assert_int_equal(w.result, WRITE_CREATED);
    CLEANUP(freep) char *none = fixture_owners(f, "jobs", "default", "a");
    assert_string_equal(none, "");
}

static void a_dry_run_judges_and_leaves_all_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct write dry = {.dry_run = true};
    struct write w = write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":{\"x\":1}}", dry);
    assert_int_equal(w.result, WRITE_CREATED);
    assert_null(fixture_owners(f, "jobs", "default", "a"));
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":1}}"), WRITE_CREATED);
    w = write_as(f, "ops", WRITE_APPLY, "a", "{\"spec\":{\"x\":2}}", dry);
    assert_int_equal(w.err.code, ERR_CONFLICT);
    w = write_as(f, "ops", WRITE_APPLY, "a", "{\"spec\":{\"x\":1,\"y\":1}}", dry);
    assert_int_equal(w.result, WRITE_UPDATED);
    check_owners(f, "a", "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    assert_int_equal(store_head(f->store), 1);
}

static void preconditions_and_identity_hold_for_applies_too(void **state)
{
    struct fixture *f = *state;
    struct write w =
        write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":1}", (struct write){.pre = {.rv = 7}});
    assert_int_equal(w.err.code, ERR_NOT_FOUND);
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":1}"), WRITE_CREATED);
    w = write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":2}", (struct write){.pre = {.rv = 7}});
    assert_int_equal(w.err.code, ERR_CONFLICT);
    w = write_as(f, "ci", WRITE_APPLY, "a", "{\"metadata\":{\"labels\":{\"a b\":\"c\"}}}",
                 (struct write){0});
    assert_int_equal(w.err.code, ERR_INVALID);
    assert_string_equal(w.err.field, "metadata.labels[\"a b\"]");
    check_owners(f, "a", "ci:Apply{\"f:spec\":{}}");
}

static void a_request_that_is_repeated_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    struct write id = {.has_request_id = true, .request_id = "0123456789abcde"};
    struct write first = write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":{\"x\":1}}", id);
    assert_int_equal(first.result, WRITE_CREATED);
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{\"x\":2}}"), WRITE_UPDATED);
    fixture_reopen(f);
    struct write again = write_as(f, "ci", WRITE_APPLY, "a", "{\"spec\":{\"x\":1}}", id);
    assert_int_equal(again.result, WRITE_CREATED);
    assert_int_equal(again.rv, 1);
    check_spec(f, "a", "{\"x\":2}");
}

/* ---- Many in one batch ------------------------------------------------------------------------
 */

static _Atomic int answers;

static void count_answer(struct write *w)
{
    (void)w;
    atomic_fetch_add(&answers, 1);
}

static void writes_of_one_batch_see_the_owners_that_those_before_left(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 40, EACH = 5 };
    static struct write w[ROUNDS * EACH];
    json_t *one = parse("{\"spec\":{\"x\":1,\"y\":1}}");
    json_t *two = parse("{\"spec\":{\"y\":1}}");
    json_t *other = parse("{\"spec\":{\"x\":1,\"z\":1}}");
    memset(w, 0, sizeof w);
    answers = 0;
    for (int i = 0; i < ROUNDS * EACH; i++) {
        w[i] = (struct write){
            .key = {STR("jobs"), STR("default"), STR("a")},
            .verb = i % EACH == 0 ? WRITE_DELETE : WRITE_APPLY,
            .json = i % EACH == 2   ? other
                    : i % EACH == 3 ? two
                                    : one,
            .field_manager = i % EACH == 2 ? STR("ops") : STR("ci"),
            .bytes = 10,
            .done = count_answer,
        };
        struct err err;
        assert_int_equal(store_submit(f->store, &w[i], &err), OK);
    }
    for (int i = 0; i < 10000 && atomic_load(&answers) < ROUNDS * EACH; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&answers), ROUNDS * EACH);
    for (int i = 0; i < ROUNDS * EACH; i++) {
        static const enum write_result results[EACH] = {WRITE_DELETED, WRITE_CREATED, WRITE_UPDATED,
                                                        WRITE_UNCHANGED, WRITE_UNCHANGED};
        if (i != 0) {
            assert_int_equal(w[i].err.code, OK);
            assert_int_equal(w[i].result, results[i % EACH]);
        }
        object_unref(w[i].object);
    }
    check_spec(f, "a", "{\"x\":1,\"y\":1,\"z\":1}");
    check_owners(f, "a",
                 "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:y\":{}}} "
                 "ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:z\":{}}}");
    fixture_reopen(f);
    check_owners(f, "a",
                 "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:y\":{}}} "
                 "ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:z\":{}}}");
    json_decref(one);
    json_decref(two);
    json_decref(other);
}

/* A transaction of applies by "ci" to a and b, and a check that b is there. */
static enum errc transact(struct fixture *f, const char *text, bool check)
{
    json_t *json = parse(text);
    struct write ops[3] = {0};
    for (int i = 0; i < 3; i++) {
        ops[i].key = (struct key){STR("jobs"), STR("default"),
                                  i == 0   ? STR("a")
                                  : i == 1 ? STR("b")
                                           : STR("c")};
        ops[i].verb = i == 2 ? WRITE_CHECK : WRITE_APPLY;
        ops[i].json = json;
        ops[i].field_manager = STR("ci");
    }
    struct write t = {.verb = WRITE_TXN, .ops = ops, .n_ops = check ? 3 : 2, .bytes = 10};
    ops[2].pre.rv = 999;
    enum errc rc = fixture_write(f, &t);
    for (int i = 0; i < 3; i++) {
        object_unref(ops[i].object);
        conflicts_free(ops[i].conflicts);
    }
    conflicts_free(t.conflicts);
    json_decref(json);
    return rc;
}

static void a_transaction_that_fails_leaves_the_owners_as_they_were(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(transact(f, "{\"spec\":{\"x\":1}}", true), ERR_NOT_FOUND);
    assert_null(fixture_owners(f, "jobs", "default", "a"));
    assert_int_equal(transact(f, "{\"spec\":{\"x\":1}}", false), OK);
    check_owners(f, "b", "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    assert_int_equal(apply(f, "ops", "b", "{\"spec\":{\"x\":1,\"y\":1}}"), WRITE_UPDATED);
    assert_int_equal(transact(f, "{\"spec\":{\"x\":1,\"z\":1}}", true), ERR_NOT_FOUND);
    assert_int_equal(transact(f, "{\"spec\":{\"y\":2}}", false), ERR_CONFLICT);
    check_owners(f, "a", "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}}");
    check_owners(f, "b",
                 "ci:Apply{\"f:spec\":{\".\":{},\"f:x\":{}}} "
                 "ops:Apply{\"f:spec\":{\".\":{},\"f:x\":{},\"f:y\":{}}}");
    assert_int_equal(apply(f, "ci", "a", "{\"spec\":{}}"), WRITE_UPDATED);
    check_spec(f, "a", "{}");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_apply_creates_changes_and_owns_over_restarts),
        TEST(a_change_of_owners_alone_is_durable_and_no_event),
        TEST(a_conflict_changes_nothing_and_force_takes_over),
        TEST(objects_that_nobody_applied_have_no_owners),
        TEST(other_writes_take_over_what_they_change),
        TEST(owners_go_with_the_object),
        TEST(a_dry_run_judges_and_leaves_all_as_it_is),
        TEST(preconditions_and_identity_hold_for_applies_too),
        TEST(a_request_that_is_repeated_gets_its_answer),
        TEST(writes_of_one_batch_see_the_owners_that_those_before_left),
        TEST(a_transaction_that_fails_leaves_the_owners_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

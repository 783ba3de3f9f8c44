/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine's writer: versions, the sink, rows, and what survives a reopening. */
#include "tests/lib/engine_rig.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    struct rig *f = mem_alloc(sizeof(*f));
    struct err err;
    rig_init(f, 1);
    if (rig_open(f, &err) != OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    freep(state);
    return 0;
}

static void reopen(struct rig *f)
{
    struct err err;
    rig_close(f);
    assert_int_equal(rig_open(f, &err), OK);
}

static struct object *load(struct rig *f, size_t item)
{
    struct object *o = NULL;
    struct err err;
    assert_int_equal(f->e->ops->load(f->e, f->items[item].row, f->items[item].rv, &o, &err), OK);
    return o;
}

static void a_new_file_starts_at_zero(void **state)
{
    struct rig *f = *state;
    assert_int_equal(f->e->head, 0);
    assert_int_equal(f->e->floor, 0);
    assert_int_equal(f->e->run_ms, 0);
    assert_int_equal(strlen(f->e->identity.store_id), UUID_LEN);
    assert_int_equal(f->e->identity.epoch, 1);
    assert_int_equal(f->e->identity.epoch_base, 0);
    assert_false(engine_sqlite_was_unclean(f->e));
}

static void versions_are_gapless_and_told_once_per_batch_in_order(void **state)
{
    struct rig *f = *state;
    struct err err;
    size_t written = 0;
    for (size_t i = 1; i <= 200; i++) {
        rig_make_batch(f);
        assert_int_equal(rig_commit(f, &err), OK);
        for (size_t k = 0; k < f->n; k++) {
            assert_int_equal(f->changes[k].event.rv, written + 1 + k);
            assert_int_equal(f->changes[k].event.time, f->changes[0].event.time);
        }
        written += f->n;
        assert_int_equal(f->tells, i);
        assert_int_equal(f->e->head, written);
        assert_int_equal(f->told, written);
    }
    assert_false(f->disorder);
    rig_close(f);
    struct rig_verdict v;
    rig_verify(f->path, NULL, 0, 0, &v);
    assert_true(v.ok);
    assert_int_equal(v.head, written);
}

static void head_has_moved_when_the_sink_is_told(struct rig *f, const struct change *changes,
                                                 size_t n)
{
    assert_int_equal(f->e->head, changes[n - 1].event.rv);
    *(bool *)f->arg = true;
}

static void the_head_moves_before_the_sink_is_told(void **state)
{
    struct rig *f = *state;
    struct err err;
    bool told = false;
    f->on_told = head_has_moved_when_the_sink_is_told;
    f->arg = &told;
    assert_int_equal(rig_write(f, 0, CAUSE_CREATED, "", &err), OK);
    assert_true(told);
}

static void an_empty_batch_is_nothing(void **state)
{
    struct rig *f = *state;
    struct err err;
    const struct commit none = {.n = 0};
    assert_int_equal(f->e->ops->commit(f->e, &none, &err), OK);
    assert_int_equal(f->tells, 0);
    assert_int_equal(f->e->head, 0);
}

static void a_row_holds_its_object_as_last_written(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(rig_write(f, 3, CAUSE_CREATED, "app=a", &err), OK);
    row_t row = f->items[3].row;
    assert_int_equal(rig_write(f, 3, CAUSE_UPDATED, "app=b,tier=1", &err), OK);
    assert_int_equal(f->items[3].row, row);

    CLEANUP(object_unrefp) struct object *o = load(f, 3);
    assert_int_equal(o->rv, 2);
    assert_int_equal(o->generation, 2);
    assert_int_equal(o->splice, 7);
    assert_int_equal(o->hash, f->changes[0].event.hash);
    assert_int_equal(o->spec_hash, f->changes[0].event.spec_hash);
    assert_str(o->key.resource, "jobs");
    assert_str(o->key.ns, "other");
    assert_str(o->key.name, "d");
    assert_str(o->labels, "app=b,tier=1");
    assert_true(str_eq(o->body, f->changes[0].event.body));
}

static void loads_of_one_state_find_the_last_commit_and_hold_nothing_up(void **state)
{
    enum { COMMITS = 800, WAL_MAX = 3000000 };
    struct rig *f = *state;
    struct err err;
    for (rv_t rv = 1; rv <= COMMITS; rv++) {
        assert_int_equal(rig_write(f, 3, rv == 1 ? CAUSE_CREATED : CAUSE_UPDATED, "", &err), OK);
        if (rv > 5) {
            continue;
        }
        f->e->ops->loads(f->e, true);
        for (int i = 0; i < 2; i++) {
            CLEANUP(object_unrefp) struct object *o = load(f, 3);
            assert_int_equal(o->rv, rv);
        }
        f->e->ops->loads(f->e, false);
    }
    struct engine_usage usage;
    f->e->ops->usage(f->e, &usage);
    assert_in_range(usage.wal_bytes, 1, WAL_MAX); /* it began anew, as it can where nobody reads */
    f->e->ops->loads(f->e, true);
    rig_close(f);
}

static void a_deleted_row_is_not_found(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(rig_write(f, 3, CAUSE_CREATED, "", &err), OK);
    row_t row = f->items[3].row;
    assert_int_equal(rig_write(f, 3, CAUSE_DELETED, "", &err), OK);
    struct object *o = NULL;
    assert_int_equal(f->e->ops->load(f->e, row, 2, &o, &err), ERR_NOT_FOUND);
    assert_null(o);
}

static void a_row_is_not_used_again(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(rig_write(f, 3, CAUSE_CREATED, "", &err), OK);
    row_t row = f->items[3].row;
    assert_int_equal(rig_write(f, 3, CAUSE_DELETED, "", &err), OK);
    assert_int_equal(rig_write(f, 4, CAUSE_CREATED, "", &err), OK);
    assert_int_not_equal(f->items[4].row, row);
}

static void one_batch_may_create_change_and_delete_one_object(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    rig_add(f, 0, CAUSE_UPDATED, "app=a");
    rig_add(f, 1, CAUSE_CREATED, "");
    rig_add(f, 0, CAUSE_DELETED, "app=a");
    rig_add(f, 0, CAUSE_CREATED, "app=b");
    rig_add(f, 0, CAUSE_UPDATED, "app=b");
    assert_int_equal(rig_commit(f, &err), OK);
    assert_int_equal(f->e->head, 6);
    CLEANUP(object_unrefp) struct object *o = load(f, 0);
    assert_int_equal(o->rv, 6);
    assert_int_equal(f->changes[5].row, f->changes[4].row);
    rig_close(f);
    struct rig_verdict v;
    rig_verify(f->path, NULL, 0, 0, &v);
    assert_string_equal(v.why, "");
}

static void everything_is_there_after_a_reopening(void **state)
{
    struct rig *f = *state;
    struct err err;
    for (size_t i = 0; i < 30; i++) {
        rig_make_batch(f);
        assert_int_equal(rig_commit(f, &err), OK);
    }
    const struct engine_identity id = f->e->identity;
    rv_t head = f->e->head;
    struct rig_item was[RIG_KEYS];
    for (size_t i = 0; i < RIG_KEYS; i++) {
        was[i] = f->items[i];
        was[i].body = f->items[i].body != NULL ? mem_strdup(f->items[i].body) : NULL;
    }
    reopen(f);
    assert_int_equal(f->e->head, head);
    assert_int_equal(f->e->floor, 0);
    assert_string_equal(f->e->identity.store_id, id.store_id);
    assert_int_equal(f->e->identity.epoch_random, id.epoch_random);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        assert_int_equal(f->items[i].rv, was[i].rv);
        assert_int_equal(f->items[i].generation, was[i].generation);
        assert_string_equal(f->items[i].labels, was[i].labels);
        assert_int_equal(f->items[i].body == NULL, was[i].body == NULL);
        if (was[i].body != NULL) {
            assert_string_equal(f->items[i].body, was[i].body);
        }
        freep(&was[i].body);
    }
    rig_make_batch(f);
    assert_int_equal(rig_commit(f, &err), OK);
    assert_int_equal(f->changes[0].event.rv, head + 1);
}

static void a_repeated_request_finds_its_event(void **state)
{
    struct rig *f = *state;
    struct err err;
    struct event ev;
    assert_int_equal(rig_write(f, 0, CAUSE_CREATED, "app=a", &err), OK);
    assert_int_equal(rig_write(f, 0, CAUSE_UPDATED, "", &err), OK);
    assert_int_equal(f->e->ops->recall(f->e, 2, &ev, &err), OK);
    const struct event *want = &f->changes[0].event;
    assert_int_equal(ev.rv, 2);
    assert_int_equal(ev.prev_rv, 1);
    assert_int_equal(ev.cause, CAUSE_UPDATED);
    assert_int_equal(ev.time, want->time);
    assert_int_equal(ev.generation, 2);
    assert_int_equal(ev.prev_generation, 1);
    assert_int_equal(ev.splice, 7);
    assert_int_equal(ev.prev_splice, 7);
    assert_true(key_eq(&ev.key, &want->key));
    assert_true(str_eq(ev.body, want->body));
    assert_true(str_eq(ev.delta, want->delta));
    assert_true(str_eq(ev.request_id, want->request_id));
    assert_true(ev.manager.n != 0 && str_eq(ev.manager, want->manager));
    assert_str(ev.labels, "");
    assert_str(ev.prev_labels, "app=a");
    assert_int_equal(f->e->ops->recall(f->e, 3, &ev, &err), ERR_NOT_FOUND);
}

/* Equal labels are stored as none, and must not be mixed up with labels that came or went. */
static void labels_before_and_after_come_back_as_written(void **state)
{
    static const char *const labels[] = {"", "app=a", "app=a,b=c"};
    struct rig *f = *state;
    struct err err;
    struct event ev;
    assert_int_equal(rig_write(f, 0, CAUSE_CREATED, "", &err), OK);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(rig_write(f, 0, CAUSE_UPDATED, labels[i], &err), OK);
            assert_int_equal(rig_write(f, 0, CAUSE_UPDATED, labels[k], &err), OK);
            assert_int_equal(f->e->ops->recall(f->e, f->e->head, &ev, &err), OK);
            assert_str(ev.prev_labels, labels[i]);
            assert_str(ev.labels, labels[k]);
        }
    }
}

static void an_event_without_a_request_id_or_manager_comes_back_without(void **state)
{
    struct rig *f = *state;
    struct err err;
    struct event ev;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    f->changes[0].event.request_id = STR_EMPTY;
    f->changes[0].event.manager = STR_EMPTY;
    f->changes[0].event.cause = CAUSE_CREATED;
    assert_int_equal(rig_commit(f, &err), OK);
    assert_int_equal(f->e->ops->recall(f->e, 1, &ev, &err), OK);
    assert_int_equal(ev.request_id.n, 0);
    assert_int_equal(ev.manager.n, 0);
    assert_int_equal(ev.delta.n, 0);
}

static void a_body_of_a_megabyte_comes_back(void **state)
{
    struct rig *f = *state;
    struct err err;
    f->pad = (size_t)1 << 20;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(rig_write(f, i, CAUSE_CREATED, "", &err), OK);
    }
    reopen(f);
    for (size_t i = 0; i < 6; i++) {
        CLEANUP(object_unrefp) struct object *o = load(f, i);
        assert_str(o->body, f->items[i].body);
    }
}

static void the_clock_of_running_time_is_kept(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(f->e->ops->keep_clock(f->e, 12345, &err), OK);
    reopen(f);
    assert_int_equal(f->e->run_ms, 12345);
}

static void recover_without_a_fault_tells_nothing(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_make_batch(f);
    assert_int_equal(rig_commit(f, &err), OK);
    rv_t head = f->e->head;
    assert_int_equal(f->e->ops->recover(f->e, &err), OK);
    assert_int_equal(f->tells, 1);
    assert_int_equal(f->e->head, head);
    assert_int_equal(
        rig_write(f, 23, f->items[23].rv != 0 ? CAUSE_UPDATED : CAUSE_CREATED, "", &err), OK);
    assert_int_equal(f->told, head + 1);
}

/* As after a COMMIT that failed and yet reached the disk: the file has more than was told. */
static void recover_tells_what_is_there_and_was_not_told(void **state)
{
    struct rig *f = *state;
    struct err err;
    rig_begin(f);
    rig_add(f, 0, CAUSE_CREATED, "");
    rig_add(f, 1, CAUSE_CREATED, "");
    rig_add(f, 0, CAUSE_UPDATED, "app=a");
    rig_add(f, 1, CAUSE_DELETED, "");
    void (*sink)(void *, const struct commit *) = f->e->sink.committed;
    f->e->sink.committed = NULL;
    assert_int_equal(rig_commit(f, &err), OK);
    uint64_t hash = f->changes[2].event.hash;
    row_t row = f->changes[2].row;
    f->e->sink.committed = sink;
    f->e->head = f->told = 0;
    for (size_t i = 0; i < RIG_KEYS; i++) {
        f->items[i].rv = 0;
    }
    assert_int_equal(f->e->ops->recover(f->e, &err), OK);
    assert_int_equal(f->tells, 1);
    assert_int_equal(f->told, 4);
    assert_int_equal(f->e->head, 4);
    assert_int_equal(f->items[0].rv, 3);
    assert_int_equal(f->items[0].row, row);
    assert_int_equal(f->items[1].rv, 0);
    CLEANUP(object_unrefp) struct object *o = load(f, 0);
    assert_int_equal(o->hash, hash);
}

static void recover_refuses_a_file_that_lost_versions(void **state)
{
    struct rig *f = *state;
    struct err err;
    assert_int_equal(rig_write(f, 0, CAUSE_CREATED, "", &err), OK);
    f->e->head = 5;
    assert_int_equal(f->e->ops->recover(f->e, &err), ERR_DATA_LOSS);
    assert_int_equal(rig_write(f, 1, CAUSE_CREATED, "", &err), ERR_UNAVAILABLE);
}

static void usage_counts_all_files_and_what_is_free(void **state)
{
    struct rig *f = *state;
    struct err err;
    struct engine_usage usage;
    f->pad = 3000;
    for (size_t i = 0; i < 200; i++) {
        rig_make_batch(f);
        assert_int_equal(rig_commit(f, &err), OK);
    }
    f->e->ops->usage(f->e, &usage);
    assert_true(usage.wal_bytes > 0);
    assert_true(usage.file_bytes > usage.wal_bytes + 1000000);
    assert_int_equal(usage.free_bytes, 0);
    reopen(f);
    f->e->ops->usage(f->e, &usage);
    /* What a start leaves there is the mark that the next stop would be unclean. */
    assert_true(usage.wal_bytes < 20000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_new_file_starts_at_zero),
        T(versions_are_gapless_and_told_once_per_batch_in_order),
        T(the_head_moves_before_the_sink_is_told),
        T(an_empty_batch_is_nothing),
        T(a_row_holds_its_object_as_last_written),
        T(loads_of_one_state_find_the_last_commit_and_hold_nothing_up),
        T(a_deleted_row_is_not_found),
        T(a_row_is_not_used_again),
        T(one_batch_may_create_change_and_delete_one_object),
        T(everything_is_there_after_a_reopening),
        T(a_repeated_request_finds_its_event),
        T(labels_before_and_after_come_back_as_written),
        T(an_event_without_a_request_id_or_manager_comes_back_without),
        T(a_body_of_a_megabyte_comes_back),
        T(the_clock_of_running_time_is_kept),
        T(recover_without_a_fault_tells_nothing),
        T(recover_tells_what_is_there_and_was_not_told),
        T(recover_refuses_a_file_that_lost_versions),
        T(usage_counts_all_files_and_what_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

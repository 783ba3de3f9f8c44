/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire_fixture.h"

extern const ProtobufCMessageDescriptor watch__v1__status_response__descriptor,
    watch__v1__compact_request__descriptor, watch__v1__compact_response__descriptor,
    watch__v1__metrics_response__descriptor, grpc__health__v1__health_check_response__descriptor;

static void status_comes_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct rnd *r = &f->rnd;
        struct wire_status m = {
            .version = rnd_text(r, 20),
            .store_id = rnd_text(r, 40),
            .epoch = rnd_u32(r),
            .head = rnd_u64(r),
            .floor = rnd_u64(r),
            .objects = rnd_u64(r),
            .history_events = rnd_u64(r),
            .history_bytes = rnd_u64(r),
            .file_bytes = rnd_u64(r),
            .uptime_ms = rnd_u64(r),
            .watches = rnd_u32(r),
            .sqlite_version = rnd_text(r, 20),
            .grpc_version = rnd_text(r, 20),
            .read_only_reason = rnd_text(r, 300),
            .n_resources = (size_t)i % 4,
        };
        struct wire_resource_use uses[3];
        for (size_t k = 0; k < m.n_resources; k++) {
            uses[k] = (struct wire_resource_use){rnd_text(r, 200), rnd_u64(r)};
        }
        m.resources = uses;
        struct wire_status back;
        wire_write_status_response(&m, &f->out);
        assert_as_packed(&watch__v1__status_response__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_status_response(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_str(back.version, m.version);
        assert_str(back.store_id, m.store_id);
        assert_int_equal(back.epoch, m.epoch);
        assert_int_equal(back.head, m.head);
        assert_int_equal(back.floor, m.floor);
        assert_int_equal(back.objects, m.objects);
        assert_int_equal(back.history_events, m.history_events);
        assert_int_equal(back.history_bytes, m.history_bytes);
        assert_int_equal(back.file_bytes, m.file_bytes);
        assert_int_equal(back.uptime_ms, m.uptime_ms);
        assert_int_equal(back.watches, m.watches);
        assert_str(back.sqlite_version, m.sqlite_version);
        assert_str(back.grpc_version, m.grpc_version);
        assert_str(back.read_only_reason, m.read_only_reason);
        assert_int_equal(back.n_resources, m.n_resources);
        for (size_t k = 0; k < m.n_resources; k++) {
            assert_str(back.resources[k].resource, uses[k].resource);
            assert_int_equal(back.resources[k].objects, uses[k].objects);
        }
    }
}

static void compaction_comes_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        rv_t rv = rnd_u64(&f->rnd);
        rv_t back = 1;
        wire_write_compact_request(rv, &f->out);
        assert_as_packed(&watch__v1__compact_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_compact_request(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_int_equal(back, rv);

        uint64_t removed = rnd_u64(&f->rnd);
        uint64_t removed_back = 1;
        buf_clear(&f->out);
        wire_write_compact_response(removed, rv, &f->out);
        assert_as_packed(&watch__v1__compact_response__descriptor, buf_str(&f->out));
        assert_int_equal(
            wire_read_compact_response(&f->arena, buf_str(&f->out), &removed_back, &back, &f->err),
            OK);
        assert_int_equal(removed_back, removed);
        assert_int_equal(back, rv);
    }
}

static void metrics_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 30; i++, again(f)) {
        struct str text = rnd_text(&f->rnd, 100000);
        struct str back;
        wire_write_metrics_response(text, &f->out);
        assert_as_packed(&watch__v1__metrics_response__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_metrics_response(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_str(back, text);
    }
}

static void health_is_asked_by_service_and_answered_with_the_standard_numbers(void **state)
{
    struct fixture *f = *state;
    struct str service;
    struct str in = STR("\x0a\x12watch.v1.WatchServ");
    assert_int_equal(wire_read_health_request(&f->arena, in, &service, &f->err), OK);
    assert_str(service, STR("watch.v1.WatchServ"));
    assert_int_equal(wire_read_health_request(&f->arena, STR_EMPTY, &service, &f->err), OK);
    assert_int_equal(service.n, 0);
    static const enum wire_health states[] = {WIRE_HEALTH_SERVING, WIRE_HEALTH_NOT_SERVING,
                                              WIRE_HEALTH_UNKNOWN};
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&f->out);
        wire_write_health_response(states[i], &f->out);
        const char wanted[] = {0x08, (char)(i + 1)};
        assert_str(buf_str(&f->out), (struct str){wanted, 2});
        assert_as_packed(&grpc__health__v1__health_check_response__descriptor, buf_str(&f->out));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(status_comes_back),
        TEST(compaction_comes_back),
        TEST(metrics_come_back),
        TEST(health_is_asked_by_service_and_answered_with_the_standard_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

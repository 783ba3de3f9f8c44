/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire_fixture.h"

extern const ProtobufCMessageDescriptor watch__v1__subscribe_request__descriptor,
    watch__v1__subscribe_response__descriptor, watch__v1__unsubscribe_request__descriptor,
    watch__v1__unsubscribe_response__descriptor, watch__v1__request_bookmark_request__descriptor,
    watch__v1__list_subscriptions_request__descriptor,
    watch__v1__list_subscriptions_response__descriptor;

static void subscribe_requests_come_back_with_every_start(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_subscribe_request m = {
            .client_id = rnd_text(&f->rnd, 253),
            .n_selections = rnd_below(&f->rnd, SELECTIONS_MAX + 1),
            .start = (enum wire_start)(i % 5),
            .send_previous = rnd_bool(&f->rnd),
            .bookmark_interval_ms = rnd_u32(&f->rnd),
            .duration_ms = rnd_u64(&f->rnd),
        };
        m.selections = rnd_selections(&f->rnd, m.n_selections);
        if (m.start == WIRE_START_SINCE) {
            m.since = rnd_u64(&f->rnd); /* 0 is a version to start from, too */
        } else if (m.start == WIRE_START_RESUME) {
            m.resume = rnd_bytes(&f->rnd, rnd_below(&f->rnd, 300));
        }
        struct wire_subscribe_request back;
        wire_write_subscribe_request(&m, &f->out);
        assert_as_packed(&watch__v1__subscribe_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_subscribe_request(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_str(back.client_id, m.client_id);
        assert_int_equal(back.n_selections, m.n_selections);
        for (size_t k = 0; k < m.n_selections; k++) {
            assert_selection(&back.selections[k], &m.selections[k]);
        }
        assert_int_equal(back.start, m.start);
        assert_int_equal(back.since, m.since);
        assert_str(back.resume, m.resume);
        assert_int_equal(back.send_previous, m.send_previous);
        assert_int_equal(back.bookmark_interval_ms, m.bookmark_interval_ms);
        assert_int_equal(back.duration_ms, m.duration_ms);
    }
}

static void since_zero_is_not_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct wire_subscribe_request m = {.start = WIRE_START_SINCE, .since = 0};
    struct wire_subscribe_request back;
    wire_write_subscribe_request(&m, &f->out);
    assert_int_equal(wire_read_subscribe_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
    assert_int_equal(back.start, WIRE_START_SINCE);
    assert_int_equal(back.since, 0);
}

static void a_request_without_a_start_is_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct wire_subscribe_request back;
    assert_int_equal(wire_read_subscribe_request(&f->arena, STR_EMPTY, &back, &f->err), OK);
    assert_int_equal(back.start, WIRE_START_SNAPSHOT);
    assert_int_equal(back.n_selections, 0);
}

static void started_comes_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_started m = {
            .subscription_id = rnd_text(&f->rnd, 40),
            .client_id = rnd_text(&f->rnd, 253),
            .store_id = rnd_text(&f->rnd, 40),
            .head = rnd_u64(&f->rnd),
            .floor = rnd_u64(&f->rnd),
        };
        struct str position = rnd_bytes(&f->rnd, rnd_below(&f->rnd, 400));
        wire_append_position(position, &f->out);
        wire_append_started(&m, &f->out);
        assert_as_packed(&watch__v1__subscribe_response__descriptor, buf_str(&f->out));
        struct wire_subscribe_response back;
        assert_int_equal(wire_read_subscribe_response(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_int_equal(back.signal, WIRE_SIGNAL_STARTED);
        assert_str(back.position, position);
        assert_str(back.started.subscription_id, m.subscription_id);
        assert_str(back.started.client_id, m.client_id);
        assert_str(back.started.store_id, m.store_id);
        assert_int_equal(back.started.head, m.head);
        assert_int_equal(back.started.floor, m.floor);
        assert_int_equal(back.n_events, 0);
    }
}

static void synced_and_bookmark_come_back_also_at_version_zero(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        rv_t rv = i < 2 ? 0 : rnd_u64(&f->rnd);
        bool synced = i % 2 == 0;
        if (synced) {
            wire_append_synced(rv, &f->out);
        } else {
            wire_append_bookmark(rv, &f->out);
        }
        assert_as_packed(&watch__v1__subscribe_response__descriptor, buf_str(&f->out));
        struct wire_subscribe_response back;
        assert_int_equal(wire_read_subscribe_response(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_int_equal(back.signal, synced ? WIRE_SIGNAL_SYNCED : WIRE_SIGNAL_BOOKMARK);
        assert_int_equal(back.rv, rv);
    }
}

static void an_event_without_a_type_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct wire_subscribe_response back;
    /* Two events, the second one empty. */
    struct str in = STR("\x2a\x02\x08\x01\x2a\x00");
    assert_int_equal(wire_read_subscribe_response(&f->arena, in, &back, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "events[1].type");
}

static void unsubscribe_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_unsubscribe_request m = {0};
        struct str id = rnd_text(&f->rnd, 253);
        if (rnd_bool(&f->rnd)) {
            m.client_id = id;
        } else {
            m.subscription_id = id;
        }
        struct wire_unsubscribe_request back;
        wire_write_unsubscribe_request(&m, &f->out);
        assert_as_packed(&watch__v1__unsubscribe_request__descriptor, buf_str(&f->out));
        enum errc code = wire_read_unsubscribe_request(&f->arena, buf_str(&f->out), &back, &f->err);
        if (id.n == 0) {
            assert_int_equal(code, ERR_INVALID);
            assert_string_equal(f->err.field, "target");
            continue;
        }
        assert_int_equal(code, OK);
        assert_str(back.client_id, m.client_id);
        assert_str(back.subscription_id, m.subscription_id);
    }
}

static void small_messages_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        uint32_t ended = rnd_u32(&f->rnd);
        uint32_t ended_back = 1;
        wire_write_unsubscribe_response(ended, &f->out);
        assert_as_packed(&watch__v1__unsubscribe_response__descriptor, buf_str(&f->out));
        assert_int_equal(
            wire_read_unsubscribe_response(&f->arena, buf_str(&f->out), &ended_back, &f->err), OK);
        assert_int_equal(ended_back, ended);

        struct str id = rnd_text(&f->rnd, 253);
        struct str back;
        buf_clear(&f->out);
        wire_write_request_bookmark_request(id, &f->out);
        assert_as_packed(&watch__v1__request_bookmark_request__descriptor, buf_str(&f->out));
        assert_int_equal(
            wire_read_request_bookmark_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_str(back, id);

        buf_clear(&f->out);
        wire_write_list_subscriptions_request(id, &f->out);
        assert_as_packed(&watch__v1__list_subscriptions_request__descriptor, buf_str(&f->out));
        assert_int_equal(
            wire_read_list_subscriptions_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_str(back, id);
    }
}

static struct wire_subscription rnd_subscription(struct rnd *r)
{
    struct wire_subscription m = {
        .subscription_id = rnd_text(r, 40),
        .client_id = rnd_text(r, 253),
        .peer = rnd_text(r, 60),
        .n_selections = rnd_below(r, 5),
        .state = (int)rnd_below(r, 4),
        .rv = rnd_u64(r),
        .age_ms = rnd_u64(r),
        .stalled_ms = rnd_u64(r),
        .events_sent = rnd_u64(r),
    };
    m.selections = rnd_selections(r, m.n_selections);
    return m;
}

static void lists_of_subscriptions_come_back(void **state)
{
    struct fixture *f = *state;
    enum { ENTRIES = 8 };
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_subscription m[ENTRIES];
        size_t n = rnd_below(&f->rnd, ENTRIES + 1);
        for (size_t k = 0; k < n; k++) {
            m[k] = rnd_subscription(&f->rnd);
            wire_append_subscription(&m[k], &f->out);
        }
        assert_as_packed(&watch__v1__list_subscriptions_response__descriptor, buf_str(&f->out));
        struct wire_subscription *back;
        size_t n_back;
        assert_int_equal(wire_read_list_subscriptions_response(&f->arena, buf_str(&f->out), &back,
                                                               &n_back, &f->err),
                         OK);
        assert_int_equal(n_back, n);
        for (size_t k = 0; k < n; k++) {
            assert_str(back[k].subscription_id, m[k].subscription_id);
            assert_str(back[k].client_id, m[k].client_id);
            assert_str(back[k].peer, m[k].peer);
            assert_int_equal(back[k].n_selections, m[k].n_selections);
            for (size_t s = 0; s < m[k].n_selections; s++) {
                assert_selection(&back[k].selections[s], &m[k].selections[s]);
            }
            assert_int_equal(back[k].state, m[k].state);
            assert_int_equal(back[k].rv, m[k].rv);
            assert_int_equal(back[k].age_ms, m[k].age_ms);
            assert_int_equal(back[k].stalled_ms, m[k].stalled_ms);
            assert_int_equal(back[k].events_sent, m[k].events_sent);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(subscribe_requests_come_back_with_every_start),
        TEST(since_zero_is_not_a_snapshot),
        TEST(a_request_without_a_start_is_a_snapshot),
        TEST(started_comes_back),
        TEST(synced_and_bookmark_come_back_also_at_version_zero),
        TEST(an_event_without_a_type_is_refused_by_name),
        TEST(unsubscribe_requests_come_back),
        TEST(small_messages_come_back),
        TEST(lists_of_subscriptions_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire_impl.h"

#include <stdio.h>

#include "watch/v1/watch.pb-c.h"

enum {
    SUBSCRIBE_CLIENT_ID = 1,
    SUBSCRIBE_SELECTIONS,
    SUBSCRIBE_FROM_SNAPSHOT,
    SUBSCRIBE_SINCE,
    SUBSCRIBE_RESUME,
    SUBSCRIBE_FROM_NOW,
    SUBSCRIBE_FROM_OLDEST,
    SUBSCRIBE_SEND_PREVIOUS,
    SUBSCRIBE_BOOKMARK_INTERVAL,
    SUBSCRIBE_DURATION,
};
enum { RESPONSE_POSITION = 1, RESPONSE_STARTED, RESPONSE_SYNCED, RESPONSE_BOOKMARK };
enum {
    STARTED_SUBSCRIPTION_ID = 1,
    STARTED_CLIENT_ID,
    STARTED_STORE_ID,
    STARTED_HEAD,
    STARTED_FLOOR
};
enum { SIGNAL_RV = 1 }; /* of Synced and of Bookmark */
enum { UNSUBSCRIBE_CLIENT_ID = 1, UNSUBSCRIBE_SUBSCRIPTION_ID };
enum { UNSUBSCRIBED_ENDED = 1 };
enum { BOOKMARK_SUBSCRIPTION_ID = 1 };
enum { SUBSCRIPTIONS_CLIENT_ID = 1 };
enum { SUBSCRIPTIONS_ENTRY = 1 };
enum {
    SUBSCRIPTION_ID = 1,
    SUBSCRIPTION_CLIENT_ID,
    SUBSCRIPTION_PEER,
    SUBSCRIPTION_SELECTIONS,
    SUBSCRIPTION_STATE,
    SUBSCRIPTION_RV,
    SUBSCRIPTION_AGE,
    SUBSCRIPTION_STALLED,
    SUBSCRIPTION_EVENTS_SENT,
};

enum errc wire_read_subscribe_request(struct arena *a, struct str in,
                                      struct wire_subscribe_request *ret, struct err *err)
{
    const Watch__V1__SubscribeRequest *m = NULL;
    struct wire_subscribe_request r = {0};
    enum errc code = wire_unpack(a, &watch__v1__subscribe_request__descriptor, in, &m, err);
    if (code != OK) {
        return code;
    }
    code = wire_selections_of(a, m->selections, m->n_selections, &r.selections, err);
    if (code != OK) {
        return code;
    }
    r.client_id = str_of(m->client_id);
    r.n_selections = m->n_selections;
    r.send_previous = m->send_previous;
    r.bookmark_interval_ms = m->bookmark_interval_ms;
    r.duration_ms = m->duration_ms;
    switch (m->start_case) {
    case WATCH__V1__SUBSCRIBE_REQUEST__START_SINCE:
        r.start = WIRE_START_SINCE;
        r.since = m->since;
        break;
    case WATCH__V1__SUBSCRIBE_REQUEST__START_RESUME:
        r.start = WIRE_START_RESUME;
        r.resume = wire_bytes_of(m->resume);
        break;
    case WATCH__V1__SUBSCRIBE_REQUEST__START_FROM_NOW:
        r.start = WIRE_START_NOW;
        break;
    case WATCH__V1__SUBSCRIBE_REQUEST__START_FROM_OLDEST:
        r.start = WIRE_START_OLDEST;
        break;
    default:
        r.start = WIRE_START_SNAPSHOT;
        break;
    }
    *ret = r;
    return OK;
}

void wire_write_subscribe_request(const struct wire_subscribe_request *m, struct buf *out)
{
    pb_add_str(out, SUBSCRIBE_CLIENT_ID, m->client_id);
    for (size_t i = 0; i < m->n_selections; i++) {
        wire_add_selection(out, SUBSCRIBE_SELECTIONS, &m->selections[i]);
    }
    switch (m->start) {
    case WIRE_START_SNAPSHOT:
        pb_add_member_str(out, SUBSCRIBE_FROM_SNAPSHOT, STR_EMPTY);
        break;
    case WIRE_START_SINCE:
        pb_add_member_u64(out, SUBSCRIBE_SINCE, m->since);
        break;
    case WIRE_START_RESUME:
        pb_add_member_str(out, SUBSCRIBE_RESUME, m->resume);
        break;
    case WIRE_START_NOW:
        pb_add_member_str(out, SUBSCRIBE_FROM_NOW, STR_EMPTY);
        break;
    case WIRE_START_OLDEST:
        pb_add_member_str(out, SUBSCRIBE_FROM_OLDEST, STR_EMPTY);
        break;
    }
    pb_add_bool(out, SUBSCRIBE_SEND_PREVIOUS, m->send_previous);
    pb_add_u64(out, SUBSCRIBE_BOOKMARK_INTERVAL, m->bookmark_interval_ms);
    pb_add_u64(out, SUBSCRIBE_DURATION, m->duration_ms);
}

void wire_append_position(struct str position, struct buf *out)
{
    pb_add_str(out, RESPONSE_POSITION, position);
}

void wire_append_started(const struct wire_started *m, struct buf *out)
{
    size_t opened = pb_open(out, RESPONSE_STARTED);
    pb_add_str(out, STARTED_SUBSCRIPTION_ID, m->subscription_id);
    pb_add_str(out, STARTED_CLIENT_ID, m->client_id);
    pb_add_str(out, STARTED_STORE_ID, m->store_id);
    pb_add_u64(out, STARTED_HEAD, m->head);
    pb_add_u64(out, STARTED_FLOOR, m->floor);
    pb_close(out, opened);
}

static void append_signal(unsigned number, rv_t rv, struct buf *out)
{
    size_t opened = pb_open(out, number);
    pb_add_u64(out, SIGNAL_RV, rv);
    pb_close(out, opened);
}

void wire_append_synced(rv_t rv, struct buf *out)
{
    append_signal(RESPONSE_SYNCED, rv, out);
}

void wire_append_bookmark(rv_t rv, struct buf *out)
{
    append_signal(RESPONSE_BOOKMARK, rv, out);
}

static enum errc events_of(struct arena *a, const Watch__V1__SubscribeResponse *m,
                           struct wire_event **ret, struct err *err)
{
    struct wire_event *events = NULL;
    enum errc code = wire_array(a, m->n_events, sizeof(*events), &events, err);
    if (code != OK) {
        return code;
    }
    for (size_t i = 0; i < m->n_events; i++) {
        const Watch__V1__Event *from = m->events[i];
        struct wire_event *to = &events[i];
        if (from->type == WATCH__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED) {
            char field[48];
            snprintf(field, sizeof(field), "events[%zu].type", i);
            return err_field(err, ERR_INVALID, field, "an event has a type");
        }
        to->type = (enum wire_event_type)from->type;
        to->cause = (enum wire_cause)from->cause;
        wire_object_of(from->object, &to->object);
        to->has_previous = from->previous != NULL;
        wire_object_of(from->previous, &to->previous);
    }
    *ret = events;
    return OK;
}

enum errc wire_read_subscribe_response(struct arena *a, struct str in,
                                       struct wire_subscribe_response *ret, struct err *err)
{
    const Watch__V1__SubscribeResponse *m = NULL;
    struct wire_subscribe_response r = {0};
    enum errc code = wire_unpack(a, &watch__v1__subscribe_response__descriptor, in, &m, err);
    if (code != OK) {
        return code;
    }
    code = events_of(a, m, &r.events, err);
    if (code != OK) {
        return code;
    }
    r.n_events = m->n_events;
    r.position = wire_bytes_of(m->position);
    switch (m->signal_case) {
    case WATCH__V1__SUBSCRIBE_RESPONSE__SIGNAL_STARTED:
        r.signal = WIRE_SIGNAL_STARTED;
        r.started = (struct wire_started){
            .subscription_id = str_of(m->started->subscription_id),
            .client_id = str_of(m->started->client_id),
            .store_id = str_of(m->started->store_id),
            .head = m->started->head,
            .floor = m->started->floor,
        };
        break;
    case WATCH__V1__SUBSCRIBE_RESPONSE__SIGNAL_SYNCED:
        r.signal = WIRE_SIGNAL_SYNCED;
        r.rv = m->synced->resource_version;
        break;
    case WATCH__V1__SUBSCRIBE_RESPONSE__SIGNAL_BOOKMARK:
        r.signal = WIRE_SIGNAL_BOOKMARK;
        r.rv = m->bookmark->resource_version;
        break;
    default:
        break;
    }
    *ret = r;
    return OK;
}

enum errc wire_read_unsubscribe_request(struct arena *a, struct str in,
                                        struct wire_unsubscribe_request *ret, struct err *err)
{
    const Watch__V1__UnsubscribeRequest *m = NULL;
    struct wire_unsubscribe_request r = {0};
    enum errc code = wire_unpack(a, &watch__v1__unsubscribe_request__descriptor, in, &m, err);
    if (code != OK) {
        return code;
    }
    if (m->target_case == WATCH__V1__UNSUBSCRIBE_REQUEST__TARGET_CLIENT_ID) {
        r.client_id = str_of(m->client_id);
    } else if (m->target_case == WATCH__V1__UNSUBSCRIBE_REQUEST__TARGET_SUBSCRIPTION_ID) {
        r.subscription_id = str_of(m->subscription_id);
    }
    if (r.client_id.n == 0 && r.subscription_id.n == 0) {
        return err_field(err, ERR_INVALID, "target",
                         "say what to end: a client_id or a subscription_id");
    }
    *ret = r;
    return OK;
}

void wire_write_unsubscribe_request(const struct wire_unsubscribe_request *m, struct buf *out)
{
    pb_add_str(out, UNSUBSCRIBE_CLIENT_ID, m->client_id);
    pb_add_str(out, UNSUBSCRIBE_SUBSCRIPTION_ID, m->subscription_id);
}

enum errc wire_read_unsubscribe_response(struct arena *a, struct str in, uint32_t *ret_ended,
                                         struct err *err)
{
    const Watch__V1__UnsubscribeResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__unsubscribe_response__descriptor, in, &m, err);
    if (code == OK) {
        *ret_ended = m->ended;
    }
    return code;
}

void wire_write_unsubscribe_response(uint32_t ended, struct buf *out)
{
    pb_add_u64(out, UNSUBSCRIBED_ENDED, ended);
}

enum errc wire_read_request_bookmark_request(struct arena *a, struct str in,
                                             struct str *ret_subscription_id, struct err *err)
{
    const Watch__V1__RequestBookmarkRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__request_bookmark_request__descriptor, in, &m, err);
    if (code == OK) {
        *ret_subscription_id = str_of(m->subscription_id);
    }
    return code;
}

void wire_write_request_bookmark_request(struct str subscription_id, struct buf *out)
{
    pb_add_str(out, BOOKMARK_SUBSCRIPTION_ID, subscription_id);
}

enum errc wire_read_list_subscriptions_request(struct arena *a, struct str in,
                                               struct str *ret_client_id, struct err *err)
{
    const Watch__V1__ListSubscriptionsRequest *m = NULL;
    enum errc code =
        wire_unpack(a, &watch__v1__list_subscriptions_request__descriptor, in, &m, err);
    if (code == OK) {
        *ret_client_id = str_of(m->client_id);
    }
    return code;
}

void wire_write_list_subscriptions_request(struct str client_id, struct buf *out)
{
    pb_add_str(out, SUBSCRIPTIONS_CLIENT_ID, client_id);
}

void wire_append_subscription(const struct wire_subscription *m, struct buf *out)
{
    size_t opened = pb_open(out, SUBSCRIPTIONS_ENTRY);
    pb_add_str(out, SUBSCRIPTION_ID, m->subscription_id);
    pb_add_str(out, SUBSCRIPTION_CLIENT_ID, m->client_id);
    pb_add_str(out, SUBSCRIPTION_PEER, m->peer);
    for (size_t i = 0; i < m->n_selections; i++) {
        wire_add_selection(out, SUBSCRIPTION_SELECTIONS, &m->selections[i]);
    }
    pb_add_u64(out, SUBSCRIPTION_STATE, (uint64_t)m->state);
    pb_add_u64(out, SUBSCRIPTION_RV, m->rv);
    pb_add_u64(out, SUBSCRIPTION_AGE, m->age_ms);
    pb_add_u64(out, SUBSCRIPTION_STALLED, m->stalled_ms);
    pb_add_u64(out, SUBSCRIPTION_EVENTS_SENT, m->events_sent);
    pb_close(out, opened);
}

static enum errc subscription_of(struct arena *a, const Watch__V1__Subscription *m,
                                 struct wire_subscription *ret, struct err *err)
{
    *ret = (struct wire_subscription){
        .subscription_id = str_of(m->subscription_id),
        .client_id = str_of(m->client_id),
        .peer = str_of(m->peer),
        .n_selections = m->n_selections,
        .state = (int)m->state,
        .rv = m->resource_version,
        .age_ms = m->age_ms,
        .stalled_ms = m->stalled_ms,
        .events_sent = m->events_sent,
    };
    return wire_selections_of(a, m->selections, m->n_selections, &ret->selections, err);
}

enum errc wire_read_list_subscriptions_response(struct arena *a, struct str in,
                                                struct wire_subscription **ret, size_t *ret_n,
                                                struct err *err)
{
    const Watch__V1__ListSubscriptionsResponse *m = NULL;
    struct wire_subscription *v = NULL;
    enum errc code =
        wire_unpack(a, &watch__v1__list_subscriptions_response__descriptor, in, &m, err);
    code = code != OK ? code : wire_array(a, m->n_subscriptions, sizeof(*v), &v, err);
    for (size_t i = 0; code == OK && i < m->n_subscriptions; i++) {
        code = subscription_of(a, m->subscriptions[i], &v[i], err);
    }
    if (code == OK) {
        *ret = v;
        *ret_n = m->n_subscriptions;
    }
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the administration, and to the list of watches. */
#include <stdlib.h>

#include "cli/client/error.h"
#include "cli/client/reply.h"

static void show_uses(struct reply *r, struct arena *a, const struct wire_status *s,
                      struct watch_status *ret)
{
    struct watch_resource_use *v = reply_array(r, a, s->n_resources, sizeof(*v));
    for (size_t i = 0; i < s->n_resources && v != NULL; i++) {
        v[i] = (struct watch_resource_use){reply_text(a, s->resources[i].resource),
                                           s->resources[i].objects};
    }
    ret->resources = v;
    ret->n_resources = s->n_resources;
}

enum watch_code watch_status(struct watch_client *c, struct watch_status *ret,
                             struct watch_error *error)
{
    struct buf out;
    buf_init(&out, 0);
    struct wire_status s;
    struct reply reply = reply_to(c, WIRE_STATUS, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_status_response(&c->reply, reply.text, &s, &reply.err));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    struct arena *a = &c->reply;
    *ret = (struct watch_status){.version = reply_text(a, s.version),
                                 .store_id = reply_text(a, s.store_id),
                                 .epoch = s.epoch,
                                 .head = s.head,
                                 .oldest = s.floor,
                                 .objects = s.objects,
                                 .history_events = s.history_events,
                                 .history_bytes = s.history_bytes,
                                 .file_bytes = s.file_bytes,
                                 .uptime_ms = s.uptime_ms,
                                 .watches = s.watches,
                                 .sqlite_version = reply_text(a, s.sqlite_version),
                                 .grpc_version = reply_text(a, s.grpc_version),
                                 .read_only_reason = reply_text(a, s.read_only_reason)};
    show_uses(&reply, a, &s, ret);
    return reply.err.code == OK ? WATCH_OK : error_show(&reply.err, reply.from_server, error);
}

enum watch_code watch_compact(struct watch_client *c, uint64_t rv, uint64_t *ret_removed,
                              uint64_t *ret_oldest, struct watch_error *error)
{
    struct buf out;
    buf_init(&out, 64);
    wire_write_compact_request(rv, &out);
    uint64_t removed;
    rv_t floor;
    struct reply reply = reply_to(c, WIRE_COMPACT, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply,
                   wire_read_compact_response(&c->reply, reply.text, &removed, &floor, &reply.err));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret_removed = removed;
    *ret_oldest = floor;
    return WATCH_OK;
}

enum watch_code watch_metrics(struct watch_client *c, const char **ret_text,
                              struct watch_error *error)
{
    struct buf out;
    buf_init(&out, 0);
    struct str text;
    struct reply reply = reply_to(c, WIRE_METRICS, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_metrics_response(&c->reply, reply.text, &text, &reply.err));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret_text = reply_text(&c->reply, text);
    return WATCH_OK;
}

/* ---- Watches of others --------------------------------------------------------------------- */

static void show_subscription(struct arena *a, const struct wire_subscription *s,
                              struct watch_subscription *ret)
{
    struct watch_selection *v = arena_alloc(a, s->n_selections * sizeof(*v) + 1);
    size_t n = v != NULL ? s->n_selections : 0;
    for (size_t i = 0; i < n; i++) {
        const struct selection *from = &s->selections[i];
        v[i] = (struct watch_selection){.resource = reply_text(a, from->resource),
                                        .ns = reply_text(a, from->ns),
                                        .all_namespaces = from->all_namespaces,
                                        .name = reply_text(a, from->name),
                                        .label_selector = reply_text(a, from->label_selector),
                                        .field_selector = reply_text(a, from->field_selector)};
    }
    *ret = (struct watch_subscription){.subscription_id = reply_text(a, s->subscription_id),
                                       .client_id = reply_text(a, s->client_id),
                                       .peer = reply_text(a, s->peer),
                                       .selections = v,
                                       .n_selections = n,
                                       .phase = (enum watch_phase)s->state,
                                       .rv = s->rv,
                                       .age_ms = s->age_ms,
                                       .stalled_ms = s->stalled_ms,
                                       .events_sent = s->events_sent};
}

enum watch_code watch_subscriptions(struct watch_client *c, const char *client_id,
                                    const struct watch_subscription **ret, size_t *ret_n,
                                    struct watch_error *error)
{
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_list_subscriptions_request(str_of(client_id), &out);
    struct wire_subscription *all;
    size_t n;
    struct reply reply = reply_to(c, WIRE_LIST_SUBSCRIPTIONS, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_list_subscriptions_response(&c->reply, reply.text, &all, &n,
                                                                 &reply.err));
    }
    struct watch_subscription *shown = NULL;
    if (reply.err.code == OK) {
        shown = reply_array(&reply, &c->reply, n, sizeof(*shown));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    for (size_t i = 0; i < n; i++) {
        show_subscription(&c->reply, &all[i], &shown[i]);
    }
    *ret = shown;
    *ret_n = n;
    return WATCH_OK;
}

enum watch_code watch_unsubscribe(struct watch_client *c, const char *client_id,
                                  const char *subscription_id, uint32_t *ret_ended,
                                  struct watch_error *error)
{
    struct wire_unsubscribe_request request = {.client_id = str_of(client_id),
                                               .subscription_id = str_of(subscription_id)};
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_unsubscribe_request(&request, &out);
    uint32_t ended;
    struct reply reply = reply_to(c, WIRE_UNSUBSCRIBE, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply,
                   wire_read_unsubscribe_response(&c->reply, reply.text, &ended, &reply.err));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret_ended = ended;
    return WATCH_OK;
}

enum watch_code watch_request_bookmark(struct watch_client *c, const char *subscription_id,
                                       struct watch_error *error)
{
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_request_bookmark_request(str_of(subscription_id), &out);
    struct reply reply = reply_to(c, WIRE_REQUEST_BOOKMARK, false, &out);
    return reply.err.code != OK ? error_show(&reply.err, reply.from_server, error) : WATCH_OK;
}

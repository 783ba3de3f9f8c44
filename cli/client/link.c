/* SPDX-License-Identifier: Apache-2.0 */
/* An attempt watches its channel's state until it is READY or fails. gRPC does not say why a
 * channel failed, but a call on it does, at once and without any traffic: so a failed attempt is
 * asked by one such call before it is told. */
#include "cli/client/link.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <grpc/grpc_security.h>

#include "cli/client/client.h"

#define PROBE_MS 1000

struct link_try {
    struct op op;
    struct watch_client *client;
    grpc_channel *channel;
    bool abandoned;               /* the link no longer waits for it */
    grpc_connectivity_state seen; /* what the watch in flight compares with */
    grpc_call *probe;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice message;
};

static void try_watch(struct link_try *t);

static void try_free(struct link_try *t)
{
    if (t->probe != NULL) {
        grpc_metadata_array_destroy(&t->trailers);
        grpc_slice_unref(t->message);
        grpc_call_unref(t->probe);
    }
    if (t->channel != NULL) {
        grpc_channel_destroy(t->channel);
    }
    free(t);
}

static grpc_channel *channel_new(const struct watch_client *c)
{
    grpc_arg args[16];
    size_t n = 0;
    const struct {
        const char *key;
        int value;
    } ints[] = {
        {GRPC_ARG_KEEPALIVE_TIME_MS,                 30000           },
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS,              20000           },
        {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA,      0               },
        {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,         1               },
        {GRPC_ARG_ENABLE_RETRIES,                    0               },
        {GRPC_ARG_ENABLE_HTTP_PROXY,                 0               },
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1               },
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,        CLIENT_REPLY_MAX},
 /* What may come in ahead of the reader, per stream; gRPC would grow it to 4 MB. */
        {GRPC_ARG_HTTP2_BDP_PROBE,                   0               },
        {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES,      512 << 10       },
    };
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        args[n].type = GRPC_ARG_INTEGER;
        args[n].key = (char *)(uintptr_t)ints[i].key;
        args[n++].value.integer = ints[i].value;
    }
    if (c->user_agent != NULL) {
        args[n].type = GRPC_ARG_STRING;
        args[n].key = (char *)(uintptr_t)GRPC_ARG_PRIMARY_USER_AGENT_STRING;
        args[n++].value.string = c->user_agent;
    }
    grpc_channel_args all = {.num_args = n, .args = args};
    grpc_channel_credentials *creds = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(c->target, creds, &all);
    grpc_channel_credentials_release(creds);
    return channel;
}

static void link_wait(struct link *l, int64_t delay_ms)
{
    l->state = LINK_NONE;
    l->retry_at = client_now() + delay_ms;
    client_wake_at(l->client, l->retry_at);
}

static void link_failed(struct link *l, const char *why)
{
    snprintf(l->trouble, sizeof(l->trouble), "%s", why);
    link_wait(l, backoff_next_ms(&l->backoff));
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "%s", why);
    client_link_failed(l->client, &err);
}

/* Of "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect
 * to remote host: Connection refused" the end is what helps. */
static void reason_of(struct str message, char *ret, size_t cap)
{
    snprintf(ret, cap, "%.*s", STR_ARG(message));
    if (strstr(ret, "DNS resolution failed") != NULL) {
        snprintf(ret, cap, "no such host");
    } else if (strstr(ret, "last error: ") != NULL) {
        char *at = strrchr(ret, ':') + 1;
        at += strspn(at, " ");
        memmove(ret, at, strlen(at) + 1);
    }
    for (char *c = ret; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') {
            *c = ' ';
        }
    }
}

static void try_probed(struct op *op, bool ok)
{
    (void)ok;
    struct link_try *t = (struct link_try *)op;
    if (!t->abandoned) {
        char why[sizeof(((struct link *)NULL)->trouble)];
        struct str message = {(const char *)GRPC_SLICE_START_PTR(t->message),
                              GRPC_SLICE_LENGTH(t->message)};
        reason_of(t->status == GRPC_STATUS_UNAVAILABLE ? message : STR("no connection"), why,
                  sizeof(why));
        t->client->link.attempt = NULL;
        link_failed(&t->client->link, why);
    }
    try_free(t);
}

static void try_probe(struct link_try *t)
{
    grpc_slice method = grpc_slice_from_static_string(WIRE_HEALTH_CHECK);
    t->probe =
        grpc_channel_create_call(t->channel, NULL, GRPC_PROPAGATE_DEFAULTS, t->client->cq, method,
                                 NULL, client_deadline(client_now() + PROBE_MS), NULL);
    grpc_metadata_array_init(&t->trailers);
    t->message = grpc_empty_slice();
    grpc_op ops[2];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[1].data.recv_status_on_client.trailing_metadata = &t->trailers;
    ops[1].data.recv_status_on_client.status = &t->status;
    ops[1].data.recv_status_on_client.status_details = &t->message;
    t->op.fn = try_probed;
    client_batch(t->client, t->probe, ops, 2, &t->op);
}

static void try_changed(struct op *op, bool ok)
{
    (void)ok;
    struct link_try *t = (struct link_try *)op;
    if (t->abandoned) {
        try_free(t);
        return;
    }
    struct link *l = &t->client->link;
    grpc_connectivity_state now = grpc_channel_check_connectivity_state(t->channel, 1);
    if (now == GRPC_CHANNEL_READY) {
        l->channel = TAKE(t->channel);
        l->attempt = NULL;
        l->state = LINK_READY;
        l->number++;
        l->ever = true;
        l->trouble[0] = '\0';
        try_free(t);
        client_link_up(l->client);
    } else if (now == GRPC_CHANNEL_TRANSIENT_FAILURE || now == GRPC_CHANNEL_SHUTDOWN) {
        try_probe(t);
    } else {
        t->seen = now;
        try_watch(t);
    }
}

static void try_watch(struct link_try *t)
{
    t->op.fn = try_changed;
    t->client->tags++;
    grpc_channel_watch_connectivity_state(t->channel, t->seen,
                                          client_deadline(t->client->link.give_up_at + PROBE_MS),
                                          t->client->cq, &t->op);
}

/* Destroying the channel ends the watch in flight, whose handler frees the attempt. */
static void try_abandon(struct link_try *t)
{
    t->abandoned = true;
    if (t->probe != NULL) {
        grpc_call_cancel(t->probe, NULL);
    }
    grpc_channel_destroy(TAKE(t->channel));
}

static void link_connect(struct link *l, mono_ms_t now)
{
    struct link_try *t = mem_zalloc(sizeof(*t));
    t->client = l->client;
    t->channel = channel_new(l->client);
    l->attempt = t;
    l->state = LINK_CONNECTING;
    l->give_up_at = now + l->client->timeout_ms;
    client_wake_at(l->client, l->give_up_at);
    t->seen = grpc_channel_check_connectivity_state(t->channel, 1);
    try_watch(t);
}

void link_init(struct link *l, struct watch_client *c)
{
    memset(l, 0, sizeof(*l));
    l->client = c;
}

static void link_drop(struct link *l)
{
    if (l->channel != NULL) {
        /* Calls that still run on it keep what they need and come to their own end. */
        grpc_channel_destroy(TAKE(l->channel));
    }
    if (l->attempt != NULL) {
        try_abandon(TAKE(l->attempt));
    }
    l->state = LINK_NONE;
}

void link_fini(struct link *l)
{
    link_drop(l);
}

void link_tick(struct link *l, mono_ms_t now)
{
    switch (l->state) {
    case LINK_NONE:
        if (!client_wants_link(l->client)) {
            return;
        }
        if (now < l->retry_at) {
            client_wake_at(l->client, l->retry_at);
        } else {
            link_connect(l, now);
        }
        return;
    case LINK_CONNECTING:
        if (now < l->give_up_at) {
            client_wake_at(l->client, l->give_up_at);
        } else {
            link_drop(l);
            link_failed(l, "no answer to the attempt to connect");
        }
        return;
    case LINK_READY:
        return;
    }
}

grpc_channel *link_channel(struct link *l, uint64_t *ret_number)
{
    if (l->state == LINK_READY &&
        grpc_channel_check_connectivity_state(l->channel, 0) != GRPC_CHANNEL_READY) {
        link_lost(l, l->number);
    }
    *ret_number = l->number;
    return l->state == LINK_READY ? l->channel : NULL;
}

void link_lost(struct link *l, uint64_t number)
{
    if (l->state != LINK_READY || number != l->number) {
        return;
    }
    link_drop(l);
    link_wait(l, backoff_next_ms(&l->backoff));
}

void link_answered(struct link *l)
{
    backoff_reset(&l->backoff);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/client.h"

#include <ctype.h>
#include <stdlib.h>

#include <grpc/support/time.h>

#include "cli/client/address.h"
#include "cli/client/error.h"
#include "cli/client/reply.h"
#include "cli/client/stream.h"
#include "cli/client/unary.h"

#define TOKEN_MAX 4096

mono_ms_t client_now(void)
{
    return clock_mono(&clock_system);
}

void client_wake_at(struct watch_client *c, mono_ms_t when)
{
    if (when < c->wake_at) {
        c->wake_at = when;
    }
}

gpr_timespec client_deadline(mono_ms_t when)
{
    if (when == CLIENT_NEVER) {
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
    mono_ms_t left = when - client_now();
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(left > 0 ? left : 0, GPR_TIMESPAN));
}

size_t client_metadata(const struct watch_client *c, grpc_metadata ret[1])
{
    if (c->authorization == NULL) {
        return 0;
    }
    memset(ret, 0, sizeof(*ret));
    ret->key = grpc_slice_from_static_string("authorization");
    ret->value = grpc_slice_from_static_string(c->authorization);
    return 1;
}

void client_batch(struct watch_client *c, grpc_call *call, const grpc_op *ops, size_t n,
                  struct op *op)
{
    if (grpc_call_start_batch(call, ops, n, op, NULL) != GRPC_CALL_OK) {
        abort();
    }
    c->tags++;
}

/* Statuses that gRPC makes up itself when a connection or a call breaks. */
static bool status_may_be_local(grpc_status_code status)
{
    return status == GRPC_STATUS_UNAVAILABLE || status == GRPC_STATUS_DEADLINE_EXCEEDED ||
           status == GRPC_STATUS_CANCELLED || status == GRPC_STATUS_INTERNAL ||
           status == GRPC_STATUS_UNKNOWN || status == GRPC_STATUS_RESOURCE_EXHAUSTED;
}

static struct str details_of(const grpc_metadata_array *trailers)
{
    struct str details = STR_EMPTY;
    for (size_t i = 0; i < trailers->count; i++) {
        const grpc_metadata *m = &trailers->metadata[i];
        if (grpc_slice_str_cmp(m->key, "grpc-status-details-bin") == 0) {
            details = (struct str){(const char *)GRPC_SLICE_START_PTR(m->value),
                                   GRPC_SLICE_LENGTH(m->value)};
        }
    }
    return details;
}

void client_keep_conflicts(struct watch_client *c, const grpc_metadata_array *trailers)
{
    struct wire_conflict *v = NULL;
    struct str details = details_of(trailers);
    size_t n = 0;
    arena_fini(&c->conflicts_memory);
    arena_init(&c->conflicts_memory, client_budget(details.n));
    c->conflicts = NULL;
    if (wire_read_conflicts(&c->conflicts_memory, details, &v, &n)) {
        c->conflicts = arena_alloc(&c->conflicts_memory, n * sizeof(*c->conflicts));
    }
    c->n_conflicts = c->conflicts != NULL ? n : 0;
    for (size_t i = 0; i < c->n_conflicts; i++) {
        c->conflicts[i].field = reply_text(&c->conflicts_memory, v[i].field);
        c->conflicts[i].description = reply_text(&c->conflicts_memory, v[i].description);
    }
}

size_t watch_conflicts(const struct watch_client *c, const struct watch_conflict **ret)
{
    *ret = c->conflicts;
    return c->n_conflicts;
}

void client_read_status(grpc_status_code status, grpc_slice message,
                        const grpc_metadata_array *trailers, struct err *ret, bool *ret_from_server)
{
    *ret_from_server = true;
    if (status == GRPC_STATUS_OK) {
        memset(ret, 0, sizeof(*ret));
        return;
    }
    struct str details = details_of(trailers);
    struct str text = {(const char *)GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message)};
    bool reason_given = wire_read_err((int)status, text, details, ret);
    *ret_from_server = reason_given || details.n != 0 || !status_may_be_local(status);
    if (!*ret_from_server && status == GRPC_STATUS_RESOURCE_EXHAUSTED) {
        /* Without our details it is gRPC's own limit on a message. */
        ret->code = ERR_TOO_LARGE;
    }
    if (!*ret_from_server && status == GRPC_STATUS_UNKNOWN) {
        ret->code = ERR_INTERNAL;
    }
}

static void client_tick(struct watch_client *c, mono_ms_t now)
{
    c->wake_at = CLIENT_NEVER;
    unary_tick(c, now);
    stream_tick(c, now);
    link_tick(&c->link, now);
}

bool client_pump(struct watch_client *c, mono_ms_t until)
{
    mono_ms_t now = client_now();
    bool ticked = c->wake_at <= now;
    if (ticked) {
        client_tick(c, now);
        /* A callback may have been called: only take what is ready, then let the caller look. */
        until = now;
    }
    mono_ms_t wake = c->wake_at < until ? c->wake_at : until;
    grpc_event ev = grpc_completion_queue_next(c->cq, client_deadline(wake), NULL);
    if (ev.type != GRPC_OP_COMPLETE) {
        return ticked;
    }
    c->tags--;
    struct op *op = ev.tag;
    op->fn(op, ev.success != 0);
    return true;
}

void client_link_up(struct watch_client *c)
{
    client_wake_at(c, 0);
}

void client_link_failed(struct watch_client *c, const struct err *err)
{
    stream_link_failed(c, err);
    client_wake_at(c, 0);
}

bool client_wants_link(const struct watch_client *c)
{
    return !c->closing && (!TAILQ_EMPTY(&c->waiting) || stream_wants_link(c));
}

static enum errc token_header(const char *token, char **ret, struct err *err)
{
    size_t n = strlen(token);
    if (n == 0 || n > TOKEN_MAX) {
        return err_field(err, ERR_INVALID, "token", "a token has 1 to %d characters", TOKEN_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (!isgraph((unsigned char)token[i])) {
            return err_field(err, ERR_INVALID, "token",
                             "a token is printable ASCII without spaces");
        }
    }
    *ret = mem_printf("Bearer %s", token);
    return OK;
}

enum watch_code watch_client_new(const struct watch_client_options *options,
                                 struct watch_client **ret, struct watch_error *error)
{
    const char *address = options->address != NULL ? options->address : WATCH_DEFAULT_ADDRESS;
    CLEANUP(freep) char *target = NULL;
    CLEANUP(freep) char *authorization = NULL;
    struct err err;
    if (address_target(address, &target, &err) != OK) {
        return error_show(&err, false, error);
    }
    if (options->token != NULL && token_header(options->token, &authorization, &err) != OK) {
        return error_show(&err, false, error);
    }
    grpc_init();
    struct watch_client *c = mem_zalloc(sizeof(*c));
    c->cq = grpc_completion_queue_create_for_next(NULL);
    c->target = TAKE(target);
    c->address = mem_strdup(address);
    c->authorization = TAKE(authorization);
    c->user_agent = options->user_agent != NULL ? mem_strdup(options->user_agent) : NULL;
    c->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : WATCH_DEFAULT_TIMEOUT_MS;
    c->wake_at = CLIENT_NEVER;
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->flying);
    TAILQ_INIT(&c->streams);
    TAILQ_INIT(&c->attempts);
    arena_init(&c->reply, 0);
    arena_init(&c->conflicts_memory, 0);
    atomic_init(&c->interrupted, false);
    link_init(&c->link, c);
    *ret = c;
    return WATCH_OK;
}

void watch_client_free(struct watch_client *c)
{
    if (c == NULL) {
        return;
    }
    c->closing = true;
    unary_cancel_all(c);
    stream_close_all(c);
    link_fini(&c->link);
    while (c->tags > 0) {
        (void)client_pump(c, CLIENT_NEVER);
    }
    grpc_completion_queue_shutdown(c->cq);
    while (grpc_completion_queue_next(c->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(c->cq);
    arena_fini(&c->reply);
    arena_fini(&c->conflicts_memory);
    free(c->target);
    free(c->address);
    free(c->authorization);
    free(c->user_agent);
    free(c);
    grpc_shutdown_blocking();
}

int watch_client_poll(struct watch_client *c, int64_t timeout_ms)
{
    mono_ms_t until = timeout_ms < 0 ? CLIENT_NEVER : client_now() + timeout_ms;
    for (;;) {
        mono_ms_t now = client_now();
        if (atomic_load(&c->interrupted)) {
            until = now;
        }
        mono_ms_t slice = now + CLIENT_SLICE_MS;
        bool worked = client_pump(c, slice < until ? slice : until);
        if (worked || client_now() >= until) {
            return worked;
        }
    }
}

enum watch_link watch_client_link(const struct watch_client *c)
{
    switch (c->link.state) {
    case LINK_READY:
        return grpc_channel_check_connectivity_state(c->link.channel, 0) == GRPC_CHANNEL_READY
                   ? WATCH_LINK_READY
                   : WATCH_LINK_IDLE;
    case LINK_CONNECTING:
        return WATCH_LINK_CONNECTING;
    case LINK_NONE:
        break;
    }
    return client_wants_link(c) ? WATCH_LINK_CONNECTING : WATCH_LINK_IDLE;
}

int watch_client_was_connected(const struct watch_client *c)
{
    return c->link.ever;
}

const char *watch_client_trouble(const struct watch_client *c)
{
    return c->link.trouble;
}

void watch_client_interrupt(struct watch_client *c)
{
    atomic_store(&c->interrupted, true);
}

const char *watch_version(void)
{
    return WATCHD_VERSION;
}

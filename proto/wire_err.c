/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as google.rpc.Status and back. Codes are known by their reason, in ErrorInfo of our
 * domain; all else only adds to it, and whatever cannot be believed is passed over.
 * See: https://google.aip.dev/193 */
#include "proto/wire_impl.h"

#include <inttypes.h>
#include <stdio.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define DOMAIN         "watch.v1"
#define TYPE_PREFIX    "type.googleapis.com/"
#define ERROR_INFO     "google.rpc.ErrorInfo"
#define BAD_REQUEST    "google.rpc.BadRequest"
#define RETRY_INFO     "google.rpc.RetryInfo"
#define DETAILS_BUDGET ((size_t)256 * 1024) /* a call's metadata are a few KiB */
#define RETRY_MAX_S    (24 * 3600)

enum { STATUS_CODE = 1, STATUS_MESSAGE, STATUS_DETAILS };
enum { ANY_TYPE_URL = 1, ANY_VALUE };
enum { INFO_REASON = 1, INFO_DOMAIN, INFO_METADATA };
enum { ENTRY_KEY = 1, ENTRY_VALUE };
enum { BAD_REQUEST_VIOLATIONS = 1 };
enum { VIOLATION_FIELD = 1, VIOLATION_DESCRIPTION };
enum { RETRY_DELAY = 1 };
enum { DURATION_SECONDS = 1, DURATION_NANOS };

static bool is_version_code(enum errc code)
{
    return code == ERR_EXPIRED || code == ERR_FUTURE || code == ERR_FOREIGN;
}

static void add_entry(struct buf *out, const char *key, struct str value)
{
    size_t entry = pb_open(out, INFO_METADATA);
    pb_add_str(out, ENTRY_KEY, str_of(key));
    pb_add_str(out, ENTRY_VALUE, value);
    pb_close(out, entry);
}

static void add_version(struct buf *out, const char *key, rv_t rv)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, rv);
    add_entry(out, key, str_of(text));
}

static void add_error_info(struct buf *out, const struct err *e, struct str continue_token)
{
    size_t any = pb_open(out, STATUS_DETAILS);
    pb_add_str(out, ANY_TYPE_URL, STR(TYPE_PREFIX ERROR_INFO));
    size_t info = pb_open(out, ANY_VALUE);
    pb_add_str(out, INFO_REASON, str_of(err_info(e->code)->reason));
    pb_add_str(out, INFO_DOMAIN, STR(DOMAIN));
    if (is_version_code(e->code)) {
        add_version(out, "requested", e->requested);
        add_version(out, "oldest", e->oldest);
        add_version(out, "head", e->head);
    } else if (e->code == ERR_EXISTS && e->head != 0) {
        add_version(out, "actual", e->head);
    } else if (e->code == ERR_CONFLICT && (e->requested != 0 || e->head != 0)) {
        add_version(out, "expected", e->requested);
        add_version(out, "actual", e->head);
    }
    if (continue_token.n != 0) {
        add_entry(out, "continue_token", continue_token);
    }
    pb_close(out, info);
    pb_close(out, any);
}

static void add_bad_request(struct buf *out, const struct err *e)
{
    size_t any = pb_open(out, STATUS_DETAILS);
    pb_add_str(out, ANY_TYPE_URL, STR(TYPE_PREFIX BAD_REQUEST));
    size_t bad = pb_open(out, ANY_VALUE);
    size_t violation = pb_open(out, BAD_REQUEST_VIOLATIONS);
    pb_add_str(out, VIOLATION_FIELD, str_of(e->field));
    pb_add_str(out, VIOLATION_DESCRIPTION, str_of(e->msg));
    pb_close(out, violation);
    pb_close(out, bad);
    pb_close(out, any);
}

static void add_retry_info(struct buf *out, const struct err *e)
{
    size_t any = pb_open(out, STATUS_DETAILS);
    pb_add_str(out, ANY_TYPE_URL, STR(TYPE_PREFIX RETRY_INFO));
    size_t retry = pb_open(out, ANY_VALUE);
    size_t delay = pb_open(out, RETRY_DELAY);
    pb_add_u64(out, DURATION_SECONDS, (uint64_t)(e->retry_ms / 1000));
    pb_add_u64(out, DURATION_NANOS, (uint64_t)(e->retry_ms % 1000 * 1000000));
    pb_close(out, delay);
    pb_close(out, retry);
    pb_close(out, any);
}

void wire_write_err(const struct err *e, struct buf *out)
{
    wire_write_err_with(e, NULL, out);
}

void wire_write_err_with(const struct err *e, const struct wire_more *more, struct buf *out)
{
    pb_add_u64(out, STATUS_CODE, (uint64_t)err_info(e->code)->grpc);
    pb_add_str(out, STATUS_MESSAGE, str_of(e->msg));
    add_error_info(out, e, more != NULL ? more->continue_token : STR_EMPTY);
    if (more != NULL && more->conflicts != NULL) {
        wire_append_conflicts(more->conflicts, out);
    } else if (e->field[0] != '\0') {
        add_bad_request(out, e);
    }
    if (e->retry_ms > 0) {
        add_retry_info(out, e);
    }
}

/* The code to be assumed of a peer that says no reason. */
static enum errc code_of_status(int grpc_status)
{
    switch (grpc_status) {
    case 8: /* RESOURCE_EXHAUSTED: gRPC itself says so of too large messages */
        return ERR_LIMIT;
    case 9: /* FAILED_PRECONDITION: a state that is not as demanded */
        return ERR_CONFLICT;
    default:
        for (int c = OK; c < ERRC_COUNT; c++) {
            if (err_info((enum errc)c)->grpc == grpc_status) {
                return (enum errc)c;
            }
        }
        return ERR_INTERNAL;
    }
}

static bool is_type(const char *url, const char *type)
{
    const char *slash = strrchr(url, '/');
    return slash != NULL && strcmp(slash + 1, type) == 0;
}

/* Where a version of this name belongs; NULL: nowhere. */
static rv_t *version_of(struct err *e, const char *key)
{
    if (is_version_code(e->code)) {
        return strcmp(key, "requested") == 0 ? &e->requested
               : strcmp(key, "oldest") == 0  ? &e->oldest
               : strcmp(key, "head") == 0    ? &e->head
                                             : NULL;
    }
    if (e->code == ERR_EXISTS) {
        return strcmp(key, "actual") == 0 ? &e->head : NULL;
    }
    if (e->code == ERR_CONFLICT) {
        return strcmp(key, "expected") == 0 ? &e->requested
               : strcmp(key, "actual") == 0 ? &e->head
                                            : NULL;
    }
    return NULL;
}

/* Whether it is ours. */
static bool take_error_info(struct arena *a, struct str in, int grpc_status, struct err *e)
{
    const Google__Rpc__ErrorInfo *m = NULL;
    if (wire_unpack(a, &google__rpc__error_info__descriptor, in, &m, NULL) != OK ||
        strcmp(m->domain, DOMAIN) != 0) {
        return false;
    }
    enum errc code = errc_from_reason(m->reason);
    if (code == ERRC_COUNT || err_info(code)->grpc != grpc_status) {
        return false;
    }
    e->code = code;
    for (size_t i = 0; i < m->n_metadata; i++) {
        rv_t *at = version_of(e, m->metadata[i]->key);
        uint64_t v;
        if (at != NULL && str_to_u64(str_of(m->metadata[i]->value), &v)) {
            *at = v;
        }
    }
    return true;
}

static void take_bad_request(struct arena *a, struct str in, const char **ret_field)
{
    const Google__Rpc__BadRequest *m = NULL;
    if (wire_unpack(a, &google__rpc__bad_request__descriptor, in, &m, NULL) == OK &&
        m->n_field_violations != 0) {
        *ret_field = m->field_violations[0]->field;
    }
}

static void take_retry_info(struct arena *a, struct str in, int64_t *ret_ms)
{
    const Google__Rpc__RetryInfo *m = NULL;
    if (wire_unpack(a, &google__rpc__retry_info__descriptor, in, &m, NULL) != OK ||
        m->retry_delay == NULL) {
        return;
    }
    int64_t s = m->retry_delay->seconds;
    int32_t ns = m->retry_delay->nanos;
    if (s >= 0 && s <= RETRY_MAX_S && ns >= 0 && ns < 1000000000) {
        *ret_ms = s * 1000 + ns / 1000000;
    }
}

/* Reasons that are also names of gRPC statuses: its libraries begin texts of their own with them.
 */
static bool is_grpc_word(enum errc code)
{
    switch (code) {
    case OK:
    case ERR_CANCELLED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_UNIMPLEMENTED:
    case ERR_INTERNAL:
    case ERR_UNAVAILABLE:
    case ERR_DATA_LOSS:
    case ERR_UNAUTHENTICATED:
        return true;
    default:
        return false;
    }
}

/* "TOO_SLOW: …": the code, and the rest of the text. False if it does not begin so. */
static bool take_reason(struct str *message, int grpc_status, enum errc *ret)
{
    for (int c = OK + 1; c < ERRC_COUNT; c++) {
        const struct err_info *info = err_info((enum errc)c);
        size_t n = strlen(info->reason);
        if (info->grpc == grpc_status && message->n > n + 2 &&
            memcmp(message->p, info->reason, n) == 0 && memcmp(message->p + n, ": ", 2) == 0) {
            *ret = (enum errc)c;
            message->p += n + 2;
            message->n -= n + 2;
            return true;
        }
    }
    return false;
}

bool wire_read_err(int grpc_status, struct str message, struct str details, struct err *ret)
{
    struct err e = {.code = code_of_status(grpc_status)};
    const char *field = "";
    bool reason_given = false;
    CLEANUP(arena_fini) struct arena a;
    arena_init(&a, DETAILS_BUDGET);
    const Google__Rpc__Status *m = NULL;
    if (details.n != 0 &&
        wire_unpack(&a, &google__rpc__status__descriptor, details, &m, NULL) == OK &&
        m->code == grpc_status) {
        message = m->message[0] != '\0' ? str_of(m->message) : message;
        for (size_t i = 0; i < m->n_details; i++) {
            const char *url = m->details[i]->type_url;
            struct str value = wire_bytes_of(m->details[i]->value);
            if (is_type(url, ERROR_INFO)) {
                reason_given |= take_error_info(&a, value, grpc_status, &e);
            } else if (is_type(url, BAD_REQUEST)) {
                take_bad_request(&a, value, &field);
            } else if (is_type(url, RETRY_INFO)) {
                take_retry_info(&a, value, &e.retry_ms);
            }
        }
    }
    if (details.n == 0 && take_reason(&message, grpc_status, &e.code)) {
        reason_given = !is_grpc_word(e.code);
    }
    if (message.n == 0) {
        err_field(ret, e.code, field, "the server gave the status %d and no message", grpc_status);
    } else {
        /* Cut here, so that not even a long message is read to its end. */
        message.n = message.n < sizeof(e.msg) ? message.n : sizeof(e.msg);
        err_field(ret, e.code, field, "%.*s", STR_ARG(message));
    }
    ret->requested = e.requested;
    ret->oldest = e.oldest;
    ret->head = e.head;
    ret->retry_ms = e.retry_ms;
    return reason_given;
}

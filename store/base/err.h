/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one code, the field at fault, one sentence for a person, and the versions involved.
 * A struct err is caller-owned and needs no cleanup. A function that fails fills it and returns
 * its code; on success it leaves it alone. Libraries return errors, programs print them.
 * Threads: a struct err belongs to one thread at a time. */
#ifndef WATCHD_BASE_ERR_H
#define WATCHD_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/mem.h"

/* A resource version: +1 per event, one counter per store. 0 is "none". */
typedef uint64_t rv_t;

/* The one table of errors.
 * X(name, gRPC status, HTTP status, Kubernetes reason, exit code of watchctl, our reason)
 * "Our reason" is what google.rpc.ErrorInfo.reason says; it is unique.
 * See: https://grpc.io/docs/guides/status-codes, Kubernetes' metav1.StatusReason. */
#define ERRC_TABLE(X)                                                      \
    X(OK, 0, 200, "Success", 0, "OK")                                      \
    X(ERR_CANCELLED, 1, 499, "Cancelled", 1, "CANCELLED")                  \
    X(ERR_UNSUBSCRIBED, 1, 499, "Unsubscribed", 1, "UNSUBSCRIBED")         \
    X(ERR_OUTCOME_UNKNOWN, 2, 500, "InternalError", 11, "OUTCOME_UNKNOWN") \
    X(ERR_INVALID, 3, 422, "Invalid", 9, "INVALID")                        \
    X(ERR_TOO_LARGE, 3, 413, "RequestEntityTooLarge", 9, "TOO_LARGE")      \
    X(ERR_DEADLINE, 4, 504, "Timeout", 5, "DEADLINE")                      \
    X(ERR_NOT_FOUND, 5, 404, "NotFound", 3, "NOT_FOUND")                   \
    X(ERR_EXISTS, 6, 409, "AlreadyExists", 4, "ALREADY_EXISTS")            \
    X(ERR_DENIED, 7, 403, "Forbidden", 8, "DENIED")                        \
    X(ERR_TOO_SLOW, 8, 429, "TooManyRequests", 1, "TOO_SLOW")              \
    X(ERR_LIMIT, 8, 429, "TooManyRequests", 1, "LIMIT")                    \
    X(ERR_CONFLICT, 10, 409, "Conflict", 4, "CONFLICT")                    \
    X(ERR_EXPIRED, 11, 410, "Expired", 6, "EXPIRED")                       \
    X(ERR_FUTURE, 11, 410, "Expired", 6, "FUTURE")                         \
    X(ERR_FOREIGN, 11, 410, "Expired", 6, "FOREIGN")                       \
    X(ERR_UNIMPLEMENTED, 12, 405, "MethodNotAllowed", 1, "UNIMPLEMENTED")  \
    X(ERR_INTERNAL, 13, 500, "InternalError", 1, "INTERNAL")               \
    X(ERR_UNAVAILABLE, 14, 503, "ServiceUnavailable", 7, "UNAVAILABLE")    \
    X(ERR_DRAINING, 14, 503, "ServiceUnavailable", 7, "DRAINING")          \
    X(ERR_STORAGE_FULL, 14, 507, "ServiceUnavailable", 1, "STORAGE_FULL")  \
    X(ERR_DATA_LOSS, 15, 500, "InternalError", 1, "DATA_LOSS")             \
    X(ERR_UNAUTHENTICATED, 16, 401, "Unauthorized", 8, "UNAUTHENTICATED")

enum errc {
#define ERRC_ENUM(name, grpc, http, k8s, exit_code, reason) name,
    ERRC_TABLE(ERRC_ENUM)
#undef ERRC_ENUM
        ERRC_COUNT
};

struct err {
    enum errc code;
    char field[160];  /* Path of the field at fault, "metadata.name"; "" when there is none. */
    char msg[360];    /* One sentence, no newline: what was wrong and what to do. */
    rv_t requested;   /* EXPIRED, FUTURE, FOREIGN: asked for. CONFLICT: expected. */
    rv_t oldest;      /* EXPIRED, FUTURE, FOREIGN: the floor. */
    rv_t head;        /* EXPIRED, FUTURE, FOREIGN: the head. CONFLICT, EXISTS: the object's version. */
    int64_t retry_ms; /* When to try again; 0: no advice. */
};

struct err_info {
    const char *name;   /* "ERR_EXPIRED" */
    int grpc;           /* gRPC status code */
    int http;           /* HTTP status code */
    const char *k8s;    /* metav1.Status.reason */
    int exit_code;      /* of watchctl */
    const char *reason; /* "EXPIRED" */
};

/* A row of the table; never NULL. */
const struct err_info *err_info(enum errc code);

/* The code with this reason ("EXPIRED"), or ERRC_COUNT. */
enum errc errc_from_reason(const char *reason);

/* Both fill *err (unless it is NULL) and return the code, so that a function can fail in one
 * statement: `return err_set(err, ERR_NOT_FOUND, "…")`. The versions and retry_ms become 0. */
enum errc err_set(struct err *err, enum errc code, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum errc err_field(struct err *err, enum errc code, const char *field, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Puts what fmt makes in front of err's field, with a dot between: "operations[3].put.key.name". */
void err_within(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The refusals of a version that cannot be resumed from; they fill requested, oldest, head. */
enum errc err_version(struct err *err, enum errc code, rv_t requested, rv_t oldest, rv_t head);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/base/bytes.h"

static const struct err_info infos[ERRC_COUNT] = {
#define ERRC_INFO(name, grpc, http, k8s, exit_code, reason) \
    [name] = {#name, grpc, http, k8s, exit_code, reason},
    ERRC_TABLE(ERRC_INFO)
#undef ERRC_INFO
};

const struct err_info *err_info(enum errc code)
{
    return (unsigned)code < ERRC_COUNT ? &infos[code] : &infos[ERR_INTERNAL];
}

enum errc errc_from_reason(const char *reason)
{
    int code = 0;
    while (code < ERRC_COUNT && strcmp(infos[code].reason, reason) != 0) {
        code++;
    }
    return (enum errc)code;
}

/* Messages quote what peers sent, were perhaps cut in the middle of a character, and travel as
 * protobuf strings, log lines and terminal output: they must be one line of UTF-8. */
static void make_presentable(char *s)
{
    size_t n = strlen(s);
    size_t to = 0;
    for (size_t at = 0; at < n;) {
        size_t len = utf8_len(s + at, n - at);
        if (len == 0) {
            /* What the cut left over at the end goes; elsewhere it shows that something was here.
             */
            bool cut_off = n - at < 4 && (unsigned char)s[at] >= 0xc0;
            if (!cut_off) {
                s[to++] = '?';
            }
            at += cut_off ? n - at : 1;
        } else if (len == 1 && ((unsigned char)s[at] < 0x20 || s[at] == 0x7f)) {
            s[to++] = ' ';
            at++;
        } else {
            memmove(s + to, s + at, len);
            to += len;
            at += len;
        }
    }
    s[to] = '\0';
}

__attribute__((format(printf, 4, 0))) static enum errc
err_fill(struct err *err, enum errc code, const char *field, const char *fmt, va_list args)
{
    if (err != NULL) {
        struct err e = {.code = code};
        snprintf(e.field, sizeof(e.field), "%s", field);
        make_presentable(e.field);
        vsnprintf(e.msg, sizeof(e.msg), fmt, args);
        make_presentable(e.msg);
        *err = e;
    }
    return code;
}

enum errc err_set(struct err *err, enum errc code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(err, code, "", fmt, args);
    va_end(args);
    return code;
}

enum errc err_field(struct err *err, enum errc code, const char *field, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(err, code, field, fmt, args);
    va_end(args);
    return code;
}

void err_within(struct err *err, const char *fmt, ...)
{
    char inner[sizeof(err->field)];
    memcpy(inner, err->field, sizeof(inner));
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->field, sizeof(err->field), fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof(err->field) && inner[0] != '\0') {
        size_t left = sizeof(err->field) - (size_t)n;
        snprintf(err->field + n, left, ".%.*s", (int)left, inner);
        make_presentable(err->field);
    }
}

enum errc err_version(struct err *err, enum errc code, rv_t requested, rv_t oldest, rv_t head)
{
    if (code == ERR_FUTURE) {
        err_set(err, code,
                "version %" PRIu64 " is above the head, %" PRIu64
                ": it was not written here; start from a snapshot",
                requested, head);
    } else if (code == ERR_FOREIGN) {
        err_set(err, code,
                "version %" PRIu64 " is of another history than this store's (oldest %" PRIu64
                ", head %" PRIu64 "); start from a snapshot",
                requested, oldest, head);
    } else {
        err_set(err, code,
                "version %" PRIu64 " is no longer kept: the oldest to resume from is %" PRIu64
                ", the head %" PRIu64 "; start from a snapshot",
                requested, oldest, head);
    }
    if (err != NULL) {
        err->requested = requested;
        err->oldest = oldest;
        err->head = head;
    }
    return code;
}

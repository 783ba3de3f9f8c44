/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/error.h"

#include <stdio.h>
#include <string.h>

/* The public codes are ours under other names. */
#define SAME(a, b) _Static_assert((int)(a) == (int)(b), #a " is not " #b)
SAME(WATCH_OK, OK);
SAME(WATCH_CANCELLED, ERR_CANCELLED);
SAME(WATCH_UNSUBSCRIBED, ERR_UNSUBSCRIBED);
SAME(WATCH_OUTCOME_UNKNOWN, ERR_OUTCOME_UNKNOWN);
SAME(WATCH_INVALID, ERR_INVALID);
SAME(WATCH_TOO_LARGE, ERR_TOO_LARGE);
SAME(WATCH_DEADLINE, ERR_DEADLINE);
SAME(WATCH_NOT_FOUND, ERR_NOT_FOUND);
SAME(WATCH_EXISTS, ERR_EXISTS);
SAME(WATCH_DENIED, ERR_DENIED);
SAME(WATCH_TOO_SLOW, ERR_TOO_SLOW);
SAME(WATCH_LIMIT, ERR_LIMIT);
SAME(WATCH_CONFLICT, ERR_CONFLICT);
SAME(WATCH_EXPIRED, ERR_EXPIRED);
SAME(WATCH_FUTURE, ERR_FUTURE);
SAME(WATCH_FOREIGN, ERR_FOREIGN);
SAME(WATCH_UNIMPLEMENTED, ERR_UNIMPLEMENTED);
SAME(WATCH_INTERNAL, ERR_INTERNAL);
SAME(WATCH_UNAVAILABLE, ERR_UNAVAILABLE);
SAME(WATCH_DRAINING, ERR_DRAINING);
SAME(WATCH_STORAGE_FULL, ERR_STORAGE_FULL);
SAME(WATCH_DATA_LOSS, ERR_DATA_LOSS);
SAME(WATCH_UNAUTHENTICATED, ERR_UNAUTHENTICATED);
SAME(WATCH_UNAUTHENTICATED + 1, ERRC_COUNT);

enum watch_code error_show(const struct err *err, bool from_server, struct watch_error *ret)
{
    if (ret != NULL) {
        memset(ret, 0, sizeof(*ret));
        ret->code = (enum watch_code)err->code;
        ret->from_server = from_server;
        ret->reason = err_info(err->code)->reason;
        snprintf(ret->field, sizeof(ret->field), "%s", err->field);
        snprintf(ret->message, sizeof(ret->message), "%s", err->msg);
        ret->requested = err->requested;
        ret->oldest = err->oldest;
        ret->head = err->head;
        ret->retry_ms = err->retry_ms;
    }
    return (enum watch_code)err->code;
}

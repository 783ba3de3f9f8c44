/* SPDX-License-Identifier: Apache-2.0 */
/* One request with one answer, attempted until it is answered or its time is over.
 *
 *   WAITING (for the link, or until retry_at) ⇄ FLYING → done
 *
 * A write is repeated as it is, with its request id, so the server does it once. An attempt that
 * was cut off leaves it open whether the write was done; should the time run out before another
 * attempt has told, the outcome is unknown. Owned by its client from unary_start to the end of
 * `done`. */
#ifndef WATCHD_CLIENT_UNARY_H
#define WATCHD_CLIENT_UNARY_H

#include "cli/client/client.h"

/* `response` is borrowed for the time of the call; with an error it is empty. */
typedef void unary_done_fn(void *arg, struct str response, const struct err *err, bool from_server);

struct unary_spec {
    const char *method;
    bool write;
    bool patient;       /* also repeat what a full disk refuses */
    int64_t give_up_ms; /* 0: never */
    int64_t attempt_ms;
    unary_done_fn *done;
    void (*drop)(void *arg); /* instead of `done` after unary_cancel; may be NULL */
    void *arg;
};

/* Takes the contents of `request` (which is empty afterwards). */
struct unary *unary_start(struct watch_client *c, const struct unary_spec *spec,
                          struct buf *request);
/* `done` is not called any more. */
void unary_cancel(struct unary *u);
void unary_cancel_all(struct watch_client *c);
/* Moves on those that wait: starts, gives up. */
void unary_tick(struct watch_client *c, mono_ms_t now);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A status: how an error ends a call, in gRPC's terms; the details travel in the trailer
 * grpc-status-details-bin. Lives until the batch with it was started. Threads: one at a time. */
#ifndef WATCHD_SERVER_STATUS_H
#define WATCHD_SERVER_STATUS_H

#include <grpc/grpc.h>

#include "store/base/err.h"

struct wire_more;

struct status {
    grpc_status_code code;
    grpc_slice text;
    grpc_metadata details;
    size_t n_details;
};

/* NULL: OK. */
void status_init(struct status *st, const struct err *err);
/* With what it tells besides. */
void status_init_with(struct status *st, const struct err *err, const struct wire_more *more);
void status_fini(struct status *st);
/* The operation that sends it; borrows. */
void status_op(struct status *st, grpc_op *ret);

/* Ends a call at once, whatever is in flight: its client gets the code and the reason in front of
 * the text, but no details. Threads: any, while the call is held. */
void status_cancel(grpc_call *call, const struct err *err);

#endif

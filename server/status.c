/* SPDX-License-Identifier: Apache-2.0 */
#include "server/status.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire.h"

#define DETAILS_MAX (16 * 1024)

/* "metadata.name: must not be empty" */
static void text_of(const struct err *err, char *ret, size_t size)
{
    if (err->field[0] != '\0' && strstr(err->msg, err->field) == NULL) {
        snprintf(ret, size, "%s: %s", err->field, err->msg);
    } else {
        snprintf(ret, size, "%s", err->msg);
    }
}

void status_init(struct status *st, const struct err *err)
{
    status_init_with(st, err, NULL);
}

void status_init_with(struct status *st, const struct err *err, const struct wire_more *more)
{
    *st = (struct status){.code = GRPC_STATUS_OK, .text = grpc_empty_slice()};
    if (err == NULL || err->code == OK) {
        return;
    }
    char text[sizeof(err->field) + sizeof(err->msg) + 4];
    text_of(err, text, sizeof(text));
    st->code = (grpc_status_code)err_info(err->code)->grpc;
    st->text = grpc_slice_from_copied_string(text);
    CLEANUP(buf_fini) struct buf details;
    buf_init(&details, DETAILS_MAX);
    wire_write_err_with(err, more, &details);
    if (!details.full) {
        st->details.key = grpc_slice_from_static_string("grpc-status-details-bin");
        st->details.value = grpc_slice_from_copied_buffer(details.p, details.n);
        st->n_details = 1;
    }
}

void status_fini(struct status *st)
{
    grpc_slice_unref(st->text);
    if (st->n_details > 0) {
        grpc_slice_unref(st->details.value);
    }
}

void status_op(struct status *st, grpc_op *ret)
{
    *ret = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    ret->data.send_status_from_server.status = st->code;
    ret->data.send_status_from_server.status_details = &st->text;
    ret->data.send_status_from_server.trailing_metadata_count = st->n_details;
    ret->data.send_status_from_server.trailing_metadata = st->n_details > 0 ? &st->details : NULL;
}

void status_cancel(grpc_call *call, const struct err *err)
{
    const struct err_info *info = err_info(err->code);
    char text[sizeof(err->msg) + 40];
    snprintf(text, sizeof(text), "%s: %s", info->reason, err->msg);
    grpc_call_cancel_with_status(call, (grpc_status_code)info->grpc, text, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of many objects in one call. */
#include <stdlib.h>

#include "cli/client/error.h"
#include "cli/client/reply.h"
#include "store/base/random.h"

static struct watch_written *show_outcomes(struct reply *r, struct arena *a,
                                           const struct wire_write_response *v, size_t n)
{
    struct watch_written *ret = reply_array(r, a, n, sizeof(*ret));
    for (size_t i = 0; i < n && ret != NULL; i++) {
        reply_written(a, &v[i], &ret[i]);
    }
    return ret;
}

enum watch_code watch_delete_collection(struct watch_client *c, const struct watch_selection *v,
                                        const char *field_manager, int dry_run, uint32_t limit,
                                        const char *next, struct watch_deleted_page *ret,
                                        struct watch_error *error)
{
    struct wire_delete_collection_request request = {
        .selection = client_selection(v),
        .dry_run = dry_run != 0,
        .limit = limit,
        .continue_token = str_of(next),
        .field_manager = str_of(field_manager),
    };
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_delete_collection_request(&request, &out);
    struct wire_delete_collection_response response;
    struct reply reply = reply_to(c, WIRE_DELETE_COLLECTION, true, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_delete_collection_response(&c->reply, reply.text, &response,
                                                                &reply.err));
    }
    struct watch_written *shown = NULL;
    if (reply.err.code == OK) {
        shown = show_outcomes(&reply, &c->reply, response.outcomes, response.n_outcomes);
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret = (struct watch_deleted_page){
        .deleted = shown,
        .n = response.n_outcomes,
        .next = reply_text(&c->reply, response.continue_token),
    };
    return WATCH_OK;
}

static enum errc transact_request(const struct watch_write *v, size_t n, struct buf *out,
                                  struct err *err)
{
    static const enum wire_operation_kind kinds[] = {
        [WATCH_PUT] = WIRE_OP_PUT,
        [WATCH_PATCH] = WIRE_OP_PATCH,
        [WATCH_DELETE] = WIRE_OP_DELETE,
        [WATCH_CHECK] = WIRE_OP_CHECK,
    };
    if (n == 0 || n > WATCH_TRANSACT_MAX) {
        return err_field(err, ERR_INVALID, "operations", "must be 1 to %d, not %zu",
                         WATCH_TRANSACT_MAX, n);
    }
    char id[REQUEST_ID_LEN];
    random_bytes(id, sizeof(id));
    struct wire_operation *ops = mem_zalloc(n * sizeof(*ops));
    enum errc rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        if ((unsigned)v[i].verb >= sizeof(kinds) / sizeof(kinds[0])) {
            rc = err_field(err, ERR_INVALID, "verb", "there is no such verb");
        } else {
            ops[i].kind = kinds[v[i].verb];
            rc = client_write(&v[i], &ops[i].write, err);
        }
        if (rc != OK) {
            err_within(err, "operations[%zu]", i);
        }
    }
    struct wire_transact_request request = {
        .operations = ops,
        .n_operations = n,
        .dry_run = v[0].dry_run != 0,
        .request_id = {id, sizeof(id)},
        .return_objects = v[0].want_object != 0,
    };
    if (rc == OK) {
        wire_write_transact_request(&request, out);
    }
    free(ops);
    return rc == OK && out->full
               ? err_field(err, ERR_TOO_LARGE, "operations", "the documents are far too large")
               : rc;
}

enum watch_code watch_transact(struct watch_client *c, const struct watch_write *writes, size_t n,
                               struct watch_transacted *ret, struct watch_error *error)
{
    struct buf out;
    struct err err;
    buf_init(&out, CLIENT_REPLY_MAX);
    if (transact_request(writes, n, &out, &err) != OK) {
        buf_fini(&out);
        return error_show(&err, false, error);
    }
    struct wire_transact_response response;
    struct reply reply = reply_to(c, WIRE_TRANSACT, true, &out);
    if (reply.err.code == OK) {
        reply_read(&reply,
                   wire_read_transact_response(&c->reply, reply.text, &response, &reply.err));
    }
    struct watch_written *shown = NULL;
    if (reply.err.code == OK) {
        shown = show_outcomes(&reply, &c->reply, response.outcomes, response.n_outcomes);
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret = (struct watch_transacted){
        .written = shown,
        .n = response.n_outcomes,
        .rv = response.rv,
    };
    return WATCH_OK;
}

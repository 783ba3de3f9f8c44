/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of many objects in one call. */
#include "cli/client/error.h"
#include "cli/client/reply.h"

static struct watch_written *show_outcomes(struct arena *a, const struct wire_write_response *v,
                                           size_t n)
{
    struct watch_written *ret = arena_alloc(a, n * sizeof(*ret) + 1);
    for (size_t i = 0; i < n; i++) {
        reply_written(a, &v[i], &ret[i]);
    }
    return ret;
}

enum watch_code watch_delete_collection(struct watch_client *c, const struct watch_selection *v,
                                        int dry_run, uint32_t limit, const char *next,
                                        struct watch_deleted_page *ret, struct watch_error *error)
{
    struct wire_delete_collection_request request = {
        .selection = client_selection(v),
        .dry_run = dry_run != 0,
        .limit = limit,
        .continue_token = str_of(next),
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
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    *ret = (struct watch_deleted_page){
        .deleted = show_outcomes(&c->reply, response.outcomes, response.n_outcomes),
        .n = response.n_outcomes,
        .next = reply_text(&c->reply, response.continue_token),
    };
    return WATCH_OK;
}

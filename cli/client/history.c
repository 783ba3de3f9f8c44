/* SPDX-License-Identifier: Apache-2.0 */
/* The kept versions of one object. */
#include "cli/client/error.h"
#include "cli/client/reply.h"

enum watch_code watch_history(struct watch_client *c, const char *resource, const char *ns,
                              const char *name, uint64_t at_most, uint32_t limit, int omit,
                              struct watch_revisions *ret, struct watch_error *error)
{
    struct wire_history_request request = {
        .key = {.resource = str_of(resource), .ns = str_of(ns), .name = str_of(name)},
        .at_most = at_most,
        .limit = limit,
        .omit = omit != 0,
    };
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_history_request(&request, &out);
    struct wire_history_response response;
    struct reply reply = reply_to(c, WIRE_HISTORY, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply,
                   wire_read_history_response(&c->reply, reply.text, &response, &reply.err));
    }
    struct watch_revision *v = NULL;
    if (reply.err.code == OK) {
        v = reply_array(&reply, &c->reply, response.n, sizeof(*v));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    for (size_t i = 0; i < response.n; i++) {
        const struct wire_revision *r = &response.revisions[i];
        reply_object(&c->reply, &r->object, &v[i].object);
        v[i].cause = (enum watch_cause)r->cause;
        v[i].time_ms = r->time;
        v[i].manager = reply_text(&c->reply, r->manager);
        v[i].generation = r->generation;
        v[i].previous_rv = r->previous_rv;
    }
    *ret = (struct watch_revisions){
        .v = v, .n = response.n, .next_at_most = response.next, .oldest = response.floor};
    return WATCH_OK;
}

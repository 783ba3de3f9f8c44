/* SPDX-License-Identifier: Apache-2.0 */
/* The history of one object. */
#include "proto/wire_impl.h"

enum { HISTORY_KEY = 1, HISTORY_AT_MOST, HISTORY_LIMIT, HISTORY_OMIT };
enum { HISTORY_REVISIONS = 1, HISTORY_NEXT, HISTORY_FLOOR };
enum {
    REVISION_OBJECT = 1,
    REVISION_CAUSE,
    REVISION_TIME,
    REVISION_MANAGER,
    REVISION_GENERATION,
    REVISION_PREVIOUS,
};

enum errc wire_read_history_request(struct arena *a, struct str in,
                                    struct wire_history_request *ret, struct err *err)
{
    const Watch__V1__HistoryRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__history_request__descriptor, in, &m, err);
    if (code == OK) {
        wire_key_of(m->key, &ret->key);
        ret->at_most = m->at_most;
        ret->limit = m->limit;
        ret->omit = m->omit_objects;
    }
    return code;
}

void wire_write_history_request(const struct wire_history_request *m, struct buf *out)
{
    wire_add_key(out, HISTORY_KEY, &m->key);
    pb_add_u64(out, HISTORY_AT_MOST, m->at_most);
    pb_add_u64(out, HISTORY_LIMIT, m->limit);
    pb_add_bool(out, HISTORY_OMIT, m->omit);
}

void wire_append_revision(const struct event *ev, bool omit, struct buf *out)
{
    struct wire_doc d = {0};
    if (!omit) {
        wire_doc_body(&d, ev->body, ev->splice, ev->rv, ev->generation);
    }
    size_t opened = pb_open(out, HISTORY_REVISIONS);
    wire_add_object(out, REVISION_OBJECT, &ev->key, ev->rv, &d);
    pb_add_u64(out, REVISION_CAUSE, (uint64_t)ev->cause); /* ours have the same numbers */
    pb_add_u64(out, REVISION_TIME, (uint64_t)ev->time);
    pb_add_str(out, REVISION_MANAGER, ev->manager.n != 0 ? ev->manager : STR("unknown"));
    pb_add_u64(out, REVISION_GENERATION, ev->generation);
    pb_add_u64(out, REVISION_PREVIOUS, ev->prev_rv);
    pb_close(out, opened);
}

void wire_append_history_end(rv_t next, rv_t floor, struct buf *out)
{
    pb_add_u64(out, HISTORY_NEXT, next);
    pb_add_u64(out, HISTORY_FLOOR, floor);
}

enum errc wire_read_history_response(struct arena *a, struct str in,
                                     struct wire_history_response *ret, struct err *err)
{
    const Watch__V1__HistoryResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__history_response__descriptor, in, &m, err);
    struct wire_revision *v = NULL;
    code = code == OK ? wire_array(a, m->n_revisions, sizeof(*v), &v, err) : code;
    if (code != OK) {
        return code;
    }
    for (size_t i = 0; i < m->n_revisions; i++) {
        const Watch__V1__Revision *r = m->revisions[i];
        wire_object_of(r->object, &v[i].object);
        v[i].cause = (enum wire_cause)r->cause;
        v[i].time = r->time_unix_ms;
        v[i].manager = str_of(r->field_manager);
        v[i].generation = r->generation;
        v[i].previous_rv = r->previous_resource_version;
    }
    *ret = (struct wire_history_response){
        .revisions = v, .n = m->n_revisions, .next = m->next_at_most, .floor = m->floor};
    return OK;
}

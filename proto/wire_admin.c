/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire_impl.h"

#include "watch/v1/admin.pb-c.h"

enum {
    STATUS_VERSION = 1,
    STATUS_STORE_ID,
    STATUS_EPOCH,
    STATUS_HEAD,
    STATUS_FLOOR,
    STATUS_OBJECTS,
    STATUS_HISTORY_EVENTS,
    STATUS_HISTORY_BYTES,
    STATUS_FILE_BYTES,
    STATUS_WATCHES,
    STATUS_UPTIME,
    STATUS_SQLITE_VERSION,
    STATUS_GRPC_VERSION,
    STATUS_READ_ONLY_REASON,
    STATUS_RESOURCES,
};
enum { USE_RESOURCE = 1, USE_OBJECTS };
enum { COMPACT_RV = 1 };
enum { COMPACTED_REMOVED = 1, COMPACTED_FLOOR };
enum { METRICS_TEXT = 1 };

void wire_write_status_response(const struct wire_status *m, struct buf *out)
{
    pb_add_str(out, STATUS_VERSION, m->version);
    pb_add_str(out, STATUS_STORE_ID, m->store_id);
    pb_add_u64(out, STATUS_EPOCH, m->epoch);
    pb_add_u64(out, STATUS_HEAD, m->head);
    pb_add_u64(out, STATUS_FLOOR, m->floor);
    pb_add_u64(out, STATUS_OBJECTS, m->objects);
    pb_add_u64(out, STATUS_HISTORY_EVENTS, m->history_events);
    pb_add_u64(out, STATUS_HISTORY_BYTES, m->history_bytes);
    pb_add_u64(out, STATUS_FILE_BYTES, m->file_bytes);
    pb_add_u64(out, STATUS_WATCHES, m->watches);
    pb_add_u64(out, STATUS_UPTIME, m->uptime_ms);
    pb_add_str(out, STATUS_SQLITE_VERSION, m->sqlite_version);
    pb_add_str(out, STATUS_GRPC_VERSION, m->grpc_version);
    pb_add_str(out, STATUS_READ_ONLY_REASON, m->read_only_reason);
    for (size_t i = 0; i < m->n_resources; i++) {
        size_t opened = pb_open(out, STATUS_RESOURCES);
        pb_add_str(out, USE_RESOURCE, m->resources[i].resource);
        pb_add_u64(out, USE_OBJECTS, m->resources[i].objects);
        pb_close(out, opened);
    }
}

static enum errc read_uses(struct arena *a, const Watch__V1__StatusResponse *m,
                           struct wire_status *ret, struct err *err)
{
    struct wire_resource_use *v = arena_alloc(a, m->n_resources * sizeof(*v));
    if (v == NULL && m->n_resources != 0) {
        return err_set(err, ERR_TOO_LARGE, "the list of resources is too large");
    }
    for (size_t i = 0; i < m->n_resources; i++) {
        v[i] =
            (struct wire_resource_use){str_of(m->resources[i]->resource), m->resources[i]->objects};
    }
    ret->resources = v;
    ret->n_resources = m->n_resources;
    return OK;
}

enum errc wire_read_status_response(struct arena *a, struct str in, struct wire_status *ret,
                                    struct err *err)
{
    const Watch__V1__StatusResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__status_response__descriptor, in, &m, err);
    if (code == OK) {
        *ret = (struct wire_status){
            .version = str_of(m->version),
            .store_id = str_of(m->store_id),
            .epoch = m->epoch,
            .head = m->head,
            .floor = m->floor,
            .objects = m->objects,
            .history_events = m->history_events,
            .history_bytes = m->history_bytes,
            .file_bytes = m->file_bytes,
            .uptime_ms = m->uptime_ms,
            .watches = m->watches,
            .sqlite_version = str_of(m->sqlite_version),
            .grpc_version = str_of(m->grpc_version),
            .read_only_reason = str_of(m->read_only_reason),
        };
        code = read_uses(a, m, ret, err);
    }
    return code;
}

enum errc wire_read_compact_request(struct arena *a, struct str in, rv_t *ret_rv, struct err *err)
{
    const Watch__V1__CompactRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__compact_request__descriptor, in, &m, err);
    if (code == OK) {
        *ret_rv = m->resource_version;
    }
    return code;
}

void wire_write_compact_request(rv_t rv, struct buf *out)
{
    pb_add_u64(out, COMPACT_RV, rv);
}

enum errc wire_read_compact_response(struct arena *a, struct str in, uint64_t *ret_removed,
                                     rv_t *ret_floor, struct err *err)
{
    const Watch__V1__CompactResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__compact_response__descriptor, in, &m, err);
    if (code == OK) {
        *ret_removed = m->removed;
        *ret_floor = m->floor;
    }
    return code;
}

void wire_write_compact_response(uint64_t removed, rv_t floor, struct buf *out)
{
    pb_add_u64(out, COMPACTED_REMOVED, removed);
    pb_add_u64(out, COMPACTED_FLOOR, floor);
}

void wire_write_metrics_response(struct str text, struct buf *out)
{
    pb_add_str(out, METRICS_TEXT, text);
}

enum errc wire_read_metrics_response(struct arena *a, struct str in, struct str *ret_text,
                                     struct err *err)
{
    const Watch__V1__MetricsResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__metrics_response__descriptor, in, &m, err);
    if (code == OK) {
        *ret_text = str_of(m->text);
    }
    return code;
}

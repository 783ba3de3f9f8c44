/* SPDX-License-Identifier: Apache-2.0 */
/* The wire: our messages in and out, for server and client. The one place that knows protobuf.
 *
 * For each message Foo of proto/watch/v1 there is a struct wire_foo with
 *     wire_read_foo(arena, bytes, &foo, err)   decodes; all texts borrow from the arena
 *     wire_write_foo(&foo, buf)                encodes
 * Decoding first walks the bytes: strings must be UTF-8 without NUL, nesting and counts bounded;
 * then unpacks within the arena's budget. Errors: ERR_INVALID naming the field by its path.
 * Events are encoded once and shared; see "Events".
 * Threads: any. */
#ifndef WATCHD_PROTO_WIRE_H
#define WATCHD_PROTO_WIRE_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/model/draft.h"
#include "store/model/event.h"
#include "store/model/ownership.h"
#include "store/model/selection.h"

/* ---- Methods ---------------------------------------------------------------------------- */

#define WIRE_GET                "/watch.v1.ObjectService/Get"
#define WIRE_LIST               "/watch.v1.ObjectService/List"
#define WIRE_PUT                "/watch.v1.ObjectService/Put"
#define WIRE_PATCH              "/watch.v1.ObjectService/Patch"
#define WIRE_DELETE             "/watch.v1.ObjectService/Delete"
#define WIRE_DELETE_COLLECTION  "/watch.v1.ObjectService/DeleteCollection"
#define WIRE_TRANSACT           "/watch.v1.ObjectService/Transact"
#define WIRE_HISTORY            "/watch.v1.ObjectService/History"
#define WIRE_SUBSCRIBE          "/watch.v1.WatchService/Subscribe"
#define WIRE_UNSUBSCRIBE        "/watch.v1.WatchService/Unsubscribe"
#define WIRE_REQUEST_BOOKMARK   "/watch.v1.WatchService/RequestBookmark"
#define WIRE_LIST_SUBSCRIPTIONS "/watch.v1.WatchService/ListSubscriptions"
#define WIRE_STATUS             "/watch.v1.AdminService/Status"
#define WIRE_COMPACT            "/watch.v1.AdminService/Compact"
#define WIRE_METRICS            "/watch.v1.AdminService/Metrics"
#define WIRE_HEALTH_CHECK       "/grpc.health.v1.Health/Check"
#define WIRE_HEALTH_WATCH       "/grpc.health.v1.Health/Watch"
#define WIRE_REFLECTION_V1      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define WIRE_REFLECTION_V1ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

/* ---- Objects ------------------------------------------------------------------------------ */

/* An object on the wire: identity and version typed, the document as text ("" when left out). */
struct wire_object {
    struct key key;
    rv_t rv;
    struct str json;
};

enum wire_put_mode { WIRE_PUT_ANY = 0, WIRE_PUT_CREATE = 1, WIRE_PUT_UPDATE = 2 };
enum wire_put_scope {
    WIRE_SCOPE_WHOLE = 0,
    WIRE_SCOPE_SPEC = 1,
    WIRE_SCOPE_AUTO = 2,
    WIRE_SCOPE_STATUS = 3,
    WIRE_SCOPE_KEEP_STATUS = 4,
};
enum wire_patch_type { WIRE_PATCH_MERGE = 0, WIRE_PATCH_JSON = 1, WIRE_PATCH_APPLY = 2 };
enum wire_patch_scope {
    WIRE_PATCH_SCOPE_WHOLE = 0,
    WIRE_PATCH_SCOPE_STATUS = 1,
    WIRE_PATCH_SCOPE_KEEP_STATUS = 2,
};
enum wire_result {
    WIRE_RESULT_NONE = 0,
    WIRE_RESULT_CREATED = 1,
    WIRE_RESULT_UPDATED = 2,
    WIRE_RESULT_UNCHANGED = 3,
    WIRE_RESULT_DELETED = 4,
};

struct wire_get_request {
    struct key key; /* as sent: resource and ns may be "" */
    rv_t rv;        /* 0: as it is now */
    bool show_managed_fields;
};
struct wire_get_response {
    struct wire_object object;
};

enum wire_match { WIRE_MATCH_ANY = 0, WIRE_MATCH_NOT_OLDER = 1, WIRE_MATCH_EXACT = 2 };
struct wire_list_request {
    struct selection selection;
    uint32_t limit;
    struct str continue_token;
    rv_t rv;
    int match; /* enum wire_match; unknown numbers are refused by wire_read */
};
/* Decoding side; the server appends objects one by one, see wire_append_list_object. */
struct wire_list_response {
    rv_t rv;
    struct wire_object *objects;
    size_t n_objects;
    struct str continue_token;
    uint64_t remaining;
};

/* Put, Patch and Delete share one shape; what a request cannot carry stays zero. */
struct wire_write_request {
    struct key key;
    struct str json; /* Put: document, Patch: patch */
    /* Numbers that the enums do not have are refused by wire_read. */
    int mode;        /* Put: enum wire_put_mode */
    int scope;       /* Put: enum wire_put_scope */
    int type;        /* Patch: enum wire_patch_type */
    int patch_scope; /* Patch: enum wire_patch_scope */
    int propagation; /* Delete: enum wire_propagation */
    struct precondition pre;
    bool dry_run;
    struct str request_id; /* empty or REQUEST_ID_LEN bytes */
    bool return_object;
    uint64_t ttl_ms; /* Put, Patch */
    bool no_ttl;
    struct str field_manager;
    bool generate_name; /* Put */
    bool force;         /* Patch */
};
struct wire_write_response {
    struct wire_object object;
    enum wire_result result;
    struct str uid;
    uint64_t generation;
};

enum errc wire_read_get_request(struct arena *a, struct str in, struct wire_get_request *ret,
                                struct err *err) NODISCARD;
enum errc wire_read_list_request(struct arena *a, struct str in, struct wire_list_request *ret,
                                 struct err *err) NODISCARD;
enum errc wire_read_put_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                struct err *err) NODISCARD;
enum errc wire_read_patch_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                  struct err *err) NODISCARD;
enum errc wire_read_delete_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                   struct err *err) NODISCARD;
void wire_write_get_request(const struct wire_get_request *m, struct buf *out);
void wire_write_list_request(const struct wire_list_request *m, struct buf *out);
void wire_write_put_request(const struct wire_write_request *m, struct buf *out);
void wire_write_patch_request(const struct wire_write_request *m, struct buf *out);
void wire_write_delete_request(const struct wire_write_request *m, struct buf *out);

enum errc wire_read_get_response(struct arena *a, struct str in, struct wire_get_response *ret,
                                 struct err *err) NODISCARD;
enum errc wire_read_list_response(struct arena *a, struct str in, struct wire_list_response *ret,
                                  struct err *err) NODISCARD;
/* PutResponse, PatchResponse and DeleteResponse are the same on the wire. */
enum errc wire_read_write_response(struct arena *a, struct str in, struct wire_write_response *ret,
                                   struct err *err) NODISCARD;
void wire_write_write_response(const struct wire_write_response *m, struct buf *out);

/* A stored object as GetResponse, its text spliced, with metadata.managedFields unless that is
 * empty.
 */
void wire_write_get_response(const struct object *o, struct str managed_fields, struct buf *out);
/* A list, piece by piece, in any order: objects as they are found, then the rest. */
void wire_append_list_object(const struct object *o, struct buf *out);
void wire_append_list_end(rv_t rv, struct str continue_token, uint64_t remaining, struct buf *out);

/* ---- Writes of many objects (wire_many.c) ---------------------------------------------------- */

enum wire_propagation { WIRE_PROPAGATE_BACKGROUND = 0, WIRE_PROPAGATE_ORPHAN = 1 };

struct wire_delete_collection_request {
    struct selection selection;
    bool dry_run;
    int propagation; /* enum wire_propagation */
    uint32_t limit;
    struct str continue_token;
    struct str field_manager;
};
/* Decoding side; the server appends outcomes one by one. */
struct wire_delete_collection_response {
    struct wire_write_response *outcomes;
    size_t n_outcomes;
    struct str continue_token;
};
enum errc wire_read_delete_collection_request(struct arena *a, struct str in,
                                              struct wire_delete_collection_request *ret,
                                              struct err *err) NODISCARD;
void wire_write_delete_collection_request(const struct wire_delete_collection_request *m,
                                          struct buf *out);
enum errc wire_read_delete_collection_response(struct arena *a, struct str in,
                                               struct wire_delete_collection_response *ret,
                                               struct err *err) NODISCARD;
void wire_append_outcome(const struct wire_write_response *m, struct buf *out);
void wire_append_collection_end(struct str continue_token, struct buf *out);

enum wire_operation_kind { WIRE_OP_PUT, WIRE_OP_PATCH, WIRE_OP_DELETE, WIRE_OP_CHECK };
struct wire_operation {
    enum wire_operation_kind kind;
    struct wire_write_request write; /* CHECK: key and pre */
};
struct wire_transact_request {
    struct wire_operation *operations;
    size_t n_operations;
    bool dry_run;
    struct str request_id; /* empty or REQUEST_ID_LEN bytes */
    bool return_objects;
};
/* Decoding side; the server appends outcomes one by one. */
struct wire_transact_response {
    struct wire_write_response *outcomes;
    size_t n_outcomes;
    rv_t rv;
};
enum errc wire_read_transact_request(struct arena *a, struct str in,
                                     struct wire_transact_request *ret, struct err *err) NODISCARD;
void wire_write_transact_request(const struct wire_transact_request *m, struct buf *out);
enum errc wire_read_transact_response(struct arena *a, struct str in,
                                      struct wire_transact_response *ret,
                                      struct err *err) NODISCARD;
void wire_append_transaction_end(rv_t rv, struct buf *out);
/* The word of a kind: "put". */
const char *wire_operation_word(enum wire_operation_kind kind);

/* ---- History ------------------------------------------------------------------------------- */

struct wire_history_request {
    struct key key; /* as sent: resource and ns may be "" */
    rv_t at_most;
    uint32_t limit;
    bool omit;
};
enum errc wire_read_history_request(struct arena *a, struct str in,
                                    struct wire_history_request *ret, struct err *err) NODISCARD;
void wire_write_history_request(const struct wire_history_request *m, struct buf *out);
/* A response, piece by piece, in any order. */
void wire_append_revision(const struct event *ev, bool omit, struct buf *out);
void wire_append_history_end(rv_t next, rv_t floor, struct buf *out);

/* ---- Watches ------------------------------------------------------------------------------- */

enum wire_start {
    WIRE_START_SNAPSHOT,
    WIRE_START_SINCE,
    WIRE_START_RESUME,
    WIRE_START_NOW,
    WIRE_START_OLDEST,
};

struct wire_subscribe_request {
    struct str client_id;
    struct selection *selections;
    size_t n_selections;
    enum wire_start start;
    rv_t since;        /* START_SINCE */
    struct str resume; /* START_RESUME */
    bool send_previous;
    uint32_t bookmark_interval_ms;
    uint64_t duration_ms;
};
enum errc wire_read_subscribe_request(struct arena *a, struct str in,
                                      struct wire_subscribe_request *ret,
                                      struct err *err) NODISCARD;
void wire_write_subscribe_request(const struct wire_subscribe_request *m, struct buf *out);

/* Heads of a SubscribeResponse; events follow by concatenation. */
struct wire_started {
    struct str subscription_id, client_id, store_id;
    rv_t head, floor;
};
void wire_append_position(struct str position, struct buf *out);
void wire_append_started(const struct wire_started *m, struct buf *out);
void wire_append_synced(rv_t rv, struct buf *out);
void wire_append_bookmark(rv_t rv, struct buf *out);

/* Events. The bytes of one event include its field's tag and length, so that any concatenation of
 * events and heads is a SubscribeResponse. Forms: see enum event_form.
 * The event's texts, splices and delta must fit together, as the checksums of the store vouch for;
 * if they do not, the process ends. FORM_LEFT needs a prev_rv. */
size_t wire_event_size(const struct event *ev, enum event_form form, bool previous);
/* At least as many in every form, told without a look at the texts. */
size_t wire_event_bound(const struct event *ev, bool previous);
/* Writes exactly that many bytes and returns the place behind them. */
uint8_t *wire_event_write(const struct event *ev, enum event_form form, bool previous, uint8_t *at);

/* A SubscribeResponse, decoded. */
enum wire_signal {
    WIRE_SIGNAL_NONE,
    WIRE_SIGNAL_STARTED,
    WIRE_SIGNAL_SYNCED,
    WIRE_SIGNAL_BOOKMARK,
};
enum wire_event_type { WIRE_ADDED = 1, WIRE_MODIFIED = 2, WIRE_DELETED = 3 };
enum wire_cause {
    WIRE_CAUSE_NONE = 0,
    WIRE_CAUSE_CREATED = 1,
    WIRE_CAUSE_UPDATED = 2,
    WIRE_CAUSE_DELETED = 3,
    WIRE_CAUSE_EXPIRED = 4,
    WIRE_CAUSE_ENTERED = 5,
    WIRE_CAUSE_LEFT = 6,
    WIRE_CAUSE_EXPIRING = 7,
};
struct wire_revision {
    struct wire_object object;
    enum wire_cause cause;
    int64_t time;
    struct str manager;
    uint64_t generation;
    rv_t previous_rv;
};
struct wire_history_response {
    struct wire_revision *revisions;
    size_t n;
    rv_t next, floor;
};
enum errc wire_read_history_response(struct arena *a, struct str in,
                                     struct wire_history_response *ret, struct err *err) NODISCARD;
struct wire_event {
    enum wire_event_type type;
    enum wire_cause cause;
    struct wire_object object;
    bool has_previous;
    struct wire_object previous;
};
struct wire_subscribe_response {
    struct str position;
    enum wire_signal signal;
    struct wire_started started;
    rv_t rv; /* SYNCED, BOOKMARK */
    struct wire_event *events;
    size_t n_events;
};
enum errc wire_read_subscribe_response(struct arena *a, struct str in,
                                       struct wire_subscribe_response *ret,
                                       struct err *err) NODISCARD;

struct wire_unsubscribe_request {
    struct str client_id; /* exactly one of the two, as wire_read sees to */
    struct str subscription_id;
};
struct wire_subscription {
    struct str subscription_id, client_id, peer;
    struct selection *selections;
    size_t n_selections;
    int state; /* SubscriptionState: 1 snapshot, 2 replay, 3 live */
    rv_t rv;
    uint64_t age_ms, stalled_ms, events_sent;
};
enum errc wire_read_unsubscribe_request(struct arena *a, struct str in,
                                        struct wire_unsubscribe_request *ret,
                                        struct err *err) NODISCARD;
void wire_write_unsubscribe_request(const struct wire_unsubscribe_request *m, struct buf *out);
enum errc wire_read_unsubscribe_response(struct arena *a, struct str in, uint32_t *ret_ended,
                                         struct err *err) NODISCARD;
void wire_write_unsubscribe_response(uint32_t ended, struct buf *out);
enum errc wire_read_request_bookmark_request(struct arena *a, struct str in,
                                             struct str *ret_subscription_id,
                                             struct err *err) NODISCARD;
void wire_write_request_bookmark_request(struct str subscription_id, struct buf *out);
enum errc wire_read_list_subscriptions_request(struct arena *a, struct str in,
                                               struct str *ret_client_id,
                                               struct err *err) NODISCARD;
void wire_write_list_subscriptions_request(struct str client_id, struct buf *out);
/* One more entry of a ListSubscriptionsResponse. */
void wire_append_subscription(const struct wire_subscription *m, struct buf *out);
enum errc wire_read_list_subscriptions_response(struct arena *a, struct str in,
                                                struct wire_subscription **ret, size_t *ret_n,
                                                struct err *err) NODISCARD;

/* ---- Administration ------------------------------------------------------------------------- */

struct wire_resource_use {
    struct str resource;
    uint64_t objects;
};
struct wire_status {
    struct str version, store_id;
    uint32_t epoch;
    rv_t head, floor;
    uint64_t objects, history_events, history_bytes, file_bytes, uptime_ms;
    uint32_t watches;
    struct str sqlite_version, grpc_version, read_only_reason;
    const struct wire_resource_use *resources;
    size_t n_resources;
};
void wire_write_status_response(const struct wire_status *m, struct buf *out);
enum errc wire_read_status_response(struct arena *a, struct str in, struct wire_status *ret,
                                    struct err *err) NODISCARD;
enum errc wire_read_compact_request(struct arena *a, struct str in, rv_t *ret_rv,
                                    struct err *err) NODISCARD;
void wire_write_compact_request(rv_t rv, struct buf *out);
enum errc wire_read_compact_response(struct arena *a, struct str in, uint64_t *ret_removed,
                                     rv_t *ret_floor, struct err *err) NODISCARD;
void wire_write_compact_response(uint64_t removed, rv_t floor, struct buf *out);
void wire_write_metrics_response(struct str text, struct buf *out);
enum errc wire_read_metrics_response(struct arena *a, struct str in, struct str *ret_text,
                                     struct err *err) NODISCARD;

/* ---- Errors ---------------------------------------------------------------------------------- */

/* google.rpc.Status with ErrorInfo, and BadRequest and RetryInfo where they apply: the value of
 * the trailer grpc-status-details-bin. */
void wire_write_err(const struct err *e, struct buf *out);
/* What some errors tell besides; NULL: nothing. */
struct wire_more {
    struct str continue_token;         /* unless empty: among the metadata of ErrorInfo */
    const struct conflicts *conflicts; /* unless NULL: the field violations */
};
void wire_write_err_with(const struct err *e, const struct wire_more *more, struct buf *out);
/* The conflicts out of such a status; false if there are none. They borrow from the arena. */
struct wire_conflict {
    struct str field;
    struct str description; /* conflict with "ci" */
};
bool wire_read_conflicts(struct arena *a, struct str details, struct wire_conflict **ret,
                         size_t *ret_n);
/* Back again; `grpc_status` and `message` are the call's own, for peers that send no details. A
 * call that is cut off can carry none: then the reason stands before the message, "TOO_SLOW: …",
 * and is taken from there. Returns whether the peer gave a reason that gRPC itself never does. */
bool wire_read_err(int grpc_status, struct str message, struct str details, struct err *ret);

/* ---- Health, reflection ------------------------------------------------------------------- */

enum wire_health { WIRE_HEALTH_SERVING = 1, WIRE_HEALTH_NOT_SERVING = 2, WIRE_HEALTH_UNKNOWN = 3 };
enum errc wire_read_health_request(struct arena *a, struct str in, struct str *ret_service,
                                   struct err *err) NODISCARD;
void wire_write_health_response(enum wire_health status, struct buf *out);

/* Answers one request of the reflection protocol (both versions are the same on the wire). */
enum errc wire_reflect(struct arena *a, struct str in, struct buf *out, struct err *err) NODISCARD;
/* Calls fn for each service of the built-in descriptors: "watch.v1.ObjectService". */
void wire_each_service(void (*fn)(void *arg, struct str name), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* libwatch: a client of watchd. Reads, writes that are safe to repeat, and watches that resume by
 * themselves, exactly where they were cut.
 *
 * Threads: a client and all that was made from it belong to one thread at a time; only
 * watch_client_interrupt may be called from others and from signal handlers. The library starts
 * no thread of its own (gRPC core does): everything happens inside the calls made here, and
 * callbacks run inside watch_client_poll or any call that waits. Different clients are independent.
 *
 * Ownership: arguments are copied, nothing is kept. What is handed out is borrowed from the client
 * or the stream, until the time that is said at each function. Texts end with a NUL; JSON texts
 * have a length besides, since they may be big.
 *
 * Errors: what can fail returns an enum watch_code and fills the caller's struct watch_error (NULL
 * is allowed). On success neither the error is touched, nor on failure the results.
 *
 * Connection: made when first needed and again whenever it is lost: at once (within 50 ms), then
 * after 100 ms doubled each time up to 2 s, with full jitter; a first answer resets that. A delay
 * that the server asks for is honoured. A connection without traffic is pinged after 30 s, and
 * given up 20 s later. */
#ifndef WATCH_CLIENT_H
#define WATCH_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WATCH_API    __attribute__((visibility("default")))
#define WATCH_RESULT __attribute__((warn_unused_result))
#else
#define WATCH_API
#define WATCH_RESULT
#endif

/* ---- Errors -------------------------------------------------------------------------------- */

enum watch_code {
    WATCH_OK,
    WATCH_CANCELLED,       /* watch_client_interrupt was called, or the server gave the call up */
    WATCH_UNSUBSCRIBED,    /* somebody ended this watch by Unsubscribe */
    WATCH_OUTCOME_UNKNOWN, /* the write may have been done or not */
    WATCH_INVALID,         /* see `field` */
    WATCH_TOO_LARGE,
    WATCH_DEADLINE, /* connected, but no answer in time */
    WATCH_NOT_FOUND,
    WATCH_EXISTS, /* the object's version in `head` */
    WATCH_DENIED,
    WATCH_TOO_SLOW,
    WATCH_LIMIT,
    WATCH_CONFLICT, /* expected version in `requested`, the object's in `head` */
    WATCH_EXPIRED,  /* the history asked for is gone: see requested, oldest, head */
    WATCH_FUTURE,   /* a version above the head */
    WATCH_FOREIGN,  /* a position of another store, or of a time before a restore */
    WATCH_UNIMPLEMENTED,
    WATCH_INTERNAL,
    WATCH_UNAVAILABLE, /* never connected; why, is in the message */
    WATCH_DRAINING,
    WATCH_STORAGE_FULL,
    WATCH_DATA_LOSS,
    WATCH_UNAUTHENTICATED
};

struct watch_error {
    enum watch_code code;
    int from_server;    /* 1: the server said it; 0: it was found on this side */
    const char *reason; /* "EXPIRED"; static, never NULL */
    char field[160];    /* path of the field at fault, or "" */
    char message[360];  /* one sentence without a newline */
    uint64_t requested; /* versions, where the code has some; else 0 */
    uint64_t oldest;
    uint64_t head;
    int64_t retry_ms; /* when the server wants to be asked again; 0: no advice */
};

/* ---- Clients ------------------------------------------------------------------------------- */

struct watch_client;

#define WATCH_DEFAULT_ADDRESS    "127.0.0.1:7733"
#define WATCH_DEFAULT_TIMEOUT_MS 10000

struct watch_client_options {
    const char *address;    /* "HOST", "HOST:PORT" or "unix:PATH"; NULL: the default */
    const char *token;      /* bearer token, NULL: none */
    const char *user_agent; /* "myprogram/1.0", NULL: none */
    int64_t timeout_ms;     /* of one blocking call, and of one attempt to open a watch; 0: 10 s */
};

/* What is known of the connection. */
enum watch_link {
    WATCH_LINK_IDLE,       /* none, and none was needed yet, or the last one ended unnoticed */
    WATCH_LINK_CONNECTING, /* an attempt is under way, or its time has not come */
    WATCH_LINK_READY
};

/* *ret is new; free it with watch_client_free. Does not connect yet, so it also succeeds before the
 * server is there. Errors: WATCH_INVALID (the address or the token). */
WATCH_API WATCH_RESULT enum watch_code watch_client_new(const struct watch_client_options *options,
                                                        struct watch_client **ret,
                                                        struct watch_error *error);
/* Ends all that runs; callbacks of unanswered writes are not called any more. Streams that were not
 * closed are freed as well. NULL is fine. */
WATCH_API void watch_client_free(struct watch_client *client);

/* Works for at most timeout_ms (0: only what is ready, < 0: until something happened): connects,
 * sends, receives, calls callbacks. Returns whether anything happened. */
WATCH_API int watch_client_poll(struct watch_client *client, int64_t timeout_ms);

WATCH_API enum watch_link watch_client_link(const struct watch_client *client);
/* Whether there has ever been a connection. */
WATCH_API int watch_client_was_connected(const struct watch_client *client);
/* Why the last attempt to connect failed: "Connection refused", or "". Borrowed until the next
 * call. */
WATCH_API const char *watch_client_trouble(const struct watch_client *client);

/* Makes the call that is waiting, and all later ones, end with WATCH_CANCELLED (watch_next: with
 * WATCH_ITEM_NONE) within 50 ms. Any thread, any signal handler. */
WATCH_API void watch_client_interrupt(struct watch_client *client);

/* Version of this library: "0.1.0". */
WATCH_API const char *watch_version(void);

/* ---- Objects ------------------------------------------------------------------------------- */

/* One version of one object. */
struct watch_object {
    const char *resource;
    const char *ns;
    const char *name;
    uint64_t rv;      /* version */
    const char *json; /* the whole document; "" where it was not asked for */
    size_t json_len;
};

/* Which objects a list or a watch is about. NULL and "" are the same. */
struct watch_selection {
    const char *resource; /* plural noun, "all" for every one; "": "objects" */
    const char *ns;       /* "": "default", unless all_namespaces */
    int all_namespaces;
    const char *name;           /* "": any */
    const char *label_selector; /* "app=web,tier in (a,b)"; "": any */
    const char *field_selector; /* "status.phase!=Running,metadata.name in (a,b)"; "": any */
};

/* The blocking calls below wait for the server, if need be, until the client's timeout, and repeat
 * what a lost connection cut off. What they hand out is borrowed until the next blocking call of
 * the same client. Errors of all: WATCH_UNAVAILABLE (never connected), WATCH_DEADLINE (connected,
 * but no answer), WATCH_DENIED, WATCH_UNAUTHENTICATED, WATCH_INVALID, WATCH_CANCELLED. */

/* resource and ns may be NULL or "" for the defaults. Errors: WATCH_NOT_FOUND. */
WATCH_API WATCH_RESULT enum watch_code watch_get(struct watch_client *client, const char *resource,
                                                 const char *ns, const char *name,
                                                 struct watch_object *ret,
                                                 struct watch_error *error);

/* The object as it was at version rv; 0: as it is. Errors: besides, WATCH_EXPIRED and WATCH_FUTURE
 * where the version is below the oldest kept or above the head. */
WATCH_API WATCH_RESULT enum watch_code
watch_get_at(struct watch_client *client, const char *resource, const char *ns, const char *name,
             uint64_t rv, struct watch_object *ret, struct watch_error *error);

/* The object as it is, with metadata.managedFields: who applied which of its fields. */
WATCH_API WATCH_RESULT enum watch_code watch_get_managed(struct watch_client *client,
                                                         const char *resource, const char *ns,
                                                         const char *name, struct watch_object *ret,
                                                         struct watch_error *error);

struct watch_page {
    uint64_t rv; /* the one version that all pages of a list show */
    const struct watch_object *objects;
    size_t n;
    uint64_t remaining; /* objects behind this page; 0: none, or not known */
    const char *next;   /* pass it for the next page; "" on the last one */
};
/* One page of a list, in key order. limit 0: the server's choice. next: NULL or "" for the first
 * page, else the page's before (may still be borrowed from it). Errors: WATCH_EXPIRED when the
 * version of the first page is gone. */
WATCH_API WATCH_RESULT enum watch_code
watch_list(struct watch_client *client, const struct watch_selection *selection, uint32_t limit,
           const char *next, struct watch_page *ret, struct watch_error *error);
/* The list as it was at version rv, which matters for the first page; 0: as it is. Errors: besides,
 * WATCH_EXPIRED and WATCH_FUTURE, as watch_get_at. */
WATCH_API WATCH_RESULT enum watch_code
watch_list_at(struct watch_client *client, const struct watch_selection *selection, uint64_t rv,
              uint32_t limit, const char *next, struct watch_page *ret, struct watch_error *error);

enum watch_cause {
    WATCH_CAUSE_STATE, /* part of the current state; in a history: its event is no longer kept */
    WATCH_CAUSE_CREATED,
    WATCH_CAUSE_UPDATED,
    WATCH_CAUSE_REMOVED, /* somebody deleted it */
    WATCH_CAUSE_EXPIRED, /* its time to live ran out */
    WATCH_CAUSE_ENTERED, /* it was there, and now matches the selection */
    WATCH_CAUSE_LEFT,    /* it is there, and no longer matches; shown as it last did */
    WATCH_CAUSE_EXPIRING /* its time to live ran out, but finalizers hold it: it is marked */
};

/* One kept version of an object. */
struct watch_revision {
    struct watch_object object; /* of a deletion: the last state */
    enum watch_cause cause;
    int64_t time_ms;     /* since 1970, by the server's clock; 0: not known */
    const char *manager; /* who wrote or deleted it, or "unknown" */
    uint64_t generation;
    uint64_t previous_rv; /* the version before; 0: there was none, or it is not known */
};
struct watch_revisions {
    const struct watch_revision *v; /* newest first */
    size_t n;
    uint64_t next_at_most; /* at_most of the next page; 0: there is none */
    uint64_t oldest;       /* versions below it are not kept */
};
/* A page of the versions of one object at or below at_most (0: all), over deletions and
 * recreations. limit 0: the server's choice; omit: without documents. Errors: WATCH_NOT_FOUND. */
WATCH_API WATCH_RESULT enum watch_code
watch_history(struct watch_client *client, const char *resource, const char *ns, const char *name,
              uint64_t at_most, uint32_t limit, int omit, struct watch_revisions *ret,
              struct watch_error *error);

enum watch_verb {
    WATCH_PUT,
    WATCH_PATCH,
    WATCH_DELETE,
    WATCH_CHECK /* only in watch_transact: demands if_rv and if_uid; without both: no such object */
};
enum watch_put_mode { WATCH_PUT_ANY, WATCH_PUT_CREATE, WATCH_PUT_UPDATE };
enum watch_put_scope {
    WATCH_SCOPE_WHOLE,      /* the document is the whole object */
    WATCH_SCOPE_SPEC,       /* the document is the new spec */
    WATCH_SCOPE_AUTO,       /* the document tells; see the README's "bare JSON" */
    WATCH_SCOPE_STATUS,     /* of the document, a whole object, only the status is taken */
    WATCH_SCOPE_KEEP_STATUS /* as AUTO, but an object's status stays as it is */
};
enum watch_patch_type {
    WATCH_PATCH_MERGE, /* JSON merge patch, RFC 7396 */
    WATCH_PATCH_JSON,  /* JSON Patch, RFC 6902: an array of operations */
    WATCH_PATCH_APPLY  /* what field_manager wants the object to be: it is made so, and created if
                          there is none; what they applied before and now leave out is removed,
                          unless another owns it */
};
enum watch_patch_scope {
    WATCH_PATCH_WHOLE,
    WATCH_PATCH_STATUS,     /* only what it does to the status is taken */
    WATCH_PATCH_KEEP_STATUS /* what it does to the status is not taken */
};

struct watch_write {
    enum watch_verb verb;
    const char *resource; /* NULL or "": "objects" */
    const char *ns;       /* NULL or "": "default" */
    const char *name;
    const char *json; /* WATCH_PUT: the document; WATCH_PATCH: the patch */
    size_t json_len;
    enum watch_put_mode mode;           /* WATCH_PUT only */
    enum watch_put_scope scope;         /* WATCH_PUT only */
    enum watch_patch_type patch_type;   /* WATCH_PATCH only */
    enum watch_patch_scope patch_scope; /* WATCH_PATCH only */
    uint64_t if_rv;                     /* only if the object has this version; 0: any */
    const char *if_uid;                 /* only if it has this uid; NULL or "": any */
    const char *field_manager; /* who writes, for the history and the ownership of fields; an apply
                                  needs one; NULL or "": unknown */
    int force;                 /* WATCH_PATCH_APPLY: take over the fields that others own */
    int generate_name;         /* WATCH_PUT, to create: name (or metadata.generateName, if it is "")
                                  is what the server completes to a name that is free */
    uint64_t ttl_ms; /* put and patch: the object expires so long after this write, by the time the
                        server runs; a write of equal content only moves that. 0: as it was */
    int no_ttl;      /* put and patch: it does not expire any more */
    int orphan;      /* delete: objects that name it as their owner stay, without the reference */
    int dry_run;     /* check everything, change nothing */
    int want_object; /* hand the document back, as it was stored */
};

enum watch_result {
    WATCH_RESULT_NONE,
    WATCH_RESULT_CREATED,
    WATCH_RESULT_UPDATED,
    WATCH_RESULT_UNCHANGED, /* nothing to change: no version used, no event follows */
    WATCH_RESULT_DELETED    /* also of a put or patch that took away the last finalizer of an object
                               that was marked; a WATCH_DELETE of one that has finalizers marks it,
                               and is answered WATCH_RESULT_UPDATED */
};

struct watch_written {
    struct watch_object object; /* json only if want_object */
    enum watch_result result;
    const char *uid;
    uint64_t generation;
};

/* What became of a transaction. */
struct watch_transacted {
    const struct watch_written *written; /* one for each write, in their order */
    size_t n;
    uint64_t rv; /* the version that shows all of it */
};
#define WATCH_TRANSACT_MAX 100
/* Carries out several writes, all of them or none; each of another object, and together at most 1
 * MiB of documents. dry_run and want_object are those of the first one. Errors: as watch_write; the
 * field begins with the write: "operations[3].put.json". */
WATCH_API WATCH_RESULT enum watch_code watch_transact(struct watch_client *client,
                                                      const struct watch_write *writes, size_t n,
                                                      struct watch_transacted *ret,
                                                      struct watch_error *error);

/* What became of the objects of a collection. */
struct watch_deleted_page {
    const struct watch_written *deleted; /* without documents; marked ones are UPDATED */
    size_t n;
    const char *next; /* pass it for the next page; "" when all are done */
};
/* Deletes the objects of a selection, a page at a time; see watch_list for limit and next, and
 * struct watch_write for field_manager. Not all
 * at once: other writes may come between. A page that is repeated deletes nothing twice, but tells
 * only of what it deleted itself. Errors: as watch_write. */
WATCH_API WATCH_RESULT enum watch_code
watch_delete_collection(struct watch_client *client, const struct watch_selection *selection,
                        const char *field_manager, int dry_run, uint32_t limit, const char *next,
                        struct watch_deleted_page *ret, struct watch_error *error);

/* Writes and waits. Every write carries an id of its own and is repeated with it after a lost
 * answer, so that it is done once. Errors: WATCH_CONFLICT, WATCH_EXISTS, WATCH_NOT_FOUND,
 * WATCH_INVALID, WATCH_TOO_LARGE, WATCH_STORAGE_FULL; WATCH_OUTCOME_UNKNOWN when it was sent and no
 * answer came before the timeout. */
WATCH_API WATCH_RESULT enum watch_code watch_write(struct watch_client *client,
                                                   const struct watch_write *write,
                                                   struct watch_written *ret,
                                                   struct watch_error *error);

/* A field that an apply would have taken from another manager. */
struct watch_conflict {
    const char *field; /* "spec.ports[name=\"web\"].port" */
    const char
        *description; /* conflict with "ci"; with (Update) behind it for one who does not apply */
};
/* The conflicts of the call that ended last with WATCH_CONFLICT; none if that was about a version.
 * Of very many these are only the first; the message counts them all. Borrowed until the next
 * call that ends so. */
WATCH_API size_t watch_conflicts(const struct watch_client *client,
                                 const struct watch_conflict **ret);

/* Called once per watch_write_start: exactly one of `written` and `error` is NULL. Both are
 * borrowed for the time of the call. It may start further writes. */
typedef void watch_write_fn(void *arg, const struct watch_written *written,
                            const struct watch_error *error);

/* Starts a write without waiting; fn is called when it is answered. It is repeated for as long as
 * it takes, also while the server is away or its disk is full, unless give_up_ms (> 0) has passed.
 * An attempt takes at most the client's timeout. Writes that are under way at the same time may be
 * done in any order. */
WATCH_API void watch_write_start(struct watch_client *client, const struct watch_write *write,
                                 int64_t give_up_ms, watch_write_fn *fn, void *arg);
/* Writes that were started and not answered yet. */
WATCH_API size_t watch_writes_in_flight(const struct watch_client *client);

/* ---- Watches ------------------------------------------------------------------------------- */

struct watch_stream;

enum watch_from {
    WATCH_FROM_STATE,    /* the current state as ADDED events, SYNCED, then every change */
    WATCH_FROM_SINCE,    /* every event after version `since` */
    WATCH_FROM_POSITION, /* what watch_position said, maybe in another process */
    WATCH_FROM_NOW,      /* what happens from now on */
    WATCH_FROM_OLDEST    /* every event that is kept */
};

/* Where a stream has come to: everything before it was handed out. */
struct watch_position {
    const void *token; /* opaque bytes; NULL before the first answer */
    size_t token_len;
    uint64_t after; /* events handed out since the token; they are not repeated */
    uint64_t rv;    /* version of the same place, for people; 0 within the first state */
};

struct watch_options {
    const char *client_id;                    /* may be shared; NULL: the library makes one up */
    const struct watch_selection *selections; /* their union; none: objects in "default" */
    size_t n_selections;
    enum watch_from from;
    uint64_t since;                 /* WATCH_FROM_SINCE */
    struct watch_position position; /* WATCH_FROM_POSITION: token, token_len and after */
    int previous;                   /* send the previous object with each event */
    uint32_t bookmark_ms; /* bookmark this often; 0: the server's choice; some come besides */
};

enum watch_item_kind {
    WATCH_ITEM_NONE,      /* nothing came in time */
    WATCH_ITEM_EVENT,     /* type, cause, object, previous, rv */
    WATCH_ITEM_SYNCED,    /* the state is complete; rv: the version it shows */
    WATCH_ITEM_BOOKMARK,  /* rv: every event at or below it was handed out */
    WATCH_ITEM_CONNECTED, /* the stream runs, for the first time or again: subscription_id, oldest,
                             head; outage_ms is how long it did not */
    WATCH_ITEM_LOST,      /* it does not run: error. Once per outage; it goes on by itself */
    WATCH_ITEM_END        /* the end, and it stays the end: error */
};
enum watch_event_type { WATCH_ADDED = 1, WATCH_MODIFIED = 2, WATCH_DELETED = 3 };

struct watch_item {
    enum watch_item_kind kind;
    enum watch_event_type type;
    enum watch_cause cause;
    uint64_t rv;
    const struct watch_object *object;
    const struct watch_object *previous; /* NULL: none, or not asked for */
    const char *subscription_id;
    uint64_t oldest, head;
    int64_t outage_ms; /* 0 the first time if the server was there at once */
    const struct watch_error *error;
};

/* *ret is new; close it with watch_close. Does not wait; mistakes that only the server can see come
 * as WATCH_ITEM_END. Errors: WATCH_INVALID. */
WATCH_API WATCH_RESULT enum watch_code watch_open(struct watch_client *client,
                                                  const struct watch_options *options,
                                                  struct watch_stream **ret,
                                                  struct watch_error *error);

/* The next item, waiting at most timeout_ms (< 0: for ever). What *ret points to is borrowed until
 * the next watch_next or watch_close of this stream. Events come one by one, none twice, none left
 * out, whatever happens to connection and server; the next message is only taken from the
 * connection when the last one was handed out, so a slow caller makes the server wait, nothing
 * else. Ends with WATCH_EXPIRED, WATCH_FUTURE, WATCH_FOREIGN, WATCH_UNSUBSCRIBED, WATCH_INVALID,
 * WATCH_DENIED, WATCH_UNAUTHENTICATED, WATCH_UNIMPLEMENTED, WATCH_TOO_LARGE, WATCH_DATA_LOSS or
 * WATCH_INTERNAL (an answer that cannot be understood); everything else is resumed. */
WATCH_API enum watch_item_kind watch_next(struct watch_stream *stream, int64_t timeout_ms,
                                          struct watch_item *ret);

/* The place behind the last item that was handed out. Save token and after to go on exactly there,
 * in another process too; the selections must be the same. Borrowed until the next watch_next. */
WATCH_API void watch_position(const struct watch_stream *stream, struct watch_position *ret);

/* Ends the stream and frees it. NULL is fine. */
WATCH_API void watch_close(struct watch_stream *stream);

/* ---- Administration ------------------------------------------------------------------------ */

struct watch_resource_use {
    const char *resource;
    uint64_t objects; /* in all namespaces */
};
struct watch_status {
    const char *version; /* of the server */
    const char *store_id;
    uint32_t epoch;
    uint64_t head;   /* the last version */
    uint64_t oldest; /* the oldest version that can be resumed from */
    uint64_t objects, history_events, history_bytes, file_bytes, uptime_ms;
    uint32_t watches;
    const char *sqlite_version, *grpc_version;
    const char *read_only_reason; /* "" while writes are taken */
    const struct watch_resource_use
        *resources; /* that have objects, declared or not; in no order */
    size_t n_resources;
};
WATCH_API WATCH_RESULT enum watch_code
watch_status(struct watch_client *client, struct watch_status *ret, struct watch_error *error);

/* Removes events up to rv (0: the head), but never the newest one. */
WATCH_API WATCH_RESULT enum watch_code watch_compact(struct watch_client *client, uint64_t rv,
                                                     uint64_t *ret_removed, uint64_t *ret_oldest,
                                                     struct watch_error *error);

/* The server's metrics in the Prometheus text format. */
WATCH_API WATCH_RESULT enum watch_code
watch_metrics(struct watch_client *client, const char **ret_text, struct watch_error *error);

enum watch_phase { WATCH_PHASE_UNKNOWN, WATCH_PHASE_STATE, WATCH_PHASE_REPLAY, WATCH_PHASE_LIVE };
struct watch_subscription {
    const char *subscription_id, *client_id;
    const char *peer; /* "ipv4:127.0.0.1:40312" or "unix:" */
    const struct watch_selection *selections;
    size_t n_selections;
    enum watch_phase phase;
    uint64_t rv; /* everything at or below it was handed to the transport */
    uint64_t age_ms;
    uint64_t stalled_ms; /* how long a message has been waiting for the client; 0: none is */
    uint64_t events_sent;
};
/* The open watches of one client id, or of all (NULL or ""). */
WATCH_API WATCH_RESULT enum watch_code watch_subscriptions(struct watch_client *client,
                                                           const char *client_id,
                                                           const struct watch_subscription **ret,
                                                           size_t *ret_n,
                                                           struct watch_error *error);

/* Ends the watches of a client id, or the one with this subscription id; give exactly one of both.
 * When it returns nothing is sent on them any more. */
WATCH_API WATCH_RESULT enum watch_code
watch_unsubscribe(struct watch_client *client, const char *client_id, const char *subscription_id,
                  uint32_t *ret_ended, struct watch_error *error);

/* Asks for a bookmark on a running stream, now; it comes as an item of that stream. */
WATCH_API WATCH_RESULT enum watch_code watch_request_bookmark(struct watch_client *client,
                                                              const char *subscription_id,
                                                              struct watch_error *error);

#ifdef __cplusplus
}
#endif

#endif

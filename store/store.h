/* SPDX-License-Identifier: Apache-2.0 */
/* The store: objects and their history over an engine, one writer thread, two reader threads, one
 * log in memory. Everything asynchronous is a request which the caller embeds; it belongs to the
 * store from the call until `done`, which runs once on the thread named with it.
 *
 * One head: an atomic version, stored by the writer once its events are in the memory log. It is
 * the only version others may know; nothing above it is ever shown. Threads: any, except where
 * said. */
#ifndef WATCHD_STORE_H
#define WATCHD_STORE_H

#include <sys/queue.h>

#include "store/codec.h"
#include "store/engine.h"
#include "store/model/draft.h"
#include "store/model/ownership.h"
#include "store/model/selection.h"
#include "store/position.h"

struct store;

struct store_options {
    struct engine *engine;     /* taken */
    const struct codec *codec; /* borrowed for life */
    const struct clock *clock; /* NULL: the machine's */
    size_t log_bytes;          /* events kept in memory; 0: 64 MiB */
    size_t queue_bytes;        /* writes waiting; 0: 64 MiB */
    size_t object_bytes;       /* limit of one document; 0: OBJECT_MAX_BYTES */
    int64_t history_events;    /* events kept; 0: 1,000,000; < 0: no limit */
    int64_t history_bytes;     /* bytes kept; 0: 1 GiB; < 0: no limit */
    int64_t history_age_s;     /* of running time; 0: no limit */
    uint64_t objects_max;      /* objects; 0: 10,000,000 */
    uint32_t resources_max;    /* distinct resources; 0: 1,024 */
    uint64_t load_events;      /* read before the store opens, at most, of those that it can do
                                  without for a while; 0: 1,100,000. For tests */
    bool declared_only;        /* refuse writes to resources without a definition */
    /* Ends a name that is generated. NULL: at random. On the writer. */
    void (*name_suffix)(char ret[NAME_SUFFIX_LEN]);
};

/* Loads the index of objects, then starts the threads. *ret is new; the engine is taken even on
 * failure. Errors: ERR_DATA_LOSS, ERR_UNAVAILABLE. */
enum errc store_open(const struct store_options *opt, struct store **ret,
                     struct err *err) NODISCARD;
/* Refuses new work, finishes what was submitted, stops the threads, closes the engine. All watch
 * sets are freed before. NULL is fine. */
void store_close(struct store *s);

struct store_facts {
    struct engine_identity identity;
    rv_t head, floor;
    uint64_t objects;
    uint64_t history_events, history_bytes;
    struct engine_usage usage;
    char read_only_reason[160]; /* "" while writes are taken */
};
void store_facts(struct store *s, struct store_facts *ret);
/* Calls fn with each resource that has objects, in no order, and with a lock held that writes need:
 * fn takes a copy and no more. */
typedef void store_resource_fn(void *arg, struct str resource, uint64_t objects);
void store_resources(struct store *s, store_resource_fn *fn, void *arg);
rv_t store_head(const struct store *s);
/* Are there writes that were submitted, and neither published nor decided otherwise? So the head is
 * likely to move soon. Threads: any. */
bool store_is_committing(const struct store *s);
rv_t store_floor(const struct store *s);
/* Versions below it go before long: a client which knows of none at or above it should be told of
 * one. Watch sets are kicked as it rises, by commits or without one. */
rv_t store_brink(const struct store *s);
/* The watch of a client was cut off which was told `told` last, and `before` before that. What it
 * needs to resume is spared for SPARE_S, by the limits of events and of age, unless it is near the
 * floor as it is: so nobody holds the history up by coming and going. A start spares the same for
 * whoever watched before it. */
void store_spare(struct store *s, rv_t told, rv_t before);
/* Writes submitted from now on are refused with ERR_DRAINING. */
void store_drain(struct store *s);

/* ---- Writes ------------------------------------------------------------------------------- */

enum write_verb {
    WRITE_PUT,        /* draft: the whole object; or json, where its scope is not the whole */
    WRITE_SPEC,       /* json: the new spec of the object */
    WRITE_PATCH,      /* json: a merge patch of the object */
    WRITE_JSON_PATCH, /* json: a checked JSON Patch of the object */
    WRITE_APPLY,      /* json: what field_manager wants to be so; see model/ownership.h */
    WRITE_DELETE,
    WRITE_CHECK, /* demands pre; without it: that there is no object */
    WRITE_TXN,   /* ops: all of them or none */
};
enum write_mode { WRITE_ANY, WRITE_CREATE, WRITE_UPDATE };
/* The status is a subresource: a write is of the whole object, or of one side of it. */
enum write_scope {
    WRITE_SCOPE_WHOLE,
    WRITE_SCOPE_STATUS,      /* of what it makes, only the status is taken */
    WRITE_SCOPE_KEEP_STATUS, /* the status stays, if there is an object */
};
enum write_result { WRITE_CREATED = 1, WRITE_UPDATED, WRITE_UNCHANGED, WRITE_DELETED };

#define TXN_OPS_MAX    100
#define TXN_EVENTS_MAX 256           /* an operation may change dependents as well */
#define TXN_BYTES_MAX  (1024 * 1024) /* of the documents of its events; and of those before */

struct write {
    /* In; all borrowed until done. */
    struct key key;      /* checked by the caller */
    struct str generate; /* PUT, SPEC, to create: the name is this and what the store adds; the key
                            has none before it is done. Empty: the name is given. */
    enum write_verb verb;
    enum write_mode mode; /* PUT, SPEC */
    enum write_scope scope;
    const struct draft *draft;
    struct str text; /* with draft: what it was made from, should the definition change meanwhile */
    const json_t *json;
    struct precondition pre;
    struct str field_manager; /* who writes; "": unknown */
    uint64_t ttl_ms;          /* the object expires so long after this write; 0: as it was */
    bool no_ttl;              /* it does not expire */
    bool orphan;              /* DELETE: its dependents stay */
    bool force;               /* APPLY: take over what others own */
    bool dry_run;
    bool has_request_id;
    uint8_t request_id[REQUEST_ID_LEN];
    struct write *ops; /* TXN: at most TXN_OPS_MAX of other verbs, each of another
                          object; only what they are about is filled in, not how they
                          are answered */
    size_t n_ops;
    size_t bytes;                  /* of the request, for the bounds of queue and batch */
    void (*done)(struct write *w); /* on the writer, after the commit was published */
    void *arg;                     /* the caller's */
    /* Out. */
    struct err err; /* err.code is OK on success; TXN: names the operation in `field` */
    enum write_result result;
    rv_t rv;               /* of the object; of a deletion: the deletion's; of a dry run: of the
                              object as it is, 0: there is none; TXN: shows all of it */
    struct object *object; /* new reference, the caller's: state after the write; of a deletion
                              the last state. May be NULL when a repeated request is answered
                              whose event is compacted. */
    uint64_t generation;
    struct conflicts *conflicts; /* APPLY refused for them: new, the caller's; else NULL */
    /* The store's, from submit to done. */
    STAILQ_ENTRY(write) link;
    mono_ms_t submitted;
    struct object *next;
    const struct write *txn;            /* the transaction it is an operation of, or NULL */
    char generated[NAME_GENERATED_MAX]; /* key.name borrows from it */
};

/* Errors (then done is not called): ERR_DRAINING, ERR_LIMIT (the queue is full). */
enum errc store_submit(struct store *s, struct write *w, struct err *err) NODISCARD;

struct compaction {
    rv_t upto;                          /* 0: the head */
    void (*done)(struct compaction *c); /* on the writer */
    void *arg;
    struct err err; /* ERR_FUTURE when upto is above the head */
    uint64_t removed;
    rv_t floor;
    STAILQ_ENTRY(compaction) link;
    bool started; /* the store's */
};
enum errc store_compact(struct store *s, struct compaction *c, struct err *err) NODISCARD;

/* What a draft is to be made with: the definition of its resource as it is published, a new
 * reference, or NULL. The writer judges again if another counts by then. */
struct resource_definition *store_definition(struct store *s, struct str resource);

/* ---- Reads -------------------------------------------------------------------------------- */

struct get {
    struct key key;              /* checked by the caller; borrowed */
    rv_t at;                     /* as of this version; 0: as it is now */
    void (*done)(struct get *g); /* on the reader */
    void *arg;
    struct buf *owners;    /* NULL, or out: who owns its fields, see model/managed.h; "": nobody */
    struct err err;        /* ERR_NOT_FOUND; with `at` also ERR_EXPIRED, ERR_FUTURE, ERR_FOREIGN */
    struct object *object; /* out: new reference */
    STAILQ_ENTRY(get) link;
};
enum errc store_get(struct store *s, struct get *g, struct err *err) NODISCARD;

enum list_match {
    LIST_NEWEST,
    LIST_NOT_OLDER, /* the newest, which must not be below `at` */
    LIST_EXACT,     /* `at`, from the floor to the head */
};

struct list {
    const struct selections *selections; /* borrowed */
    enum list_match match;               /* of the first page */
    rv_t at;
    struct position
        after; /* from a continue token, in_snapshot; rv 0: go on at the newest version */
    uint64_t after_total; /* from there: objects still to come; 0: not known */
    size_t limit;         /* objects at most; 0: as many as fit */
    size_t max_bytes;     /* of their texts, but at least one object */
    void (*item)(struct list *l, const struct object *o); /* on the reader, in key order */
    void (*done)(struct list *l);                         /* on the reader */
    void *arg;
    struct err err; /* ERR_EXPIRED, ERR_FUTURE, ERR_FOREIGN, … */
    rv_t rv;        /* out: the version shown */
    bool more;      /* out: there is another page */
    struct position
        next;           /* out: for that page; its key borrows from last_key. After ERR_EXPIRED of
                           a later page: how to go on at the newest version; borrows from `after` */
    uint64_t remaining; /* out: objects behind this page; 0: none, or not known */
    char last_key[KEY_MAX_LEN];
    /* The store's. */
    size_t count, bytes;
    STAILQ_ENTRY(list) link;
};
enum errc store_list(struct store *s, struct list *l, struct err *err) NODISCARD;
/* Did it end because the version of the pages before is gone? Then l->next is how to go on. */
static inline bool list_is_outlived(const struct list *l)
{
    return l->err.code == ERR_EXPIRED && l->after.in_snapshot;
}
/* Appends the continue token of l->next, see continue.h. */
void list_token_write(const struct store *s, const struct list *l, struct buf *out);
/* Sets l->after, which borrows from `bytes`. Errors: ERR_INVALID with the field continue_token. */
enum errc list_token_read(const struct store *s, struct str token, uint8_t bytes[POSITION_MAX],
                          struct list *l, struct err *err) NODISCARD;

/* The kept versions of one object, newest first, over deletions and recreations. */
struct history {
    struct key key;   /* checked by the caller; borrowed */
    rv_t at_most;     /* only versions at or below; 0: all */
    size_t limit;     /* versions at most; 0: as many as fit */
    size_t max_bytes; /* of their texts, but at least one version */
    bool omit;        /* the texts are not wanted */
    /* On the reader. The event is borrowed, its delta means nothing; cause 0 and time 0 where only
     * the state is kept, whose own event is compacted. */
    void (*revision)(struct history *h, const struct event *ev);
    void (*done)(struct history *h); /* on the reader */
    void *arg;
    struct err err;      /* ERR_NOT_FOUND: not there, nor any event of it */
    rv_t next;           /* out: at_most of the next page; 0: there is none */
    rv_t floor;          /* out */
    size_t count, bytes; /* the store's */
};
enum errc store_history(struct store *s, struct history *h, struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to a database. An engine keeps two things: the rows of the objects as they are now, and
 * the history of events. It assigns resource versions, and it tells a sink of every committed
 * event, in order, exactly once, never before it is durable; so another engine (etcd) can feed
 * the same log from its own watch.
 *
 * Threads: the functions under "writer" are called by one thread, the store's writer. Each
 * engine_reader belongs to one thread; several may be open. */
#ifndef WATCHD_ENGINE_H
#define WATCHD_ENGINE_H

#include "store/model/event.h"
#include "store/model/object.h"

struct engine;
struct engine_reader;

/* Handle of an object, given by the engine at its creation; never used again for another. */
typedef int64_t row_t;

/* One change to commit. The caller fills the event except rv, txn_end and time, and the row of an
 * object that exists; all borrowed until commit returns. */
struct change {
    struct event event; /* rv, txn_end and time: out */
    row_t row;          /* in for an update or deletion (0: of an object that the same batch
                           creates), out for a creation */
    size_t txn_more;    /* how many of the changes that follow belong to its transaction; 0: it
                           stands alone, or is the last one */
};

/* What is kept beside an object, changes without an event, and goes with the object. */
struct aside {
    struct key key; /* of the object; the engine only hands it on to the sink */
    row_t row;      /* of the object; 0: of the one that changes[change] writes, and out */
    size_t change;
    bool sets_deadline;
    bool sets_owners;
    int64_t deadline_ms; /* by the store's own clock; 0: none */
    struct str owners;   /* opaque; empty: none */
};

/* What is committed at once. */
struct commit {
    struct change *changes; /* whole transactions */
    size_t n;               /* 0: asides alone, which take no version */
    struct aside *asides;   /* hold after all changes; of two for one object the later one counts */
    size_t n_asides;
    int64_t run_ms; /* the store's own clock now, which is kept along; 0: unknown */
};

/* What an event counts in the bytes of the history: its texts, and its columns about. */
#define ENGINE_EVENT_OVERHEAD 64
static inline size_t engine_event_bytes(const struct event *ev, size_t delta_n, size_t body_n)
{
    return ENGINE_EVENT_OVERHEAD + ev->key.resource.n + ev->key.ns.n + ev->key.name.n +
           ev->labels.n + delta_n + body_n;
}

/* What the engine tells the store. Called on the writer, inside commit and recover. */
struct engine_sink {
    /* Events in order of rv, and asides, all durable; all rows are set. c->n may be 0. Takes
     * nothing. From recover the asides are only those that set deadlines, and without owners. */
    void (*committed)(void *arg, const struct commit *c);
    void *arg;
};

struct engine_identity {
    char store_id[UUID_LEN + 1];
    uint32_t epoch;        /* 1 for a new file; every restore adds one */
    uint64_t epoch_random; /* tells two restores of one backup apart */
    rv_t epoch_base;       /* versions of this epoch are > base */
    rv_t prior_head;       /* last version of the epoch before; versions in (prior_head, base] are
                              of a lost history. 0 in the first epoch. */
};

struct engine_usage {
    int64_t file_bytes; /* of the database and its side files */
    int64_t free_bytes; /* in the file, to be reused */
    int64_t wal_bytes;
};

/* One event at the start-up scan. Borrowed until the callback returns. */
struct engine_past {
    struct event event; /* body and delta are empty */
    row_t row;
    size_t bytes;        /* see engine_event_bytes */
    int64_t deadline_ms; /* of its object, as it is now; 0: none */
};

/* One object at the start-up scan. Borrowed until the callback returns. */
struct engine_object {
    row_t row;
    rv_t rv;
    uint64_t generation;
    struct key key;
    struct str labels;
    int64_t deadline_ms; /* see struct aside; 0: none */
};

struct engine_ops {
    /* --- writer ------------------------------------------------------------------------- */

    /* Must. Commits all changes and asides in one durable transaction or none, assigns the changes
     * rv = head + 1 … in order, moves engine.head, then calls the sink once; with neither changes
     * nor asides it does not call it. An update's or deletion's prev_rv is the object's last
     * version, as the caller knows it; the engine does not look.
     * With nothing to commit, the clock is kept; else it is kept along when 100 ms have passed
     * since it was last, or when an object expires: so after a restart it never shows less than an
     * expiry was judged by, and never more than it showed before. Failing, nothing was committed if
     * the code is ERR_STORAGE_FULL or ERR_UNAVAILABLE; whether it was is unknown for
     * ERR_OUTCOME_UNKNOWN. After any failure but ERR_STORAGE_FULL the caller calls recover before
     * the next commit. What was assigned is void after a failure. */
    enum errc (*commit)(struct engine *e, const struct commit *c, struct err *err);

    /* Must. Finds out what is really there (reopens, checks), moves engine.head and engine.floor
     * and calls the sink with events that were committed and not yet told, with the rows that
     * their commit gave them. Of a commit of asides alone nothing is told: they may have been made.
     * Errors: ERR_UNAVAILABLE: try again later; ERR_DATA_LOSS. */
    enum errc (*recover)(struct engine *e, struct err *err);

    /* Must. An object in the version that the writer knows as its last, as a new reference.
     * Errors: ERR_NOT_FOUND, ERR_DATA_LOSS, ERR_UNAVAILABLE. */
    enum errc (*load)(struct engine *e, row_t row, rv_t rv, struct object **ret, struct err *err);

    /* Must. The event of one version, to answer a repeated request. Borrowed until the next call
     * to the engine. Errors: ERR_NOT_FOUND, ERR_DATA_LOSS. */
    enum errc (*recall)(struct engine *e, rv_t rv, struct event *ret, struct err *err);

    /* Must. Appends the owners of an object, as set aside last; nothing if there are none.
     * Errors: ERR_DATA_LOSS, ERR_UNAVAILABLE. */
    enum errc (*owners)(struct engine *e, row_t row, struct buf *out, struct err *err);

    /* May be NULL. Said around several calls of load, recall and owners with no other call between:
     * as nobody else writes, all of them may look at one state. */
    void (*loads)(struct engine *e, bool on);

    /* May be NULL: nothing to compact. Deletes at most max_rows events (or one transaction), oldest
     * first, with rv <= upto, whole transactions, never the newest event, and makes the new floor
     * durable in the same transaction. For each it calls `gone` (before the commit; borrowed) with
     * its size, measured as in history_keys. *ret_floor is the floor afterwards, as is
     * engine.floor. Errors: as commit; then those that were told gone are still there, or after
     * ERR_OUTCOME_UNKNOWN may be: recover sets engine.floor to what is. */
    enum errc (*compact)(struct engine *e, rv_t upto, size_t max_rows,
                         void (*gone)(void *arg, rv_t rv, const struct key *key, size_t bytes),
                         void *arg, rv_t *ret_floor, struct err *err);

    /* May be NULL: compact can remove any event. Readies events <= upto to be removed: as long as
     * an object's state is only in its last event, compact leaves that one. Does a slice of the
     * work, at most max_rows; what was begun also goes on along with commits, and with max_rows 0
     * only so. *ret_done: engine.folded has come to `upto`. Errors: as commit. */
    enum errc (*fold)(struct engine *e, rv_t upto, size_t max_rows, bool *ret_done,
                      struct err *err);

    /* May be NULL. Makes durable that the head is what it is at this running time: the store's own
     * clock, which runs only while the store does. Errors: as commit. */
    enum errc (*keep_clock)(struct engine *e, int64_t run_ms, struct err *err);

    /* --- any thread ---------------------------------------------------------------------- */

    /* Must. *ret is new. */
    enum errc (*reader_open)(struct engine *e, struct engine_reader **ret, struct err *err);
    void (*reader_close)(struct engine_reader *r);

    /* Must. A view is one state of the database, between begin and end; *ret_head is its last
     * version. Views are short: no view is held while waiting for a peer. */
    enum errc (*view_begin)(struct engine_reader *r, rv_t *ret_head, struct err *err);
    void (*view_end)(struct engine_reader *r);

    /* Must, within a view. One version of an object: the last one, or one whose event is kept. *ret
     * is a new reference. ERR_NOT_FOUND if it is neither. */
    enum errc (*read_object)(struct engine_reader *r, row_t row, rv_t rv, struct object **ret,
                             struct err *err);
    /* Must, within a view. As owners. */
    enum errc (*read_owners)(struct engine_reader *r, row_t row, struct buf *out, struct err *err);
    /* Must, within a view. The event of a version; borrowed until the next read or the view's end.
     * Errors: ERR_NOT_FOUND, ERR_DATA_LOSS. */
    enum errc (*read_event)(struct engine_reader *r, rv_t rv, struct event *ret, struct err *err);
    /* Must, within a view. Calls fn for each event with after < rv <= upto, in order, until it
     * returns false. The event is borrowed for the call. A gap inside an epoch, or a bad
     * checksum, is ERR_DATA_LOSS. ERR_EXPIRED when after < the view's floor. */
    enum errc (*history)(struct engine_reader *r, rv_t after, rv_t upto,
                         bool (*fn)(void *arg, const struct event *ev), void *arg, struct err *err);
    /* Must, within a view, for the start-up: events without their big texts; otherwise as history.
     */
    enum errc (*history_keys)(struct engine_reader *r, rv_t after, rv_t upto,
                              bool (*fn)(void *arg, const struct engine_past *past), void *arg,
                              struct err *err);
    /* Must, within a view, before the first commit: objects as the engine keeps them apart from
     * events, in its own best order: each in its last version <= engine.folded, or a later one.
     * What became of them since, and all that were made since, is in the events above. */
    enum errc (*objects)(struct engine_reader *r,
                         bool (*fn)(void *arg, const struct engine_object *o), void *arg,
                         struct err *err);

    /* Must. Any thread; cheap. */
    void (*usage)(struct engine *e, struct engine_usage *ret);

    /* Must. Ends all; the readers are closed already. NULL-safe. */
    void (*close)(struct engine *e);
};

/* At `run_ms` the head was `rv`. */
struct engine_age {
    int64_t run_ms;
    rv_t rv;
};
#define ENGINE_AGES 64

/* What every engine begins with. */
#define ENGINE_SECRET_LEN 32
struct engine {
    const struct engine_ops *ops;
    struct engine_identity identity;
    uint8_t secret[ENGINE_SECRET_LEN]; /* random, made with the store: seals tokens, never shown */
    struct engine_sink sink;           /* set by the store before the first commit */
    rv_t head;                         /* the last version told; moved on the writer only */
    rv_t floor;      /* the oldest that can be resumed from: the newest version removed,
                        or the epoch's base; moved on the writer only */
    rv_t folded;     /* events up to here can be removed; see fold. Moved on the writer only */
    uint64_t keeps;  /* how many events the history is to hold, about, so that they are folded in
                        time; 0: any number. Set by the store, on the writer */
    int64_t run_ms;  /* at open: the store's own clock, as it was last kept */
    int64_t kept_ms; /* the same clock as it was last kept; moved on the writer only */
    struct engine_age ages[ENGINE_AGES]; /* at open: the newest that were kept, ascending */
    size_t n_ages;
};

#endif

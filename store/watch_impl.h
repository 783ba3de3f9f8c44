/* SPDX-License-Identifier: Apache-2.0 */
/* What watcher.c, watch_set.c, live.c and replay.c share.
 *
 *            opened                    a batch
 *   ─────────────────► READY ──ready──► OUT ──pull──┐
 *                        ▲               │  ▲────────┘
 *      a matching event  │   at the head │  └── asked for history
 *                        ├──── IDLE ◄────┤
 *      its chunk arrived │               │
 *                        └─── WAITING ◄──┘ the reader has it
 */
#ifndef WATCHD_WATCH_IMPL_H
#define WATCHD_WATCH_IMPL_H

#include "store/interest.h"
#include "store/store_impl.h"
#include "store/verdict.h"
#include "store/view.h"

enum watcher_state { WATCHER_READY, WATCHER_OUT, WATCHER_IDLE, WATCHER_WAITING };

struct idle_group;

/* A watcher's place among the idle ones, one for each scope of its selections. */
struct idle_node {
    LIST_ENTRY(idle_node) link;
    struct idle_group *group; /* NULL: not idle */
    struct watcher *watcher;
    struct verdicts *verdicts; /* of the scope's field selector; NULL: it has none to be judged */
};

/* Snapshots only: what the walk and the position need. The walk is the reader's while a chunk is
 * being read, but for its version, which stays; `pulled` is the owner's. */
struct snapshot {
    struct pin *pin; /* NULL until it is begun */
    struct view_walk walk;
    bool begun;
    char pulled[KEY_MAX_LEN];
    struct key pulled_key; /* the last one handed out; borrows from `pulled` */
};

#define CHUNK_BATCHES 4

/* One batch of a chunk: bytes up to `end`, the position after it. Replay: whole transactions. */
struct chunk_batch {
    size_t end;
    size_t events;
    rv_t rv;        /* replay: the end of the last transaction */
    size_t key_end; /* snapshot: where the last key's texts end in chunk.keys */
    struct key key; /*           and their lengths */
};

/* One piece of the past for one watcher: asked for by its owner, filled by the reader. */
struct chunk {
    struct read_job job;
    struct watcher *watcher;
    STAILQ_ENTRY(chunk) arrived;
    rv_t after, upto;  /* replay: events in (after, upto] are still to be read */
    struct blob *blob; /* what is encoded: n bytes of room, at bytes */
    uint8_t *bytes;
    size_t n, room;
    struct buf keys;
    struct previous previous;
    size_t txn_from, txn_events; /* replay: the transaction that is being read: where it begins in
                                    bytes, and how many of its events are there */
    size_t rows;                 /* looked at in this step */
    mono_ms_t until;             /* of this step */
    bool stopped;                /* before the end: the step was over or the chunk full */
    struct chunk_batch batches[CHUNK_BATCHES];
    size_t n_batches, taken;
    bool complete;  /* the whole snapshot is read */
    struct err err; /* what comes after the batches; code OK: nothing */
};

struct watcher {
    struct watch_set *set;
    void *owner;
    struct selections *selections;
    TAILQ_ENTRY(watcher) ready;
    rv_t cursor;               /* all matching events at or below were pulled; not while IDLE */
    struct chunk *reading;     /* with the reader */
    struct chunk *chunk;       /* arrived, with batches to take */
    struct chunk *ahead;       /* arrived, to be taken after `chunk`; pinned */
    struct snapshot *snapshot; /* NULL after SYNCED was pulled */
    struct pin *pin;           /* of a snapshot, until the watcher has caught up */
    enum watcher_state state;
    bool previous;
    bool oldest; /* begins at the oldest version kept, whichever that is when events are read first;
                    false once any were, matching or not: from there on nothing is left out */
    _Atomic bool closed; /* waits only for its chunk to come back; the reader looks, too */
    uint16_t n_nodes;
    struct idle_node nodes[];
};

TAILQ_HEAD(watcher_list, watcher);
STAILQ_HEAD(chunk_list, chunk);
struct idle_bucket;

struct watch_set {
    struct store *store;
    void (*kick)(void *arg);
    void *arg;
    _Atomic bool kicked;    /* kick was called and no turn began since */
    _Atomic bool eager;     /* the next commit kicks, whatever it is about; until a turn begins */
    struct watch_set *next; /* in store.sets, under store.mu, as the next two */
    size_t unseen;          /* bytes published since it was kicked; the log counts them so */
    bool settled;           /* of what is being published: it was kicked, or need not be */
    rv_t at;                /* idle watchers have seen everything at or below */
    bool no_ahead;          /* see watch_set_read_ahead */
    struct watcher_list ready;
    struct idle_bucket *buckets; /* see watch_set.c */
    struct interest interest;    /* by which keys there are buckets */
    struct verdict_table verdicts;
    pthread_mutex_t mu; /* guards the next two; taken alone */
    struct chunk_list arrived;
    size_t reading; /* chunks with the reader */
};

/* ---- watch_set.c ---- */

void watch_set_kick(struct watch_set *set); /* Any thread. */
void watch_set_park(struct watcher *w);     /* IDLE, at set->at */
void watch_set_unpark(struct watcher *w);
void watch_set_make_ready(struct watcher *w);

/* ---- watcher.c ---- */

void watcher_arrived(struct watcher *w, struct chunk *c);

/* ---- live.c ---- */

/* A batch of what the log holds in (cursor, set->at]. False if the log does not reach back so far.
 */
bool live_take(struct watcher *w, struct watch_batch *b);

/* ---- replay.c ---- */

/* Asks the reader for a chunk: of the snapshot, or of the events in (after, upto]. None is asked
 * for already. */
void replay_read(struct watcher *w, rv_t after, rv_t upto);
void chunk_free(struct chunk *c);                         /* NULL is fine. */
void snapshot_free(struct store *s, struct snapshot *sn); /* NULL is fine. */

#endif

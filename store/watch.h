/* SPDX-License-Identifier: Apache-2.0 */
/* Watching: a watcher is a cursor over the store's one history, and a watch set is all watchers of
 * one thread. Watchers pull; nothing is ever queued for them. An idle watcher has no cursor of its
 * own: it is where its set is. Replay and live are the same cursor, so there is no seam between
 * them where an event could hide.
 *
 *   watch_set_turn() ── takes what was committed or read meanwhile, makes watchers ready
 *   watch_set_ready() ─ the next ready one ──► watcher_pull() ─► a batch to send, or parked again
 *
 * A set is behind the head while nothing was committed that may concern its watchers: only that
 * kicks it, and a part of the log that it has not seen. So before the positions of idle watchers
 * are told to anyone, its owner takes a turn.
 *
 * Threads: a set and its watchers belong to one thread; only `kick` is called from others, too (the
 * writer and the readers), at most once until the next turn or rearm. */
#ifndef WATCHD_WATCH_H
#define WATCHD_WATCH_H

#include "store/store.h"

struct watch_set;
struct watcher;

/* *ret is new. `kick` must make the owner call watch_set_turn soon; it must not block. */
struct watch_set *watch_set_new(struct store *s, void (*kick)(void *arg), void *arg);
/* All its watchers are closed before. Waits until the reader has let go of it. NULL is fine. */
void watch_set_free(struct watch_set *set);

/* Takes in all that happened; afterwards the set stands at the head it saw. */
void watch_set_turn(struct watch_set *set);
/* Has the next commit kick, whatever it is about, although no turn was taken since the last one. */
void watch_set_rearm(struct watch_set *set);
/* May what is read for a watcher before it is pulled be held meanwhile? At first it may. */
void watch_set_read_ahead(struct watch_set *set, bool allowed);
/* All that was committed at or below it was taken in. */
rv_t watch_set_at(const struct watch_set *set);
/* Pops a watcher that has something to do (its owner pointer), or NULL. */
void *watch_set_ready(struct watch_set *set);

enum watch_start { START_SNAPSHOT, START_SINCE, START_RESUME, START_NOW, START_OLDEST };

struct watcher_options {
    struct selections *selections; /* taken, even on failure */
    enum watch_start start;
    rv_t since;             /* START_SINCE */
    struct position resume; /* START_RESUME; borrowed for the call */
    bool previous;          /* events with the object before */
    void *owner;            /* what watch_set_ready returns */
};

/* *ret is new, and ready. Errors: ERR_EXPIRED, ERR_FUTURE, ERR_FOREIGN, ERR_INVALID (a position
 * within a snapshot of another selection). */
enum errc watcher_open(struct watch_set *set, const struct watcher_options *opt,
                       struct watcher **ret, struct err *err) NODISCARD;
/* Never delivers again. NULL is fine. */
void watcher_close(struct watcher *w);

#define WATCH_BATCH_BYTES (64 * 1024) /* of one batch, or one event, or one transaction */
#define WATCH_PIECES_MAX  8

struct watch_piece {
    struct blob *blob; /* a reference, the batch's */
    size_t at, n;
};

enum watch_batch_kind {
    BATCH_NONE,   /* nothing now: the watcher is parked and will be ready again */
    BATCH_EVENTS, /* pieces hold encoded events */
    BATCH_SYNCED, /* the snapshot is complete, at version rv */
};

struct watch_batch {
    enum watch_batch_kind kind;
    struct watch_piece pieces[WATCH_PIECES_MAX];
    size_t n_pieces;
    size_t bytes;
    size_t events;
    rv_t rv;
    bool parked; /* it was the last one for now: the watcher is parked */
};

/* The next batch of a watcher, BATCH_NONE if it is parked; it is not after it was opened or
 * watch_set_ready gave it. Errors: ERR_EXPIRED, ERR_DATA_LOSS, ERR_UNAVAILABLE: the watch
 * is at its end. */
enum errc watcher_pull(struct watcher *w, struct watch_batch *ret, struct err *err) NODISCARD;
void watch_batch_fini(struct watch_batch *b);

/* Where the watcher is, everything pulled included: to be sent with the batch just pulled, or with
 * a bookmark. Encodes into ret, returns its length. */
size_t watcher_position(const struct watcher *w, uint8_t ret[POSITION_MAX]);
/* The version which a resume from that position needs; 0: it begins again. */
rv_t watcher_position_rv(const struct watcher *w);
/* Every matching event at or below it has been pulled. 0 within a snapshot. */
rv_t watcher_rv(const struct watcher *w);

enum watch_phase { WATCH_SNAPSHOT = 1, WATCH_REPLAY = 2, WATCH_LIVE = 3 };
enum watch_phase watcher_phase(const struct watcher *w);
const struct selections *watcher_selections(const struct watcher *w);

#endif

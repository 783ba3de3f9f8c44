/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's own files share: the store's parts and how they speak to each other.
 *
 * One event, from disk to wire: the writer judges what waits (judge.c, on the objects as the batch
 * so far leaves them, batch.c) and commits it (writer.c), the engine tells the sink, and
 * store_publish puts it into the index and the log, moves the head (store.c) and kicks the watch
 * sets that it may concern (watch_set.c). A set's owner takes its turn, which wakes the idle
 * watchers that it concerns (watch_set.c); they pull batches of shared bytes (watcher.c) from the
 * log (live.c), or ask the reader for what lies behind it (replay.c), which kicks the set when it
 * is there.
 *
 * Locks: store.mu, index, log, definitions, dependents, reader.mu, writer.mu; none is taken while
 * another is held, but by the start-up, which is alone. */
#ifndef WATCHD_STORE_IMPL_H
#define WATCHD_STORE_IMPL_H

#include <pthread.h>

#include "store/definitions.h"
#include "store/dependents.h"
#include "store/expiry.h"
#include "store/index.h"
#include "store/log.h"
#include "store/requests.h"
#include "store/store.h"
#include "store/watch.h"

#define PIN_MS (10 * 60 * 1000) /* how long a snapshot may hold the floor */

/* A snapshot under way: the floor stays at or below rv. */
struct pin {
    LIST_ENTRY(pin) link;
    rv_t rv;
    mono_ms_t since;
};

/* Of the versions kept from before the start. */
enum load_state { LOAD_RUNNING, LOAD_DONE, LOAD_FAILED };

/* A list whose next page may be asked for: its version stays for LEASE_MS after each page. */
struct lease {
    rv_t rv; /* 0: none */
    mono_ms_t since, until;
};
#define LEASES   256
#define LEASE_MS (60 * 1000)

/* What clients need who were cut off within one second, lest it goes until they are back. */
struct spared {
    int64_t second;
    rv_t lowest;
};
#define SPARE_S 3

struct writer;
struct reader;

struct store {
    struct engine *engine;
    const struct codec *codec;
    const struct clock *clock;
    struct store_options opt; /* defaults filled in */
    struct index *index;
    struct log *log;
    struct definitions *definitions;
    struct expiry *expiry; /* the writer's */
    struct dependents *dependents;
    struct writer *writer;
    struct reader *reader;      /* of what somebody waits for */
    struct reader *bulk_reader; /* of what is long, and yields to all else */
    _Atomic rv_t head;          /* the last published version; only the writer stores it */
    _Atomic rv_t floor;         /* only the writer stores it */
    _Atomic rv_t brink;         /* see store_brink; only the writer stores it */
    _Atomic size_t unpublished; /* writes taken that are neither published nor decided */
    _Atomic uint64_t history_events, history_bytes;
    _Atomic int loaded; /* enum load_state: does the index know the kept events? */
    _Atomic bool draining;
    mono_ms_t opened;
    struct engine_age ages[ENGINE_AGES]; /* the writer's: a ring, oldest at first_age */
    size_t first_age, n_ages;
    rv_t compacted_at;      /* the writer's: the head when the last slice went for the limits */
    pthread_mutex_t mu;     /* guards all below; taken alone */
    struct watch_set *sets; /* singly linked */
    LIST_HEAD(, pin) pins;
    struct lease leases[LEASES];
    struct spared spared[SPARE_S + 1]; /* by the second, modulo their number */
    char read_only_reason[160];
};

/* ---- store.c ---- */

/* Publishes what was committed: index, log, head, kicks, in this order. On the writer. */
void store_publish(struct store *s, const struct commit *c);
/* Running time of the store: its own clock, which no step of the machine's moves. */
int64_t store_run_ms(const struct store *s);
/* Why writes are refused; "" when they are not. */
void store_set_read_only(struct store *s, const char *reason);
/* Waits until `rv`, which is committed, is published. Errors: ERR_UNAVAILABLE after two seconds. */
enum errc store_await(struct store *s, rv_t rv, struct err *err) NODISCARD;
/* Can a client go on after rv? Errors: ERR_EXPIRED, ERR_FUTURE, ERR_FOREIGN. */
enum errc store_check_resume(struct store *s, rv_t rv, struct err *err) NODISCARD;
/* Is the history there which older versions are made of? Not while it is still being loaded.
 * Errors: ERR_DATA_LOSS. */
enum errc store_check_loaded(struct store *s, struct err *err) NODISCARD;

/* Pins the floor at the head, or at rv unless the floor is beyond it (ERR_EXPIRED). */
rv_t store_pin_head(struct store *s, struct pin *pin);
enum errc store_pin(struct store *s, rv_t rv, struct pin *pin, struct err *err) NODISCARD;
void store_unpin(struct store *s, struct pin *pin);
/* Holds the floor for the next page of a list at rv; when there are too many, the oldest goes. */
void store_lease(struct store *s, rv_t rv);
/* The lowest version that is to be spared; RV_MAX if there is none. */
rv_t store_spared(struct store *s);
/* The lowest version pinned or leased not longer than PIN_MS; RV_MAX if there is none. */
#define RV_MAX UINT64_MAX
rv_t store_pinned(struct store *s);

/* ---- watch_set.c: on the writer's thread ---- */

/* Has all sets take a turn. */
void watch_sets_kick(struct store *s);
/* The head was moved over these events, which count for so many bytes of the log: has the sets take
 * a turn which they may concern, and those which are far behind. */
void watch_sets_published(struct store *s, const struct event *const *events, size_t n,
                          size_t bytes);

/* ---- writer.c ---- */

enum errc writer_start(struct store *s, struct writer **ret, struct err *err) NODISCARD;
void writer_stop(struct writer *w); /* Finishes what was submitted. NULL is fine. */
/* It was stopped, and nobody is left who may wake it. NULL is fine. */
void writer_free(struct writer *w);
enum errc writer_submit(struct writer *w, struct write *write, struct err *err) NODISCARD;
enum errc writer_compact(struct writer *w, struct compaction *c, struct err *err) NODISCARD;
/* Before the head moves: what the writer keeps of the changes. */
void writer_committed(struct writer *w, const struct change *changes, size_t n);
void writer_wake(struct writer *w);

/* ---- compactor.c: on the writer's thread ---- */

/* One slice of compaction if one is due: for the request c, or (NULL) for the limits of the
 * history. idle: nobody writes. *ret_more: there is more to do at once. Errors: as engine commit.
 */
enum errc compact_slice(struct store *s, struct compaction *c, bool idle, bool *ret_request_done,
                        bool *ret_more) NODISCARD;

/* ---- reader.c ---- */

/* One piece of work for the reader. `step` works for some milliseconds; it returns true when the
 * job is done (it has then told whoever asked) and false to be called again later. */
struct read_job {
    STAILQ_ENTRY(read_job) link;
    bool (*step)(struct read_job *job, struct engine_reader *r);
    void (*refuse)(struct read_job *job, const struct err *err); /* the store closes */
};

/* Two threads, each with its own view of the engine: what somebody waits for, gets, lists and
 * histories, neither waits behind what is long nor yields to anything; replays, snapshots and the
 * scan after a start take whatever processor time is left, and a tenth of a share if none is. */
enum reader_kind { READER_PROMPT, READER_BULK };

enum errc reader_start(struct store *s, enum reader_kind kind, struct reader **ret,
                       struct err *err) NODISCARD;
void reader_stop(struct reader *r); /* Refuses what still waits. NULL is fine. */
void reader_submit(struct reader *r, struct read_job *job);
void reader_submit_get(struct reader *r, struct get *g);
/* Room for one more get, list or history? Watches are limited elsewhere. Errors: ERR_LIMIT. */
enum errc reader_ask(struct reader *r, struct err *err) NODISCARD;
void reader_answered(struct reader *r, size_t n);

/* ---- load.c ---- */

/* Objects, recent request ids, and the newest kept versions, before anything is served. */
enum errc load_start(struct store *s, struct requests *requests, struct err *err) NODISCARD;
/* The job that fills in the kept versions; frees itself. */
struct read_job *load_history_job(struct store *s);

#endif

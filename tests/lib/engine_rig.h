/* SPDX-License-Identifier: Apache-2.0 */
/* An engine in a folder of its own, with a writer that makes up batches of changes, a sink that
 * keeps the state it is told, and a check of a database file against what was acknowledged.
 * Every event carries its batch in its request id, so that half a batch is seen as such.
 * Threads: one. */
#ifndef WATCHD_TEST_ENGINE_RIG_H
#define WATCHD_TEST_ENGINE_RIG_H

#include "store/engine_sqlite.h"

#define RIG_KEYS  24
#define RIG_BATCH 16 /* changes at most */

/* One key, as the sink was told of it. */
struct rig_item {
    rv_t rv; /* 0: there is no object */
    row_t row;
    uint64_t generation;
    int64_t deadline_ms; /* as of the start */
    char *body;
    char labels[32];
};

/* A batch that was acknowledged. */
struct rig_ack {
    rv_t first;
    uint64_t n;
    uint64_t batch;
};

struct rig {
    char *folder;
    char *path; /* of the database */
    const char *vfs;
    bool no_sync;
    struct engine *e;
    struct rig_item items[RIG_KEYS];
    rv_t told;     /* last version the sink was told of */
    size_t tells;  /* calls of the sink */
    bool disorder; /* the sink was told of versions out of order */
    uint64_t random;
    uint64_t batch;                /* of the last batch made */
    size_t fold_events, fold_rows; /* 0: the defaults */
    size_t pad;                    /* bodies are padded with up to so many bytes */

    struct change changes[RIG_BATCH]; /* the last batch */
    size_t n;
    struct aside asides[RIG_BATCH + 1];
    size_t n_asides;
    char owners[RIG_BATCH][24];
    bool made;      /* by rig_make_batch, so with the asides of rig_aside */
    int64_t run_ms; /* told with each commit */
    struct buf texts[RIG_BATCH];
    void (*on_told)(struct rig *f, const struct change *changes, size_t n);
    void *arg; /* the test's */
};

void rig_init(struct rig *f, uint64_t seed);
void rig_fini(struct rig *f); /* Closes the engine, removes the folder. */
enum errc rig_open(struct rig *f, struct err *err);
void rig_close(struct rig *f); /* The engine. */

/* Fills the items, but for their bodies, from the file, as the store does at its start. In a view.
 */
enum errc rig_load_items(struct rig *f, struct engine_reader *r, struct err *err);

/* A number below `below`. */
uint64_t rig_random(struct rig *f, uint64_t below);

/* The key of an item. Borrowed for ever. */
struct key rig_key(size_t item);
/* Makes a batch of 1 to RIG_BATCH changes, of random kinds, of random items, and its asides. */
void rig_make_batch(struct rig *f);
/* What change i of such a batch sets aside, so that a check needs no more than the events. */
struct rig_aside {
    bool sets_deadline, sets_owners;
    int64_t deadline_ms;
    char owners[24];
};
void rig_aside(uint64_t batch, uint64_t i, struct rig_aside *ret);
/* And the deadline that the batch sets for an item which it need not change, if there is one. */
int64_t rig_beat(uint64_t batch, size_t *ret_item);
/* Begins a batch, adds one change to it: a creation, an update, or a deletion. */
void rig_begin(struct rig *f);
void rig_add(struct rig *f, size_t item, enum cause cause, const char *labels);
enum errc rig_commit(struct rig *f, struct err *err);
/* Both, of one change. */
enum errc rig_write(struct rig *f, size_t item, enum cause cause, const char *labels,
                    struct err *err);

/* Folds what compaction needs, in slices, then compacts. */
typedef void rig_gone_fn(void *arg, rv_t rv, const struct key *key, size_t bytes);
enum errc rig_compact(struct rig *f, rv_t upto, size_t max_rows, rig_gone_fn *gone, void *arg,
                      rv_t *ret_floor, struct err *err);

/* What a check found out. */
struct rig_verdict {
    bool ok;
    char why[400];
    rv_t head, floor;
};

/* Opens the database with SQLite's default VFS and checks: the file's own integrity; versions
 * without a gap; batches complete; every acknowledged batch there; previous bodies right; the
 * objects equal to their last events. Afterwards the file is closed cleanly. */
void rig_verify(const char *path, const struct rig_ack *acks, size_t n_acks, rv_t min_floor,
                struct rig_verdict *ret);

#endif

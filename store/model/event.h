/* SPDX-License-Identifier: Apache-2.0 */
/* An event: what one write did to one object, complete in itself: it carries the object and, as a
 * difference, the previous one, so that any selection can be judged and any compaction survived.
 * Borrowed: all texts belong to whoever made the event (a row, a batch, a log segment).
 * Threads: plain data. */
#ifndef WATCHD_MODEL_EVENT_H
#define WATCHD_MODEL_EVENT_H

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/err.h"
#include "store/model/name.h"

/* Why it happened. Stored in the database: never renumber. */
enum cause {
    CAUSE_CREATED = 1,
    CAUSE_UPDATED = 2,
    CAUSE_DELETED = 3,
    CAUSE_EXPIRED = 4,
    CAUSE_EXPIRING = 7, /* its time ran out, but finalizers hold it: it is marked (5 and 6 are
                           causes on the wire alone) */
};

/* Who writes, where the store itself does. Requests cannot name them. */
#define MANAGER_OWN_PREFIX "watchd:"
#define MANAGER_EXPIRY     MANAGER_OWN_PREFIX "expiry"
#define MANAGER_COLLECTOR  MANAGER_OWN_PREFIX "collector"

#define REQUEST_ID_LEN     16

struct event {
    rv_t rv;
    rv_t txn_end; /* the last version of its transaction; rv when it stands alone or ends it */
    rv_t prev_rv; /* of the version before; 0: there was none (CREATED) */
    uint64_t generation;
    uint64_t prev_generation;
    enum cause cause;
    uint32_t splice; /* of body; see model/object.h */
    uint32_t prev_splice;
    wall_ms_t time; /* when it was committed; for people only */
    struct key key;
    struct str labels;      /* canonical; of a deletion: the last ones */
    struct str prev_labels; /* canonical; equal to labels when they did not change */
    struct str body;        /* the object now; of a deletion: its last state */
    uint64_t hash;          /* of the object in body; see model/object.h */
    uint64_t spec_hash;
    struct str delta;      /* makes the previous body out of body; meaningless if !prev_rv */
    struct str request_id; /* REQUEST_ID_LEN bytes, or empty */
    struct str manager;    /* who wrote it, for the history alone; empty: unknown */
};

struct object;

/* How an event looks to a watcher. */
enum event_form {
    FORM_PLAIN,    /* by its cause: ADDED, MODIFIED, DELETED */
    FORM_ENTERED,  /* ADDED: it matches now and did not before */
    FORM_LEFT,     /* DELETED: shows the previous body with this event's version */
    FORM_SNAPSHOT, /* ADDED: part of the state; cause unspecified, no previous */
};

static inline bool event_is_delete(const struct event *e)
{
    return e->cause == CAUSE_DELETED || e->cause == CAUSE_EXPIRED;
}

/* May a batch, a floor or a view end here? Not within a transaction. */
static inline bool event_ends_txn(const struct event *e)
{
    return e->rv == e->txn_end;
}

/* The object before the event, as a new reference; NULL if there was none or the event's delta is
 * damaged. */
struct object *event_previous(const struct event *e);

#endif

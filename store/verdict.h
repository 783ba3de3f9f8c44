/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: do an event's object, and the object before it, have the fields that a selection wants?
 * A watch set judges each distinct field selector once per event and keeps what it found, however
 * many watchers ask; history, which is read for one watcher, is judged as it is read. Either way
 * the previous body is made out of the event's difference only when something must look into it.
 * Owned by a watch set (or a chunk). Threads: its owner's. */
#ifndef WATCHD_VERDICT_H
#define WATCHD_VERDICT_H

#include "store/model/event.h"
#include "store/model/selection.h"

/* Which of an event's two objects. */
enum side { SIDE_BEFORE, SIDE_NOW };

/* Is there an object on that side, and with which labels? */
bool event_side(const struct event *ev, enum side side, struct str *ret_labels);

/* Does an event concern a selection which selects its two objects so, and how? What Kubernetes
 * calls convertToWatchEvent: matched before × matches now. */
bool verdict_form(const struct event *ev, bool before, bool now, enum event_form *ret_form);

/* Room for the previous body of the event asked about last. Zero it; release with fini. */
struct previous {
    rv_t rv; /* 0: none yet */
    struct buf body;
};
void previous_fini(struct previous *p);

/* Do the selections select the object on that side? */
bool verdict_of_event(const struct selections *sel, const struct event *ev, enum side side,
                      struct previous *p);

/* One distinct field selector and what it said of the latest events. */
struct verdicts;

/* All of a watch set. Zero it; empty when all verdicts are given back. */
struct verdict_table {
    struct verdicts *all;
    struct previous previous;
};
void verdict_table_fini(struct verdict_table *t);

/* A counted reference to the verdicts of the scope's field selector; NULL if it has none to be
 * judged. */
struct verdicts *verdicts_ref(struct verdict_table *t, const struct scope *s);
void verdicts_unref(struct verdict_table *t, struct verdicts *v); /* NULL is fine. */
/* There is an object on that side: does it match? NULL matches. */
bool verdicts_match(struct verdict_table *t, struct verdicts *v, const struct event *ev,
                    enum side side);

#endif

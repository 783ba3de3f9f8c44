/* SPDX-License-Identifier: Apache-2.0 */
/* A view: the objects exactly as they were at one version, between floor and head, while writes go
 * on. It is the current rows plus undo: a key's first event after S knows the object before it.
 * Owned by a job of the reader; its thread only. */
#ifndef WATCHD_VIEW_H
#define WATCHD_VIEW_H

#include "store/store_impl.h"

struct label_memo;

/* How far a walk has come, and what it looks for. */
struct view_walk {
    struct store *store;
    const struct selections *selections; /* borrowed */
    rv_t rv;                             /* S: the version shown */
    char last[KEY_MAX_LEN];
    struct key last_key; /* the one last given; borrows from `last`; all empty: before the first */
    bool end;            /* there are no more */
    size_t step_keys;    /* selected keys of one step; the caller may lower it */
    bool by_name;        /* a selection names an object */
    struct label_memo *memo; /* NULL: no selection has labels */
};

void view_walk_init(struct view_walk *v, struct store *s, const struct selections *sel, rv_t rv,
                    const struct key *after);
void view_walk_fini(struct view_walk *v);

/* Goes on for at most step_keys selected keys, or some milliseconds, in one short read transaction:
 * calls fn with each selected object as of v->rv, in key order, until it returns false (that object
 * was not taken). Errors: ERR_EXPIRED, ERR_DATA_LOSS, ERR_UNAVAILABLE. */
enum errc view_step(struct view_walk *v, struct engine_reader *r,
                    bool (*fn)(void *arg, const struct object *o), void *arg,
                    struct err *err) NODISCARD;

/* May the state at rv be shown? The one place that decides it, for gets and lists. Errors: as
 * store_check_resume; ERR_INVALID with the field resource_version inside a transaction. */
enum errc view_check(struct store *s, struct engine_reader *r, rv_t rv, struct err *err) NODISCARD;
/* One object as of version rv, as a new reference. Errors: ERR_NOT_FOUND, which says whether it was
 * deleted or not made yet; ERR_EXPIRED, ERR_DATA_LOSS, ERR_UNAVAILABLE. */
enum errc view_get(struct store *s, struct engine_reader *r, const struct key *k, rv_t rv,
                   struct object **ret, struct err *err) NODISCARD;
/* There is no such object; deleted: the version of its deletion, 0: not known. */
enum errc view_not_found(const struct key *k, rv_t deleted, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A view: the objects exactly as they were at one version, between floor and head, while writes go
 * on. It is the current rows plus undo: a key's first event after S knows the object before it.
 * Owned by a job of the reader; its thread only. */
#ifndef WATCHD_VIEW_H
#define WATCHD_VIEW_H

#include "store/store_impl.h"

/* How far a walk has come, and what it looks for. */
struct view_walk {
    struct store *store;
    const struct selections *selections; /* borrowed */
    rv_t rv;                             /* S: the version shown */
    struct buf last;                     /* texts of the key last given: resource, ns, name */
    struct key last_key;                 /* borrows from `last`; all empty: before the first */
    bool end;                            /* there are no more */
};

void view_walk_init(struct view_walk *v, struct store *s, const struct selections *sel, rv_t rv,
                    const struct key *after);
void view_walk_fini(struct view_walk *v);

/* Goes on for at most some hundred selected keys, or some thousand looked at, in one short read
 * transaction: calls fn with each selected object as of v->rv, in key order, until it returns false
 * (that object was not taken). Errors: ERR_EXPIRED, ERR_DATA_LOSS, ERR_UNAVAILABLE. */
enum errc view_step(struct view_walk *v, struct engine_reader *r,
                    bool (*fn)(void *arg, const struct object *o), void *arg,
                    struct err *err) NODISCARD;

#endif

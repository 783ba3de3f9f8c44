/* SPDX-License-Identifier: Apache-2.0 */
/* Expiring: objects whose deadline has come are deleted, a slice with each batch. The deadline and
 * the deletion are judged in one place, behind all writes that came before, so a heartbeat in time
 * always wins. An object with finalizers is marked, as a delete would.
 * Threads: the writer's. */
#ifndef WATCHD_EXPIRE_H
#define WATCHD_EXPIRE_H

#include "store/batch.h"

/* Sets or removes the deadline of the object that w leaves as `now`, as w says. */
void expire_renew(struct batch *b, const struct write *w, struct object *now, row_t row);

/* Adds the deletions of what is due at run_ms to the batch, its writes being judged. */
void expire_due(struct batch *b, int64_t run_ms);

#endif

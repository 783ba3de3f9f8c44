/* SPDX-License-Identifier: Apache-2.0 */
/* Judging: what each write of a batch comes to, on the object as the writes before it leave it.
 * Threads: the writer's. */
#ifndef WATCHD_JUDGE_H
#define WATCHD_JUDGE_H

#include "store/batch.h"

/* Judges b->writes, one after the other: fills what each answers if all goes well, and adds its
 * change to the batch. A repeat of a request id changes nothing. */
void judge_batch(struct batch *b, struct requests *requests);

/* After the commit: answers the repeats of b->writes within the batch as the first was answered,
 * and remembers those with a request id. */
void judge_settle(struct batch *b, struct requests *requests);

/* Judges one write that is not a transaction, without regard to its request id: fills it and adds
 * its change. Returns w->err.code; failing, nothing was added. */
enum errc judge_one(struct batch *b, struct write *w) NODISCARD;
/* The answer that was given to a write, as it is remembered. */
void judge_recall(struct store *s, const struct answer *a, struct write *w);

#endif

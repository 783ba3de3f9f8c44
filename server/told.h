/* SPDX-License-Identifier: Apache-2.0 */
/* Told: of which version the client of each stream was told last, by the position of a message. A
 * quiet watch is sent little, so that compaction would pass what its client could resume from: it
 * gets a bookmark before that, however seldom it wants them.
 * A part of streams. Threads: their owner's. */
#ifndef WATCHD_SERVER_TOLD_H
#define WATCHD_SERVER_TOLD_H

struct fanout;
struct stream;

/* The stream's watcher was opened. */
void told_begin(struct stream *s);
/* A message with the watcher's position is about to be sent. */
void told_sent(struct stream *s);
/* The peer is gone without a status: it may come back. */
void told_cut(struct stream *s);
/* Sent is only the end from now on. */
void told_end(struct stream *s);

/* Has those sent a bookmark whose clients were told of nothing at or above the store's brink. */
void told_look(struct fanout *f);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a watch: a head that belongs to the stream, with its position, and the encoded events
 * that all watchers share. A message is put together in the owner's buffer, which the batch that
 * sends it empties. Threads: the stream's owner's. */
#ifndef WATCHD_SERVER_MESSAGE_H
#define WATCHD_SERVER_MESSAGE_H

#include "proto/wire.h"
#include "server/stream.h"

void message_started(struct stream *s, const struct wire_started *started);
/* Of its own version and position. Not within a snapshot. */
void message_bookmark(struct stream *s);
/* Events, or SYNCED. Takes the batch's blocks, which stay pinned until message_unpin. */
void message_batch(struct stream *s, struct watch_batch *b);
/* The message was sent, or never will be. */
void message_unpin(struct stream *s);

#endif

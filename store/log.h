/* SPDX-License-Identifier: Apache-2.0 */
/* The log: the newest events in memory, for the whole store, in counted segments that never change
 * once published. The encoded bytes of an event hang on its segment and are shared by all watchers.
 * Owned by the store. Threads: appended to by the writer, read by any. */
#ifndef WATCHD_LOG_H
#define WATCHD_LOG_H

#include "store/codec.h"

struct log;
struct segment;

#define SEGMENT_BYTES (32 * 1024) /* of events in one segment, or one transaction */

/* Holds events > head from now on, at most cap_bytes of them (one segment at least). */
struct log *log_new(const struct codec *codec, size_t cap_bytes, rv_t head);
void log_free(struct log *l); /* NULL is fine. */

/* Copies the events; they ascend, and end with a whole transaction. Returns for how many bytes they
 * count. */
size_t log_append(struct log *l, const struct event *const *events, size_t n);

/* The segment with the first event > after, as a new reference. NULL if there is none, or if the
 * log does not reach back to `after`; log_reaches tells which. */
struct segment *log_find(struct log *l, rv_t after);
/* Does the log hold every event > after? */
bool log_reaches(struct log *l, rv_t after);

void segment_unref(struct segment *s); /* NULL is fine. */
size_t segment_count(const struct segment *s);
/* The index of the first event > after; segment_count if there is none. */
size_t segment_after(const struct segment *s, rv_t after);
const struct event *segment_event(const struct segment *s, size_t i);

/* The bytes of event i in a form: a borrowed block, and where in it. Plain events of a segment lie
 * one behind the other in one block. */
void segment_encoded(struct log *l, struct segment *s, size_t i, enum event_form form,
                     bool previous, struct blob **ret_blob, size_t *ret_at, size_t *ret_n);

#endif

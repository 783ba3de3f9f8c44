/* SPDX-License-Identifier: Apache-2.0 */
/* Building an index at the start, from what an engine holds: keys come in any order, and are sorted
 * once at the end, which is several times as fast as inserting one after the other.
 * Owned by the start; one thread. Nobody else has the index yet. */
#ifndef WATCHD_INDEX_BUILD_H
#define WATCHD_INDEX_BUILD_H

#include "store/index.h"

struct index_builder;

struct index_builder *index_builder_new(struct index *x);
/* All objects come before all events, events in order.
 * Errors: ERR_DATA_LOSS: there was an object of this key before. */
enum errc index_build_object(struct index_builder *b, const struct engine_object *o,
                             struct err *err) NODISCARD;
/* Keeps the version; makes the object what the event says, unless it is newer already. */
void index_build_event(struct index_builder *b, const struct engine_past *p);
/* The index is ready; frees the builder. */
void index_builder_finish(struct index_builder *b);

#endif

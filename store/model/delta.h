/* SPDX-License-Identifier: Apache-2.0 */
/* A delta: an older text as its difference to a newer one, by dropping their common head and tail;
 * tens of bytes for the usual edit. Format: varint head, varint tail, the older text's middle.
 * Pure functions. */
#ifndef WATCHD_MODEL_DELTA_H
#define WATCHD_MODEL_DELTA_H

#include "store/base/bytes.h"

/* Appends the delta that makes `older` out of `newer`. Equal texts give an empty middle. */
void delta_make(struct str newer, struct str older, struct buf *out);
/* Appends the older text. False when the delta does not fit `newer` (corrupt). */
bool delta_apply(struct str newer, struct str delta, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Labels in canonical text: "key=value,key=value", sorted by key, "" for none. Keys and values
 * cannot hold '=' or ',', so the text is unambiguous and two sets are equal iff their texts are.
 * Pure functions. */
#ifndef WATCHD_MODEL_LABELS_H
#define WATCHD_MODEL_LABELS_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

/* Appends the canonical text of metadata.labels (NULL or null: none), checking keys and values.
 * Errors: ERR_INVALID with field "metadata.labels" or `metadata.labels["key"]`. */
enum errc labels_from_json(const json_t *labels, struct buf *out, struct err *err) NODISCARD;

/* Looks one key up. False when it is not there; *ret_value borrows from `labels`. */
bool labels_get(struct str labels, struct str key, struct str *ret_value);

/* Walks the pairs: start with *at = 0. False at the end. */
bool labels_next(struct str labels, size_t *at, struct str *ret_key, struct str *ret_value);

#endif

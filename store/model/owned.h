/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a document that can have owners: all that users write, but apiVersion and kind.
 * A field is each single value and each map or declared list itself, however much is in it.
 * Pure. See: fields.h for sets of fields, shape.h for what is a single value. */
#ifndef WATCHD_MODEL_OWNED_H
#define WATCHD_MODEL_OWNED_H

#include "store/model/fields.h"
#include "store/model/shape.h"

/* The document without what nobody owns: apiVersion, kind, and what the server sets in metadata.
 * `metadata` is always there. New reference; it shares with the document, which is only read from
 * then on. `doc` may be NULL: a document without anything. */
json_t *owned_part(const json_t *doc);

/* All fields of an owned part; its schema may be NULL. New. */
struct fields *owned_fields(const json_t *part, const struct schema *schema);

/* The fields of `part` that `before` does not have, or has with another value. New. */
struct fields *owned_changes(const json_t *before, const json_t *part, const struct schema *schema);

#endif

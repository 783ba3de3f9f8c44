/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON path: which one member of a document is meant, as kubectl writes it:
 *   status.phase   .spec.containers[0].image   metadata.labels['app.io/tier']   {.spec.a\.b}
 * A key is written as it is, or with `\` before a character that would end it, or in brackets and
 * quotes (where `\` goes before a quote or another `\`). A leading `$` or `.` and braces around the
 * whole make no difference. What may name several members (`*`, `..`, slices, filters, negative
 * indices) is refused, as are control characters.
 * Immutable after parsing; looking up may run on any thread.
 * See: kubectl's JSONPath support. */
#ifndef WATCHD_MODEL_JSON_PATH_H
#define WATCHD_MODEL_JSON_PATH_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

#define JSON_PATH_MAX_LEN 1024

struct json_path;

/* *ret is new. Errors: ERR_INVALID with the given field; says the offset and what was expected. */
enum errc json_path_parse(struct str text, const char *field, struct json_path **ret,
                          struct err *err) NODISCARD;
/* The same for a path that begins at *at and ends before the first character which cannot belong to
 * one, where *at is left. */
enum errc json_path_read(struct str text, size_t *at, const char *field, struct json_path **ret,
                         struct err *err) NODISCARD;
void json_path_free(struct json_path *p); /* NULL is fine. */
void json_path_freep(struct json_path **p);

/* The canonical text: without braces, `$` and leading '.', quotes only where needed; equal for
 * equal paths, and parses to itself. Borrowed from the path. */
struct str json_path_text(const struct json_path *p);

/* The value, borrowed; NULL if there is none. */
const json_t *json_path_get(const struct json_path *p, const json_t *doc);
/* The same without a tree: *ret is the value's text within `text`, which json_text_write wrote (in
 * any other text the answer may be wrong, but nothing beyond it is read). False if there is none.
 * What lies in front of the value is skipped, not read: about a nanosecond per byte. */
bool json_path_scan(const struct json_path *p, struct str text, struct str *ret);

#endif

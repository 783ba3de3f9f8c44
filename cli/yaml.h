/* SPDX-License-Identifier: Apache-2.0 */
/* YAML in and out, as YAML 1.2's core schema has it: of plain scalars only null, booleans (true,
 * false), integers and reals are typed; y, n, yes, no, on, off and dates are strings, and a key is
 * the text that stands there. Refused: duplicate keys, keys that are no scalars, unknown tags,
 * merge keys (<<), numbers that JSON or an int64 cannot hold, aliases that would make a document
 * explode. Pure. See: https://yaml.org/spec/1.2.2 chapter 10.3. */
#ifndef WATCHD_CLI_YAML_H
#define WATCHD_CLI_YAML_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

#define YAML_NODES_MAX 1000000 /* of all documents of one text, aliases counted as often as used \
                                */
#define YAML_DEPTH_MAX 64

/* What a plain scalar means: a new reference to null, a boolean, a number, or a string. NULL if it
 * is a number that JSON cannot hold; *ret_why then says why. */
json_t *yaml_plain_scalar(struct str text, const char **ret_why);

/* Calls fn with each document in turn (borrowed), in their order; an empty one is left out. Stops
 * at the first error, its own or fn's. `label` is what the text is called in errors: "config.yaml".
 */
typedef enum errc yaml_document_fn(void *arg, json_t *document, struct err *err);
enum errc yaml_read(struct str text, const char *label, yaml_document_fn *fn, void *arg,
                    struct err *err) NODISCARD;

/* Appends v as one document in block style. What it writes, yaml_read reads back as the same value;
 * strings that any YAML 1.1 or 1.2 reader would take for something else are quoted. */
enum errc yaml_write(const json_t *v, struct buf *out, struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that a command is given: as an argument, or in a file, as JSON or YAML, one or several.
 * A List of kind "List" with items stands for its items. */
#ifndef WATCHD_CLI_DOCUMENT_H
#define WATCHD_CLI_DOCUMENT_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

#define DOCUMENT_BYTES_MAX ((size_t)64 << 20) /* of a file */

struct documents {
    json_t **v; /* owned; JSON objects, unless: */
    size_t n;
    bool arrays; /* in: they are arrays, as a JSON Patch is one */
};

void documents_fini(struct documents *d);

/* The argument of a command: one document. Errors: ERR_INVALID. */
enum errc documents_from_text(const char *text, const char *label, struct documents *ret,
                              struct err *err) NODISCARD;
/* Adds those of a file, "-" for stdin; none on failure. Names in .json are JSON; all others are
 * YAML unless they begin as JSON and are JSON. Errors: ERR_INVALID, ERR_NOT_FOUND (cannot be read),
 * ERR_TOO_LARGE. */
enum errc documents_from_file(const char *path, struct documents *ret, struct err *err) NODISCARD;
/* The same for bytes at hand. */
enum errc documents_from_bytes(struct str text, const char *label, bool only_json,
                               struct documents *ret, struct err *err) NODISCARD;

/* What a document says of itself; "" where it does not. Borrowed. */
struct identity {
    const char *api_version;
    const char *kind;
    const char *ns;
    const char *name;
    const char *generate_name;
};
void document_identity(const json_t *document, struct identity *ret);

/* Reads all of a file. "-" is stdin. *ret is new. */
enum errc file_read(const char *path, size_t limit, struct buf *ret, struct err *err) NODISCARD;

#endif

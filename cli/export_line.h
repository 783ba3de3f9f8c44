/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of import and export:
 *   {"op":"put","resource":"jobs","namespace":"ci","name":"build","object":{…}}
 *   {"op":"delete","resource":"jobs","namespace":"ci","name":"build"}
 *   {"kind":"Job","metadata":{"name":"build",…},…}            a whole object
 * Pure. */
#ifndef WATCHD_CLI_EXPORT_LINE_H
#define WATCHD_CLI_EXPORT_LINE_H

#include "cli/client/watch_client.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

/* Appends the object as one line. Errors: ERR_INVALID, should the document be no JSON. */
enum errc export_line(const struct watch_object *o, struct buf *out, struct err *err) NODISCARD;

struct import_line {
    enum watch_verb verb; /* WATCH_PUT or WATCH_DELETE */
    char *resource;       /* owned, "" for the default */
    char *ns;             /* owned, "" for the default */
    char *name;           /* owned */
    struct buf json;      /* WATCH_PUT: the document */
};
void import_line_fini(struct import_line *l);
/* *ret is new. Other members of the line are ignored. Errors: ERR_INVALID with the field. */
enum errc import_line_read(struct str text, struct import_line *ret, struct err *err) NODISCARD;

#endif

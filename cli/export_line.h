/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of import and export:
 *   {"op":"put","resource":"jobs","namespace":"ci","name":"build","object":{…}}
 *   {"op":"delete","resource":"jobs","namespace":"ci","name":"build"}
 *   {"kind":"Job","metadata":{"name":"build",…},…}            a whole object
 * and of transactions besides:
 *   {"op":"create"|"update",…}                                as put, if it is not, is there
 *   {"op":"patch","resource":"jobs","name":"build","patch":{…} or […]}
 *   {"op":"check","resource":"jobs","name":"build"}
 * where a put or create without a name may have metadata.generateName in its object, and a delete
 * may say "cascade":"orphan" (or "background");
 * any of which may say "resourceVersion" and "uid": only if the object has these; a check without
 * either: only if there is no such object.
 * Pure. */
#ifndef WATCHD_CLI_EXPORT_LINE_H
#define WATCHD_CLI_EXPORT_LINE_H

#include <jansson.h>

#include "cli/client/watch_client.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

/* Appends the object as one line, without what the server sets, and without owner references: they
 * name uids, which the owners do not have where they are imported, and an object whose owners are
 * gone is deleted. *ret_owned: it had some. Errors: ERR_INVALID, should the document be no JSON. */
enum errc export_line(const struct watch_object *o, struct buf *out, bool *ret_owned,
                      struct err *err) NODISCARD;

struct import_line {
    enum watch_verb verb; /* of import: WATCH_PUT or WATCH_DELETE */
    enum watch_put_mode mode;
    enum watch_patch_type patch_type;
    uint64_t if_rv; /* 0: any */
    char *if_uid;   /* owned; NULL: any */
    char *resource; /* owned, "" for the default */
    char *ns;       /* owned, "" for the default */
    /* Owned; of a document that names itself by its kind, else NULL: `resource` is then what
     * Kubernetes would guess, see resource_of_line. */
    char *kind, *api_version;
    char *name;         /* owned */
    bool generate_name; /* name is how it begins */
    bool orphan;        /* WATCH_DELETE */
    struct buf json;    /* WATCH_PUT: the document; WATCH_PATCH: the patch */
};
void import_line_fini(struct import_line *l);
/* *ret is new. Other members of the line are ignored. Errors: ERR_INVALID with the field. */
enum errc import_line_read(struct str text, struct import_line *ret, struct err *err) NODISCARD;

/* The same for an operation of a transaction, but other members are an error: a demand that is
 * misspelt must not be none. */
enum errc operation_read(json_t *document, struct import_line *ret, struct err *err) NODISCARD;

#endif

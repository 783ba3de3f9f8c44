/* SPDX-License-Identifier: Apache-2.0 */
/* JSON pointers (RFC 6901), "/spec/containers/0/app.io~1image", on their way to be written through:
 * what is found is a place, whether something is there or not.
 * Pure functions. Errors are ERR_INVALID without a field. */
#ifndef WATCHD_MODEL_JSON_POINTER_H
#define WATCHD_MODEL_JSON_POINTER_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

struct json_place {
    json_t *parent;   /* NULL: the document itself */
    struct str token; /* the key, where the parent is an object; borrowed */
    size_t index;     /* where it is an array; its size for "-" */
    json_t *value;    /* what is there, borrowed; NULL: nothing */
};

/* Is it a pointer? */
enum errc json_pointer_check(struct str pointer, struct err *err) NODISCARD;
/* How many levels below the document. */
size_t json_pointer_steps(struct str pointer);
/* Follows a checked pointer. All but its last step must exist; with must_exist the last one, too,
 * else it is a member of an object, or an element of an array or the place behind its last.
 * ret->token borrows from `pointer` or `scratch`. */
enum errc json_pointer_find(json_t *doc, struct str pointer, bool must_exist, struct buf *scratch,
                            struct json_place *ret, struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Patch (RFC 6902) over JSON pointers (RFC 6901): add, remove, replace, move, copy, test.
 *   - A test compares numbers by value (1 equals 1.0), objects whatever the order of members.
 *   - A test that fails is ERR_INVALID, as is anything else that cannot be done: Kubernetes answers
 *     422 Invalid to both.
 *   - Members keep their place when they are replaced; new ones come last.
 *   - The whole document may be replaced, tested and copied from, but not removed.
 * Errors name the operation and its member: field "json[3].path", where `field` is "json". */
#ifndef WATCHD_MODEL_JSON_PATCH_H
#define WATCHD_MODEL_JSON_PATCH_H

#include "store/model/json.h"

#define JSON_PATCH_MAX_OPS 10000

/* Is it a patch, whatever the document? Errors: ERR_INVALID; ERR_TOO_LARGE (too many operations).
 */
enum errc json_patch_check(const json_t *patch, const char *field, struct err *err) NODISCARD;

/* Applies the patch to *doc, of which nothing may be shared: it is changed in place. After an error
 * *doc is NULL and freed, so that nobody goes on with half a patch. `patch` is only read, and
 * nothing of it is shared with the result. The values of `copy` may be limit_bytes in all, so the
 * result is at most that, the document and the patch together; what it may be, the caller checks.
 * Errors: those of json_patch_check; ERR_INVALID; ERR_TOO_LARGE (copies or moves too much). */
enum errc json_patch_apply(json_t **doc, const json_t *patch, size_t limit_bytes, const char *field,
                           struct err *err) NODISCARD;

#endif

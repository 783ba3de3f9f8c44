/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two documents: as paths, and as lines. Pure. */
#ifndef WATCHD_CLI_DIFFERENCE_H
#define WATCHD_CLI_DIFFERENCE_H

#include <jansson.h>

#include "store/base/bytes.h"

/* Takes out of a whole object what the server changes with every write: version, generation. */
void difference_strip(json_t *object);
/* Takes out of a whole object all that the server sets, so that it can be put again. */
void difference_strip_all(json_t *object);

/* Appends the paths of what differs, ".spec.size, .status", by commas: each the shortest under
 * which something was added, removed or changed; arrays as a whole. Nothing if they are equal. NULL
 * is a document that is not there. */
void difference_paths(const json_t *before, const json_t *after, struct buf *out);

/* Appends the difference of two texts as `diff -u` shows it, with three lines around. Nothing if
 * they are equal. Returns whether they differ. */
bool difference_lines(struct str before, struct str after, const char *before_name,
                      const char *after_name, struct buf *out);

#endif

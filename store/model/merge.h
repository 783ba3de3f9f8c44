/* SPDX-License-Identifier: Apache-2.0 */
/* Applying a configuration, a part of a document, to a document: what it has is put in, and what
 * is not wanted any more is taken out. The arguments are owned parts (owned.h). Results are new
 * references and share with the arguments, which are only read from then on.
 * Pure. */
#ifndef WATCHD_MODEL_MERGE_H
#define WATCHD_MODEL_MERGE_H

#include "store/model/owned.h"

/* A configuration must say its declared lists as they are declared.
 * Errors: ERR_INVALID with the field, "metadata.ownerReferences[2]". */
enum errc merge_check(const json_t *config, const struct schema *schema, struct err *err) NODISCARD;

/* Maps are merged per member and declared lists per item: those of `part` keep their place, new
 * ones come last. Any other value of `config` replaces what is there. */
json_t *merge_config(const json_t *part, const json_t *config, const struct schema *schema);

/* Without these fields; but a map or declared list among them stays while something is left in it.
 * What tells an item of a list apart goes with the item. */
json_t *merge_remove(const json_t *part, const struct fields *gone, const struct schema *schema);

#endif

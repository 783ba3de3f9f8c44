/* SPDX-License-Identifier: Apache-2.0 */
/* JSON merge patch (RFC 7396). Pure. */
#ifndef WATCHD_MODEL_PATCH_H
#define WATCHD_MODEL_PATCH_H

#include "store/model/json.h"

/* The target with the patch applied, as a new reference; neither argument is changed. Members keep
 * their place, new ones come last. `target` may be NULL. The result shares parts with both: all
 * three are only read from then on. */
json_t *patch_merge(const json_t *target, const json_t *patch);

#endif

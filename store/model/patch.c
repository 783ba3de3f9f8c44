/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/patch.h"

json_t *patch_merge(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch)) {
        return json_incref(json_mutable(patch));
    }
    json_t *result = json_is_object(target) ? json_copy(json_mutable(target)) : json_object();
    json_t *members = json_mutable(patch);
    for (void *it = json_object_iter(members); it != NULL;
         it = json_object_iter_next(members, it)) {
        const char *key = json_object_iter_key(it);
        size_t key_len = json_object_iter_key_len(it);
        const json_t *value = json_object_iter_value(it);
        if (json_is_null(value)) {
            json_object_deln(result, key, key_len);
        } else {
            const json_t *old = json_object_getn(result, key, key_len);
            json_object_setn_new_nocheck(result, key, key_len, patch_merge(old, value));
        }
    }
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What one write makes of one object. Pure: it may run again on another current object. */
#ifndef WATCHD_APPLY_H
#define WATCHD_APPLY_H

#include "store/store.h"

/* Bytes of what is kept about the owners of an object's fields. */
#define OWNERS_MAX_BYTES(limit_bytes) (2 * (limit_bytes))

/* What the outside gives to a write. */
struct apply_env {
    wall_ms_t now;
    char uid[UUID_LEN + 1]; /* for an object that is created */
    struct draft_rules rules;
    bool declared_only;               /* objects of resources without a definition are refused */
    struct managed *managed;          /* WRITE_APPLY: the object's managers, in and out */
    struct conflicts **ret_conflicts; /* WRITE_APPLY: as in struct write */
};

/* What is declared about the documents; NULL: nothing. Borrowed. */
static inline const struct schema *apply_schema(const struct apply_env *env)
{
    return env->rules.definition != NULL ? env->rules.definition->schema : NULL;
}

/* Judges w against cur (NULL: there is no object). *ret_result says what it comes to;
 * *ret_next is the new state as a new reference: NULL for WRITE_UNCHANGED and WRITE_DELETED.
 * Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT, ERR_INVALID, ERR_TOO_LARGE. */
enum errc apply_write(const struct write *w, const struct object *cur, const struct apply_env *env,
                      enum write_result *ret_result, struct object **ret_next,
                      struct err *err) NODISCARD;

#endif

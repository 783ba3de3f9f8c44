/* SPDX-License-Identifier: Apache-2.0 */
/* What one write makes of one object. Pure: it may run again on another current object. */
#ifndef WATCHD_APPLY_H
#define WATCHD_APPLY_H

#include "store/store.h"

/* What the outside gives to a write. */
struct apply_env {
    wall_ms_t now;
    char uid[UUID_LEN + 1]; /* for an object that is created */
    struct draft_rules rules;
    bool declared_only; /* objects of resources without a definition are refused */
};

/* Judges w against cur (NULL: there is no object). *ret_result says what it comes to;
 * *ret_next is the new state as a new reference: NULL for WRITE_UNCHANGED and WRITE_DELETED.
 * Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT, ERR_INVALID, ERR_TOO_LARGE. */
enum errc apply_write(const struct write *w, const struct object *cur, const struct apply_env *env,
                      enum write_result *ret_result, struct object **ret_next,
                      struct err *err) NODISCARD;

#endif

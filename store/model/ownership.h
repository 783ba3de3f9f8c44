/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply: what a configuration makes of a document whose fields have owners, and what
 * any other write makes of the owners.
 *
 * A manager owns all fields of what they applied last. Fields that they applied before and apply no
 * longer are removed, unless another owns them too. Changing what another owns is a conflict;
 * forced, it is taken over. Who applies the value that is there shares it. Other writes never
 * conflict: they take over what they change.
 * Every field that is owned is one of the document: what is removed has no owner.
 * Pure. See: Kubernetes' "Server-Side Apply", and structured-merge-diff's merge/update.go. */
#ifndef WATCHD_MODEL_OWNERSHIP_H
#define WATCHD_MODEL_OWNERSHIP_H

#include "store/model/managed.h"
#include "store/model/shape.h"

/* One field that another manager owns. */
struct conflict {
    char *field; /* as fields_each shows it */
    char *manager;
    bool applies;
};

/* All conflicts of one apply; of very many only the first, so that the answer can carry them. */
#define CONFLICTS_MAX_BYTES 4000
struct conflicts {
    struct conflict *v;
    size_t n;
    size_t more; /* further ones */
    size_t bytes;
};
struct conflicts *conflicts_copy(const struct conflicts *c); /* NULL is fine. */
void conflicts_free(struct conflicts *c);                    /* NULL is fine. */

struct applying {
    const json_t *doc;           /* the object's document; NULL: there is none */
    const json_t *config;        /* an object */
    const struct schema *schema; /* of the resource; NULL: undeclared */
    struct str manager;          /* checked */
    bool status;                 /* of the status as a subresource: config has nothing else */
    bool force;
    wall_ms_t now;
    size_t max_bytes; /* of the managers' text */
};

/* Judges an apply. *ret is the new document (a new reference, shared as in merge.h), which is to be
 * checked as any other, and `m` becomes the managers of it; nothing about them changes, their times
 * included, when nothing changes in the document and in what this manager applies. After an error
 * `m` is to be thrown away.
 * Errors: ERR_CONFLICT (*ret_conflicts is new), ERR_INVALID, ERR_LIMIT (too many managers, or too
 * much to remember of them). */
enum errc ownership_apply(const struct applying *a, struct managed *m, json_t **ret,
                          struct conflicts **ret_conflicts, struct err *err) NODISCARD;

/* The managers after another write made `is` out of `was`; status: of the status alone. */
void ownership_update(const json_t *was, const json_t *is, const struct schema *schema,
                      struct str manager, bool status, wall_ms_t now, size_t max_bytes,
                      struct managed *m);

#endif

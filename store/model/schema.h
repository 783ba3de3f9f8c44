/* SPDX-License-Identifier: Apache-2.0 */
/* A structural schema: what documents of a resource must look like, and what is filled in where
 * something is absent. The language is that of Kubernetes' CustomResourceDefinitions (v1), less
 * what needs an interpreter:
 *
 *   type properties required additionalProperties items enum default nullable
 *   minimum maximum exclusiveMinimum exclusiveMaximum (numbers or, as in v1, booleans) multipleOf
 *   minLength maxLength pattern (see regex.h)   minItems maxItems   minProperties maxProperties
 *   x-kubernetes-list-type: atomic|set|map   x-kubernetes-list-map-keys (16 at most)
 *   x-kubernetes-map-type: granular|atomic   x-kubernetes-int-or-string
 *   title description format example externalDocs x-kubernetes-preserve-unknown-fields: no effect
 *
 * Anything else is refused by name. Members that no schema names are kept as they are, unless
 * additionalProperties is false: then they are refused. apiVersion, kind and metadata at the top
 * have rules of their own; a schema may mention them with their type, and that is all.
 *
 * Pure; a compiled schema never changes and may be read by any thread.
 * See: Kubernetes' "Specifying a structural schema"; JSON Schema's validation vocabulary. */
#ifndef WATCHD_MODEL_SCHEMA_H
#define WATCHD_MODEL_SCHEMA_H

#include "store/model/json.h"

#define SCHEMA_NODES_MAX      10000
#define SCHEMA_PATTERNS_MAX   200
#define SCHEMA_STEPS_MAX      65536                     /* of all patterns; see regex.h */
#define SCHEMA_BYTES_MAX      ((size_t)8 * 1024 * 1024) /* of its JSON in memory, which is kept */
#define SCHEMA_VIOLATIONS_MAX 10

struct schema;

/* From its JSON; `field` is what that is called ("spec.schema"), and begins the paths in errors.
 * *ret is new. Errors: ERR_INVALID with the path of the keyword at fault. */
enum errc schema_new(const json_t *json, const char *field, struct schema **ret,
                     struct err *err) NODISCARD;
void schema_free(struct schema *s); /* NULL is fine. */
void schema_freep(struct schema **s);

/* The document with what is absent filled in: a member that has a default, also inside of what was
 * just filled in; a null counts as absent where null is not allowed. *ret is a new reference, `doc`
 * itself if nothing was. `doc` is not changed; both may share parts. ERR_TOO_LARGE when it grows by
 * more than limit_bytes of text. */
enum errc schema_fill(const struct schema *s, const json_t *doc, size_t limit_bytes, json_t **ret,
                      struct err *err) NODISCARD;

struct schema_violation {
    char field[160]; /* "spec.ports[2].name" */
    char msg[200];   /* "must be ≥ 0, is -1" */
};
struct schema_violations {
    size_t n;
    struct schema_violation v[SCHEMA_VIOLATIONS_MAX];
};

/* The first violations, in the document's order; none: the document is as it must be. */
void schema_check(const struct schema *s, const json_t *doc, struct schema_violations *ret);
/* The same as one error: the field is the first one's, the message has as many as fit.
 * Errors: ERR_INVALID. */
enum errc schema_require(const struct schema *s, const json_t *doc, struct err *err) NODISCARD;

/* ---- For those who merge documents ---------------------------------------------------------
 * All take NULL for "no schema known here", and may return it. */

/* Of a member of an object; of the elements of an array. Borrowed. */
const struct schema *schema_member(const struct schema *s, struct str name);
const struct schema *schema_items(const struct schema *s);

enum schema_list_kind {
    SCHEMA_LIST_ATOMIC, /* replaced as a whole; also where nothing is declared */
    SCHEMA_LIST_SET,    /* of scalars, each at most once */
    SCHEMA_LIST_MAP,    /* of objects, told apart by the members that are keys */
};
enum schema_list_kind schema_list_kind(const struct schema *s);
/* The keys of a SCHEMA_LIST_MAP, at least one; borrowed. */
const struct str *schema_list_keys(const struct schema *s, size_t *ret_n);
/* The default of a member that is a key ("protocol": "TCP"), or NULL. Borrowed. */
const json_t *schema_default(const struct schema *s);
/* Is an object replaced as a whole? */
bool schema_map_is_atomic(const struct schema *s);

#endif

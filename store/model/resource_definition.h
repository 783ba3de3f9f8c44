/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a resource: an object of the built-in resource `resources`, named like the
 * resource it defines, and what is made of it.
 *
 *   {"kind":"Resource","metadata":{"name":"jobs"},"spec":{
 *     "kind":"Job",               the objects' kind; the singular, capitalised, if absent
 *     "apiVersion":"batch/v1",    of objects that bring none; "watch/v1" if absent
 *     "singular":"job","shortNames":["jb"],      what else commands may call it
 *     "namespaced":false,         its objects are all in the namespace "default"; else true
 *     "columns":[{"name":"State","jsonPath":".status.state","type":"string","priority":0}],
 *     "schema":{"properties":{"spec":{"type":"object",…}}}}}        see schema.h
 *
 * Every member of spec may be absent. Pure; a definition is immutable and counted. */
#ifndef WATCHD_MODEL_RESOURCE_DEFINITION_H
#define WATCHD_MODEL_RESOURCE_DEFINITION_H

#include "store/model/json_path.h"
#include "store/model/name.h"
#include "store/model/schema.h"

#define RESOURCE_RESOURCES  "resources"
#define DEFINITION_NAMES    16 /* short names */
#define DEFINITION_COLUMNS  24
#define COLUMN_NAME_MAX_LEN 40

enum column_type { COLUMN_STRING, COLUMN_INTEGER, COLUMN_NUMBER, COLUMN_BOOLEAN, COLUMN_DATE };

struct column {
    struct str name; /* as given; tables show it in capitals */
    struct json_path *path;
    enum column_type type;
    int priority; /* 0: always shown; above: only in wide tables */
};

struct resource_definition {
    _Atomic int refs;
    struct str resource; /* plural: the object's name */
    struct str singular; /* "" if none was given */
    struct str kind;
    bool has_kind; /* it was given: objects must have it */
    struct str api_version;
    bool namespaced;
    struct str short_names[DEFINITION_NAMES];
    size_t n_short_names;
    struct column columns[DEFINITION_COLUMNS];
    size_t n_columns;
    struct schema *schema; /* NULL: anything goes */
    json_t *json;          /* what the texts borrow from */
};

/* From the object of that name. *ret is new, one reference. Errors: ERR_INVALID with the field,
 * "spec.columns[1].jsonPath". */
enum errc resource_definition_new(struct str name, const json_t *object,
                                  struct resource_definition **ret, struct err *err) NODISCARD;
struct resource_definition *resource_definition_ref(struct resource_definition *d);
void resource_definition_unref(struct resource_definition *d); /* NULL is fine. */
void resource_definition_unrefp(struct resource_definition **d);

/* Judges a document that is to become an object with this key, and fills in the defaults of the
 * schema, which may add at most limit_bytes. *ret is a new reference and shares parts with `doc`,
 * which is not changed. Errors: ERR_INVALID with the field, ERR_TOO_LARGE. */
enum errc resource_definition_shape(const struct resource_definition *d, const struct key *key,
                                    const json_t *doc, size_t limit_bytes, json_t **ret,
                                    struct err *err) NODISCARD;

/* Objects of resources that are not namespaced live in the namespace "default", and in no other.
 * Errors: ERR_INVALID with the field "key.namespace". */
enum errc resource_check_no_namespace(const struct key *key, struct err *err) NODISCARD;

/* Is this a word for the resource: its name, singular, kind (in lower case too) or a short name? */
bool resource_definition_is_called(const struct resource_definition *d, struct str word);

#endif

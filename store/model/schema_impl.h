/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a schema share: its form once compiled, and paths of fields. */
#ifndef WATCHD_MODEL_SCHEMA_IMPL_H
#define WATCHD_MODEL_SCHEMA_IMPL_H

#include "store/model/regex.h"
#include "store/model/schema.h"

enum schema_type {
    SCHEMA_ANY,
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_INTEGER,
    SCHEMA_NUMBER,
    SCHEMA_BOOLEAN,
};

struct schema_property {
    struct str name;
    struct schema *schema;
};

struct schema_exclusive {
    bool flag;
    json_t *value; /* while it is compiled: the bound itself, or NULL */
};

/* A bound of a number, in the form in which it was written: integers are exact. */
struct schema_bound {
    json_t *value; /* NULL: none */
    struct schema_exclusive exclusive;
};

/* Of a length or a count; -1: none. */
struct schema_limits {
    int64_t min, max;
};

struct schema {
    enum schema_type type;
    bool top; /* apiVersion, kind and metadata are somebody else's */
    bool nullable, int_or_string;
    bool closed; /* no members but those named */
    bool fills;  /* it or something in it has a default */
    bool atomic_map;
    enum schema_list_kind list_kind;
    struct schema_property *properties; /* as declared */
    size_t n_properties;
    size_t *by_name;  /* their indexes, sorted */
    size_t *defaults; /* indexes of those that have a default */
    size_t n_defaults;
    struct schema *additional, *items;
    struct str *required, *keys; /* their texts lie in `json` */
    size_t n_required, n_keys;
    json_t *enums;         /* an array, or NULL */
    json_t *default_value; /* or NULL */
    size_t default_bytes;  /* as text */
    struct schema_bound minimum, maximum;
    double multiple_of;          /* 0: none */
    int64_t integer_multiple_of; /* the same where it is an integer, else 0 */
    struct schema_limits length, items_n, properties_n;
    struct regex *pattern;
    json_t *json; /* of the top: a copy of what it was made from, which texts borrow from */
};

/* ---- schema_value.c ---- */

/* A property that is declared by name, or NULL. */
const struct schema *schema_property_find(const struct schema *s, struct str name);
bool schema_is_reserved(struct str name); /* apiVersion, kind, metadata */

/* The path of a field while a tree is walked; what does not fit is left out. */
struct schema_path {
    char text[160];
    size_t n;
};
/* Both return the length to cut it back to. */
size_t schema_path_member(struct schema_path *p, struct str name);
size_t schema_path_index(struct schema_path *p, size_t i);
static inline void schema_path_cut(struct schema_path *p, size_t n)
{
    p->n = n;
    p->text[n] = '\0';
}

/* "a string", "an object"; for messages. */
const char *schema_type_name(const json_t *v);
/* < 0, 0, > 0; both are numbers, integers compared exactly. */
int schema_number_cmp(const json_t *a, const json_t *b);
/* Does v have a whole value, 3.0 included? */
bool schema_is_whole(const json_t *v);

/* ---- schema_check.c ---- */

/* schema_check of a part, whose path is `at`; what it costs is taken from *budget. */
void schema_check_at(const struct schema *s, const json_t *v, const struct schema_path *at,
                     uint64_t *budget, struct schema_violations *ret);

#endif

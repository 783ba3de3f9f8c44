/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/resource_definition.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "store/model/object.h"

#define FIELD_MAX    160
#define KIND_MAX_LEN 63

static struct str str_of_json(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

typedef enum errc read_fn(struct resource_definition *d, const json_t *v, struct err *err);

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters and digits, with the characters of `inner` in between, beginning with a letter. */
static bool is_word(struct str s, const char *inner, size_t max)
{
    bool ok = s.n != 0 && s.n <= max && is_letter(s.p[0]) &&
              (is_letter(s.p[s.n - 1]) || is_digit(s.p[s.n - 1]));
    for (size_t i = 0; ok && i < s.n; i++) {
        char c = s.p[i];
        ok = is_letter(c) || is_digit(c) || (c != '\0' && strchr(inner, c) != NULL);
    }
    return ok;
}

static enum errc read_kind(struct resource_definition *d, const json_t *v, struct err *err)
{
    d->kind = str_of_json(v);
    d->has_kind = true;
    return is_word(d->kind, "-._", KIND_MAX_LEN)
               ? OK
               : err_field(err, ERR_INVALID, "spec.kind",
                           "must be a string of letters and digits, at most %d, beginning with a "
                           "letter: \"Job\"",
                           KIND_MAX_LEN);
}

static enum errc read_api_version(struct resource_definition *d, const json_t *v, struct err *err)
{
    d->api_version = str_of_json(v);
    return is_word(d->api_version, "-._/", NAME_MAX_LEN)
               ? OK
               : err_field(err, ERR_INVALID, "spec.apiVersion",
                           "must be a string like \"v1\" or \"batch/v1\"");
}

static enum errc read_singular(struct resource_definition *d, const json_t *v, struct err *err)
{
    d->singular = str_of_json(v);
    return name_check_resource(d->singular, "spec.singular", err);
}

static enum errc read_short_names(struct resource_definition *d, const json_t *v, struct err *err)
{
    if (!json_is_array(v) || json_array_size(v) > DEFINITION_NAMES) {
        return err_field(err, ERR_INVALID, "spec.shortNames",
                         "must be an array of at most %d names", DEFINITION_NAMES);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        char field[FIELD_MAX];
        snprintf(field, sizeof(field), "spec.shortNames[%zu]", i);
        struct str name = str_of_json(json_array_get(v, i));
        if (name_check_resource(name, field, err) != OK) {
            return ERR_INVALID;
        }
        for (size_t k = 0; k < i; k++) {
            if (str_eq(name, d->short_names[k])) {
                return err_field(err, ERR_INVALID, field, "\"%.*s\" is there twice", STR_ARG(name));
            }
        }
        d->short_names[d->n_short_names++] = name;
    }
    return OK;
}

static enum errc read_namespaced(struct resource_definition *d, const json_t *v, struct err *err)
{
    d->namespaced = json_is_true(v);
    return json_is_boolean(v)
               ? OK
               : err_field(err, ERR_INVALID, "spec.namespaced", "must be true or false");
}

/* ---- Columns ------------------------------------------------------------------------------- */

static enum errc read_column_name(struct column *c, const json_t *v, const char *field,
                                  struct err *err)
{
    c->name = str_of_json(v);
    bool ok = c->name.n != 0 && c->name.n <= COLUMN_NAME_MAX_LEN;
    for (size_t i = 0; ok && i < c->name.n; i++) {
        ok = c->name.p[i] >= ' ' && c->name.p[i] != 0x7f;
    }
    return ok ? OK
              : err_field(err, ERR_INVALID, field, "must be a string of 1 to %d bytes",
                          COLUMN_NAME_MAX_LEN);
}

static enum errc read_column_path(struct column *c, const json_t *v, const char *field,
                                  struct err *err)
{
    if (!json_is_string(v)) {
        return err_field(err, ERR_INVALID, field, "must be a path like \".status.state\"");
    }
    return json_path_parse(str_of_json(v), field, &c->path, err);
}

static enum errc read_column_type(struct column *c, const json_t *v, const char *field,
                                  struct err *err)
{
    static const char *const types[] = {
        [COLUMN_STRING] = "string",   [COLUMN_INTEGER] = "integer", [COLUMN_NUMBER] = "number",
        [COLUMN_BOOLEAN] = "boolean", [COLUMN_DATE] = "date",
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_eq(str_of_json(v), str_of(types[i]))) {
            c->type = (enum column_type)i;
            return OK;
        }
    }
    return err_field(err, ERR_INVALID, field,
                     "must be one of string, integer, number, boolean, date");
}

static enum errc read_column_priority(struct column *c, const json_t *v, const char *field,
                                      struct err *err)
{
    json_int_t n = json_integer_value(v);
    c->priority = (int)n;
    return json_is_integer(v) && n >= 0 && n <= 1000
               ? OK
               : err_field(err, ERR_INVALID, field, "must be an integer from 0 to 1000");
}

static enum errc read_column_nothing(struct column *c, const json_t *v, const char *field,
                                     struct err *err)
{
    (void)c;
    return json_is_string(v) ? OK : err_field(err, ERR_INVALID, field, "must be a string");
}

static enum errc read_column_member(struct column *c, struct str name, const json_t *v,
                                    const char *field, struct err *err)
{
    static const struct {
        const char *name;
        enum errc (*read)(struct column *c, const json_t *v, const char *field, struct err *err);
    } members[] = {
        {"name",        read_column_name    },
        {"jsonPath",    read_column_path    },
        {"type",        read_column_type    },
        {"priority",    read_column_priority},
        {"description", read_column_nothing },
        {"format",      read_column_nothing },
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (str_eq(name, str_of(members[i].name))) {
            return members[i].read(c, v, field, err);
        }
    }
    return err_field(err, ERR_INVALID, field, "is no member that a column has");
}

static enum errc read_column(struct column *c, const json_t *v, const char *at, struct err *err)
{
    if (!json_is_object(v)) {
        return err_field(err, ERR_INVALID, at, "must be an object with name and jsonPath");
    }
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        char field[FIELD_MAX];
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        snprintf(field, sizeof(field), "%.40s.%.*s", at, (int)(name.n < 80 ? name.n : 80), name.p);
        if (read_column_member(c, name, json_object_iter_value(it), field, err) != OK) {
            return ERR_INVALID;
        }
    }
    char field[FIELD_MAX];
    snprintf(field, sizeof(field), "%.40s.%s", at, c->name.n == 0 ? "name" : "jsonPath");
    return c->name.n != 0 && c->path != NULL ? OK
                                             : err_field(err, ERR_INVALID, field, "is required");
}

static enum errc read_columns(struct resource_definition *d, const json_t *v, struct err *err)
{
    if (!json_is_array(v) || json_array_size(v) > DEFINITION_COLUMNS) {
        return err_field(err, ERR_INVALID, "spec.columns", "must be an array of at most %d columns",
                         DEFINITION_COLUMNS);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        char at[40];
        snprintf(at, sizeof(at), "spec.columns[%zu]", i);
        if (read_column(&d->columns[d->n_columns++], json_array_get(v, i), at, err) != OK) {
            return ERR_INVALID;
        }
    }
    return OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static enum errc read_schema(struct resource_definition *d, const json_t *v, struct err *err)
{
    return schema_new(v, "spec.schema", &d->schema, err);
}

static enum errc read_member(struct resource_definition *d, struct str name, const json_t *v,
                             struct err *err)
{
    static const struct {
        const char *name;
        read_fn *read;
    } members[] = {
        {"kind",       read_kind       },
        {"apiVersion", read_api_version},
        {"singular",   read_singular   },
        {"shortNames", read_short_names},
        {"namespaced", read_namespaced },
        {"columns",    read_columns    },
        {"schema",     read_schema     },
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (str_eq(name, str_of(members[i].name))) {
            return members[i].read(d, v, err);
        }
    }
    char field[FIELD_MAX];
    snprintf(field, sizeof(field), "spec.%.*s", (int)(name.n < 80 ? name.n : 80), name.p);
    return err_field(err, ERR_INVALID, field,
                     "is no member that a definition has; these are kind, apiVersion, singular, "
                     "shortNames, namespaced, columns, schema");
}

static enum errc read_spec(struct resource_definition *d, const json_t *spec, struct err *err)
{
    if (spec == NULL) {
        return OK;
    }
    if (!json_is_object(spec)) {
        return err_field(err, ERR_INVALID, "spec", "must be an object");
    }
    json_t *object = json_mutable(spec);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        if (read_member(d, name, json_object_iter_value(it), err) != OK) {
            return ERR_INVALID;
        }
    }
    return OK;
}

/* A definition that was meant as a bare spec would otherwise be taken for an object without one, if
 * it names kind and apiVersion, and have no effect. */
static enum errc check_object(const json_t *object, struct err *err)
{
    static const char *const members[] = {"apiVersion", "kind", "metadata", "spec", "status"};
    const json_t *kind = json_object_get(object, "kind");
    if (json_is_string(kind) && !str_eq(str_of_json(kind), STR("Resource"))) {
        return err_field(
            err, ERR_INVALID, "kind",
            "must be \"Resource\", is \"%.80s\"; the kind that is defined is spec.kind",
            json_string_value(kind));
    }
    json_t *all = json_mutable(object);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        bool known = false;
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && !known; i++) {
            known = str_eq(name, str_of(members[i]));
        }
        if (!known) {
            char field[FIELD_MAX];
            snprintf(field, sizeof(field), "%.*s", (int)(name.n < 80 ? name.n : 80), name.p);
            return err_field(err, ERR_INVALID, field[0] != '\0' ? field : "json",
                             "is no member of a Resource; what it defines goes into spec");
        }
    }
    return OK;
}

/* A text that lives as long as the definition. */
static struct str keep(struct resource_definition *d, const char *member, struct str s)
{
    json_t *text = json_stringn_nocheck(s.p, s.n);
    json_object_set_new_nocheck(d->json, member, text);
    return str_of_json(text);
}

enum errc resource_definition_new(struct str name, const json_t *object,
                                  struct resource_definition **ret, struct err *err)
{
    if (name_check_resource(name, "metadata.name", err) != OK) {
        return ERR_INVALID;
    }
    if (str_eq(name, STR(RESOURCE_RESOURCES))) {
        return err_field(err, ERR_INVALID, "metadata.name",
                         "\"" RESOURCE_RESOURCES "\" is built in and has no definition");
    }
    if (check_object(object, err) != OK) {
        return ERR_INVALID;
    }
    CLEANUP(resource_definition_unrefp)
    struct resource_definition *d = mem_zalloc(sizeof(*d));
    atomic_init(&d->refs, 1);
    d->json = json_object();
    d->namespaced = true;
    d->resource = keep(d, "name", name);
    char kind[RESOURCE_MAX_LEN + 1];
    name_kind_of_resource(name, kind);
    d->kind = keep(d, "kind", str_of(kind));
    d->api_version = STR(API_VERSION_DEFAULT);
    json_t *spec = json_deep_copy(json_object_get(object, "spec"));
    json_object_set_new_nocheck(d->json, "spec", spec);
    if (read_spec(d, spec, err) != OK) {
        return ERR_INVALID;
    }
    *ret = TAKE(d);
    return OK;
}

struct resource_definition *resource_definition_ref(struct resource_definition *d)
{
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void resource_definition_unref(struct resource_definition *d)
{
    if (d == NULL) {
        return;
    }
    int before = atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before != 1) {
        return;
    }
    for (size_t i = 0; i < d->n_columns; i++) {
        json_path_free(d->columns[i].path);
    }
    schema_free(d->schema);
    json_decref(d->json);
    free(d);
}

void resource_definition_unrefp(struct resource_definition **d)
{
    resource_definition_unref(*d);
    *d = NULL;
}

enum errc resource_check_no_namespace(const struct key *key, struct err *err)
{
    return str_eq(key->ns, STR(NAMESPACE_DEFAULT))
               ? OK
               : err_field(err, ERR_INVALID, "key.namespace",
                           "%.*s are not namespaced: leave the namespace \"%.*s\" away",
                           STR_ARG(key->resource), STR_ARG(key->ns));
}

/* Where the kind is declared it is part of what the resource is. */
static enum errc check_kind(const struct resource_definition *d, const json_t *doc, struct err *err)
{
    const json_t *kind = json_object_get(doc, "kind");
    if (!d->has_kind || !json_is_string(kind) || str_eq(str_of_json(kind), d->kind)) {
        return OK;
    }
    return err_field(err, ERR_INVALID, "kind", "must be \"%.*s\" in %.*s, is \"%.80s\"",
                     STR_ARG(d->kind), STR_ARG(d->resource), json_string_value(kind));
}

enum errc resource_definition_shape(const struct resource_definition *d, const struct key *key,
                                    const json_t *doc, size_t limit_bytes, json_t **ret,
                                    struct err *err)
{
    if (!d->namespaced && resource_check_no_namespace(key, err) != OK) {
        return ERR_INVALID;
    }
    if (check_kind(d, doc, err) != OK) {
        return ERR_INVALID;
    }
    if (d->schema == NULL) {
        *ret = json_incref(json_mutable(doc));
        return OK;
    }
    CLEANUP(json_decrefp) json_t *filled = NULL;
    enum errc rc = schema_fill(d->schema, doc, limit_bytes, &filled, err);
    if (rc == OK) {
        rc = schema_require(d->schema, filled, err);
    }
    if (rc == OK) {
        *ret = TAKE(filled);
    }
    return rc;
}

bool resource_definition_is_called(const struct resource_definition *d, struct str word)
{
    bool kind = word.n == d->kind.n && strncasecmp(word.p, d->kind.p, word.n) == 0;
    bool called =
        kind || str_eq(word, d->resource) || (d->singular.n != 0 && str_eq(word, d->singular));
    for (size_t i = 0; i < d->n_short_names && !called; i++) {
        called = str_eq(word, d->short_names[i]);
    }
    return called;
}

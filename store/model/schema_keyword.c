/* SPDX-License-Identifier: Apache-2.0 */
/* The keywords of a schema: each has one row in a table, what reads it and the types it says
 * something about. */
#include <stdlib.h>

#include "store/model/schema_compile.h"

#define ENUM_MAX 1000
#define KEYS_MAX 16 /* of a list: each item is told apart by all of them */

static struct str str_of_json(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

static enum errc read_type(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    static const struct {
        const char *name;
        enum schema_type type;
    } types[] = {
        {"object",  SCHEMA_OBJECT },
        {"array",   SCHEMA_ARRAY  },
        {"string",  SCHEMA_STRING },
        {"integer", SCHEMA_INTEGER},
        {"number",  SCHEMA_NUMBER },
        {"boolean", SCHEMA_BOOLEAN},
    };
    for (size_t i = 0; json_is_string(v) && i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_eq(str_of_json(v), str_of(types[i].name))) {
            s->type = types[i].type;
            return OK;
        }
    }
    return REFUSE(c, "must be one of object, array, string, integer, number, boolean; for null "
                     "there is nullable");
}

static enum errc read_flag(struct schema_compiler *c, const json_t *v, bool *ret)
{
    *ret = json_is_true(v);
    return json_is_boolean(v) ? OK : REFUSE(c, "must be true or false");
}

static enum errc read_nullable(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_flag(c, v, &s->nullable);
}

static enum errc read_int_or_string(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_flag(c, v, &s->int_or_string);
}

static enum errc read_preserve(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    (void)s;
    bool kept; /* Unknown members always are. */
    return read_flag(c, v, &kept);
}

static enum errc read_nothing(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    (void)c;
    (void)s;
    (void)v;
    return OK;
}

/* What a schema may say of apiVersion, kind and metadata at the top, as pasted ones do. */
static enum errc check_reserved(struct schema_compiler *c, const json_t *v)
{
    static const char *const known[] = {"type", "title", "description"};
    json_t *object = json_mutable(v);
    bool ok = json_is_object(v);
    for (void *it = json_object_iter(object); it != NULL && ok;
         it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        ok = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            ok = ok || str_eq(name, str_of(known[i]));
        }
    }
    return ok ? OK
              : REFUSE(c, "has rules of its own; a schema may give its type and description, and "
                          "that is all");
}

static enum errc read_property(struct schema_compiler *c, struct schema *s, struct str name,
                               const json_t *v)
{
    if (s->top && schema_is_reserved(name)) {
        return check_reserved(c, v);
    }
    struct schema *property = NULL;
    if (schema_compile(c, v, &property) != OK) {
        return ERR_INVALID;
    }
    s->properties[s->n_properties++] = (struct schema_property){name, property};
    return OK;
}

static int by_name(const void *a, const void *b, void *arg)
{
    const struct schema *s = arg;
    return str_cmp(s->properties[*(const size_t *)a].name, s->properties[*(const size_t *)b].name);
}

static enum errc read_properties(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    if (!json_is_object(v)) {
        return REFUSE(c, "must be an object of schemas");
    }
    size_t n = json_object_size(v);
    s->properties = mem_zalloc((n + 1) * sizeof(*s->properties));
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        size_t cut = schema_path_member(&c->path, name);
        if (read_property(c, s, name, json_object_iter_value(it)) != OK) {
            return ERR_INVALID;
        }
        schema_path_cut(&c->path, cut);
    }
    s->by_name = mem_alloc((n + 1) * sizeof(*s->by_name));
    for (size_t i = 0; i < s->n_properties; i++) {
        s->by_name[i] = i;
    }
    qsort_r(s->by_name, s->n_properties, sizeof(*s->by_name), by_name, s);
    return OK;
}

static enum errc read_additional(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    s->closed = json_is_false(v);
    return json_is_boolean(v) ? OK : schema_compile(c, v, &s->additional);
}

static enum errc read_items(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return schema_compile(c, v, &s->items);
}

/* An array of different strings, which are not empty. */
static enum errc read_names(struct schema_compiler *c, const json_t *v, struct str **ret,
                            size_t *ret_n)
{
    if (!json_is_array(v)) {
        return REFUSE(c, "must be an array of names");
    }
    CLEANUP(json_decrefp) json_t *seen = json_object();
    *ret = mem_alloc((json_array_size(v) + 1) * sizeof(**ret));
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct str name = str_of_json(json_array_get(v, i));
        size_t cut = schema_path_index(&c->path, i);
        if (name.n == 0) {
            return REFUSE(c, "must be a name");
        }
        if (json_object_getn(seen, name.p, name.n) != NULL) {
            return REFUSE(c, "\"%.*s\" is there twice", (int)(name.n < 80 ? name.n : 80), name.p);
        }
        json_object_setn_new_nocheck(seen, name.p, name.n, json_true());
        (*ret)[(*ret_n)++] = name;
        schema_path_cut(&c->path, cut);
    }
    return OK;
}

static enum errc read_required(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_names(c, v, &s->required, &s->n_required);
}

static enum errc read_keys(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    if (json_array_size(v) > KEYS_MAX) {
        return REFUSE(c, "has %zu keys; at most %d are taken", json_array_size(v), KEYS_MAX);
    }
    return read_names(c, v, &s->keys, &s->n_keys);
}

static enum errc read_enum(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > ENUM_MAX) {
        return REFUSE(c, "must be an array of 1 to %d values", ENUM_MAX);
    }
    s->enums = json_incref(json_mutable(v));
    return OK;
}

static enum errc read_default(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    if (s->top) {
        return REFUSE(c, "the object as a whole has no default");
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    json_text_write(v, &text);
    s->default_bytes = text.n;
    s->default_value = json_incref(json_mutable(v));
    return OK;
}

static enum errc read_number(struct schema_compiler *c, const json_t *v, json_t **ret)
{
    if (!json_is_number(v)) {
        return REFUSE(c, "must be a number");
    }
    *ret = json_incref(json_mutable(v));
    return OK;
}

static enum errc read_minimum(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_number(c, v, &s->minimum.value);
}

static enum errc read_maximum(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_number(c, v, &s->maximum.value);
}

/* true beside the bound, as in CRDs, or the bound itself, as in JSON Schema. */
static enum errc read_exclusive(struct schema_compiler *c, const json_t *v,
                                struct schema_exclusive *ret)
{
    if (json_is_boolean(v)) {
        ret->flag = json_is_true(v);
        return OK;
    }
    return read_number(c, v, &ret->value);
}

static enum errc read_exclusive_min(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_exclusive(c, v, &s->minimum.exclusive);
}

static enum errc read_exclusive_max(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    return read_exclusive(c, v, &s->maximum.exclusive);
}

static enum errc read_multiple_of(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    s->multiple_of = json_number_value(v);
    s->integer_multiple_of = json_integer_value(v);
    return s->multiple_of > 0 ? OK : REFUSE(c, "must be a number above 0");
}

static enum errc read_limit(struct schema_compiler *c, const json_t *v, int64_t *ret)
{
    *ret = json_integer_value(v);
    return json_is_integer(v) && *ret >= 0 ? OK : REFUSE(c, "must be an integer, 0 or more");
}

#define LIMIT(function, member)                                                             \
    static enum errc function(struct schema_compiler *c, struct schema *s, const json_t *v) \
    {                                                                                       \
        return read_limit(c, v, &s->member);                                                \
    }
LIMIT(read_min_length, length.min)
LIMIT(read_max_length, length.max)
LIMIT(read_min_items, items_n.min)
LIMIT(read_max_items, items_n.max)
LIMIT(read_min_properties, properties_n.min)
LIMIT(read_max_properties, properties_n.max)
#undef LIMIT

static enum errc read_pattern(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    if (!json_is_string(v)) {
        return REFUSE(c, "must be a string");
    }
    if (++c->patterns > SCHEMA_PATTERNS_MAX) {
        return REFUSE(c, "is one pattern too many; %d are taken", SCHEMA_PATTERNS_MAX);
    }
    if (regex_new(str_of_json(v), c->path.text, &s->pattern, c->err) != OK) {
        return ERR_INVALID;
    }
    c->pattern_steps += regex_steps(s->pattern);
    return c->pattern_steps <= SCHEMA_STEPS_MAX
               ? OK
               : REFUSE(c, "the patterns of this schema repeat too much in all");
}

static enum errc read_list_type(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    struct str word = str_of_json(v);
    s->list_kind = str_eq(word, STR("map"))   ? SCHEMA_LIST_MAP
                   : str_eq(word, STR("set")) ? SCHEMA_LIST_SET
                                              : SCHEMA_LIST_ATOMIC;
    bool known = s->list_kind != SCHEMA_LIST_ATOMIC || str_eq(word, STR("atomic"));
    return known ? OK : REFUSE(c, "must be one of atomic, set, map");
}

static enum errc read_map_type(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    s->atomic_map = str_eq(str_of_json(v), STR("atomic"));
    bool known = s->atomic_map || str_eq(str_of_json(v), STR("granular"));
    return known ? OK : REFUSE(c, "must be one of granular, atomic");
}

#define NUMBERS   (SCHEMA_BIT(SCHEMA_INTEGER) | SCHEMA_BIT(SCHEMA_NUMBER))
#define ALL_TYPES (~0U)
static const struct schema_keyword keywords[] = {
    {"type",                                 read_type,           ALL_TYPES                },
    {"properties",                           read_properties,     SCHEMA_BIT(SCHEMA_OBJECT)},
    {"additionalProperties",                 read_additional,     SCHEMA_BIT(SCHEMA_OBJECT)},
    {"required",                             read_required,       SCHEMA_BIT(SCHEMA_OBJECT)},
    {"minProperties",                        read_min_properties, SCHEMA_BIT(SCHEMA_OBJECT)},
    {"maxProperties",                        read_max_properties, SCHEMA_BIT(SCHEMA_OBJECT)},
    {"x-kubernetes-map-type",                read_map_type,       SCHEMA_BIT(SCHEMA_OBJECT)},
    {"items",                                read_items,          SCHEMA_BIT(SCHEMA_ARRAY) },
    {"minItems",                             read_min_items,      SCHEMA_BIT(SCHEMA_ARRAY) },
    {"maxItems",                             read_max_items,      SCHEMA_BIT(SCHEMA_ARRAY) },
    {"x-kubernetes-list-type",               read_list_type,      SCHEMA_BIT(SCHEMA_ARRAY) },
    {"x-kubernetes-list-map-keys",           read_keys,           SCHEMA_BIT(SCHEMA_ARRAY) },
    {"minLength",                            read_min_length,     SCHEMA_BIT(SCHEMA_STRING)},
    {"maxLength",                            read_max_length,     SCHEMA_BIT(SCHEMA_STRING)},
    {"pattern",                              read_pattern,        SCHEMA_BIT(SCHEMA_STRING)},
    {"minimum",                              read_minimum,        NUMBERS                  },
    {"maximum",                              read_maximum,        NUMBERS                  },
    {"exclusiveMinimum",                     read_exclusive_min,  NUMBERS                  },
    {"exclusiveMaximum",                     read_exclusive_max,  NUMBERS                  },
    {"multipleOf",                           read_multiple_of,    NUMBERS                  },
    {"enum",                                 read_enum,           ALL_TYPES                },
    {"default",                              read_default,        ALL_TYPES                },
    {"nullable",                             read_nullable,       ALL_TYPES                },
    {"x-kubernetes-int-or-string",           read_int_or_string,  SCHEMA_BIT(SCHEMA_ANY)   },
    {"x-kubernetes-preserve-unknown-fields", read_preserve,       ALL_TYPES                },
    {"title",                                read_nothing,        ALL_TYPES                },
    {"description",                          read_nothing,        ALL_TYPES                },
    {"format",                               read_nothing,        ALL_TYPES                },
    {"example",                              read_nothing,        ALL_TYPES                },
    {"externalDocs",                         read_nothing,        ALL_TYPES                },
};

const struct schema_keyword *schema_keyword_find(struct str name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (str_eq(name, str_of(keywords[i].name))) {
            return &keywords[i];
        }
    }
    return NULL;
}

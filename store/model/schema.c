/* SPDX-License-Identifier: Apache-2.0 */
/* From the JSON of a schema to its compiled form. */
#include "store/model/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/model/schema_compile.h"

#define DEFAULT_FILL_MAX ((size_t)64 * 1024) /* what a default may grow to */
#define CHECK_BUDGET     (UINT64_C(10) * 1000 * 1000)

/* ---- What several keywords must be to each other ------------------------------------------- */

static enum errc finish_bound(struct schema_compiler *c, struct schema_bound *b, const char *name)
{
    if (b->exclusive.value == NULL) {
        return OK;
    }
    schema_path_member(&c->path, str_of(name));
    if (b->value != NULL) {
        return REFUSE(c,
                      "either it is true or false, or it takes the place of the bound beside it");
    }
    b->value = TAKE(b->exclusive.value);
    b->exclusive.flag = true;
    return OK;
}

static bool is_scalar(const struct schema *s)
{
    return s != NULL && (s->type == SCHEMA_STRING || s->type == SCHEMA_INTEGER ||
                         s->type == SCHEMA_NUMBER || s->type == SCHEMA_BOOLEAN || s->int_or_string);
}

/* The elements of a map are told apart by their keys, so these must be there, and scalars. */
static enum errc finish_keys(struct schema_compiler *c, const struct schema *s)
{
    if (s->n_keys == 0 || s->items == NULL || s->items->type != SCHEMA_OBJECT) {
        return REFUSE(c, "a list of the type map wants items of the type object, and "
                         "x-kubernetes-list-map-keys");
    }
    for (size_t i = 0; i < s->n_keys; i++) {
        const struct schema *key = schema_property_find(s->items, s->keys[i]);
        bool there = key != NULL && key->default_value != NULL;
        for (size_t j = 0; j < s->items->n_required && !there; j++) {
            there = str_eq(s->items->required[j], s->keys[i]);
        }
        if (!is_scalar(key) || key->nullable || !there) {
            return REFUSE(c,
                          "the key \"%.*s\" must be a scalar property of the items, and required "
                          "or with a default",
                          (int)(s->keys[i].n < 80 ? s->keys[i].n : 80), s->keys[i].p);
        }
    }
    return OK;
}

static enum errc finish_list(struct schema_compiler *c, const struct schema *s)
{
    if (s->list_kind == SCHEMA_LIST_MAP) {
        return finish_keys(c, s);
    }
    if (s->n_keys != 0) {
        return REFUSE(c, "x-kubernetes-list-map-keys belongs to x-kubernetes-list-type: map");
    }
    if (s->list_kind == SCHEMA_LIST_SET && (!is_scalar(s->items) || s->items->nullable)) {
        return REFUSE(c, "a list of the type set wants items that are scalars");
    }
    return OK;
}

static bool has_default(const struct schema *s)
{
    return s != NULL && (s->default_value != NULL || s->fills);
}

/* A default must be what the schema asks for, with what is filled in below it. */
static enum errc finish_default(struct schema_compiler *c, const struct schema *s)
{
    if (s->default_value == NULL) {
        return OK;
    }
    schema_path_member(&c->path, STR("default"));
    CLEANUP(json_decrefp) json_t *filled = NULL;
    if (schema_fill(s, s->default_value, DEFAULT_FILL_MAX, &filled, NULL) != OK) {
        return REFUSE(c, "grows to more than %zu bytes by the defaults in it", DEFAULT_FILL_MAX);
    }
    struct schema_violations found = {0};
    schema_check_at(s, filled, &c->path, &c->budget, &found);
    return found.n == 0 ? OK
                        : err_field(c->err, ERR_INVALID, found.v[0].field, "%s", found.v[0].msg);
}

static void finish_fills(struct schema *s)
{
    s->fills = has_default(s->additional) || has_default(s->items);
    s->defaults = mem_alloc((s->n_properties + 1) * sizeof(*s->defaults));
    for (size_t i = 0; i < s->n_properties; i++) {
        const struct schema *property = s->properties[i].schema;
        s->fills = s->fills || has_default(property);
        if (property->default_value != NULL) {
            s->defaults[s->n_defaults++] = i;
        }
    }
}

static enum errc finish(struct schema_compiler *c, struct schema *s)
{
    finish_fills(s);
    if (s->top && s->type != SCHEMA_OBJECT && s->type != SCHEMA_ANY) {
        return REFUSE(c, "must have the type object");
    }
    if (finish_bound(c, &s->minimum, "exclusiveMinimum") != OK ||
        finish_bound(c, &s->maximum, "exclusiveMaximum") != OK || finish_list(c, s) != OK) {
        return ERR_INVALID;
    }
    return finish_default(c, s);
}

/* ---- The tree ------------------------------------------------------------------------------ */

static enum errc read_keyword(struct schema_compiler *c, struct schema *s, struct str name,
                              const json_t *v)
{
    const struct schema_keyword *k = schema_keyword_find(name);
    if (k == NULL) {
        return REFUSE(c, "is no keyword that these schemas have");
    }
    return k->read(c, s, v);
}

/* Keywords that can have no effect are mistakes. */
static enum errc check_types(struct schema_compiler *c, const struct schema *s, const json_t *v)
{
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        if (s->type != SCHEMA_ANY &&
            (schema_keyword_find(name)->types & SCHEMA_BIT(s->type)) == 0) {
            schema_path_member(&c->path, name);
            return REFUSE(c, "says nothing about the type that is declared beside it");
        }
    }
    return OK;
}

static enum errc fill_in(struct schema_compiler *c, struct schema *s, const json_t *v)
{
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        size_t cut = schema_path_member(&c->path, name);
        if (read_keyword(c, s, name, json_object_iter_value(it)) != OK) {
            return ERR_INVALID;
        }
        schema_path_cut(&c->path, cut);
    }
    return check_types(c, s, v) == OK ? finish(c, s) : ERR_INVALID;
}

static struct schema *new_node(void)
{
    struct schema *s = mem_zalloc(sizeof(*s));
    s->length = s->items_n = s->properties_n = (struct schema_limits){-1, -1};
    return s;
}

enum errc schema_compile(struct schema_compiler *c, const json_t *v, struct schema **ret)
{
    if (!json_is_object(v)) {
        return REFUSE(c, "must be a schema, which is an object");
    }
    if (++c->nodes > SCHEMA_NODES_MAX) {
        return REFUSE(c, "is one schema too many; %d are taken", SCHEMA_NODES_MAX);
    }
    CLEANUP(schema_freep) struct schema *s = new_node();
    if (fill_in(c, s, v) != OK) {
        return ERR_INVALID;
    }
    *ret = TAKE(s);
    return OK;
}

enum errc schema_new(const json_t *json, const char *field, struct schema **ret, struct err *err)
{
    struct schema_compiler c = {.budget = CHECK_BUDGET, .err = err};
    c.path.n = (size_t)snprintf(c.path.text, sizeof(c.path.text), "%.100s", field);
    if (!json_is_object(json) || json_depth(json) > JSON_DEPTH_MAX) {
        return REFUSE(&c, "must be a schema, which is an object, of at most %d levels",
                      JSON_DEPTH_MAX);
    }
    if (json_tree_bytes(json) > SCHEMA_BYTES_MAX) {
        return REFUSE(&c, "takes more than %zu bytes of memory: it has too many parts",
                      SCHEMA_BYTES_MAX);
    }
    CLEANUP(schema_freep) struct schema *s = new_node();
    s->top = true;
    s->json = json_deep_copy(json);
    if (fill_in(&c, s, s->json) != OK) {
        return ERR_INVALID;
    }
    *ret = TAKE(s);
    return OK;
}

void schema_free(struct schema *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n_properties; i++) {
        schema_free(s->properties[i].schema);
    }
    schema_free(s->additional);
    schema_free(s->items);
    regex_free(s->pattern);
    json_decref(s->enums);
    json_decref(s->default_value);
    json_decref(s->minimum.value);
    json_decref(s->maximum.value);
    json_decref(s->minimum.exclusive.value);
    json_decref(s->maximum.exclusive.value);
    json_decref(s->json);
    free(s->properties);
    free(s->by_name);
    free(s->defaults);
    free(s->required);
    free(s->keys);
    free(s);
}

void schema_freep(struct schema **s)
{
    schema_free(*s);
    *s = NULL;
}

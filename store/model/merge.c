/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/merge.h"

#include <stdio.h>

/* ---- The check ----------------------------------------------------------------------------- */

static enum errc refuse_item(const struct parts *parts, const struct shape *shape,
                             const struct buf *path, struct err *err)
{
    char field[FIELDS_PATH_MAX + 32];
    snprintf(field, sizeof(field), "%.*s[%zu]", STR_ARG(buf_str(path)), parts->bad);
    switch (parts->fault) {
    case PARTS_NO_KEY:
        return err_field(err, ERR_INVALID, field,
                         "needs \"%.*s\", by which the items of this list are told apart",
                         STR_ARG(parts->key));
    case PARTS_NO_SCALAR:
        return err_field(err, ERR_INVALID, field,
                         "must be a string, a number or a boolean: the list is a set");
    case PARTS_TOO_LARGE:
        return err_field(err, ERR_INVALID, field,
                         "what tells the items of this list apart is more than %zu bytes in all; "
                         "give the list fewer of them",
                         PARTS_NAMES_MAX);
    case PARTS_TWICE:
        break;
    }
    if (shape->kind == SHAPE_SET) {
        return err_field(err, ERR_INVALID, field, "is there twice, but the list is a set");
    }
    return err_field(err, ERR_INVALID, field, "has the same \"%.*s\"%s as an item before it",
                     STR_ARG(shape->keys[0]), shape->n_keys > 1 ? " (and other keys)" : "");
}

static enum errc check(const json_t *value, struct shape shape, int depth, struct buf *path,
                       struct err *err)
{
    CLEANUP(parts_fini) struct parts parts;
    parts_of(value, &shape, depth, &parts);
    bool declared = shape.kind == SHAPE_SET || shape.kind == SHAPE_KEYED;
    if (declared && json_is_array(value) && parts.kind == 0 && depth < FIELDS_DEPTH_MAX) {
        return refuse_item(&parts, &shape, path, err);
    }
    size_t n = path->n;
    for (size_t i = 0; i < parts.n; i++) {
        struct str name = parts.v[i].name;
        if (parts.kind == 'f') {
            buf_printf(path, "%s%.*s", n != 0 ? "." : "", STR_ARG(name));
        } else {
            buf_printf(path, "[%zu]", i);
        }
        enum errc code =
            check(parts.v[i].value, parts_shape(&parts, &shape, name), depth + 1, path, err);
        if (code != OK) {
            return code;
        }
        path->n = n;
        path->full = false;
    }
    return OK;
}

enum errc merge_check(const json_t *config, const struct schema *schema, struct err *err)
{
    CLEANUP(buf_fini) struct buf path;
    buf_init(&path, FIELDS_PATH_MAX);
    json_t *members = json_mutable(config);
    enum errc code = OK;
    for (void *it = json_object_iter(members); it != NULL && code == OK;
         it = json_object_iter_next(members, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        buf_clear(&path);
        path.full = false;
        buf_adds(&path, name);
        code = check(json_object_iter_value(it), shape_top(schema, name), 1, &path, err);
    }
    return code;
}

/* ---- Putting in ---------------------------------------------------------------------------- */

static json_t *merge(const json_t *value, const json_t *config, struct shape shape, int depth);

static json_t *merge_members(const struct parts *was, const struct parts *is, struct shape shape,
                             int depth)
{
    json_t *result = json_copy(json_mutable(was->map));
    for (size_t i = 0; i < is->n; i++) {
        struct str name = is->v[i].name;
        json_object_setn_new_nocheck(
            result, name.p, name.n,
            merge(parts_find(was, name), is->v[i].value, parts_shape(is, &shape, name), depth + 1));
    }
    return result;
}

static json_t *merge_items(const struct parts *was, const struct parts *is, struct shape shape,
                           int depth)
{
    const struct shape below = shape_item(&shape);
    json_t *result = json_array();
    for (size_t i = 0; i < was->n; i++) {
        const json_t *config = parts_find(is, was->v[i].name);
        const json_t *old = was->v[i].value;
        json_array_append_new(result, config != NULL ? merge(old, config, below, depth + 1)
                                                     : json_incref(json_mutable(old)));
    }
    for (size_t i = 0; i < is->n; i++) {
        if (parts_find(was, is->v[i].name) == NULL) {
            json_array_append(result, json_mutable(is->v[i].value));
        }
    }
    return result;
}

static json_t *merge(const json_t *value, const json_t *config, struct shape shape, int depth)
{
    CLEANUP(parts_fini) struct parts was;
    CLEANUP(parts_fini) struct parts is;
    parts_of(value, &shape, depth, &was);
    parts_of(config, &shape, depth, &is);
    if (was.kind != is.kind || is.kind == 0) {
        return json_incref(json_mutable(config));
    }
    return is.kind == 'f' ? merge_members(&was, &is, shape, depth)
                          : merge_items(&was, &is, shape, depth);
}

json_t *merge_config(const json_t *part, const json_t *config, const struct schema *schema)
{
    json_t *result = json_copy(json_mutable(part));
    json_t *members = json_mutable(config);
    for (void *it = json_object_iter(members); it != NULL;
         it = json_object_iter_next(members, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        json_object_setn_new_nocheck(result, name.p, name.n,
                                     merge(json_object_getn(part, name.p, name.n),
                                           json_object_iter_value(it), shape_top(schema, name), 1));
    }
    return result;
}

/* ---- Taking out ---------------------------------------------------------------------------- */

static json_t *without(const json_t *value, const struct fields *gone, struct shape above,
                       struct shape shape, int depth);

/* Adds what is left of a part to `left`. False if nothing is. */
static bool keep_part(json_t *left, const struct parts *p, const struct part *part,
                      const struct fields *gone, struct shape shape, int depth)
{
    const struct fields *below = fields_find(gone, p->kind, part->name);
    json_t *v = below == NULL ? json_incref(json_mutable(part->value))
                              : without(part->value, below, shape,
                                        parts_shape(p, &shape, part->name), depth + 1);
    if (v != NULL && p->kind == 'f') {
        json_object_setn_new_nocheck(left, part->name.p, part->name.n, v);
    } else if (v != NULL) {
        json_array_append_new(left, v);
    }
    return v != NULL;
}

/* What is left of `value`, or NULL; `above` is the shape of the list that it is an item of. */
static json_t *without(const json_t *value, const struct fields *gone, struct shape above,
                       struct shape shape, int depth)
{
    CLEANUP(parts_fini) struct parts parts;
    parts_of(value, &shape, depth, &parts);
    if (parts.kind == 0) {
        return gone->here ? NULL : json_incref(json_mutable(value));
    }
    static const struct fields nothing = {0};
    bool item = gone->step.p[0] == 'k';
    size_t kept = 0;
    json_t *left = parts.kind == 'f' ? json_object() : json_array();
    for (size_t i = 0; i < parts.n; i++) {
        bool key = item && shape_is_key(&above, parts.v[i].name);
        bool there = keep_part(left, &parts, &parts.v[i], key ? &nothing : gone, shape, depth);
        kept += there && !key;
    }
    if (gone->here && kept == 0) {
        json_decref(left);
        return NULL;
    }
    return left;
}

json_t *merge_remove(const json_t *part, const struct fields *gone, const struct schema *schema)
{
    json_t *result = json_copy(json_mutable(part));
    json_t *members = json_mutable(part);
    for (void *it = json_object_iter(members); it != NULL;
         it = json_object_iter_next(members, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        const struct fields *below = fields_find(gone, 'f', name);
        json_t *left = below == NULL ? NULL
                                     : without(json_object_iter_value(it), below, (struct shape){0},
                                               shape_top(schema, name), 1);
        if (left != NULL) {
            json_object_setn_new_nocheck(result, name.p, name.n, left);
        } else if (below != NULL) {
            json_object_deln(result, name.p, name.n);
        }
    }
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/owned.h"

#include "store/model/metadata.h"

json_t *owned_part(const json_t *doc)
{
    json_t *part = json_object();
    json_object_set_new(part, "metadata", metadata_of_user(json_object_get(doc, "metadata")));
    json_t *all = json_mutable(doc);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        if (!str_eq(name, STR("metadata")) && !str_eq(name, STR("apiVersion")) &&
            !str_eq(name, STR("kind"))) {
            json_object_setn_nocheck(part, name.p, name.n, json_object_iter_value(it));
        }
    }
    return part;
}

/* Fills `at`, which stands for `value`, `depth` steps below the top. */
static void collect(struct fields *at, const json_t *value, struct shape shape, int depth)
{
    CLEANUP(parts_fini) struct parts parts;
    parts_of(value, &shape, depth, &parts);
    at->here = true;
    for (size_t i = 0; i < parts.n; i++) {
        collect(fields_add(at, parts.kind, parts.v[i].name), parts.v[i].value,
                parts_shape(&parts, &shape, parts.v[i].name), depth + 1);
    }
    fields_settle(at);
}

/* As collect, of what differs from `before` (NULL: there was none). */
static void compare(struct fields *at, const json_t *before, const json_t *value,
                    struct shape shape, int depth)
{
    CLEANUP(parts_fini) struct parts was;
    CLEANUP(parts_fini) struct parts is;
    parts_of(before, &shape, depth, &was);
    parts_of(value, &shape, depth, &is);
    if (was.kind != is.kind || is.kind == 0) {
        if (before == NULL || !json_equal(before, value)) {
            collect(at, value, shape, depth);
        }
        return;
    }
    for (size_t i = 0; i < is.n; i++) {
        const struct part *part = &is.v[i];
        compare(fields_add(at, is.kind, part->name), parts_find(&was, part->name), part->value,
                parts_shape(&is, &shape, part->name), depth + 1);
    }
    fields_settle(at);
}

/* A document and its metadata are there whether somebody wants them or not. */
static struct fields *collect_top(const json_t *before, const json_t *part,
                                  const struct schema *schema)
{
    struct fields *all = fields_new();
    json_t *members = json_mutable(part);
    for (void *it = json_object_iter(members); it != NULL;
         it = json_object_iter_next(members, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        struct fields *at = fields_add(all, 'f', name);
        compare(at, json_object_getn(before, name.p, name.n), json_object_iter_value(it),
                shape_top(schema, name), 1);
        at->here = at->here && !str_eq(name, STR("metadata"));
    }
    fields_settle(all);
    return all;
}

struct fields *owned_fields(const json_t *part, const struct schema *schema)
{
    return collect_top(NULL, part, schema);
}

struct fields *owned_changes(const json_t *before, const json_t *part, const struct schema *schema)
{
    return collect_top(before, part, schema);
}

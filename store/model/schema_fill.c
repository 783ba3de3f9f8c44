/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in defaults. Nothing is copied but what changes and what leads to it. */
#include "store/model/schema_impl.h"

struct filling {
    size_t left; /* bytes that may still be added */
    bool full;
};

static json_t *fill(struct filling *f, const struct schema *s, const json_t *v);

/* The value of a member or an element (NULL: absent) as it should be: a new reference, NULL if it
 * stays absent. */
static json_t *fill_value(struct filling *f, const struct schema *s, size_t name_n, const json_t *v)
{
    bool absent = v == NULL || (json_is_null(v) && !s->nullable);
    if (!absent || s->default_value == NULL) {
        return v != NULL ? fill(f, s, v) : NULL;
    }
    size_t bytes = s->default_bytes + name_n + 4; /* quotes, colon and comma */
    if (f->full || bytes > f->left) {
        f->full = true;
        return json_incref(json_mutable(v));
    }
    f->left -= bytes;
    /* A copy, since the schema's own is shared by threads. */
    CLEANUP(json_decrefp) json_t *value = json_deep_copy(s->default_value);
    return fill(f, s, value);
}

/* *v becomes a copy of its own before its first change. */
static json_t *own(json_t **v, const json_t *original)
{
    if (*v == original) {
        json_t *copy = json_copy(*v);
        json_decref(*v);
        *v = copy;
    }
    return *v;
}

static void fill_member(struct filling *f, const struct schema *s, struct str name,
                        const json_t *original, json_t **v)
{
    const json_t *before = json_object_getn(original, name.p, name.n);
    json_t *after = fill_value(f, s, name.n, before);
    if (after != before) {
        json_object_setn_new_nocheck(own(v, original), name.p, name.n, after);
    } else {
        json_decref(after);
    }
}

/* What is absent is paid for by what it adds, what is there by the document; so no property is
 * looked at but these, however many a schema has. */
static json_t *fill_object(struct filling *f, const struct schema *s, const json_t *original)
{
    json_t *v = json_incref(json_mutable(original));
    for (size_t i = 0; i < s->n_defaults && !f->full; i++) {
        const struct schema_property *p = &s->properties[s->defaults[i]];
        fill_member(f, p->schema, p->name, original, &v);
    }
    json_t *members = json_mutable(original);
    for (void *it = json_object_iter(members); it != NULL && !f->full;
         it = json_object_iter_next(members, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        const struct schema *property = schema_property_find(s, name);
        bool done = property != NULL && property->default_value != NULL;
        property = property != NULL ? property : s->additional;
        if (property != NULL && !done && !(s->top && schema_is_reserved(name))) {
            fill_member(f, property, name, original, &v);
        }
    }
    return v;
}

static json_t *fill_array(struct filling *f, const struct schema *s, const json_t *original)
{
    json_t *v = json_incref(json_mutable(original));
    for (size_t i = 0; i < json_array_size(original) && s->items != NULL; i++) {
        const json_t *before = json_array_get(original, i);
        json_t *after = fill_value(f, s->items, 0, before);
        if (after != before) {
            json_array_set_new(own(&v, original), i, after);
        } else {
            json_decref(after);
        }
    }
    return v;
}

static json_t *fill(struct filling *f, const struct schema *s, const json_t *v)
{
    if (s->fills && json_is_object(v)) {
        return fill_object(f, s, v);
    }
    if (s->fills && json_is_array(v)) {
        return fill_array(f, s, v);
    }
    return json_incref(json_mutable(v));
}

enum errc schema_fill(const struct schema *s, const json_t *doc, size_t limit_bytes, json_t **ret,
                      struct err *err)
{
    struct filling f = {.left = limit_bytes};
    CLEANUP(json_decrefp) json_t *filled = fill(&f, s, doc);
    if (f.full) {
        return err_field(err, ERR_TOO_LARGE, "json",
                         "grows by more than %zu bytes with the defaults of its schema",
                         limit_bytes);
    }
    *ret = TAKE(filled);
    return OK;
}

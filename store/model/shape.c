/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/shape.h"

#include <stdlib.h>

#include "store/model/fields.h"

static const struct str owner_keys[] = {
    {"uid", 3}
};

static struct shape shape_of(const struct schema *schema)
{
    struct shape s = {.schema = schema};
    switch (schema_list_kind(schema)) {
    case SCHEMA_LIST_SET:
        s.kind = SHAPE_SET;
        break;
    case SCHEMA_LIST_MAP:
        s.kind = SHAPE_KEYED;
        s.keys = schema_list_keys(schema, &s.n_keys);
        break;
    case SCHEMA_LIST_ATOMIC:
        s.kind = schema_map_is_atomic(schema) ? SHAPE_ATOMIC : SHAPE_PLAIN;
        break;
    }
    return s;
}

struct shape shape_top(const struct schema *schema, struct str member)
{
    return str_eq(member, STR("metadata")) ? (struct shape){.metadata = true}
                                           : shape_of(schema_member(schema, member));
}

struct shape shape_member(const struct shape *s, struct str name)
{
    if (!s->metadata) {
        return shape_of(schema_member(s->schema, name));
    }
    if (str_eq(name, STR("finalizers"))) {
        return (struct shape){.kind = SHAPE_SET};
    }
    if (str_eq(name, STR("ownerReferences"))) {
        return (struct shape){.kind = SHAPE_KEYED, .keys = owner_keys, .n_keys = 1};
    }
    return (struct shape){0};
}

struct shape shape_item(const struct shape *s)
{
    return shape_of(schema_items(s->schema));
}

bool shape_is_key(const struct shape *s, struct str name)
{
    bool found = false;
    for (size_t i = 0; i < s->n_keys && !found; i++) {
        found = str_eq(s->keys[i], name);
    }
    return found;
}

static bool is_scalar(const json_t *v)
{
    return v != NULL && !json_is_object(v) && !json_is_array(v) && !json_is_null(v);
}

/* The first key behind `before` in bytewise order. */
static struct str next_key(const struct shape *s, struct str before)
{
    struct str next = STR_EMPTY;
    for (size_t i = 0; i < s->n_keys; i++) {
        bool behind = str_cmp(s->keys[i], before) > 0;
        if (behind && (next.n == 0 || str_cmp(s->keys[i], next) < 0)) {
            next = s->keys[i];
        }
    }
    return next;
}

/* {"name":"web","port":80}, of the keys. False if one is missing and has no default: *ret_key. */
static bool add_keys(const json_t *item, const struct shape *s, struct buf *out,
                     struct str *ret_key)
{
    const struct schema *items = schema_items(s->schema);
    struct str key = STR_EMPTY;
    for (size_t i = 0; i < s->n_keys; i++) {
        key = next_key(s, key);
        const json_t *v = json_object_getn(item, key.p, key.n);
        v = v != NULL ? v : schema_default(schema_member(items, key));
        if (!is_scalar(v) || !json_is_object(item)) {
            *ret_key = key;
            return false;
        }
        buf_addc(out, i == 0 ? '{' : ',');
        json_text_string(key, out);
        buf_addc(out, ':');
        json_text_write(v, out);
    }
    buf_addc(out, '}');
    return true;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp((*(struct part *const *)a)->name, (*(struct part *const *)b)->name);
}

static void sort_parts(struct parts *p)
{
    p->found = mem_alloc(p->n * sizeof(*p->found) + 1);
    for (size_t i = 0; i < p->n; i++) {
        p->found[i] = &p->v[i];
    }
    if (p->n != 0) {
        qsort(p->found, p->n, sizeof(struct part *), by_name);
    }
}

/* The first item that has the name of one before it; n if none. */
static size_t second_of_two(const struct parts *p)
{
    size_t bad = p->n;
    for (size_t i = 1; i < p->n; i++) {
        if (str_eq(p->found[i - 1]->name, p->found[i]->name)) {
            size_t a = (size_t)(p->found[i - 1] - p->v);
            size_t b = (size_t)(p->found[i] - p->v);
            size_t second = a > b ? a : b;
            bad = second < bad ? second : bad;
        }
    }
    return bad;
}

static void read_items(const json_t *list, const struct shape *s, struct parts *p)
{
    size_t n = json_array_size(list);
    bool keyed = s->kind == SHAPE_KEYED;
    struct buf texts;
    buf_init(&texts, PARTS_NAMES_MAX);
    p->v = mem_alloc(n * sizeof(*p->v) + 1);
    p->bad = n;
    for (p->n = 0; p->n < n && p->bad == n; p->n++) {
        const json_t *item = json_array_get(list, p->n);
        size_t at = texts.n;
        if (keyed ? !add_keys(item, s, &texts, &p->key) : !is_scalar(item)) {
            p->fault = keyed ? PARTS_NO_KEY : PARTS_NO_SCALAR;
            p->bad = p->n;
            break;
        }
        if (!keyed) {
            json_text_write(item, &texts);
        }
        if (texts.full) {
            p->fault = PARTS_TOO_LARGE;
            p->bad = p->n;
            break;
        }
        p->v[p->n] = (struct part){
            {NULL, texts.n - at},
            item
        };
    }
    p->texts = texts.p; /* It stays where it is from now on. */
    const char *at = texts.p;
    for (size_t i = 0; i < p->n; i++) {
        p->v[i].name.p = at;
        at += p->v[i].name.n;
    }
    sort_parts(p);
    if (p->bad == n) {
        p->fault = PARTS_TWICE;
        p->bad = second_of_two(p);
    }
    if (p->bad == n) {
        p->kind = keyed ? 'k' : 'v';
    } else {
        p->n = 0;
    }
}

static void read_members(const json_t *map, struct parts *p)
{
    json_t *all = json_mutable(map);
    p->kind = 'f';
    p->map = map;
    p->v = mem_alloc(json_object_size(map) * sizeof(*p->v) + 1);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        p->v[p->n++] = (struct part){
            {json_object_iter_key(it), json_object_iter_key_len(it)},
            json_object_iter_value(it)
        };
    }
}

void parts_of(const json_t *value, const struct shape *s, int depth, struct parts *ret)
{
    *ret = (struct parts){0};
    if (depth >= FIELDS_DEPTH_MAX) {
        return;
    }
    if (s->kind == SHAPE_PLAIN && json_is_object(value)) {
        read_members(value, ret);
    } else if ((s->kind == SHAPE_SET || s->kind == SHAPE_KEYED) && json_is_array(value)) {
        read_items(value, s, ret);
    }
}

struct shape parts_shape(const struct parts *p, const struct shape *s, struct str name)
{
    return p->kind == 'f' ? shape_member(s, name) : shape_item(s);
}

void parts_fini(struct parts *p)
{
    free(p->v);
    free(p->found);
    free(p->texts);
    *p = (struct parts){0};
}

const json_t *parts_find(const struct parts *p, struct str name)
{
    if (p->kind == 'f') {
        return json_object_getn(p->map, name.p, name.n);
    }
    if (p->n == 0) {
        return NULL;
    }
    const struct part wanted = {.name = name};
    const struct part *key = &wanted;
    struct part **at = bsearch(&key, p->found, p->n, sizeof(struct part *), by_name);
    return at != NULL ? (*at)->value : NULL;
}

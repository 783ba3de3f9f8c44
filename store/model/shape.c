/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/shape.h"

#include <stdlib.h>

#include "store/model/fields.h"

static const struct str owner_keys[] = {
    {"uid", 3}
};
static const struct shape_rule metadata_rules[] = {
    {.name = {"finalizers", 10}, .kind = SHAPE_SET},
    { .name = {"ownerReferences", 15}, .kind = SHAPE_KEYED,              .keys = owner_keys, .n_keys = 1},
};
const struct shape_rule shape_metadata = {
    .name = {"metadata", 8},
      .below = metadata_rules, .n_below = 2
};

const struct shape_rule *shape_below(const struct shape_rule *rule, struct str name)
{
    const struct shape_rule *any = NULL;
    for (size_t i = 0; rule != NULL && i < rule->n_below; i++) {
        if (rule->below[i].name.n == 0) {
            any = &rule->below[i];
        } else if (str_eq(rule->below[i].name, name)) {
            return &rule->below[i];
        }
    }
    return any;
}

bool shape_is_key(const struct shape_rule *rule, struct str name)
{
    bool found = false;
    for (size_t i = 0; rule != NULL && i < rule->n_keys && !found; i++) {
        found = str_eq(rule->keys[i], name);
    }
    return found;
}

static bool is_scalar(const json_t *v)
{
    return v != NULL && !json_is_object(v) && !json_is_array(v) && !json_is_null(v);
}

/* {"name":"web","port":80}, of the keys. False if one is missing. */
static bool add_keys(const json_t *item, const struct shape_rule *rule, struct buf *out)
{
    for (size_t i = 0; i < rule->n_keys; i++) {
        const json_t *v = json_object_getn(item, rule->keys[i].p, rule->keys[i].n);
        if (!is_scalar(v)) {
            return false;
        }
        buf_addc(out, i == 0 ? '{' : ',');
        json_text_string(rule->keys[i], out);
        buf_addc(out, ':');
        json_text_write(v, out);
    }
    buf_addc(out, '}');
    return json_is_object(item);
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

static void read_items(const json_t *list, const struct shape_rule *rule, struct parts *p)
{
    size_t n = json_array_size(list);
    bool keyed = rule->kind == SHAPE_KEYED;
    struct buf texts;
    buf_init(&texts, SIZE_MAX);
    p->v = mem_alloc(n * sizeof(*p->v) + 1);
    p->bad = n;
    for (p->n = 0; p->n < n && p->bad == n; p->n++) {
        const json_t *item = json_array_get(list, p->n);
        size_t at = texts.n;
        if (keyed ? !add_keys(item, rule, &texts) : !is_scalar(item)) {
            p->bad = p->n;
            break;
        }
        if (!keyed) {
            json_text_write(item, &texts);
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

void parts_of(const json_t *value, const struct shape_rule *rule, int depth, struct parts *ret)
{
    enum shape_kind kind = rule != NULL ? rule->kind : SHAPE_PLAIN;
    *ret = (struct parts){0};
    if (depth >= FIELDS_DEPTH_MAX) {
        return;
    }
    if (kind == SHAPE_PLAIN && json_is_object(value)) {
        read_members(value, ret);
    } else if ((kind == SHAPE_SET || kind == SHAPE_KEYED) && json_is_array(value)) {
        read_items(value, rule, ret);
    }
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

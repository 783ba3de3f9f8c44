/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into a schema; paths and values, for its parts. */
#include <math.h>
#include <stdio.h>

#include "store/model/schema_impl.h"

bool schema_is_reserved(struct str name)
{
    return str_eq(name, STR("apiVersion")) || str_eq(name, STR("kind")) ||
           str_eq(name, STR("metadata"));
}

const struct schema *schema_property_find(const struct schema *s, struct str name)
{
    size_t lo = 0;
    size_t hi = s->n_properties;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct schema_property *p = &s->properties[s->by_name[mid]];
        int c = str_cmp(name, p->name);
        if (c == 0) {
            return p->schema;
        }
        if (c < 0) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return NULL;
}

const struct schema *schema_member(const struct schema *s, struct str name)
{
    if (s == NULL || (s->top && schema_is_reserved(name))) {
        return NULL;
    }
    const struct schema *p = schema_property_find(s, name);
    return p != NULL ? p : s->additional;
}

const struct schema *schema_items(const struct schema *s)
{
    return s != NULL ? s->items : NULL;
}

enum schema_list_kind schema_list_kind(const struct schema *s)
{
    return s != NULL ? s->list_kind : SCHEMA_LIST_ATOMIC;
}

const struct str *schema_list_keys(const struct schema *s, size_t *ret_n)
{
    *ret_n = s != NULL ? s->n_keys : 0;
    return s != NULL ? s->keys : NULL;
}

const json_t *schema_default(const struct schema *s)
{
    return s != NULL ? s->default_value : NULL;
}

bool schema_map_is_atomic(const struct schema *s)
{
    return s != NULL && s->atomic_map;
}

static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || c == '-' || c == '$';
        if (!plain) {
            return false;
        }
    }
    return name.n != 0;
}

static size_t path_add(struct schema_path *p, int added)
{
    size_t before = p->n;
    size_t room = sizeof(p->text) - 1 - p->n;
    p->n += (size_t)added < room ? (size_t)added : room;
    return before;
}

size_t schema_path_member(struct schema_path *p, struct str name)
{
    char *at = p->text + p->n;
    size_t room = sizeof(p->text) - p->n;
    if (is_plain(name)) {
        return path_add(p, snprintf(at, room, "%s%.*s", p->n != 0 ? "." : "", STR_ARG(name)));
    }
    return path_add(p, snprintf(at, room, "[\"%.*s\"]", STR_ARG(name)));
}

size_t schema_path_index(struct schema_path *p, size_t i)
{
    return path_add(p, snprintf(p->text + p->n, sizeof(p->text) - p->n, "[%zu]", i));
}

const char *schema_type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

/* An integer beside a real: where the real is out of its range or has a fraction, the reals decide;
 * in between both are exact. */
static int integer_cmp_real(int64_t i, double d)
{
    if (d >= 9223372036854775808.0) {
        return -1;
    }
    if (d < -9223372036854775808.0) {
        return 1;
    }
    double whole = trunc(d);
    int64_t w = (int64_t)whole;
    if (i != w) {
        return i < w ? -1 : 1;
    }
    return d > whole ? -1 : d < whole;
}

int schema_number_cmp(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        int64_t x = json_integer_value(a);
        int64_t y = json_integer_value(b);
        return x < y ? -1 : x > y;
    }
    if (json_is_integer(a)) {
        return integer_cmp_real(json_integer_value(a), json_real_value(b));
    }
    if (json_is_integer(b)) {
        return -integer_cmp_real(json_integer_value(b), json_real_value(a));
    }
    double x = json_real_value(a);
    double y = json_real_value(b);
    return x < y ? -1 : x > y;
}

bool schema_is_whole(const json_t *v)
{
    double d = json_real_value(v);
    return json_is_integer(v) || (json_is_real(v) && !(trunc(d) < d) && !(trunc(d) > d));
}

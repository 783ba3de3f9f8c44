/* SPDX-License-Identifier: Apache-2.0 */
/* Is a document what its schema asks for? Patterns and enums cost more than the document's size
 * tells, so they have a budget. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/model/schema_impl.h"

#define CHECK_BUDGET (UINT64_C(20) * 1000 * 1000) /* some tens of milliseconds */
#define QUOTE_MAX    40                           /* how much of a value a message shows */

struct checking {
    struct schema_path path;
    uint64_t *budget;
    bool spent; /* it does not suffice; the rest is not looked at */
    struct schema_violations *found;
};

static void check(struct checking *c, const struct schema *s, const json_t *v);

PRINTF_LIKE(2, 3) static void violate(struct checking *c, const char *fmt, ...)
{
    if (c->found->n == SCHEMA_VIOLATIONS_MAX) {
        return;
    }
    struct schema_violation *v = &c->found->v[c->found->n++];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(v->msg, sizeof(v->msg), fmt, ap);
    va_end(ap);
    snprintf(v->field, sizeof(v->field), "%s", c->path.text);
}

static bool done(const struct checking *c)
{
    return c->spent || c->found->n == SCHEMA_VIOLATIONS_MAX;
}

static void spend(struct checking *c, uint64_t n)
{
    if (*c->budget < n) {
        c->spent = true;
        violate(c, "takes too long to check: what its schema's patterns and enums ask for is too "
                   "much for a value of this size");
        return;
    }
    *c->budget -= n;
}

/* The beginning of a value's text. Whole characters: it ends up in a message. */
struct quote {
    char text[QUOTE_MAX + 8];
};

static struct quote quote(const json_t *v)
{
    struct quote q;
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    if (json_is_object(v) || json_is_array(v)) {
        buf_adds(&text, str_of(schema_type_name(v)));
    } else {
        json_text_write(v, &text);
    }
    size_t n = 0;
    for (size_t len = 1; n < text.n && len != 0; n += len) {
        len = utf8_len(text.p + n, text.n - n);
        if (n + len > QUOTE_MAX) {
            break;
        }
    }
    snprintf(q.text, sizeof(q.text), "%.*s%s", (int)n, text.p, n < text.n ? "…" : "");
    return q;
}

/* ---- Scalars ------------------------------------------------------------------------------- */

static void check_bounds(struct checking *c, const struct schema *s, const json_t *v)
{
    const struct schema_bound *min = &s->minimum;
    const struct schema_bound *max = &s->maximum;
    int below = min->value != NULL ? schema_number_cmp(v, min->value) : 1;
    if (below < 0 || (below == 0 && min->exclusive.flag)) {
        violate(c, "must be %s %s, is %s", min->exclusive.flag ? ">" : "≥", quote(min->value).text,
                quote(v).text);
    }
    int above = max->value != NULL ? schema_number_cmp(v, max->value) : -1;
    if (above > 0 || (above == 0 && max->exclusive.flag)) {
        violate(c, "must be %s %s, is %s", max->exclusive.flag ? "<" : "≤", quote(max->value).text,
                quote(v).text);
    }
    if (s->integer_multiple_of > 0 && json_is_integer(v)) {
        if (json_integer_value(v) % s->integer_multiple_of != 0) {
            violate(c, "must be a multiple of %" PRId64 ", is %s", s->integer_multiple_of,
                    quote(v).text);
        }
    } else if (s->multiple_of > 0) {
        /* As others do it: 0.3 counts as a multiple of 0.1, though no double says so. */
        double ratio = json_number_value(v) / s->multiple_of;
        if (fabs(ratio - round(ratio)) > 1e-9 * fmax(1, fabs(ratio))) {
            violate(c, "must be a multiple of %g, is %s", s->multiple_of, quote(v).text);
        }
    }
}

static int64_t characters(struct str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    }
    return n;
}

static void check_limits(struct checking *c, struct schema_limits l, int64_t n, const char *what)
{
    if (l.min >= 0 && n < l.min) {
        violate(c, "must have at least %" PRId64 " %s, has %" PRId64, l.min, what, n);
    }
    if (l.max >= 0 && n > l.max) {
        violate(c, "must have at most %" PRId64 " %s, has %" PRId64, l.max, what, n);
    }
}

static void check_string(struct checking *c, const struct schema *s, const json_t *v)
{
    struct str text = {json_string_value(v), json_string_length(v)};
    if (s->length.min >= 0 || s->length.max >= 0) {
        check_limits(c, s->length, characters(text), "characters");
    }
    if (s->pattern == NULL) {
        return;
    }
    switch (regex_search(s->pattern, text, c->budget)) {
    case REGEX_YES:
        return;
    case REGEX_TOO_COSTLY:
        spend(c, UINT64_MAX);
        return;
    case REGEX_NO:
        violate(c, "must match the pattern %.100s, is %s", regex_text(s->pattern).p, quote(v).text);
    }
}

static bool is_among(struct checking *c, const json_t *enums, const json_t *v)
{
    /* To compare two costs what the smaller one has, at most. */
    uint64_t cost = json_is_object(v) || json_is_array(v) ? 1 + json_tree_bytes(v) / 16 : 1;
    for (size_t i = 0; i < json_array_size(enums); i++) {
        const json_t *e = json_array_get(enums, i);
        spend(c, cost);
        if (c->spent || (json_is_number(v) && json_is_number(e) ? schema_number_cmp(v, e) == 0
                                                                : json_equal(v, e) != 0)) {
            return true;
        }
    }
    return false;
}

static void check_enum(struct checking *c, const struct schema *s, const json_t *v)
{
    if (s->enums == NULL || is_among(c, s->enums, v)) {
        return;
    }
    char list[120] = "";
    size_t n = 0;
    size_t i = 0;
    for (; i < json_array_size(s->enums); i++) {
        struct quote q = quote(json_array_get(s->enums, i));
        if (n + strlen(q.text) + 8 > sizeof(list)) {
            break;
        }
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i != 0 ? ", " : "", q.text);
    }
    violate(c, "must be one of %s%s, is %s", list, i < json_array_size(s->enums) ? ", …" : "",
            quote(v).text);
}

/* ---- Arrays -------------------------------------------------------------------------------- */

/* What tells an element of a set or a map from the others; false if it lacks a key. */
static bool identity(const struct schema *s, const json_t *element, struct buf *ret)
{
    buf_clear(ret);
    if (s->list_kind == SCHEMA_LIST_SET) {
        json_text_write(element, ret);
        return true;
    }
    for (size_t i = 0; i < s->n_keys; i++) {
        const json_t *key = json_object_getn(element, s->keys[i].p, s->keys[i].n);
        if (key == NULL) {
            return false; /* Told already: it is required. */
        }
        json_text_write(key, ret);
        buf_addc(ret, ',');
    }
    return true;
}

static void check_unique(struct checking *c, const struct schema *s, const json_t *v)
{
    CLEANUP(json_decrefp) json_t *seen = json_object();
    CLEANUP(buf_fini) struct buf id;
    buf_init(&id, SIZE_MAX);
    for (size_t i = 0; i < json_array_size(v) && !done(c); i++) {
        if (!identity(s, json_array_get(v, i), &id)) {
            continue;
        }
        const json_t *first = json_object_getn(seen, id.p, id.n);
        if (first != NULL) {
            size_t cut = schema_path_index(&c->path, i);
            violate(c, "is the same as [%" JSON_INTEGER_FORMAT "]%s", json_integer_value(first),
                    s->list_kind == SCHEMA_LIST_SET ? "; this list is a set"
                                                    : " by the keys of this list");
            schema_path_cut(&c->path, cut);
        } else {
            json_object_setn_new_nocheck(seen, id.p, id.n, json_integer((json_int_t)i));
        }
    }
}

static void check_array(struct checking *c, const struct schema *s, const json_t *v)
{
    check_limits(c, s->items_n, (int64_t)json_array_size(v), "items");
    for (size_t i = 0; i < json_array_size(v) && s->items != NULL && !done(c); i++) {
        size_t cut = schema_path_index(&c->path, i);
        check(c, s->items, json_array_get(v, i));
        schema_path_cut(&c->path, cut);
    }
    if (s->list_kind != SCHEMA_LIST_ATOMIC) {
        check_unique(c, s, v);
    }
}

/* ---- Objects ------------------------------------------------------------------------------- */

static bool is_theirs(const struct schema *s, struct str name)
{
    return s->top && schema_is_reserved(name);
}

static void check_required(struct checking *c, const struct schema *s, const json_t *v)
{
    for (size_t i = 0; i < s->n_required && !done(c); i++) {
        struct str name = s->required[i];
        if (!is_theirs(s, name) && json_object_getn(v, name.p, name.n) == NULL) {
            size_t cut = schema_path_member(&c->path, name);
            violate(c, "is required");
            schema_path_cut(&c->path, cut);
        }
    }
}

/* The members decide what is looked at, not the properties: many small objects must not cost what a
 * large schema could ask of each. */
static void check_object(struct checking *c, const struct schema *s, const json_t *v)
{
    check_limits(c, s->properties_n, (int64_t)json_object_size(v), "members");
    check_required(c, s, v);
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL && !done(c);
         it = json_object_iter_next(object, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        const struct schema *member = schema_property_find(s, name);
        member = member != NULL ? member : s->additional;
        if (is_theirs(s, name) || (member == NULL && !s->closed)) {
            continue;
        }
        size_t cut = schema_path_member(&c->path, name);
        if (member != NULL) {
            check(c, member, json_object_iter_value(it));
        } else {
            violate(c, "is not among the members that the schema allows");
        }
        schema_path_cut(&c->path, cut);
    }
}

/* ---- Any value ----------------------------------------------------------------------------- */

static const char *const type_names[] = {
    [SCHEMA_OBJECT] = "an object",   [SCHEMA_ARRAY] = "an array",  [SCHEMA_STRING] = "a string",
    [SCHEMA_INTEGER] = "an integer", [SCHEMA_NUMBER] = "a number", [SCHEMA_BOOLEAN] = "a boolean",
};

static bool has_type(enum schema_type type, const json_t *v)
{
    switch (type) {
    case SCHEMA_ANY:
        return true;
    case SCHEMA_OBJECT:
        return json_is_object(v);
    case SCHEMA_ARRAY:
        return json_is_array(v);
    case SCHEMA_STRING:
        return json_is_string(v);
    case SCHEMA_INTEGER:
        return schema_is_whole(v);
    case SCHEMA_NUMBER:
        return json_is_number(v);
    case SCHEMA_BOOLEAN:
        return json_is_boolean(v);
    }
    return false;
}

static bool check_type(struct checking *c, const struct schema *s, const json_t *v)
{
    if (s->int_or_string && !json_is_string(v) && !schema_is_whole(v)) {
        violate(c, "must be an integer or a string, is %s", schema_type_name(v));
        return false;
    }
    if (!has_type(s->type, v)) {
        bool fraction = s->type == SCHEMA_INTEGER && json_is_real(v);
        violate(c, "must be %s, is %s", type_names[s->type],
                fraction ? quote(v).text : schema_type_name(v));
        return false;
    }
    return true;
}

static void check(struct checking *c, const struct schema *s, const json_t *v)
{
    if (done(c) || (s->nullable && json_is_null(v)) || !check_type(c, s, v)) {
        return;
    }
    if (json_is_object(v)) {
        check_object(c, s, v);
    } else if (json_is_array(v)) {
        check_array(c, s, v);
    } else if (json_is_string(v)) {
        check_string(c, s, v);
    } else if (json_is_number(v)) {
        check_bounds(c, s, v);
    }
    check_enum(c, s, v);
}

void schema_check_at(const struct schema *s, const json_t *v, const struct schema_path *at,
                     uint64_t *budget, struct schema_violations *ret)
{
    struct checking c = {.path = *at, .budget = budget, .found = ret};
    ret->n = 0;
    check(&c, s, v);
}

void schema_check(const struct schema *s, const json_t *doc, struct schema_violations *ret)
{
    uint64_t budget = CHECK_BUDGET;
    schema_check_at(s, doc, &(struct schema_path){.n = 0}, &budget, ret);
}

enum errc schema_require(const struct schema *s, const json_t *doc, struct err *err)
{
    struct schema_violations found;
    schema_check(s, doc, &found);
    if (found.n == 0) {
        return OK;
    }
    char msg[sizeof(err->msg)];
    size_t n = (size_t)snprintf(msg, sizeof(msg), "%s", found.v[0].msg);
    size_t i = 1;
    for (; i < found.n; i++) {
        const struct schema_violation *v = &found.v[i];
        if (n + strlen(v->field) + strlen(v->msg) + 20 > sizeof(msg)) {
            break;
        }
        n += (size_t)snprintf(msg + n, sizeof(msg) - n, "; %s %s", v->field, v->msg);
    }
    bool more = i < found.n || found.n == SCHEMA_VIOLATIONS_MAX;
    return err_field(err, ERR_INVALID, found.v[0].field, "%s%s", msg, more ? "; and more" : "");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Requirements are sorted by path, then by text, without repetition; values likewise. So equal
 *     selectors have equal texts.
 * (2) Stored bodies and `spelt` come from the same serializer, so a string equals a value iff their
 *     spellings are the same bytes: nothing is decoded to be compared. */
#include "store/model/field_selector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/model/field_selector_impl.h"
#include "store/model/terms.h"

/* What the parser would take as something else gets a `\`. */
static void write_value(struct str v, bool in_set, struct buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool outer_space = c == ' ' && (i == 0 || i + 1 == v.n);
        if (c == '\\' || c == ',' || c == '=' || (c == ')' && in_set) || outer_space) {
            buf_addc(out, '\\');
        }
        buf_addc(out, c);
    }
}

static void write_requirement(const void *term, struct buf *out)
{
    const struct field_requirement *r = term;
    buf_adds(out, json_path_text(r->path));
    if (r->n_values == 1) {
        buf_adds(out, r->negated ? STR("!=") : STR("="));
        write_value(r->values[0].raw, false, out);
        return;
    }
    for (size_t i = 0; i < r->n_values; i++) {
        buf_adds(out, i != 0 ? STR(",") : r->negated ? STR(" notin (") : STR(" in ("));
        write_value(r->values[i].raw, true, out);
    }
    buf_addc(out, ')');
}

static struct str requirement_key(const void *term)
{
    return json_path_text(((const struct field_requirement *)term)->path);
}

static void requirement_fini(void *term)
{
    struct field_requirement *r = term;
    json_path_free(r->path);
    free(r->values);
    *r = (struct field_requirement){0};
}

/* Makes (1) true and writes the text. False when it is too long to be parsed again. */
static bool canonicalise(struct field_selector *s)
{
    static const struct terms_kind kind = {sizeof(*s->v), requirement_key, write_requirement,
                                           requirement_fini};
    CLEANUP(buf_fini) struct buf all;
    buf_init(&all, FIELD_SELECTOR_MAX_LEN);
    s->n = terms_settle(s->v, s->n, &kind, &all);
    s->text_len = all.n;
    s->text = str_dup(buf_str(&all));
    return !all.full;
}

enum errc field_selector_parse(struct str text, const char *field, struct field_selector **ret,
                               struct err *err)
{
    if (text.n > FIELD_SELECTOR_MAX_LEN) {
        return err_field(err, ERR_INVALID, field, "is %zu bytes long, more than %d", text.n,
                         FIELD_SELECTOR_MAX_LEN);
    }
    CLEANUP(field_selector_freep) struct field_selector *s = mem_zalloc(sizeof(*s));
    s->v = mem_zalloc(FIELD_SELECTOR_MAX_REQUIREMENTS * sizeof(*s->v));
    enum errc code = field_selector_read(text, field, s, err);
    if (code != OK) {
        return code;
    }
    if (!canonicalise(s)) {
        return err_field(err, ERR_INVALID, field, "is longer than %d bytes when written out",
                         FIELD_SELECTOR_MAX_LEN);
    }
    s->v = mem_realloc(s->v, s->n * sizeof(*s->v));
    *ret = TAKE(s);
    return OK;
}

void field_selector_free(struct field_selector *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        requirement_fini(&s->v[i]);
    }
    free(s->v);
    buf_fini(&s->texts);
    free(s->text);
    free(s);
}

void field_selector_freep(struct field_selector **s)
{
    field_selector_free(*s);
    *s = NULL;
}

/* Among the values? */
static bool has_value(const struct field_requirement *r, struct str spelt)
{
    return terms_have(r->values, r->n_values, sizeof(*r->values), spelt);
}

/* False for an array or object. `digits` is room for *ret. */
static bool field_read(const struct field_requirement *r, const struct subject *f, char digits[24],
                       struct str *ret)
{
    *ret = STR_EMPTY;
    switch (r->place) {
    case IN_NAME:
        *ret = f->key.name; /* (2) holds: names have nothing to escape. */
        return true;
    case IN_NAMESPACE:
        *ret = f->key.ns;
        return true;
    case IN_VERSION:
    case IN_GENERATION:
        *ret =
            (struct str){digits, (size_t)snprintf(digits, 24, "%" PRIu64,
                                                  r->place == IN_VERSION ? f->rv : f->generation)};
        return true;
    case IN_BODY:
        break;
    }
    if (!json_path_scan(r->path, f->body, ret)) {
        return true;
    }
    if (ret->n >= 2 && ret->p[0] == '"') {
        *ret = (struct str){ret->p + 1, ret->n - 2};
        return true;
    }
    return ret->p[0] != '{' && ret->p[0] != '[';
}

bool field_selector_match(const struct field_selector *s, const struct subject *f)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct field_requirement *r = &s->v[i];
        char digits[24];
        struct str value;
        bool equal = field_read(r, f, digits, &value) && has_value(r, value);
        if (equal == r->negated) {
            return false;
        }
    }
    return true;
}

bool field_selector_is_empty(const struct field_selector *s)
{
    return s->n == 0;
}

bool field_selector_needs_body(const struct field_selector *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].place == IN_BODY) {
            return true;
        }
    }
    return false;
}

static struct str only_value(const struct field_selector *s, enum field_place place)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct field_requirement *r = &s->v[i];
        if (r->place == place && !r->negated && r->n_values == 1) {
            return r->values[0].raw;
        }
    }
    return STR_EMPTY;
}

struct str field_selector_name(const struct field_selector *s)
{
    return only_value(s, IN_NAME);
}

struct str field_selector_namespace(const struct field_selector *s)
{
    return only_value(s, IN_NAMESPACE);
}

bool field_selector_wants_more(const struct field_selector *s)
{
    size_t said = (field_selector_name(s).n != 0) + (size_t)(field_selector_namespace(s).n != 0);
    return s->n != said;
}

struct str field_selector_text(const struct field_selector *s)
{
    return (struct str){s->text, s->text_len};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "store/model/field_selector_impl.h"
#include "store/model/json.h"

struct parser {
    struct str text;
    size_t at;
    struct field_selector *s;
    const char *field;
    struct err *err;
};

/* The next character, or NUL at the end. */
static char next(const struct parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static void skip_spaces(struct parser *p)
{
    while (next(p) == ' ') {
        p->at++;
    }
}

static enum errc expected(struct parser *p, const char *what)
{
    if (p->at >= p->text.n) {
        return err_field(p->err, ERR_INVALID, p->field, "ends where %s was expected", what);
    }
    size_t len = utf8_len(p->text.p + p->at, p->text.n - p->at);
    return err_field(p->err, ERR_INVALID, p->field, "has \"%.*s\" at offset %zu, expected %s",
                     (int)len, p->text.p + p->at, p->at, what);
}

/* Once for all: what follows may quote any part of the text. */
static enum errc check_characters(struct parser *p)
{
    for (size_t at = 0; at < p->text.n;) {
        size_t len = utf8_len(p->text.p + at, p->text.n - at);
        unsigned char c = (unsigned char)p->text.p[at];
        if (len == 0 || c < 0x20 || c == 0x7f) {
            return err_field(p->err, ERR_INVALID, p->field,
                             "has a byte at offset %zu that is no UTF-8 or a control character",
                             at);
        }
        at += len;
    }
    return OK;
}

/* The value from `begin` on in s->texts is complete. */
static void add_value(struct parser *p, struct field_requirement *r, size_t begin)
{
    if ((r->n_values & (r->n_values - 1)) == 0) {
        size_t cap = r->n_values == 0 ? 1 : r->n_values * 2;
        r->values = mem_realloc(r->values, cap * sizeof(*r->values));
    }
    struct buf *t = &p->s->texts;
    struct field_value *v = &r->values[r->n_values++];
    v->raw = (struct str){t->p + begin, t->n - begin};
    size_t quoted = t->n;
    json_text_string(v->raw, t);
    v->spelt = (struct str){t->p + quoted + 1, t->n - quoted - 2};
}

/* A value up to the next comma, the end or, in a set, the bracket. */
static enum errc parse_value(struct parser *p, struct field_requirement *r, bool in_set)
{
    struct buf *t = &p->s->texts;
    size_t begin = t->n;
    size_t end = begin; /* without the spaces that do not count */
    skip_spaces(p);
    while (p->at < p->text.n && next(p) != ',' && !(in_set && next(p) == ')')) {
        bool escaped = next(p) == '\\';
        if (escaped) {
            p->at++;
            if (next(p) == '\0' || strchr("\\,=() ", next(p)) == NULL) {
                return expected(p, "',', '=', '(', ')', a space or '\\' after '\\'");
            }
        } else if (next(p) == '=') {
            return expected(p, "'\\=' for an equals sign in a value");
        }
        buf_addc(t, next(p));
        end = escaped || next(p) != ' ' ? t->n : end;
        p->at++;
    }
    t->n = end;
    add_value(p, r, begin);
    return OK;
}

static enum errc parse_set(struct parser *p, struct field_requirement *r)
{
    skip_spaces(p);
    if (next(p) != '(') {
        return expected(p, "'('");
    }
    p->at++;
    skip_spaces(p);
    if (next(p) == ')') {
        return expected(p, "a value: 'in' and 'notin' want at least one");
    }
    while (true) {
        if (parse_value(p, r, true) != OK) {
            return ERR_INVALID;
        }
        if (next(p) == ')') {
            p->at++;
            return OK;
        }
        if (next(p) != ',') {
            return expected(p, "',' or ')'");
        }
        p->at++;
    }
}

/* Takes the word if it is the next one. */
static bool take(struct parser *p, struct str word)
{
    struct str rest = {p->text.p + p->at, p->text.n - p->at};
    bool there = str_starts(rest, word);
    p->at += there ? word.n : 0;
    return there;
}

static enum errc parse_operator(struct parser *p, struct field_requirement *r, bool *ret_set)
{
    /* The longer ones first. A word ends where a space or the bracket begins. */
    static const struct {
        struct str text;
        bool negated;
        bool set;
    } operators[] = {
        {{"!=", 2},     true,  false},
        {{"==", 2},     false, false},
        {{"=", 1},      false, false},
        {{"in ", 3},    false, true },
        {{"in(", 3},    false, true },
        {{"notin ", 6}, true,  true },
        {{"notin(", 6}, true,  true },
    };
    skip_spaces(p);
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (take(p, operators[i].text)) {
            r->negated = operators[i].negated;
            *ret_set = operators[i].set;
            p->at -= *ret_set; /* The bracket is parse_set's. */
            return OK;
        }
    }
    return expected(p, "'=', '==', '!=', 'in (' or 'notin ('");
}

static int value_cmp(const void *a, const void *b)
{
    const struct field_value *x = a;
    const struct field_value *y = b;
    return str_cmp(x->spelt, y->spelt);
}

static void sort_values(struct field_requirement *r)
{
    qsort(r->values, r->n_values, sizeof(*r->values), value_cmp);
    size_t n = 0;
    for (size_t i = 0; i < r->n_values; i++) {
        if (n == 0 || !str_eq(r->values[n - 1].spelt, r->values[i].spelt)) {
            r->values[n++] = r->values[i];
        }
    }
    r->n_values = n;
}

static enum field_place place_of(const struct json_path *path)
{
    static const struct {
        struct str path;
        enum field_place place;
    } places[] = {
        {{"metadata.name", 13},            IN_NAME      },
        {{"metadata.namespace", 18},       IN_NAMESPACE },
        {{"metadata.resourceVersion", 24}, IN_VERSION   },
        {{"metadata.generation", 19},      IN_GENERATION},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (str_eq(json_path_text(path), places[i].path)) {
            return places[i].place;
        }
    }
    return IN_BODY;
}

static enum errc parse_requirement(struct parser *p, struct field_requirement *r)
{
    bool set = false;
    if (json_path_read(p->text, &p->at, p->field, &r->path, p->err) != OK ||
        parse_operator(p, r, &set) != OK) {
        return ERR_INVALID;
    }
    r->place = place_of(r->path);
    enum errc code = set ? parse_set(p, r) : parse_value(p, r, false);
    if (code == OK) {
        sort_values(r);
    }
    return code;
}

enum errc field_selector_read(struct str text, const char *field, struct field_selector *s,
                              struct err *err)
{
    struct parser parser = {.text = text, .s = s, .field = field, .err = err};
    struct parser *p = &parser;
    if (check_characters(p) != OK) {
        return ERR_INVALID;
    }
    /* Each byte of a value as it is and as it is spelt, and two quotes for each value. */
    buf_init(&s->texts, 5 * text.n + 2);
    (void)buf_grow(&s->texts, s->texts.limit);
    buf_clear(&s->texts); /* It does not move any more. */
    while (true) {
        skip_spaces(p);
        if (p->at == text.n) {
            return OK;
        }
        if (next(p) == ',') {
            p->at++;
            continue;
        }
        if (s->n == FIELD_SELECTOR_MAX_REQUIREMENTS) {
            return err_field(err, ERR_INVALID, field, "has more than %d requirements",
                             FIELD_SELECTOR_MAX_REQUIREMENTS);
        }
        if (parse_requirement(p, &s->v[s->n++]) != OK) {
            return ERR_INVALID;
        }
        skip_spaces(p);
        if (p->at != text.n && next(p) != ',') {
            return expected(p, "',' or the end");
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Requirements are sorted by key, then by text, without repetition; values likewise. So equal
 *     selectors have equal texts, and labels, sorted by key as well, are walked once.
 * (2) All strings are parts of `source`, a copy of what was given; it does not change. */
#include "store/model/selector.h"

#include <inttypes.h>
#include <stdlib.h>

#include "store/model/labels.h"
#include "store/model/selector_impl.h"
#include "store/model/terms.h"

static void write_requirement(const void *term, struct buf *out)
{
    const struct requirement *r = term;
    if (r->op == OP_NOT_EXISTS) {
        buf_addc(out, '!');
    }
    buf_adds(out, r->key);
    if (r->op == OP_GREATER || r->op == OP_LESS) {
        buf_printf(out, "%c%" PRId64, r->op == OP_GREATER ? '>' : '<', r->number);
        return;
    }
    if (r->n_values == 1) {
        buf_adds(out, r->op == OP_IN ? STR("=") : STR("!="));
        buf_adds(out, r->values[0]);
        return;
    }
    for (size_t i = 0; i < r->n_values; i++) {
        buf_adds(out, i != 0 ? STR(",") : r->op == OP_IN ? STR(" in (") : STR(" notin ("));
        buf_adds(out, r->values[i]);
    }
    if (r->n_values != 0) {
        buf_addc(out, ')');
    }
}

static struct str requirement_key(const void *term)
{
    return ((const struct requirement *)term)->key;
}

static void requirement_fini(void *term)
{
    struct requirement *r = term;
    free(r->values);
    *r = (struct requirement){0};
}

/* Makes (1) true and writes the text. False when it is too long to be parsed again. */
static bool canonicalise(struct selector *s)
{
    static const struct terms_kind kind = {sizeof(*s->v), requirement_key, write_requirement,
                                           requirement_fini};
    CLEANUP(buf_fini) struct buf all;
    buf_init(&all, SELECTOR_MAX_LEN);
    s->n = terms_settle(s->v, s->n, &kind, &all);
    s->text_len = all.n;
    s->text = str_dup(buf_str(&all));
    return !all.full;
}

enum errc selector_parse(struct str text, const char *field, struct selector **ret, struct err *err)
{
    if (text.n > SELECTOR_MAX_LEN) {
        return err_field(err, ERR_INVALID, field, "is %zu bytes long, more than %d", text.n,
                         SELECTOR_MAX_LEN);
    }
    CLEANUP(selector_freep) struct selector *s = mem_zalloc(sizeof(*s));
    s->v = mem_zalloc(SELECTOR_MAX_REQUIREMENTS * sizeof(*s->v));
    s->source = str_dup(text);
    enum errc code = selector_read((struct str){s->source, text.n}, field, s, err); /* (2) */
    if (code != OK) {
        return code;
    }
    if (!canonicalise(s)) {
        return err_field(err, ERR_INVALID, field, "is longer than %d bytes when written out",
                         SELECTOR_MAX_LEN);
    }
    s->v = mem_realloc(s->v, s->n * sizeof(*s->v));
    *ret = TAKE(s);
    return OK;
}

void selector_free(struct selector *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        requirement_fini(&s->v[i]);
    }
    free(s->v);
    free(s->source);
    free(s->text);
    free(s);
}

void selector_freep(struct selector **s)
{
    selector_free(*s);
    *s = NULL;
}

bool selector_number(struct str s, int64_t *ret)
{
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_add_overflow(v, (int64_t)digit, &v)) {
            return false;
        }
    }
    *ret = v;
    return s.n != 0;
}

static bool has_value(const struct requirement *r, struct str v)
{
    return terms_have(r->values, r->n_values, sizeof(*r->values), v);
}

static bool requirement_match(const struct requirement *r, bool there, struct str value)
{
    int64_t number;
    switch (r->op) {
    case OP_IN:
        return there && has_value(r, value);
    case OP_NOT_IN:
        return !there || !has_value(r, value);
    case OP_EXISTS:
        return there;
    case OP_NOT_EXISTS:
        return !there;
    case OP_GREATER:
        return there && selector_number(value, &number) && number > r->number;
    case OP_LESS:
        return there && selector_number(value, &number) && number < r->number;
    }
    return false;
}

bool selector_match(const struct selector *s, struct str labels)
{
    struct str key = STR_EMPTY;
    struct str value = STR_EMPTY;
    size_t at = 0;
    bool more = true;
    for (size_t i = 0; i < s->n; i++) {
        const struct requirement *r = &s->v[i];
        /* The label read last may be this requirement's as well. */
        int c = at != 0 ? str_cmp(key, r->key) : -1;
        while (more && c < 0) {
            more = labels_next(labels, &at, &key, &value);
            c = more ? str_cmp(key, r->key) : 1;
        }
        if (!requirement_match(r, more && c == 0, value)) {
            return false;
        }
    }
    return true;
}

bool selector_is_empty(const struct selector *s)
{
    return s->n == 0;
}

struct str selector_text(const struct selector *s)
{
    return (struct str){s->text, s->text_len};
}

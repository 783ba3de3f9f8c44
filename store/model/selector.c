/* SPDX-License-Identifier: Apache-2.0 */
/* Read by Kubernetes' grammar, oddities included: "k=" wants an empty value, "(,a)" is the set of
 * "" and "a", and the words in and notin are ordinary keys and values where an operator cannot be.
 *
 * (1) Requirements are sorted by key, then by text, without repetition; values likewise. So equal
 *     selectors have equal texts, and labels, sorted by key as well, are walked once.
 * (2) All strings are parts of `text`, the canonical text, or of `source`, a copy of what was
 *     given; neither changes after parsing. */
#include "store/model/selector.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "store/model/labels.h"
#include "store/model/name.h"

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS, OP_GREATER, OP_LESS };

struct requirement {
    struct str key;
    enum op op;
    int64_t number;     /* OP_GREATER, OP_LESS */
    struct str *values; /* OP_IN, OP_NOT_IN: sorted */
    size_t n_values;
    struct str text; /* canonical */
};

struct selector {
    struct requirement *v;
    size_t n;
    char *source;
    char *text;
    size_t text_len;
};

/* ---- Words ----------------------------------------------------------------------------------- */

enum token {
    T_END,
    T_WORD,
    T_IN,
    T_NOT_IN,
    T_EQ,
    T_EQ_EQ,
    T_NE,
    T_GT,
    T_LT,
    T_NOT,
    T_OPEN,
    T_CLOSE,
    T_COMMA
};

struct lexer {
    struct str text;
    size_t at;
    enum token tok; /* the next token, not yet taken */
    struct str lit;
    size_t lit_at; /* its offset */
    const char *field;
    struct err *err;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_symbol(char c)
{
    return c != '\0' && strchr("=!(),<>", c) != NULL;
}

/* Reads the next token into lx->tok. */
static void scan(struct lexer *lx)
{
    static const struct {
        struct str text;
        enum token tok;
    } symbols[] = {
        {{"==", 2}, T_EQ_EQ},
        {{"!=", 2}, T_NE   },
        {{"=", 1},  T_EQ   },
        {{"!", 1},  T_NOT  },
        {{">", 1},  T_GT   },
        {{"<", 1},  T_LT   },
        {{"(", 1},  T_OPEN },
        {{")", 1},  T_CLOSE},
        {{",", 1},  T_COMMA},
    };
    struct str s = lx->text;
    while (lx->at < s.n && is_space(s.p[lx->at])) {
        lx->at++;
    }
    struct str rest = {s.p + lx->at, s.n - lx->at};
    lx->lit_at = lx->at;
    lx->tok = T_END;
    lx->lit = STR_EMPTY;
    if (rest.n == 0) {
        return;
    }
    if (is_symbol(rest.p[0])) {
        size_t i = 0;
        while (!str_starts(rest, symbols[i].text)) {
            i++;
        }
        lx->tok = symbols[i].tok;
        lx->lit = (struct str){rest.p, symbols[i].text.n};
    } else {
        size_t n = 0;
        while (n < rest.n && !is_space(rest.p[n]) && !is_symbol(rest.p[n])) {
            n++;
        }
        lx->lit = (struct str){rest.p, n};
        lx->tok = str_eq(lx->lit, STR("in"))      ? T_IN
                  : str_eq(lx->lit, STR("notin")) ? T_NOT_IN
                                                  : T_WORD;
    }
    lx->at += lx->lit.n;
}

/* Where no operator can be, "in" and "notin" are words. */
static enum token peek(const struct lexer *lx)
{
    return lx->tok == T_IN || lx->tok == T_NOT_IN ? T_WORD : lx->tok;
}

static enum errc expected(struct lexer *lx, const char *what)
{
    if (lx->tok == T_END) {
        return err_field(lx->err, ERR_INVALID, lx->field, "ends where %s was expected", what);
    }
    int shown = lx->lit.n > 80 ? 80 : (int)lx->lit.n;
    return err_field(lx->err, ERR_INVALID, lx->field, "has \"%.*s\" at offset %zu, expected %s",
                     shown, lx->lit.p, lx->lit_at, what);
}

/* ---- Grammar --------------------------------------------------------------------------------- */

static int value_cmp(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void add_value(struct requirement *r, struct str v)
{
    if ((r->n_values & (r->n_values - 1)) == 0) {
        size_t cap = r->n_values == 0 ? 1 : r->n_values * 2;
        r->values = mem_realloc(r->values, cap * sizeof(*r->values));
    }
    r->values[r->n_values++] = v;
}

/* What is between the brackets. Empty places count as "": "(,a)", "(a,)", "(a,,b)". */
static enum errc parse_list(struct lexer *lx, struct requirement *r)
{
    while (true) {
        if (peek(lx) == T_WORD) {
            add_value(r, lx->lit);
            scan(lx);
            if (lx->tok == T_CLOSE) {
                return OK;
            }
            if (lx->tok != T_COMMA) {
                return expected(lx, "',' or ')'");
            }
        } else if (lx->tok == T_COMMA) {
            if (r->n_values == 0) {
                add_value(r, STR_EMPTY);
            }
            scan(lx);
            if (lx->tok == T_CLOSE) {
                add_value(r, STR_EMPTY);
                return OK;
            }
            if (lx->tok == T_COMMA) {
                scan(lx);
                add_value(r, STR_EMPTY);
            }
        } else {
            return expected(lx, "',' or a value");
        }
    }
}

static enum errc parse_set(struct lexer *lx, struct requirement *r)
{
    if (lx->tok != T_OPEN) {
        return expected(lx, "'('");
    }
    scan(lx);
    if (lx->tok == T_CLOSE) {
        return expected(lx, "a value: 'in' and 'notin' want at least one");
    }
    if (parse_list(lx, r) != OK) {
        return ERR_INVALID;
    }
    scan(lx); /* parse_list stops before ')'. */
    return OK;
}

static enum errc parse_value(struct lexer *lx, struct requirement *r)
{
    if (lx->tok == T_END || lx->tok == T_COMMA) {
        add_value(r, STR_EMPTY);
        return OK;
    }
    if (peek(lx) != T_WORD) {
        return expected(lx, "a value");
    }
    add_value(r, lx->lit);
    scan(lx);
    return OK;
}

/* What Go's ParseInt takes, of what can be a label's value: digits. */
static bool parse_number(struct str s, int64_t *ret)
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

static enum errc check_values(struct lexer *lx, struct requirement *r)
{
    for (size_t i = 0; i < r->n_values; i++) {
        if (name_check_label_value(r->values[i], lx->field, lx->err) != OK) {
            return ERR_INVALID;
        }
    }
    if ((r->op == OP_GREATER || r->op == OP_LESS) && !parse_number(r->values[0], &r->number)) {
        return err_field(lx->err, ERR_INVALID, lx->field,
                         "wants an integer of 64 bits after '%c', not \"%.*s\"",
                         r->op == OP_GREATER ? '>' : '<', STR_ARG(r->values[0]));
    }
    qsort(r->values, r->n_values, sizeof(*r->values), value_cmp);
    size_t n = 0;
    for (size_t i = 0; i < r->n_values; i++) {
        if (n == 0 || !str_eq(r->values[n - 1], r->values[i])) {
            r->values[n++] = r->values[i];
        }
    }
    r->n_values = n;
    return OK;
}

static enum errc parse_requirement(struct lexer *lx, struct requirement *r)
{
    bool negated = lx->tok == T_NOT;
    if (negated) {
        scan(lx);
    }
    if (peek(lx) != T_WORD) {
        return expected(lx, "a label's key");
    }
    r->key = lx->lit;
    if (name_check_qualified(r->key, lx->field, lx->err) != OK) {
        return ERR_INVALID;
    }
    scan(lx);
    enum token op = lx->tok;
    if (negated || op == T_END || op == T_COMMA) {
        r->op = negated ? OP_NOT_EXISTS : OP_EXISTS;
        return OK;
    }
    if (op == T_WORD || op == T_NOT || op == T_OPEN || op == T_CLOSE) {
        return expected(lx, "',', '=', '!=', 'in', 'notin', '>' or '<'");
    }
    scan(lx);
    r->op = op == T_GT                     ? OP_GREATER
            : op == T_LT                   ? OP_LESS
            : op == T_NE || op == T_NOT_IN ? OP_NOT_IN
                                           : OP_IN;
    enum errc code = op == T_IN || op == T_NOT_IN ? parse_set(lx, r) : parse_value(lx, r);
    return code == OK ? check_values(lx, r) : code;
}

static enum errc parse_all(struct lexer *lx, struct selector *s)
{
    scan(lx);
    while (lx->tok != T_END) {
        if (s->n == SELECTOR_MAX_REQUIREMENTS) {
            return err_field(lx->err, ERR_INVALID, lx->field, "has more than %d requirements",
                             SELECTOR_MAX_REQUIREMENTS);
        }
        if (parse_requirement(lx, &s->v[s->n++]) != OK) {
            return ERR_INVALID;
        }
        if (lx->tok == T_END) {
            return OK;
        }
        if (lx->tok != T_COMMA) {
            return expected(lx, "',' or the end");
        }
        scan(lx);
        if (peek(lx) != T_WORD && lx->tok != T_NOT) {
            return expected(lx, "a label's key or '!' after ','");
        }
    }
    return OK;
}

/* ---- Canonical text -------------------------------------------------------------------------- */

static void write_requirement(const struct requirement *r, struct buf *out)
{
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

static int requirement_cmp(const void *a, const void *b)
{
    const struct requirement *x = a;
    const struct requirement *y = b;
    int c = str_cmp(x->key, y->key);
    return c != 0 ? c : str_cmp(x->text, y->text);
}

static void requirement_fini(struct requirement *r)
{
    free(r->values);
    *r = (struct requirement){0};
}

/* Sorts, drops repetitions and writes the text (1). False when it is too long to be parsed again.
 */
static bool canonicalise(struct selector *s)
{
    CLEANUP(buf_fini) struct buf texts;
    buf_init(&texts, SIZE_MAX);
    size_t ends[SELECTOR_MAX_REQUIREMENTS];
    for (size_t i = 0; i < s->n; i++) {
        write_requirement(&s->v[i], &texts);
        ends[i] = texts.n;
    }
    for (size_t i = 0; i < s->n; i++) {
        size_t begin = i != 0 ? ends[i - 1] : 0;
        s->v[i].text = (struct str){texts.p + begin, ends[i] - begin};
    }
    qsort(s->v, s->n, sizeof(*s->v), requirement_cmp);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (n != 0 && str_eq(s->v[n - 1].text, s->v[i].text)) {
            requirement_fini(&s->v[i]);
        } else {
            s->v[n++] = s->v[i];
        }
    }
    s->n = n;
    CLEANUP(buf_fini) struct buf all;
    buf_init(&all, SELECTOR_MAX_LEN);
    for (size_t i = 0; i < s->n; i++) {
        if (i != 0) {
            buf_addc(&all, ',');
        }
        buf_adds(&all, s->v[i].text);
        s->v[i].text = STR_EMPTY; /* `texts` goes. */
    }
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
    struct lexer lx = {
        .text = {s->source, text.n},
          .field = field, .err = err
    };
    enum errc code = parse_all(&lx, s);
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

/* ---- Matching -------------------------------------------------------------------------------- */

static bool has_value(const struct requirement *r, struct str v)
{
    size_t low = 0;
    size_t high = r->n_values;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = str_cmp(r->values[mid], v);
        if (c == 0) {
            return true;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
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
        return there && parse_number(value, &number) && number > r->number;
    case OP_LESS:
        return there && parse_number(value, &number) && number < r->number;
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

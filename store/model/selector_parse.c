/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' grammar, oddities included: "k=" wants an empty value, "(,a)" is the set of "" and
 * "a", and the words in and notin are ordinary keys and values where an operator cannot be. */
#include <stdlib.h>

#include "store/model/name.h"
#include "store/model/selector_impl.h"

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

static enum errc check_values(struct lexer *lx, struct requirement *r)
{
    for (size_t i = 0; i < r->n_values; i++) {
        if (name_check_label_value(r->values[i], lx->field, lx->err) != OK) {
            return ERR_INVALID;
        }
    }
    if ((r->op == OP_GREATER || r->op == OP_LESS) && !selector_number(r->values[0], &r->number)) {
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

enum errc selector_read(struct str text, const char *field, struct selector *s, struct err *err)
{
    struct lexer reader = {.text = text, .field = field, .err = err};
    struct lexer *lx = &reader;
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

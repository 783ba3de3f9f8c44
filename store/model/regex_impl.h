/* SPDX-License-Identifier: Apache-2.0 */
/* What regex.c, regex_parse.c and regex_set.c share: the tree of a pattern while it is read, and
 * the program that it becomes. */
#ifndef WATCHD_MODEL_REGEX_IMPL_H
#define WATCHD_MODEL_REGEX_IMPL_H

#include "store/model/regex.h"

#define REGEX_NO_LIMIT (-1)

/* A run of characters, both ends included. A set is several, ascending, with gaps in between. */
struct range {
    uint32_t lo, hi;
};

enum op {
    OP_SET,   /* a character of a set, then the next instruction */
    OP_SPLIT, /* on at both a and b */
    OP_JUMP,  /* on at a */
    OP_BEGIN,
    OP_END,
    OP_EDGE,    /* \b */
    OP_NO_EDGE, /* \B */
    OP_MATCH,
};

struct step {
    uint8_t op;
    uint16_t a, b; /* OP_SET: `b` ranges from `a` on */
};

enum node_kind { NODE_EMPTY, NODE_SET, NODE_ASSERT, NODE_CAT, NODE_ALT, NODE_REPEAT };

struct node {
    enum node_kind kind;
    uint16_t a, b; /* of a set: ranges; of an assertion: its op; else nodes */
    int min, max;
};

struct regex_parser {
    struct str text;
    size_t at;
    int groups;
    struct node *nodes;
    size_t n_nodes;
    struct range *ranges;
    size_t n_ranges;
    const char *field;
    struct err *err;
};

/* ---- regex_parse.c ---- */

/* *ret is the root. Errors: ERR_INVALID. */
enum errc regex_parse(struct regex_parser *p, uint16_t *ret) NODISCARD;
/* Fills the error: `what`, with the place. */
enum errc regex_refuse(struct regex_parser *p, size_t at, const char *what) NODISCARD;
/* The character at p->at; NUL at the end. */
char regex_peek(const struct regex_parser *p);
/* Goes behind `word` if it stands there. */
bool regex_take(struct regex_parser *p, const char *word);

/* ---- regex_set.c: each reads what stands at p->at and appends its ranges ---- */

enum errc regex_read_bracket(struct regex_parser *p) NODISCARD; /* behind "[" */
/* A character, an escape, \d and its like, or a dot. */
enum errc regex_read_set(struct regex_parser *p) NODISCARD;
uint32_t regex_decode(struct str s, size_t at, size_t *ret_n);

#endif

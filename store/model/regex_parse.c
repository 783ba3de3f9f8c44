/* SPDX-License-Identifier: Apache-2.0 */
/* From a pattern to a tree. The pattern's length bounds how large the tree is and how deep. */
#include "store/model/regex_impl.h"

#define GROUPS_MAX 100 /* within each other */

enum errc regex_refuse(struct regex_parser *p, size_t at, const char *what)
{
    return err_field(p->err, ERR_INVALID, p->field, "at byte %zu of the pattern: %s", at + 1, what);
}

static uint16_t add_node(struct regex_parser *p, struct node n)
{
    p->nodes[p->n_nodes] = n;
    return (uint16_t)p->n_nodes++;
}

char regex_peek(const struct regex_parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

bool regex_take(struct regex_parser *p, const char *word)
{
    size_t n = strlen(word);
    if (p->text.n - p->at < n || memcmp(p->text.p + p->at, word, n) != 0) {
        return false;
    }
    p->at += n;
    return true;
}

static enum errc alternatives(struct regex_parser *p, uint16_t *ret);

static enum errc group(struct regex_parser *p, uint16_t *ret)
{
    size_t begin = p->at - 1;
    if (!regex_take(p, "?:") && regex_peek(p) == '?') {
        return regex_refuse(p, begin, "of the groups that begin with \"(?\" only \"(?:\" is known");
    }
    if (++p->groups > GROUPS_MAX) {
        return regex_refuse(p, begin, "too many groups within each other");
    }
    if (alternatives(p, ret) != OK) {
        return ERR_INVALID;
    }
    p->groups--;
    return regex_take(p, ")") ? OK : regex_refuse(p, begin, "the group is not closed");
}

static enum errc assertion(struct regex_parser *p, enum op op, uint16_t *ret)
{
    *ret = add_node(p, (struct node){.kind = NODE_ASSERT, .a = (uint16_t)op});
    return OK;
}

static enum errc atom(struct regex_parser *p, uint16_t *ret)
{
    size_t begin = p->at;
    size_t first = p->n_ranges;
    if (regex_take(p, "(")) {
        return group(p, ret);
    }
    if (regex_take(p, "^") || regex_take(p, "\\A")) {
        return assertion(p, OP_BEGIN, ret);
    }
    if (regex_take(p, "$") || regex_take(p, "\\z")) {
        return assertion(p, OP_END, ret);
    }
    if (regex_take(p, "\\b")) {
        return assertion(p, OP_EDGE, ret);
    }
    if (regex_take(p, "\\B")) {
        return assertion(p, OP_NO_EDGE, ret);
    }
    if (regex_peek(p) == '*' || regex_peek(p) == '+' || regex_peek(p) == '?') {
        return regex_refuse(p, begin, "there is nothing to repeat");
    }
    enum errc rc = regex_take(p, "[") ? regex_read_bracket(p) : regex_read_set(p);
    if (rc == OK) {
        *ret = add_node(p, (struct node){.kind = NODE_SET,
                                         .a = (uint16_t)first,
                                         .b = (uint16_t)(p->n_ranges - first)});
    }
    return rc;
}

/* What is above the limit is all the same. */
static bool number(struct regex_parser *p, int *ret)
{
    size_t begin = p->at;
    *ret = 0;
    while (regex_peek(p) >= '0' && regex_peek(p) <= '9') {
        if (*ret <= REGEX_REPEAT_MAX) {
            *ret = *ret * 10 + (regex_peek(p) - '0');
        }
        p->at++;
    }
    bool zeros_first = p->at - begin > 1 && p->text.p[begin] == '0';
    return p->at != begin && !zeros_first;
}

/* {3}, {3,}, {3,5}. What looks otherwise ({03} too) is no repeat but text, as in RE2. */
static bool counted(struct regex_parser *p, int *min, int *max)
{
    size_t begin = p->at;
    if (!regex_take(p, "{") || !number(p, min)) {
        p->at = begin;
        return false;
    }
    *max = *min;
    if (regex_take(p, ",") && !number(p, max)) {
        *max = REGEX_NO_LIMIT;
    }
    if (!regex_take(p, "}")) {
        p->at = begin;
        return false;
    }
    return true;
}

static enum errc repeats(struct regex_parser *p, uint16_t *node)
{
    for (bool repeated = false;; repeated = true) {
        size_t begin = p->at;
        int min = 0;
        int max = REGEX_NO_LIMIT;
        if (regex_take(p, "+")) {
            min = 1;
        } else if (regex_take(p, "?")) {
            max = 1;
        } else if (!regex_take(p, "*") && !counted(p, &min, &max)) {
            return OK;
        }
        if (repeated) {
            /* To others a++ is no (a+)+ either, but never gives back what it took. */
            return regex_refuse(p, begin, "a repeat of a repeat: write (?:a*){2}, not a*{2}");
        }
        (void)regex_take(p, "?"); /* lazy */
        if (min > REGEX_REPEAT_MAX || max > REGEX_REPEAT_MAX ||
            (max != REGEX_NO_LIMIT && max < min)) {
            return regex_refuse(p, begin, "repeats go up to 1000, the lower bound first");
        }
        *node = add_node(p, (struct node){.kind = NODE_REPEAT, .a = *node, .min = min, .max = max});
    }
}

static enum errc sequence(struct regex_parser *p, uint16_t *ret)
{
    *ret = add_node(p, (struct node){.kind = NODE_EMPTY});
    while (p->at < p->text.n && regex_peek(p) != '|' && regex_peek(p) != ')') {
        uint16_t next = 0;
        if (atom(p, &next) != OK || repeats(p, &next) != OK) {
            return ERR_INVALID;
        }
        *ret = add_node(p, (struct node){.kind = NODE_CAT, .a = *ret, .b = next});
    }
    return OK;
}

static enum errc alternatives(struct regex_parser *p, uint16_t *ret)
{
    if (sequence(p, ret) != OK) {
        return ERR_INVALID;
    }
    while (regex_take(p, "|")) {
        uint16_t other = 0;
        if (sequence(p, &other) != OK) {
            return ERR_INVALID;
        }
        *ret = add_node(p, (struct node){.kind = NODE_ALT, .a = *ret, .b = other});
    }
    return OK;
}

enum errc regex_parse(struct regex_parser *p, uint16_t *ret)
{
    if (alternatives(p, ret) != OK) {
        return ERR_INVALID;
    }
    return p->at == p->text.n ? OK : regex_refuse(p, p->at, "there is no group to close");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree to a program, and its run: all states that it can be in go through the text at once
 * (Thompson), so a character costs at most one visit of each instruction.
 * What repeats multiply to is bounded while the program is written: in instructions and, since
 * nothing repeated a thousand times is still nothing, in visits of the tree. */
#include "store/model/regex.h"

#include <stdlib.h>

#include "store/model/regex_impl.h"

#define NODES_MAX  (3 * REGEX_PATTERN_MAX + 1) /* a character makes three at most */
#define RANGES_MAX (UINT16_MAX + 1)
#define VISITS_MAX ((size_t)4 * REGEX_STEPS_MAX)

struct regex {
    struct step *steps;
    size_t n_steps;
    struct range *ranges;
    struct str text;
};

/* ---- Writing ------------------------------------------------------------------------------- */

struct writing {
    const struct node *nodes;
    struct step *steps; /* REGEX_STEPS_MAX */
    size_t n_steps;
    size_t visits;
};

static bool add_step(struct writing *w, struct step s)
{
    if (w->n_steps == REGEX_STEPS_MAX) {
        return false;
    }
    w->steps[w->n_steps++] = s;
    return true;
}

static bool write_node(struct writing *w, uint16_t node);

static bool write_alternative(struct writing *w, const struct node *n)
{
    size_t split = w->n_steps;
    if (!add_step(w, (struct step){.op = OP_SPLIT, .a = (uint16_t)(split + 1)}) ||
        !write_node(w, n->a)) {
        return false;
    }
    size_t jump = w->n_steps;
    if (!add_step(w, (struct step){.op = OP_JUMP})) {
        return false;
    }
    w->steps[split].b = (uint16_t)w->n_steps;
    if (!write_node(w, n->b)) {
        return false;
    }
    w->steps[jump].a = (uint16_t)w->n_steps;
    return true;
}

/* As often as there is more. */
static bool write_loop(struct writing *w, const struct node *n)
{
    if (n->min > 0) { /* again from the last one on that must be there */
        size_t begin = w->n_steps;
        return write_node(w, n->a) && add_step(w, (struct step){.op = OP_SPLIT,
                                                                .a = (uint16_t)begin,
                                                                .b = (uint16_t)(w->n_steps + 1)});
    }
    size_t split = w->n_steps;
    if (!add_step(w, (struct step){.op = OP_SPLIT, .a = (uint16_t)(split + 1)}) ||
        !write_node(w, n->a) || !add_step(w, (struct step){.op = OP_JUMP, .a = (uint16_t)split})) {
        return false;
    }
    w->steps[split].b = (uint16_t)w->n_steps;
    return true;
}

static bool write_repeat(struct writing *w, const struct node *n)
{
    bool loop = n->max == REGEX_NO_LIMIT;
    for (int i = loop ? 1 : 0; i < n->min; i++) {
        if (!write_node(w, n->a)) {
            return false;
        }
    }
    if (loop) {
        return write_loop(w, n);
    }
    /* Each of the others may be the end; until that is known, `b` links them. */
    size_t last = SIZE_MAX;
    for (int i = n->min; i < n->max; i++) {
        size_t split = w->n_steps;
        if (!add_step(w, (struct step){.op = OP_SPLIT,
                                       .a = (uint16_t)(split + 1),
                                       .b = (uint16_t)(last != SIZE_MAX ? last : split)}) ||
            !write_node(w, n->a)) {
            return false;
        }
        last = split;
    }
    while (last != SIZE_MAX) {
        size_t before = w->steps[last].b;
        w->steps[last].b = (uint16_t)w->n_steps;
        last = before != last ? before : SIZE_MAX;
    }
    return true;
}

/* False when it becomes too large. */
static bool write_node(struct writing *w, uint16_t node)
{
    const struct node *n = &w->nodes[node];
    if (++w->visits > VISITS_MAX) {
        return false;
    }
    switch (n->kind) {
    case NODE_EMPTY:
        return true;
    case NODE_SET:
        return add_step(w, (struct step){.op = OP_SET, .a = n->a, .b = n->b});
    case NODE_ASSERT:
        return add_step(w, (struct step){.op = (uint8_t)n->a});
    case NODE_CAT:
        return write_node(w, n->a) && write_node(w, n->b);
    case NODE_ALT:
        return write_alternative(w, n);
    case NODE_REPEAT:
        return write_repeat(w, n);
    }
    return false;
}

enum errc regex_new(struct str pattern, const char *field, struct regex **ret, struct err *err)
{
    if (pattern.n > REGEX_PATTERN_MAX) {
        return err_field(err, ERR_INVALID, field, "has %zu bytes; at most %d are taken", pattern.n,
                         REGEX_PATTERN_MAX);
    }
    CLEANUP(freep) struct node *nodes = mem_alloc(NODES_MAX * sizeof(*nodes));
    CLEANUP(freep) struct range *ranges = mem_alloc(RANGES_MAX * sizeof(*ranges));
    struct regex_parser p = {
        .text = pattern, .nodes = nodes, .ranges = ranges, .field = field, .err = err};
    uint16_t root;
    if (regex_parse(&p, &root) != OK) {
        return ERR_INVALID;
    }
    CLEANUP(freep) struct step *steps = mem_alloc(REGEX_STEPS_MAX * sizeof(*steps));
    struct writing w = {.nodes = nodes, .steps = steps};
    if (!write_node(&w, root) || !add_step(&w, (struct step){.op = OP_MATCH})) {
        return err_field(err, ERR_INVALID, field, "the pattern repeats too much of itself");
    }
    struct regex *r = mem_zalloc(sizeof(*r));
    r->n_steps = w.n_steps;
    r->steps = mem_dup(steps, w.n_steps * sizeof(*steps));
    r->ranges = mem_dup(ranges, p.n_ranges * sizeof(*ranges) + 1);
    r->text = (struct str){mem_dup(pattern.n != 0 ? pattern.p : "", pattern.n + 1), pattern.n};
    *ret = r;
    return OK;
}

void regex_free(struct regex *r)
{
    if (r == NULL) {
        return;
    }
    free(r->steps);
    free(r->ranges);
    free((void *)(uintptr_t)r->text.p);
    free(r);
}

void regex_freep(struct regex **r)
{
    regex_free(*r);
    *r = NULL;
}

struct str regex_text(const struct regex *r)
{
    return r->text;
}

size_t regex_steps(const struct regex *r)
{
    return r->n_steps;
}

/* ---- Running ------------------------------------------------------------------------------- */

struct run {
    const struct regex *r;
    struct str text;
    uint64_t left;
    uint16_t *stack; /* 2 * n_steps: each instruction puts two on it, once per place in the text */
    size_t *seen;    /* the place (+ 1) at which an instruction was last visited */
};

static bool is_word_at(struct str s, size_t at)
{
    char c = at < s.n ? s.p[at] : ' ';
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool holds(const struct run *u, enum op op, size_t at)
{
    if (op == OP_BEGIN) {
        return at == 0;
    }
    if (op == OP_END) {
        return at == u->text.n;
    }
    bool edge = (at != 0 && is_word_at(u->text, at - 1)) != is_word_at(u->text, at);
    return edge == (op == OP_EDGE);
}

/* Visits what can be reached from `step` without a character; what waits for one is appended.
 * True at the match. */
static bool reach(struct run *u, uint16_t step, size_t at, uint16_t *list, size_t *n)
{
    size_t depth = 0;
    u->stack[depth++] = step;
    while (depth != 0) {
        uint16_t i = u->stack[--depth];
        const struct step *s = &u->r->steps[i];
        if (u->seen[i] == at + 1) {
            continue;
        }
        u->seen[i] = at + 1;
        u->left -= u->left != 0;
        switch ((enum op)s->op) {
        case OP_SET:
            list[(*n)++] = i;
            break;
        case OP_SPLIT:
            u->stack[depth++] = s->b;
            u->stack[depth++] = s->a;
            break;
        case OP_JUMP:
            u->stack[depth++] = s->a;
            break;
        case OP_BEGIN:
        case OP_END:
        case OP_EDGE:
        case OP_NO_EDGE:
            if (holds(u, (enum op)s->op, at)) {
                u->stack[depth++] = (uint16_t)(i + 1);
            }
            break;
        case OP_MATCH:
            return true;
        }
    }
    return false;
}

static bool has(const struct regex *r, const struct step *s, uint32_t c)
{
    const struct range *set = r->ranges + s->a;
    size_t lo = 0;
    size_t hi = s->b;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > set[mid].hi) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < s->b && c >= set[lo].lo;
}

static enum regex_answer run(struct run *u, uint16_t *now, uint16_t *next)
{
    const struct regex *r = u->r;
    size_t n_now = 0;
    for (size_t at = 0;;) {
        if (reach(u, 0, at, now, &n_now)) {
            return REGEX_YES;
        }
        bool lost = n_now == 0 && r->steps[0].op == OP_BEGIN;
        if (at == u->text.n || lost) {
            return REGEX_NO;
        }
        if (u->left <= n_now) {
            return REGEX_TOO_COSTLY;
        }
        u->left -= n_now;
        size_t len;
        uint32_t c = regex_decode(u->text, at, &len);
        at += len != 0 ? len : 1;
        size_t n_next = 0;
        for (size_t i = 0; i < n_now; i++) {
            if (has(r, &r->steps[now[i]], c) &&
                reach(u, (uint16_t)(now[i] + 1), at, next, &n_next)) {
                return REGEX_YES;
            }
        }
        uint16_t *other = now;
        now = next;
        next = other;
        n_now = n_next;
    }
}

enum regex_answer regex_search(const struct regex *r, struct str text, uint64_t *budget)
{
    size_t n = r->n_steps;
    uint64_t prepared = n / 16; /* the memory costs, too, however short the text is */
    if (*budget <= prepared) {
        return REGEX_TOO_COSTLY;
    }
    CLEANUP(freep) uint16_t *memory = mem_alloc(4 * n * sizeof(*memory));
    CLEANUP(freep) size_t *seen = mem_zalloc(n * sizeof(*seen));
    struct run u = {
        .r = r, .text = text, .left = *budget - prepared, .stack = memory + 2 * n, .seen = seen};
    enum regex_answer answer = run(&u, memory, memory + n);
    *budget = u.left;
    return answer;
}

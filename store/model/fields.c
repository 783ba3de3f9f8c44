/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/fields.h"

#include <stdlib.h>

struct fields *fields_new(void)
{
    return mem_zalloc(sizeof(struct fields));
}

static void empty(struct fields *s)
{
    for (size_t i = 0; i < s->n; i++) {
        empty(&s->v[i]);
    }
    free(s->v);
    free((void *)(uintptr_t)s->step.p);
    *s = (struct fields){0};
}

void fields_free(struct fields *s)
{
    if (s != NULL) {
        empty(s);
        free(s);
    }
}

void fields_freep(struct fields **s)
{
    fields_free(*s);
    *s = NULL;
}

static void copy_into(struct fields *to, const struct fields *from)
{
    *to = (struct fields){.here = from->here, .n = from->n, .cap = from->n};
    to->step = (struct str){str_dup(from->step), from->step.n};
    if (from->n != 0) {
        to->v = mem_alloc(from->n * sizeof(*to->v));
    }
    for (size_t i = 0; i < from->n; i++) {
        copy_into(&to->v[i], &from->v[i]);
    }
}

struct fields *fields_copy(const struct fields *s)
{
    struct fields *copy = mem_alloc(sizeof(*copy));
    copy_into(copy, s);
    return copy;
}

static struct fields *grow(struct fields *at)
{
    if (at->n == at->cap) {
        at->cap = at->cap != 0 ? at->cap * 2 : 4;
        at->v = mem_realloc(at->v, at->cap * sizeof(*at->v));
    }
    struct fields *below = &at->v[at->n++];
    *below = (struct fields){0};
    return below;
}

struct fields *fields_add(struct fields *at, char kind, struct str name)
{
    struct fields *below = grow(at);
    char *p = mem_alloc(name.n + 2);
    p[0] = kind;
    p[1] = ':';
    if (name.n != 0) {
        memcpy(p + 2, name.p, name.n);
    }
    below->step = (struct str){p, name.n + 2};
    return below;
}

static bool is_of_use(const struct fields *s)
{
    return s->here || s->n != 0;
}

static void drop_useless(struct fields *at)
{
    size_t n = 0;
    for (size_t i = 0; i < at->n; i++) {
        if (is_of_use(&at->v[i])) {
            at->v[n++] = at->v[i];
        } else {
            empty(&at->v[i]);
        }
    }
    at->n = n;
}

static int by_step(const void *a, const void *b)
{
    return str_cmp(((const struct fields *)a)->step, ((const struct fields *)b)->step);
}

void fields_settle(struct fields *at)
{
    drop_useless(at);
    if (at->n != 0) {
        qsort(at->v, at->n, sizeof(*at->v), by_step);
    }
}

bool fields_is_empty(const struct fields *s)
{
    return !is_of_use(s);
}

bool fields_equal(const struct fields *a, const struct fields *b)
{
    bool equal = a->here == b->here && a->n == b->n && str_eq(a->step, b->step);
    for (size_t i = 0; i < a->n && equal; i++) {
        equal = fields_equal(&a->v[i], &b->v[i]);
    }
    return equal;
}

const struct fields *fields_find(const struct fields *at, char kind, struct str name)
{
    size_t from = 0;
    size_t upto = at->n;
    while (from < upto) {
        size_t middle = from + (upto - from) / 2;
        struct str step = at->v[middle].step;
        int order = step.p[0] != kind ? (step.p[0] < kind ? -1 : 1)
                                      : str_cmp((struct str){step.p + 2, step.n - 2}, name);
        if (order == 0) {
            return &at->v[middle];
        }
        from = order < 0 ? middle + 1 : from;
        upto = order < 0 ? upto : middle;
    }
    return NULL;
}

/* Merges the two ordered rows; what is in both is joined. */
void fields_join(struct fields *s, const struct fields *other)
{
    s->here |= other->here;
    struct fields all = {.step = s->step, .here = s->here};
    size_t i = 0;
    size_t j = 0;
    while (i < s->n || j < other->n) {
        int order = i == s->n ? 1 : j == other->n ? -1 : by_step(&s->v[i], &other->v[j]);
        struct fields *to = grow(&all);
        if (order > 0) {
            copy_into(to, &other->v[j++]);
            continue;
        }
        *to = s->v[i++];
        if (order == 0) {
            fields_join(to, &other->v[j++]);
        }
    }
    free(s->v);
    *s = all;
}

void fields_minus(struct fields *s, const struct fields *other)
{
    s->here = s->here && !other->here;
    for (size_t i = 0, j = 0; i < s->n && j < other->n;) {
        int order = by_step(&s->v[i], &other->v[j]);
        if (order == 0) {
            fields_minus(&s->v[i], &other->v[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
    drop_useless(s);
}

void fields_keep(struct fields *s, const struct fields *other)
{
    static const struct fields nothing = {0};
    s->here = s->here && other->here;
    size_t j = 0;
    for (size_t i = 0; i < s->n; i++) {
        while (j < other->n && by_step(&other->v[j], &s->v[i]) < 0) {
            j++;
        }
        bool both = j < other->n && by_step(&other->v[j], &s->v[i]) == 0;
        fields_keep(&s->v[i], both ? &other->v[j] : &nothing);
    }
    drop_useless(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/difference.h"

#include <stdlib.h>

#include "store/base/mem.h"

#define CONTEXT   3
#define CELLS_MAX ((size_t)16 << 20) /* of the table that finds the longest common lines */

void difference_strip(json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    (void)json_object_del(metadata, "resourceVersion");
    (void)json_object_del(metadata, "generation");
}

void difference_strip_all(json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    difference_strip(object);
    (void)json_object_del(metadata, "uid");
    (void)json_object_del(metadata, "creationTimestamp");
    (void)json_object_del(metadata, "deletionTimestamp");
    (void)json_object_del(metadata, "managedFields");
}

/* ---- Paths ------------------------------------------------------------------------------------
 */

static void add_path(const char *path, struct buf *out)
{
    buf_adds(out, out->n != 0 ? STR(", ") : STR_EMPTY);
    buf_adds(out, str_of(*path != '\0' ? path : "."));
}

static void walk(const json_t *before, const json_t *after, const char *path, struct buf *out)
{
    if (!json_is_object(before) || !json_is_object(after)) {
        if (!json_equal(before, after)) {
            add_path(path, out);
        }
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)before, key, value)
    {
        CLEANUP(freep) char *below = mem_printf("%s.%s", path, key);
        walk(value, json_object_get(after, key), below, out);
    }
    json_object_foreach((json_t *)(uintptr_t)after, key, value)
    {
        if (json_object_get(before, key) == NULL) {
            CLEANUP(freep) char *below = mem_printf("%s.%s", path, key);
            add_path(below, out);
        }
    }
}

void difference_paths(const json_t *before, const json_t *after, struct buf *out)
{
    if (before != NULL || after != NULL) {
        walk(before, after, "", out);
    }
}

/* ---- Lines ------------------------------------------------------------------------------------
 */

struct lines {
    struct str *v;
    size_t n;
};

static struct lines split(struct str text)
{
    struct lines l = {0};
    size_t cap = 0;
    while (text.n != 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.p) : text.n;
        if (l.n == cap) {
            cap = cap != 0 ? cap * 2 : 64;
            l.v = mem_realloc(l.v, cap * sizeof(*l.v));
        }
        l.v[l.n++] = (struct str){text.p, n};
        n += end != NULL ? 1 : 0;
        text = (struct str){text.p + n, text.n - n};
    }
    return l;
}

/* Marks the lines of a and b that have no partner. With too many lines for the table all between
 * the equal ones at both ends are taken to differ. */
static void mark(const struct lines *a, const struct lines *b, bool *gone, bool *come)
{
    size_t head = 0, tail = 0;
    while (head < a->n && head < b->n && str_eq(a->v[head], b->v[head])) {
        head++;
    }
    while (tail < a->n - head && tail < b->n - head &&
           str_eq(a->v[a->n - 1 - tail], b->v[b->n - 1 - tail])) {
        tail++;
    }
    size_t n = a->n - head - tail, m = b->n - head - tail;
    for (size_t i = 0; i < n; i++) {
        gone[head + i] = true;
    }
    for (size_t i = 0; i < m; i++) {
        come[head + i] = true;
    }
    if (n == 0 || m == 0 || (n + 1) > CELLS_MAX / (m + 1)) {
        return;
    }
    /* best[i][j]: common lines of a's from i on and b's from j on. */
    CLEANUP(freep) uint32_t *best = mem_zalloc((n + 1) * (m + 1) * sizeof(*best));
    for (size_t i = n; i-- > 0;) {
        for (size_t j = m; j-- > 0;) {
            uint32_t *at = &best[i * (m + 1) + j];
            uint32_t down = at[m + 1], right = at[1];
            *at = str_eq(a->v[head + i], b->v[head + j]) ? at[m + 2] + 1
                  : down > right                         ? down
                                                         : right;
        }
    }
    for (size_t i = 0, j = 0; i < n && j < m;) {
        const uint32_t *at = &best[i * (m + 1) + j];
        if (str_eq(a->v[head + i], b->v[head + j])) {
            gone[head + i++] = false;
            come[head + j++] = false;
        } else if (at[m + 1] >= at[1]) {
            i++;
        } else {
            j++;
        }
    }
}

struct edit {
    const struct lines *a, *b;
    const bool *gone, *come;
};

static bool same_at(const struct edit *e, size_t i, size_t j)
{
    return i < e->a->n && j < e->b->n && !e->gone[i] && !e->come[j];
}

/* Where the hunk that begins with a change at i, j ends: before more equal lines than the context
 * of two hunks. */
static void hunk_end(const struct edit *e, size_t *i, size_t *j)
{
    size_t equal = 0;
    while ((*i < e->a->n || *j < e->b->n) && equal <= (size_t)2 * CONTEXT) {
        if (same_at(e, *i, *j)) {
            equal++;
            ++*i;
            ++*j;
        } else {
            equal = 0;
            *i += *i < e->a->n && e->gone[*i];
            *j += *j < e->b->n && e->come[*j];
        }
    }
    size_t over = equal > CONTEXT ? equal - CONTEXT : 0;
    *i -= over;
    *j -= over;
}

static void add_line(char sign, struct str line, struct buf *out)
{
    buf_addc(out, sign);
    buf_adds(out, line);
    buf_addc(out, '\n');
}

static void add_hunk(const struct edit *e, size_t i, size_t j, size_t i_end, size_t j_end,
                     struct buf *out)
{
    size_t n = i_end - i, m = j_end - j;
    buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", i + (n != 0), n, j + (m != 0), m);
    while (i < i_end || j < j_end) {
        if (i < i_end && e->gone[i]) {
            add_line('-', e->a->v[i++], out);
        } else if (j < j_end && e->come[j]) {
            add_line('+', e->b->v[j++], out);
        } else {
            add_line(' ', e->a->v[i++], out);
            j++;
        }
    }
}

bool difference_lines(struct str before, struct str after, const char *before_name,
                      const char *after_name, struct buf *out)
{
    if (str_eq(before, after)) {
        return false;
    }
    struct lines a = split(before), b = split(after);
    bool *gone = mem_zalloc(a.n + 1), *come = mem_zalloc(b.n + 1);
    mark(&a, &b, gone, come);
    const struct edit e = {&a, &b, gone, come};
    buf_printf(out, "--- %s\n+++ %s\n", before_name, after_name);
    for (size_t i = 0, j = 0; i < a.n || j < b.n;) {
        if (same_at(&e, i, j)) {
            i++;
            j++;
            continue;
        }
        size_t back = i < CONTEXT ? i : CONTEXT;
        back = j < back ? j : back;
        size_t i_end = i, j_end = j;
        hunk_end(&e, &i_end, &j_end);
        /* What stands before a change is equal, and belongs to no hunk before. */
        add_hunk(&e, i - back, j - back, i_end, j_end, out);
        i = i_end;
        j = j_end;
    }
    free(gone);
    free(come);
    free(a.v);
    free(b.v);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine_sqlite_dirty.h"

#include <stdlib.h>

#define CAP_MIN 1024

void dirty_fini(struct dirty *d)
{
    free(d->v);
    *d = (struct dirty){NULL, 0, 0};
}

static size_t home(const struct dirty *d, row_t row)
{
    return (size_t)((uint64_t)row * 0x9E3779B97F4A7C15u >> 20) & (d->cap - 1);
}

/* Where the row is, or the free place where it would be. */
static struct dirty_row *place(const struct dirty *d, row_t row)
{
    size_t i = home(d, row);
    while (d->v[i].row != 0 && d->v[i].row != row) {
        i = (i + 1) & (d->cap - 1);
    }
    return &d->v[i];
}

struct dirty_row *dirty_find(const struct dirty *d, row_t row)
{
    struct dirty_row *r = d->cap != 0 ? place(d, row) : NULL;
    return r != NULL && r->row != 0 ? r : NULL;
}

static void grow(struct dirty *d)
{
    struct dirty old = *d;
    d->cap = old.cap != 0 ? 2 * old.cap : CAP_MIN;
    d->v = mem_zalloc(d->cap * sizeof(*d->v));
    for (size_t i = 0; i < old.cap; i++) {
        if (old.v[i].row != 0) {
            *place(d, old.v[i].row) = old.v[i];
        }
    }
    free(old.v);
}

void dirty_set(struct dirty *d, row_t row, rv_t rv, bool gone)
{
    if (2 * d->n >= d->cap) {
        grow(d);
    }
    struct dirty_row *r = place(d, row);
    d->n += r->row == 0;
    *r = (struct dirty_row){row, rv, gone, false};
}

/* Whoever was displaced by the row that goes moves up. */
void dirty_clear(struct dirty *d, row_t row)
{
    struct dirty_row *hole = dirty_find(d, row);
    if (hole == NULL) {
        return;
    }
    d->n--;
    size_t at = (size_t)(hole - d->v);
    for (size_t i = (at + 1) & (d->cap - 1); d->v[i].row != 0; i = (i + 1) & (d->cap - 1)) {
        size_t from_home = (i - home(d, d->v[i].row)) & (d->cap - 1);
        if (from_home >= ((i - at) & (d->cap - 1))) {
            d->v[at] = d->v[i];
            at = i;
        }
    }
    d->v[at].row = 0;
}

static int by_row(const void *a, const void *b)
{
    row_t x = ((const struct dirty_row *)a)->row;
    row_t y = ((const struct dirty_row *)b)->row;
    return (x > y) - (x < y);
}

size_t dirty_sorted(const struct dirty *d, struct dirty_row **ret)
{
    struct dirty_row *v = mem_alloc((d->n + 1) * sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < d->cap; i++) {
        if (d->v[i].row != 0) {
            v[n++] = d->v[i];
        }
    }
    qsort(v, n, sizeof(*v), by_row);
    *ret = v;
    return n;
}

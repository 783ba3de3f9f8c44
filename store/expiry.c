/* SPDX-License-Identifier: Apache-2.0 */
#include "store/expiry.h"

#include <stdlib.h>
#include <sys/tree.h>
#include <uthash.h>

struct expiry_node {
    RB_ENTRY(expiry_node) link; /* by when it is due, then row */
    UT_hash_handle hh;          /* by row */
    struct expiring what;       /* its key's texts lie in names */
    char names[];
};

RB_HEAD(expiry_tree, expiry_node);

struct expiry {
    struct expiry_tree tree;
    struct expiry_node *by_row;
};

static int node_cmp(const struct expiry_node *a, const struct expiry_node *b)
{
    if (a->what.due_ms != b->what.due_ms) {
        return a->what.due_ms < b->what.due_ms ? -1 : 1;
    }
    return a->what.row < b->what.row ? -1 : a->what.row > b->what.row;
}

/* Not RB_GENERATE_STATIC, which leans on a macro `__unused` that glibc uses as a name. */
RB_GENERATE_INTERNAL(expiry_tree, expiry_node, link, node_cmp, __attribute__((unused)) static)

struct expiry *expiry_new(void)
{
    struct expiry *x = mem_zalloc(sizeof *x);
    RB_INIT(&x->tree);
    return x;
}

static void node_free(struct expiry *x, struct expiry_node *n)
{
    RB_REMOVE(expiry_tree, &x->tree, n);
    HASH_DEL(x->by_row, n);
    free(n);
}

void expiry_free(struct expiry *x)
{
    if (x == NULL) {
        return;
    }
    struct expiry_node *n = NULL;
    while ((n = RB_ROOT(&x->tree)) != NULL) {
        node_free(x, n);
    }
    free(x);
}

static struct expiry_node *node_find(const struct expiry *x, row_t row)
{
    struct expiry_node *n = NULL;
    HASH_FIND(hh, x->by_row, &row, sizeof row, n);
    return n;
}

static struct expiry_node *node_new(const struct key *k, row_t row)
{
    struct expiry_node *n = mem_zalloc(sizeof *n + key_len(k));
    n->what.key = key_copy_to(k, n->names);
    n->what.row = row;
    return n;
}

void expiry_set(struct expiry *x, const struct key *k, row_t row, int64_t deadline_ms)
{
    struct expiry_node *n = node_find(x, row);
    if (deadline_ms == 0) {
        if (n != NULL) {
            node_free(x, n);
        }
        return;
    }
    if (n != NULL) {
        RB_REMOVE(expiry_tree, &x->tree, n);
    } else {
        n = node_new(k, row);
        HASH_ADD(hh, x->by_row, what.row, sizeof row, n);
    }
    n->what.deadline_ms = n->what.due_ms = deadline_ms;
    n->what.wait_ms = 0;
    RB_INSERT(expiry_tree, &x->tree, n);
}

void expiry_put_off(struct expiry *x, row_t row, int64_t run_ms, int64_t wait_ms)
{
    struct expiry_node *n = node_find(x, row);
    if (n != NULL) {
        RB_REMOVE(expiry_tree, &x->tree, n);
        n->what.due_ms = run_ms + wait_ms;
        n->what.wait_ms = wait_ms;
        RB_INSERT(expiry_tree, &x->tree, n);
    }
}

int64_t expiry_of(const struct expiry *x, row_t row)
{
    const struct expiry_node *n = node_find(x, row);
    return n != NULL ? n->what.deadline_ms : 0;
}

void expiry_committed(struct expiry *x, const struct commit *c)
{
    for (size_t i = 0; i < c->n_asides; i++) {
        const struct aside *a = &c->asides[i];
        if (a->sets_deadline) {
            expiry_set(x, &a->key, a->row, a->deadline_ms);
        }
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct event *ev = &c->changes[i].event;
        if (event_is_delete(ev)) {
            expiry_set(x, &ev->key, c->changes[i].row, 0);
        }
    }
}

int64_t expiry_next(struct expiry *x)
{
    const struct expiry_node *n = RB_MIN(expiry_tree, &x->tree);
    return n != NULL ? n->what.due_ms : 0;
}

size_t expiry_due(struct expiry *x, int64_t run_ms, struct expiring *ret, size_t max)
{
    size_t n = 0;
    struct expiry_node *e = RB_MIN(expiry_tree, &x->tree);
    while (e != NULL && n < max && e->what.due_ms <= run_ms) {
        ret[n++] = e->what;
        e = RB_NEXT(expiry_tree, &x->tree, e);
    }
    return n;
}

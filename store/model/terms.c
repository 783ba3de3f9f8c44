/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/terms.h"

#include <stdlib.h>

struct term {
    struct str key, text;
    size_t at; /* where it was */
};

static int term_cmp(const void *a, const void *b)
{
    const struct term *x = a;
    const struct term *y = b;
    int c = str_cmp(x->key, y->key);
    return c != 0 ? c : str_cmp(x->text, y->text);
}

/* The terms in order; their texts lie in `texts`. New. */
static struct term *sort(const char *terms, size_t n, const struct terms_kind *kind,
                         struct buf *texts)
{
    struct term *sorted = mem_alloc(n * sizeof(*sorted) + 1);
    for (size_t i = 0; i < n; i++) {
        const char *term = terms + i * kind->size;
        size_t begin = texts->n;
        kind->write(term, texts);
        sorted[i] = (struct term){
            kind->key(term), {NULL, texts->n - begin},
             i
        };
    }
    const char *text = texts->p; /* It does not move any more. */
    for (size_t i = 0; i < n; i++) {
        sorted[i].text.p = text;
        text += sorted[i].text.n;
    }
    if (n != 0) {
        qsort(sorted, n, sizeof(*sorted), term_cmp);
    }
    return sorted;
}

size_t terms_settle(void *terms, size_t n, const struct terms_kind *kind, struct buf *out)
{
    CLEANUP(buf_fini) struct buf texts;
    buf_init(&texts, SIZE_MAX);
    CLEANUP(freep) struct term *sorted = sort(terms, n, kind, &texts);
    CLEANUP(freep) char *kept = mem_alloc(n * kind->size + 1);
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        char *term = (char *)terms + sorted[i].at * kind->size;
        if (i != 0 && str_eq(sorted[i - 1].text, sorted[i].text)) {
            kind->fini(term);
            continue;
        }
        buf_adds(out, left != 0 ? STR(",") : STR_EMPTY);
        buf_adds(out, sorted[i].text);
        memcpy(kept + left++ * kind->size, term, kind->size);
    }
    memcpy(terms, kept, left * kind->size);
    return left;
}

bool terms_have(const void *sorted, size_t n, size_t size, struct str v)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = str_cmp(*(const struct str *)((const char *)sorted + mid * size), v);
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

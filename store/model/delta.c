/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/delta.h"

/* Texts are compared in words of this many bytes, then byte by byte. */
#define WORD sizeof(uint64_t)

static uint64_t word_at(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static size_t common_head(const char *a, const char *b, size_t max)
{
    size_t n = 0;
    while (max - n >= WORD && word_at(a + n) == word_at(b + n)) {
        n += WORD;
    }
    while (n < max && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* a and b point behind the texts. */
static size_t common_tail(const char *a, const char *b, size_t max)
{
    size_t n = 0;
    while (max - n >= WORD && word_at(a - n - WORD) == word_at(b - n - WORD)) {
        n += WORD;
    }
    while (n < max && a[-1 - (ptrdiff_t)n] == b[-1 - (ptrdiff_t)n]) {
        n++;
    }
    return n;
}

/* Part of a text; takes the empty text, whose p may be NULL. */
static void add_part(struct buf *out, struct str s, size_t from, size_t n)
{
    if (n != 0) {
        buf_add(out, s.p + from, n);
    }
}

void delta_make(struct str newer, struct str older, struct buf *out)
{
    size_t shorter = newer.n < older.n ? newer.n : older.n;
    size_t head = 0;
    size_t tail = 0;
    if (shorter != 0) {
        head = common_head(newer.p, older.p, shorter);
        /* Head and tail must not overlap in either text. */
        tail = common_tail(newer.p + newer.n, older.p + older.n, shorter - head);
    }
    buf_varint(out, head);
    buf_varint(out, tail);
    add_part(out, older, head, older.n - head - tail);
}

bool delta_apply(struct str newer, struct str delta, struct buf *out)
{
    size_t at = 0;
    uint64_t head;
    uint64_t tail;
    if (!varint_read(delta, &at, &head) || !varint_read(delta, &at, &tail) || head > newer.n ||
        tail > newer.n - head) {
        return false;
    }
    add_part(out, newer, 0, head);
    add_part(out, delta, at, delta.n - at);
    add_part(out, newer, newer.n - tail, tail);
    return true;
}

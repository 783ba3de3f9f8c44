/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/base/metric.h"

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n != 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) {
        return c;
    }
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

char *str_dup(struct str s)
{
    char *copy = mem_alloc(s.n + 1);
    if (s.n != 0) {
        memcpy(copy, s.p, s.n);
    }
    copy[s.n] = '\0';
    return copy;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
    if (s.n == 0 || (s.n > 1 && s.p[0] == '0')) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v)) {
            return false;
        }
    }
    *ret = v;
    return true;
}

size_t utf8_len(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    if (n == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > n) {
        return 0;
    }
    /* The second byte's range keeps out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.limit = b->limit};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->full = false;
}

char *buf_grow(struct buf *b, size_t n)
{
    if (b->full || n > b->limit || b->n > b->limit - n) {
        b->full = true;
        return NULL;
    }
    size_t need = b->n + n;
    if (need > b->cap || b->p == NULL) {
        size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
        cap = cap < 64 ? 64 : cap;
        cap = cap > b->limit ? b->limit : cap;
        b->cap = cap < need ? need : cap;
        b->p = mem_realloc(b->p, b->cap);
    }
    char *at = b->p + b->n;
    b->n = need;
    return at;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *at = n != 0 ? buf_grow(b, n) : NULL;
    if (at != NULL) {
        memcpy(at, p, n);
    }
}

void buf_addc(struct buf *b, char c)
{
    char *at = buf_grow(b, 1);
    if (at != NULL) {
        *at = c;
    }
}

void buf_adds(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    assert(n >= 0);
    if ((size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
        return;
    }
    if (b->full || (size_t)n > b->limit || b->n > b->limit - (size_t)n) {
        b->full = true;
        return;
    }
    CLEANUP(freep) char *large = mem_alloc((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, args);
    va_end(args);
    buf_add(b, large, (size_t)n);
}

size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

void buf_varint(struct buf *b, uint64_t v)
{
    char *at = buf_grow(b, varint_size(v));
    if (at == NULL) {
        return;
    }
    while (v >= 0x80) {
        *at++ = (char)(v | 0x80);
        v >>= 7;
    }
    *at = (char)v;
}

bool varint_read(struct str s, size_t *at, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = *at;
    for (unsigned shift = 0; shift < 64 && i < s.n; shift += 7) {
        uint64_t byte = (unsigned char)s.p[i++];
        /* The tenth byte has room for one bit only. */
        if (shift == 63 && byte > 1) {
            return false;
        }
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *at = i;
            *ret = v;
            return true;
        }
    }
    return false;
}

struct blob *blob_new(size_t n, uint8_t **ret_p)
{
    struct blob *b = mem_alloc(sizeof(*b) + n);
    uint8_t *p = (uint8_t *)(b + 1);
    *b = (struct blob){.n = n, .p = p};
    atomic_init(&b->refs, 1);
    atomic_init(&b->pins, 0);
    *ret_p = p;
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void blob_unref(struct blob *b)
{
    if (b == NULL) {
        return;
    }
    int before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before != 1) {
        return;
    }
    if (b->release != NULL) {
        b->release(b);
    } else {
        free(b);
    }
}

void blob_unrefp(struct blob **bp)
{
    blob_unref(*bp);
    *bp = NULL;
}

void blob_pin(struct blob *b)
{
    if (atomic_fetch_add_explicit(&b->pins, 1, memory_order_relaxed) == 0) {
        metric_add(M_PINNED_BYTES, (int64_t)b->n);
    }
}

void blob_unpin(struct blob *b)
{
    if (atomic_fetch_sub_explicit(&b->pins, 1, memory_order_relaxed) == 1) {
        metric_add(M_PINNED_BYTES, -(int64_t)b->n);
    }
}

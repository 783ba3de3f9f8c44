/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REACH_MIN 8

static void *check(void *p, size_t n)
{
    if (p == NULL) {
        fprintf(stderr, "out of memory (%zu bytes)\n", n);
        abort();
    }
    return p;
}

/* malloc(0) may be NULL, which would look like a failure. */
static size_t at_least_one(size_t n)
{
    return n != 0 ? n : 1;
}

void *mem_alloc(size_t n)
{
    return check(malloc(at_least_one(n)), n);
}

void *mem_zalloc(size_t n)
{
    return check(calloc(1, at_least_one(n)), n);
}

void *mem_realloc(void *p, size_t n)
{
    return check(realloc(p, at_least_one(n)), n);
}

void *mem_reach(void *p, size_t *cap, size_t at, size_t size)
{
    if (at < *cap) {
        return p;
    }
    size_t n = *cap != 0 ? *cap : REACH_MIN;
    while (n <= at) {
        n *= 2;
    }
    char *grown = mem_realloc(p, n * size);
    memset(grown + *cap * size, 0, (n - *cap) * size);
    *cap = n;
    return grown;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = mem_alloc(n);
    if (n != 0) {
        memcpy(copy, p, n);
    }
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *s = NULL;
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    return check(n < 0 ? NULL : s, n < 0 ? 0 : (size_t)n);
}

void freep(void *pp)
{
    void **p = pp;
    free(*p);
    *p = NULL;
}

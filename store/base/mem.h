/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: allocation that never fails, and the one cleanup idiom.
 * Out of memory aborts here and nowhere else, as gRPC does; so sizes that come from input are
 * checked against a limit before anything is allocated.
 * Threads: any. */
#ifndef WATCHD_BASE_MEM_H
#define WATCHD_BASE_MEM_H

#include <stddef.h>

/* Runs `fn(&variable)` when the variable goes out of scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Gives the pointer away: the value of `p`, which is NULL afterwards. */
#define TAKE(p)                              \
    __extension__({                          \
        __typeof__(p) *take_at_ = &(p);      \
        __typeof__(p) take_val_ = *take_at_; \
        *take_at_ = NULL;                    \
        take_val_;                           \
    })

#define NODISCARD              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* All return new memory, never NULL. mem_alloc's is not cleared, mem_zalloc's is. */
void *mem_alloc(size_t n) __attribute__((malloc));
void *mem_zalloc(size_t n) __attribute__((malloc));
void *mem_realloc(void *p, size_t n);
/* An array `p` of *cap items of a size, grown so that it has the item `at`; new items are cleared.
 */
void *mem_reach(void *p, size_t *cap, size_t at, size_t size) NODISCARD;
char *mem_strdup(const char *s) __attribute__((malloc));
void *mem_dup(const void *p, size_t n) __attribute__((malloc));
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For CLEANUP(freep) on a pointer of any type. */
void freep(void *pp);

#endif

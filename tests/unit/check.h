/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of base and model share: assertions on texts and errors, and a random source
 * that gives the same numbers in every run. */
#ifndef WATCHD_TESTS_UNIT_CHECK_H
#define WATCHD_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

#define COUNT(array)                 (sizeof(array) / sizeof((array)[0]))

#define assert_str(actual, expected) check_str((actual), str_of(expected), __FILE__, __LINE__)
#define assert_ok(code, err)         check_ok((code), (err), __FILE__, __LINE__)

static inline void check_str(struct str actual, struct str expected, const char *file, int line)
{
    if (!str_eq(actual, expected)) {
        print_error("\"%.*s\" is not \"%.*s\"\n", STR_ARG(actual), STR_ARG(expected));
        _fail(file, line);
    }
}

static inline void check_ok(enum errc code, const struct err *err, const char *file, int line)
{
    if (code != OK) {
        print_error("%s: %s: %s\n", err_info(code)->name, err->field, err->msg);
        _fail(file, line);
    }
}

/* For tables: shows the case on a failure. */
#define assert_case(condition, name)                              \
    do {                                                          \
        if (!(condition)) {                                       \
            print_error("case \"%s\": %s\n", (name), #condition); \
            _fail(__FILE__, __LINE__);                            \
        }                                                         \
    } while (0)

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
    /* splitmix64 */
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline size_t dice_below(struct dice *d, size_t n)
{
    return (size_t)(dice_next(d) % n);
}

#endif

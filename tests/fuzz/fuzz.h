/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz target is: one function, called by libFuzzer or by replay.c with each input. A broken
 * promise aborts. */
#ifndef WATCHD_TESTS_FUZZ_FUZZ_H
#define WATCHD_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline void fuzz_require(bool condition, const char *what, const char *file, int line)
{
    if (!condition) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
        abort();
    }
}
#define REQUIRE(condition) fuzz_require((condition), #condition, __FILE__, __LINE__)

/* An error must be presentable: one line of UTF-8, with a field. */
static inline void fuzz_require_error(const struct err *err)
{
    REQUIRE(err->msg[0] != '\0' && err->field[0] != '\0');
    const char *texts[] = {err->msg, err->field};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(texts[i]);
        for (size_t at = 0; at < n;) {
            size_t len = utf8_len(texts[i] + at, n - at);
            REQUIRE(len != 0 && (unsigned char)texts[i][at] >= 0x20);
            at += len;
        }
    }
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the reflection protocol: each is refused, or answered with bytes that are fields. */
#include <stdlib.h>

#include "proto/pb.h"
#include "proto/wire.h"

#define BUDGET    ((size_t)1024 * 1024)
#define BUF_LIMIT ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct buf out;
    struct err err;
    arena_init(&a, BUDGET);
    buf_init(&out, BUF_LIMIT);
    enum errc code = wire_reflect(&a, (struct str){(const char *)data, size}, &out, &err);
    if (code != OK && code != ERR_INVALID && code != ERR_TOO_LARGE) {
        abort();
    }
    struct pb_field f;
    for (size_t at = 0; at < out.n;) {
        if (!pb_next(buf_str(&out), &at, &f)) {
            abort();
        }
    }
    arena_fini(&a);
    buf_fini(&out);
    return 0;
}

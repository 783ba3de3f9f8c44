/* SPDX-License-Identifier: Apache-2.0 */
/* Input: two texts with a NUL between them. The difference gives the older back; the older taken
 * for a difference is refused or gives something, but never reads beyond its texts. */
#include "store/model/delta.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str newer = {(const char *)data, n};
    struct str older = STR_EMPTY;
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul != NULL) {
        newer.n = (size_t)(nul - newer.p);
        older = (struct str){nul + 1, n - newer.n - 1};
    }
    CLEANUP(buf_fini) struct buf delta;
    CLEANUP(buf_fini) struct buf back;
    CLEANUP(buf_fini) struct buf odd;
    buf_init(&delta, OUTPUT_MAX);
    buf_init(&back, OUTPUT_MAX);
    buf_init(&odd, OUTPUT_MAX);
    delta_make(newer, older, &delta);
    REQUIRE(delta.n <= older.n + 20);
    REQUIRE(delta_apply(newer, buf_str(&delta), &back));
    REQUIRE(str_eq(buf_str(&back), older));
    if (delta_apply(newer, older, &odd)) {
        REQUIRE(odd.n <= newer.n + older.n);
    } else {
        REQUIRE(odd.n == 0);
    }
    return 0;
}

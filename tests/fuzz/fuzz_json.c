/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is refused with a presentable error, or read; what was read is written so that it reads
 * back equal, with an equal hash, and is then written the same. */
#include "store/model/json.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err = {0};
    if (json_text_parse((struct str){(const char *)data, n}, "json", &v, &err) != OK) {
        fuzz_require_error(&err);
        return 0;
    }
    REQUIRE(json_depth(v) <= JSON_DEPTH_MAX);
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf again;
    buf_init(&text, OUTPUT_MAX);
    buf_init(&again, OUTPUT_MAX);
    json_text_write(v, &text);
    CLEANUP(json_decrefp) json_t *back = NULL;
    REQUIRE(json_text_parse(buf_str(&text), "json", &back, NULL) == OK);
    REQUIRE(json_equal(v, back));
    REQUIRE(json_hash(v) == json_hash(back));
    json_text_write(back, &again);
    REQUIRE(str_eq(buf_str(&text), buf_str(&again)));
    return 0;
}

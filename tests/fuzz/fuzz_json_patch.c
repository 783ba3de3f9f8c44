/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a document, and behind a NUL a patch. It is refused with a presentable error, or makes a
 * document that can be read and is no larger and no deeper than promised. The patch stays as it is.
 */
#include "store/model/json_patch.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)
#define LIMIT      4096

static void write_text(const json_t *v, struct buf *out)
{
    buf_init(out, OUTPUT_MAX);
    json_text_write(v, out);
    REQUIRE(!out->full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul == NULL) {
        return 0;
    }
    struct str text = {(const char *)data, (size_t)(nul - (const char *)data)};
    json_t *doc = NULL;
    CLEANUP(json_decrefp) json_t *patch = NULL;
    if (json_text_parse(text, "json", &doc, NULL) != OK) {
        return 0;
    }
    if (json_text_parse((struct str){nul + 1, n - text.n - 1}, "json", &patch, NULL) != OK) {
        json_decref(doc);
        return 0;
    }
    CLEANUP(buf_fini) struct buf doc_text;
    CLEANUP(buf_fini) struct buf patch_text;
    CLEANUP(buf_fini) struct buf after;
    write_text(doc, &doc_text);
    write_text(patch, &patch_text);
    struct err err = {0};
    enum errc check = json_patch_check(patch, "json", &err);
    enum errc code = json_patch_apply(&doc, patch, LIMIT, "json", &err);
    write_text(patch, &after);
    REQUIRE(str_eq(buf_str(&after), buf_str(&patch_text)));
    if (code != OK) {
        fuzz_require_error(&err);
        REQUIRE(doc == NULL);
        return 0;
    }
    REQUIRE(check == OK && doc != NULL);
    CLEANUP(json_decrefp) json_t *result = doc;
    CLEANUP(buf_fini) struct buf result_text;
    write_text(result, &result_text);
    /* The budget counts numbers as short as can be. */
    REQUIRE(result_text.n <= doc_text.n + patch_text.n + (size_t)LIMIT * 24);
    CLEANUP(json_decrefp) json_t *again = NULL;
    REQUIRE(json_text_parse(buf_str(&result_text), "json", &again, NULL) == OK);
    REQUIRE(json_equal(again, result));
    return 0;
}

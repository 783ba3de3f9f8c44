/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a path, and behind a NUL a document. The canonical path parses to itself; in a text of our
 * own it finds the same as in the tree, and in any other nothing beyond its end. */
#include "store/model/json.h"
#include "store/model/json_path.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)

static void check_document(const struct json_path *p, struct str doc)
{
    struct str found = STR_EMPTY;
    if (json_path_scan(p, doc, &found)) {
        REQUIRE(found.n != 0 && found.p >= doc.p && found.p + found.n <= doc.p + doc.n);
    }
    CLEANUP(json_decrefp) json_t *tree = NULL;
    if (json_text_parse(doc, "json", &tree, NULL) != OK) {
        return;
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUTPUT_MAX);
    json_text_write(tree, &text);
    const json_t *value = json_path_get(p, tree);
    REQUIRE(json_path_scan(p, buf_str(&text), &found) == (value != NULL));
    if (value != NULL) {
        CLEANUP(buf_fini) struct buf expected;
        buf_init(&expected, OUTPUT_MAX);
        json_text_write(value, &expected);
        REQUIRE(str_eq(found, buf_str(&expected)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct str doc = STR_EMPTY;
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul != NULL) {
        text.n = (size_t)(nul - text.p);
        doc = (struct str){nul + 1, n - text.n - 1};
    }
    CLEANUP(json_path_freep) struct json_path *p = NULL;
    struct err err = {0};
    if (json_path_parse(text, "path", &p, &err) != OK) {
        fuzz_require_error(&err);
        return 0;
    }
    CLEANUP(json_path_freep) struct json_path *again = NULL;
    REQUIRE(json_path_parse(json_path_text(p), "path", &again, NULL) == OK);
    REQUIRE(str_eq(json_path_text(p), json_path_text(again)));
    check_document(p, doc);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A definition, and behind a NUL a document: the definition is refused with a presentable error or
 * compiled; filling in its defaults changes the document at most once and leaves the original
 * alone; checking ends soon, with presentable errors. */
#include "store/model/resource_definition.h"
#include "tests/fuzz/fuzz.h"

#define FILL_MAX ((size_t)1024 * 1024)

static void try_document(const struct schema *s, struct str text)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    if (json_text_parse(text, "json", &doc, NULL) != OK) {
        return;
    }
    CLEANUP(json_decrefp) json_t *before = json_deep_copy(doc);
    CLEANUP(json_decrefp) json_t *once = NULL;
    CLEANUP(json_decrefp) json_t *twice = NULL;
    struct err err = {0};
    if (schema_fill(s, doc, FILL_MAX, &once, &err) != OK) {
        fuzz_require_error(&err);
        return;
    }
    REQUIRE(json_equal(doc, before));
    REQUIRE(schema_fill(s, once, FILL_MAX, &twice, NULL) == OK);
    REQUIRE(twice == once);
    struct schema_violations found;
    schema_check(s, once, &found);
    enum errc rc = schema_require(s, once, &err);
    REQUIRE((rc == OK) == (found.n == 0));
    if (rc != OK) {
        REQUIRE(rc == ERR_INVALID && err.msg[0] != '\0');
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
    CLEANUP(json_decrefp) json_t *json = NULL;
    if (json_text_parse(text, "json", &json, NULL) != OK) {
        return 0;
    }
    CLEANUP(resource_definition_unrefp) struct resource_definition *d = NULL;
    struct err err = {0};
    if (resource_definition_new(STR("jobs"), json, &d, &err) != OK) {
        fuzz_require_error(&err);
        return 0;
    }
    (void)resource_definition_is_called(d, doc);
    if (d->schema != NULL) {
        try_document(d->schema, doc);
    }
    return 0;
}

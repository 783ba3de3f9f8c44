/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a field selector, and behind a NUL a stored body, though it may be none. The canonical
 * text is one that parses to itself and matches the same; a requirement for a name lets no other
 * pass. */
#include "store/model/field_selector.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct subject f = {
        .key = {STR("jobs"), STR("team"), STR("web")},
          .rv = 97, .generation = 2
    };
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul != NULL) {
        text.n = (size_t)(nul - text.p);
        f.body = (struct str){nul + 1, n - text.n - 1};
    }
    CLEANUP(field_selector_freep) struct field_selector *s = NULL;
    struct err err = {0};
    if (field_selector_parse(text, "selector", &s, &err) != OK) {
        fuzz_require_error(&err);
        return 0;
    }
    CLEANUP(field_selector_freep) struct field_selector *again = NULL;
    REQUIRE(field_selector_parse(field_selector_text(s), "selector", &again, NULL) == OK);
    REQUIRE(str_eq(field_selector_text(s), field_selector_text(again)));
    bool matches = field_selector_match(s, &f);
    REQUIRE(matches == field_selector_match(again, &f));
    REQUIRE(field_selector_is_empty(s) == (field_selector_text(s).n == 0));
    REQUIRE(!field_selector_is_empty(s) || matches);
    struct str name = field_selector_name(s);
    struct str ns = field_selector_namespace(s);
    REQUIRE(!matches || name.n == 0 || str_eq(name, f.key.name));
    REQUIRE(!matches || ns.n == 0 || str_eq(ns, f.key.ns));
    f.body = STR_EMPTY;
    REQUIRE(field_selector_needs_body(s) || matches == field_selector_match(s, &f));
    return 0;
}

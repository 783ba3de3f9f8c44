/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a selector, and behind a NUL labels as canonical text would be, though it may be no such.
 * The canonical text is one that parses to itself and matches the same. */
#include "store/model/selector.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct str labels = STR_EMPTY;
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul != NULL) {
        text.n = (size_t)(nul - text.p);
        labels = (struct str){nul + 1, n - text.n - 1};
    }
    CLEANUP(selector_freep) struct selector *s = NULL;
    struct err err = {0};
    if (selector_parse(text, "selector", &s, &err) != OK) {
        fuzz_require_error(&err);
        return 0;
    }
    CLEANUP(selector_freep) struct selector *again = NULL;
    REQUIRE(selector_parse(selector_text(s), "selector", &again, NULL) == OK);
    REQUIRE(str_eq(selector_text(s), selector_text(again)));
    REQUIRE(selector_match(s, labels) == selector_match(again, labels));
    REQUIRE(selector_is_empty(s) == (selector_text(s).n == 0));
    REQUIRE(!selector_is_empty(s) || selector_match(s, labels));
    return 0;
}

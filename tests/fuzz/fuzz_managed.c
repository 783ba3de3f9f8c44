/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is refused with a presentable error, or read as managers; what was read is written so
 * that it reads back and is then written the same. Behind a NUL: a configuration that one of the
 * managers applies to nothing, and then another to that. */
#include "store/model/ownership.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BYTES ((size_t)4 * 1024 * 1024)

static void read_again(struct managed *m)
{
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf again;
    buf_init(&text, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    managed_write(m, &text);
    managed_fini(m);
    REQUIRE(managed_read(buf_str(&text), m, NULL) == OK);
    managed_write(m, &again);
    REQUIRE(str_eq(buf_str(&text), buf_str(&again)));
}

static void apply(const json_t *doc, const json_t *config, const char *name, struct managed *m)
{
    struct applying a = {doc, config, NULL, str_of(name), false, doc != NULL, 0, MAX_BYTES};
    CLEANUP(json_decrefp) json_t *next = NULL;
    struct conflicts *conflicts = NULL;
    struct err err = {0};
    enum errc code = ownership_apply(&a, m, &next, &conflicts, &err);
    REQUIRE(conflicts == NULL);
    if (code != OK) {
        fuzz_require_error(&err);
        return;
    }
    read_again(m);
    if (doc == NULL) {
        /* Applied again, by the same and by another, it is what it is. */
        apply(next, config, name, m);
        apply(next, config, "other", m);
        return;
    }
    REQUIRE(json_equal(doc, next));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    struct str second = STR_EMPTY;
    if (nul != NULL) {
        text.n = (size_t)(nul - text.p);
        second = (struct str){nul + 1, n - text.n - 1};
    }
    CLEANUP(managed_fini) struct managed m = {0};
    struct err err = {0};
    if (managed_read(text, &m, &err) != OK) {
        fuzz_require_error(&err);
    } else {
        (void)managed_settle(&m, MAX_BYTES);
        read_again(&m);
    }
    CLEANUP(json_decrefp) json_t *config = NULL;
    if (json_text_parse(second, "json", &config, NULL) == OK && json_is_object(config)) {
        apply(NULL, config, "one", &m);
    }
    return 0;
}

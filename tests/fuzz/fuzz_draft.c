/* SPDX-License-Identifier: Apache-2.0 */
/* Any document is refused with a presentable error, or becomes an object whose text, version
 * included, can be read and put back without a change. A second document behind a NUL is put over
 * the first. */
#include "store/model/draft.h"
#include "tests/fuzz/fuzz.h"

#define UID        "01234567-89ab-4cde-8f01-23456789abcd"
#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)

static const struct key key = {
    {"jobs",    4},
    {"default", 7},
    {"web",     3}
};

static struct draft *draft_of(struct str text)
{
    CLEANUP(json_decrefp) json_t *doc = NULL;
    struct draft *d = NULL;
    struct precondition pre;
    struct err err = {0};
    if (json_text_parse(text, "json", &doc, &err) != OK ||
        draft_new(&key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &d, &pre,
                  &err) != OK) {
        fuzz_require_error(&err);
        return NULL;
    }
    enum document_form form;
    REQUIRE(document_form_of(doc, &form, NULL) == OK);
    return d;
}

/* What clients see of `o` is an object with its identity, and putting it back is no change. */
static void check_round_trip(const struct object *o)
{
    CLEANUP(buf_fini) struct buf shown;
    buf_init(&shown, OUTPUT_MAX);
    object_render(o->body, o->splice, 97, o->generation, &shown);
    REQUIRE(!shown.full && shown.n <= OBJECT_MAX_BYTES);
    CLEANUP(json_decrefp) json_t *tree = NULL;
    REQUIRE(json_text_parse(buf_str(&shown), "json", &tree, NULL) == OK);
    const json_t *metadata = json_object_get(tree, "metadata");
    REQUIRE(strcmp(json_string_value(json_object_get(metadata, "name")), "web") == 0);
    REQUIRE(strcmp(json_string_value(json_object_get(metadata, "uid")), UID) == 0);
    REQUIRE(strcmp(json_string_value(json_object_get(metadata, "resourceVersion")), "97") == 0);
    struct draft *d = NULL;
    struct precondition pre;
    REQUIRE(draft_new(&key, tree, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &d, &pre,
                      NULL) == OK);
    REQUIRE(pre.rv == 97 && strcmp(pre.uid, UID) == 0);
    struct object *none = NULL;
    draft_finish(d, o, "", 0, &none);
    REQUIRE(none == NULL);
    draft_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = {(const char *)data, n};
    struct str second = STR_EMPTY;
    const char *nul = n != 0 ? memchr(data, '\0', n) : NULL;
    if (nul != NULL) {
        text.n = (size_t)(nul - text.p);
        second = (struct str){nul + 1, n - text.n - 1};
    }
    CLEANUP(draft_freep) struct draft *d = draft_of(text);
    if (d == NULL) {
        return 0;
    }
    CLEANUP(object_unrefp) struct object *o = NULL;
    draft_finish(d, NULL, UID, 1767366245123, &o);
    REQUIRE(o->body.n <= draft_size(d) && o->generation == 1);
    REQUIRE(str_eq(object_uid(o), STR(UID)) && object_created(o).n == CLOCK_RFC3339_LEN);
    check_round_trip(o);

    CLEANUP(draft_freep) struct draft *d2 = nul != NULL ? draft_of(second) : NULL;
    if (d2 != NULL) {
        CLEANUP(object_unrefp) struct object *next = NULL;
        draft_finish(d2, o, "", 0, &next);
        if (next != NULL) {
            REQUIRE(next->generation - 1 <= 1 && str_eq(object_uid(next), STR(UID)));
            check_round_trip(next);
        }
    }
    return 0;
}

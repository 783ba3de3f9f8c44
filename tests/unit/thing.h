/* SPDX-License-Identifier: Apache-2.0 */
/* One object to which managers apply and write, for the tests of server-side apply. */
#ifndef WATCHD_TESTS_UNIT_THING_H
#define WATCHD_TESTS_UNIT_THING_H

#include "store/model/ownership.h"
#include "tests/unit/json_random.h"

#define THING_MAX_BYTES (1024 * 1024)

/* One object. */
struct thing {
    json_t *doc;
    struct managed managed;
    const struct schema *schema;
    wall_ms_t now;
    struct conflicts *conflicts; /* of the last apply that was refused */
};

static inline void thing_fini(struct thing *t)
{
    json_decref(t->doc);
    managed_fini(&t->managed);
    conflicts_free(t->conflicts);
}

static inline char *managed_text(const struct managed *m)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    managed_write(m, &text);
    return str_dup(buf_str(&text));
}

static inline enum errc try_apply(struct thing *t, const char *manager, const char *config,
                                  bool force)
{
    CLEANUP(json_decrefp) json_t *tree = json_of(config);
    CLEANUP(freep) char *before = managed_text(&t->managed);
    struct applying a = {t->doc, tree,  t->schema,      str_of(manager),
                         false,  force, t->now += 1000, THING_MAX_BYTES};
    struct managed m = {0};
    json_t *doc = NULL;
    struct err err = {0};
    assert_ok(managed_read(str_of(before), &m, &err), &err);
    conflicts_free(TAKE(t->conflicts));
    enum errc code = ownership_apply(&a, &m, &doc, &t->conflicts, &err);
    assert_int_equal(code, err.code);
    assert_int_equal(code == OK, doc != NULL);
    assert_int_equal(code == ERR_CONFLICT, t->conflicts != NULL);
    if (code != OK) {
        assert_true(err.field[0] != '\0' && err.msg[0] != '\0');
        managed_fini(&m);
        return code;
    }
    managed_fini(&t->managed);
    t->managed = m;
    json_decref(t->doc);
    t->doc = doc;
    return OK;
}

static inline void apply(struct thing *t, const char *manager, const char *config)
{
    assert_int_equal(try_apply(t, manager, config, false), OK);
}

static inline void update(struct thing *t, const char *manager, const char *doc)
{
    json_t *is = json_of(doc);
    ownership_update(t->doc, is, t->schema, str_of(manager), false, t->now += 1000, THING_MAX_BYTES,
                     &t->managed);
    json_decref(t->doc);
    t->doc = is;
}

static inline void check_doc(const struct thing *t, const char *expected)
{
    CLEANUP(freep) char *text = text_of(t->doc);
    assert_string_equal(text, expected);
}

static inline void check_set(const struct thing *t, const char *manager, bool applies,
                             const char *expected)
{
    const struct manager *m = managed_find(&t->managed, str_of(manager), applies, false);
    if (expected == NULL) {
        assert_null(m);
        return;
    }
    assert_non_null(m);
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    fields_write(m->set, &text);
    assert_str(buf_str(&text), expected);
}

/* "field manager, field manager" */
static inline void check_conflicts(const struct thing *t, const char *expected)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    assert_non_null(t->conflicts);
    for (size_t i = 0; i < t->conflicts->n; i++) {
        const struct conflict *c = &t->conflicts->v[i];
        buf_printf(&text, "%s%s %s%s", i == 0 ? "" : ", ", c->field, c->manager,
                   c->applies ? "" : "/update");
    }
    assert_str(buf_str(&text), expected);
}

#endif

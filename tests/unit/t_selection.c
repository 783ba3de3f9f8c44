/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/selection.h"
#include "tests/unit/check.h"

static struct selections *selections_of(const struct selection *v, size_t n)
{
    struct selections *s = NULL;
    struct err err = {0};
    check_ok(selections_new(v, n, false, &s, &err), &err, __FILE__, __LINE__);
    return s;
}

static struct key key_of(const char *resource, const char *ns, const char *name)
{
    return (struct key){str_of(resource), str_of(ns), str_of(name)};
}

static bool selects(const struct selections *s, const struct key *k, struct str labels)
{
    const struct subject f = {.key = *k};
    return selections_match(s, &f, labels);
}

static void what_is_not_said_is_the_default(void **state)
{
    (void)state;
    static const struct selection empty = {0};
    for (size_t n = 0; n < 2; n++) {
        struct selections *s = selections_of(&empty, n);
        assert_int_equal(selections_count(s), 1);
        assert_str(selections_at(s, 0)->resource, "objects");
        assert_str(selections_at(s, 0)->ns, "default");
        assert_str(selections_at(s, 0)->name, "");
        struct selection shown;
        selections_show(s, 0, &shown);
        assert_str(shown.resource, "objects");
        assert_str(shown.ns, "default");
        assert_false(shown.all_namespaces);
        assert_str(shown.label_selector, "");
        struct key k = key_of("objects", "default", "a");
        assert_true(selects(s, &k, STR("x=y")));
        k = key_of("objects", "other", "a");
        assert_false(selects(s, &k, STR_EMPTY));
        k = key_of("jobs", "default", "a");
        assert_false(selects(s, &k, STR_EMPTY));
        selections_free(s);
    }
}

static void a_selection_is_shown_in_canonical_words(void **state)
{
    (void)state;
    const struct selection v[] = {
        {.resource = STR("all"),  .all_namespaces = true, .label_selector = STR("b==2 , a")},
        {.resource = STR("jobs"), .ns = STR("team"),      .name = STR("web")               },
    };
    struct selections *s = selections_of(v, 2);
    struct selection shown;
    selections_show(s, 0, &shown);
    assert_str(shown.resource, "all");
    assert_str(shown.ns, "");
    assert_true(shown.all_namespaces);
    assert_str(shown.label_selector, "a,b=2");
    selections_show(s, 1, &shown);
    assert_str(shown.resource, "jobs");
    assert_str(shown.ns, "team");
    assert_str(shown.name, "web");

    /* What is shown can be asked for again. */
    struct selection again[2];
    selections_show(s, 0, &again[0]);
    selections_show(s, 1, &again[1]);
    struct selections *same = selections_of(again, 2);
    assert_true(selections_hash(same) == selections_hash(s));
    selections_free(same);
    selections_free(s);
}

static void mistakes_are_named_by_place(void **state)
{
    (void)state;
    static const struct {
        struct selection selection;
        const char *member;
    } cases[] = {
        {{.resource = {"Jobs", 4}},                "resource"      },
        {{.ns = {"A", 1}},                         "namespace"     },
        {{.ns = {"a", 1}, .all_namespaces = true}, "namespace"     },
        {{.name = {"a/b", 3}},                     "name"          },
        {{.label_selector = {"a=b=c", 5}},         "label_selector"},
        {{.field_selector = {"a", 1}},             "field_selector"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct selection v[3] = {0};
        v[2] = cases[i].selection;
        struct selections *s = NULL;
        struct err err;
        char field[64];
        assert_int_equal(selections_new(v, 3, false, &s, &err), ERR_INVALID);
        snprintf(field, sizeof(field), "selections[2].%s", cases[i].member);
        assert_string_equal(err.field, field);
        assert_int_equal(selections_new(&v[2], 1, true, &s, &err), ERR_INVALID);
        snprintf(field, sizeof(field), "selection.%s", cases[i].member);
        assert_string_equal(err.field, field);
    }
}

static void a_field_selector_narrows_and_is_shown_as_it_was_asked(void **state)
{
    (void)state;
    static const struct {
        struct selection asked;
        const char *ns;
        const char *name;
        bool by_fields;
        const char *shown;
    } cases[] = {
        {{.field_selector = {"a=1", 3}},                                                            "default", "",    true, "a=1"                                 },
        {{.field_selector = {" metadata.name == web", 21}},
         "default",                                                                                            "web",
         false,                                                                                                             "metadata.name=web"                   },
        {{.all_namespaces = true, .field_selector = {"metadata.namespace=b,.metadata.name=c", 37}},
         "b",                                                                                                  "c",
         false,                                                                                                             "metadata.name=c,metadata.namespace=b"},
        {{.ns = {"b", 1}, .name = {"c", 1}, .field_selector = {"metadata.name=c", 15}},
         "b",                                                                                                  "c",
         false,                                                                                                             "metadata.name=c"                     },
 /* Contradictions select nothing. */
        {{.name = {"c", 1}, .field_selector = {"metadata.name=d", 15}},
         "default",                                                                                            "c",
         true,                                                                                                              "metadata.name=d"                     },
        {{.ns = {"b", 1}, .field_selector = {"metadata.namespace=c", 20}},
         "b",                                                                                                  "",
         true,                                                                                                              "metadata.namespace=c"                },
        {{.field_selector = {"metadata.name=a,metadata.name=b", 31}},
         "default",                                                                                            "a",
         true,                                                                                                              "metadata.name=a,metadata.name=b"     },
 /* What is no name is none of the index's. */
        {{.field_selector = {"metadata.name=A/B", 17}},                                             "default", "",    true, "metadata.name=A/B"                   },
        {{.all_namespaces = true, .field_selector = {"metadata.namespace=a.b", 22}},
         "",                                                                                                   "",
         true,                                                                                                              "metadata.namespace=a.b"              },
        {{.field_selector = {"metadata.name!=a", 16}},                                              "default", "",    true, "metadata.name!=a"                    },
        {{.field_selector = {"metadata.name in (a,b)", 22}},
         "default",                                                                                            "",
         true,                                                                                                              "metadata.name in (a,b)"              },
        {{.field_selector = {"metadata.name=a,x!=1", 20}},
         "default",                                                                                            "a",
         true,                                                                                                              "metadata.name=a,x!=1"                },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct selections *s = selections_of(&cases[i].asked, 1);
        const struct scope *c = selections_at(s, 0);
        assert_str(c->ns, cases[i].ns);
        assert_str(c->name, cases[i].name);
        assert_case(c->by_fields == cases[i].by_fields, cases[i].shown);
        struct selection shown;
        selections_show(s, 0, &shown);
        assert_str(shown.field_selector, cases[i].shown);
        assert_true(str_eq(shown.name, cases[i].asked.name));
        assert_case(shown.all_namespaces == cases[i].asked.all_namespaces, cases[i].shown);
        struct selections *again = selections_of(&shown, 1);
        assert_true(selections_hash(s) == selections_hash(again));
        selections_free(again);
        selections_free(s);
    }
}

static void every_part_of_a_selection_must_fit(void **state)
{
    (void)state;
    const struct selection v[] = {
        {.resource = STR("jobs"), .label_selector = STR("app=a"), .field_selector = STR("s.p=run") },
        {.resource = STR("jobs"), .name = STR("web"),             .field_selector = STR("s.p!=run")},
    };
    struct selections *s = selections_of(v, 2);
    static const struct {
        const char *name;
        const char *labels;
        const char *body;
        bool matches;
    } cases[] = {
        {"db",  "app=a", "{\"s\":{\"p\":\"run\"}}",  true },
        {"db",  "app=a", "{\"s\":{\"p\":\"done\"}}", false},
        {"db",  "app=b", "{\"s\":{\"p\":\"run\"}}",  false},
        {"web", "",      "{\"s\":{\"p\":\"run\"}}",  false},
        {"web", "",      "{\"s\":{\"p\":\"done\"}}", true },
        {"web", "app=a", "{\"s\":{\"p\":\"run\"}}",  true },
        {"web", "app=a", "{}",                       true },
        {"db",  "app=a", "{}",                       false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct subject f = {.key = key_of("jobs", "default", cases[i].name),
                                  .body = str_of(cases[i].body)};
        assert_case(selections_match(s, &f, str_of(cases[i].labels)) == cases[i].matches,
                    cases[i].body);
    }
    selections_free(s);
}

static void a_watch_has_sixty_four_selections_at_most(void **state)
{
    (void)state;
    struct selection v[SELECTIONS_MAX + 1] = {0};
    struct selections *s = selections_of(v, SELECTIONS_MAX);
    selections_free(s);
    struct err err;
    assert_int_equal(selections_new(v, SELECTIONS_MAX + 1, false, &s, &err), ERR_LIMIT);
    selections_free(NULL);
}

static void the_hash_is_of_the_set(void **state)
{
    (void)state;
    const struct selection a = {.resource = STR("jobs")};
    const struct selection b = {.all_namespaces = true};
    const struct selection c = {.resource = STR("jobs"), .label_selector = STR("x")};
    const struct selection d = {.ns = STR("jobs")};
    const struct selection e = {.name = STR("jobs")};
    const struct selection f = {.resource = STR("jobs"), .field_selector = STR("x=1")};
    const struct selection lists[][3] = {
        {a, b, a},
        {b, a, b},
        {a, c, a},
        {a, a, a},
        {b, b, b},
        {d, d, d},
        {e, e, e},
        {c, c, c},
        {f, f, f},
    };
    uint64_t hashes[COUNT(lists)];
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct selections *s = selections_of(lists[i], 3);
        hashes[i] = selections_hash(s);
        selections_free(s);
    }
    assert_true(hashes[0] == hashes[1]);
    for (size_t i = 1; i < COUNT(lists); i++) {
        for (size_t j = 1; j < i; j++) {
            assert_true(hashes[i] != hashes[j]);
        }
    }
}

static void a_union_matches_what_any_part_does(void **state)
{
    (void)state;
    const struct selection v[] = {
        {.resource = STR("jobs"), .all_namespaces = true, .label_selector = STR("app=web")},
        {.resource = STR("all"),  .ns = STR("team"),      .name = STR("x")                },
    };
    struct selections *s = selections_of(v, 2);
    static const struct {
        const char *resource, *ns, *name, *labels;
        bool matches;
    } cases[] = {
        {"jobs",  "any",   "a", "app=web", true },
        {"jobs",  "any",   "a", "app=db",  false},
        {"jobs",  "team",  "x", "app=db",  true },
        {"flags", "team",  "x", "",        true },
        {"flags", "team",  "y", "app=web", false},
        {"flags", "other", "x", "",        false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct key k = key_of(cases[i].resource, cases[i].ns, cases[i].name);
        assert_int_equal(selects(s, &k, str_of(cases[i].labels)), cases[i].matches);
    }
    selections_free(s);
}

static const char *const resources[] = {"a", "ab", "b", "c"};
static const char *const namespaces[] = {"a", "a0", "b", "c"};
static const char *const names[] = {"a", "a.b", "b", "c:d"};
#define N_KEYS (4 * 4 * 4)

static bool any_covers(const struct selections *s, const struct key *k)
{
    for (size_t i = 0; i < selections_count(s); i++) {
        if (scope_covers(selections_at(s, i), k)) {
            return true;
        }
    }
    return false;
}

static struct selection random_selection(struct dice *d)
{
    struct selection v = {.resource = STR("all"), .all_namespaces = true};
    if (dice_below(d, 2) != 0) {
        v.resource = str_of(resources[dice_below(d, 4)]);
    }
    if (dice_below(d, 2) != 0) {
        v.all_namespaces = false;
        v.ns = str_of(namespaces[dice_below(d, 4)]);
    }
    if (dice_below(d, 2) != 0) {
        v.name = str_of(names[dice_below(d, 4)]);
    }
    return v;
}

static void check_seek(const struct selections *s, const struct key *keys, size_t n,
                       const struct key *from)
{
    struct key to;
    bool found = selections_seek(s, from, &to);
    bool possible = any_covers(s, from);
    assert_true(!possible || (found && key_eq(&to, from)));
    assert_true(possible || !found || key_cmp(&to, from) > 0);
    for (size_t i = 0; i < n; i++) {
        bool skipped = key_cmp(&keys[i], from) >= 0 && (!found || key_cmp(&keys[i], &to) < 0);
        assert_false(skipped && any_covers(s, &keys[i]));
    }
}

/* The walk that a list makes through its index; returns how many keys it looked at. */
static size_t walk(const struct selections *s, const struct key *keys, size_t n, bool *seen)
{
    size_t looked = 0;
    size_t i = 0;
    while (i < n) {
        looked++;
        struct key to;
        if (!selections_seek(s, &keys[i], &to)) {
            break;
        }
        if (key_eq(&to, &keys[i])) {
            seen[i++] = true;
            continue;
        }
        while (i < n && key_cmp(&keys[i], &to) < 0) {
            i++;
        }
    }
    return looked;
}

static void seeking_skips_only_what_cannot_match_and_always_gets_ahead(void **state)
{
    (void)state;
    struct key keys[N_KEYS];
    size_t n = 0;
    for (size_t r = 0; r < 4; r++) {
        for (size_t ns = 0; ns < 4; ns++) {
            for (size_t name = 0; name < 4; name++) {
                keys[n++] = key_of(resources[r], namespaces[ns], names[name]);
            }
        }
    }
    for (size_t i = 1; i < n; i++) {
        assert_true(key_cmp(&keys[i - 1], &keys[i]) < 0);
    }
    struct dice d = {13};
    for (int round = 0; round < 3000; round++) {
        struct selection v[3];
        size_t count = 1 + dice_below(&d, 3);
        for (size_t i = 0; i < count; i++) {
            v[i] = random_selection(&d);
        }
        struct selections *s = selections_of(v, count);
        check_seek(s, keys, n, &keys[dice_below(&d, n)]);
        struct key before = key_of("", "", "");
        check_seek(s, keys, n, &before);
        struct key between = key_of("b", "a", "a5");
        check_seek(s, keys, n, &between);
        bool seen[N_KEYS] = {false};
        walk(s, keys, n, seen);
        for (size_t i = 0; i < n; i++) {
            assert_true(seen[i] == any_covers(s, &keys[i]));
        }
        selections_free(s);
    }
}

static void seeking_lands_at_the_first_key_that_can_match(void **state)
{
    (void)state;
    static const struct {
        struct selection selection;
        const char *from[3];
        const char *to[3]; /* NULL: nothing */
    } cases[] = {
        {{.resource = {"jobs", 4}, .ns = {"a", 1}},                           {"", "", ""},       {"jobs", "a", ""}   },
        {{.resource = {"jobs", 4}, .ns = {"a", 1}},                           {"jobs", "a", "x"}, {"jobs", "a", "x"}  },
        {{.resource = {"jobs", 4}, .ns = {"a", 1}},                           {"jobs", "b", "x"}, {NULL, NULL, NULL}  },
        {{.resource = {"jobs", 4}, .ns = {"a", 1}},                           {"nodes", "", ""},  {NULL, NULL, NULL}  },
        {{.resource = {"jobs", 4}, .ns = {"a", 1}, .name = {"n", 1}},
         {"jobs", "a", "m"},
         {"jobs", "a", "n"}                                                                                           },
        {{.resource = {"jobs", 4}, .all_namespaces = true, .name = {"n", 1}},
         {"jobs", "b", "m"},
         {"jobs", "b", "n"}                                                                                           },
        {{.resource = {"jobs", 4}, .all_namespaces = true, .name = {"n", 1}},
         {"jobs", "b", "o"},
         {"jobs", "b", "\xff"}                                                                                        },
        {{.resource = {"all", 3}, .ns = {"b", 1}},                            {"jobs", "a", "x"}, {"jobs", "b", ""}   },
        {{.resource = {"all", 3}, .ns = {"b", 1}},                            {"jobs", "c", "x"}, {"jobs", "\xff", ""}},
        {{.resource = {"all", 3}, .all_namespaces = true},                    {"z", "z", "z"},    {"z", "z", "z"}     },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct selections *s = selections_of(&cases[i].selection, 1);
        struct key from = key_of(cases[i].from[0], cases[i].from[1], cases[i].from[2]);
        struct key to;
        bool found = selections_seek(s, &from, &to);
        assert_int_equal(found, cases[i].to[0] != NULL);
        if (found) {
            assert_str(to.resource, cases[i].to[0]);
            assert_str(to.ns, cases[i].to[1]);
            assert_str(to.name, cases[i].to[2]);
        }
        selections_free(s);
    }
}

static void a_list_of_one_namespace_does_not_look_at_the_others(void **state)
{
    (void)state;
    enum { N = 26 * 400 };
    static char text[26][2];
    static char name[400][8];
    struct key *keys = mem_alloc(N * sizeof(*keys));
    for (size_t ns = 0; ns < 26; ns++) {
        text[ns][0] = (char)('a' + ns);
        for (size_t i = 0; i < 400; i++) {
            snprintf(name[i], sizeof(name[i]), "n%03zu", i);
            keys[ns * 400 + i] = key_of("jobs", text[ns], name[i]);
        }
    }
    const struct selection v[] = {
        {.resource = STR("jobs"), .ns = STR("k"),      .name = STR("n200")},
        {.resource = STR("jobs"), .ns = STR("t")     },
        {.resource = STR("jobs"), .all_namespaces = true, .name = STR("n123")                   },
    };
    static const size_t covered[] = {1, 400, 26};
    for (size_t i = 0; i < COUNT(v); i++) {
        struct selections *s = selections_of(&v[i], 1);
        bool *seen = mem_zalloc(N);
        size_t looked = walk(s, keys, N, seen);
        size_t n = 0;
        for (size_t j = 0; j < N; j++) {
            n += seen[j];
        }
        assert_int_equal(n, covered[i]);
        assert_true(looked <= covered[i] * 3 + 2);
        free(seen);
        selections_free(s);
    }
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_is_the_default),
        cmocka_unit_test(a_selection_is_shown_in_canonical_words),
        cmocka_unit_test(mistakes_are_named_by_place),
        cmocka_unit_test(a_field_selector_narrows_and_is_shown_as_it_was_asked),
        cmocka_unit_test(every_part_of_a_selection_must_fit),
        cmocka_unit_test(a_watch_has_sixty_four_selections_at_most),
        cmocka_unit_test(the_hash_is_of_the_set),
        cmocka_unit_test(a_union_matches_what_any_part_does),
        cmocka_unit_test(seeking_skips_only_what_cannot_match_and_always_gets_ahead),
        cmocka_unit_test(seeking_lands_at_the_first_key_that_can_match),
        cmocka_unit_test(a_list_of_one_namespace_does_not_look_at_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

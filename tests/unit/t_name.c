/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/name.h"
#include "tests/unit/check.h"

#define A10  "aaaaaaaaaa"
#define A60  A10 A10 A10 A10 A10 A10
#define A63  A60 "aaa"
#define A250 A60 A60 A60 A60 A10

enum rule { RESOURCE, NAMESPACE, NAME, QUALIFIED, LABEL_VALUE, CLIENT_ID };
typedef enum errc check_fn(struct str s, const char *field, struct err *err);
static check_fn *const checks[] = {
    [RESOURCE] = name_check_resource,
    [NAMESPACE] = name_check_namespace,
    [NAME] = name_check_name,
    [QUALIFIED] = name_check_qualified,
    [LABEL_VALUE] = name_check_label_value,
    [CLIENT_ID] = name_check_client_id,
};

static void check_cases(enum rule rule, bool accepted, const char *const *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        enum errc code = checks[rule](str_of(cases[i]), "the.field", &err);
        assert_case(code == (accepted ? OK : ERR_INVALID), cases[i]);
        assert_case(accepted || strcmp(err.field, "the.field") == 0, cases[i]);
        assert_case(accepted || (err.msg[0] != '\0' && strchr(err.msg, '\n') == NULL), cases[i]);
    }
}

#define ACCEPT(rule, ...)                                       \
    check_cases(rule, true, (const char *const[]){__VA_ARGS__}, \
                COUNT(((const char *const[]){__VA_ARGS__})))
#define REFUSE(rule, ...)                                        \
    check_cases(rule, false, (const char *const[]){__VA_ARGS__}, \
                COUNT(((const char *const[]){__VA_ARGS__})))

static void resources_are_plural_nouns(void **state)
{
    (void)state;
    ACCEPT(RESOURCE, "objects", "jobs", "a", "cron-jobs", "k8s", A63);
    REFUSE(RESOURCE, "", "all", "Jobs", "8ball", "-a", "a-", "a.b", "a_b", "a b", "jöbs", A63 "a",
           "a/b", "a\n");
}

static void namespaces_are_dns_labels(void **state)
{
    (void)state;
    ACCEPT(NAMESPACE, "default", "all", "0", "team-a", A63);
    REFUSE(NAMESPACE, "", "-", "a-", "-a", "A", "a.b", "a:b", "a_b", A63 "a", "*");
}

static void names_are_dns_subdomains_that_may_hold_colons(void **state)
{
    (void)state;
    ACCEPT(NAME, "a", "web-1", "a.b.c", "example.com", "0", "system:node", "a::b", "a.b:c-d",
           A250 "aaa", A250 ".a1");
    REFUSE(NAME, "", ".", "..", "a..b", ".a", "a.", "-a", "a-", "a-.b", "a.-b", ":a", "a:", "a:.b",
           "A", "a_b", "a/b", "a%b", "a b", "a\tb", "ä", A250 "aaaa", "a\x01");
}

static void qualified_names_may_have_a_dns_prefix(void **state)
{
    (void)state;
    ACCEPT(QUALIFIED, "a", "app", "App_1.x-y", "example.com/name", "e-x.com/A.b_c", "0", A63,
           A250 "aaa/" A63);
    REFUSE(QUALIFIED, "", "/", "a/", "/a", "a/b/c", "Example.com/a", "exa_mple/a", "a b", "-a",
           "a-", "_a", ".a", "a=b", "a,b", A63 "a", A250 "aaaa/a", "a:b/c", "é");
}

static void label_values_may_be_empty(void **state)
{
    (void)state;
    ACCEPT(LABEL_VALUE, "", "a", "A", "1.2_3-x", A63);
    REFUSE(LABEL_VALUE, A63 "a", "-", "a-", ".a", "a/b", "a b", "a,b", "a=b", "ü");
}

static void client_ids_are_printable(void **state)
{
    (void)state;
    ACCEPT(CLIENT_ID, "a", "web-1/tab:2", "!~", A250 "aaa");
    REFUSE(CLIENT_ID, "", "a b", "a\t", "\x7f", "é", A250 "aaaa");
}

static void a_nul_is_no_character_of_any_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        assert_int_equal(checks[i]((struct str){"a\0b", 3}, "f", NULL), ERR_INVALID);
    }
}

static void long_names_are_quoted_in_part(void **state)
{
    (void)state;
    CLEANUP(freep) char *huge = mem_alloc(1000001);
    memset(huge, '!', 1000000);
    huge[1000000] = '\0';
    struct err err;
    assert_int_equal(name_check_qualified(str_of(huge), "f", &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "!!!…\" must be"));
}

static void keys_are_checked_part_by_part(void **state)
{
    (void)state;
    struct err err;
    struct key k = {STR("jobs"), STR("default"), STR("a")};
    assert_ok(name_check_key(&k, &err), &err);
    k.name = STR("A");
    assert_int_equal(name_check_key(&k, &err), ERR_INVALID);
    assert_string_equal(err.field, "key.name");
    k.ns = STR("");
    assert_int_equal(name_check_key(&k, &err), ERR_INVALID);
    assert_string_equal(err.field, "key.namespace");
    k.resource = STR("all");
    assert_int_equal(name_check_key(&k, &err), ERR_INVALID);
    assert_string_equal(err.field, "key.resource");
}

static void keys_are_ordered_by_resource_namespace_name(void **state)
{
    (void)state;
    static const struct key sorted[] = {
        {{"a", 1},  {"a", 1},   {"a", 1}  },
        {{"a", 1},  {"a", 1},   {"a.a", 3}},
        {{"a", 1},  {"a", 1},   {"aa", 2} },
        {{"a", 1},  {"a", 1},   {"b", 1}  },
        {{"a", 1},  {"a-b", 3}, {"a", 1}  },
        {{"a", 1},  {"b", 1},   {"a", 1}  },
        {{"aa", 2}, {"a", 1},   {"a", 1}  },
        {{"b", 1},  {"a", 1},   {"a", 1}  },
    };
    for (size_t i = 0; i < COUNT(sorted); i++) {
        for (size_t j = 0; j < COUNT(sorted); j++) {
            int c = key_cmp(&sorted[i], &sorted[j]);
            assert_true(i < j ? c < 0 : i > j ? c > 0 : c == 0);
            assert_true(key_eq(&sorted[i], &sorted[j]) == (i == j));
        }
    }
}

static void the_kind_is_the_singular_capitalised(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        const char *kind;
    } cases[] = {
        {"objects",   "Object"    },
        {"jobs",      "Job"       },
        {"flags",     "Flag"      },
        {"policies",  "Policy"    },
        {"classes",   "Class"     },
        {"boxes",     "Box"       },
        {"statuses",  "Status"    },
        {"branches",  "Branch"    },
        {"caches",    "Cache"     },
        {"leases",    "Lease"     },
        {"nodes",     "Node"      },
        {"services",  "Service"   },
        {"endpoints", "Endpoint"  },
        {"ties",      "Tie"       },
        {"cron-jobs", "CronJob"   },
        {"data",      "Data"      },
        {"status",    "Status"    },
        {"s",         "S"         },
        {"a1-2b",     "A12b"      },
        {"bushes",    "Bush"      },
        {"addresses", "Address"   },
        {"gas",       "Ga"        },
        {"glass",     "Glass"     },
        {A63,         "A" A60 "aa"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char kind[RESOURCE_MAX_LEN + 1];
        name_kind_of_resource(str_of(cases[i].resource), kind);
        assert_string_equal(kind, cases[i].kind);
    }
}

static void a_generated_name_is_the_beginning_cut_to_fit_and_a_suffix(void **state)
{
    (void)state;
    char long_base[300];
    char ret[NAME_GENERATED_MAX];
    memset(long_base, 'a', sizeof(long_base));
    assert_str(name_generate(STR("job-"), "bcdfg", ret), "job-bcdfg");
    assert_str(name_generate(STR_EMPTY, "bcdfg", ret), "bcdfg");
    struct str name = name_generate((struct str){long_base, sizeof(long_base)}, "bcdfg", ret);
    assert_int_equal(name.n, 63);
    assert_memory_equal(name.p, long_base, 58);
    assert_memory_equal(name.p + 58, "bcdfg", 5);
    assert_int_equal(name_generate((struct str){long_base, 58}, "bcdfg", ret).n, 63);
}

static void a_copied_key_borrows_from_its_own_room(void **state)
{
    (void)state;
    const struct key keys[] = {
        {STR("jobs"), STR("ci"), STR("build")},
        {STR("jobs"), STR_EMPTY, STR_EMPTY   },
        {STR_EMPTY,   STR_EMPTY, STR_EMPTY   },
    };
    for (size_t i = 0; i < COUNT(keys); i++) {
        char room[KEY_MAX_LEN];
        size_t n = key_len(&keys[i]);
        memset(room, '#', sizeof(room));
        const struct key copy = key_copy_to(&keys[i], room);
        assert_true(key_eq(&copy, &keys[i]));
        assert_ptr_equal(copy.resource.p, room);
        assert_ptr_equal(copy.name.p + copy.name.n, room + n);
        assert_int_equal(room[n], '#');
        const struct key again = key_at(&keys[i], room);
        assert_true(key_eq(&again, &keys[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resources_are_plural_nouns),
        cmocka_unit_test(namespaces_are_dns_labels),
        cmocka_unit_test(names_are_dns_subdomains_that_may_hold_colons),
        cmocka_unit_test(qualified_names_may_have_a_dns_prefix),
        cmocka_unit_test(label_values_may_be_empty),
        cmocka_unit_test(client_ids_are_printable),
        cmocka_unit_test(a_nul_is_no_character_of_any_name),
        cmocka_unit_test(long_names_are_quoted_in_part),
        cmocka_unit_test(keys_are_checked_part_by_part),
        cmocka_unit_test(keys_are_ordered_by_resource_namespace_name),
        cmocka_unit_test(a_copied_key_borrows_from_its_own_room),
        cmocka_unit_test(the_kind_is_the_singular_capitalised),
        cmocka_unit_test(a_generated_name_is_the_beginning_cut_to_fit_and_a_suffix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

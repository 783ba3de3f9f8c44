/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/field_selector.h"
#include "store/model/json_path.h"
#include "tests/unit/json_random.h"

static struct field_selector *selector_of(const char *text)
{
    struct field_selector *s = NULL;
    struct err err = {0};
    check_ok(field_selector_parse(str_of(text), "selector", &s, &err), &err, __FILE__, __LINE__);
    return s;
}

static void each_form_has_one_canonical_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {
         "",                  "",
         },
        {
         "  ",                   "",
         },
        {
         ",, ,",                "",
         },
        {
         "a=b",                   "a=b",
         },
        {
         "a==b",              "a=b",
         },
        {
         " .a = b ",                   "a=b",
         },
        {
         "a=b,,",               "a=b",
         },
        {
         "a!=b",                   "a!=b",
         },
        {
         "a != b",              "a!=b",
         },
        {
         "a=",                   "a=",
         },
        {
         "a!=",          "a!=",
         },
        {
         "a=,b=",                   "a=,b=",
         },
        {
         "a in (b)",             "a=b",
         },
        {
         "a notin(b)",                   "a!=b",
         },
        {
         "a in (c,b , c)",              "a in (b,c)",
         },
        {
         "a  notin  ( c,b )",                   "a notin (b,c)",
         },
        {
         "a in (,b)",            "a in (,b)",
         },
        {
         "a in (b,)",                   "a in (,b)",
         },
        {
         "a in (,)",                "a=",
         },
        {
         "a=in (b)",                   "a=in (b)",
         },
        {
         "a=x y",               "a=x y",
         },
        {
         "a=\\ x\\ ",                   "a=\\ x\\ ",
         },
        {
         "a=\\ ",             "a=\\ ",
         },
        {
         "a= \\ x  ",                   "a=\\ x",
         },
        {
         "a=x\\,y\\=z\\\\",          "a=x\\,y\\=z\\\\",
         },
        {
         "a=\\(x\\)",                   "a=(x)",
         },
        {
         "a in ((x\\),y)",        "a in ((x\\),y)",
         },
        {
         "a=b:c/d!e",                   "a=b:c/d!e",
         },
        {
         "{.status.phase}=Running",    "status.phase=Running",
         },
        {
         "b=1,a=2",                   "a=2,b=1",
         },
        {
         "a=1,.a==1,a in (1),['a']=1", "a=1",
         },
        {
         "a=1,a!=2,a=3",                   "a!=2,a=1,a=3",
         },
        {
         "metadata.labels.x\\.io/a=1",         "metadata.labels['x.io/a']=1",
         },
        {
         "a['=,']=1",                   "a['=,']=1",
         },
        {
         "in in (in)",         "in=in",
         },
        {
         "notin notin (in,notin)",                   "notin notin (in,notin)",
         },
        {
         "a=\"b\"",          "a=\"b\"",
         },
        {
         "a=caf\xc3\xa9",                   "a=caf\xc3\xa9",
         },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(field_selector_freep) struct field_selector *s = selector_of(cases[i].in);
        assert_str(field_selector_text(s), cases[i].out);
        assert_case(field_selector_is_empty(s) == (cases[i].out[0] == '\0'), cases[i].in);
        CLEANUP(field_selector_freep) struct field_selector *again = selector_of(cases[i].out);
        assert_str(field_selector_text(again), cases[i].out);
    }
}

static void what_is_no_selector_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"a",          "ends where '=', '==', '!=', 'in ('"},
        {"!a",         "\"!\" at offset 0"                 },
        {"a,b=1",      "\",\" at offset 1"                 },
        {"=b",         "\"=\" at offset 0"                 },
        {"a=b=c",      "\"=\" at offset 3"                 },
        {"a===b",      "\"=\" at offset 3"                 },
        {"a=\\x",      "\"x\" at offset 3"                 },
        {"a=\\",       "ends where ','"                    },
        {"a in",       "\"i\" at offset 2"                 },
        {"a in ",      "ends where '('"                    },
        {"a in b",     "\"b\" at offset 5"                 },
        {"a inn (b)",  "\"i\" at offset 2"                 },
        {"a in (",     "ends where ',' or ')'"             },
        {"a in ()",    "\")\" at offset 6"                 },
        {"a in ( )",   "at least one"                      },
        {"a in (b",    "ends where ',' or ')'"             },
        {"a in (b) c", "\"c\" at offset 9"                 },
        {"a in (b)=c", "\"=\" at offset 8"                 },
        {"a in (b=c)", "\"=\" at offset 7"                 },
        {"a>1",        "\">\" at offset 1"                 },
        {"a exists",   "\"e\" at offset 2"                 },
        {"a..b=1",     "\".\" at offset 2"                 },
        {"a[*]=1",     "\"*\" at offset 2"                 },
        {"b=1,a[x]=1", "\"x\" at offset 6"                 },
        {"a=b\n",      "byte at offset 3"                  },
        {"a=\xff",     "byte at offset 2"                  },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct field_selector *s = NULL;
        struct err err = {0};
        assert_case(field_selector_parse(str_of(cases[i].text), "the.field", &s, &err) ==
                        ERR_INVALID,
                    cases[i].text);
        assert_string_equal(err.field, "the.field");
        if (strstr(err.msg, cases[i].says) == NULL) {
            print_error("%s: \"%s\" does not say \"%s\"\n", cases[i].text, err.msg, cases[i].says);
            fail();
        }
    }
    struct field_selector *s = NULL;
    assert_int_equal(field_selector_parse((struct str){"a=\0", 3}, "f", &s, NULL), ERR_INVALID);
}

static const char *const body =
    "{\"kind\":\"Job\",\"metadata\":{\"name\":\"web\",\"namespace\":\"team\",\"labels\":{\"x.io/"
    "a\":"
    "\"1\"}},\"spec\":{\"n\":3,\"m\":\"3\",\"r\":3.0,\"t\":true,\"z\":null,\"e\":\"\",\"o\":{},"
    "\"l\":[\"a\",{\"b\":\"c\"}],\"q\":\"say \\\"hi\\\", \\\\ or = (x) \",\"s\":\"[\"}}";

static void objects_match_by_what_clients_see(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        bool matches;
    } cases[] = {
        {"",                                                 true },
        {"metadata.name=web",                                true },
        {"metadata.name=we",                                 false},
        {"metadata.name!=we",                                true },
        {"metadata.name in (a,web)",                         true },
        {"metadata.namespace=team",                          true },
        {"metadata.namespace=",                              false},
        {"metadata.namespace notin (a,b)",                   true },
        {"metadata.resourceVersion=97",                      true },
        {"metadata.resourceVersion=97.0",                    false},
        {"metadata.generation=2",                            true },
        {"metadata.generation!=2",                           false},
        {"metadata.labels.x\\.io/a=1",                       true },
        {"kind=Job",                                         true },
        {"kind=job",                                         false},
        {"kind=Jo",                                          false},
        {"spec.n=3",                                         true },
        {"spec.m=3",                                         true },
        {"spec.r=3",                                         false},
        {"spec.r=3.0",                                       true },
        {"spec.m=\"3\"",                                     false},
        {"spec.t=true",                                      true },
        {"spec.t!=false",                                    true },
        {"spec.z=null",                                      true },
        {"spec.z=",                                          false},
        {"spec.e=",                                          true },
        {"spec.e!=",                                         false},
        {"spec.none=",                                       true }, /* absent is empty */
        {"spec.none!=",                                      false},
        {"spec.none=x",                                      false},
        {"spec.none!=x",                                     true },
        {"spec.none in (,x)",                                true },
        {"spec.none notin (x)",                              true },
        {"none.none.none=",                                  true },
        {"spec.n.x=",                                        true },
        {"spec.o=",                                          false}, /* an object equals nothing */
        {"spec.o!=",                                         true },
        {"spec.o={}",                                        false},
        {"spec.l!=x",                                        true },
        {"spec.l[0]=a",                                      true },
        {"spec.l[1].b=c",                                    true },
        {"spec.l[2]=",                                       true },
        {"spec.s=[",                                         true },
        {"spec.q=say \"hi\"\\, \\\\ or \\= (x)\\ ",          true },
        {"spec.q=say \"hi\"\\, \\\\ or \\= (x)",             false},
        {"spec.q in (x,say \"hi\"\\, \\\\ or \\= (x\\)\\ )", true },
        {"metadata.name=web,spec.n=3",                       true },
        {"metadata.name=web,spec.n=4",                       false},
        {"spec.n=3,spec.n!=4,spec.n in (3,4)",               true },
        {"spec.n=3,spec.n=4",                                false},
    };
    const struct subject f = {
        .key = {STR("jobs"), STR("team"), STR("web")},
        .rv = 97,
        .generation = 2,
        .body = str_of(body)
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(field_selector_freep) struct field_selector *s = selector_of(cases[i].selector);
        assert_case(field_selector_match(s, &f) == cases[i].matches, cases[i].selector);
    }
}

static void the_body_is_wanted_only_for_what_is_in_it(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        bool body;
        const char *name;
        const char *ns;
    } cases[] = {
        {"",                                               false, "",    "" },
        {"metadata.name=a",                                false, "a",   "" },
        {"metadata.name in (a),['metadata'].namespace=b",  false, "a",   "b"},
        {"metadata.name!=a",                               false, "",    "" },
        {"metadata.name in (a,b)",                         false, "",    "" },
        {"metadata.name=A B,metadata.generation=1",        false, "A B", "" },
        {"metadata.uid=a,metadata.name=a,metadata.name=b", true,  "a",   "" },
        {"name=a",                                         true,  "",    "" },
        {"metadata.labels.name=a",                         true,  "",    "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(field_selector_freep) struct field_selector *s = selector_of(cases[i].selector);
        assert_case(field_selector_needs_body(s) == cases[i].body, cases[i].selector);
        assert_str(field_selector_name(s), cases[i].name);
        assert_str(field_selector_namespace(s), cases[i].ns);
    }
}

/* One requirement, judged on the tree. */
static bool judge(const json_t *doc, const char *path, bool negated, const json_t *const *values,
                  size_t n)
{
    CLEANUP(json_path_freep) struct json_path *p = NULL;
    assert_int_equal(json_path_parse(str_of(path), "f", &p, NULL), OK);
    const json_t *v = json_path_get(p, doc);
    CLEANUP(freep)
    char *text = v == NULL           ? mem_strdup("")
                 : json_is_string(v) ? mem_strdup(json_string_value(v))
                                     : text_of(v);
    bool container = json_is_array(v) || json_is_object(v);
    bool equal = false;
    for (size_t i = 0; i < n; i++) {
        CLEANUP(freep)
        char *value = json_is_string(values[i]) ? mem_strdup(json_string_value(values[i]))
                                                : text_of(values[i]);
        equal = equal || (!container && strcmp(text, value) == 0);
    }
    return equal != negated;
}

static bool add_value(struct buf *out, const json_t *v)
{
    CLEANUP(freep) char *text = json_is_string(v) ? mem_strdup(json_string_value(v)) : text_of(v);
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return false;
        }
        buf_adds(out, strchr("\\,=() ", *c) != NULL ? STR("\\") : STR_EMPTY);
        buf_addc(out, *c);
    }
    return true;
}

static void random_selectors_match_as_the_tree_says(void **state)
{
    (void)state;
    static const char *const paths[] = {"a", "b.c", "b['\"']", "b[1]", "a[0].b", "no"};
    struct dice d = {66};
    size_t matched = 0;
    size_t tried = 0;
    for (int i = 0; i < 30000; i++) {
        CLEANUP(json_decrefp) json_t *doc = json_object();
        json_object_set_new(doc, "a", random_json(&d, 2));
        json_t *b = dice_below(&d, 2) != 0 ? json_object() : json_array();
        json_object_set_new(doc, "b", b);
        json_object_set_new(b, "c", random_json(&d, 1));
        json_object_set_new(b, "\"", random_json(&d, 1));
        json_array_append_new(b, json_null());
        json_array_append_new(b, random_json(&d, 1));
        CLEANUP(freep) char *text = text_of(doc);
        CLEANUP(buf_fini) struct buf selector;
        buf_init(&selector, FIELD_SELECTOR_MAX_LEN);
        bool expected = true;
        bool sayable = true;
        size_t n = 1 + dice_below(&d, 3);
        for (size_t j = 0; j < n; j++) {
            const char *path = paths[dice_below(&d, COUNT(paths))];
            size_t n_values = 1 + dice_below(&d, 3);
            bool negated = dice_below(&d, 3) == 0;
            CLEANUP(json_decrefp) json_t *values = json_array();
            const json_t *v[3];
            buf_printf(&selector, ",%s %s (", path, negated ? "notin" : "in");
            for (size_t k = 0; k < n_values; k++) {
                CLEANUP(json_path_freep) struct json_path *p = NULL;
                assert_int_equal(json_path_parse(str_of(path), "f", &p, NULL), OK);
                const json_t *there = json_path_get(p, doc);
                bool copy = there != NULL && dice_below(&d, 2) != 0;
                json_array_append_new(values, copy ? json_deep_copy(there) : random_scalar(&d));
                v[k] = json_array_get(values, k);
                buf_adds(&selector, k != 0 ? STR(",") : STR_EMPTY);
                sayable = add_value(&selector, v[k]) && sayable;
            }
            buf_addc(&selector, ')');
            /* "in ()" is no set. */
            sayable = sayable && !(n_values == 1 && selector.p[selector.n - 2] == '(' &&
                                   selector.p[selector.n - 3] != '\\');
            expected = judge(doc, path, negated, v, n_values) && expected;
        }
        if (!sayable || selector.full) {
            continue;
        }
        struct field_selector *s = NULL;
        struct err err;
        assert_ok(field_selector_parse(buf_str(&selector), "f", &s, &err), &err);
        const struct subject f = {.body = str_of(text)};
        if (field_selector_match(s, &f) != expected) {
            print_error("%.*s\n%s\n", STR_ARG(buf_str(&selector)), text);
            fail();
        }
        /* The canonical text means the same. */
        struct field_selector *again = NULL;
        assert_ok(field_selector_parse(field_selector_text(s), "f", &again, &err), &err);
        assert_true(str_eq(field_selector_text(s), field_selector_text(again)));
        assert_true(field_selector_match(again, &f) == expected);
        field_selector_free(again);
        field_selector_free(s);
        matched += expected;
        tried++;
    }
    assert_true(tried > 5000 && matched > 1000 && tried - matched > 1000);
}

static void length_and_number_of_requirements_are_bounded(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 100000);
    struct field_selector *s = NULL;
    struct err err;
    for (int i = 0; i < FIELD_SELECTOR_MAX_REQUIREMENTS; i++) {
        buf_printf(&b, "%sk%d=1", i != 0 ? "," : "", i);
    }
    assert_int_equal(field_selector_parse(buf_str(&b), "f", &s, NULL), OK);
    field_selector_free(s);
    buf_adds(&b, STR(",more=1"));
    assert_int_equal(field_selector_parse(buf_str(&b), "f", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "32 requirements"));

    /* As many values and as long when spelt as can be. */
    static const char *const fillings[] = {",", ",a", "\"", "\\\\"};
    for (size_t i = 0; i < COUNT(fillings); i++) {
        buf_clear(&b);
        buf_adds(&b, STR("k in (x"));
        while (b.n + strlen(fillings[i]) < FIELD_SELECTOR_MAX_LEN) {
            buf_adds(&b, str_of(fillings[i]));
        }
        buf_addc(&b, ')');
        assert_ok(field_selector_parse(buf_str(&b), "f", &s, &err), &err);
        struct field_selector *again = NULL;
        assert_ok(field_selector_parse(field_selector_text(s), "f", &again, &err), &err);
        field_selector_free(again);
        field_selector_free(s);
    }
    while (b.n <= FIELD_SELECTOR_MAX_LEN) {
        buf_addc(&b, ' ');
    }
    assert_int_equal(field_selector_parse(buf_str(&b), "f", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "4097 bytes"));
    buf_clear(&b);
    for (int i = 0; i < FIELD_SELECTOR_MAX_REQUIREMENTS; i++) {
        for (int j = 0; j < 40; j++) {
            buf_printf(&b, "%s%c\\/", j != 0 ? "." : "", 'a' + i % 26);
        }
        b.n -= 42;
        buf_printf(&b, "%d=,", i);
    }
    assert_true(b.n <= FIELD_SELECTOR_MAX_LEN);
    assert_int_equal(field_selector_parse(buf_str(&b), "f", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "written out"));
    field_selector_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_has_one_canonical_text),
        cmocka_unit_test(what_is_no_selector_is_refused_with_its_place),
        cmocka_unit_test(objects_match_by_what_clients_see),
        cmocka_unit_test(the_body_is_wanted_only_for_what_is_in_it),
        cmocka_unit_test(random_selectors_match_as_the_tree_says),
        cmocka_unit_test(length_and_number_of_requirements_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

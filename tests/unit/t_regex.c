/* SPDX-License-Identifier: Apache-2.0 */
#include <regex.h>

#include "store/model/regex.h"
#include "tests/unit/check.h"

#define PLENTY UINT64_C(100000000)

static struct regex *regex_of(const char *pattern)
{
    struct regex *r = NULL;
    struct err err = {0};
    assert_ok(regex_new(str_of(pattern), "pattern", &r, &err), &err);
    return r;
}

static enum regex_answer search(const char *pattern, const char *text)
{
    CLEANUP(regex_freep) struct regex *r = regex_of(pattern);
    uint64_t budget = PLENTY;
    return regex_search(r, str_of(text), &budget);
}

static void each_form_matches_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *yes[6];
        const char *no[6];
    } cases[] = {
        {"",                                             {"", "a"},                   {0}                          },
        {"b",                                            {"b", "abc"},                {"", "ac"}                   },
        {"^b",                                           {"b", "bc"},                 {"ab"}                       },
        {"b$",                                           {"b", "ab"},                 {"bc", "b\n"}                },
        {"^$",                                           {""},                        {"a", "\n"}                  },
        {"\\Ab\\z",                                      {"b"},                       {"bb"}                       },
        {"^a.c$",
         {"abc", "a\xc3\xa9"
                 "c"},
         {"a\nc", "ac"}                                                                                            },
        {"^[a-c]+$",                                     {"a", "abcabc"},             {"", "abd"}                  },
        {"^[^a-c]$",                                     {"d", "\n", "\xe2\x89\xa5"}, {"a", "", "dd"}              },
        {"^[]a]+$",                                      {"]a]"},                     {"b"}                        },
        {"^[^]a]+$",                                     {"bc"},                      {"]", "a"}                   },
        {"^[a-]+$",                                      {"a-a"},                     {"b"}                        },
        {"^[\\w.-]+$",                                   {"a_Z9.-"},                  {"a b"}                      },
        {"^[\\]\\\\]+$",                                 {"]\\"},                     {"a"}                        },
        {"^[[:alpha:]_]+$",                              {"aZ_"},                     {"a1"}                       },
        {"^[[:^digit:]]+$",                              {"aZ_"},                     {"a1"}                       },
        {"^[^\\D5]+$",                                   {"1234"},                    {"5", "a"}                   },
        {"^\\d{3}$",                                     {"123"},                     {"12", "1234", "ddd"}        },
        {"^\\D\\S\\W$",                                  {"aa-"},                     {"1a-", "a -", "aaa"}        },
        {"^\\s+$",                                       {" \t\n\f\r"},               {"\v", "a"}                  },
        {"^a{2,}$",                                      {"aa", "aaaaa"},             {"a"}                        },
        {"^a{0,2}$",                                     {"", "a", "aa"},             {"aaa"}                      },
        {"^(ab){2}$",                                    {"abab"},                    {"ab", "ababab"}             },
        {"^a{03}$",                                      {"a{03}"},                   {"aaa"}                      },
        {"^[a\\ ]\\ $",                                  {"a ", "  "},                {"a", "aa"}                  },
        {"^(?:a*){2}$",                                  {"", "aaa"},                 {"b"}                        },
        {"^a{,2}$",                                      {"a{,2}"},                   {"", "aa"}                   },
        {"^a{0}$",                                       {""},                        {"a"}                        },
        {"^(a|bc|)d$",                                   {"ad", "bcd", "d"},          {"abcd"}                     },
        {"^(?:a|b)*?c+?$",                               {"c", "abac", "abcc"},       {"ab"}                       },
        {"(a*)*b",                                       {"b", "aab"},                {"aa"}                       },
        {"((a*)+)*$",                                    {"", "b"},                   {0}                          },
        {"^(a?){3}$",                                    {"", "aaa"},                 {"aaaa"}                     },
        {"^((|a){2}){2}$",                               {"", "aaaa"},                {"aaaaa"}                    },
        {"a|b$|^c",                                      {"xax", "xb", "cx"},         {"bx", "xc"}                 },
        {"\\bfoo\\b",
         {"foo", "a foo.",
          "\xc3\xa9"
          "foo"},
         {"food", "_foo"}                                                                                          },
        {"\\Boo\\B",                                     {"foox"},                    {"oo", "foo"}                },
        {"^\\x41\\t\\.\\$$",                             {"A\t.$"},                   {"B\t.$"}                    },
        {"^[\\x00-\\x7f]*$",                             {"plain"},                   {"\xc3\xa9"}                 },
        {"^[\xc3\xa0-\xc3\xbc]$",                        {"\xc3\xa9"},                {"e"}                        },
        {"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",         {"a", "a-b", "9z"},          {"", "-a", "a-", "A", "a.b"} },
        {"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
         {"1", "0.5", "100Mi", "1e3"},
         {"", "x", "Mi"}                                                                                           },
        {"^(\\d{1,3}\\.){3}\\d{1,3}$",                   {"10.0.0.1"},                {"10.0.0", "1000.0.0.1", "a"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t k = 0; k < 6 && cases[i].yes[k] != NULL; k++) {
            assert_case(search(cases[i].pattern, cases[i].yes[k]) == REGEX_YES, cases[i].pattern);
        }
        for (size_t k = 0; k < 6 && cases[i].no[k] != NULL; k++) {
            assert_case(search(cases[i].pattern, cases[i].no[k]) == REGEX_NO, cases[i].pattern);
        }
    }
}

static void what_is_not_understood_is_refused_by_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *msg;
    } cases[] = {
        {"ab)",                                      "at byte 3 of the pattern: there is no group to close"                      },
        {"a(b",                                      "at byte 2 of the pattern: the group is not closed"                         },
        {"a[b",                                      "at byte 2 of the pattern: the bracket is not closed"                       },
        {"[]",                                       "at byte 1 of the pattern: the bracket is not closed"                       },
        {"[b-a]",                                    "at byte 2 of the pattern: the range goes backwards"                        },
        {"[a-\\d]",                                  "at byte 4 of the pattern: this escape is not known"                        },
        {"[[:letter:]]",                             "at byte 2 of the pattern: there is no such set of characters"              },
        {"*a",                                       "at byte 1 of the pattern: there is nothing to repeat"                      },
        {"a|+",                                      "at byte 3 of the pattern: there is nothing to repeat"                      },
        {"(?i)a",                                    "at byte 1 of the pattern: of the groups that begin with \"(?\" only "
                  "\"(?:\" is known"                                                                            },
        {"(?=a)",                                    "at byte 1 of the pattern: of the groups that begin with \"(?\" only "
                  "\"(?:\" is known"                                                                            },
        {"(a)\\1",                                   "at byte 4 of the pattern: this escape is not known"                        },
        {"\\pL",                                     "at byte 1 of the pattern: this escape is not known"                        },
        {"a\\",                                      "at byte 2 of the pattern: this escape is not known"                        },
        {"\\x4",                                     "at byte 1 of the pattern: \\x wants two hexadecimal digits"                },
        {"a{3,2}",                                   "at byte 2 of the pattern: repeats go up to 1000, the lower bound first"    },
        {"a{1001}",                                  "at byte 2 of the pattern: repeats go up to 1000, the lower bound first"    },
        {"a{99999999999}",
         "at byte 2 of the pattern: repeats go up to 1000, the lower bound first"                                                },
        {"a{2,99999999999}",
         "at byte 2 of the pattern: repeats go up to 1000, the lower bound first"                                                },
        {"a**",                                      "at byte 3 of the pattern: a repeat of a repeat: write (?:a*){2}, not a*{2}"},
        {"a+?{2}",                                   "at byte 4 of the pattern: a repeat of a repeat: write (?:a*){2}, not a*{2}"},
        {"\xff",                                     "at byte 1 of the pattern: is not UTF-8"                                    },
        {"(a{1000}){1000}",                          "the pattern repeats too much of itself"                                    },
        {"(((((){1000}){1000}){1000}){1000}){1000}", "the pattern repeats too much of itself"                                    },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct regex *r = NULL;
        struct err err = {0};
        enum errc rc = regex_new(str_of(cases[i].pattern), "spec.pattern", &r, &err);
        assert_case(rc == ERR_INVALID && r == NULL, cases[i].pattern);
        assert_string_equal(err.msg, cases[i].msg);
        assert_string_equal(err.field, "spec.pattern");
    }
    char deep[REGEX_PATTERN_MAX + 2];
    memset(deep, '(', sizeof(deep));
    struct regex *r = NULL;
    assert_int_equal(regex_new((struct str){deep, 1000}, "p", &r, NULL), ERR_INVALID);
    assert_int_equal(regex_new((struct str){deep, sizeof(deep)}, "p", &r, NULL), ERR_INVALID);
    memset(deep, 'a', sizeof(deep));
    assert_int_equal(regex_new((struct str){deep, REGEX_PATTERN_MAX}, "p", &r, NULL), OK);
    regex_free(r);
    memset(deep, '?', sizeof(deep));
    deep[0] = 'a';
    assert_int_equal(regex_new((struct str){deep, REGEX_PATTERN_MAX}, "p", &r, NULL), ERR_INVALID);
}

/* Backtracking engines take years for the first, automata with a table gigabytes for the second. */
static void hostile_patterns_cost_what_their_budget_allows(void **state)
{
    (void)state;
    char text[10001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(search("^(a+)+b$", text), REGEX_NO);
    assert_int_equal(search("a[ab]{300}c", text), REGEX_NO);

    CLEANUP(regex_freep) struct regex *r = regex_of("a[ab]{300}c");
    uint64_t budget = 1000;
    assert_int_equal(regex_search(r, str_of(text), &budget), REGEX_TOO_COSTLY);
    budget = 1000;
    assert_int_equal(regex_search(r, STR("abc"), &budget), REGEX_NO);
    assert_true(budget > 0 && budget < 1000);
}

/* Patterns that mean the same in POSIX' extended expressions; texts of the same few letters. */
static void random_pattern(struct dice *d, int depth, struct buf *out)
{
    static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "[a-b]", "[^a-b]", "c"};
    static const char *const ends[] = {"*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}", ""};
    size_t n = 1 + dice_below(d, 3);
    for (size_t i = 0; i < n; i++) {
        size_t what = dice_below(d, depth > 0 ? 5 : 3);
        if (what == 3) {
            buf_addc(out, '(');
            random_pattern(d, depth - 1, out);
            buf_addc(out, ')');
        } else if (what == 4) {
            buf_addc(out, '(');
            random_pattern(d, depth - 1, out);
            buf_addc(out, '|');
            random_pattern(d, depth - 1, out);
            buf_addc(out, ')');
        } else {
            buf_adds(out, str_of(atoms[dice_below(d, COUNT(atoms))]));
        }
        if (dice_below(d, 3) == 0) {
            buf_adds(out, str_of(ends[dice_below(d, COUNT(ends))]));
        }
    }
}

static void random_patterns_match_what_the_c_library_matches(void **state)
{
    (void)state;
    struct dice d = {20};
    size_t matches = 0;
    size_t tries = 0;
    for (int round = 0; round < 3000; round++) {
        CLEANUP(buf_fini) struct buf pattern;
        buf_init(&pattern, 4096);
        if (dice_below(&d, 2) == 0) {
            buf_addc(&pattern, '^');
        }
        random_pattern(&d, 2, &pattern);
        if (dice_below(&d, 2) == 0) {
            buf_addc(&pattern, '$');
        }
        buf_addc(&pattern, '\0');
        regex_t theirs;
        if (regcomp(&theirs, pattern.p, REG_EXTENDED | REG_NOSUB) != 0) {
            continue;
        }
        CLEANUP(regex_freep) struct regex *ours = regex_of(pattern.p);
        for (int k = 0; k < 8; k++) {
            char text[12];
            size_t n = dice_below(&d, sizeof(text) - 1);
            for (size_t i = 0; i < n; i++) {
                text[i] = "abcd"[dice_below(&d, 4)];
            }
            text[n] = '\0';
            bool expected = regexec(&theirs, text, 0, NULL, 0) == 0;
            uint64_t budget = PLENTY;
            bool actual = regex_search(ours, str_of(text), &budget) == REGEX_YES;
            if (expected != actual) {
                print_error("\"%s\" and \"%s\"\n", pattern.p, text);
            }
            assert_true(expected == actual);
            matches += expected;
            tries++;
        }
        regfree(&theirs);
    }
    assert_true(matches > tries / 10 && matches < tries * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_matches_what_it_says),
        cmocka_unit_test(what_is_not_understood_is_refused_by_its_place),
        cmocka_unit_test(hostile_patterns_cost_what_their_budget_allows),
        cmocka_unit_test(random_patterns_match_what_the_c_library_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

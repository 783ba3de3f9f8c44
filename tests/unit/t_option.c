/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/option.h"
#include "tests/unit/check.h"

struct target {
    bool all;
    const char *listen;
    struct option_list tokens;
    int64_t limit;
    int64_t size;
    int64_t wait;
    int64_t free;
};

#define AT(member) offsetof(struct target, member)
static const struct option table[] = {
    {"all",    'A', "T_ALL",    OPTION_FLAG,     AT(all),    NULL,        NULL,             0,    0,       "Everything there is."},
    {"listen", 'l', "T_LISTEN", OPTION_STRING,   AT(listen), "HOST:PORT", "127.0.0.1:7733", 0,    0,
     "Where to listen; the port may be 0, then the system chooses one and it is told on the "
     "standard output when the server is ready."                                                                                 },
    {"token",  't', "T_TOKENS", OPTION_LIST,     AT(tokens), "TOKEN",     "x,y",            0,    0,       "Tokens."             },
    {"limit",  'n', NULL,       OPTION_INT,      AT(limit),  "N",         "5",              -3,   10,      "How many."           },
    {"size",   0,   "T_SIZE",   OPTION_BYTES,    AT(size),   "BYTES",     "64K",            1024, 1 << 30, "How large."          },
    {"wait",   'w', NULL,       OPTION_DURATION, AT(wait),   "TIME",      "10s",            0,    3600000, "How long."           },
    {"free",   0,   NULL,       OPTION_INT,      AT(free),   NULL,        NULL,             0,    0,       "Anything."           },
};

struct parsed {
    enum errc code;
    struct err err;
    struct target t;
    const char *words[4];
    size_t n_words;
};

/* `line` is split at spaces and must live as long as the result. */
static struct parsed parse(char *line, bool interspersed)
{
    char *argv[64];
    int argc = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    struct parsed p = {.n_words = 99};
    memset(&p.t, 0x5a, sizeof(p.t));
    p.code = options_parse(table, COUNT(table), argc, argv, interspersed, &p.t, p.words,
                           COUNT(p.words), &p.n_words, &p.err);
    return p;
}

static void clear_environment(void)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        if (table[i].env != NULL) {
            unsetenv(table[i].env);
        }
    }
}

static void defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    clear_environment();
    char line[] = "";
    struct parsed p = parse(line, true);
    assert_ok(p.code, &p.err);
    assert_false(p.t.all);
    assert_string_equal(p.t.listen, "127.0.0.1:7733");
    assert_int_equal(p.t.tokens.n, 2);
    assert_string_equal(p.t.tokens.v[1], "y");
    assert_int_equal(p.t.limit, 5);
    assert_int_equal(p.t.size, 65536);
    assert_int_equal(p.t.wait, 10000);
    assert_int_equal(p.t.free, 0);
    assert_int_equal(p.n_words, 0);
}

static void the_command_line_wins_over_the_environment_and_that_over_the_default(void **state)
{
    (void)state;
    clear_environment();
    setenv("T_LISTEN", "env:1", 1);
    setenv("T_TOKENS", "a,,b,c", 1);
    setenv("T_ALL", "true", 1);
    setenv("T_SIZE", "", 1); /* Empty is unset. */
    char line[] = "";
    struct parsed p = parse(line, true);
    assert_ok(p.code, &p.err);
    assert_string_equal(p.t.listen, "env:1");
    assert_int_equal(p.t.tokens.n, 3);
    assert_string_equal(p.t.tokens.v[2], "c");
    assert_true(p.t.all);
    assert_int_equal(p.t.size, 65536);

    char line2[] = "--listen argv:2 -t one --token=two,three --all=false";
    p = parse(line2, true);
    assert_ok(p.code, &p.err);
    assert_string_equal(p.t.listen, "argv:2");
    assert_int_equal(p.t.tokens.n, 2);
    assert_string_equal(p.t.tokens.v[0], "one");
    assert_string_equal(p.t.tokens.v[1], "two,three"); /* Commas count in the environment only. */
    assert_false(p.t.all);
    clear_environment();
}

static void words_and_options_mix_when_interspersed(void **state)
{
    (void)state;
    clear_environment();
    char line[] = "jobs -An 3 web --listen=x - -w1m -- -5";
    struct parsed p = parse(line, true);
    assert_ok(p.code, &p.err);
    assert_true(p.t.all);
    assert_int_equal(p.t.limit, 3);
    assert_int_equal(p.t.wait, 60000);
    assert_string_equal(p.t.listen, "x");
    assert_int_equal(p.n_words, 4);
    assert_string_equal(p.words[0], "jobs");
    assert_string_equal(p.words[1], "web");
    assert_string_equal(p.words[2], "-");
    assert_string_equal(p.words[3], "-5");
}

static void otherwise_the_first_word_ends_the_options(void **state)
{
    (void)state;
    char line[] = "-A get --nonsense -x a b c d e";
    struct parsed p = parse(line, false);
    assert_ok(p.code, &p.err);
    assert_true(p.t.all);
    assert_int_equal(p.n_words, 8);
    assert_string_equal(p.words[0], "get");
    assert_string_equal(p.words[1], "--nonsense");
    assert_string_equal(p.words[3], "a");

    char line2[] = "-A -- -x";
    p = parse(line2, false);
    assert_ok(p.code, &p.err);
    assert_int_equal(p.n_words, 1);
    assert_string_equal(p.words[0], "-x");
}

static void mistakes_are_named_with_what_was_wanted(void **state)
{
    (void)state;
    clear_environment();
    static const struct {
        const char *line;
        const char *field;
        const char *msg;
    } cases[] = {
        {"--lisen x",                    "--lisen",     "unknown option --lisen; did you mean --listen?"                 },
        {"--lisetn=x",                   "--lisetn",    "unknown option --lisetn; did you mean --listen?"                },
        {"--something",                  "--something", "unknown option --something; see --help"                         },
        {"-x",                           "-x",          "unknown option -x; see --help"                                  },
        {"-Ax",                          "-x",          "unknown option -x; see --help"                                  },
        {"-5",                           "-5",          "unknown option -5; put \"--\" before a negative number"         },
        {"--listen",                     "--listen",    "--listen wants a value: HOST:PORT"                              },
        {"-An",                          "-n",          "-n wants a value: N"                                            },
        {"--free",                       "--free",      "--free wants a value: VALUE"                                    },
        {"--limit 11",                   "--limit",     "--limit must be between -3 and 10, not 11"                      },
        {"--limit -4",                   "--limit",     "--limit must be between -3 and 10, not -4"                      },
        {"--limit 1x",                   "--limit",     "--limit wants a whole number, not \"1x\""                       },
        {"--limit=",                     "--limit",     "--limit wants a whole number, not \"\""                         },
        {"--limit 99999999999999999999", "--limit",
         "--limit wants a whole number, not \"99999999999999999999\""                                                    },
        {"--free -1",                    "--free",      "--free must be at least 0, not -1"                              },
        {"--size 1",                     "--size",      "--size must be between 1K and 1G, not 1"                        },
        {"--size 2G",                    "--size",      "--size must be between 1K and 1G, not 2G"                       },
        {"--size 5X",                    "--size",      "--size wants a size like 512, 64K, 16M or 2G, not \"5X\""       },
        {"--size K",                     "--size",      "--size wants a size like 512, 64K, 16M or 2G, not \"K\""        },
        {"--size 9000000000T",           "--size",
         "--size wants a size like 512, 64K, 16M or 2G, not \"9000000000T\""                                             },
        {"--wait 2h",                    "--wait",      "--wait must be between 0 and 1h, not 2h"                        },
        {"--wait 5",                     "--wait",      "--wait wants a duration like 250ms, 90s, 5m or 1h30m, not \"5\""},
        {"--all=maybe",                  "--all",       "--all wants true or false, not \"maybe\""                       },
        {"a b c d e",                    "e",           "unexpected argument \"e\""                                      },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(freep) char *line = mem_strdup(cases[i].line);
        struct parsed p = parse(line, true);
        assert_case(p.code == ERR_INVALID, cases[i].line);
        assert_string_equal(p.err.msg, cases[i].msg);
        assert_string_equal(p.err.field, cases[i].field);
    }
}

static void a_bad_environment_variable_is_named(void **state)
{
    (void)state;
    clear_environment();
    setenv("T_SIZE", "big", 1);
    char line[] = "";
    struct parsed p = parse(line, true);
    assert_int_equal(p.code, ERR_INVALID);
    assert_string_equal(p.err.field, "T_SIZE");
    clear_environment();
}

static void a_list_may_hold_sixty_four_values(void **state)
{
    (void)state;
    clear_environment();
    char *argv[OPTION_LIST_MAX + 1];
    char word[] = "--token=a";
    for (size_t i = 0; i < COUNT(argv); i++) {
        argv[i] = word;
    }
    struct target t;
    struct err err;
    size_t n;
    assert_ok(
        options_parse(table, COUNT(table), OPTION_LIST_MAX, argv, true, &t, NULL, 0, &n, &err),
        &err);
    assert_int_equal(t.tokens.n, OPTION_LIST_MAX);
    assert_int_equal(
        options_parse(table, COUNT(table), OPTION_LIST_MAX + 1, argv, true, &t, NULL, 0, &n, &err),
        ERR_INVALID);
    assert_string_equal(err.field, "--token");
}

static void help_is_aligned_within_a_hundred_columns(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 65536);
    options_help(table, COUNT(table), &b);
    CLEANUP(freep) char *text = str_dup(buf_str(&b));
    assert_non_null(strstr(text, "  -A, --all               Everything there is. [env: T_ALL]\n"));
    assert_non_null(strstr(text, "      --size BYTES        How large. [default: 64K; env: "));
    assert_non_null(strstr(text, "      --free VALUE        Anything.\n"));
    char *rest = text;
    size_t lines = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0';
         line = strsep(&rest, "\n")) {
        lines++;
        assert_case(strlen(line) <= 100, line);
        assert_case(line[25] == ' ' && line[26] != ' ', line);
    }
    assert_int_equal(lines, COUNT(table) + 2); /* --listen takes three. */
}

static void the_nearest_word_is_at_most_two_slips_away(void **state)
{
    (void)state;
    static const char *const words[] = {"get", "watch", "delete", "history"};
    assert_string_equal(nearest_word("wacth", words, COUNT(words)), "watch");
    assert_string_equal(nearest_word("wach", words, COUNT(words)), "watch");
    assert_string_equal(nearest_word("delet", words, COUNT(words)), "delete");
    assert_string_equal(nearest_word("gte", words, COUNT(words)), "get");
    assert_string_equal(nearest_word("hostiry", words, COUNT(words)), "history");
    assert_null(nearest_word("create", words, COUNT(words)));
    assert_null(nearest_word("", words, COUNT(words)));
    assert_null(nearest_word("ls", words, COUNT(words)));
    assert_null(nearest_word("w", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_where_nothing_is_given),
        cmocka_unit_test(the_command_line_wins_over_the_environment_and_that_over_the_default),
        cmocka_unit_test(words_and_options_mix_when_interspersed),
        cmocka_unit_test(otherwise_the_first_word_ends_the_options),
        cmocka_unit_test(mistakes_are_named_with_what_was_wanted),
        cmocka_unit_test(a_bad_environment_variable_is_named),
        cmocka_unit_test(a_list_may_hold_sixty_four_values),
        cmocka_unit_test(help_is_aligned_within_a_hundred_columns),
        cmocka_unit_test(the_nearest_word_is_at_most_two_slips_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as data: what each ends with when there is no server. A line that is right gets as
 * far as connecting and ends with 7; one that is wrong never does. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/command.h"
#include "tests/unit/check.h"

/* The address of nobody: port 1 of the loopback. */
#define NOWHERE "127.0.0.1:1"
#define WORDS   32

struct outcome {
    int code;
    char out[65536];
    char err[8192];
};

static int redirect(int fd, int to)
{
    int saved = dup(fd);
    assert_true(saved >= 0 && dup2(to, fd) >= 0);
    return saved;
}

static void restore(int fd, int saved)
{
    assert_true(dup2(saved, fd) >= 0);
    (void)close(saved);
}

static void slurp(FILE *f, char *ret, size_t cap)
{
    rewind(f);
    size_t n = fread(ret, 1, cap - 1, f);
    ret[n] = '\0';
    (void)fclose(f);
}

/* Splits at spaces; 'one word' in single quotes. */
static int split(char *line, char **argv)
{
    int argc = 1;
    for (char *c = line; *c != '\0';) {
        while (*c == ' ') {
            *c++ = '\0';
        }
        if (*c == '\0') {
            break;
        }
        char end = *c == '\'' ? '\'' : ' ';
        c += end == '\'';
        assert_true(argc < WORDS);
        argv[argc++] = c;
        c += strcspn(c, end == '\'' ? "'" : " ");
        if (*c != '\0') {
            *c++ = '\0';
        }
    }
    return argc;
}

static void run(const char *line, const char *input, struct outcome *ret)
{
    char text[1024];
    char name[] = "watchctl";
    char *argv[WORDS + 1] = {0};
    snprintf(text, sizeof(text), "%s", line);
    int argc = split(text, argv);
    argv[0] = name;
    FILE *in = tmpfile();
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    assert_true(in != NULL && out != NULL && err != NULL);
    (void)fputs(input, in);
    rewind(in);
    (void)lseek(fileno(in), 0, SEEK_SET);
    (void)fflush(stdout);
    (void)fflush(stderr);
    int saved_in = redirect(STDIN_FILENO, fileno(in));
    int saved_out = redirect(STDOUT_FILENO, fileno(out));
    int saved_err = redirect(STDERR_FILENO, fileno(err));
    ret->code = command_main(argc, argv);
    (void)fflush(stdout);
    (void)fflush(stderr);
    restore(STDIN_FILENO, saved_in);
    restore(STDOUT_FILENO, saved_out);
    restore(STDERR_FILENO, saved_err);
    (void)fclose(in);
    slurp(out, ret->out, sizeof(ret->out));
    slurp(err, ret->err, sizeof(ret->err));
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

struct line {
    const char *line;
    int code;
    const char *says; /* part of stderr; NULL: anything */
};

static void check(const struct line *cases, size_t n, const char *input)
{
    static struct outcome o;
    for (size_t i = 0; i < n; i++) {
        run(cases[i].line, input, &o);
        if (o.code != cases[i].code ||
            (cases[i].says != NULL && strstr(o.err, cases[i].says) == NULL)) {
            fail_msg("\"%s\" ends with %d and says \"%s\"", cases[i].line, o.code, o.err);
        }
        if (o.code != 0) {
            /* One line, on stderr, and nothing that could be taken for a result. */
            assert_case(o.out[0] == '\0', cases[i].line);
            assert_case(count_lines(o.err) >= 1, cases[i].line);
        }
    }
}

static void right_lines_get_as_far_as_connecting(void **state)
{
    (void)state;
    static const struct line cases[] = {
        {"get objects",                                                  7, "cannot connect to " NOWHERE},
        {"get objects/a",                                                7, NULL                        },
        {"get objects a",                                                7, NULL                        },
        {"get all",                                                      7, NULL                        },
        {"get all -A",                                                   7, NULL                        },
        {"get all/a",                                                    7, NULL                        },
        {"get jobs/a -A",                                                7, NULL                        },
        {"get -n ci jobs",                                               7, NULL                        },
        {"-n ci get jobs",                                               7, NULL                        },
        {"-nci get jobs",                                                7, NULL                        },
        {"--namespace ci get jobs",                                      7, NULL                        },
        {"--namespace=ci get jobs",                                      7, NULL                        },
        {"get jobs --namespace ci",                                      7, NULL                        },
        {"-A get jobs",                                                  7, NULL                        },
        {"-Ao json get jobs",                                            7, NULL                        },
        {"get jobs -Aojson",                                             7, NULL                        },
        {"get jobs -l 'tier in (a,b),!c'",                               7, NULL                        },
        {"get jobs -o json",                                             7, NULL                        },
        {"get jobs -o yaml",                                             7, NULL                        },
        {"get jobs -o name",                                             7, NULL                        },
        {"get jobs -o table",                                            7, NULL                        },
        {"get jobs/a --ignore-not-found",                                7, NULL                        },
        {"get -- jobs",                                                  7, NULL                        },
        {"-- get jobs",                                                  7, NULL                        },
        {"put a {}",                                                     7, NULL                        },
        {"put a '{\"n\":1}'",                                            7, NULL                        },
        {"put jobs/a {}",                                                7, NULL                        },
        {"put jobs a {}",                                                7, NULL                        },
        {"put a {} --ttl 30s",                                           7, NULL                        },
        {"patch a {} --no-ttl",                                          7, NULL                        },
        {"put a {} --if-rv 12",                                          7, NULL                        },
        {"put a {} --if-rv 18446744073709551615",                        7, NULL                        },
        {"put a {} --if-absent",                                         7, NULL                        },
        {"put a {} --dry-run -o json",                                   7, NULL                        },
        {"put a {} -o name -n ci",                                       7, NULL                        },
        {"put a ' {} '",                                                 7, NULL                        },
        {"put -f - a",                                                   7, NULL                        },
        {"put -f -",                                                     7, NULL                        },
        {"put -f - jobs a",                                              7, NULL                        },
        {"put a --file -",                                               7, NULL                        },
        {"put a {} --field-manager ci",                                  7, NULL                        },
        {"patch a {} --field-manager ci",                                7, NULL                        },
        {"get jobs/a --show-managed-fields -o json",                     7, NULL                        },
        {"delete a",                                                     7, NULL                        },
        {"delete jobs/a",                                                7, NULL                        },
        {"delete jobs a",                                                7, NULL                        },
        {"delete jobs -l app=web -A",                                    7, NULL                        },
        {"delete jobs --field-selector status.phase=Done",               7, NULL                        },
        {"get jobs --field-selector 'status.phase in (a,b)'",            7, NULL                        },
        {"export all --field-selector spec.n=1",                         7, NULL                        },
        {"delete jobs --all -n ci --dry-run -o name",                    7, NULL                        },
        {"rm a",                                                         7, NULL                        },
        {"delete a --if-rv 3 -n ci --ignore-not-found -o name",          7, NULL                        },
        {"patch a {}",                                                   7, NULL                        },
        {"patch jobs/a '{\"spec\":null}'",                               7, NULL                        },
        {"patch jobs a {}",                                              7, NULL                        },
        {"patch a -p {}",                                                7, NULL                        },
        {"patch -p {} jobs a",                                           7, NULL                        },
        {"patch a -f -",                                                 7, NULL                        },
        {"patch a {} --if-rv 3 --dry-run",                               7, NULL                        },
        {"patch a [] --type json --subresource status",                  7, NULL                        },
        {"patch a {} --type=merge --keep-status",                        7, NULL                        },
        {"put a {} --if-uid 01234567-89ab-4cde-8f01-23456789abcd",       7, NULL                        },
        {"put a {} --subresource status --if-rv 3",                      7, NULL                        },
        {"watch objects --for 1ms",                                      7, NULL                        },
        {"watch jobs/a --for 1ms",                                       7, NULL                        },
        {"watch jobs a --for 1ms",                                       7, NULL                        },
        {"watch all -A --for 1ms --since 0",                             7, NULL                        },
        {"watch all --for 1ms --since now",                              7, NULL                        },
        {"watch all --for 1ms --since oldest",                           7, NULL                        },
        {"watch all --for 1ms --count 3 --bookmarks --previous -o json", 7, NULL                        },
        {"watch all --for 1ms -o name --client-id me",                   7, NULL                        },
        {"--for 1ms watch all",                                          7, NULL                        },
        {"--since 3 watch all --for 1ms",                                7, NULL                        },
        {"import -",                                                     7, NULL                        },
        {"import - -n ci",                                               7, NULL                        },
        {"export",                                                       7, NULL                        },
        {"export all -A",                                                7, NULL                        },
        {"export jobs -n ci -l a=b",                                     7, NULL                        },
        {"export jobs/a",                                                7, NULL                        },
        {"status",                                                       7, NULL                        },
        {"status -o json",                                               7, NULL                        },
        {"metrics",                                                      7, NULL                        },
        {"compact",                                                      7, NULL                        },
        {"compact 97",                                                   7, NULL                        },
        {"subscriptions",                                                7, NULL                        },
        {"subs",                                                         7, NULL                        },
        {"subscriptions list --client-id a",                             7, NULL                        },
        {"subscriptions end x",                                          7, NULL                        },
        {"subscriptions end --client-id x",                              7, NULL                        },
        {"subscriptions -o json",                                        7, NULL                        },
    };
    check(cases, COUNT(cases), "{\"metadata\":{\"name\":\"a\"}}\n");
}

static void the_reason_of_a_failed_connection_is_told(void **state)
{
    (void)state;
    static const struct line cases[] = {
        {"get objects --timeout 2s",                                   7, "cannot connect to " NOWHERE ": Connection refused"},
        {"get objects --timeout 2s --server unix:/nonexistent/socket", 7,
         "cannot connect to unix:/nonexistent/socket: No such file or directory"                                             },
    };
    check(cases, COUNT(cases), "");
}

static void wrong_lines_are_refused_before_that(void **state)
{
    (void)state;
    static const struct line cases[] = {
        {"",                                                                   2, "Usage"                                      },
        {"gte objects",                                                        2, "did you mean \"get\""                       },
        {"wach objects",                                                       2, "did you mean \"watch\""                     },
        {"dlete a",                                                            2, "did you mean \"delete\""                    },
        {"frobnicate",                                                         2, "unknown command"                            },
        {"help gte",                                                           2, "did you mean \"get\""                       },
        {"help get put",                                                       2, "unexpected argument \"put\""                },
        {"get",                                                                2, "name a RESOURCE"                            },
        {"get a b c",                                                          2, "unexpected argument \"c\""                  },
        {"get a/b c",                                                          2, "one word too many"                          },
        {"get a/",                                                             2, "lacks the name"                             },
        {"get /a",                                                             2, "lacks the resource"                         },
        {"get a/b/c",                                                          2, "more than one slash"                        },
        {"get ''",                                                             2, "must not be empty"                          },
        {"get a -o xml",                                                       2, "-o wants one of table|wide|json|yaml|name"  },
        {"get a -o",                                                           2, "-o wants a value"                           },
        {"get a -l",                                                           2, NULL                                         },
        {"get a/b -l x",                                                       2, "exclude each other"                         },
        {"get a/b --field-selector x=y",                                       2, "exclude each other"                         },
        {"delete a/b --field-selector x=y",                                    2, "not both"                                   },
        {"delete a --all --field-selector x=y",                                2, "exclude each other"                         },
        {"get a -A -n b",                                                      2, "exclude each other"                         },
        {"get a --selektor b",                                                 2, "did you mean --selector"                    },
        {"get a --since 3",                                                    2, "takes no --since"                           },
        {"get a -f x",                                                         2, "takes no -f"                                },
        {"get a -5",                                                           2, NULL                                         },
        {"get a --timeout x",                                                  2, "duration"                                   },
        {"get a --timeout 0",                                                  2, NULL                                         },
        {"get a --server host:",                                               2, "--server"                                   },
        {"get a --server unix:",                                               2, "--server"                                   },
        {"get a --help=3",                                                     2, NULL                                         },
        {"put",                                                                2, "name the object"                            },
        {"put a",                                                              2, "document is missing"                        },
        {"put jobs/a",                                                         2, "document is missing"                        },
        {"put a b {}  c",                                                      2, "unexpected argument"                        },
        {"put a/b c {}",                                                       2, "one word too many"                          },
        {"put a {} --if-rv 0",                                                 2, "1 or more"                                  },
        {"put a {} --if-uid x",                                                2, "36 characters"                              },
        {"put a {} --subresource scale",                                       2, "\"status\" only"                            },
        {"put a {} --subresource status --keep-status",                        2, "exclude each other"                         },
        {"put a {} --if-absent --if-uid 01234567-89ab-4cde-8f01-23456789abcd", 2,
         "exclude each other"                                                                                                  },
        {"patch a {} --type strategic",                                        2, "merge or json"                              },
        {"patch a {} --type json",                                             9, "a JSON array is wanted, not an object"      },
        {"patch a []",                                                         9, "a JSON object is wanted, not an array"      },
        {"delete jobs --all --if-uid 01234567-89ab-4cde-8f01-23456789abcd",    2, "one object"                                 },
        {"put a {} --if-rv -1",                                                2, NULL                                         },
        {"put a {} --if-rv x",                                                 2, "1 or more"                                  },
        {"put a {} --if-rv 007",                                               2, "1 or more"                                  },
        {"put a {} --if-rv 3 --if-absent",                                     2, "exclude each other"                         },
        {"put a {} -f -",                                                      2, "once"                                       },
        {"put a {} -A",                                                        2, "takes no -A"                                },
        {"put a {} -o yaml",                                                   2, "name|json"                                  },
        {"put a {} -o table",                                                  2, NULL                                         },
        {"delete",                                                             2, "name the object"                            },
        {"delete a b c",                                                       2, NULL                                         },
        {"transact",                                                           2, "-f FILE"                                    },
        {"transact x",                                                         2, "unexpected argument"                        },
        {"put a {} --ttl x",                                                   2, "duration"                                   },
        {"get a --ttl 3s",                                                     2, "takes no --ttl"                             },
        {"delete a --cascade x",                                               2, "background or orphan"                       },
        {"delete a --all --cascade orphan",                                    2, "for one object"                             },
        {"delete a/b -l x",                                                    2, "not both"                                   },
        {"delete a b --all",                                                   2, "not both"                                   },
        {"delete -l x",                                                        2, "name the RESOURCE"                          },
        {"delete a --all -l x",                                                2, "exclude each other"                         },
        {"delete a --all --if-rv 3",                                           2, "for one object"                             },
        {"delete a --all -o json",                                             2, "-o name"                                    },
        {"delete a -A",                                                        2, "a selector or --all"                        },
        {"patch",                                                              2, "name the object"                            },
        {"patch a",                                                            2, "patch is missing"                           },
        {"patch {} -p {}",                                                     2, "once"                                       },
        {"patch -p {}",                                                        2, "name the object"                            },
        {"patch a -p {} -f -",                                                 2, "exclude each other"                         },
        {"watch",                                                              2, "name a RESOURCE"                            },
        {"watch a --since x",                                                  2, "--since wants"                              },
        {"watch a --since -1",                                                 2, NULL                                         },
        {"watch a --since 1.5",                                                2, "--since wants"                              },
        {"watch a --since 18446744073709551616",                               2, "--since wants"                              },
        {"watch a --count x",                                                  2, "whole number"                               },
        {"watch a --count=-1",                                                 2, NULL                                         },
        {"watch a --for x",                                                    2, "duration"                                   },
        {"watch a -o yaml",                                                    2, "table|wide|json|name"                       },
        {"watch a --cuont 3",                                                  2, "did you mean --count"                       },
        {"import",                                                             2, "FILE"                                       },
        {"import a b",                                                         2, "unexpected argument \"b\""                  },
        {"export a b c",                                                       2, NULL                                         },
        {"status x",                                                           2, "unexpected argument \"x\""                  },
        {"compact x",                                                          2, "number of 1 or more"                        },
        {"compact 0",                                                          2, "number of 1 or more"                        },
        {"compact 1 2",                                                        2, NULL                                         },
        {"subscriptions x",                                                    2, "neither list nor end"                       },
        {"subscriptions end",                                                  2, "either an ID"                               },
        {"subscriptions end x --client-id y",                                  2, "either an ID"                               },
        {"subscriptions list x",                                               2, "unexpected argument"                        },
        {"completion",                                                         2, "bash or zsh"                                },
        {"completion tcsh",                                                    2, "bash or zsh"                                },
        {"version x",                                                          2, NULL                                         },
 /* What is given is understood, and no document. */
        {"put a {",                                                            9, "no valid JSON"                              },
        {"put a nonsense",                                                     9, "no valid JSON"                              },
        {"put a 5",                                                            9, "a number"                                   },
        {"put a [1]",                                                          9, "an array"                                   },
        {"put a '\"x\"'",                                                      9, "a string"                                   },
        {"put a '{\"a\":1,\"a\":2}'",                                          9, "a"                                          },
        {"put a '{} {}'",                                                      9, "no valid JSON"                              },
        {"patch a {",                                                          9, "no valid JSON"                              },
        {"patch a -p []",                                                      9, "an array"                                   },
 /* Files that are not there. */
        {"put a -f /nonexistent/file",                                         1, "cannot read /nonexistent/file: No such file"},
        {"patch a -f /nonexistent/file",                                       1, "cannot read"                                },
        {"import /nonexistent/file",                                           1, "cannot read"                                },
        {"get a --token-file /nonexistent/file",                               1, "token file"                                 },
    };
    check(cases, COUNT(cases), "");
}

static void documents_on_stdin_are_checked_first(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *input;
        int code;
        const char *says;
    } cases[] = {
        {"put -f -",                                        "",                                                9, "holds no document"  },
        {"put -f -",                                        "a: [",                                            9, "stdin: line"        },
        {"put -f -",                                        "a: 1\n",                                          9, "no metadata.name"   },
        {"put a -f -",                                      "a: 1\n",                                          7, NULL                 },
        {"put -f -",                                        "metadata: {name: a}\n---\nmetadata: {name: b}\n", 7, NULL                 },
        {"put a -f -",                                      "a: 1\n---\nb: 1\n",                               2, "holds 2 documents"  },
        {"patch a -f -",                                    "a: 1\n---\nb: 1\n",                               2, "one patch is wanted"},
        {"put a -f -",                                      "y: yes\ny: no\n",                                 9, "is there twice"     },
        {"apply -f -",                                      "",                                                9, "holds no document"  },
        {"apply -f -",                                      "a: 1\n",                                          9, "no metadata.name"   },
        {"apply -f - --force-conflicts --field-manager ci",
         "metadata: {name: a}\n---\nmetadata: {name: b}\n",                                                    7, NULL                 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct outcome o;
        run(cases[i].line, cases[i].input, &o);
        if (o.code != cases[i].code ||
            (cases[i].says != NULL && strstr(o.err, cases[i].says) == NULL)) {
            fail_msg("\"%s\" ends with %d and says \"%s\"", cases[i].line, o.code, o.err);
        }
    }
}

static void every_command_has_help_with_its_options(void **state)
{
    (void)state;
    static struct outcome o;
    static struct outcome again;
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = commands[i];
        CLEANUP(freep) char *by_option = mem_printf("%s --help", c->name);
        CLEANUP(freep) char *by_command = mem_printf("help %s", c->name);
        run(by_option, "", &o);
        run(by_command, "", &again);
        assert_int_equal(o.code, 0);
        assert_string_equal(o.out, again.out);
        assert_string_equal(o.err, "");
        for (size_t k = 0; k < c->n_options; k++) {
            CLEANUP(freep) char *name = mem_printf("--%s", c->options[k].name);
            assert_case(strstr(o.out, name) != NULL, name);
        }
        assert_case(strstr(o.out, "--server") != NULL, c->name);
        bool shown = strcmp(c->name, "version") == 0 || strstr(o.out, "Examples:") != NULL;
        assert_case(shown, c->name);
    }
    run("--help", "", &o);
    assert_int_equal(o.code, 0);
    for (size_t i = 0; i < commands_count; i++) {
        assert_case(strstr(o.out, commands[i]->name) != NULL, commands[i]->name);
    }
    run("help", "", &again);
    assert_string_equal(o.out, again.out);
    run("--version", "", &o);
    run("version", "", &again);
    assert_string_equal(o.out, "watchctl " WATCHD_VERSION "\n");
    assert_string_equal(o.out, again.out);
}

/* Otherwise an option's value in front of the command could not be told from the command. */
static void an_option_is_the_same_in_all_commands(void **state)
{
    (void)state;
    struct option all[512];
    size_t n = 0;
    for (size_t i = 0; i < commands_count; i++) {
        struct option own[COMMAND_OPTIONS_MAX];
        size_t count = command_options(commands[i], own);
        for (size_t k = 0; k < count; k++) {
            assert_true(n < COUNT(all));
            all[n++] = own[k];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            bool same_name = strcmp(all[i].name, all[k].name) == 0;
            bool same_letter = all[i].letter != 0 && all[i].letter == all[k].letter;
            if (same_name || same_letter) {
                assert_case(same_name && all[i].letter == all[k].letter &&
                                all[i].kind == all[k].kind && all[i].offset == all[k].offset,
                            all[i].name);
            }
        }
    }
}

static void every_example_is_a_right_line(void **state)
{
    (void)state;
    static struct outcome o;
    for (size_t i = 0; i < commands_count; i++) {
        CLEANUP(freep)
        char *examples = mem_strdup(commands[i]->examples != NULL ? commands[i]->examples : "");
        char *rest = examples;
        for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
            /* Up to a pipe or a redirection; files are not there. */
            char *end = strpbrk(line, "|<>");
            bool whole = end == NULL;
            if (strncmp(line, "watchctl ", 9) != 0) {
                continue;
            }
            if (!whole) {
                *end = '\0';
            }
            bool watch = commands[i]->run == watch_run;
            CLEANUP(freep) char *run_line = mem_printf("%s%s", line + 9, watch ? " --for 1ms" : "");
            run(run_line, "", &o);
            if (o.code == 2 || o.code == 9) {
                fail_msg("\"%s\" ends with %d and says \"%s\"", run_line, o.code, o.err);
            }
        }
    }
}

int main(void)
{
    (void)setenv("GRPC_VERBOSITY", "NONE", 1);
    (void)setenv("WATCHCTL_SERVER", NOWHERE, 1);
    (void)setenv("WATCHCTL_TIMEOUT", "30ms", 1);
    (void)unsetenv("WATCHCTL_TOKEN_FILE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_lines_get_as_far_as_connecting),
        cmocka_unit_test(the_reason_of_a_failed_connection_is_told),
        cmocka_unit_test(wrong_lines_are_refused_before_that),
        cmocka_unit_test(documents_on_stdin_are_checked_first),
        cmocka_unit_test(every_command_has_help_with_its_options),
        cmocka_unit_test(an_option_is_the_same_in_all_commands),
        cmocka_unit_test(every_example_is_a_right_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

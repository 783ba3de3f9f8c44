/* SPDX-License-Identifier: Apache-2.0 */
/* argv becomes a command, its options and its words. */
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/output.h"

/* `list` is words with commas between. */
static bool listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len == n && strncmp(at, word, n) == 0) {
            return true;
        }
        at += len + (at[len] == ',');
    }
    return false;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(commands[i]->name, name) == 0 || listed(commands[i]->aliases, name)) {
            return commands[i];
        }
    }
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < commands_count && n < 64; i++) {
        names[n++] = commands[i]->name;
    }
    return nearest_word(name, names, n);
}

size_t command_options(const struct command *c, struct option ret[COMMAND_OPTIONS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; c != NULL && i < c->n_options; i++) {
        ret[n++] = c->options[i];
    }
    for (size_t i = 0; i < global_options_count; i++) {
        ret[n++] = global_options[i];
    }
    return n;
}

/* Any command's option of this name or letter. */
static const struct option *any_option(const char *name, size_t n, char letter)
{
    for (size_t i = 0; i <= commands_count; i++) {
        const struct option *table = i < commands_count ? commands[i]->options : global_options;
        size_t count = i < commands_count ? commands[i]->n_options : global_options_count;
        for (size_t k = 0; k < count; k++) {
            bool same = n > 0 ? strlen(table[k].name) == n && strncmp(table[k].name, name, n) == 0
                              : table[k].letter == letter;
            if (same) {
                return &table[k];
            }
        }
    }
    return NULL;
}

/* Does this option word take the next one as its value? */
static bool takes_next(const char *word)
{
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        const struct option *o = n > 0 ? any_option(word + 2, n, 0) : NULL;
        return o != NULL && o->kind != OPTION_FLAG && word[2 + n] == '\0';
    }
    for (const char *c = word + 1; *c != '\0'; c++) {
        const struct option *o = any_option(NULL, 0, *c);
        if (o == NULL || o->kind != OPTION_FLAG) {
            return o != NULL && c[1] == '\0';
        }
    }
    return false;
}

int command_word(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return i + 1 < argc ? i + 1 : 0;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            return i;
        }
        i += takes_next(argv[i]);
    }
    return 0;
}

int command_output(const struct cli *cli, const char **ret)
{
    const char *list = cli->command->outputs != NULL ? cli->command->outputs : "";
    if (cli->options.output == NULL) {
        static char first[32];
        size_t n = strcspn(list, ",");
        memcpy(first, list, n);
        first[n] = '\0';
        *ret = first;
        return 0;
    }
    if (!listed(list, cli->options.output)) {
        CLEANUP(freep) char *known = mem_strdup(list);
        for (char *c = known; *c != '\0'; c++) {
            *c = *c == ',' ? '|' : *c;
        }
        return cli_usage(cli, "-o wants one of %s, not \"%s\"", known, cli->options.output);
    }
    *ret = cli->options.output;
    return 0;
}

/* An option that another command has: worth a word more than "unknown". */
static int parse_failed(const struct cli *cli, const struct err *err)
{
    const char *word = err->field;
    bool is_option = word[0] == '-' && strstr(err->msg, "unknown option") != NULL;
    const struct option *o = NULL;
    if (is_option && word[1] == '-') {
        o = any_option(word + 2, strlen(word + 2), 0);
    } else if (is_option && word[1] != '\0' && word[2] == '\0') {
        o = any_option(NULL, 0, word[1]);
    }
    if (o != NULL && cli->command != NULL) {
        return cli_usage(cli, "'watchctl %s' takes no %s", cli->command->name, word);
    }
    return cli_usage(cli, "%s", err->msg);
}

static int no_command(struct cli *cli, int argc, char **argv)
{
    struct err err;
    size_t n_words = 0;
    if (options_parse(global_options, global_options_count, argc - 1, argv + 1, true, &cli->options,
                      NULL, 0, &n_words, &err) != OK) {
        return parse_failed(cli, &err);
    }
    if (cli->options.version) {
        return version_run(cli, NULL);
    }
    if (cli->options.help) {
        return help_general(stdout);
    }
    (void)help_general(stderr);
    return EXIT_CODE_USAGE;
}

static int unknown_command(const struct cli *cli, const char *name)
{
    const char *nearest = command_nearest(name);
    if (nearest != NULL) {
        return cli_usage(cli, "unknown command \"%s\"; did you mean \"%s\"?", name, nearest);
    }
    return cli_usage(cli, "unknown command \"%s\"", name);
}

static int run(struct cli *cli, const struct words *words)
{
    if (cli->options.help) {
        return help_command(cli->command, stdout);
    }
    if (cli->options.version) {
        return version_run(cli, words);
    }
    if (words->n > cli->command->max_words) {
        return cli_usage(cli, "unexpected argument \"%s\"", words->v[cli->command->max_words]);
    }
    if (cli->options.all_namespaces && cli->options.ns != NULL) {
        return cli_usage(cli, "--all-namespaces and --namespace exclude each other");
    }
    int code = cli->command->run(cli, words);
    int flushed = cli_flush();
    cli_close(cli);
    return code != 0 ? code : flushed;
}

int command_main(int argc, char **argv)
{
    struct cli cli = {0};
    output_open();
    int at = command_word(argc, argv);
    if (at == 0) {
        return no_command(&cli, argc, argv);
    }
    cli.command = command_find(argv[at]);
    if (cli.command == NULL) {
        return unknown_command(&cli, argv[at]);
    }
    char **rest = mem_alloc((size_t)argc * sizeof(*rest));
    int n = 0;
    for (int i = 1; i < argc; i++) {
        if (i != at) {
            rest[n++] = argv[i];
        }
    }
    struct option table[COMMAND_OPTIONS_MAX];
    size_t count = command_options(cli.command, table);
    struct words words = {0};
    struct err err;
    enum errc rc = options_parse(table, count, n, rest, true, &cli.options, words.v,
                                 COMMAND_WORDS_MAX, &words.n, &err);
    free(rest);
    return rc == OK ? run(&cli, &words) : parse_failed(&cli, &err);
}

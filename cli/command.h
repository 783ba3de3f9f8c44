/* SPDX-License-Identifier: Apache-2.0 */
/* The commands: one table from which parsing, help and completion come. */
#ifndef WATCHD_CLI_COMMAND_H
#define WATCHD_CLI_COMMAND_H

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "store/base/option.h"

#define COMMAND_WORDS_MAX   8
#define COMMAND_OPTIONS_MAX 32

struct catalog;

struct words {
    const char *v[COMMAND_WORDS_MAX];
    size_t n;
};

struct command {
    const char *name;
    const char *aliases;          /* by comma; NULL: none */
    const char *summary;          /* a line of the list of commands */
    const char *usage;            /* lines, each what follows "watchctl " */
    const char *details;          /* paragraphs; lines are not broken again */
    const char *examples;         /* lines */
    const struct option *options; /* of its own, besides the global ones */
    size_t n_options;
    size_t max_words;
    const char *outputs; /* for -o, by comma, the default first; NULL: no -o */
    int (*run)(struct cli *cli, const struct words *words);
};

extern const struct command *const commands[]; /* as help lists them */
extern const size_t commands_count;
extern const struct option global_options[];
extern const size_t global_options_count;

/* By name or alias; NULL. */
const struct command *command_find(const char *name);
/* The nearest name, for "did you mean"; NULL. */
const char *command_nearest(const char *name);
/* The command's and the global options in one table. Returns how many. */
size_t command_options(const struct command *c, struct option ret[COMMAND_OPTIONS_MAX]);

/* Index of the word that names the command in argv[1 … argc-1]; options of any command and their
 * values may stand before it. 0: there is none. */
int command_word(int argc, char *const *argv);

/* What -o says: one of the command's outputs ("" when -o was not given and there is no default).
 * Returns 0 or the exit code of an unknown one. */
int command_output(const struct cli *cli, const char **ret);

/* Sends one write and shows what became of it as -o says. Returns an exit code (cmd_write.c). */
int command_write(const struct cli *cli, struct watch_write *w, const char *output);
/* The same, with the document as what it says. */
int command_write_document(const struct cli *cli, struct watch_write *w, const json_t *document,
                           const char *output);
/* Says why an apply was refused, each field and its owner. Returns the exit code (cmd_apply.c). */
int apply_complain(const struct cli *cli, const struct watch_write *w,
                   const struct watch_error *error);
/* Whether a write is of the status or of all but it. Returns 0 or an exit code. */
int command_subresource(const struct cli *cli, bool *ret_status);
/* The documents that -f names, added to *ret. Returns 0 or an exit code. */
int command_read_files(const struct cli *cli, struct documents *ret);
/* Where a document that names itself belongs: its namespace, unless -n names one, and by its kind
 * its resource (into `guessed`). Returns 0 or an exit code. */
int command_aim(const struct cli *cli, struct catalog *catalog, const struct identity *identity,
                char guessed[ARGS_RESOURCE_MAX], struct watch_write *w);
/* Does it make sense to go on with the next document after this exit code? */
bool command_goes_on(int code);
/* "jobs/build updated (version 97)"; of an object that a delete only marks, so. */
void command_say_written(const struct cli *cli, const struct watch_written *w, bool by_delete);

/* Parses argv and runs. The whole program. */
int command_main(int argc, char **argv);

/* cmd_*.c */
int put_run(struct cli *cli, const struct words *words);
int apply_run(struct cli *cli, const struct words *words);
int patch_run(struct cli *cli, const struct words *words);
int delete_run(struct cli *cli, const struct words *words);
int transact_run(struct cli *cli, const struct words *words);
int get_run(struct cli *cli, const struct words *words);
int history_run(struct cli *cli, const struct words *words);
int diff_run(struct cli *cli, const struct words *words);
int undo_run(struct cli *cli, const struct words *words);
int watch_run(struct cli *cli, const struct words *words);
int import_run(struct cli *cli, const struct words *words);
int export_run(struct cli *cli, const struct words *words);
int resources_run(struct cli *cli, const struct words *words);
int status_run(struct cli *cli, const struct words *words);
int compact_run(struct cli *cli, const struct words *words);
int metrics_run(struct cli *cli, const struct words *words);
int subscriptions_run(struct cli *cli, const struct words *words);
int help_run(struct cli *cli, const struct words *words);
int version_run(struct cli *cli, const struct words *words);
int completion_run(struct cli *cli, const struct words *words);

#endif

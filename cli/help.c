/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

#define HELP_MAX (256 << 10)

/* Each line of `text` behind `prefix`. */
static void lines(const char *text, const char *prefix, struct buf *out)
{
    while (text != NULL && *text != '\0') {
        size_t n = strcspn(text, "\n");
        if (n > 0) {
            buf_printf(out, "%s%.*s", prefix, (int)n, text);
        }
        buf_addc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

static int show(const struct buf *out, FILE *to)
{
    (void)fwrite(out->p, 1, out->n, to);
    return to == stdout ? cli_flush() : 0;
}

int help_general(FILE *to)
{
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, HELP_MAX);
    buf_adds(&out, STR("watchctl reads, writes and watches the objects of watchd.\n\n"
                       "Usage: watchctl COMMAND [OPTION]… [ARGUMENT]…\n\nCommands:\n"));
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(&out, "  %-15s %s\n", commands[i]->name, commands[i]->summary);
    }
    buf_adds(&out, STR("\nOptions of all commands:\n"));
    options_help(global_options, global_options_count, &out);
    buf_adds(&out, STR("\n" HELP_WORDS "\n"
                       "Exit codes: " HELP_CODES "\n"
                       "'watchctl help COMMAND' shows more on a command, with examples. To begin:\n"
                       "  watchctl put greeting '{\"text\":\"hello\"}'\n"
                       "  watchctl watch objects\n"));
    return show(&out, to);
}

int help_command(const struct command *c, FILE *to)
{
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, HELP_MAX);
    buf_printf(&out, "%s.\n\nUsage:\n", c->summary);
    lines(c->usage, "  watchctl ", &out);
    if (c->aliases != NULL) {
        buf_printf(&out, "\nAlso: %s\n", c->aliases);
    }
    if (c->details != NULL) {
        buf_addc(&out, '\n');
        lines(c->details, "", &out);
    }
    if (c->examples != NULL) {
        buf_adds(&out, STR("\nExamples:\n"));
        lines(c->examples, "  ", &out);
    }
    if (c->n_options > 0) {
        buf_adds(&out, STR("\nOptions:\n"));
        options_help(c->options, c->n_options, &out);
    }
    buf_adds(&out, STR("\nOptions of all commands:\n"));
    options_help(global_options, global_options_count, &out);
    return show(&out, to);
}

int help_run(struct cli *cli, const struct words *words)
{
    if (cli->options.man) {
        return manual_show(stdout);
    }
    if (words->n == 0) {
        return help_general(stdout);
    }
    const struct command *c = command_find(words->v[0]);
    if (c == NULL) {
        const char *nearest = command_nearest(words->v[0]);
        return nearest != NULL ? cli_usage(cli, "unknown command \"%s\"; did you mean \"%s\"?",
                                           words->v[0], nearest)
                               : cli_usage(cli, "unknown command \"%s\"", words->v[0]);
    }
    return help_command(c, stdout);
}

int version_run(struct cli *cli, const struct words *words)
{
    (void)cli;
    (void)words;
    printf("watchctl %s\n", WATCHD_VERSION);
    return cli_flush();
}

/* ---- Completion ---------------------------------------------------------------------------- */

static void completion_options(const struct command *c, struct buf *out)
{
    struct option table[COMMAND_OPTIONS_MAX];
    size_t n = command_options(c, table);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s--%s", i > 0 ? " " : "", table[i].name);
    }
}

static void command_names(struct buf *out)
{
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(out, "%s%s", i > 0 ? " " : "", commands[i]->name);
    }
}

static void completion_bash(struct buf *out)
{
    buf_adds(
        out,
        STR("# completion of watchctl; use it with: source <(watchctl completion bash)\n"
            "_watchctl() {\n"
            "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
            "    local command= i options= outputs=\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        case \"${COMP_WORDS[i]}\" in\n"
            "        -*) ;;\n"));
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = commands[i];
        buf_printf(out, "        %s) command=%s; options='", c->name, c->name);
        completion_options(c, out);
        buf_addc(out, '\'');
        if (c->outputs != NULL) {
            buf_printf(out, "; outputs='%s'", c->outputs);
        }
        buf_adds(out, STR("; break ;;\n"));
    }
    buf_adds(
        out,
        STR("        esac\n"
            "    done\n"
            "    case \"$before\" in\n"
            "    -f | --file | --token-file) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
            "    -o | --output) COMPREPLY=($(compgen -W \"${outputs//,/ }\" -- \"$word\")); return "
            ";;\n"
            "    esac\n"
            "    if [[ -z $command && $word != -* ]]; then\n"
            "        COMPREPLY=($(compgen -W '"));
    command_names(out);
    buf_adds(out, STR("' -- \"$word\"))\n"
                      "    elif [[ $word == -* ]]; then\n"
                      "        COMPREPLY=($(compgen -W \"${options:-"));
    completion_options(NULL, out);
    buf_adds(out, STR("}\" -- \"$word\"))\n"
                      "    else\n"
                      "        case \"$command\" in\n"
                      "        get | watch | delete | patch | put)\n"
                      "            COMPREPLY=($(compgen -W \"$(watchctl get all -o name --timeout "
                      "1s 2> /dev/null)\" -- \"$word\")) ;;\n"
                      "        import) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                      "        help) COMPREPLY=($(compgen -W '"));
    command_names(out);
    buf_adds(out,
             STR("' -- \"$word\")) ;;\n"
                 "        subscriptions) COMPREPLY=($(compgen -W 'list end' -- \"$word\")) ;;\n"
                 "        completion) COMPREPLY=($(compgen -W 'bash zsh' -- \"$word\")) ;;\n"
                 "        esac\n"
                 "    fi\n"
                 "}\n"
                 "complete -F _watchctl watchctl\n"));
}

int completion_run(struct cli *cli, const struct words *words)
{
    const char *shell = words->n > 0 ? words->v[0] : "";
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, HELP_MAX);
    if (strcmp(shell, "zsh") == 0) {
        buf_adds(&out, STR("autoload -U +X bashcompinit && bashcompinit\n"));
    } else if (strcmp(shell, "bash") != 0) {
        return cli_usage(cli, "completion wants bash or zsh");
    }
    completion_bash(&out);
    return show(&out, stdout);
}

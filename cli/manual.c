/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page of watchctl, made from the table of commands. */
#include "cli/help.h"
#include "store/base/man.h"

#define MANUAL_MAX (1 << 20)

static void manual_command(const struct command *c, struct buf *out)
{
    man_subsection(c->name, out);
    CLEANUP(freep) char *summary = mem_printf("%s.", c->summary);
    man_text(summary, out);
    if (c->aliases != NULL) {
        CLEANUP(freep) char *also = mem_printf("Also: %s.", c->aliases);
        man_text(also, out);
    }
    man_text("\n", out);
    man_lines(c->usage, "watchctl", out);
    if (c->details != NULL) {
        man_text("\n", out);
        man_text(c->details, out);
    }
    man_options(c->options, c->n_options, out);
    if (c->examples != NULL) {
        man_text("\nExamples:\n\n", out);
        man_lines(c->examples, "", out);
    }
}

int manual_show(FILE *to)
{
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, MANUAL_MAX);
    man_begin("watchctl", 1, "read, write and watch the objects of watchd", &out);
    man_section("SYNOPSIS", &out);
    man_lines("COMMAND [OPTION]… [ARGUMENT]…", "watchctl", &out);
    man_section("DESCRIPTION", &out);
    man_text(
        "watchctl talks to watchd(8), which keeps JSON objects and streams their changes. Objects\n"
        "and events go to standard output, and all else to standard error.\n"
        "\n" HELP_WORDS,
        &out);
    man_section("COMMANDS", &out);
    for (size_t i = 0; i < commands_count; i++) {
        manual_command(commands[i], &out);
    }
    man_section("OPTIONS OF ALL COMMANDS", &out);
    man_options(global_options, global_options_count, &out);
    man_section("ENVIRONMENT", &out);
    man_environment(global_options, global_options_count, &out);
    man_section("EXIT STATUS", &out);
    man_text(HELP_CODES, &out);
    man_section("SEE ALSO", &out);
    man_text("watchd(8)", &out);
    (void)fwrite(out.p, 1, out.n, to);
    return cli_flush();
}

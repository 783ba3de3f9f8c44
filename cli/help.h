/* SPDX-License-Identifier: Apache-2.0 */
/* Help, the manual page and completion, made from the table of commands. */
#ifndef WATCHD_CLI_HELP_H
#define WATCHD_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* What all commands have in common. */
#define HELP_WORDS                                                                         \
    "RESOURCE is a plural noun, \"objects\" where none is named. Durations: 250ms, 90s,\n" \
    "5m, 1h30m, 2d.\n"
#define HELP_CODES                                                                  \
    "0 ok, 1 other, 2 usage, 3 not found, 4 conflict or exists, 5 no answer\n"      \
    "in time, 6 history expired, future or foreign, 7 never connected, 8 denied,\n" \
    "9 invalid input, 11 outcome unknown, 130 interrupted.\n"

/* All print and return an exit code. */
int help_general(FILE *to);
int help_command(const struct command *c, FILE *to);
int manual_show(FILE *to); /* manual.c */

#endif

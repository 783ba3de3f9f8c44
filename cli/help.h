/* SPDX-License-Identifier: Apache-2.0 */
/* Help and completion, made from the table of commands. */
#ifndef WATCHD_CLI_HELP_H
#define WATCHD_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* Both print and return 0. */
int help_general(FILE *to);
int help_command(const struct command *c, FILE *to);

#endif

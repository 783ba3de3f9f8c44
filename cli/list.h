/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, page by page. */
#ifndef WATCHD_CLI_LIST_H
#define WATCHD_CLI_LIST_H

#include "cli/args.h"
#include "cli/cli.h"

/* The selection that a command's words and options mean. Borrows from both. */
void selection_of(const struct cli *cli, const struct target *target, struct watch_selection *ret);

/* Called with each page, the first one included if it is empty. Not 0 ends the list with that. */
typedef int list_page_fn(void *arg, const struct watch_page *page);
/* Returns 0 or an exit code after having said what failed. */
int list_each(const struct cli *cli, const struct watch_selection *selection, list_page_fn *fn,
              void *arg);

/* Shows a list: table, wide, json, yaml, name. */
int list_show(const struct cli *cli, const struct target *target, const char *output);

#endif

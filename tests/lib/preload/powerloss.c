/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program that links SQLite, makes the powerloss VFS its default. */
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "tests/lib/powerloss_vfs.h"

/* The settings are those of our engine, which finds SQLite initialised and cannot change them. */
__attribute__((constructor)) static void preload(void)
{
    powerloss_plan_from_env();
    if (sqlite3_config(SQLITE_CONFIG_MULTITHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK ||
        powerloss_register(true) != SQLITE_OK) {
        fputs("powerloss: cannot become SQLite's default VFS\n", stderr);
        abort();
    }
}

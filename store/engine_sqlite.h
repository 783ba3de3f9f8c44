/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine: one file, WAL, one connection that writes, commits and checkpoints.
 * The only place that knows SQL is engine_sqlite.c with engine_schema.c. */
#ifndef WATCHD_ENGINE_SQLITE_H
#define WATCHD_ENGINE_SQLITE_H

#include "store/engine.h"

struct engine_sqlite_options {
    const char *path;     /* of the database; made if absent, mode 0600 */
    const char *vfs;      /* SQLite VFS to use; NULL: the default. For tests. */
};

/* Opens or makes the database, takes the lock file beside it, migrates, recovers.
 * Errors: ERR_INVALID: not our file, or newer than this program; ERR_DENIED: no access;
 * ERR_EXISTS: another process has it (the message names its pid); ERR_DATA_LOSS: corrupt;
 * ERR_UNAVAILABLE, ERR_STORAGE_FULL. */
enum errc engine_sqlite_open(const struct engine_sqlite_options *opt, struct engine **ret,
                             struct err *err) NODISCARD;

#endif

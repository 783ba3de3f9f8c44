/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine: one file, WAL, one connection that writes, commits and checkpoints.
 * The only place that knows SQL is engine_sqlite*.c with engine_schema.c. */
#ifndef WATCHD_ENGINE_SQLITE_H
#define WATCHD_ENGINE_SQLITE_H

#include "store/engine.h"

struct engine_sqlite_options {
    const char *path; /* of the database; made if absent, mode 0600 */
    const char *vfs;  /* SQLite VFS to use; NULL: the default. For tests. */
    int64_t
        max_bytes; /* of the file; writes that would pass it end with ERR_STORAGE_FULL; 0: none */
    bool no_sync;  /* Nothing is synced: a fault that tests plant. Never set elsewhere. */
    /* For tests. */
    size_t fold_events; /* not many more are ever not folded; 0: 1,000,000 */
    size_t fold_rows;   /* of a pass that go with one commit; 0: by its changes */
};

/* Opens or makes the database, takes the lock file beside it, migrates, recovers.
 * Errors: ERR_INVALID: not our file, or newer than this program, or no such folder; ERR_DENIED: no
 * access; ERR_EXISTS: another process has it (the message names its pid); ERR_DATA_LOSS: corrupt;
 * ERR_UNAVAILABLE, ERR_STORAGE_FULL. */
enum errc engine_sqlite_open(const struct engine_sqlite_options *opt, struct engine **ret,
                             struct err *err) NODISCARD;

/* Of the SQLite that is linked: "3.40.1". */
const char *engine_sqlite_version(void);

/* The last process that had the file open did not close it. Any thread. */
bool engine_sqlite_was_unclean(const struct engine *e);

/* Walks the whole file on a connection of its own and looks for damage; takes seconds per gigabyte,
 * so it belongs on a thread of its own. The engine must not be closed meanwhile.
 * Errors: ERR_DATA_LOSS, saying what is wrong; ERR_UNAVAILABLE; ERR_CANCELLED. */
enum errc engine_sqlite_quick_check(struct engine *e, struct err *err) NODISCARD;
/* Makes a running check, and every later one, end soon. Any thread. */
void engine_sqlite_cancel_check(struct engine *e);

#endif

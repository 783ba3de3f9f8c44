/* SPDX-License-Identifier: Apache-2.0 */
/* The locks of a database: at most one process has it open. The lock file beside it says whose it
 * is; the lock on the database itself holds also where the file has another name, or lost its lock
 * file. Owned by the engine. Threads: one at a time. See: fcntl(2), "Open file description locks";
 * https://sqlite.org/howtocorrupt.html, 2.2. */
#ifndef WATCHD_ENGINE_LOCK_H
#define WATCHD_ENGINE_LOCK_H

#include "store/base/err.h"

/* The one true path of a database that exists or is to be made: its folder must exist. Two names
 * of one file give one path; a file with more than one hard link is refused, since each name would
 * have a lock and a write-ahead log of its own. *ret is new.
 * Errors: ERR_INVALID: no such folder, or not a plain file; ERR_DENIED. */
enum errc engine_path(const char *path, char **ret, struct err *err) NODISCARD;

/* Takes <path>.lock and writes our pid into it; `path` is from engine_path. *ret_fd holds the lock
 * until engine_lock_release, or the end of the process. The file stays: to remove it would let two
 * processes lock two files of that name.
 * Errors: ERR_EXISTS: another has it (names its pid); ERR_DENIED; ERR_UNAVAILABLE. */
enum errc engine_lock_take(const char *path, int *ret_fd, struct err *err) NODISCARD;
/* Locks a byte of the database at `path`, which exists, where SQLite never looks. The lock belongs
 * to *ret_fd, not to the process, so that SQLite's own descriptors may come and go. SQLite's locks
 * belong to the process and go when *ret_fd is closed: let it be after its connections are.
 * Errors: as engine_lock_take. */
enum errc engine_lock_database(const char *path, int *ret_fd, struct err *err) NODISCARD;
void engine_lock_release(int fd); /* -1 is fine. */

#endif

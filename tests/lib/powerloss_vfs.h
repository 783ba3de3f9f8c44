/* SPDX-License-Identifier: Apache-2.0 */
/* A SQLite VFS for tests, "powerloss": what is not synced stays in memory, so a test can lose the
 * power at any operation, and can make any operation fail.
 *
 * All connections of the process see one image of each file; only what xSync has accepted is in
 * the real file. So the end of the process, by whatever way, is the loss of all that was not
 * synced; a planned loss is worse: each unsynced write is kept, dropped or torn at sectors of 512
 * bytes, independently of the others. Making and removing a file is durable at once; locks and
 * shared memory are those of the real VFS, and temporary files go past us.
 *
 * It also works without the program's help: the shared object of target `powerloss`, preloaded,
 * makes it the default VFS, with a plan from the environment:
 *   WATCH_VFS_SEED=N             which of the many ways a loss goes
 *   WATCH_VFS_LOSE_AT=N          lose the power at the N-th operation, from 1
 *   WATCH_VFS_LOSE_WHEN=PATH     lose it at the first operation after this file has appeared
 *   WATCH_VFS_FAULT=KIND         ioerr, full, short or fsync
 *   WATCH_VFS_FAULT_OPS=A,B      open, read, write, truncate, sync, delete, size, shm; otherwise
 *                                those that suit the kind
 *   WATCH_VFS_FAULT_AT=N         the N-th of these operations fails, from 1; 1 if not given
 *   WATCH_VFS_FAULT_COUNT=N      and so do the next, N in all; 0: all from then on; 1 if not given
 *   WATCH_VFS_FAULT_MS=N         but none later than N ms after the first
 *   WATCH_VFS_FAULT_WHILE=PATH   and only while this file exists
 *   WATCH_VFS_FORGET=1           a failed sync forgets what it should have written, as Linux does
 *   WATCH_VFS_LIE=1              a disk whose sync does nothing
 * Threads: any; one lock for all. */
#ifndef WATCHD_TEST_POWERLOSS_VFS_H
#define WATCHD_TEST_POWERLOSS_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define POWERLOSS_NAME "powerloss"
#define POWERLOSS_EXIT 86 /* the status of a process that lost its power */

enum powerloss_op {
    PL_OPEN = 1,
    PL_READ = 2,
    PL_WRITE = 4,
    PL_TRUNCATE = 8,
    PL_SYNC = 16,
    PL_DELETE = 32,
    PL_SIZE = 64,
    PL_SHM = 128,
    PL_ALL = 255
};

enum powerloss_fault { PL_NO_FAULT, PL_IOERR, PL_FULL, PL_SHORT, PL_FSYNC };

struct powerloss_plan {
    uint64_t seed;
    long lose_at;          /* from 1, among operations that change something; 0: never */
    const char *lose_when; /* a path; borrowed */
    enum powerloss_fault fault;
    unsigned fault_ops;      /* 0: those that suit the fault */
    long fault_at;           /* from 1 */
    long fault_count;        /* 0: all from then on */
    long fault_ms;           /* 0: no end */
    const char *fault_while; /* a path; borrowed */
    bool forget;
    bool lie;
};

/* Makes the VFS known to SQLite; it stands on the one that was the default then. */
int powerloss_register(bool make_default);
/* From here on this plan; counting starts anew. */
void powerloss_plan(const struct powerloss_plan *plan);
void powerloss_plan_from_env(void);
/* Operations seen and faults injected since the plan was made. */
long powerloss_ops_seen(void);
long powerloss_faults_injected(void);

/* Copies a database and its side files as they would be found if the power were lost now; with
 * seed 0 all that is not synced is dropped. What lay there before is removed. */
bool powerloss_copy(const char *path, const char *to, uint64_t seed);

#endif

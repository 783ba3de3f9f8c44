/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/powerloss_vfs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/base/mem.h"
#include "tests/lib/powerloss_image.h"

struct file {
    sqlite3_file base;
    struct image *image;
    sqlite3_file real[]; /* the real VFS's own file; its size is known at run time */
};

static struct {
    pthread_mutex_t mu;
    sqlite3_vfs *under;
    struct image *images;
    struct powerloss_plan plan;
    uint64_t random;
    long changes;  /* operations that count for a loss */
    long matching; /* operations that count for a fault */
    long seen, injected;
    struct timespec first; /* fault */
} g = {.mu = PTHREAD_MUTEX_INITIALIZER, .random = 1};

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)f;
}

/* --- the plan ---------------------------------------------------------------------------- */

void powerloss_plan(const struct powerloss_plan *plan)
{
    pthread_mutex_lock(&g.mu);
    g.plan = *plan;
    if (g.plan.fault_ops == 0) {
        static const unsigned suits[] = {
            [PL_NO_FAULT] = 0,     [PL_IOERR] = PL_ALL,  [PL_FULL] = PL_WRITE,
            [PL_SHORT] = PL_WRITE, [PL_FSYNC] = PL_SYNC,
        };
        g.plan.fault_ops = suits[plan->fault];
    }
    g.random = (plan->seed + 1) * 0x9e3779b97f4a7c15ULL;
    g.changes = g.matching = g.seen = g.injected = 0;
    pthread_mutex_unlock(&g.mu);
}

static long env_long(const char *name, long def)
{
    const char *s = getenv(name);
    return s != NULL ? strtol(s, NULL, 10) : def;
}

static unsigned ops_parse(const char *s)
{
    static const char *const names[] = {"open", "read",   "write", "truncate",
                                        "sync", "delete", "size",  "shm"};
    unsigned ops = 0;
    for (size_t i = 0; s != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        ops |= strstr(s, names[i]) != NULL ? 1U << i : 0;
    }
    return ops;
}

void powerloss_plan_from_env(void)
{
    static const char *const faults[] = {"", "ioerr", "full", "short", "fsync"};
    struct powerloss_plan plan = {
        .seed = (uint64_t)env_long("WATCH_VFS_SEED", 0),
        .lose_at = env_long("WATCH_VFS_LOSE_AT", 0),
        .lose_when = getenv("WATCH_VFS_LOSE_WHEN"),
        .fault_ops = ops_parse(getenv("WATCH_VFS_FAULT_OPS")),
        .fault_at = env_long("WATCH_VFS_FAULT_AT", 1),
        .fault_count = env_long("WATCH_VFS_FAULT_COUNT", 1),
        .fault_ms = env_long("WATCH_VFS_FAULT_MS", 0),
        .fault_while = getenv("WATCH_VFS_FAULT_WHILE"),
        .forget = env_long("WATCH_VFS_FORGET", 0) != 0,
        .lie = env_long("WATCH_VFS_LIE", 0) != 0,
    };
    const char *fault = getenv("WATCH_VFS_FAULT");
    for (size_t i = 1; fault != NULL && i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(fault, faults[i]) == 0) {
            plan.fault = (enum powerloss_fault)i;
        }
    }
    powerloss_plan(&plan);
}

long powerloss_ops_seen(void)
{
    pthread_mutex_lock(&g.mu);
    long n = g.seen;
    pthread_mutex_unlock(&g.mu);
    return n;
}

long powerloss_faults_injected(void)
{
    pthread_mutex_lock(&g.mu);
    long n = g.injected;
    pthread_mutex_unlock(&g.mu);
    return n;
}

static bool loss_is_due(enum powerloss_op op)
{
    if ((op & (PL_OPEN | PL_WRITE | PL_TRUNCATE | PL_SYNC | PL_DELETE)) == 0) {
        return false;
    }
    g.changes++;
    return (g.plan.lose_at > 0 && g.changes >= g.plan.lose_at) ||
           (g.plan.lose_when != NULL && access(g.plan.lose_when, F_OK) == 0);
}

static void lose(void)
{
    for (const struct image *im = g.images; im != NULL; im = im->next) {
        image_lose_power(im, im->path, &g.random);
    }
    _exit(POWERLOSS_EXIT);
}

static bool file_copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    bool ok = in != NULL && out != NULL;
    char part[65536];
    for (size_t n; ok && (n = fread(part, 1, sizeof(part), in)) > 0;) {
        ok = fwrite(part, 1, n, out) == n;
    }
    if (in != NULL) {
        ok = fclose(in) == 0 && ok;
    }
    return out != NULL && fclose(out) == 0 && ok;
}

bool powerloss_copy(const char *path, const char *to, uint64_t seed)
{
    static const char *const files[] = {"", "-wal", "-journal", "-shm"};
    uint64_t random = (seed + 1) * 0x9e3779b97f4a7c15ULL;
    bool ok = true;
    pthread_mutex_lock(&g.mu);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && ok; i++) {
        CLEANUP(freep) char *from = mem_printf("%s%s", path, files[i]);
        CLEANUP(freep) char *copy = mem_printf("%s%s", to, files[i]);
        const struct image *im = image_find(g.images, from);
        (void)unlink(copy);
        if (access(from, F_OK) == 0 && strcmp(files[i], "-shm") != 0) {
            ok = file_copy(from, copy);
        }
        if (im != NULL && ok && seed != 0) {
            image_lose_power(im, copy, &random);
        }
    }
    pthread_mutex_unlock(&g.mu);
    return ok;
}

static bool fault_is_over(void)
{
    if (g.plan.fault_count != 0 && g.injected >= g.plan.fault_count) {
        return true;
    }
    if (g.plan.fault_ms == 0 || g.injected == 0) {
        return false;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - g.first.tv_sec) * 1000 + (now.tv_nsec - g.first.tv_nsec) / 1000000;
    return ms >= g.plan.fault_ms;
}

/* Counts an operation: must it fail? */
static bool fault_is_due(enum powerloss_op op)
{
    g.seen++;
    if (g.plan.fault == PL_NO_FAULT || (op & g.plan.fault_ops) == 0) {
        return false;
    }
    if (g.plan.fault_while != NULL && access(g.plan.fault_while, F_OK) != 0) {
        return false;
    }
    g.matching++;
    if (g.matching < g.plan.fault_at || fault_is_over()) {
        return false;
    }
    if (g.injected++ == 0) {
        clock_gettime(CLOCK_MONOTONIC, &g.first);
    }
    return true;
}

static int fault_code(enum powerloss_op op)
{
    if (g.plan.fault == PL_FULL) {
        return SQLITE_FULL;
    }
    switch (op) {
    case PL_OPEN:
        return SQLITE_CANTOPEN;
    case PL_READ:
        return SQLITE_IOERR_READ;
    case PL_WRITE:
        return SQLITE_IOERR_WRITE;
    case PL_TRUNCATE:
        return SQLITE_IOERR_TRUNCATE;
    case PL_SYNC:
        return SQLITE_IOERR_FSYNC;
    case PL_DELETE:
        return SQLITE_IOERR_DELETE;
    case PL_SIZE:
        return SQLITE_IOERR_FSTAT;
    default:
        return SQLITE_IOERR_SHMMAP;
    }
}

/* --- methods of a file ------------------------------------------------------------------- */

static int file_close(sqlite3_file *f)
{
    pthread_mutex_lock(&g.mu);
    image_close(&g.images, file_of(f)->image);
    pthread_mutex_unlock(&g.mu);
    return file_of(f)->real->pMethods->xClose(file_of(f)->real);
}

static int file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    pthread_mutex_lock(&g.mu);
    int rc = fault_is_due(PL_READ) ? fault_code(PL_READ)
                                   : image_read(file_of(f)->image, file_of(f)->real, p, n, at);
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    pthread_mutex_lock(&g.mu);
    struct image *im = file_of(f)->image;
    int rc;
    if (fault_is_due(PL_WRITE)) {
        rc = fault_code(PL_WRITE);
        /* A disk that fills up, like a short write, leaves a part behind; an error may. */
        bool half = g.plan.fault != PL_IOERR || random_next(&g.random) >> 63 != 0;
        if (half && n > 1) {
            (void)image_write(im, file_of(f)->real, p, n / 2, at);
        }
    } else {
        rc = image_write(im, file_of(f)->real, p, n, at);
    }
    if (loss_is_due(PL_WRITE)) {
        lose();
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    pthread_mutex_lock(&g.mu);
    int rc = fault_is_due(PL_TRUNCATE) ? fault_code(PL_TRUNCATE)
                                       : image_truncate(file_of(f)->image, file_of(f)->real, size);
    if (loss_is_due(PL_TRUNCATE)) {
        lose();
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    pthread_mutex_lock(&g.mu);
    if (loss_is_due(PL_SYNC)) {
        lose();
    }
    int rc = SQLITE_OK;
    if (fault_is_due(PL_SYNC)) {
        rc = fault_code(PL_SYNC);
        if (g.plan.forget) {
            image_forget_pending(file_of(f)->image);
        }
    } else if (!g.plan.lie) {
        rc = image_sync(file_of(f)->image, file_of(f)->real);
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    pthread_mutex_lock(&g.mu);
    int rc = fault_is_due(PL_SIZE) ? fault_code(PL_SIZE) : SQLITE_OK;
    if (rc == SQLITE_OK) {
        *ret = file_of(f)->image->size;
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int file_lock(sqlite3_file *f, int level)
{
    return file_of(f)->real->pMethods->xLock(file_of(f)->real, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return file_of(f)->real->pMethods->xUnlock(file_of(f)->real, level);
}

static int file_check_reserved(sqlite3_file *f, int *ret)
{
    return file_of(f)->real->pMethods->xCheckReservedLock(file_of(f)->real, ret);
}

/* Hints about sizes would change the real file, and a map of it would not show the image. */
static int file_control(sqlite3_file *f, int op, void *arg)
{
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) {
        return SQLITE_OK;
    }
    if (op == SQLITE_FCNTL_MMAP_SIZE) {
        return SQLITE_NOTFOUND;
    }
    return file_of(f)->real->pMethods->xFileControl(file_of(f)->real, op, arg);
}

static int file_sector_size(sqlite3_file *f)
{
    return file_of(f)->real->pMethods->xSectorSize(file_of(f)->real);
}

static int file_characteristics(sqlite3_file *f)
{
    int c = file_of(f)->real->pMethods->xDeviceCharacteristics(file_of(f)->real);
    return c & SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* whatever this disk says: ours tears sectors */
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    pthread_mutex_lock(&g.mu);
    int rc = fault_is_due(PL_SHM) ? fault_code(PL_SHM) : SQLITE_OK;
    pthread_mutex_unlock(&g.mu);
    return rc != SQLITE_OK
               ? rc
               : file_of(f)->real->pMethods->xShmMap(file_of(f)->real, page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return file_of(f)->real->pMethods->xShmLock(file_of(f)->real, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    file_of(f)->real->pMethods->xShmBarrier(file_of(f)->real);
}

static int file_shm_unmap(sqlite3_file *f, int remove)
{
    return file_of(f)->real->pMethods->xShmUnmap(file_of(f)->real, remove);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* --- methods of the VFS ------------------------------------------------------------------ */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    enum {
        OURS = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL |
               SQLITE_OPEN_SUPER_JOURNAL
    };
    (void)vfs;
    if (name == NULL || (flags & OURS) == 0) {
        return g.under->xOpen(g.under, name, f, flags, ret_flags);
    }
    struct file *file = file_of(f);
    f->pMethods = NULL;
    pthread_mutex_lock(&g.mu);
    if (loss_is_due(PL_OPEN)) {
        lose();
    }
    int rc = fault_is_due(PL_OPEN) ? fault_code(PL_OPEN) : SQLITE_OK;
    if (rc == SQLITE_OK) {
        memset(file->real, 0, (size_t)g.under->szOsFile);
        rc = g.under->xOpen(g.under, name, file->real, flags, ret_flags);
    }
    if (rc == SQLITE_OK) {
        file->image = image_open(&g.images, name, file->real);
        f->pMethods = &file_methods;
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    pthread_mutex_lock(&g.mu);
    bool due = loss_is_due(PL_DELETE);
    if (due && random_next(&g.random) >> 63 != 0) {
        lose();
    }
    int rc = fault_is_due(PL_DELETE) ? fault_code(PL_DELETE)
                                     : g.under->xDelete(g.under, name, sync_folder);
    if (rc == SQLITE_OK) {
        image_forget_path(&g.images, name);
    }
    if (due) {
        lose();
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

/* SQLite takes an empty journal for none at all, so what counts is the size that is seen. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    int rc = g.under->xAccess(g.under, name, flags, ret);
    pthread_mutex_lock(&g.mu);
    const struct image *im = image_find(g.images, name);
    if (rc == SQLITE_OK && flags == SQLITE_ACCESS_EXISTS && im != NULL) {
        *ret = im->size > 0;
    }
    pthread_mutex_unlock(&g.mu);
    return rc;
}

int powerloss_register(bool make_default)
{
    static sqlite3_vfs vfs;
    int rc = sqlite3_initialize();
    if (rc != SQLITE_OK) {
        return rc;
    }
    g.under = sqlite3_vfs_find(NULL);
    vfs = *g.under; /* what we do not speak of goes straight to the real one */
    vfs.iVersion = g.under->iVersion < 3 ? g.under->iVersion : 3;
    vfs.szOsFile = (int)sizeof(struct file) + g.under->szOsFile;
    vfs.zName = POWERLOSS_NAME;
    vfs.pNext = NULL;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    return sqlite3_vfs_register(&vfs, make_default ? 1 : 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/bytes.h"

static enum errc path_fail(const char *path, const char *what, int error, struct err *err)
{
    if (error == EACCES || error == EPERM || error == EROFS) {
        return err_set(err, ERR_DENIED, "no permission to %s %s: %s", what, path, strerror(error));
    }
    if (error == ENOSPC || error == EDQUOT) {
        return err_set(err, ERR_STORAGE_FULL, "cannot %s %s: %s", what, path, strerror(error));
    }
    return err_set(err, ERR_UNAVAILABLE, "cannot %s %s: %s", what, path, strerror(error));
}

/* The path of a file that is not there yet: its folder's real path and its own name. */
static enum errc path_of_new(const char *path, char **ret, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        return err_set(err, ERR_INVALID, "%s is a symbolic link to a file that does not exist",
                       path);
    }
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    if (*base == '\0') {
        return err_set(err, ERR_INVALID, "%s names a folder, not a file", path);
    }
    CLEANUP(freep) char *folder = NULL;
    if (slash == NULL) {
        folder = mem_strdup(".");
    } else if (slash == path) {
        folder = mem_strdup("/");
    } else {
        folder = str_dup((struct str){path, (size_t)(slash - path)});
    }
    CLEANUP(freep) char *real = realpath(folder, NULL);
    if (real == NULL && (errno == ENOENT || errno == ENOTDIR)) {
        return err_set(err, ERR_INVALID, "the folder %s does not exist: make it first", folder);
    }
    if (real == NULL) {
        return path_fail(folder, "look into", errno, err);
    }
    *ret = mem_printf("%s/%s", strcmp(real, "/") == 0 ? "" : real, base);
    return OK;
}

enum errc engine_path(const char *path, char **ret, struct err *err)
{
    if (path == NULL || *path == '\0') {
        return err_set(err, ERR_INVALID, "the path of the database is empty");
    }
    CLEANUP(freep) char *real = realpath(path, NULL);
    if (real == NULL && errno == ENOENT) {
        return path_of_new(path, ret, err);
    }
    struct stat st;
    if (real == NULL || stat(real, &st) != 0) {
        return errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG
                   ? err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno))
                   : path_fail(path, "open", errno, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INVALID, "%s is %s, not a file", real,
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or socket");
    }
    if (st.st_nlink > 1) {
        return err_set(err, ERR_INVALID, "%s has %lu hard links: it must have one name only", real,
                       (unsigned long)st.st_nlink);
    }
    if (access(real, R_OK | W_OK) != 0) {
        return path_fail(real, "read and write", errno, err);
    }
    *ret = TAKE(real);
    return OK;
}

/* The pid that the holder wrote, or 0. */
static long holder_pid(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    return strtol(text, NULL, 10);
}

enum errc engine_lock_take(const char *path, int *ret_fd, struct err *err)
{
    CLEANUP(freep) char *lock = mem_printf("%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return path_fail(lock, "open", errno, err);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum errc code;
        if (errno == EWOULDBLOCK) {
            code = err_set(err, ERR_EXISTS,
                           "process %ld has %s open: stop it first, or use another file",
                           holder_pid(fd), path);
        } else {
            code = path_fail(lock, "lock", errno, err);
        }
        close(fd);
        return code;
    }
    /* The pid is for the message of the one who comes second; a full disk must not keep us out. */
    char text[24];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ssize_t put = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)n, 0) : -1;
    (void)put;
    *ret_fd = fd;
    return OK;
}

#define DATABASE_LOCK_AT INT64_C(0x7fffffffffff0000) /* no file is so long */

enum errc engine_lock_database(const char *path, int *ret_fd, struct err *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return path_fail(path, "open", errno, err);
    }
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = DATABASE_LOCK_AT, .l_len = 1};
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        enum errc code;
        if (errno == EAGAIN || errno == EACCES) {
            code = err_set(err, ERR_EXISTS,
                           "another process has %s open, by another name or without its lock file: "
                           "stop it first, or use another file",
                           path);
        } else {
            code = path_fail(path, "lock", errno, err);
        }
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return OK;
}

void engine_lock_release(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

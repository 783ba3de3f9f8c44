/* SPDX-License-Identifier: Apache-2.0 */
/* An image: one file as the process sees it, and the operations that its durable part lacks.
 * Private to powerloss_vfs.c. Owned by the list of images, by path; shared by all handles of it.
 * Threads: the caller holds the VFS's lock. */
#ifndef WATCHD_TEST_POWERLOSS_IMAGE_H
#define WATCHD_TEST_POWERLOSS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

struct block;
struct pending;

struct image {
    char *path;
    int handles;           /* open on it */
    sqlite3_int64 size;    /* as seen */
    sqlite3_int64 kept;    /* so many bytes of the real file are still seen where no block is */
    struct block *blocks;  /* what is seen and differs from the real file */
    struct pending *first; /* unsynced operations, oldest first */
    struct pending *last;
    bool forgot; /* a failed sync forgot some: what is seen is not what will be durable */
    struct image *next;
};

/* xorshift64*, so that a seed makes a run. */
uint64_t random_next(uint64_t *state);

/* The image of a path, made from `real` if there is none. */
struct image *image_open(struct image **list, const char *path, sqlite3_file *real);
struct image *image_find(struct image *list, const char *path);
/* Frees an image that nobody has open and that lacks nothing. */
void image_close(struct image **list, struct image *im);
/* The file was removed: the next one of that name starts anew. */
void image_forget_path(struct image **list, const char *path);

/* Short reads are filled with zeros and give SQLITE_IOERR_SHORT_READ, as SQLite wants it. */
int image_read(struct image *im, sqlite3_file *real, void *p, int n, sqlite3_int64 at);
int image_write(struct image *im, sqlite3_file *real, const void *p, int n, sqlite3_int64 at);
int image_truncate(struct image *im, sqlite3_file *real, sqlite3_int64 size);
/* Makes all pending operations durable. */
int image_sync(struct image *im, sqlite3_file *real);
/* Drops them, while what is seen stays. */
void image_forget_pending(struct image *im);
/* The power is gone: writes what is to be found afterwards into the file `path`, which is the real
 * one or a copy of it. */
void image_lose_power(const struct image *im, const char *path, uint64_t *random);

#endif

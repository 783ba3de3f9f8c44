/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/powerloss_image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "store/base/mem.h"

#define BLOCK  4096
#define SECTOR 512

struct block {
    sqlite3_int64 no;
    UT_hash_handle hh;
    unsigned char p[BLOCK];
};

struct pending {
    struct pending *next;
    bool truncate;
    sqlite3_int64 at; /* of a truncation: the new size */
    int n;
    unsigned char p[];
};

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dULL;
}

struct image *image_find(struct image *list, const char *path)
{
    while (list != NULL && (list->path == NULL || strcmp(list->path, path) != 0)) {
        list = list->next;
    }
    return list;
}

struct image *image_open(struct image **list, const char *path, sqlite3_file *real)
{
    struct image *im = image_find(*list, path);
    if (im == NULL) {
        im = mem_zalloc(sizeof(*im));
        im->path = mem_strdup(path);
        if (real->pMethods->xFileSize(real, &im->size) != SQLITE_OK) {
            im->size = 0;
        }
        im->kept = im->size;
        im->next = *list;
        *list = im;
    }
    im->handles++;
    return im;
}

static void pending_clear(struct image *im)
{
    while (im->first != NULL) {
        struct pending *p = im->first;
        im->first = p->next;
        freep(&p);
    }
    im->last = NULL;
}

static void blocks_from(struct image *im, sqlite3_int64 no)
{
    struct block *b, *tmp;
    HASH_ITER(hh, im->blocks, b, tmp)
    {
        if (b->no >= no) {
            HASH_DEL(im->blocks, b);
            freep(&b);
        }
    }
}

static void image_free(struct image **list, struct image *im)
{
    struct image **at = list;
    while (*at != im) {
        at = &(*at)->next;
    }
    *at = im->next;
    pending_clear(im);
    blocks_from(im, 0);
    freep(&im->path);
    freep(&im);
}

void image_close(struct image **list, struct image *im)
{
    im->handles--;
    if (im->handles == 0 && (im->path == NULL || (im->first == NULL && !im->forgot))) {
        image_free(list, im);
    }
}

void image_forget_path(struct image **list, const char *path)
{
    struct image *im = image_find(*list, path);
    if (im == NULL) {
        return;
    }
    pending_clear(im);
    freep(&im->path);
    if (im->handles == 0) {
        image_free(list, im);
    }
}

/* The part of the real file that is still seen, zeros behind it. */
static int read_kept(const struct image *im, sqlite3_file *real, unsigned char *p, int n,
                     sqlite3_int64 at)
{
    sqlite3_int64 have = im->kept > at ? im->kept - at : 0;
    int part = have < n ? (int)have : n;
    memset(p + part, 0, (size_t)(n - part));
    if (part == 0) {
        return SQLITE_OK;
    }
    int rc = real->pMethods->xRead(real, p, part, at);
    return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
}

static struct block *block_find(const struct image *im, sqlite3_int64 no)
{
    struct block *b = NULL;
    HASH_FIND(hh, im->blocks, &no, sizeof(no), b);
    return b;
}

static int block_make(struct image *im, sqlite3_file *real, sqlite3_int64 no, struct block **ret)
{
    struct block *b = block_find(im, no);
    if (b == NULL) {
        b = mem_zalloc(sizeof(*b));
        b->no = no;
        int rc = read_kept(im, real, b->p, BLOCK, no * BLOCK);
        if (rc != SQLITE_OK) {
            freep(&b);
            return rc;
        }
        HASH_ADD(hh, im->blocks, no, sizeof(b->no), b);
    }
    *ret = b;
    return SQLITE_OK;
}

int image_read(struct image *im, sqlite3_file *real, void *p, int n, sqlite3_int64 at)
{
    unsigned char *to = p;
    sqlite3_int64 have = im->size > at ? im->size - at : 0;
    int left = have < n ? (int)have : n;
    bool is_short = left < n;
    memset(to + left, 0, (size_t)(n - left));
    while (left > 0) {
        int offset = (int)(at % BLOCK);
        int part = left < BLOCK - offset ? left : BLOCK - offset;
        const struct block *b = block_find(im, at / BLOCK);
        int rc = SQLITE_OK;
        if (b != NULL) {
            memcpy(to, b->p + offset, (size_t)part);
        } else {
            rc = read_kept(im, real, to, part, at);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
        to += part;
        at += part;
        left -= part;
    }
    return is_short ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static void pending_add(struct image *im, bool truncate, sqlite3_int64 at, const void *p, int n)
{
    struct pending *op = mem_alloc(sizeof(*op) + (size_t)n);
    *op = (struct pending){.truncate = truncate, .at = at, .n = n};
    if (n != 0) {
        memcpy(op->p, p, (size_t)n);
    }
    if (im->last != NULL) {
        im->last->next = op;
    } else {
        im->first = op;
    }
    im->last = op;
}

int image_write(struct image *im, sqlite3_file *real, const void *p, int n, sqlite3_int64 at)
{
    pending_add(im, false, at, p, n);
    const unsigned char *from = p;
    for (int left = n; left > 0;) {
        int offset = (int)(at % BLOCK);
        int part = left < BLOCK - offset ? left : BLOCK - offset;
        struct block *b;
        int rc = block_make(im, real, at / BLOCK, &b);
        if (rc != SQLITE_OK) {
            return rc;
        }
        memcpy(b->p + offset, from, (size_t)part);
        from += part;
        at += part;
        left -= part;
    }
    im->size = at > im->size ? at : im->size;
    return SQLITE_OK;
}

int image_truncate(struct image *im, sqlite3_file *real, sqlite3_int64 size)
{
    pending_add(im, true, size, NULL, 0);
    if (size < im->size) {
        int rest = (int)(size % BLOCK);
        if (rest != 0) {
            struct block *b;
            int rc = block_make(im, real, size / BLOCK, &b);
            if (rc != SQLITE_OK) {
                return rc;
            }
            memset(b->p + rest, 0, (size_t)(BLOCK - rest));
        }
        blocks_from(im, (size + BLOCK - 1) / BLOCK);
        im->kept = size < im->kept ? size : im->kept;
    }
    im->size = size;
    return SQLITE_OK;
}

int image_sync(struct image *im, sqlite3_file *real)
{
    while (im->first != NULL) {
        struct pending *op = im->first;
        int rc = op->truncate ? real->pMethods->xTruncate(real, op->at)
                              : real->pMethods->xWrite(real, op->p, op->n, op->at);
        if (rc != SQLITE_OK) {
            return rc;
        }
        im->first = op->next;
        freep(&op);
    }
    im->last = NULL;
    if (!im->forgot) {
        blocks_from(im, 0);
        im->kept = im->size;
    }
    return SQLITE_OK;
}

void image_forget_pending(struct image *im)
{
    im->forgot = im->forgot || im->first != NULL;
    pending_clear(im);
}

/* Best effort, as the last writes of a dying disk are. */
static void put(int fd, const void *p, size_t n, sqlite3_int64 at)
{
    ssize_t done = pwrite(fd, p, n, at);
    (void)done;
}

static void put_torn(int fd, const struct pending *op, uint64_t *random)
{
    for (int from = 0; from < op->n;) {
        int part = SECTOR - (int)((op->at + from) % SECTOR);
        part = part < op->n - from ? part : op->n - from;
        if (random_next(random) >> 63 != 0) {
            put(fd, op->p + from, (size_t)part, op->at + from);
        }
        from += part;
    }
}

static void lose_one(const struct image *im, const char *path, unsigned keep_of_8, uint64_t *random)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    for (const struct pending *op = im->first; op != NULL; op = op->next) {
        bool keep = (random_next(random) >> 32) % 8 < keep_of_8;
        bool tear = keep_of_8 != 0 && keep_of_8 != 8 && (random_next(random) >> 32) % 4 == 0;
        if (op->truncate && keep) {
            int done = ftruncate(fd, op->at);
            (void)done;
        } else if (!op->truncate && tear) {
            put_torn(fd, op, random);
        } else if (!op->truncate && keep) {
            put(fd, op->p, (size_t)op->n, op->at);
        }
    }
    close(fd);
}

/* Some losses keep all, some nothing, the most of them something in between. */
void image_lose_power(const struct image *im, const char *path, uint64_t *random)
{
    static const unsigned char moods[8] = {0, 8, 1, 2, 4, 4, 6, 7};
    unsigned keep_of_8 = moods[(random_next(random) >> 32) % 8];
    if (im->path != NULL && im->first != NULL) {
        lose_one(im, path, keep_of_8, random);
    }
}

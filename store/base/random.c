/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Unused bytes of the kernel's, this thread's alone. A child after fork() has a copy, which it must
 * not use: hence the process id. */
struct pool {
    unsigned char bytes[512];
    size_t left;
    pid_t pid;
};
static _Thread_local struct pool pool;

static void read_kernel(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            fprintf(stderr, "getrandom: %s\n", strerror(errno));
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

void random_bytes(void *p, size_t n)
{
    if (n > sizeof(pool.bytes) / 2) {
        read_kernel(p, n);
        return;
    }
    pid_t pid = getpid();
    if (pool.left < n || pool.pid != pid) {
        read_kernel(pool.bytes, sizeof(pool.bytes));
        pool.left = sizeof(pool.bytes);
        pool.pid = pid;
    }
    pool.left -= n;
    memcpy(p, pool.bytes + pool.left, n);
    memset(pool.bytes + pool.left, 0, n); /* Never given out twice, nor found in a core file. */
}

uint64_t random_below(uint64_t below)
{
    assert(below > 0);
    /* The first 2^64 mod below values would make small results likelier. */
    uint64_t skip = (0 - below) % below;
    uint64_t v;
    do {
        random_bytes(&v, sizeof(v));
    } while (v < skip);
    return v % below;
}

void random_uuid(char ret[UUID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *ret++ = '-';
        }
        *ret++ = hex[b[i] >> 4];
        *ret++ = hex[b[i] & 0x0f];
    }
    *ret = '\0';
}

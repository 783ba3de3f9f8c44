/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor may be closed by gRPC core at any time, and be another connection's a moment later.
 * To hold that back or release it is harmless: it ends with the next release at the latest, and the
 * kernel holds nothing longer than 200 ms. */
#include "server/corks.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "store/base/mem.h"

#define STREAMS_MIN  4   /* fewer on a connection are not worth the system calls */
#define MESSAGES_MAX 512 /* more are not held back */

struct corked {
    uint32_t streams;
    uint32_t held;
};

void corks_fini(struct corks *c)
{
    free(c->by_fd);
    free(c->held);
    *c = (struct corks){NULL, 0, NULL, 0, 0, 0};
}

static struct corked *of_fd(struct corks *c, int fd)
{
    size_t at = (size_t)fd;
    if (at >= c->cap) {
        size_t cap = at + 64;
        c->by_fd = mem_realloc(c->by_fd, cap * sizeof(*c->by_fd));
        for (size_t i = c->cap; i < cap; i++) {
            c->by_fd[i] = (struct corked){0, 0};
        }
        c->cap = cap;
    }
    return &c->by_fd[at];
}

static void set_cork(int fd, int on)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

void corks_join(struct corks *c, int fd)
{
    if (fd >= 0) {
        of_fd(c, fd)->streams++;
    }
}

void corks_leave(struct corks *c, int fd)
{
    if (fd >= 0) {
        of_fd(c, fd)->streams--;
    }
}

void corks_hold(struct corks *c, int fd)
{
    if (fd < 0 || of_fd(c, fd)->streams < STREAMS_MIN) {
        return;
    }
    struct corked *k = of_fd(c, fd);
    if (++c->messages > MESSAGES_MAX) {
        corks_release(c);
    }
    if (k->held != 0) {
        return;
    }
    if (c->n_held == c->held_cap) {
        c->held_cap = c->held_cap != 0 ? 2 * c->held_cap : 64;
        c->held = mem_realloc(c->held, c->held_cap * sizeof(*c->held));
    }
    c->held[c->n_held++] = fd;
    k->held = 1;
    set_cork(fd, 1);
}

void corks_release(struct corks *c)
{
    for (size_t i = 0; i < c->n_held; i++) {
        of_fd(c, c->held[i])->held = 0;
        set_cork(c->held[i], 0);
    }
    c->n_held = 0;
    c->messages = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Corks: while one thread sends to many streams, the connections that carry several of them are
 * held back, so that the kernel sends few full segments rather than one for each message; gRPC core
 * writes each message to the socket by itself and has no way to hold them together.
 * Owned by a fan-out thread; its own only. See: tcp(7), TCP_CORK. */
#ifndef WATCHD_SERVER_CORKS_H
#define WATCHD_SERVER_CORKS_H

#include <stddef.h>
#include <stdint.h>

struct corks {
    struct corked *by_fd; /* what is known of each descriptor */
    size_t cap;
    int *held; /* those that are held back at the moment */
    size_t n_held, held_cap;
    size_t messages; /* since the last release */
};

void corks_fini(struct corks *c);

/* A stream of this connection begins, or ends. fd < 0: it is no TCP connection. */
void corks_join(struct corks *c, int fd);
void corks_leave(struct corks *c, int fd);

/* Before a message is sent on it. */
void corks_hold(struct corks *c, int fd);
/* Sends what is held back. */
void corks_release(struct corks *c);

#endif

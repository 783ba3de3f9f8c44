/* SPDX-License-Identifier: Apache-2.0 */
/* Calls whose work came back to the I/O thread, by connection: those of a commit are hundreds of a
 * few connections, in no order, and answering one connection after the other, each held back
 * meanwhile, costs the kernel a few segments rather than one for each answer.
 * Owned by the RPC server. Threads: the I/O thread. */
#ifndef WATCHD_SERVER_RETURNS_H
#define WATCHD_SERVER_RETURNS_H

#include <stddef.h>

#include "server/loop.h"

struct returned_of; /* a connection */

struct returns {
    struct returned_of *by_fd;
    size_t cap; /* descriptors */
    int *fds;   /* those with tasks, in the order of their first */
    size_t n_fds, cap_fds;
};

void returns_init(struct returns *rs);
void returns_fini(struct returns *rs); /* Tasks left are not run. */

/* Keeps a task that was run by the loop, to be run again by returns_run. fd 0: of no connection. */
void returns_add(struct returns *rs, int fd, struct task *t);
/* Runs what was added, in its order within a connection. Nothing is added meanwhile. */
void returns_run(struct returns *rs);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/returns.h"

#include <stdlib.h>
#include <string.h>

#include "server/cork.h"
#include "store/base/mem.h"

struct returned_of {
    struct task *first, *last;
};

void returns_init(struct returns *rs)
{
    *rs = (struct returns){0};
}

void returns_fini(struct returns *rs)
{
    free(rs->by_fd);
    free(rs->fds);
    *rs = (struct returns){0};
}

void returns_add(struct returns *rs, int fd, struct task *t)
{
    rs->by_fd = mem_reach(rs->by_fd, &rs->cap, (size_t)fd, sizeof(*rs->by_fd));
    struct returned_of *of = &rs->by_fd[fd];
    t->next = NULL;
    if (of->first == NULL) {
        of->first = t;
        rs->fds = mem_reach(rs->fds, &rs->cap_fds, rs->n_fds, sizeof(*rs->fds));
        rs->fds[rs->n_fds++] = fd;
    } else {
        of->last->next = t;
    }
    of->last = t;
}

static void run_of(int fd, struct task *t)
{
    bool hold = fd > 0 && t->next != NULL;
    if (hold) {
        cork_hold(fd);
    }
    while (t != NULL) {
        struct task *next = t->next; /* the task may be gone once it has run */
        t->run(t);
        t = next;
    }
    if (hold) {
        cork_release(fd);
    }
}

void returns_run(struct returns *rs)
{
    for (size_t i = 0; i < rs->n_fds; i++) {
        run_of(rs->fds[i], TAKE(rs->by_fd[rs->fds[i]].first));
    }
    rs->n_fds = 0;
}

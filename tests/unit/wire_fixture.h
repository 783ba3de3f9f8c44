/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of messages begin with: random texts and numbers, memory for what is read, and a
 * buffer for what is written. */
#ifndef WATCHD_TESTS_UNIT_WIRE_FIXTURE_H
#define WATCHD_TESTS_UNIT_WIRE_FIXTURE_H

#include "tests/unit/wire_random.h"

struct fixture {
    struct rnd rnd;
    struct arena arena;
    struct buf out;
    struct err err;
};

static inline int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    rnd_init(&f->rnd, 1);
    arena_init(&f->arena, BUDGET);
    buf_init(&f->out, BUF_LIMIT);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    rnd_fini(&f->rnd);
    arena_fini(&f->arena);
    buf_fini(&f->out);
    free(f);
    return 0;
}

/* The next message, in memory as small as a server's. */
static inline void again(struct fixture *f)
{
    buf_clear(&f->out);
    arena_fini(&f->arena);
    arena_init(&f->arena, BUDGET);
}

#endif

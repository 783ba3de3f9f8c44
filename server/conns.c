/* SPDX-License-Identifier: Apache-2.0 */
#include "server/conns.h"

#include <stdlib.h>
#include <string.h>

#include "server/stream.h"
#include "store/base/mem.h"

#define WORD_BITS 64

void conns_init(struct conns *cs, bool down)
{
    *cs = (struct conns){.down = down};
}

void conns_fini(struct conns *cs)
{
    free(cs->by_fd);
    free(cs->ready);
    *cs = (struct conns){0};
}

static void make_room(struct conns *cs, size_t fd)
{
    if (fd < cs->cap) {
        return;
    }
    size_t cap = cs->cap == 0 ? WORD_BITS : cs->cap;
    while (cap <= fd) {
        cap *= 2;
    }
    cs->by_fd = mem_realloc(cs->by_fd, cap * sizeof(*cs->by_fd));
    cs->ready = mem_realloc(cs->ready, cap / WORD_BITS * sizeof(*cs->ready));
    memset(cs->by_fd + cs->cap, 0, (cap - cs->cap) * sizeof(*cs->by_fd));
    memset(cs->ready + cs->cap / WORD_BITS, 0, (cap - cs->cap) / WORD_BITS * sizeof(*cs->ready));
    cs->cap = cap;
}

struct conn *conns_join(struct conns *cs, int fd)
{
    make_room(cs, (size_t)fd);
    struct conn *c = cs->by_fd[fd];
    if (c == NULL) {
        c = mem_zalloc(sizeof(*c));
        c->fd = fd;
        TAILQ_INIT(&c->ready);
        cs->by_fd[fd] = c;
    }
    c->streams++;
    return c;
}

void conns_leave(struct conns *cs, struct conn *c)
{
    c->streams--;
    if (c->streams == 0) {
        cs->by_fd[c->fd] = NULL;
        free(c);
    }
}

static uint64_t bit_of(const struct conn *c)
{
    return UINT64_C(1) << ((unsigned)c->fd % WORD_BITS);
}

void conns_add_ready(struct conns *cs, struct stream *s)
{
    struct conn *c = s->conn;
    TAILQ_INSERT_TAIL(&c->ready, s, queue);
    if (c->n_ready++ == 0) {
        cs->ready[(unsigned)c->fd / WORD_BITS] |= bit_of(c);
        cs->n_ready++;
    }
}

void conns_remove_ready(struct conns *cs, struct stream *s)
{
    struct conn *c = s->conn;
    TAILQ_REMOVE(&c->ready, s, queue);
    if (--c->n_ready == 0) {
        cs->ready[(unsigned)c->fd / WORD_BITS] &= ~bit_of(c);
        cs->n_ready--;
    }
}

/* The first set bit at or above `from`, of the whole turn; there is one. */
static size_t next_up(const struct conns *cs, size_t from)
{
    size_t words = cs->cap / WORD_BITS, at = from / WORD_BITS % words;
    uint64_t word = cs->ready[at] & (~UINT64_C(0) << (from % WORD_BITS));
    while (word == 0) {
        at = (at + 1) % words;
        word = cs->ready[at];
    }
    return at * WORD_BITS + (size_t)__builtin_ctzll(word);
}

/* The first set bit below `from`, of the whole turn; there is one. */
static size_t next_down(const struct conns *cs, size_t from)
{
    size_t words = cs->cap / WORD_BITS, at = from / WORD_BITS % words;
    uint64_t word = cs->ready[at] & ((UINT64_C(1) << (from % WORD_BITS)) - 1);
    while (word == 0) {
        at = (at + words - 1) % words;
        word = cs->ready[at];
    }
    return at * WORD_BITS + WORD_BITS - 1 - (size_t)__builtin_clzll(word);
}

struct conn *conns_next(struct conns *cs)
{
    if (cs->n_ready == 0) {
        return NULL;
    }
    cs->at = cs->down ? next_down(cs, cs->at) : next_up(cs, cs->at + 1);
    return cs->by_fd[cs->at];
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/conns.h"

#include <stdlib.h>
#include <string.h>

#include "server/stream.h"
#include "store/base/mem.h"

#define WORD_BITS 64

void conns_init(struct conns *cs)
{
    *cs = (struct conns){0};
}

void conns_fini(struct conns *cs)
{
    free(cs->by_fd);
    free(cs->ready);
    *cs = (struct conns){0};
}

struct conn *conns_join(struct conns *cs, int fd)
{
    cs->by_fd = mem_reach(cs->by_fd, &cs->cap, (size_t)fd, sizeof(struct conn *));
    cs->ready = mem_reach(cs->ready, &cs->words, (size_t)fd / WORD_BITS, sizeof(uint64_t));
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
static size_t next_ready(const struct conns *cs, size_t from)
{
    size_t at = from / WORD_BITS % cs->words;
    uint64_t word = cs->ready[at] & (~UINT64_C(0) << (from % WORD_BITS));
    while (word == 0) {
        at = (at + 1) % cs->words;
        word = cs->ready[at];
    }
    return at * WORD_BITS + (size_t)__builtin_ctzll(word);
}

struct conn *conns_next(struct conns *cs)
{
    if (cs->n_ready == 0) {
        return NULL;
    }
    cs->at = next_ready(cs, cs->at + 1);
    return cs->by_fd[cs->at];
}

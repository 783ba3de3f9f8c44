/* SPDX-License-Identifier: Apache-2.0 */
/* (1) The budget counts the room of all chunks, so memory in use is never above it (but for each
 *     chunk's header).
 * (2) What is large for the newest chunk gets a chunk of its own, so that at most a quarter of a
 *     chunk is given up when the next one is made. */
#include "store/base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "store/base/mem.h"

#define CHUNK_FIRST ((size_t)4 * 1024)
#define CHUNK_MAX   ((size_t)64 * 1024)
#define ALIGN       ((size_t)16)

struct arena_chunk {
    struct arena_chunk *next;
    size_t room; /* bytes behind the header */
};

_Static_assert(sizeof(struct arena_chunk) % ALIGN == 0, "room is aligned");

void arena_init(struct arena *a, size_t budget)
{
    *a = (struct arena){.left = budget};
}

void arena_fini(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        free(c);
    }
    *a = (struct arena){0};
}

static struct arena_chunk *chunk_new(struct arena *a, size_t room)
{
    struct arena_chunk *c = mem_alloc(sizeof(*c) + room);
    c->room = room;
    a->left -= room; /* (1) */
    return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - ALIGN) {
        return NULL;
    }
    n = n == 0 ? ALIGN : (n + ALIGN - 1) & ~(ALIGN - 1);
    if (n <= (size_t)(a->end - a->at)) {
        void *p = a->at;
        a->at += n;
        return p;
    }
    if (n > a->left) {
        return NULL;
    }
    size_t room = a->chunks == NULL ? CHUNK_FIRST : a->chunks->room * 2;
    room = room < CHUNK_FIRST ? CHUNK_FIRST : room > CHUNK_MAX ? CHUNK_MAX : room;
    room = room > a->left ? a->left & ~(ALIGN - 1) : room;
    if (a->chunks != NULL && n > room / 4) { /* (2) */
        struct arena_chunk *own = chunk_new(a, n);
        own->next = a->chunks->next;
        a->chunks->next = own;
        return own + 1;
    }
    struct arena_chunk *c = chunk_new(a, n > room ? n : room);
    c->next = a->chunks;
    a->chunks = c;
    char *p = (char *)(c + 1);
    a->at = p + n;
    a->end = p + c->room;
    return p;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes: borrowed runs (struct str), growing buffers with a ceiling (struct buf), and shared
 * immutable blocks (struct blob).
 * Threads: str and buf belong to one thread at a time; a blob's content never changes and its
 * counts are atomic, so it may be shared. */
#ifndef WATCHD_BASE_BYTES_H
#define WATCHD_BASE_BYTES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/base/mem.h"

/* A run of bytes owned by somebody else; not NUL-terminated. {NULL, 0} is the empty one. */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_EMPTY    ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).n != 0 ? (s).p : ""

static inline struct str str_of(const char *s)
{
    return (struct str){s, s != NULL ? strlen(s) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Bytewise order, shorter first among equal beginnings. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
/* A new NUL-terminated copy. */
char *str_dup(struct str s);
/* A decimal uint64 without sign, spaces or superfluous zeros. */
bool str_to_u64(struct str s, uint64_t *ret);
/* Bytes of the well-formed UTF-8 character at s, of which n bytes are there; 0 if it is none.
 * See: RFC 3629. */
size_t utf8_len(const char *s, size_t n);

/* A growing buffer, born with a ceiling. Appending past the ceiling sets `full`, drops that append
 * and all later ones; check once at the end. Initialise with buf_init, release with buf_fini. */
struct buf {
    char *p;
    size_t n;     /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* ceiling of n */
    bool full;    /* an append did not fit */
};

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* Keeps the memory. */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, struct str s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* n bytes more at the end, in use at once, for the caller to write; NULL when it would not fit. */
char *buf_grow(struct buf *b, size_t n);
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

/* Protobuf's base-128 integers; also used by our own binary forms. */
size_t varint_size(uint64_t v);
void buf_varint(struct buf *b, uint64_t v);
/* Reads at *at, moves *at behind it. False at the end of `s` or on more than 64 bits. */
bool varint_read(struct str s, size_t *at, uint64_t *ret);

/* An immutable, counted block. The memory may belong to a library (a gRPC slice): then `release`
 * gives it back, and `owner` is that library's. */
struct blob {
    _Atomic int refs;
    _Atomic int pins; /* see blob_pin */
    size_t n;
    const uint8_t *p;
    void *owner;
    void (*release)(struct blob *b); /* NULL: p was allocated with the blob */
};

/* A new blob of n bytes, one reference; write through *ret_p before it is shared. */
struct blob *blob_new(size_t n, uint8_t **ret_p);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is fine. */
void blob_unrefp(struct blob **bp);
/* It is kept for a client that has not read it yet: while anybody says so of it, it counts, once,
 * for M_PINNED_BYTES. With a reference. */
void blob_pin(struct blob *b);
void blob_unpin(struct blob *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Positions: opaque tokens that say exactly how far a client has come in which history. Every
 * message of a watch carries one; a list's continue token holds one (continue.h). Pure functions.
 */
#ifndef WATCHD_POSITION_H
#define WATCHD_POSITION_H

#include "store/engine.h"

struct position {
    char store_id[UUID_LEN + 1];
    uint32_t epoch;
    uint64_t epoch_random;
    rv_t rv;            /* everything at or below it was sent; within a snapshot: its version S */
    bool in_snapshot;   /* the state up to and including `last` was sent */
    struct key last;    /* borrowed; all empty: before the first */
    uint64_t selection; /* selections_hash; only within a snapshot */
};

/* Without a key; with one add its texts. */
#define POSITION_MAX (64 + RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN)

size_t position_encode(const struct position *p, uint8_t ret[POSITION_MAX]);
/* ret->last borrows from `in`. Errors: ERR_INVALID with the field. */
enum errc position_decode(struct str in, const char *field, struct position *ret,
                          struct err *err) NODISCARD;
/* The 16 bytes of a UUID, which must be one, and back. */
void uuid_to_bytes(const char *text, uint8_t ret[16]);
void uuid_to_text(const uint8_t v[16], char ret[UUID_LEN + 1]);

/* Is this a position of the store's history? Errors: ERR_FOREIGN. */
enum errc position_check(const struct position *p, const struct engine_identity *id, rv_t floor,
                         rv_t head, struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The heads of rows: all of an event or an object but its big texts, packed into one blob. A column
 * of its own costs at least a byte even when it holds nothing, and time whenever it is read; and
 * the fewer bytes a row has, the more of them share a page, which is what a write costs.
 *
 * The opening of the body (see model/opening.h) is left out of the stored text where it can be made
 * from the head again. What is common takes no room: flags say what is not.
 *
 *   8 bytes  the checksums, see engine_sqlite_row.c
 *   varint   flags, enum head_flag
 *   …        see engine_sqlite_head.c; numbers are varints, texts have their length before them,
 *            hashes are little-endian
 *
 * Private to the SQLite engine. Pure functions. */
#ifndef WATCHD_ENGINE_SQLITE_HEAD_H
#define WATCHD_ENGINE_SQLITE_HEAD_H

#include "store/engine.h"
#include "store/model/opening.h"

#define HEAD_SUMS 8 /* bytes before what is packed */

/* How the text of a body is kept. */
struct head_body {
    bool opened;            /* the opening is not in the stored text */
    struct opening opening; /* borrows from the event, or the head */
    size_t opening_n;       /* its size; 0 when it is in the text */
};

/* Whether the body of an event or object need not be kept whole. */
void head_body_of(const struct key *key, struct str labels, struct str body, uint32_t splice,
                  struct head_body *ret);

/* Overwrite `out` with the head; its first HEAD_SUMS bytes are left to the caller. Of an event all
 * but rv, cause and the texts; of an object what it shares with its event, and no version. */
void head_of_event(const struct event *ev, const struct head_body *body, struct buf *out);
void head_of_object(const struct event *ev, const struct head_body *body, struct buf *out);

/* The other way round; ev->rv is set already. Texts borrow from the head; body and delta are left
 * empty. False if the head is damaged; then *ev holds nothing that is out of bounds. */
bool head_read_event(struct str head, struct event *ev, struct head_body *body,
                     size_t *ret_delta_n) NODISCARD;
bool head_read_object(struct str head, struct event *ev, struct head_body *body) NODISCARD;

#endif

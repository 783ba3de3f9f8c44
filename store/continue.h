/* SPDX-License-Identifier: Apache-2.0 */
/* Continue tokens: where the next page of a list begins, as text that only the store can read. What
 * is sealed is the position (store, version, selection, last key) and how many objects are still to
 * come; the key lies in the database, so a token outlives the server, and backups of its store
 * understand it. A token that was changed anywhere is refused. Pure but for the random nonce. */
#ifndef WATCHD_CONTINUE_H
#define WATCHD_CONTINUE_H

#include "store/position.h"

/* Of the text, which is longest with the longest key. */
#define CONTINUE_TOKEN_MAX (((1 + 16 + 12 + 8 + POSITION_MAX + 16 + 4) * 4 + 2) / 3)

/* total: objects behind `at`; 0: not known. */
void continue_write(const uint8_t secret[ENGINE_SECRET_LEN], const struct position *at,
                    uint64_t total, struct buf *out);
/* The position borrows from `bytes`. One of another store is only that: a position_check tells.
 * Errors: ERR_INVALID with the field continue_token. */
enum errc continue_read(const uint8_t secret[ENGINE_SECRET_LEN], const char store_id[UUID_LEN + 1],
                        struct str token, uint8_t bytes[POSITION_MAX], struct position *ret,
                        uint64_t *ret_total, struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call: bearer tokens from files, one per line, a name after it if one likes, '#' begins a
 * comment. Without a file for ordinary tokens everybody may call; without one for admin tokens
 * whoever may call is an admin.
 * Immutable after auth_open. Threads: any. */
#ifndef WATCHD_SERVER_AUTH_H
#define WATCHD_SERVER_AUTH_H

#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

struct auth;

/* Who calls. */
struct caller {
    int token; /* which token: what it opened belongs to it; -1: none was given or needed */
    bool admin;
};

/* Either file may be NULL. *ret is new. Errors: ERR_INVALID, ERR_DENIED, ERR_UNAVAILABLE, naming
 * the file. */
enum errc auth_open(const char *token_file, const char *admin_token_file, struct auth **ret,
                    struct err *err) NODISCARD;
void auth_free(struct auth *a); /* NULL is fine. */

/* `header` is the value of the call's authorization header, empty if it has none. Takes time that
 * does not depend on how much of a token was guessed. Errors: ERR_UNAUTHENTICATED. */
enum errc auth_check(const struct auth *a, struct str header, struct caller *ret,
                     struct err *err) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners: our own sockets to accept on, so that a lack of descriptors does not end listening for
 * good, and each connection gets its options and its place below the limit.
 * Owned by main. Threads: main; listeners_connections also on the I/O thread. */
#ifndef WATCHD_SERVER_LISTEN_H
#define WATCHD_SERVER_LISTEN_H

#include <poll.h>

#include "server/config.h"

struct listeners;

/* Binds and listens on all addresses or on none. *ret is new. Errors: ERR_EXISTS: in use;
 * ERR_DENIED, ERR_UNAVAILABLE. */
enum errc listeners_open(const struct config *cfg, struct listeners **ret,
                         struct err *err) NODISCARD;
/* Stops listening; sockets accepted live on. Unix socket files are removed. Idempotent. */
void listeners_close(struct listeners *ls);
void listeners_free(struct listeners *ls); /* NULL is fine. */

/* Appends a line "listening on ADDRESS" for each, with the port the system chose. */
void listeners_show(const struct listeners *ls, struct buf *out);

#define LISTENERS_MAX OPTION_LIST_MAX
/* What to poll for; returns how many. *ret_timeout_ms: when to ask again at the latest, -1: never.
 */
size_t listeners_poll(struct listeners *ls, struct pollfd ret[LISTENERS_MAX], int *ret_timeout_ms);
/* Accepts what waits on the sockets that poll found readable; gives each connection away. */
void listeners_accept(struct listeners *ls, const struct pollfd *polled, size_t n,
                      void (*take)(void *arg, int fd), void *arg);

/* Connections that were accepted and are not closed. Costs a system call for each. */
size_t listeners_connections(struct listeners *ls);

/* Raises the limit of open files as far as it may be. Before any thread is started.
 * Errors: ERR_LIMIT: even so it is too low to serve anybody. */
enum errc listeners_raise_limit(struct err *err) NODISCARD;

#endif

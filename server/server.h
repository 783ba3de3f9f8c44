/* SPDX-License-Identifier: Apache-2.0 */
/* The server: what its parts share. Owned by main.
 * Threads: the pointers are set before any thread starts and cleared after all have ended. */
#ifndef WATCHD_SERVER_SERVER_H
#define WATCHD_SERVER_SERVER_H

#include "server/config.h"
#include "store/store.h"

struct auth;
struct fanout;
struct guard;
struct health;
struct listeners;
struct rpc;

struct server {
    const struct config *config;
    struct store *store;
    char store_id[UUID_LEN + 1];
    struct auth *auth;
    struct guard *guard;
    struct rpc *rpc;
    struct health *health; /* the I/O thread's */
    struct fanout **fanouts;
    size_t n_fanouts;
    struct listeners *listeners;
    mono_ms_t started_at;
    _Atomic uint32_t watches; /* streams that are held, those about to end included */
    _Atomic uint64_t streams_freed;
};

#endif

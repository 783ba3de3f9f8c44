/* SPDX-License-Identifier: Apache-2.0 */
/* The link: the one connection of a client, made when wanted and replaced when lost.
 *
 *          wanted, retry_at came            READY
 *   NONE ───────────────────────► CONNECTING ────► READY
 *    ▲                             │ failed         │ a call lost it, or it left READY
 *    └──── retry_at = now + backoff ┴───────────────┘
 *
 * Each attempt is a gRPC channel of its own, so that none of gRPC's own delays apply, and a call is
 * only ever started on a channel that is connected: a call that was not started was not sent.
 * Owned by its client. */
#ifndef WATCHD_CLIENT_LINK_H
#define WATCHD_CLIENT_LINK_H

#include <grpc/grpc.h>

#include "cli/client/backoff.h"
#include "store/base/clock.h"
#include "store/base/err.h"

struct watch_client;
struct link_try;

enum link_state { LINK_NONE, LINK_CONNECTING, LINK_READY };

struct link {
    struct watch_client *client;
    enum link_state state;
    grpc_channel *channel;    /* READY */
    struct link_try *attempt; /* CONNECTING */
    uint64_t number;          /* of the channel; tells an old one from its successor */
    struct backoff backoff;
    mono_ms_t retry_at;   /* NONE: not before */
    mono_ms_t give_up_at; /* CONNECTING: this attempt has failed by then */
    bool ever;            /* there was a connection once */
    char trouble[200];    /* why the last attempt failed */
};

void link_init(struct link *l, struct watch_client *c);
void link_fini(struct link *l);

/* Moves on as far as the time allows. */
void link_tick(struct link *l, mono_ms_t now);
/* The channel to start a call on, with its number; NULL when there is none at the moment. */
grpc_channel *link_channel(struct link *l, uint64_t *ret_number);
/* A call on that channel found it broken. The next one is tried after the backoff. */
void link_lost(struct link *l, uint64_t number);
/* The server answered: the next loss is followed by an attempt at once. */
void link_answered(struct link *l);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The codec: how events become the bytes that watchers get. The program hands it to the store, so
 * that the store can encode each event once, share the bytes among all watchers, and know nothing
 * of the wire. Any concatenation of encoded events must be valid. Threads: any. */
#ifndef WATCHD_CODEC_H
#define WATCHD_CODEC_H

#include "store/model/event.h"

struct codec {
    /* No more bytes than this in any form; quickly told. */
    size_t (*event_bound)(const struct event *ev, bool previous);
    size_t (*event_size)(const struct event *ev, enum event_form form, bool previous);
    /* Writes exactly that many bytes; returns the place behind them. */
    uint8_t *(*event_write)(const struct event *ev, enum event_form form, bool previous,
                            uint8_t *at);
    /* A new block of n bytes in the sender's own kind of memory; written through *ret_p before it
     * is shared. */
    struct blob *(*alloc)(size_t n, uint8_t **ret_p);
};

#endif

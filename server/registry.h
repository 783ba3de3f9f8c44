/* SPDX-License-Identifier: Apache-2.0 */
/* A registry: the open streams of one fan-out thread, by subscription id and by client id.
 * Borrows the streams. Threads: the fan-out thread. */
#ifndef WATCHD_SERVER_REGISTRY_H
#define WATCHD_SERVER_REGISTRY_H

#include "server/stream.h"

LIST_HEAD(stream_list, stream);

struct registry {
    struct stream_list *by_id, *by_client;
    size_t buckets; /* a power of two */
    size_t count;
};

void registry_init(struct registry *r, size_t expected);
void registry_fini(struct registry *r);
void registry_add(struct registry *r, struct stream *s);
void registry_remove(struct registry *r, struct stream *s);
/* NULL: none. */
struct stream *registry_find(const struct registry *r, struct str id);
/* Calls fn for each stream of a client, or for all when client_id is empty. fn may remove the
 * stream it is given, and no other. */
void registry_each(const struct registry *r, struct str client_id,
                   void (*fn)(void *arg, struct stream *s), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the servers: paths, and messages encoded and read by hand, so that the
 * driver costs little. Objects are numbers; a target turns them into its names and back. Threads:
 * any; a target has no state. */
#ifndef WATCHD_BENCH_TARGET_H
#define WATCHD_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"

#define KEY_DIGITS 8

/* What a watch asks for. */
struct watch_request {
    uint64_t id; /* of the watch within its stream, from 1 */
    bool replay; /* every event after `since`; otherwise live ones */
    uint64_t since;
    bool one; /* only the object `other`, which nobody writes; otherwise all */
    uint64_t other;
};

/* What a watch's message says, in its order. `id` is 0 where a stream has one watch. */
struct watch_sink {
    void (*started)(void *arg, uint64_t id, uint64_t head);
    void (*event)(void *arg, uint64_t id, uint64_t rv, uint64_t key);
    void *arg;
};

struct target {
    const char *name;
    const char *put_path, *watch_path, *list_path, *status_path;
    bool multiplexes;  /* many watches on one stream */
    bool selects;      /* has label selectors */
    uint64_t first_rv; /* of an empty store's first write */
    void (*put)(struct buf *out, uint64_t key, struct str doc);
    /* The version of the write. */
    bool (*put_answer)(struct str message, uint64_t *ret_rv);
    void (*watch)(struct buf *out, const struct watch_request *r);
    bool (*watch_message)(struct str message, const struct watch_sink *sink);
    /* One page of a list of everything; `token` is of the page before. */
    void (*list)(struct buf *out, struct str selector, struct str token);
    /* Objects and bytes of them on this page; *ret_token is empty on the last (borrowed). */
    bool (*list_answer)(struct str message, uint64_t *ret_objects, uint64_t *ret_bytes,
                        struct str *ret_token);
    bool (*status_answer)(struct str message, uint64_t *ret_head);
};

extern const struct target target_watchd;
extern const struct target target_etcd;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that a peer sends on an HTTP/2 connection, as they pass by: how many streams they
 * open, of how many the request did not come to its end yet, and how many pings there are.
 * A value. See: RFC 9113, 3.4, 4.1 and 5.1. */
#ifndef WATCHD_SERVER_FRAMES_H
#define WATCHD_SERVER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 9

struct frames {
    size_t skip; /* bytes until the next frame's head */
    uint8_t head[FRAME_HEAD];
    uint8_t n_head;    /* bytes of it that are here */
    uint32_t last;     /* the highest stream opened */
    uint32_t *unended; /* streams whose request did not come to its end, ascending */
    size_t n_unended, cap, max;
    size_t cost;  /* of what was opened: one for each block of headers and each continuation, and
                     one more for each KiB of these; the owner may set it back */
    size_t pings; /* that want an answer; the same */
};

/* At the beginning of a client's connection, of which at most `max` requests may be unended. */
void frames_init(struct frames *f, size_t max);
void frames_fini(struct frames *f);

/* The next bytes. False: too many requests are unended; nothing more is taken. */
bool frames_pass(struct frames *f, const uint8_t *p, size_t n);

#endif

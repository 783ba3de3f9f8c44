/* SPDX-License-Identifier: Apache-2.0 */
/* Backoff: how long to wait before the next attempt: at most 50 ms, 100 ms, 200 ms, … 2 s, each
 * time a random part of it, so that clients cut off together do not return together. Pure but for
 * the randomness. */
#ifndef WATCHD_CLIENT_BACKOFF_H
#define WATCHD_CLIENT_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_STEP_MS  100
#define BACKOFF_MAX_MS   2000

struct backoff {
    unsigned attempts; /* since the last success */
};

/* The longest wait before attempt number n + 1. */
int64_t backoff_ceiling_ms(unsigned n);
/* Counts an attempt and says how long to wait for it: uniform in [0, ceiling]. */
int64_t backoff_next_ms(struct backoff *b);
/* A peer's own wish, spread by half of it so that not all come at the same moment; at most 30 s. */
int64_t backoff_advised_ms(int64_t retry_ms);
void backoff_reset(struct backoff *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Intervals are measured on the monotonic clock; the wall clock is only shown to people.
 * Tests replace both through struct clock. Threads: any. */
#ifndef WATCHD_BASE_CLOCK_H
#define WATCHD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t mono_ms_t; /* milliseconds since an arbitrary point, never back */
typedef int64_t wall_ms_t; /* milliseconds since 1970-01-01 UTC */

struct clock {
    mono_ms_t (*mono)(void *arg);
    wall_ms_t (*wall)(void *arg);
    void *arg;
};

/* The machine's clock. */
extern const struct clock clock_system;

static inline mono_ms_t clock_mono(const struct clock *c)
{
    return c->mono(c->arg);
}
static inline wall_ms_t clock_wall(const struct clock *c)
{
    return c->wall(c->arg);
}

/* "2026-01-02T15:04:05Z": 20 bytes and a NUL. */
#define CLOCK_RFC3339_LEN 20
void clock_rfc3339(wall_ms_t t, char ret[CLOCK_RFC3339_LEN + 1]);
/* The second that such a text says, of CLOCK_RFC3339_LEN bytes; false if it is another text. */
bool clock_of_rfc3339(const char *text, int64_t *ret_s);

/* Parses "90s", "5m", "1h30m", "250ms", "2d" and "0". False on anything else. */
bool duration_parse(const char *s, int64_t *ret_ms);

#endif

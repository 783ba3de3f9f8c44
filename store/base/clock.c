/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WALL_LAST_MS INT64_C(253402300799999) /* the last of year 9999 */

static int64_t read_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static mono_ms_t system_mono(void *arg)
{
    (void)arg;
    return read_ms(CLOCK_MONOTONIC);
}

static wall_ms_t system_wall(void *arg)
{
    (void)arg;
    return read_ms(CLOCK_REALTIME);
}

const struct clock clock_system = {system_mono, system_wall, NULL};

void clock_rfc3339(wall_ms_t t, char ret[CLOCK_RFC3339_LEN + 1])
{
    /* A clock outside what four digits can say must not change the length of stored texts. */
    t = t < 0 ? 0 : t > WALL_LAST_MS ? WALL_LAST_MS : t;
    time_t seconds = (time_t)(t / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(ret, CLOCK_RFC3339_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool duration_parse(const char *s, int64_t *ret_ms)
{
    /* Largest first; each at most once and in this order. */
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"d",  86400000},
        {"h",  3600000 },
        {"m",  60000   },
        {"s",  1000    },
        {"ms", 1       }
    };
    static const size_t n_units = sizeof(units) / sizeof(units[0]);

    if (strcmp(s, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    int64_t total = 0;
    size_t unit = 0;
    if (*s == '\0') {
        return false;
    }
    while (*s != '\0') {
        int64_t v = 0;
        const char *digits = s;
        for (; *s >= '0' && *s <= '9'; s++) {
            if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
                __builtin_add_overflow(v, (int64_t)(*s - '0'), &v)) {
                return false;
            }
        }
        size_t name_len = strspn(s, "dhms");
        while (unit < n_units && (strlen(units[unit].name) != name_len ||
                                  strncmp(units[unit].name, s, name_len) != 0)) {
            unit++;
        }
        if (s == digits || unit == n_units || __builtin_mul_overflow(v, units[unit].ms, &v) ||
            __builtin_add_overflow(total, v, &total)) {
            return false;
        }
        s += name_len;
        unit++;
    }
    *ret_ms = total;
    return true;
}

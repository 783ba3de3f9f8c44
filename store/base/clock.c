/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/clock.h"

#include <stddef.h>
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

#define DAY_S      86400
#define YEARS_DAYS 146097 /* of 400 years, after which the calendar repeats */

/* Years here begin in March, so that a leap day is the last of its year; days count from
 * 0000-03-01. See: https://howardhinnant.github.io/date_algorithms.html */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2);
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + in_year;
}
#define EPOCH_DAYS 719468 /* days_of_date(1970, 1, 1) */

static char *put_digits(char *at, unsigned v, unsigned n, char behind)
{
    for (unsigned i = n; i-- > 0; v /= 10) {
        at[i] = (char)('0' + v % 10);
    }
    at[n] = behind;
    return at + n + 1;
}

/* By hand: every object that is read passes here. */
void clock_rfc3339(wall_ms_t t, char ret[CLOCK_RFC3339_LEN + 1])
{
    /* A clock outside what four digits can say must not change the length of stored texts. */
    t = t < 0 ? 0 : t > WALL_LAST_MS ? WALL_LAST_MS : t;
    unsigned second = (unsigned)(t / 1000 % DAY_S);
    unsigned days = (unsigned)(t / 1000 / DAY_S) + EPOCH_DAYS;
    unsigned in_era = days % YEARS_DAYS;
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153;
    unsigned day = in_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += days / YEARS_DAYS * 400 + (month <= 2);
    char *at = put_digits(ret, year, 4, '-');
    at = put_digits(at, month, 2, '-');
    at = put_digits(at, day, 2, 'T');
    at = put_digits(at, second / 3600, 2, ':');
    at = put_digits(at, second / 60 % 60, 2, ':');
    at = put_digits(at, second % 60, 2, 'Z');
    *at = '\0';
}

bool clock_of_rfc3339(const char *text, int64_t *ret_s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    int64_t v[6] = {0};
    for (size_t i = 0, part = 0; i < CLOCK_RFC3339_LEN; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i]) {
            return false;
        }
        part += form[i] != 'd';
        if (digit) {
            v[part] = v[part] * 10 + (text[i] - '0');
        }
    }
    int64_t s = (days_of_date(v[0], v[1], v[2]) - EPOCH_DAYS) * DAY_S + v[3] * 3600 + v[4] * 60;
    /* What is no date comes back as another text. */
    char back[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339((s + v[5]) * 1000, back);
    if (memcmp(back, text, CLOCK_RFC3339_LEN) != 0) {
        return false;
    }
    *ret_s = s + v[5];
    return true;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "store/base/clock.h"
#include "tests/unit/check.h"

static void times_are_shown_as_rfc3339_in_utc(void **state)
{
    (void)state;
    static const struct {
        wall_ms_t t;
        const char *text;
    } cases[] = {
        {0,               "1970-01-01T00:00:00Z"},
        {999,             "1970-01-01T00:00:00Z"},
        {951782399000,    "2000-02-28T23:59:59Z"},
        {951782400000,    "2000-02-29T00:00:00Z"},
        {1767366245123,   "2026-01-02T15:04:05Z"},
        {253402300799000, "9999-12-31T23:59:59Z"},
        {INT64_MAX,       "9999-12-31T23:59:59Z"},
        {-1,              "1970-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[CLOCK_RFC3339_LEN + 1];
        clock_rfc3339(cases[i].t, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void times_are_shown_as_the_c_library_shows_them_and_read_back(void **state)
{
    (void)state;
    struct dice d = {11};
    for (int i = 0; i < 200000; i++) {
        /* Days from all over the years 1970 to 9999. */
        int64_t day = (int64_t)i * 15 % 2932897;
        int64_t s = day * 86400 + (int64_t)dice_below(&d, 86400);
        time_t t = (time_t)s;
        struct tm tm;
        char text[CLOCK_RFC3339_LEN + 1], want[CLOCK_RFC3339_LEN + 1];
        gmtime_r(&t, &tm);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
        clock_rfc3339(s * 1000 + 999, text);
        assert_string_equal(text, want);
        int64_t back = 0;
        assert_true(clock_of_rfc3339(text, &back));
        assert_int_equal(back, s);
    }
}

static void what_is_no_time_is_not_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01t00:00:00Z", "2026-01-01T00:00:00z",
        "0000-00-00T00:00:00Z", "2026-1 -01T00:00:00Z", "+026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t s;
        assert_case(!clock_of_rfc3339(texts[i], &s), texts[i]);
    }
}

static void durations_are_read_in_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"0",                     0        },
        {"0s",                    0        },
        {"90s",                   90000    },
        {"5m",                    300000   },
        {"1h30m",                 5400000  },
        {"250ms",                 250      },
        {"2d",                    172800000},
        {"1d2h3m4s5ms",           93784005 },
        {"9223372036854775807ms", INT64_MAX},
        {"",                      -1       },
        {"5",                     -1       },
        {"s",                     -1       },
        {"-1s",                   -1       },
        {"+1s",                   -1       },
        {" 1s",                   -1       },
        {"1s ",                   -1       },
        {"1.5s",                  -1       },
        {"1S",                    -1       },
        {"1w",                    -1       },
        {"1s1h",                  -1       }, /* largest first */
        {"1s1s",                  -1       },
        {"1hm",                   -1       },
        {"9223372036854775808ms", -1       },
        {"9223372036854775807s",  -1       },
        {"106751991167d8d",       -1       },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        assert_case(duration_parse(cases[i].text, &ms) == (cases[i].ms >= 0), cases[i].text);
        assert_case(ms == cases[i].ms, cases[i].text);
    }
}

static void the_machines_clock_goes_on(void **state)
{
    (void)state;
    mono_ms_t before = clock_mono(&clock_system);
    assert_true(clock_mono(&clock_system) >= before);
    assert_true(clock_wall(&clock_system) > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_shown_as_rfc3339_in_utc),
        cmocka_unit_test(times_are_shown_as_the_c_library_shows_them_and_read_back),
        cmocka_unit_test(what_is_no_time_is_not_read),
        cmocka_unit_test(durations_are_read_in_their_units),
        cmocka_unit_test(the_machines_clock_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

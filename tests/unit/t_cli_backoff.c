/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/backoff.h"
#include "tests/unit/check.h"

static void the_first_attempt_comes_at_once_and_then_ever_later(void **state)
{
    (void)state;
    static const int64_t ceilings[] = {50, 100, 200, 400, 800, 1600, 2000, 2000, 2000};
    for (unsigned i = 0; i < COUNT(ceilings); i++) {
        assert_int_equal(backoff_ceiling_ms(i), ceilings[i]);
    }
    assert_int_equal(backoff_ceiling_ms(4000000000U), 2000);
}

static void a_delay_is_anywhere_below_its_ceiling(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 7; n++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;
        for (int i = 0; i < 2000; i++) {
            struct backoff b = {.attempts = n};
            int64_t ms = backoff_next_ms(&b);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        int64_t ceiling = backoff_ceiling_ms(n);
        assert_true(least >= 0 && most <= ceiling);
        /* Full jitter: both ends are used. */
        assert_true(least < ceiling / 10 + 1 && most > ceiling * 9 / 10);
    }
}

static void a_success_begins_anew(void **state)
{
    (void)state;
    struct backoff b = {0};
    for (int i = 0; i < 20; i++) {
        assert_in_range(backoff_next_ms(&b), 0, 2000);
    }
    assert_int_equal(backoff_ceiling_ms(b.attempts), 2000);
    backoff_reset(&b);
    assert_in_range(backoff_next_ms(&b), 0, 50);
}

static void advice_is_kept_spread_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(backoff_advised_ms(0), 0);
    assert_int_equal(backoff_advised_ms(-5), 0);
    for (int i = 0; i < 500; i++) {
        assert_in_range(backoff_advised_ms(1000), 1000, 1500);
        assert_in_range(backoff_advised_ms(INT64_MAX), 30000, 45000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_attempt_comes_at_once_and_then_ever_later),
        cmocka_unit_test(a_delay_is_anywhere_below_its_ceiling),
        cmocka_unit_test(a_success_begins_anew),
        cmocka_unit_test(advice_is_kept_spread_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

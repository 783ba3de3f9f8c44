/* SPDX-License-Identifier: Apache-2.0 */
#include "server/timers.h"
#include "tests/unit/check.h"

static void the_first_is_the_next_one_due(void **state)
{
    (void)state;
    struct timers ts;
    struct timer t[3] = {{0}};
    timers_init(&ts);
    assert_null(timers_first(&ts));
    timers_set(&ts, &t[0], 30);
    timers_set(&ts, &t[1], 10);
    timers_set(&ts, &t[2], 20);
    assert_ptr_equal(timers_first(&ts), &t[1]);
    timers_set(&ts, &t[1], 40);
    assert_ptr_equal(timers_first(&ts), &t[2]);
    timers_clear(&ts, &t[2]);
    timers_clear(&ts, &t[2]);
    assert_ptr_equal(timers_first(&ts), &t[0]);
    timers_fini(&ts);
}

/* Against a plain array: set, moved and cleared at random, the first is always the least. */
static void many_timers_keep_their_order(void **state)
{
    (void)state;
    static struct timer t[500];
    struct timers ts;
    struct dice dice = {1};
    timers_init(&ts);
    for (int step = 0; step < 50000; step++) {
        struct timer *one = &t[dice_below(&dice, COUNT(t))];
        if (dice_below(&dice, 3) == 0) {
            timers_clear(&ts, one);
        } else {
            timers_set(&ts, one, (mono_ms_t)dice_below(&dice, 1000));
        }
        const struct timer *least = NULL;
        for (size_t i = 0; i < COUNT(t); i++) {
            if (t[i].place != 0 && (least == NULL || t[i].at < least->at)) {
                least = &t[i];
            }
        }
        const struct timer *first = timers_first(&ts);
        assert_true((first == NULL) == (least == NULL));
        assert_true(first == NULL || first->at == least->at);
    }
    timers_fini(&ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_next_one_due),
        cmocka_unit_test(many_timers_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

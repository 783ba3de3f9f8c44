/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/ids.h"
#include "tests/unit/check.h"

static void a_set_holds_what_was_added_and_not_taken_away(void **state)
{
    (void)state;
    enum { IDS = 300 };
    struct dice d = {7};
    for (int round = 0; round < 50; round++) {
        CLEANUP(ids_fini) struct ids s = {0};
        bool there[IDS] = {false};
        size_t n = 0;
        assert_false(ids_has(&s, 1));
        ids_del(&s, 1);
        for (int i = 0; i < 2000; i++) {
            size_t k = dice_below(&d, IDS);
            /* Numbers that share places, too. */
            int64_t id = round % 2 == 0 ? (int64_t)k + 1 : (int64_t)(k + 1) << 40;
            bool add = dice_below(&d, 3) != (size_t)(i / 500 % 2);
            if (add) {
                ids_add(&s, id);
            } else {
                ids_del(&s, id);
            }
            n = n + (add && !there[k]) - (!add && there[k]);
            there[k] = add;
            assert_int_equal(s.n, n);
            assert_int_equal(ids_has(&s, id), add);
        }
        for (size_t k = 0; k < IDS; k++) {
            int64_t id = round % 2 == 0 ? (int64_t)k + 1 : (int64_t)(k + 1) << 40;
            assert_int_equal(ids_has(&s, id), there[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_holds_what_was_added_and_not_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

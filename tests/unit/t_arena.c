/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/arena.h"
#include "tests/unit/check.h"

static void allocations_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct dice dice = {7};
    struct arena a;
    arena_init(&a, 64 * 1024 * 1024);
    unsigned char *p[N];
    size_t size[N];
    for (size_t i = 0; i < N; i++) {
        size[i] = dice_below(&dice, 10) == 0 ? dice_below(&dice, 40000) : dice_below(&dice, 300);
        p[i] = arena_alloc(&a, size[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)(i & 0xff), size[i]);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < size[i]; j++) {
            assert_int_equal(p[i][j], i & 0xff);
        }
    }
    arena_fini(&a);
}

static void no_more_is_given_than_the_budget(void **state)
{
    (void)state;
    struct dice dice = {8};
    for (size_t budget = 0; budget < 300000; budget += 17777) {
        struct arena a;
        arena_init(&a, budget);
        size_t given = 0;
        for (int i = 0; i < 5000; i++) {
            size_t n = 1 + dice_below(&dice, 400);
            given += arena_alloc(&a, n) != NULL ? n : 0;
        }
        assert_true(given <= budget);
        /* And not much less: what chunks leave unused is bounded. */
        assert_true(given >= budget / 2 || budget < 1024);
        arena_fini(&a);
    }
}

static void what_cannot_be_afforded_is_refused_and_the_rest_is_not(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    assert_null(arena_alloc(&a, 1025));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_non_null(arena_alloc(&a, 1024));
    assert_null(arena_alloc(&a, 1));
    arena_fini(&a);
    arena_fini(&a);
}

static void large_pieces_do_not_waste_the_small_ones_room(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024 * 1024);
    char *first = arena_alloc(&a, 16);
    assert_non_null(arena_alloc(&a, 100000));
    char *second = arena_alloc(&a, 16);
    assert_ptr_equal(second, first + 16);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
        cmocka_unit_test(no_more_is_given_than_the_budget),
        cmocka_unit_test(what_cannot_be_afforded_is_refused_and_the_rest_is_not),
        cmocka_unit_test(large_pieces_do_not_waste_the_small_ones_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

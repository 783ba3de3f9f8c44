/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of requests, against a plain list of what was kept when. */
#include "store/requests.h"
#include "tests/unit/check.h"

static void id_of(uint64_t n, uint8_t ret[REQUEST_ID_LEN])
{
    memset(ret, 0, REQUEST_ID_LEN);
    memcpy(ret, &n, sizeof(n));
}

static void keep(struct requests *r, uint64_t n, rv_t rv, mono_ms_t now)
{
    uint8_t id[REQUEST_ID_LEN];
    const struct answer a = {.result = WRITE_UPDATED, .rv = rv};
    id_of(n, id);
    requests_keep(r, id, &a, now);
}

static rv_t find(struct requests *r, uint64_t n)
{
    uint8_t id[REQUEST_ID_LEN];
    id_of(n, id);
    const struct answer *a = requests_find(r, id);
    return a != NULL ? a->rv : 0;
}

static void the_first_answer_stands(void **state)
{
    (void)state;
    struct requests *r = requests_new();
    assert_int_equal(find(r, 0), 0);
    keep(r, 0, 7, 1);
    keep(r, 0, 8, 2);
    assert_int_equal(find(r, 0), 7);
    assert_int_equal(find(r, 1), 0);
    requests_free(r);
}

static void answers_are_kept_for_ten_minutes(void **state)
{
    (void)state;
    enum { N = 20000, STEP = 100 };
    struct requests *r = requests_new();
    for (uint64_t i = 0; i < N; i++) {
        keep(r, i, i + 1, (mono_ms_t)i * STEP);
    }
    for (uint64_t i = 0; i < N; i++) {
        bool young = (N - 1 - i) * STEP <= REQUESTS_KEEP_MS;
        assert_int_equal(find(r, i), young ? i + 1 : 0);
    }
    requests_free(r);
}

static void there_are_never_more_than_the_limit(void **state)
{
    (void)state;
    enum { MORE = 3000 };
    struct requests *r = requests_new();
    for (uint64_t i = 0; i < REQUESTS_MAX + MORE; i++) {
        keep(r, i, i + 1, 1);
    }
    for (uint64_t i = 0; i < REQUESTS_MAX + MORE; i++) {
        assert_int_equal(find(r, i), i < MORE ? 0 : i + 1);
    }
    requests_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_stands),
        cmocka_unit_test(answers_are_kept_for_ten_minutes),
        cmocka_unit_test(there_are_never_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

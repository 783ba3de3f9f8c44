/* SPDX-License-Identifier: Apache-2.0 */
/* Frames are counted the same however the bytes are cut into pieces. */
#include "server/frames.h"

#include <string.h>

#include "tests/unit/check.h"

static uint8_t text[64 * 1024];

static size_t add(size_t at, uint8_t kind, uint8_t flags, uint8_t stream, size_t n)
{
    uint8_t head[FRAME_HEAD] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, kind, flags};
    head[8] = stream;
    memcpy(text + at, head, sizeof(head));
    memset(text + at + sizeof(head), 1, n); /* looks like heads of HEADERS frames */
    return at + sizeof(head) + n;
}

/* Cost 8; unended are 3, 9; one ping wants an answer. */
static size_t connection(void)
{
    memset(text, 1, 24);
    size_t at = 24;
    at = add(at, 4, 0, 0, 0);     /* SETTINGS */
    at = add(at, 1, 4, 1, 30);    /* HEADERS: 1 */
    at = add(at, 0, 0, 1, 16384); /* DATA, more follows */
    at = add(at, 1, 4, 3, 1023);  /* HEADERS: 1 */
    at = add(at, 9, 4, 3, 2048);  /* CONTINUATION: 3 */
    at = add(at, 0, 1, 1, 3);     /* DATA, the last of 1 */
    at = add(at, 1, 5, 5, 0);     /* HEADERS: 1; no more follows */
    at = add(at, 1, 4, 7, 0);     /* HEADERS: 1 */
    at = add(at, 3, 0, 7, 4);     /* RST_STREAM */
    at = add(at, 3, 0, 7, 4);     /* again */
    at = add(at, 1, 4, 9, 0);     /* HEADERS: 1 */
    at = add(at, 8, 0, 9, 4);     /* WINDOW_UPDATE */
    at = add(at, 6, 0, 0, 8);     /* PING */
    at = add(at, 6, 1, 0, 8);     /* its answer */
    return at;
}

static void pieces_make_no_difference(void **state)
{
    (void)state;
    size_t n = connection();
    for (size_t step = 1; step <= n; step = step < 40 ? step + 1 : step * 2) {
        struct frames f;
        frames_init(&f, 100);
        for (size_t at = 0; at < n; at += step) {
            assert_true(frames_pass(&f, text + at, n - at < step ? n - at : step));
        }
        assert_int_equal(f.cost, 8);
        assert_int_equal(f.pings, 1);
        assert_int_equal(f.n_unended, 2);
        assert_int_equal(f.unended[0], 3);
        assert_int_equal(f.unended[1], 9);
        frames_fini(&f);
    }
}

static void unended_requests_are_bounded(void **state)
{
    (void)state;
    struct frames f;
    size_t at = 24;
    for (uint8_t i = 0; i < 100; i++) {
        at = add(at, 1, 4, (uint8_t)(2 * i + 1), 10);
    }
    frames_init(&f, 100);
    assert_true(frames_pass(&f, text, at));
    assert_int_equal(f.n_unended, 100);
    uint8_t more[2 * FRAME_HEAD] = {0, 0, 0, 1, 4, 0, 0, 0, 201, 0, 0, 0, 1, 4, 0, 0, 0, 203};
    assert_false(frames_pass(&f, more, sizeof(more)));
    assert_int_equal(f.n_unended, 101);
    assert_int_equal(f.last, 201);
    frames_fini(&f);
}

/* What gRPC core would make of it is not our matter; only that it is counted somehow. */
static void any_bytes_are_taken(void **state)
{
    (void)state;
    struct dice dice = {7};
    for (int round = 0; round < 200; round++) {
        struct frames f;
        frames_init(&f, 20);
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (uint8_t)(dice_below(&dice, 4) == 0 ? dice_below(&dice, 256)
                                                          : dice_below(&dice, 4));
        }
        (void)frames_pass(&f, text, sizeof(text));
        assert_true(f.n_unended <= 21);
        for (size_t i = 1; i < f.n_unended; i++) {
            assert_true(f.unended[i - 1] < f.unended[i]);
        }
        frames_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_no_difference),
        cmocka_unit_test(unended_requests_are_bounded),
        cmocka_unit_test(any_bytes_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

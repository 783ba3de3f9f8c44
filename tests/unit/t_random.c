/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/random.h"
#include "tests/unit/check.h"

static void numbers_below_a_bound_are_all_met_and_none_above(void **state)
{
    (void)state;
    int met[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t v = random_below(7);
        assert_true(v < 7);
        met[v]++;
    }
    for (size_t i = 0; i < COUNT(met); i++) {
        assert_true(met[i] > 700 && met[i] < 1300); /* 1,000 ± 10 sigma */
    }
    assert_int_equal(random_below(1), 0);
    assert_true(random_below(UINT64_MAX) < UINT64_MAX);
}

static void uuids_have_the_form_of_version_4_and_differ(void **state)
{
    (void)state;
    char last[UUID_LEN + 1] = "";
    for (int i = 0; i < 1000; i++) {
        char uuid[UUID_LEN + 1];
        random_uuid(uuid);
        assert_int_equal(strlen(uuid), UUID_LEN);
        assert_int_equal(strspn(uuid, "0123456789abcdef-"), UUID_LEN);
        assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        assert_string_not_equal(uuid, last);
        memcpy(last, uuid, sizeof(last));
    }
}

static void *fill(void *p)
{
    random_bytes(p, 64);
    return NULL;
}

static void neither_threads_nor_children_repeat_bytes(void **state)
{
    (void)state;
    unsigned char mine[64];
    unsigned char theirs[64];
    random_bytes(mine, sizeof(mine));
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, fill, theirs), 0);
    pthread_join(t, NULL);
    assert_memory_not_equal(mine, theirs, sizeof(mine));

    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    if (child == 0) {
        random_bytes(theirs, sizeof(theirs));
        _exit(write(pipe_fd[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    random_bytes(mine, sizeof(mine));
    assert_int_equal(read(pipe_fd[0], theirs, sizeof(theirs)), sizeof(theirs));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(mine, theirs, sizeof(mine));
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void any_length_is_filled(void **state)
{
    (void)state;
    for (size_t n = 1; n < 2000; n += 37) {
        CLEANUP(freep) unsigned char *p = mem_zalloc(n);
        int nonzero_at_end = 0;
        for (int i = 0; i < 20; i++) {
            random_bytes(p, n);
            nonzero_at_end += p[n - 1] != 0;
        }
        assert_true(nonzero_at_end > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_below_a_bound_are_all_met_and_none_above),
        cmocka_unit_test(uuids_have_the_form_of_version_4_and_differ),
        cmocka_unit_test(neither_threads_nor_children_repeat_bytes),
        cmocka_unit_test(any_length_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of the index goes round: a walk over all entries, which locks it again at once, does not
 * keep it from who waits. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "store/index.h"

struct waiter {
    struct index *index;
    _Atomic pid_t thread; /* 0: not there yet */
    bool had;             /* under the lock */
};

static void *wait_for_it(void *arg)
{
    struct waiter *w = arg;
    atomic_store(&w->thread, gettid());
    index_lock(w->index);
    w->had = true;
    index_unlock(w->index);
    return NULL;
}

/* What the kernel says of a thread: 'S' is asleep, which here is waiting for the lock. */
static char state_of(pid_t thread)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    const char *name_end = strrchr(line, ')');
    assert_non_null(name_end);
    return name_end[2];
}

static void who_waits_is_next(void **state)
{
    (void)state;
    struct index *x = index_new(0);
    for (int round = 0; round < 20; round++) {
        struct waiter w = {.index = x};
        pthread_t thread;
        index_lock(x);
        assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &w), 0);
        pid_t id = 0;
        while ((id = atomic_load(&w.thread)) == 0 || state_of(id) != 'S') {
            (void)nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
        }
        assert_false(w.had);
        index_unlock(x);
        index_lock(x);
        assert_true(w.had);
        index_unlock(x);
        pthread_join(thread, NULL);
    }
    index_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_waits_is_next)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Does the writer see what it is asked for while it is at work, before it waits again? */
#include <pthread.h>
#include <semaphore.h>

#include "check.h"
#include "store_fixture.h"

#define KEEP 10

/* Of the thread. Takes the place of the C library's, whose clock the store sets to this one. */
static _Thread_local unsigned waits;

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mu, const struct timespec *until)
{
    waits++;
    return pthread_cond_clockwait(cond, mu, CLOCK_MONOTONIC, until);
}

static struct {
    const struct engine_ops *real;
    struct engine_ops ops;
    struct fixture f;
    struct compaction asked;
    enum errc rc;    /* of asking */
    unsigned before; /* the writer's waits */
    unsigned waits;  /* until it was done */
    sem_t done;
} t;

static void done(struct compaction *c)
{
    (void)c;
    t.waits = waits - t.before;
    sem_post(&t.done);
}

/* The store's own compaction: the last slice of it is asked for another. */
static enum errc compact(struct engine *e, rv_t upto, size_t max_rows,
                         void (*gone)(void *arg, rv_t rv, const struct key *key, size_t bytes),
                         void *arg, rv_t *ret_floor, struct err *err)
{
    enum errc rc = t.real->compact(e, upto, max_rows, gone, arg, ret_floor, err);
    if (rc == OK && t.asked.done == NULL) {
        t.asked = (struct compaction){.done = done};
        t.before = waits;
        t.rc = store_compact(t.f.store, &t.asked, &t.asked.err);
        if (t.rc != OK) {
            sem_post(&t.done);
        }
    }
    return rc;
}

static void adapt(struct engine *e)
{
    t.real = e->ops;
    t.ops = *e->ops;
    t.ops.compact = compact;
    e->ops = &t.ops;
}

static void a_compaction_asked_for_while_the_writer_works_is_not_kept_waiting(void **state)
{
    (void)state;
    sem_init(&t.done, 0, 0);
    fixture_init(&t.f);
    t.f.adapt = adapt;
    t.f.opt.history_events = KEEP;
    fixture_open(&t.f);
    for (int i = 0; i <= KEEP; i++) {
        char name[16];
        rv_t rv = 0;
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(fixture_put(&t.f, "jobs", "default", name, "{}", "{}", &rv), OK);
    }
    sem_wait(&t.done);
    assert_int_equal(t.rc, OK);
    assert_int_equal(t.asked.err.code, OK);
    assert_true(t.asked.removed > 0);
    assert_int_equal(t.waits, 0);
    fixture_fini(&t.f);
    sem_destroy(&t.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compaction_asked_for_while_the_writer_works_is_not_kept_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

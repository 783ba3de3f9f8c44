/* SPDX-License-Identifier: Apache-2.0 */
/* Replays and snapshots are long, and yield: gets, lists and writes neither wait for one that is
 * under way, nor does its thread have their priority. */
#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "store_pages.h"

#define EVENTS      10
#define GATE_MAX_MS 20000 /* then whoever should pass by it waits behind it */

/* Where the first block for encoded events is asked for, in the midst of reading. */
static struct gate {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool shut, reached, forced;
} gate = {.mu = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static struct blob *alloc_at_gate(size_t n, uint8_t **ret_p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GATE_MAX_MS / 1000;
    pthread_mutex_lock(&gate.mu);
    gate.reached = true;
    pthread_cond_broadcast(&gate.cond);
    while (gate.shut && !gate.forced) {
        gate.forced = pthread_cond_timedwait(&gate.cond, &gate.mu, &until) != 0;
    }
    pthread_mutex_unlock(&gate.mu);
    return fixture_codec.alloc(n, ret_p);
}

static void gate_shut(void)
{
    pthread_mutex_lock(&gate.mu);
    gate.shut = true;
    gate.reached = gate.forced = false;
    pthread_mutex_unlock(&gate.mu);
}

static void gate_await(void)
{
    pthread_mutex_lock(&gate.mu);
    while (!gate.reached) {
        pthread_cond_wait(&gate.cond, &gate.mu);
    }
    pthread_mutex_unlock(&gate.mu);
}

/* Was it shut until now? */
static bool gate_open(void)
{
    pthread_mutex_lock(&gate.mu);
    bool held = gate.shut && !gate.forced;
    gate.shut = false;
    pthread_cond_broadcast(&gate.cond);
    pthread_mutex_unlock(&gate.mu);
    return held;
}

static size_t list_all(struct fixture *f, const struct selection *sel)
{
    static struct page p;
    char token[PAGE_TOKEN] = "";
    assert_int_equal(list_page(f, sel, 0, token, &p), OK);
    assert_str(str_of(token), "");
    return p.n;
}

static void take(void *arg, const struct seen *s)
{
    (void)s;
    ++*(size_t *)arg;
}

static void pull_all(struct watch_set *set, struct test_watch *w, size_t n)
{
    size_t seen = 0;
    while (seen < n) {
        struct err err = {0};
        enum errc rc = OK;
        rv_t synced = 0;
        while (w->parked && watch_set_ready(set) == NULL) {
            usleep(1000);
            watch_set_turn(set);
        }
        (void)test_watch_pull(w, take, &seen, &synced, &rc, &err);
        assert_ok(rc, &err);
    }
    assert_int_equal(seen, n);
}

static void begin(struct fixture *f)
{
    static struct codec codec;
    codec = fixture_codec;
    codec.alloc = alloc_at_gate;
    fixture_init(f);
    f->opt.codec = &codec;
    fixture_open(f);
    for (int i = 0; i < EVENTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(fixture_put(f, "jobs", "default", name, "{}", "{}", NULL), OK);
    }
    fixture_close(f);
    fixture_open(f); /* nothing of it is in memory */
}

static void reads_and_writes_beside(enum watch_start start)
{
    struct fixture f = {0};
    begin(&f);
    struct watch_set *set = watch_set_new(f.store, test_kick, NULL);
    struct test_watch w = {.n_spec = 1};
    w.spec[0] = (struct selection){.resource = STR("jobs"), .all_namespaces = true};
    struct err err = {0};
    assert_int_equal(test_watch_open(set, &w, start, 0, &err), OK);
    assert_ptr_equal(watch_set_ready(set), &w);
    gate_shut();
    size_t seen = 0;
    rv_t synced = 0, rv = 0;
    enum errc rc = OK;
    assert_int_equal(test_watch_pull(&w, take, &seen, &synced, &rc, &err), BATCH_NONE);
    gate_await();

    assert_int_equal(fixture_put(&f, "jobs", "default", "n0", "{}", "{\"a\":1}", &rv), OK);
    assert_int_equal(rv, EVENTS + 1);
    struct object *o = NULL;
    assert_int_equal(fixture_get(&f, "jobs", "default", "n0", &o), OK);
    assert_int_equal(o->rv, EVENTS + 1);
    object_unref(o);
    const struct key key = {STR("jobs"), STR("default"), STR("n0")};
    assert_int_equal(fixture_get_at(&f, &key, EVENTS, &o, &err), OK);
    assert_int_equal(o->rv, 1);
    object_unref(o);
    assert_int_equal(list_all(&f, &w.spec[0]), EVENTS);

    assert_true(gate_open()); /* all that while it was held up */
    pull_all(set, &w, EVENTS + 1);
    test_watch_fini(&w);
    watch_set_free(set);
    fixture_fini(&f);
}

static void nobody_waits_for_a_replay_under_way(void **state)
{
    (void)state;
    reads_and_writes_beside(START_OLDEST);
}

static void nobody_waits_for_a_snapshot_under_way(void **state)
{
    (void)state;
    reads_and_writes_beside(START_SNAPSHOT);
}

static int priority(pid_t thread)
{
    return getpriority(PRIO_PROCESS, (id_t)thread);
}

/* A thread gives way as the first thing it does, which may be a while after it was made. */
static int priority_in_the_end(pid_t thread, int mine)
{
    for (int i = 0; i < GATE_MAX_MS && mine < 19 && priority(thread) == mine; i++) {
        usleep(1000);
    }
    return priority(thread);
}

static void only_what_is_long_has_a_lower_priority(void **state)
{
    (void)state;
    struct fixture f = {0};
    begin(&f);
    int mine = priority(gettid()), bulk = 0, others = 0;
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        pid_t thread = (pid_t)atoi(e->d_name);
        char path[64], name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)thread);
        FILE *comm = fopen(path, "re");
        if (comm == NULL) {
            continue;
        }
        assert_non_null(fgets(name, sizeof(name), comm));
        fclose(comm);
        if (strcmp(name, "bulk reader\n") == 0) {
            bulk = priority_in_the_end(thread, mine);
        } else {
            assert_int_equal(priority(thread), mine);
            others++;
        }
    }
    closedir(d);
    assert_true(bulk > mine || mine == 19);
    assert_true(others >= 3); /* this one, the writer, the reader */
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits_for_a_replay_under_way),
        cmocka_unit_test(nobody_waits_for_a_snapshot_under_way),
        cmocka_unit_test(only_what_is_long_has_a_lower_priority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

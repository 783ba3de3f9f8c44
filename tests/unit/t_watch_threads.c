/* SPDX-License-Identifier: Apache-2.0 */
/* Writers and watchers on threads of their own, at full speed: every watcher sees every event of
 * its selection once and in order, and nobody is left asleep with something to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "store_fixture.h"

#define WRITERS  4
#define SETS     2
#define WATCHERS 24 /* of each set */

static int puts_each = 1500;
static struct fixture fx;

static void die(const char *what, unsigned long long a, unsigned long long b)
{
    fprintf(stderr, "%s: %llu, %llu\n", what, a, b);
    abort();
}

static void *write_many(void *arg)
{
    int me = (int)(intptr_t)arg;
    char ns[16], spec[64], name[16];
    snprintf(ns, sizeof ns, "w%d", me);
    for (int i = 0; i < puts_each; i++) {
        snprintf(name, sizeof name, "n%d", i % 7);
        snprintf(spec, sizeof spec, "{\"seq\":%d}", i);
        rv_t rv = 0;
        const char *labels = i % 2 == 0 ? "{\"even\":\"yes\"}" : "{}";
        if (fixture_put(&fx, "jobs", ns, name, labels, spec, &rv) != OK) {
            die("a put failed", (unsigned long long)me, (unsigned long long)i);
        }
    }
    return NULL;
}

struct one {
    struct test_watch t;
    int writer; /* whose events; -1: all */
    rv_t last;
    int next_seq[WRITERS];
    bool synced;
    char ns[16];
};

struct loop {
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool kicked;
    struct watch_set *set;
    struct one w[WATCHERS];
};

static void kick(void *arg)
{
    struct loop *l = arg;
    pthread_mutex_lock(&l->mu);
    l->kicked = true;
    pthread_cond_signal(&l->cond);
    pthread_mutex_unlock(&l->mu);
}

static void see(void *arg, const struct seen *s)
{
    struct one *o = arg;
    int writer = s->key[6] - '0'; /* "jobs/wN/…" */
    const char *at = strstr(s->body, "\"seq\":");
    int seq = at != NULL ? atoi(at + 6) : -1;
    if (!o->synced) {
        if (seq + 1 > o->next_seq[writer]) {
            o->next_seq[writer] = seq + 1;
        }
        return;
    }
    if (s->rv <= o->last) {
        die("out of order", o->last, s->rv);
    }
    o->last = s->rv;
    if (o->writer >= 0 && writer != o->writer) {
        die("not selected", (unsigned long long)o->writer, (unsigned long long)writer);
    }
    if (seq != o->next_seq[writer]) {
        die("lost or repeated", (unsigned long long)o->next_seq[writer], (unsigned long long)seq);
    }
    o->next_seq[writer]++;
}

static bool complete(const struct one *o)
{
    for (int i = 0; i < WRITERS; i++) {
        if ((o->writer < 0 || o->writer == i) && o->next_seq[i] < puts_each) {
            return false;
        }
    }
    return true;
}

static void pull_all(struct loop *l)
{
    struct test_watch *t = NULL;
    while ((t = watch_set_ready(l->set)) != NULL) {
        struct err err = {0};
        enum errc rc = OK;
        rv_t synced = 0;
        enum watch_batch_kind kind = BATCH_NONE;
        do {
            kind = test_watch_pull(t, see, t, &synced, &rc, &err);
            if (rc != OK) {
                die(err.msg, rc, 0);
            }
            if (kind == BATCH_SYNCED) {
                struct one *o = (struct one *)t;
                o->synced = true;
                o->last = synced;
            }
        } while (kind != BATCH_NONE);
    }
}

static void *watch_many(void *arg)
{
    struct loop *l = arg;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 120;
    for (int i = 0; i < WATCHERS; i++) {
        struct one *o = &l->w[i];
        o->writer = i % (WRITERS + 1) - 1;
        snprintf(o->ns, sizeof o->ns, "w%d", o->writer);
        o->t.n_spec = 1;
        o->t.spec[0] = (struct selection){.resource = STR("jobs"),
                                          .ns = o->writer >= 0 ? str_of(o->ns) : STR_EMPTY,
                                          .all_namespaces = o->writer < 0};
        struct err err = {0};
        bool snapshot = i % 2 == 0;
        o->synced = !snapshot;
        if (test_watch_open(l->set, &o->t, snapshot ? START_SNAPSHOT : START_OLDEST, 0, &err) !=
            OK) {
            die(err.msg, 0, 0);
        }
        watch_set_turn(l->set);
        pull_all(l);
        usleep(2000);
    }
    for (;;) {
        watch_set_turn(l->set);
        pull_all(l);
        bool done = true;
        for (int i = 0; i < WATCHERS; i++) {
            done = done && complete(&l->w[i]);
        }
        if (done) {
            break;
        }
        pthread_mutex_lock(&l->mu);
        while (!l->kicked) {
            if (pthread_cond_timedwait(&l->cond, &l->mu, &until) != 0) {
                die("asleep with events to see", 0, 0);
            }
        }
        l->kicked = false;
        pthread_mutex_unlock(&l->mu);
    }
    for (int i = 0; i < WATCHERS; i++) {
        test_watch_fini(&l->w[i].t);
    }
    return NULL;
}

static void run(size_t log_bytes)
{
    struct loop *loops = mem_zalloc(SETS * sizeof *loops);
    fixture_init(&fx);
    fx.opt.log_bytes = log_bytes;
    fixture_open(&fx);
    pthread_t writers[WRITERS];
    for (int i = 0; i < SETS; i++) {
        pthread_mutex_init(&loops[i].mu, NULL);
        pthread_cond_init(&loops[i].cond, NULL);
        loops[i].set = watch_set_new(fx.store, kick, &loops[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, (void *)(intptr_t)i), 0);
    }
    for (int i = 0; i < SETS; i++) {
        assert_int_equal(pthread_create(&loops[i].thread, NULL, watch_many, &loops[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
    }
    for (int i = 0; i < SETS; i++) {
        pthread_join(loops[i].thread, NULL);
        watch_set_free(loops[i].set);
    }
    assert_int_equal(store_head(fx.store), WRITERS * puts_each);
    fixture_fini(&fx);
    free(loops);
}

static void watchers_on_threads_see_every_event_once_in_order(void **state)
{
    (void)state;
    run(0);
}

static void watchers_on_threads_cross_from_history_to_live_under_load(void **state)
{
    (void)state;
    run(4096);
}

/* A client may name a version the moment it is acknowledged, before the set took a turn. */
static void *open_at_the_head(void *arg)
{
    struct watch_set *set = watch_set_new(fx.store, test_kick, NULL);
    const _Atomic bool *stop = arg;
    while (!*stop) {
        struct test_watch t = {.n_spec = 1};
        t.spec[0] = (struct selection){.resource = STR("jobs"), .all_namespaces = true};
        struct err err = {0};
        enum errc rc = test_watch_open(set, &t, START_SINCE, store_head(fx.store) + 1, &err);
        struct watch_batch b = {.kind = BATCH_NONE};
        for (int i = 0; rc == OK && i < 3 && watch_set_ready(set) != NULL; i++) {
            if (watcher_pull(t.watcher, &b, &err) != OK) {
                die(err.msg, 0, 0);
            }
            watch_batch_fini(&b);
        }
        if (rc != OK && rc != ERR_FUTURE) {
            die(err.msg, rc, 0);
        }
        test_watch_fini(&t);
    }
    watch_set_free(set);
    return NULL;
}

static void a_watch_may_start_at_a_version_committed_this_very_moment(void **state)
{
    (void)state;
    fixture_init(&fx);
    fixture_open(&fx);
    _Atomic bool stop = false;
    pthread_t writers[2], opener;
    assert_int_equal(pthread_create(&opener, NULL, open_at_the_head, &stop), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, (void *)(intptr_t)i), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(writers[i], NULL);
    }
    stop = true;
    pthread_join(opener, NULL);
    fixture_fini(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchers_on_threads_see_every_event_once_in_order),
        cmocka_unit_test(watchers_on_threads_cross_from_history_to_live_under_load),
        cmocka_unit_test(a_watch_may_start_at_a_version_committed_this_very_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Power losses: a process commits batches through the engine and reports each acknowledgement
 * through a pipe; at some operation of its files the power goes, and what was not synced is kept,
 * dropped or torn at random. Whatever is left must be a sound database that has all that was
 * acknowledged, whole batches only, and no version twice. The controls plant faults that must be
 * found: a database that is not synced, and a disk that lies about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/engine_rig.h"
#include "tests/lib/powerloss_vfs.h"

#define LOSSES       400
#define CONTROLS     40
#define LIVES_OF_ONE 12 /* losses that one database goes through */
#define OPERATIONS   1500
#define BATCHES      60
#define ACKS_MAX     (LIVES_OF_ONE * BATCHES + 1)

/* What the child reports: a batch, or with n = 0 a floor. */
struct report {
    rv_t first;
    uint64_t n;
    uint64_t batch;
};

static void gone(void *arg, rv_t rv, const struct key *key, size_t bytes)
{
    (void)arg;
    (void)rv;
    (void)key;
    (void)bytes;
}

static bool ignore(void *arg, const struct event *ev)
{
    (void)arg;
    (void)ev;
    return true;
}

static void say(int fd, rv_t first, uint64_t n, uint64_t batch)
{
    const struct report r = {first, n, batch};
    if (write(fd, &r, sizeof(r)) != sizeof(r)) {
        _exit(3);
    }
}

/* The life of one process: until its power goes, or to a clean end. */
static void live(struct rig *f, const struct powerloss_plan *plan, int fd)
{
    struct err err;
    struct engine_reader *r = NULL;
    rv_t floor, head;
    if (powerloss_register(false) != 0) {
        _exit(2);
    }
    powerloss_plan(plan);
    f->vfs = POWERLOSS_NAME;
    if (rig_open(f, &err) != OK || f->e->ops->reader_open(f->e, &r, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(2);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        rig_make_batch(f);
        /* A reader with a view keeps the log from being reset, so that it grows. */
        bool view = rig_random(f, 3) == 0;
        if (view && f->e->ops->view_begin(r, &head, &err) != OK) {
            _exit(2);
        }
        if (rig_commit(f, &err) != OK) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(2);
        }
        say(fd, f->changes[0].event.rv, f->n, f->batch);
        if (view && f->e->ops->history(r, f->e->floor, head, ignore, NULL, &err) != OK) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(2);
        }
        f->e->ops->view_end(r);
        if (rig_random(f, 8) == 0 && f->e->head > 60) {
            if (rig_compact(f, f->e->head - 50, 40, gone, NULL, &floor, &err) != OK) {
                _exit(2);
            }
            say(fd, floor, 0, 0);
        }
    }
    f->e->ops->reader_close(r);
    rig_close(f);
    _exit(0);
}

struct history {
    struct rig_ack acks[ACKS_MAX];
    size_t n;
    rv_t floor;
};

/* Runs one life; gives how it ended. Adds what was acknowledged. */
static int run(struct rig *f, const struct powerloss_plan *plan, struct history *h)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        live(f, plan, fds[1]);
    }
    close(fds[1]);
    struct report r;
    while (read(fds[0], &r, sizeof(r)) == sizeof(r)) {
        if (r.n == 0) {
            h->floor = r.first;
        } else {
            assert_true(h->n < ACKS_MAX);
            h->acks[h->n++] = (struct rig_ack){r.first, r.n, r.batch};
        }
    }
    close(fds[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct tally {
    size_t losses, clean, bad;
    char why[400]; /* of the first bad one */
};

/* Loses the power `n` times, in databases that live through several losses each. Stops a database
 * at the first thing found wrong in it. */
static void lose_power(size_t n, bool no_sync, bool lie, struct tally *t)
{
    struct rig *f = mem_alloc(sizeof(*f));
    struct history *h = mem_zalloc(sizeof(*h));
    *t = (struct tally){.losses = 0};
    for (uint64_t seed = 0; t->losses < n; seed++) {
        rig_init(f, seed);
        f->no_sync = no_sync;
        h->n = 0;
        h->floor = 0;
        for (size_t life = 0; life < LIVES_OF_ONE && t->losses < n; life++) {
            uint64_t own = seed * LIVES_OF_ONE + life;
            f->batch = own << 20; /* told apart for ever */
            f->random = (own + 1) * 0x9e3779b97f4a7c15ULL;
            const struct powerloss_plan plan = {
                .seed = own,
                /* Often early, where the file is made and the log is read. */
                .lose_at = 1 + (long)rig_random(f, rig_random(f, 3) == 0 ? 80 : OPERATIONS),
                .lie = lie,
            };
            int end = run(f, &plan, h);
            t->losses += end == POWERLOSS_EXIT ? 1 : 0;
            t->clean += end == 0 ? 1 : 0;
            struct rig_verdict v;
            rig_verify(f->path, h->acks, h->n, h->floor, &v);
            if (v.ok && end != POWERLOSS_EXIT && end != 0) {
                snprintf(v.why, sizeof(v.why), "the process ended with %d", end);
                v.ok = false;
            }
            if (!v.ok) {
                if (t->bad++ == 0) {
                    snprintf(t->why, sizeof(t->why), "seed %zu life %zu: %.300s", (size_t)seed,
                             life, v.why);
                }
                break;
            }
        }
        rig_fini(f);
    }
    print_message("%zu power losses, %zu clean ends, %zu databases found bad (%s)\n", t->losses,
                  t->clean, t->bad, t->why);
    freep(&f);
    freep(&h);
}

static void power_losses_lose_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    struct tally t;
    lose_power(LOSSES, false, false, &t);
    assert_string_equal(t.why, "");
    assert_int_equal(t.bad, 0);
    assert_true(t.clean > 0);
}

static void a_database_that_is_not_synced_is_found_out(void **state)
{
    (void)state;
    struct tally t;
    lose_power(CONTROLS, true, false, &t);
    assert_true(t.bad >= CONTROLS / 4);
}

static void a_disk_that_lies_is_found_out(void **state)
{
    (void)state;
    struct tally t;
    lose_power(CONTROLS, false, true, &t);
    assert_true(t.bad >= CONTROLS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_losses_lose_nothing_that_was_acknowledged),
        cmocka_unit_test(a_database_that_is_not_synced_is_found_out),
        cmocka_unit_test(a_disk_that_lies_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

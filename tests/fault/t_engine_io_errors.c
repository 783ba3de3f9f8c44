/* SPDX-License-Identifier: Apache-2.0 */
/* I/O errors: the first, second, third … operation of the engine's files fails, until a run passes
 * in which none was left to fail; in each of the engine's doings, with each kind of fault, once or
 * lastingly. Never is anything lost that the sink was told of, never is it told of what is not
 * durable, a failed commit says the truth about what became of it, and when the fault is gone
 * writing goes on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/engine_rig.h"
#include "tests/lib/powerloss_vfs.h"

#define ACKS_MAX 200
#define COPIES \
    2 /* ways of losing the power that are tried at each point; the first keeps nothing */

struct play {
    struct rig rig;
    char name[160]; /* for messages */
    struct rig_ack acks[ACKS_MAX];
    size_t n;
    rv_t floor; /* acknowledged */
    char *copy; /* where states after a loss are looked at */
    bool look;  /* at what the sink is told */
    long hits;  /* operations that failed, before the fault was lifted */
};

struct scene {
    const char *name;
    void (*prepare)(struct play *p);
    void (*act)(struct play *p); /* under the fault; checks what it can */
};

static const struct powerloss_plan no_fault = {.seed = 1};

#define check(p, condition, ...)                            \
    do {                                                    \
        if (!(condition)) {                                 \
            print_error("%s: " #condition ": ", (p)->name); \
            print_error(__VA_ARGS__);                       \
            fail();                                         \
        }                                                   \
    } while (0)

static void lift_fault(struct play *p)
{
    p->hits += powerloss_faults_injected();
    powerloss_plan(&no_fault);
}

/* What would be found if the power were lost now: head is between these two. */
static void check_losses(struct play *p, rv_t at_least, rv_t at_most)
{
    for (size_t i = 0; i < COPIES; i++) {
        uint64_t seed = i == 0 ? 0 : 1 + rig_random(&p->rig, 1000000);
        struct rig_verdict v;
        check(p, powerloss_copy(p->rig.path, p->copy, seed), "cannot copy\n");
        rig_verify(p->copy, p->acks, p->n, p->floor, &v);
        check(p, v.ok, "after a loss (%d): %s\n", (int)seed, v.why);
        check(p, v.head >= at_least && v.head <= at_most, "after a loss (%d): head %lu\n",
              (int)seed, (unsigned long)v.head);
    }
}

static void told(struct rig *f, const struct change *changes, size_t n)
{
    struct play *p = f->arg;
    uint64_t id[2];
    memcpy(id, changes[0].event.request_id.p, sizeof(id));
    assert_true(p->n < ACKS_MAX);
    p->acks[p->n++] = (struct rig_ack){changes[0].event.rv, n, id[0]};
    if (p->look) {
        check_losses(p, f->told, f->told);
    }
}

static void open_sound(struct play *p)
{
    struct err err;
    enum errc code = rig_open(&p->rig, &err);
    check(p, code == OK, "%s\n", err.msg);
}

static void commit_sound(struct play *p, size_t n)
{
    struct err err;
    for (size_t i = 0; i < n; i++) {
        rig_make_batch(&p->rig);
        enum errc code = rig_commit(&p->rig, &err);
        check(p, code == OK, "%s\n", err.msg);
    }
}

static void recover_sound(struct play *p)
{
    struct err err;
    enum errc code = p->rig.e->ops->recover(p->rig.e, &err);
    check(p, code == OK, "%s\n", err.msg);
}

static bool walk(void *arg, const struct event *ev)
{
    rv_t *next = arg;
    return ev->rv == *next && ++*next != 0;
}

/* How many objects a start would find. */
static enum errc count_objects(struct engine *e, struct engine_reader *r, size_t *ret,
                               struct err *err)
{
    struct rig *seen = mem_zalloc(sizeof(*seen));
    seen->e = e;
    enum errc code = rig_load_items(seen, r, err);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        *ret += seen->items[i].rv != 0;
    }
    freep(&seen);
    return code;
}

/* Everything once, on a connection of its own. */
static enum errc read_all(struct play *p, struct err *err)
{
    struct engine *e = p->rig.e;
    struct engine_reader *r = NULL;
    rv_t head = 0, next = e->floor + 1;
    size_t objects = 0, want = 0;
    enum errc code = e->ops->reader_open(e, &r, err);
    if (code == OK) {
        code = e->ops->view_begin(r, &head, err);
    }
    if (code == OK) {
        code = e->ops->history(r, e->floor, head, walk, &next, err);
        check(p, code != OK || next == head + 1, "history stopped at %lu\n", (unsigned long)next);
    }
    if (code == OK) {
        code = count_objects(e, r, &objects, err);
    }
    for (size_t i = 0; i < RIG_KEYS && code == OK; i++) {
        CLEANUP(object_unrefp) struct object *o = NULL;
        if (p->rig.items[i].rv != 0 && head == p->rig.told) {
            code = e->ops->read_object(r, p->rig.items[i].row, p->rig.items[i].rv, &o, err);
            check(p, code != OK || o->rv == p->rig.items[i].rv, "another version\n");
            want++;
        }
    }
    check(p, code != OK || head != p->rig.told || objects == want, "%zu objects of %zu\n", objects,
          want);
    e->ops->reader_close(r);
    return code;
}

/* Afterwards: what the code promises, then recovery, with the fault still there and without. */
static void after_write(struct play *p, enum errc code, size_t n, const struct err *err)
{
    struct engine *e = p->rig.e;
    struct err own;
    rv_t head = e->head;
    check(p, head == p->rig.told, "told of %lu\n", (unsigned long)p->rig.told);
    if (code == OK) {
        check_losses(p, head, head);
        return;
    }
    check(p, code == ERR_STORAGE_FULL || code == ERR_UNAVAILABLE || code == ERR_OUTCOME_UNKNOWN,
          "%s: %s\n", err_info(code)->name, err->msg);
    check_losses(p, head, code == ERR_OUTCOME_UNKNOWN ? head + n : head);
    if (code != ERR_STORAGE_FULL) {
        size_t tells = p->rig.tells;
        check(p, rig_commit(&p->rig, &own) == ERR_UNAVAILABLE && p->rig.tells == tells,
              "a commit passed before recover\n");
        code = e->ops->recover(e, &own);
        check(p, code == OK || code == ERR_UNAVAILABLE, "%s: %s\n", err_info(code)->name, own.msg);
        if (code != OK) {
            lift_fault(p);
            recover_sound(p);
        }
    }
    /* From here on nothing is in doubt. */
    check(p, e->head == p->rig.told, "told of %lu\n", (unsigned long)p->rig.told);
    check_losses(p, e->head, e->head);
}

/* --- the scenes -------------------------------------------------------------------------- */

static void with_some_history(struct play *p)
{
    open_sound(p);
    commit_sound(p, 6);
}

static void act_commit(struct play *p)
{
    struct err err;
    rig_make_batch(&p->rig);
    enum errc code = rig_commit(&p->rig, &err);
    after_write(p, code, p->rig.n, &err);
}

/* So near to a checkpoint that the commits of the act run into one. */
static void with_a_full_log(struct play *p)
{
    struct engine_usage usage = {.wal_bytes = 0};
    p->rig.pad = 2500;
    open_sound(p);
    while (usage.wal_bytes < 235 * 4120) {
        commit_sound(p, 1);
        p->rig.e->ops->usage(p->rig.e, &usage);
    }
}

static void act_commit_twice(struct play *p)
{
    act_commit(p);
    act_commit(p);
}

static void gone(void *arg, rv_t rv, const struct key *key, size_t bytes)
{
    (void)arg;
    (void)rv;
    (void)key;
    (void)bytes;
}

static void act_compact(struct play *p)
{
    struct err err;
    struct engine *e = p->rig.e;
    rv_t before = e->floor, floor = 0;
    enum errc code = rig_compact(&p->rig, e->head - 5, 1000, gone, NULL, &floor, &err);
    check(p, code != OK || (floor == e->head - 5 && e->floor == floor), "floor %lu\n",
          (unsigned long)floor);
    check(p, code == OK || e->floor == before, "floor %lu\n", (unsigned long)e->floor);
    if (code == OK) {
        p->floor = floor;
    }
    after_write(p, code, 0, &err);
    p->floor = e->floor;
}

static void act_fold(struct play *p)
{
    struct err err;
    struct engine *e = p->rig.e;
    bool done = false;
    enum errc code = OK;
    while (code == OK && !done) {
        code = e->ops->fold(e, e->head, 3, &done, &err);
    }
    after_write(p, code, 0, &err);
}

static void act_keep_clock(struct play *p)
{
    struct err err;
    enum errc code = p->rig.e->ops->keep_clock(p->rig.e, 99, &err);
    after_write(p, code, 0, &err);
}

/* A commit that failed at its sync, so that what became of it is unknown. */
static void with_an_unknown_outcome(struct play *p)
{
    const struct powerloss_plan plan = {.fault = PL_FSYNC, .fault_at = 1, .fault_count = 1};
    struct err err;
    with_some_history(p);
    powerloss_plan(&plan);
    rig_make_batch(&p->rig);
    check(p, rig_commit(&p->rig, &err) == ERR_OUTCOME_UNKNOWN, "%s\n", err.msg);
}

static void act_recover(struct play *p)
{
    struct err err;
    struct engine *e = p->rig.e;
    for (size_t i = 0; i < 3; i++) {
        rv_t head = e->head;
        enum errc code = e->ops->recover(e, &err);
        check(p, code == OK || code == ERR_UNAVAILABLE, "%s: %s\n", err_info(code)->name, err.msg);
        check(p, code == OK || e->head == head, "head %lu\n", (unsigned long)e->head);
        if (code == OK) {
            check_losses(p, e->head, e->head);
            return;
        }
        check(p, rig_commit(&p->rig, &err) == ERR_UNAVAILABLE, "%s\n", err.msg);
        check_losses(p, head, head + p->rig.n);
    }
    lift_fault(p);
    recover_sound(p);
}

static void with_a_closed_file(struct play *p)
{
    with_some_history(p);
    rig_close(&p->rig);
}

static void with_nothing(struct play *p)
{
    (void)p;
}

/* As a process finds it that comes after a kill: the log has everything. */
static void with_an_unclean_file(struct play *p)
{
    with_some_history(p);
    CLEANUP(freep) char *path = mem_printf("%s/unclean.db", p->rig.folder);
    check(p, powerloss_copy(p->rig.path, path, 0), "cannot copy\n");
    rig_close(&p->rig);
    freep(&p->rig.path);
    p->rig.path = TAKE(path);
}

static void act_open(struct play *p)
{
    struct err err;
    enum errc code = rig_open(&p->rig, &err);
    if (code != OK) {
        check(p, p->rig.e == NULL, "half open\n");
        check(p, code == ERR_UNAVAILABLE || code == ERR_STORAGE_FULL, "%s: %s\n",
              err_info(code)->name, err.msg);
        lift_fault(p);
        open_sound(p);
    }
    rv_t head = p->n != 0 ? p->acks[p->n - 1].first + p->acks[p->n - 1].n - 1 : 0;
    check(p, p->rig.e->head == head, "head %lu\n", (unsigned long)p->rig.e->head);
}

static void act_close(struct play *p)
{
    rv_t head = p->rig.e->head;
    rig_close(&p->rig);
    lift_fault(p);
    check_losses(p, head, head);
    open_sound(p);
}

static void act_read(struct play *p)
{
    struct err err;
    enum errc code = read_all(p, &err);
    check(p, code == OK || code == ERR_UNAVAILABLE, "%s: %s\n", err_info(code)->name, err.msg);
}

/* --- the loop ---------------------------------------------------------------------------- */

/* One run with one fault; gives how many operations it hit. */
static long run(struct play *p, const struct scene *scene, const char *name,
                const struct powerloss_plan *plan)
{
    struct err err;
    memset(p, 0, sizeof(*p));
    snprintf(p->name, sizeof(p->name), "%s, operation %ld", name, plan->fault_at);
    rig_init(&p->rig, (uint64_t)plan->fault_at);
    p->rig.vfs = POWERLOSS_NAME;
    p->rig.on_told = told;
    p->rig.arg = p;
    p->copy = mem_printf("%s/copy.db", p->rig.folder);
    powerloss_plan(&no_fault);
    scene->prepare(p);

    p->look = true;
    p->hits = 0;
    powerloss_plan(plan);
    scene->act(p);
    if (plan->fault != PL_IOERR) {
        /* What does not touch reads does not disturb them. */
        enum errc code = read_all(p, &err);
        check(p, code == OK, "reading while the fault lasts: %s\n", err.msg);
    }
    p->look = false;
    lift_fault(p);
    commit_sound(p, 2);
    enum errc code = read_all(p, &err);
    check(p, code == OK, "%s\n", err.msg);
    rig_close(&p->rig);
    struct rig_verdict v;
    rig_verify(p->rig.path, p->acks, p->n, p->floor, &v);
    check(p, v.ok, "at the end: %s\n", v.why);
    check(p, v.head == p->rig.told, "at the end: head %lu\n", (unsigned long)v.head);
    check(p, !p->rig.disorder, "told out of order\n");
    rig_fini(&p->rig);
    freep(&p->copy);
    return p->hits;
}

static const struct {
    const char *name;
    enum powerloss_fault fault;
    bool forget;
} faults[] = {
    {"any error",                PL_IOERR, false},
    {"disk full",                PL_FULL,  false},
    {"short write",              PL_SHORT, false},
    {"failed sync",              PL_FSYNC, false},
    {"failed sync that forgets", PL_FSYNC, true },
};

static void play_all(const struct scene *scene)
{
    struct play *p = mem_alloc(sizeof(*p));
    for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        bool once = i % 2 == 0;
        struct powerloss_plan plan = {
            .seed = 1,
            .fault = faults[i / 2].fault,
            .forget = faults[i / 2].forget,
            .fault_at = 1,
            .fault_count = once ? 1 : 0,
        };
        char name[120];
        snprintf(name, sizeof(name), "%s: %s, %s", scene->name, faults[i / 2].name,
                 once ? "once" : "lasting");
        long runs = 0;
        /* The first ones one by one, then in growing steps. */
        while (run(p, scene, name, &plan) != 0) {
            plan.fault_at += 1 + plan.fault_at / 12;
            runs++;
        }
        print_message("%s: %ld runs\n", name, runs);
    }
    freep(&p);
}

#define SCENE(test, prepare, act)                                \
    static void test(void **state)                               \
    {                                                            \
        static const struct scene scene = {#test, prepare, act}; \
        (void)state;                                             \
        play_all(&scene);                                        \
    }

SCENE(commit_tells_the_truth, with_some_history, act_commit)
SCENE(commit_with_a_checkpoint_tells_the_truth, with_a_full_log, act_commit_twice)
SCENE(compaction_tells_the_truth, with_some_history, act_compact)
SCENE(folding_tells_the_truth, with_some_history, act_fold)
SCENE(the_clock_tells_the_truth, with_some_history, act_keep_clock)
SCENE(recovery_settles_what_was_unknown, with_an_unknown_outcome, act_recover)
SCENE(making_a_file_can_be_tried_again, with_nothing, act_open)
SCENE(opening_a_file_can_be_tried_again, with_a_closed_file, act_open)
SCENE(opening_after_a_kill_can_be_tried_again, with_an_unclean_file, act_open)
SCENE(closing_loses_nothing, with_some_history, act_close)
SCENE(reading_fails_openly, with_some_history, act_read)

/* A limit of the system, as a quota is: the kernel itself refuses, not our VFS. */
static void the_kernels_own_limit_is_a_full_disk(void **state)
{
    (void)state;
    struct play *p = mem_zalloc(sizeof(*p));
    struct rlimit was, limit;
    struct err err;
    snprintf(p->name, sizeof(p->name), "file size limit");
    rig_init(&p->rig, 5);
    p->rig.pad = 2500;
    open_sound(p);
    commit_sound(p, 20);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    limit = was;
    limit.rlim_cur = 300000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum errc code = OK;
    size_t done = 0;
    while (code == OK) {
        rig_make_batch(&p->rig);
        code = rig_commit(&p->rig, &err);
        done++;
        assert_true(done < 1000);
    }
    rv_t head = p->rig.e->head;
    enum errc again = rig_commit(&p->rig, &err);
    enum errc reading = read_all(p, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(code, ERR_STORAGE_FULL);
    assert_int_equal(again, ERR_STORAGE_FULL);
    assert_int_equal(reading, OK);
    assert_int_equal(p->rig.e->head, head);
    commit_sound(p, 50);
    rig_close(&p->rig);
    struct rig_verdict v;
    rig_verify(p->rig.path, NULL, 0, 0, &v);
    assert_string_equal(v.why, "");
    assert_int_equal(v.head, p->rig.told);
    rig_fini(&p->rig);
    freep(&p);
}

static int setup(void **state)
{
    (void)state;
    return powerloss_register(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_tells_the_truth),
        cmocka_unit_test(commit_with_a_checkpoint_tells_the_truth),
        cmocka_unit_test(compaction_tells_the_truth),
        cmocka_unit_test(folding_tells_the_truth),
        cmocka_unit_test(the_clock_tells_the_truth),
        cmocka_unit_test(recovery_settles_what_was_unknown),
        cmocka_unit_test(making_a_file_can_be_tried_again),
        cmocka_unit_test(opening_a_file_can_be_tried_again),
        cmocka_unit_test(opening_after_a_kill_can_be_tried_again),
        cmocka_unit_test(closing_loses_nothing),
        cmocka_unit_test(reading_fails_openly),
        cmocka_unit_test(the_kernels_own_limit_is_a_full_disk),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

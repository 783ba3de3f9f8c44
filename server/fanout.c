/* SPDX-License-Identifier: Apache-2.0 */
/* One turn of the loop: hear of all completions, do what others asked for, let the watch set take
 * in what was committed, look at the timers, send for at most BUDGET streams.
 *
 * (1) Nothing is sent while completions wait, so that the streams which are done first do not keep
 *     the others waiting.
 * (2) Linger: while more is being committed, a thread of many streams waits for one more commit,
 *     or, after a pass which sent few events in many messages, as long as that took, at most
 *     LINGER_MAX_MS; what is committed meanwhile goes out in one message per stream. Once all
 *     writes are committed nothing waits.
 * (3) While more bytes are pinned than allowed, the stream whose message is the longest on its
 *     way, of all threads', is cut off, if that is for a second: before, there may be other
 *     reasons than its client. A quarter above the limit nothing more is sent until something
 *     arrived. From half of it on nothing is read ahead for replays.
 * (4) All that is ready is known before anything is sent, and is sent by connection.
 * (5) The watch set is level with the head before a position is told to anyone: it asks for a turn
 *     only for what may concern its watchers. It is not while it lingers, but then nearly. */
#include "server/fanout.h"

#include <stdlib.h>

#include <grpc/byte_buffer.h>

#include "server/cork.h"
#include "server/rpc.h"
#include "server/told.h"
#include "store/base/logline.h"
#include "store/base/metric.h"

#define BUDGET             64
#define LINGER_MAX_MS      20
#define COMMIT_MAX_MS      3 /* longer than most take */
#define LINGER_STREAMS     16
#define LINGER_VERSIONS    1024 /* of a set which is further behind nothing waits */
#define LINGER_MESSAGES    128
#define LINGER_EVENTS_EACH 8
#define STALLED_MIN_MS     1000
#define HOLD_MS            10
#define HEAD_MAX           (16 * 1024)
#define FREEZE_MAX_MS      1000
#define FREEZE_CUT_MS      500 /* for those which were cut off to be gone */
#define FREEZE_TICK_MS     10
#define MARK_MS            50
#define RETRY_BASE_MS      50
#define RETRY_SPREAD_MIN   200
#define RETRY_SPREAD_MAX   5000

struct loop *fanout_loop(struct fanout *f)
{
    return &f->loop;
}

void fanout_note_stalled(struct fanout *f)
{
    const struct stream *s = TAILQ_FIRST(&f->sending);
    atomic_store_explicit(&f->stalled_since, s != NULL ? s->sent_at : INT64_MAX,
                          memory_order_relaxed);
}

/* On the writer, a reader, or its own thread. A thread without streams is let sleep: a stream is counted before
 * its watcher is opened, and that takes in what was committed until then. */
static void turn_wanted(void *arg)
{
    struct fanout *f = arg;
    atomic_store(&f->turn_due, true);
    if (atomic_load(&f->streams) > 0) {
        loop_wake(&f->loop);
    }
}

struct fanout *fanout_new(struct server *srv)
{
    struct fanout *f = mem_zalloc(sizeof(*f));
    f->srv = srv;
    loop_init(&f->loop, false);
    registry_init(&f->registry, (size_t)srv->config->max_watches / srv->n_fanouts);
    timers_init(&f->timers);
    timers_init(&f->marks);
    conns_init(&f->conns);
    TAILQ_INIT(&f->sending);
    atomic_init(&f->stalled_since, INT64_MAX);
    f->message = grpc_raw_byte_buffer_create(NULL, 0);
    buf_init(&f->head, HEAD_MAX);
    f->set = watch_set_new(srv->store, turn_wanted, f);
    return f;
}

void fanout_free(struct fanout *f)
{
    if (f == NULL) {
        return;
    }
    watch_set_free(f->set);
    loop_fini(&f->loop);
    registry_fini(&f->registry);
    timers_fini(&f->timers);
    timers_fini(&f->marks);
    conns_fini(&f->conns);
    grpc_byte_buffer_destroy(f->message);
    buf_fini(&f->head);
    free(f);
}

/* Of all threads, the one whose oldest message is the longest on its way. */
static struct fanout *most_stalled(struct server *srv, mono_ms_t *ret_since)
{
    struct fanout *worst = NULL;
    *ret_since = INT64_MAX;
    for (size_t i = 0; i < srv->n_fanouts; i++) {
        mono_ms_t since =
            atomic_load_explicit(&srv->fanouts[i]->stalled_since, memory_order_relaxed);
        if (since < *ret_since) {
            *ret_since = since;
            worst = srv->fanouts[i];
        }
    }
    return worst;
}

static void cut_slowest(struct fanout *f, mono_ms_t stalled_ms, int64_t pinned)
{
    struct stream *s = TAILQ_FIRST(&f->sending);
    struct err err;
    (void)err_set(
        &err, ERR_TOO_SLOW,
        "nothing was read for %lld ms while clients that do not read hold %lld bytes; read "
        "faster and resume from the last position",
        (long long)stalled_ms, (long long)pinned);
    log_warn("a watch was too slow subscription=%s stalled_ms=%lld pinned_bytes=%lld", s->id,
             (long long)stalled_ms, (long long)pinned);
    metric_add(M_WATCHES_TOO_SLOW, 1);
    stream_cut(s, &err);
}

enum pressure { PRESSURE_NONE, PRESSURE_HIGH, PRESSURE_FULL };

/* (3) FULL: pin nothing now. HIGH: look again soon. */
static enum pressure relieve(struct fanout *f, mono_ms_t now)
{
    int64_t limit = f->srv->config->max_pinned_bytes;
    int64_t pinned = metric_get(M_PINNED_BYTES);
    watch_set_read_ahead(f->set, pinned <= limit / 2);
    if (pinned <= limit) {
        return PRESSURE_NONE;
    }
    mono_ms_t since;
    struct fanout *worst = most_stalled(f->srv, &since);
    if (worst == NULL) {
        return PRESSURE_HIGH; /* nothing is on its way: only what goes on lets go of it */
    }
    if (now - since >= STALLED_MIN_MS) {
        if (worst == f) {
            cut_slowest(f, now - since, pinned);
        } else {
            loop_wake(&worst->loop);
        }
    }
    return pinned > limit + limit / 4 ? PRESSURE_FULL : PRESSURE_HIGH;
}

/* (2) */
static bool worth_waiting(struct fanout *f, mono_ms_t now)
{
    watch_set_rearm(f->set); /* the commits that are waited for should wake this thread */
    rv_t head = store_head(f->srv->store);
    if (atomic_load(&f->streams) < LINGER_STREAMS || !store_is_committing(f->srv->store) ||
        head - watch_set_at(f->set) > LINGER_VERSIONS) {
        return false;
    }
    if (f->turn_by == 0) {
        mono_ms_t commit = now + COMMIT_MAX_MS;
        f->turn_by = commit > f->linger_until ? commit : f->linger_until;
        f->turn_head = head;
    }
    return now < f->linger_until || (now < f->turn_by && head == f->turn_head);
}

static void take_turn(struct fanout *f, mono_ms_t now)
{
    if (!atomic_load_explicit(&f->turn_due, memory_order_relaxed) ||
        (!f->turn_now && worth_waiting(f, now))) {
        return;
    }
    f->turn_now = false;
    f->turn_by = 0;
    atomic_store(&f->turn_due, false);
    watch_set_turn(f->set);
    f->pass_at = now;
    f->pass_messages = 0;
    f->pass_events = 0;
}

void fanout_catch_up(struct fanout *f)
{
    if (f->phase == FANOUT_SERVING && !atomic_load(&f->turn_due) &&
        watch_set_at(f->set) < store_head(f->srv->store)) {
        watch_set_turn(f->set);
    }
}

/* (2) */
static void end_pass(struct fanout *f)
{
    if (f->pass_messages >= LINGER_MESSAGES &&
        f->pass_events < (uint64_t)f->pass_messages * LINGER_EVENTS_EACH) {
        mono_ms_t now = loop_now();
        mono_ms_t took = now - f->pass_at;
        f->linger_until = now + (took < LINGER_MAX_MS ? took : LINGER_MAX_MS);
    }
    f->pass_messages = 0;
    f->pass_events = 0;
}

static void run_timers(struct fanout *f, mono_ms_t now)
{
    struct timer *t = timers_first(&f->timers);
    if (f->conns.n_ready > 0 || (t != NULL && t->at <= now)) {
        fanout_catch_up(f); /* (5) */
    }
    while ((t = timers_first(&f->timers)) != NULL && t->at <= now) {
        timers_clear(&f->timers, t);
        stream_timer_due(CONTAINER(t, struct stream, timer), now);
    }
}

static void collect_ready(struct fanout *f)
{
    struct stream *s;
    while ((s = watch_set_ready(f->set)) != NULL) {
        stream_wake(s);
    }
}

/* For some of the streams of a connection; a stream that is ready again at once waits for the
 * connection's next turn. Returns for how many. */
static size_t send_for(struct conn *c, size_t most, mono_ms_t now)
{
    size_t n = c->n_ready < most ? c->n_ready : most;
    if (n > 1) {
        cork_hold(c->fd);
    }
    for (size_t i = 0; i < n; i++) {
        stream_pump(TAILQ_FIRST(&c->ready), now);
    }
    if (n > 1) {
        cork_release(c->fd);
    }
    return n;
}

static mono_ms_t earlier(mono_ms_t a, mono_ms_t b)
{
    return a == LOOP_FOREVER || b < a ? b : a;
}

static mono_ms_t next_deadline(struct fanout *f, enum pressure pressure, mono_ms_t now)
{
    if (pressure == PRESSURE_FULL) {
        return now + HOLD_MS;
    }
    if (f->conns.n_ready > 0) {
        return LOOP_NO_WAIT;
    }
    mono_ms_t deadline = pressure == PRESSURE_HIGH ? now + HOLD_MS : LOOP_FOREVER;
    const struct timer *t = timers_first(&f->timers);
    if (t != NULL) {
        deadline = earlier(deadline, t->at);
    }
    if (atomic_load(&f->turn_due)) {
        deadline = earlier(deadline, f->turn_by);
    }
    return deadline;
}

static void reach(struct fanout *f, enum fanout_phase phase)
{
    f->phase = phase;
    loop_post(rpc_loop(f->srv->rpc), &f->phase_task);
}

static void set_draining_err(struct err *err)
{
    (void)err_set(err, ERR_DRAINING, "the server is about to end; resume from the last position");
}

/* Whoever is registered is at rest, the others are about to be gone. */
static void go_on_freezing(struct fanout *f, mono_ms_t now)
{
    if (now >= f->freeze_until) {
        struct err err;
        set_draining_err(&err);
        while (!TAILQ_EMPTY(&f->sending)) {
            stream_cut(TAILQ_FIRST(&f->sending), &err);
        }
    }
    if ((TAILQ_EMPTY(&f->sending) && atomic_load(&f->streams) == f->registry.count) ||
        now >= f->freeze_until + FREEZE_CUT_MS) {
        reach(f, FANOUT_FROZEN);
    }
}

static mono_ms_t go_on_serving(struct fanout *f, mono_ms_t now)
{
    take_turn(f, now);
    told_look(f);
    run_timers(f, now);
    collect_ready(f); /* (4) */
    enum pressure pressure = relieve(f, now);
    struct conn *c;
    for (size_t left = BUDGET;
         left > 0 && pressure != PRESSURE_FULL && (c = conns_next(&f->conns)) != NULL;) {
        left -= send_for(c, left, now);
    }
    collect_ready(f); /* whoever was not done, though it had nothing to send */
    if (f->conns.n_ready == 0) {
        end_pass(f);
    }
    return next_deadline(f, pressure, now);
}

static void drain_one(void *arg, struct stream *s)
{
    struct fanout *f = arg;
    uint64_t spread = atomic_load(&f->srv->watches) / 2;
    spread = spread < RETRY_SPREAD_MIN   ? RETRY_SPREAD_MIN
             : spread > RETRY_SPREAD_MAX ? RETRY_SPREAD_MAX
                                         : spread;
    struct err err;
    set_draining_err(&err);
    err.retry_ms = RETRY_BASE_MS + (int64_t)random_below(spread);
    stream_end(s, &err, false, f->srv->config->drain_ms);
}

static void mark_one(void *arg, struct stream *s)
{
    stream_mark(s, *(const mono_ms_t *)arg);
}

static mono_ms_t go_on_draining(struct fanout *f, mono_ms_t now)
{
    run_timers(f, now);
    if (f->phase == FANOUT_FREEZING) {
        go_on_freezing(f, now);
    }
    if (f->phase == FANOUT_MARKING && (now >= f->mark_until || f->registry.count == 0)) {
        f->phase = FANOUT_ENDING;
        registry_each(&f->registry, STR_EMPTY, drain_one, f);
    }
    if (f->phase == FANOUT_ENDING && atomic_load(&f->streams) == 0) {
        reach(f, FANOUT_DRAINED);
    }
    return atomic_load(&f->streams) > 0 ? now + FREEZE_TICK_MS : LOOP_FOREVER;
}

static void *run(void *arg)
{
    struct fanout *f = arg;
    pthread_setname_np(pthread_self(), "fanout");
    mono_ms_t deadline = LOOP_FOREVER;
    while (!f->stopping || atomic_load(&f->streams) > 0) {
        while (loop_next(&f->loop, deadline)) { /* (1) */
            deadline = LOOP_NO_WAIT;
        }
        loop_run_tasks(&f->loop);
        mono_ms_t now = loop_now();
        deadline = f->phase == FANOUT_SERVING ? go_on_serving(f, now) : go_on_draining(f, now);
    }
    return NULL;
}

void fanout_start(struct fanout *f)
{
    if (pthread_create(&f->thread, NULL, run, f) != 0) {
        log_error("cannot start a fan-out thread");
        abort();
    }
}

static void freeze(struct task *t)
{
    struct fanout *f = CONTAINER(t, struct fanout, freeze_task);
    mono_ms_t wait = f->srv->config->drain_ms;
    fanout_catch_up(f);
    f->phase = FANOUT_FREEZING;
    f->freeze_until = loop_now() + (wait < FREEZE_MAX_MS ? wait : FREEZE_MAX_MS);
}

void fanout_freeze(struct fanout *f, void (*done)(struct task *t))
{
    f->phase_task.run = done;
    f->freeze_task.run = freeze;
    loop_post(&f->loop, &f->freeze_task);
}

static void drain(struct task *t)
{
    struct fanout *f = CONTAINER(t, struct fanout, drain_task);
    mono_ms_t now = loop_now();
    f->phase = FANOUT_MARKING;
    f->mark_until = now + MARK_MS;
    registry_each(&f->registry, STR_EMPTY, mark_one, &now);
}

void fanout_drain(struct fanout *f, void (*done)(struct task *t))
{
    f->phase_task.run = done;
    f->drain_task.run = drain;
    loop_post(&f->loop, &f->drain_task);
}

static void stop(struct task *t)
{
    CONTAINER(t, struct fanout, stop_task)->stopping = true;
}

void fanout_stop(struct fanout *f)
{
    f->stop_task.run = stop;
    loop_post(&f->loop, &f->stop_task);
    pthread_join(f->thread, NULL);
}

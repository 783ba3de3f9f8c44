/* SPDX-License-Identifier: Apache-2.0 */
/* Every put goes to every watcher. In the closed loop a put is in flight until its answer and its
 * last event are here (or, with --on-ack, its answer): so the load is what the server can deliver.
 * In the open loop puts are due at fixed times, and an event's latency counts from there. */
#include <stdlib.h>
#include <string.h>

#include "putter.h"
#include "report.h"
#include "watch_set.h"

#define RING        (1u << 20)
#define DRAIN_LIMIT (60 * SECOND)

struct flight {
    uint32_t delivered;
    struct client *held;
};

struct fanout {
    struct bench *b;
    struct putter putter;
    struct watch_set set;
    struct flight *ring; /* by version; those in flight lie within it */
    int64_t *due;        /* by object: of its latest put */
    struct hist *latency;
};

static void land(struct fanout *f, struct flight *fl)
{
    if (fl->held != NULL && fl->delivered == f->set.n) {
        struct client *c = fl->held;
        *fl = (struct flight){0};
        client_over(c);
    }
}

static void on_issue(void *arg, uint64_t key, int64_t due)
{
    struct fanout *f = arg;
    f->due[key] = due;
}

static void on_event(void *arg, uint64_t rv, uint64_t key)
{
    struct fanout *f = arg;
    hist_add(f->latency, h2_loop_time(f->b->loop) - f->due[key]);
    if (!f->b->on_ack) {
        struct flight *fl = &f->ring[rv % RING];
        fl->delivered++;
        land(f, fl);
    }
}

static bool on_answer(void *arg, struct client *c)
{
    struct fanout *f = arg;
    if (f->b->on_ack) {
        return true;
    }
    struct flight *fl = &f->ring[c->rv % RING];
    if (fl->held != NULL) {
        fail("version %llu was given out twice", (unsigned long long)c->rv);
    }
    fl->held = c;
    land(f, fl);
    return false;
}

static bool all_delivered(void *arg)
{
    struct fanout *f = arg;
    return putter_idle(&f->putter) && f->set.events == f->putter.over * f->set.n;
}

static void report(struct fanout *f, const struct usage *from, const struct usage *to,
                   const struct hist *puts, const struct hist *events, uint64_t messages)
{
    double t = (double)(to->time - from->time), n = (double)events->n;
    double cpu = (double)(to->server_cpu - from->server_cpu);
    report_begin();
    report_number("events", n);
    report_number("events_per_s", n * 1e9 / t);
    report_number("server_us_per_event", n > 0 ? cpu / n / 1e3 : 0);
    report_number("events_per_message", messages > 0 ? n / (double)messages : 0);
    report_hist("event", events);
    report_number("puts", (double)puts->n);
    report_number("puts_per_s", (double)puts->n * 1e9 / t);
    report_hist("put", puts);
    report_usage(f->b, from, to);
    report_end();
}

void workload_fanout(struct bench *b)
{
    struct fanout f = {.b = b};
    struct usage from, to;
    b->random_keys = false; /* an object has one put in flight, or `due` would not tell */
    if (b->objects < b->clients) {
        fail("fanout needs an object for each client");
    }
    f.ring = mem_zalloc(RING * sizeof(*f.ring));
    f.due = mem_zalloc((size_t)b->objects * sizeof(*f.due));
    f.latency = mem_zalloc(sizeof(*f.latency));
    putter_init(&f.putter, b, (size_t)b->clients, (size_t)b->conns, b->rate);
    f.putter.on_issue = on_issue;
    f.putter.on_answer = on_answer;
    f.putter.arg = &f;
    watch_set_init(&f.set, b, (size_t)b->watchers, (size_t)b->streams, (size_t)b->watch_conns);
    f.set.on_event = on_event;
    f.set.arg = &f;
    watch_set_open_all(&f.set);

    putter_start(&f.putter, UINT64_MAX);
    bench_pass(b, b->warmup_ms * 1000000);
    memset(f.putter.latency, 0, sizeof(*f.putter.latency));
    memset(f.latency, 0, sizeof(*f.latency));
    uint64_t messages = f.set.messages;
    usage_take((pid_t)b->pid, &from);
    bench_pass(b, b->duration_ms * 1000000);
    usage_take((pid_t)b->pid, &to);
    messages = f.set.messages - messages;
    struct hist puts = *f.putter.latency, events = *f.latency;

    putter_stop(&f.putter);
    if (!bench_run(b, all_delivered, &f, DRAIN_LIMIT)) {
        fail("%llu events of %llu puts to %zu watchers came; the rest is lost or very late",
             (unsigned long long)f.set.events, (unsigned long long)f.putter.over, f.set.n);
    }
    report(&f, &from, &to, &puts, &events, messages);
    watch_set_fini(&f.set);
    putter_fini(&f.putter);
    free(f.ring);
    free(f.due);
    free(f.latency);
}

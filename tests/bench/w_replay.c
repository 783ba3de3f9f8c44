/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers that start at the first version, each until it has --events of them. With --clients
 * others put meanwhile, and a replay that is over begins again until the time is up. */
#include <string.h>

#include "putter.h"
#include "report.h"
#include "watch_set.h"

#define DRAIN_LIMIT (60 * SECOND)

static bool all_done(void *arg)
{
    const struct watch_set *s = arg;
    return s->done >= s->n;
}

void workload_replay(struct bench *b)
{
    struct putter p;
    struct watch_set s;
    struct usage from, to;
    putter_init(&p, b, b->clients > 0 ? (size_t)b->clients : 1, (size_t)b->conns, b->rate);
    watch_set_init(&s, b, (size_t)b->watchers, 0, (size_t)b->watch_conns);
    s.replay = true;
    s.since = b->target->first_rv - 1;
    s.enough = (uint64_t)b->events;
    bool writing = b->clients > 0;
    if (writing) {
        putter_start(&p, UINT64_MAX);
        bench_pass(b, b->warmup_ms * 1000000);
        memset(p.latency, 0, sizeof(*p.latency));
    }

    usage_take((pid_t)b->pid, &from);
    watch_set_open(&s);
    if (writing) {
        s.again = true;
        bench_pass(b, b->duration_ms * 1000000);
    } else {
        (void)bench_run(b, all_done, &s, b->limit_ms * 1000000);
    }
    usage_take((pid_t)b->pid, &to);
    uint64_t events = s.events;
    struct hist puts = *p.latency;
    putter_stop(&p);
    if (!bench_run(b, putter_idle, &p, DRAIN_LIMIT)) {
        fail("puts were not answered");
    }

    double t = (double)(to.time - from.time), n = (double)events;
    report_begin();
    report_number("events", n);
    report_number("events_per_s", n * 1e9 / t);
    report_number("server_us_per_event",
                  n > 0 ? (double)(to.server_cpu - from.server_cpu) / n / 1e3 : 0);
    report_number("replays", (double)s.done);
    report_number("puts", (double)puts.n);
    report_number("puts_per_s", (double)puts.n * 1e9 / t);
    report_hist("put", &puts);
    report_usage(b, &from, &to);
    report_end();
    watch_set_fini(&s);
    putter_fini(&p);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Puts: fill, put, and the first one after a start. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "putter.h"
#include "report.h"
#include "watch_set.h"

#define FILL_CLIENTS 1000
#define FILL_CONNS   10
#define DRAIN_LIMIT  (60 * SECOND)

void workload_fill(struct bench *b)
{
    struct putter p;
    struct usage from, to;
    size_t clients = b->objects < FILL_CLIENTS ? (size_t)b->objects : FILL_CLIENTS;
    b->random_keys = false;
    putter_init(&p, b, clients, FILL_CONNS, 0);
    usage_take((pid_t)b->pid, &from);
    putter_start(&p, (uint64_t)b->objects);
    if (!bench_run(b, putter_idle, &p, b->limit_ms * 1000000)) {
        fail("only %llu of %lld puts were answered in time", (unsigned long long)p.over,
             (long long)b->objects);
    }
    usage_take((pid_t)b->pid, &to);
    double n = (double)b->objects;
    report_begin();
    report_number("puts", n);
    report_number("puts_per_s", n * 1e9 / (double)(to.time - from.time));
    report_number("server_us_per_put", (double)(to.server_cpu - from.server_cpu) / n / 1e3);
    report_number("written_per_put", (double)(to.write_bytes - from.write_bytes) / n);
    report_number("head", (double)p.last_rv);
    report_usage(b, &from, &to);
    report_end();
    putter_fini(&p);
}

void workload_put(struct bench *b)
{
    struct putter p;
    struct watch_set s = {0};
    struct usage from, to;
    putter_init(&p, b, (size_t)b->clients, (size_t)b->conns, b->rate);
    watch_set_init(&s, b, (size_t)b->watchers, (size_t)b->streams, (size_t)b->watch_conns);
    s.others = b->others;
    watch_set_open_all(&s);
    putter_start(&p, UINT64_MAX);
    bench_pass(b, b->warmup_ms * 1000000);

    memset(p.latency, 0, sizeof(*p.latency));
    usage_take((pid_t)b->pid, &from);
    bench_pass(b, b->duration_ms * 1000000);
    usage_take((pid_t)b->pid, &to);
    struct hist latency = *p.latency;
    putter_stop(&p);
    if (!bench_run(b, putter_idle, &p, DRAIN_LIMIT)) {
        fail("puts were not answered");
    }

    double n = (double)latency.n;
    report_begin();
    report_number("puts", n);
    report_number("puts_per_s", n * 1e9 / (double)(to.time - from.time));
    report_hist("put", &latency);
    report_number("server_us_per_put", (double)(to.server_cpu - from.server_cpu) / n / 1e3);
    report_number("written_per_put", (double)(to.write_bytes - from.write_bytes) / n);
    report_usage(b, &from, &to);
    report_end();
    watch_set_fini(&s);
    putter_fini(&p);
}

void workload_first_put(struct bench *b)
{
    int64_t begun = b->begun_ns != 0 ? b->begun_ns : now_ns();
    int64_t end = begun + b->limit_ms * 1000000;
    struct h2_conn *conn;
    while ((conn = h2_connect(b->loop, b->host, b->port)) == NULL) {
        if (now_ns() > end) {
            fail("nobody listens on %s", b->address);
        }
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    double connected = (double)(now_ns() - begun) / 1e6;
    struct putter p;
    putter_init(&p, b, 1, 1, 0);
    putter_start(&p, 1);
    if (!bench_run(b, putter_idle, &p, end - now_ns())) {
        fail("the first put was not answered");
    }
    struct memory m;
    memory_take((pid_t)b->pid, &m);
    report_begin();
    report_number("connected_ms", connected);
    report_number("first_put_ms", (double)(h2_loop_time(b->loop) - begun) / 1e6);
    report_number("rss", (double)m.rss);
    report_number("rss_anon", (double)m.anonymous);
    report_number("head", (double)p.last_rv);
    report_end();
    putter_fini(&p);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "putter.h"
#include "store/base/option.h"

#define AT(member) offsetof(struct bench, member)

/* Left as written: the formatter would line up the ends of rows that have nothing in common. */
/* clang-format off */
static const struct option options[] = {
    {.name = "target",
     .kind = OPTION_STRING,
     .offset = AT(target_name),
     .value = "NAME",
     .def = "watchd",
     .help = "What listens there: watchd or etcd."},
    {.name = "address",
     .kind = OPTION_STRING,
     .offset = AT(address),
     .value = "IPV4:PORT",
     .def = "127.0.0.1:7733",
     .help = "Where the server listens."},
    {.name = "pid",
     .kind = OPTION_INT,
     .offset = AT(pid),
     .value = "PID",
     .min = 1,
     .max = INT32_MAX,
     .def = "1",
     .help = "The server's process, whose CPU, memory and writes are reported."},
    {.name = "warmup",
     .kind = OPTION_DURATION,
     .offset = AT(warmup_ms),
     .value = "DURATION",
     .def = "1s",
     .help = "How long to run before anything is counted."},
    {.name = "duration",
     .kind = OPTION_DURATION,
     .offset = AT(duration_ms),
     .value = "DURATION",
     .def = "4s",
     .help = "How long to count."},
    {.name = "limit",
     .kind = OPTION_DURATION,
     .offset = AT(limit_ms),
     .value = "DURATION",
     .def = "60s",
     .help = "When to give up what ends by itself."},
    {.name = "clients",
     .kind = OPTION_INT,
     .offset = AT(clients),
     .value = "N",
     .def = "16",
     .help = "Clients that put, one put in flight each."},
    {.name = "conns",
     .kind = OPTION_INT,
     .offset = AT(conns),
     .value = "N",
     .def = "0",
     .help = "Connections that they share; 0: one each."},
    {.name = "rate",
     .kind = OPTION_INT,
     .offset = AT(rate),
     .value = "N",
     .def = "0",
     .help = "Puts per second, due at fixed times; 0: each client goes on when its put is over."},
    {.name = "watchers",
     .kind = OPTION_INT,
     .offset = AT(watchers),
     .value = "N",
     .def = "0",
     .help = "Watches to open."},
    {.name = "streams",
     .kind = OPTION_INT,
     .offset = AT(streams),
     .value = "N",
     .def = "0",
     .help = "Streams that they share, where the server can; 0: one each."},
    {.name = "watch-conns",
     .kind = OPTION_INT,
     .offset = AT(watch_conns),
     .value = "N",
     .def = "10",
     .help = "Connections that the streams share; 0: one each."},
    {.name = "objects",
     .kind = OPTION_INT,
     .offset = AT(objects),
     .value = "N",
     .min = 1,
     .max = 100000000,
     .def = "1000",
     .help = "Objects to write to."},
    {.name = "events",
     .kind = OPTION_INT,
     .offset = AT(events),
     .value = "N",
     .def = "1000000",
     .help = "Events of a replay."},
    {.name = "body",
     .kind = OPTION_INT,
     .offset = AT(body),
     .value = "BYTES",
     .def = "512",
     .min = 150,
     .max = 1000000,
     .help = "Size of an object's document."},
    {.name = "begun",
     .kind = OPTION_INT,
     .offset = AT(begun_ns),
     .value = "NS",
     .def = "0",
     .help = "When the server was started, on the monotonic clock."},
    {.name = "selector",
     .kind = OPTION_STRING,
     .offset = AT(selector),
     .value = "LABELS",
     .def = "",
     .help = "What to list."},
    {.name = "others",
     .kind = OPTION_FLAG,
     .offset = AT(others),
     .help = "The watches watch names that nobody writes."},
    {.name = "on-ack",
     .kind = OPTION_FLAG,
     .offset = AT(on_ack),
     .help = "fanout: a put is over when it is answered, not when all watchers have its event."},
    {.name = "random",
     .kind = OPTION_FLAG,
     .offset = AT(random_keys),
     .help = "Write to the objects at random, not in turn."},
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .offset = AT(help), .help = "Show this."},
};
static const size_t n_options = sizeof(options) / sizeof(options[0]);

static const struct workload {
    const char *name;
    void (*run)(struct bench *b);
    const char *help;
} workloads[] = {
    {"fill", workload_fill, "Put every object once, 1,000 puts in flight on 10 connections."},
    {"put", workload_put, "Puts per second, their latency; beside watches of others."},
    {"fanout", workload_fanout, "Events to watchers of everything, put→event latency."},
    {"replay", workload_replay, "Watchers from the first version on, while others put."},
    {"idle", workload_idle, "Memory and CPU of watches that get nothing."},
    {"list", workload_list, "Lists of everything, or of what labels select."},
    {"first_put", workload_first_put, "Time from the start to the first answered put."},
    {"status", workload_status, "The last version, and the server's memory."},
};
/* clang-format on */
static const size_t n_workloads = sizeof(workloads) / sizeof(workloads[0]);

_Noreturn void fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("watch_bench: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

struct h2_conn *bench_connect(struct bench *b)
{
    struct h2_conn *conn = h2_connect(b->loop, b->host, b->port);
    if (conn == NULL) {
        fail("nobody listens on %s", b->address);
    }
    return conn;
}

bool bench_run(struct bench *b, bool (*over)(void *arg), void *arg, int64_t limit_ns)
{
    int64_t end = now_ns() + limit_ns;
    while (over == NULL || !over(arg)) {
        int64_t next = b->putter != NULL ? putter_tick(b->putter) : INT64_MAX;
        if (now_ns() >= end) {
            return false;
        }
        h2_loop_step(b->loop, next < end ? next : end);
    }
    return true;
}

void bench_pass(struct bench *b, int64_t ns)
{
    (void)bench_run(b, NULL, NULL, ns);
}

static void usage(void)
{
    struct buf text;
    buf_init(&text, 1u << 16);
    buf_adds(&text, STR("usage: watch_bench [OPTION]... WORKLOAD\n\n"));
    for (size_t i = 0; i < n_workloads; i++) {
        buf_printf(&text, "  %-10s %s\n", workloads[i].name, workloads[i].help);
    }
    buf_addc(&text, '\n');
    options_help(options, n_options, &text);
    fwrite(text.p, 1, text.n, stdout);
    buf_fini(&text);
}

static void read_target(struct bench *b)
{
    const struct target *all[] = {&target_watchd, &target_etcd};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i]->name, b->target_name) == 0) {
            b->target = all[i];
        }
    }
    if (b->target == NULL) {
        fail("the target is watchd or etcd, not \"%s\"", b->target_name);
    }
    const char *colon = strrchr(b->address, ':');
    if (colon == NULL || (size_t)(colon - b->address) >= sizeof(b->host)) {
        fail("\"%s\" is no IPV4:PORT", b->address);
    }
    snprintf(b->host, sizeof(b->host), "%.*s", (int)(colon - b->address), b->address);
    b->port = (uint16_t)atoi(colon + 1);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    const char *words[1];
    size_t n_words;
    struct err err;
    if (options_parse(options, n_options, argc - 1, argv + 1, true, &b, words, 1, &n_words, &err) !=
        OK) {
        fail("%s", err.msg);
    }
    if (b.help || n_words != 1) {
        usage();
        return b.help ? 0 : 2;
    }
    read_target(&b);
    const struct workload *w = NULL;
    for (size_t i = 0; i < n_workloads; i++) {
        if (strcmp(workloads[i].name, words[0]) == 0) {
            w = &workloads[i];
        }
    }
    if (w == NULL) {
        fail("there is no workload \"%s\"; see --help", words[0]);
    }
    /* Runs against one store follow each other; a later one must not write what an earlier did. */
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    b.seq = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000;
    b.loop = h2_loop_new();
    w->run(&b);
    h2_loop_free(b.loop);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What writes nothing: idle watches, lists, status. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "watch_set.h"

#define SETTLE (3 * SECOND)

void workload_idle(struct bench *b)
{
    struct watch_set s;
    struct usage from, to;
    struct memory before, after;
    memory_take((pid_t)b->pid, &before);
    int64_t begun = now_ns();
    watch_set_init(&s, b, (size_t)b->watchers, (size_t)b->streams, (size_t)b->watch_conns);
    s.others = b->others;
    watch_set_open_all(&s);
    double opened = (double)(now_ns() - begun) / 1e9;
    bench_pass(b, SETTLE);
    memory_take((pid_t)b->pid, &after);
    usage_take((pid_t)b->pid, &from);
    bench_pass(b, b->duration_ms * 1000000);
    usage_take((pid_t)b->pid, &to);
    report_begin();
    report_number("bytes_per_watch", ((double)after.rss - (double)before.rss) / (double)s.n);
    report_number("open_per_s", (double)s.n / opened);
    report_usage(b, &from, &to);
    report_end();
    watch_set_fini(&s);
}

/* One call whose answer is taken down. */
struct question {
    struct h2_call call;
    struct bench *b;
    bool over;
    uint64_t objects, bytes, head;
    struct buf token;
};

static void on_message(struct h2_call *call, struct str message)
{
    struct question *q = CONTAINER_OF(call, struct question, call);
    struct str token;
    if (!q->b->target->list_answer(message, &q->objects, &q->bytes, &token)) {
        fail("a list was answered with what is no answer");
    }
    buf_clear(&q->token);
    buf_adds(&q->token, token);
}

static void on_status(struct h2_call *call, struct str message)
{
    struct question *q = CONTAINER_OF(call, struct question, call);
    (void)q->b->target->status_answer(message, &q->head);
}

static void on_end(struct h2_call *call, int status, const char *text)
{
    struct question *q = CONTAINER_OF(call, struct question, call);
    if (status != 0) {
        fail("the server answered with status %d, %s", status, text);
    }
    q->over = true;
}

static const struct h2_call_ops list_ops = {on_message, on_end};
static const struct h2_call_ops status_ops = {on_status, on_end};

static bool question_over(void *arg)
{
    return ((const struct question *)arg)->over;
}

static void ask(struct question *q, struct h2_conn *conn, const char *path, struct str message)
{
    q->over = false;
    h2_call_send(&q->call, message);
    h2_call_start(&q->call, conn, path, true);
    if (!bench_run(q->b, question_over, q, q->b->limit_ms * 1000000)) {
        fail("no answer in time");
    }
}

void workload_list(struct bench *b)
{
    if (b->selector[0] != '\0' && !b->target->selects) {
        fail("%s has no label selectors", b->target->name);
    }
    struct h2_conn *conn = bench_connect(b);
    struct hist *latency = mem_zalloc(sizeof(*latency));
    struct question q = {.b = b};
    struct usage from, to;
    struct buf message;
    h2_call_init(&q.call, &list_ops);
    buf_init(&q.token, 1u << 16);
    buf_init(&message, 1u << 16);
    uint64_t pages = 0, lists = 0;
    usage_take((pid_t)b->pid, &from);
    int64_t end = now_ns() + b->duration_ms * 1000000;
    while (lists == 0 || now_ns() < end) {
        int64_t begun = now_ns();
        do {
            buf_clear(&message);
            b->target->list(&message, str_of(b->selector), buf_str(&q.token));
            ask(&q, conn, b->target->list_path, buf_str(&message));
            pages++;
        } while (q.token.n != 0);
        hist_add(latency, now_ns() - begun);
        lists++;
    }
    usage_take((pid_t)b->pid, &to);
    report_begin();
    report_number("objects", (double)q.objects / (double)lists);
    report_number("bytes", (double)q.bytes / (double)lists);
    report_number("pages", (double)pages / (double)lists);
    report_hist("list", latency);
    report_number("server_ms_per_list",
                  (double)(to.server_cpu - from.server_cpu) / (double)lists / 1e6);
    report_usage(b, &from, &to);
    report_end();
    buf_fini(&message);
    buf_fini(&q.token);
    h2_call_fini(&q.call);
    free(latency);
}

void workload_status(struct bench *b)
{
    struct question q = {.b = b};
    struct memory m;
    h2_call_init(&q.call, &status_ops);
    ask(&q, bench_connect(b), b->target->status_path, STR_EMPTY);
    memory_take((pid_t)b->pid, &m);
    report_begin();
    report_number("head", (double)q.head);
    report_number("rss", (double)m.rss);
    report_number("rss_anon", (double)m.anonymous);
    report_number("rss_peak", (double)m.peak);
    report_end();
    h2_call_fini(&q.call);
}

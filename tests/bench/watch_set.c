/* SPDX-License-Identifier: Apache-2.0 */
#include "watch_set.h"

#include <inttypes.h>
#include <stdlib.h>

#define OPEN_LIMIT (120 * SECOND)

static struct watch *watch_of(struct stream *st, uint64_t id)
{
    size_t i = id == 0 ? 0 : (size_t)id - 1;
    if (i >= st->n) {
        fail("a message for watch %" PRIu64 " of %zu", id, st->n);
    }
    return &st->watches[i];
}

static void on_started(void *arg, uint64_t id, uint64_t head)
{
    struct stream *st = arg;
    struct watch *w = watch_of(st, id);
    if (w->started) {
        fail("a watch was confirmed twice");
    }
    w->started = true;
    w->next = st->set->replay ? st->set->since + 1 : head + 1;
    st->set->started++;
}

static void restart(struct stream *st)
{
    st->restarting = true;
    h2_call_cancel(&st->call);
}

static void on_event(void *arg, uint64_t id, uint64_t rv, uint64_t key)
{
    struct stream *st = arg;
    struct watch_set *s = st->set;
    struct watch *w = watch_of(st, id);
    if (!w->started || s->others) {
        fail("an event of version %" PRIu64 " that the watch did not ask for", rv);
    }
    if (rv != w->next) {
        fail("version %" PRIu64 " came where %" PRIu64 " was due", rv, w->next);
    }
    w->next++;
    w->events++;
    s->events++;
    if (s->on_event != NULL) {
        s->on_event(s->arg, rv, key);
    }
    if (s->replay && w->events == s->enough) {
        s->done++;
        if (s->again) {
            restart(st);
        }
    }
}

static void on_message(struct h2_call *call, struct str message)
{
    struct stream *st = CONTAINER_OF(call, struct stream, call);
    if (st->restarting) {
        return;
    }
    st->set->messages++;
    struct watch_sink sink = {on_started, on_event, st};
    if (!st->set->b->target->watch_message(message, &sink)) {
        fail("a watch got what is no message, or the server ended it");
    }
}

static void stream_start(struct stream *st)
{
    struct watch_set *s = st->set;
    const struct target *t = s->b->target;
    struct buf message;
    buf_init(&message, 4096);
    for (size_t i = 0; i < st->n; i++) {
        st->watches[i] = (struct watch){0};
        buf_clear(&message);
        t->watch(&message, &(struct watch_request){
                               .id = i + 1,
                               .replay = s->replay,
                               .since = s->since,
                               .one = s->others,
                               .other = (uint64_t)(&st->watches[i] - s->watches),
                           });
        h2_call_send(&st->call, buf_str(&message));
    }
    buf_fini(&message);
    h2_call_start(&st->call, st->conn, t->watch_path, !t->multiplexes);
}

static void on_end(struct h2_call *call, int status, const char *text)
{
    struct stream *st = CONTAINER_OF(call, struct stream, call);
    if (!st->restarting) {
        fail("the server ended a watch: status %d, %s", status, text);
    }
    st->restarting = false;
    stream_start(st);
}

static const struct h2_call_ops ops = {on_message, on_end};

void watch_set_init(struct watch_set *s, struct bench *b, size_t n, size_t streams, size_t conns)
{
    if (streams == 0 || !b->target->multiplexes || streams > n) {
        streams = n;
    }
    conns = conns == 0 || conns > streams ? streams : conns;
    *s = (struct watch_set){.b = b, .n = n, .n_streams = streams};
    s->watches = mem_zalloc((n + 1) * sizeof(*s->watches));
    s->streams = mem_zalloc((streams + 1) * sizeof(*s->streams));
    for (size_t i = 0; i < streams; i++) {
        struct stream *st = &s->streams[i];
        size_t first = n * i / streams;
        h2_call_init(&st->call, &ops);
        st->set = s;
        st->watches = &s->watches[first];
        st->n = n * (i + 1) / streams - first;
        st->conn = i < conns ? bench_connect(b) : s->streams[i % conns].conn;
    }
}

void watch_set_fini(struct watch_set *s)
{
    for (size_t i = 0; i < s->n_streams; i++) {
        h2_call_fini(&s->streams[i].call);
    }
    free(s->watches);
    free(s->streams);
}

void watch_set_open(struct watch_set *s)
{
    for (size_t i = 0; i < s->n_streams; i++) {
        stream_start(&s->streams[i]);
    }
}

static bool all_started(void *arg)
{
    struct watch_set *s = arg;
    return s->started == s->n;
}

void watch_set_open_all(struct watch_set *s)
{
    watch_set_open(s);
    if (!bench_run(s->b, all_started, s, OPEN_LIMIT)) {
        fail("only %zu of %zu watches were confirmed", s->started, s->n);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* AdminService: what operators ask for. */
#include "proto/wire.h"
#include "server/listen.h"
#include "server/services.h"
#include "store/base/metric.h"
#include "store/engine_sqlite.h"

#define ANSWER_MAX (1024 * 1024)

struct uses {
    struct wire_resource_use *v;
    size_t n, cap;
    struct arena *arena; /* of the names */
};

static void note_use(void *arg, struct str resource, uint64_t objects)
{
    struct uses *u = arg;
    char *name = arena_alloc(u->arena, resource.n);
    if (name == NULL) {
        return;
    }
    memcpy(name, resource.p, resource.n);
    if (u->n == u->cap) {
        u->cap = u->cap != 0 ? 2 * u->cap : 16;
        u->v = mem_realloc(u->v, u->cap * sizeof(*u->v));
    }
    u->v[u->n++] = (struct wire_resource_use){
        {name, resource.n},
        objects
    };
}

void admin_status(struct call *c, struct str in)
{
    (void)in; /* it has no members */
    struct store_facts facts;
    struct uses uses = {.arena = &c->arena};
    store_facts(c->srv->store, &facts);
    store_resources(c->srv->store, note_use, &uses);
    struct wire_status status = {
        .version = STR(WATCHD_VERSION),
        .store_id = str_of(facts.identity.store_id),
        .epoch = facts.identity.epoch,
        .head = facts.head,
        .floor = facts.floor,
        .objects = facts.objects,
        .history_events = facts.history_events,
        .history_bytes = facts.history_bytes,
        .file_bytes = (uint64_t)facts.usage.file_bytes,
        .watches = (uint32_t)metric_get(M_WATCHES),
        .uptime_ms = (uint64_t)(loop_now() - c->srv->started_at),
        .sqlite_version = str_of(engine_sqlite_version()),
        .grpc_version = str_of(grpc_version_string()),
        .read_only_reason = str_of(facts.read_only_reason),
        .resources = uses.v,
        .n_resources = uses.n,
    };
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    wire_write_status_response(&status, &out);
    free(uses.v);
    call_reply(c, &out);
}

static void compact_answer(struct task *t)
{
    struct call *c = CONTAINER(t, struct call, task);
    const struct compaction *cp = c->state;
    if (cp->err.code != OK) {
        call_fail(c, &cp->err);
        return;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, ANSWER_MAX);
    wire_write_compact_response(cp->removed, cp->floor, &out);
    call_reply(c, &out);
}

static void compact_done(struct compaction *cp)
{
    call_return(cp->arg, compact_answer);
}

void admin_compact(struct call *c, struct str in)
{
    struct err err = {0};
    struct compaction *cp = call_state(c, sizeof(*cp));
    cp->done = compact_done;
    cp->arg = c;
    if (wire_read_compact_request(&c->arena, in, &cp->upto, &err) != OK ||
        store_compact(c->srv->store, cp, &err) != OK) {
        call_fail(c, &err);
    }
}

void admin_metrics(struct call *c, struct str in)
{
    (void)in; /* it has no members */
    struct store_facts facts;
    store_facts(c->srv->store, &facts); /* brings its gauges up to date */
    metric_set(M_CONNECTIONS, (int64_t)listeners_connections(c->srv->listeners));
    CLEANUP(buf_fini) struct buf text, out;
    buf_init(&text, ANSWER_MAX);
    buf_init(&out, ANSWER_MAX);
    metric_render(&text);
    wire_write_metrics_response(buf_str(&text), &out);
    call_reply(c, &out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "store/model/delta.h"
#include "tests/lib/engine_rig.h"

struct last {
    rv_t rv;
    bool gone;
    bool knows_deadline, knows_owners;
    int64_t deadline_ms;
    char owners[24];
    char *body;
    char labels[32];
};

struct check {
    struct rig_verdict *v;
    const struct rig_ack *acks;
    size_t n_acks, ack;
    rv_t floor, next;
    struct last last[RIG_KEYS];
    bool made;                         /* see struct rig */
    uint64_t batch, batch_n, batch_at; /* the batch at hand, its size, its next part */
};

static bool PRINTF_LIKE(2, 3) wrong(struct rig_verdict *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(v->why, sizeof(v->why), fmt, ap);
    va_end(ap);
    v->ok = false;
    return false;
}

/* Batches are whole, but for the one that compaction has cut off at its beginning. */
static bool check_batch(struct check *c, const struct event *ev)
{
    uint64_t id[2];
    if (ev->request_id.n != sizeof(id)) {
        return wrong(c->v, "version %" PRIu64 " has no request id", ev->rv);
    }
    memcpy(id, ev->request_id.p, sizeof(id));
    uint64_t n = id[1] >> 32, at = id[1] & INT32_MAX;
    c->made = (id[1] >> 31 & 1) != 0;
    if (c->batch_at < c->batch_n) {
        if (id[0] != c->batch || n != c->batch_n || at != c->batch_at) {
            return wrong(c->v, "version %" PRIu64 " interrupts a batch", ev->rv);
        }
    } else if (at != 0 && ev->rv != c->floor + 1) {
        return wrong(c->v, "version %" PRIu64 " begins in the middle of a batch", ev->rv);
    }
    c->batch = id[0];
    c->batch_n = n;
    c->batch_at = at + 1;
    while (c->ack < c->n_acks && c->acks[c->ack].first + c->acks[c->ack].n <= ev->rv) {
        c->ack++;
    }
    if (c->ack < c->n_acks && c->acks[c->ack].first <= ev->rv && c->acks[c->ack].batch != id[0]) {
        return wrong(c->v, "version %" PRIu64 " was given out twice", ev->rv);
    }
    return true;
}

static bool check_previous(struct check *c, const struct event *ev, const struct last *last)
{
    if (ev->cause == CAUSE_CREATED) {
        return (ev->prev_rv == 0 && (last->rv == 0 || last->gone)) ||
               wrong(c->v, "version %" PRIu64 " creates what was there", ev->rv);
    }
    if (last->rv == 0) {
        return ev->prev_rv <= c->floor ||
               wrong(c->v, "version %" PRIu64 " changes what was not there", ev->rv);
    }
    CLEANUP(buf_fini) struct buf older;
    buf_init(&older, (size_t)1 << 22);
    if (last->gone || ev->prev_rv != last->rv || !delta_apply(ev->body, ev->delta, &older) ||
        !str_eq(buf_str(&older), str_of(last->body)) ||
        !str_eq(ev->prev_labels, str_of(last->labels))) {
        return wrong(c->v, "version %" PRIu64 " has another previous object", ev->rv);
    }
    return true;
}

/* What the batch at hand set aside with this event, and at its end. */
static void take_asides(struct check *c, struct last *last, const struct event *ev)
{
    struct rig_aside a;
    if (ev->cause == CAUSE_CREATED || event_is_delete(ev)) {
        last->knows_deadline = last->knows_owners = true;
        last->deadline_ms = 0;
        last->owners[0] = '\0';
    }
    if (!c->made) {
        return;
    }
    rig_aside(c->batch, c->batch_at - 1, &a);
    if (a.sets_deadline && !last->gone) {
        last->knows_deadline = true;
        last->deadline_ms = a.deadline_ms;
    }
    if (a.sets_owners && !last->gone) {
        last->knows_owners = true;
        memcpy(last->owners, a.owners, sizeof(a.owners));
    }
    if (c->batch_at == c->batch_n) {
        size_t item;
        int64_t at = rig_beat(c->batch, &item);
        if (!c->last[item].gone) {
            c->last[item].knows_deadline = true;
            c->last[item].deadline_ms = at;
        }
    }
}

static bool check_event(void *arg, const struct event *ev)
{
    struct check *c = arg;
    struct last *last = &c->last[ev->key.name.p[0] - 'a'];
    if (ev->rv != c->next) {
        return wrong(c->v, "version %" PRIu64 " where %" PRIu64 " belongs", ev->rv, c->next);
    }
    c->next++;
    if (!check_batch(c, ev) || !check_previous(c, ev, last)) {
        return false;
    }
    last->rv = ev->rv;
    last->gone = event_is_delete(ev);
    freep(&last->body);
    last->body = str_dup(ev->body);
    snprintf(last->labels, sizeof(last->labels), "%.*s", STR_ARG(ev->labels));
    take_asides(c, last, ev);
    return true;
}

static bool check_item(struct check *c, const struct rig *f, struct engine_reader *r, size_t i)
{
    const struct rig_item *item = &f->items[i];
    const struct last *last = &c->last[i];
    struct err err;
    if (item->rv == 0) {
        return last->rv == 0 || last->gone ||
               wrong(c->v, "the object of version %" PRIu64 " is missing", last->rv);
    }
    CLEANUP(object_unrefp) struct object *object = NULL;
    if (f->e->ops->read_object(r, item->row, item->rv, &object, &err) != OK) {
        return wrong(c->v, "object of version %" PRIu64 ": %s", item->rv, err.msg);
    }
    if (last->rv == 0) {
        return item->rv <= c->floor ||
               wrong(c->v, "object of version %" PRIu64 " has no event", item->rv);
    }
    if (last->gone || item->rv != last->rv || strcmp(item->labels, last->labels) != 0 ||
        !str_eq(object->body, str_of(last->body))) {
        return wrong(c->v, "object of version %" PRIu64 " differs from its last event, %" PRIu64,
                     item->rv, last->rv);
    }
    CLEANUP(buf_fini) struct buf owners;
    buf_init(&owners, 100);
    if (f->e->ops->read_owners(r, item->row, &owners, &err) != OK) {
        return wrong(c->v, "%s", err.msg);
    }
    if ((last->knows_deadline && item->deadline_ms != last->deadline_ms) ||
        (last->knows_owners && !str_eq(buf_str(&owners), str_of(last->owners)))) {
        return wrong(c->v, "object of version %" PRIu64 " has other asides", item->rv);
    }
    return true;
}

static void check_items(struct check *c, struct engine *e, struct engine_reader *r)
{
    struct rig *f = mem_zalloc(sizeof(*f));
    struct err err;
    f->e = e;
    if (rig_load_items(f, r, &err) != OK) {
        wrong(c->v, "%s", err.msg);
    }
    if (f->disorder) {
        wrong(c->v, "there are two objects of one key");
    }
    for (size_t i = 0; i < RIG_KEYS && c->v->ok; i++) {
        check_item(c, f, r, i);
    }
    freep(&f);
}

static void check_all(struct engine *e, struct engine_reader *r, struct check *c)
{
    struct err err;
    rv_t head;
    if (e->ops->view_begin(r, &head, &err) != OK) {
        wrong(c->v, "%s", err.msg);
        return;
    }
    c->v->head = head;
    c->v->floor = c->floor = e->floor;
    c->next = c->floor + 1;
    if (e->ops->history(r, c->floor, head, check_event, c, &err) != OK) {
        wrong(c->v, "%s", err.msg);
    }
    if (c->v->ok && c->batch_at < c->batch_n) {
        wrong(c->v, "the last batch is not whole");
    }
    if (c->v->ok && c->n_acks != 0 &&
        c->acks[c->n_acks - 1].first + c->acks[c->n_acks - 1].n - 1 > head) {
        wrong(c->v, "acknowledged versions up to %" PRIu64 " and %" PRIu64 " is the last",
              c->acks[c->n_acks - 1].first + c->acks[c->n_acks - 1].n - 1, head);
    }
    if (c->v->ok) {
        check_items(c, e, r);
    }
    e->ops->view_end(r);
}

/* Every row beside the objects has one: a row, or a last event that is no deletion. */
static void check_no_orphans(const char *path, struct rig_verdict *v)
{
    static const char sql[] =
        "SELECT count(*) FROM (SELECT object FROM deadlines UNION SELECT object FROM owners) a"
        " WHERE coalesce((SELECT cause FROM events WHERE coalesce(object,rv)=a.object"
        "  ORDER BY rv DESC LIMIT 1),"
        " iif(a.object IN (SELECT id FROM objects),1,3))>=3";
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
        wrong(v, "asides: %s", sqlite3_errmsg(db));
    } else if (sqlite3_column_int(st, 0) != 0) {
        wrong(v, "%d asides of objects that are gone", sqlite3_column_int(st, 0));
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void check_integrity(const char *path, struct rig_verdict *v)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        wrong(v, "integrity check: %s", sqlite3_errmsg(db));
    } else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
        wrong(v, "integrity check: %s", (const char *)sqlite3_column_text(st, 0));
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

void rig_verify(const char *path, const struct rig_ack *acks, size_t n_acks, rv_t min_floor,
                struct rig_verdict *ret)
{
    *ret = (struct rig_verdict){.ok = true};
    struct check c = {.v = ret, .acks = acks, .n_acks = n_acks};
    struct err err;
    struct engine *e = NULL;
    struct engine_reader *r = NULL;
    const struct engine_sqlite_options opt = {.path = path, .no_sync = true};
    if (engine_sqlite_open(&opt, &e, &err) != OK) {
        wrong(ret, "%s", err.msg);
        return;
    }
    if (e->floor < min_floor) {
        wrong(ret, "the floor fell to %" PRIu64 " from %" PRIu64, e->floor, min_floor);
    } else if (e->ops->reader_open(e, &r, &err) != OK) {
        wrong(ret, "%s", err.msg);
    } else {
        check_all(e, r, &c);
    }
    e->ops->reader_close(r);
    e->ops->close(e);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        freep(&c.last[i].body);
    }
    if (ret->ok) {
        check_no_orphans(path, ret);
        check_integrity(path, ret);
    }
}

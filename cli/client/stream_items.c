/* SPDX-License-Identifier: Apache-2.0 */
/* What has come in, handed out item by item. */
#include "cli/client/stream_impl.h"

static const char *item_text(struct watch_stream *s, struct str text)
{
    char *copy = arena_alloc(&s->item, text.n + 1);
    if (text.n != 0) {
        memcpy(copy, text.p, text.n);
    }
    copy[text.n] = '\0';
    return copy;
}

/* The names of one item are copied, to end them with a NUL. */
static void show_object(struct watch_stream *s, const struct wire_object *o,
                        struct watch_object *ret)
{
    ret->resource = item_text(s, o->key.resource);
    ret->ns = item_text(s, o->key.ns);
    ret->name = item_text(s, o->key.name);
    ret->rv = o->rv;
    ret->json = item_text(s, o->json);
    ret->json_len = o->json.n;
}

static size_t object_room(const struct wire_object *o)
{
    return o->key.resource.n + o->key.ns.n + o->key.name.n + o->json.n + 256;
}

static void item_room(struct watch_stream *s, size_t n)
{
    arena_fini(&s->item);
    arena_init(&s->item, 2 * n + (64 << 10));
}

static void hand_out_event(struct watch_stream *s, const struct wire_event *e,
                           struct watch_item *ret)
{
    size_t room = object_room(&e->object);
    if (e->has_previous) {
        room += object_room(&e->previous);
    }
    item_room(s, room);
    show_object(s, &e->object, &s->object);
    ret->kind = WATCH_ITEM_EVENT;
    ret->type = (enum watch_event_type)e->type;
    ret->cause = (enum watch_cause)e->cause;
    ret->object = &s->object;
    ret->rv = e->object.rv;
    if (e->has_previous) {
        show_object(s, &e->previous, &s->previous);
        ret->previous = &s->previous;
    }
    if (e->cause != WIRE_CAUSE_NONE) {
        s->synced = true;
        s->rv = e->object.rv;
    }
}

static void hand_out_signal(struct watch_stream *s, struct watch_item *ret)
{
    const struct wire_subscribe_response *r = &s->response;
    if (r->signal == WIRE_SIGNAL_STARTED) {
        const struct wire_started *m = &r->started;
        item_room(s, m->subscription_id.n);
        ret->kind = WATCH_ITEM_CONNECTED;
        ret->subscription_id = item_text(s, m->subscription_id);
        ret->head = m->head;
        ret->oldest = m->floor;
        ret->outage_ms = s->told_lost ? client_now() - s->lost_at : 0;
        s->told_lost = false;
        return;
    }
    ret->kind = r->signal == WIRE_SIGNAL_SYNCED ? WATCH_ITEM_SYNCED : WATCH_ITEM_BOOKMARK;
    ret->rv = r->rv;
    s->synced = true;
    s->rv = r->rv;
}

/* The response was handed out whole: its position counts. */
static void response_done(struct watch_stream *s)
{
    const struct wire_subscribe_response *r = &s->response;
    if (r->position.n != 0) {
        buf_clear(&s->position);
        buf_adds(&s->position, r->position);
        s->has_position = true;
        /* Of what the caller had already, some may still be to come. */
        s->after = s->skip;
    }
    s->has_response = false;
}

static bool hand_out(struct watch_stream *s, struct watch_item *ret)
{
    const struct wire_subscribe_response *r = &s->response;
    while (s->next < r->n_events && s->skip > 0) {
        s->skip--;
        s->next++;
    }
    bool given = false;
    if (s->next < r->n_events) {
        hand_out_event(s, &r->events[s->next], ret);
        s->next++;
        s->after = s->next;
        given = true;
    } else if (r->signal != WIRE_SIGNAL_NONE) {
        hand_out_signal(s, ret);
        given = true;
    }
    if (s->next >= r->n_events) {
        response_done(s);
    }
    return given;
}

enum watch_item_kind watch_next(struct watch_stream *s, int64_t timeout_ms, struct watch_item *ret)
{
    struct watch_client *c = s->client;
    mono_ms_t until = timeout_ms < 0 ? CLIENT_NEVER : client_now() + timeout_ms;
    memset(ret, 0, sizeof(*ret));
    for (;;) {
        if (s->lost) {
            s->lost = false;
            ret->error = &s->error;
            return ret->kind = WATCH_ITEM_LOST;
        }
        if (s->has_response) {
            if (hand_out(s, ret)) {
                return ret->kind;
            }
            continue;
        }
        if (s->state == STREAM_ENDED) {
            ret->error = &s->error;
            return ret->kind = WATCH_ITEM_END;
        }
        if (s->attempt != NULL && !s->attempt->receiving) {
            attempt_receive(s->attempt); /* (1) */
        }
        mono_ms_t now = client_now();
        if (now >= until || atomic_load(&c->interrupted)) {
            ret->kind = WATCH_ITEM_NONE;
            return ret->kind;
        }
        mono_ms_t slice = now + CLIENT_SLICE_MS;
        (void)client_pump(c, slice < until ? slice : until);
    }
}

void watch_position(const struct watch_stream *s, struct watch_position *ret)
{
    *ret = (struct watch_position){.token = s->has_position ? s->position.p : NULL,
                                   .token_len = s->has_position ? s->position.n : 0,
                                   .after = s->after,
                                   .rv = s->synced ? s->rv : 0};
}

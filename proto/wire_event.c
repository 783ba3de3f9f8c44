/* SPDX-License-Identifier: Apache-2.0 */
/* Events and objects, encoded by hand: the hottest code there is. Nothing is allocated; each
 * document is a list of runs which are copied once, to their final place.
 *
 * (1) Fields are written in the order of their numbers and zero ones left out, so that our bytes
 *     are what protobuf's own encoders make of the same message.
 * (2) A document is a stored text T with the version's text put in at `splice`. T is a body, or a
 *     body's previous text: head of the body, middle (of the delta), tail of the body. Neither is
 *     ever put together elsewhere.
 * (3) Texts, splice and delta were made by us and stored under a checksum. What does not fit
 *     together is our fault and ends the process rather than read out of bounds or tell lies. */
#include "proto/wire_impl.h"

#include <assert.h>

enum { OBJECT_RESOURCE = 1, OBJECT_NAMESPACE, OBJECT_NAME, OBJECT_RV, OBJECT_JSON };
enum { EVENT_TYPE = 1, EVENT_CAUSE, EVENT_OBJECT, EVENT_PREVIOUS };
enum { RESPONSE_EVENTS = 5 };

static void doc_begin(struct wire_doc *d, rv_t rv, uint64_t generation)
{
    size_t n = splice_text(rv, generation, d->splice);
    d->n_runs = 0;
    d->size = n;
}

static void doc_run(struct wire_doc *d, const char *p, size_t n)
{
    if (n != 0) {
        d->runs[d->n_runs++] = (struct str){p, n};
    }
}

/* Adds a part of T, and the version's text where it belongs. *left is how far away that still is;
 * SIZE_MAX when it is in already. */
static void doc_part(struct wire_doc *d, struct str part, size_t splice_n, size_t *left)
{
    if (*left > part.n) {
        doc_run(d, part.p, part.n);
        *left -= *left == SIZE_MAX ? 0 : part.n;
    } else {
        doc_run(d, part.p, *left);
        doc_run(d, d->splice, splice_n);
        doc_run(d, part.p + *left, part.n - *left);
        *left = SIZE_MAX;
    }
    d->size += part.n;
}

void wire_doc_body(struct wire_doc *d, struct str body, uint32_t splice, rv_t rv,
                   uint64_t generation)
{
    doc_begin(d, rv, generation);
    size_t left = splice;
    doc_part(d, body, d->size, &left);
    assert(left == SIZE_MAX); /* (3) */
}

void wire_doc_insert(struct wire_doc *d, struct str text)
{
    unsigned at = d->n_runs++;
    assert(d->n_runs <= WIRE_RUNS_MAX);
    for (; d->runs[at - 1].p != d->splice; at--) {
        d->runs[at] = d->runs[at - 1];
    }
    d->runs[at] = text;
    d->size += text.n;
}

/* The object before the event, as version `rv`. */
static void doc_previous(struct wire_doc *d, const struct event *ev, rv_t rv)
{
    size_t at = 0;
    uint64_t head;
    uint64_t tail;
    bool fits = varint_read(ev->delta, &at, &head) && varint_read(ev->delta, &at, &tail) &&
                head <= ev->body.n && tail <= ev->body.n - head;
    assert(fits); /* (3) */
    struct str parts[] = {
        {ev->body.p,                     (size_t)head    },
        {ev->delta.p + at,               ev->delta.n - at},
        {ev->body.p + ev->body.n - tail, (size_t)tail    },
    };
    doc_begin(d, rv, ev->prev_generation);
    size_t splice_n = d->size;
    size_t left = ev->prev_splice;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        doc_part(d, parts[i], splice_n, &left);
    }
    assert(left == SIZE_MAX); /* (3) */
}

size_t wire_object_size(const struct key *k, rv_t rv, size_t doc_size)
{
    return pb_bytes_size(k->resource.n) + pb_bytes_size(k->ns.n) + pb_bytes_size(k->name.n) +
           pb_u64_size(rv) + pb_bytes_size(doc_size);
}

uint8_t *wire_object_put(uint8_t *at, const struct key *k, rv_t rv, const struct wire_doc *d)
{
    at = pb_str_put(at, OBJECT_RESOURCE, k->resource);
    at = pb_str_put(at, OBJECT_NAMESPACE, k->ns);
    at = pb_str_put(at, OBJECT_NAME, k->name);
    at = pb_u64_put(at, OBJECT_RV, rv);
    if (d->size != 0) {
        at = pb_head_put(at, OBJECT_JSON, d->size);
        for (unsigned i = 0; i < d->n_runs; i++) {
            memcpy(at, d->runs[i].p, d->runs[i].n);
            at += d->runs[i].n;
        }
    }
    return at;
}

void wire_add_object(struct buf *out, unsigned number, const struct key *k, rv_t rv,
                     const struct wire_doc *d)
{
    size_t n = wire_object_size(k, rv, d->size);
    uint8_t *at = (uint8_t *)buf_grow(out, 1 + varint_size(n) + n);
    if (at != NULL) {
        at = pb_head_put(at, number, n);
        wire_object_put(at, k, rv, d);
    }
}

/* All that is to be written for one event, with the sizes of the messages in messages. */
struct plan {
    enum wire_event_type type;
    enum wire_cause cause;
    struct wire_doc object, previous;
    size_t object_n, previous_n; /* previous_n: 0, there is none */
    size_t n;                    /* of the Event */
};

static void plan_kind(struct plan *p, const struct event *ev, enum event_form form)
{
    switch (form) {
    case FORM_ENTERED:
        p->type = WIRE_ADDED;
        p->cause = WIRE_CAUSE_ENTERED;
        return;
    case FORM_LEFT:
        p->type = WIRE_DELETED;
        p->cause = WIRE_CAUSE_LEFT;
        return;
    case FORM_SNAPSHOT:
        p->type = WIRE_ADDED;
        p->cause = WIRE_CAUSE_NONE;
        return;
    case FORM_PLAIN:
        break;
    }
    p->cause = (enum wire_cause)ev->cause; /* the numbers are the same */
    p->type = event_is_delete(ev)          ? WIRE_DELETED
              : ev->cause == CAUSE_CREATED ? WIRE_ADDED
                                           : WIRE_MODIFIED;
}

_Static_assert((int)CAUSE_CREATED == (int)WIRE_CAUSE_CREATED &&
                   (int)CAUSE_UPDATED == (int)WIRE_CAUSE_UPDATED &&
                   (int)CAUSE_DELETED == (int)WIRE_CAUSE_DELETED &&
                   (int)CAUSE_EXPIRED == (int)WIRE_CAUSE_EXPIRED &&
                   (int)CAUSE_EXPIRING == (int)WIRE_CAUSE_EXPIRING,
               "stored causes are those on the wire");

static void plan_event(struct plan *p, const struct event *ev, enum event_form form, bool previous)
{
    plan_kind(p, ev, form);
    if (form == FORM_LEFT) {
        assert(ev->prev_rv != 0); /* it matched before */
        doc_previous(&p->object, ev, ev->rv);
    } else {
        wire_doc_body(&p->object, ev->body, ev->splice, ev->rv, ev->generation);
    }
    p->object_n = wire_object_size(&ev->key, ev->rv, p->object.size);
    p->n = pb_u64_size((uint64_t)p->type) + pb_u64_size((uint64_t)p->cause) +
           pb_bytes_size(p->object_n);
    p->previous_n = 0;
    if (previous && ev->prev_rv != 0 && form != FORM_SNAPSHOT) {
        doc_previous(&p->previous, ev, ev->prev_rv);
        p->previous_n = wire_object_size(&ev->key, ev->prev_rv, p->previous.size);
        p->n += pb_bytes_size(p->previous_n);
    }
}

size_t wire_event_bound(const struct event *ev, bool previous)
{
    /* Of one object: the numbers and the heads of fields; a document as large as both texts. */
    enum { OVERHEAD = 64 + SPLICE_MAX };
    size_t object =
        OVERHEAD + ev->key.resource.n + ev->key.ns.n + ev->key.name.n + ev->body.n + ev->delta.n;
    return previous ? 2 * object : object;
}

size_t wire_event_size(const struct event *ev, enum event_form form, bool previous)
{
    struct plan p;
    plan_event(&p, ev, form, previous);
    return pb_bytes_size(p.n);
}

uint8_t *wire_event_write(const struct event *ev, enum event_form form, bool previous, uint8_t *at)
{
    struct plan p;
    plan_event(&p, ev, form, previous);
    at = pb_head_put(at, RESPONSE_EVENTS, p.n);
    at = pb_u64_put(at, EVENT_TYPE, (uint64_t)p.type);
    at = pb_u64_put(at, EVENT_CAUSE, (uint64_t)p.cause);
    at = pb_head_put(at, EVENT_OBJECT, p.object_n);
    at = wire_object_put(at, &ev->key, ev->rv, &p.object);
    if (p.previous_n != 0) {
        at = pb_head_put(at, EVENT_PREVIOUS, p.previous_n);
        at = wire_object_put(at, &ev->key, ev->prev_rv, &p.previous);
    }
    return at;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine_sqlite_head.h"

#include <assert.h>
#include <endian.h>

/* What a head has beyond the usual. On disk: never renumbered. The rarer, the higher, since flags
 * below 128 take one byte. */
enum head_flag {
    HEAD_OTHER_NS = 1 << 0,       /* than `default` */
    HEAD_OTHER_RESOURCE = 1 << 1, /* than `objects` */
    HEAD_OTHER_TYPE = 1 << 2,     /* than watch/v1 Object */
    HEAD_NO_LABELS = 1 << 3,      /* in the opening */
    HEAD_MANAGER = 1 << 4,
    HEAD_WHOLE_BODY = 1 << 5, /* it has no opening that could be left out */
    HEAD_OTHER_PREV_SPLICE = 1 << 6,
    HEAD_OTHER_PREV_LABELS = 1 << 7,
    HEAD_NO_REQUEST_ID = 1 << 8,
    HEAD_TXN = 1 << 9, /* others of its transaction follow it */
    HEAD_FLAGS_END = 1 << 10,
};

/* On disk as well: these words stand for nothing at all. */
#define USUAL_NS          STR("default")
#define USUAL_RESOURCE    STR("objects")
#define USUAL_API_VERSION STR("watch/v1")
#define USUAL_KIND        STR("Object")

#define CREATED_LAST      INT64_C(253402300799) /* of year 9999 */

/* ---- Writing --------------------------------------------------------------------------------- */

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

static void put_text(struct buf *out, struct str s)
{
    buf_varint(out, s.n);
    buf_adds(out, s);
}

static void put_u64(struct buf *out, uint64_t v)
{
    v = htole64(v);
    buf_add(out, &v, sizeof(v));
}

void head_body_of(const struct key *key, struct str labels, struct str body, uint32_t splice,
                  struct head_body *ret)
{
    ret->opening_n = 0;
    ret->opened = opening_find(key, labels, body, splice, &ret->opening, &ret->opening_n);
    ret->opening_n = ret->opened ? ret->opening_n : 0;
}

static unsigned flags_of_object(const struct event *ev, const struct head_body *body)
{
    const struct opening *o = &body->opening;
    unsigned flags = 0;
    flags |= str_eq(ev->key.ns, USUAL_NS) ? 0 : HEAD_OTHER_NS;
    flags |= str_eq(ev->key.resource, USUAL_RESOURCE) ? 0 : HEAD_OTHER_RESOURCE;
    if (!body->opened) {
        return flags | HEAD_WHOLE_BODY;
    }
    bool usual_type = str_eq(o->api_version, USUAL_API_VERSION) && str_eq(o->kind, USUAL_KIND);
    flags |= usual_type ? 0 : HEAD_OTHER_TYPE;
    return flags | (str_eq(o->labels, ev->labels) ? 0 : HEAD_NO_LABELS);
}

static unsigned flags_of_event(const struct event *ev, const struct head_body *body)
{
    unsigned flags = flags_of_object(ev, body);
    flags |= ev->manager.n != 0 ? HEAD_MANAGER : 0;
    flags |= ev->prev_splice == (ev->prev_rv != 0 ? ev->splice : 0) ? 0 : HEAD_OTHER_PREV_SPLICE;
    flags |= str_eq(ev->prev_labels, ev->labels) ? 0 : HEAD_OTHER_PREV_LABELS;
    flags |= ev->request_id.n == REQUEST_ID_LEN ? 0 : HEAD_NO_REQUEST_ID;
    return flags | (ev->txn_end != ev->rv ? HEAD_TXN : 0);
}

static void begin(struct buf *out, unsigned flags)
{
    buf_clear(out);
    (void)buf_grow(out, HEAD_SUMS);
    buf_varint(out, flags);
}

/* `time` is what the creation is counted from, since the two are often close. */
static void put_object(struct buf *out, const struct event *ev, const struct head_body *body,
                       unsigned flags, wall_ms_t time)
{
    put_u64(out, ev->hash);
    put_u64(out, ev->spec_hash);
    buf_varint(out, ev->generation);
    put_text(out, ev->key.name);
    if ((flags & HEAD_OTHER_NS) != 0) {
        put_text(out, ev->key.ns);
    }
    if ((flags & HEAD_OTHER_RESOURCE) != 0) {
        put_text(out, ev->key.resource);
    }
    put_text(out, ev->labels);
    if ((flags & HEAD_WHOLE_BODY) != 0) {
        buf_varint(out, ev->splice);
        return;
    }
    if ((flags & HEAD_OTHER_TYPE) != 0) {
        put_text(out, body->opening.api_version);
        put_text(out, body->opening.kind);
    }
    buf_add(out, body->opening.uid, sizeof(body->opening.uid));
    buf_varint(out, zigzag(time / 1000 - body->opening.created));
}

void head_of_object(const struct event *ev, const struct head_body *body, struct buf *out)
{
    unsigned flags = flags_of_object(ev, body);
    begin(out, flags);
    put_object(out, ev, body, flags, 0);
}

void head_of_event(const struct event *ev, const struct head_body *body, struct buf *out)
{
    assert(ev->prev_rv < ev->rv && ev->txn_end >= ev->rv);
    assert(ev->request_id.n == 0 || ev->request_id.n == REQUEST_ID_LEN);
    unsigned flags = flags_of_event(ev, body);
    begin(out, flags);
    buf_varint(out, zigzag(ev->time));
    buf_varint(out, ev->prev_rv != 0 ? ev->rv - ev->prev_rv : 0);
    buf_varint(out, zigzag((int64_t)(ev->generation - ev->prev_generation)));
    if ((flags & HEAD_TXN) != 0) {
        buf_varint(out, ev->txn_end - ev->rv);
    }
    if ((flags & HEAD_OTHER_PREV_SPLICE) != 0) {
        buf_varint(out, ev->prev_splice);
    }
    put_object(out, ev, body, flags, ev->time);
    if ((flags & HEAD_OTHER_PREV_LABELS) != 0) {
        put_text(out, ev->prev_labels);
    }
    if ((flags & HEAD_NO_REQUEST_ID) == 0) {
        buf_adds(out, ev->request_id);
    }
    if ((flags & HEAD_MANAGER) != 0) {
        put_text(out, ev->manager);
    }
    buf_varint(out, ev->delta.n);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct reading {
    struct str head;
    size_t at;
    bool bad; /* sticky */
};

static uint64_t take_varint(struct reading *r)
{
    if (r->at < r->head.n && (unsigned char)r->head.p[r->at] < 0x80) {
        return (unsigned char)r->head.p[r->at++];
    }
    uint64_t v = 0;
    r->bad |= !varint_read(r->head, &r->at, &v);
    return r->bad ? 0 : v;
}

static uint32_t take_u32(struct reading *r)
{
    uint64_t v = take_varint(r);
    r->bad |= v > UINT32_MAX;
    return (uint32_t)v;
}

static struct str take_bytes(struct reading *r, uint64_t n)
{
    if (r->bad || n > r->head.n - r->at) {
        r->bad = true;
        return STR_EMPTY;
    }
    struct str s = {r->head.p + r->at, (size_t)n};
    r->at += (size_t)n;
    return s;
}

static struct str take_text(struct reading *r)
{
    return take_bytes(r, take_varint(r));
}

static uint64_t take_u64(struct reading *r)
{
    uint64_t v = 0;
    struct str s = take_bytes(r, sizeof(v));
    if (s.n == sizeof(v)) {
        memcpy(&v, s.p, sizeof(v));
    }
    return le64toh(v);
}

static unsigned take_begin(struct reading *r)
{
    (void)take_bytes(r, HEAD_SUMS);
    uint64_t flags = take_varint(r);
    r->bad |= flags >= HEAD_FLAGS_END;
    return (unsigned)flags;
}

static void take_opening(struct reading *r, const struct event *ev, struct opening *o,
                         unsigned flags, wall_ms_t time)
{
    bool other = (flags & HEAD_OTHER_TYPE) != 0;
    o->api_version = other ? take_text(r) : USUAL_API_VERSION;
    o->kind = other ? take_text(r) : USUAL_KIND;
    o->key = ev->key;
    o->labels = (flags & HEAD_NO_LABELS) != 0 ? STR_EMPTY : ev->labels;
    struct str uid = take_bytes(r, sizeof(o->uid));
    if (uid.n == sizeof(o->uid)) {
        memcpy(o->uid, uid.p, sizeof(o->uid));
    }
    o->created = (int64_t)((uint64_t)(time / 1000) - (uint64_t)unzigzag(take_varint(r)));
    r->bad |= o->created < 0 || o->created > CREATED_LAST;
}

static void take_object(struct reading *r, struct event *ev, struct head_body *body, unsigned flags,
                        wall_ms_t time)
{
    ev->hash = take_u64(r);
    ev->spec_hash = take_u64(r);
    ev->generation = take_varint(r);
    ev->key.name = take_text(r);
    ev->key.ns = (flags & HEAD_OTHER_NS) != 0 ? take_text(r) : USUAL_NS;
    ev->key.resource = (flags & HEAD_OTHER_RESOURCE) != 0 ? take_text(r) : USUAL_RESOURCE;
    ev->labels = take_text(r);
    body->opened = (flags & HEAD_WHOLE_BODY) == 0;
    if (body->opened) {
        take_opening(r, ev, &body->opening, flags, time);
        body->opening_n = opening_size(&body->opening);
        ev->splice = opening_splice(&body->opening);
    } else {
        body->opening_n = 0;
        ev->splice = take_u32(r);
    }
}

bool head_read_object(struct str head, struct event *ev, struct head_body *body)
{
    struct reading r = {.head = head};
    unsigned flags = take_begin(&r);
    take_object(&r, ev, body, flags, 0);
    return !r.bad && r.at == head.n;
}

bool head_read_event(struct str head, struct event *ev, struct head_body *body, size_t *ret_delta_n)
{
    struct reading r = {.head = head};
    unsigned flags = take_begin(&r);
    ev->time = unzigzag(take_varint(&r));
    uint64_t back = take_varint(&r);
    r.bad |= back > ev->rv;
    ev->prev_rv = back != 0 ? ev->rv - back : 0;
    uint64_t generations = (uint64_t)unzigzag(take_varint(&r));
    ev->txn_end = ev->rv + ((flags & HEAD_TXN) != 0 ? take_varint(&r) : 0);
    bool other_splice = (flags & HEAD_OTHER_PREV_SPLICE) != 0;
    uint32_t prev_splice = other_splice ? take_u32(&r) : 0;
    take_object(&r, ev, body, flags, ev->time);
    ev->prev_generation = ev->generation - generations;
    ev->prev_splice = other_splice ? prev_splice : ev->prev_rv != 0 ? ev->splice : 0;
    ev->prev_labels = (flags & HEAD_OTHER_PREV_LABELS) != 0 ? take_text(&r) : ev->labels;
    ev->request_id = (flags & HEAD_NO_REQUEST_ID) == 0 ? take_bytes(&r, REQUEST_ID_LEN) : STR_EMPTY;
    ev->manager = (flags & HEAD_MANAGER) != 0 ? take_text(&r) : STR_EMPTY;
    *ret_delta_n = take_varint(&r);
    return !r.bad && r.at == head.n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 *   (1) segments ascend and do not overlap; every event > start and <= the last one is in one;
 *   (2) a published segment's records never change; its encodings are added under `encode`;
 *   (3) a transaction lies in one segment, so what the log no longer holds ends with a whole one.
 */
#include "store/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/base/metric.h"

/* The form of one event that only some watchers need: it entered or left their selection. */
struct special {
    struct special *next;
    enum event_form form;
    bool previous;
    struct blob *blob;
};

struct record {
    struct event ev;    /* texts behind the records of the segment */
    size_t plain_at[2]; /* in segment.plain[with previous] */
    struct special *specials;
};

struct segment {
    _Atomic int refs;
    size_t bytes;          /* what it counts in the log's cap */
    struct blob *plain[2]; /* all events in their plain form, without and with previous */
    size_t n;
    struct record records[];
};

struct log {
    const struct codec *codec;
    size_t cap_bytes;
    pthread_mutex_t encode; /* guards all encodings; taken alone */
    pthread_mutex_t mu;     /* guards all below; taken alone */
    rv_t start;             /* every event > start is here */
    size_t bytes;
    struct segment **ring;
    size_t ring_cap, first, n; /* ring_cap is a power of two */
};

struct log *log_new(const struct codec *codec, size_t cap_bytes, rv_t head)
{
    struct log *l = mem_zalloc(sizeof *l);
    l->codec = codec;
    l->cap_bytes = cap_bytes;
    l->start = head;
    l->ring_cap = 64;
    l->ring = mem_zalloc(l->ring_cap * sizeof(struct segment *));
    pthread_mutex_init(&l->mu, NULL);
    pthread_mutex_init(&l->encode, NULL);
    return l;
}

static struct segment *ring_at(const struct log *l, size_t i)
{
    return l->ring[(l->first + i) & (l->ring_cap - 1)];
}

void segment_unref(struct segment *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct special *sp = s->records[i].specials;
        while (sp != NULL) {
            struct special *next = sp->next;
            blob_unref(sp->blob);
            free(sp);
            sp = next;
        }
    }
    blob_unref(s->plain[0]);
    blob_unref(s->plain[1]);
    free(s);
}

void log_free(struct log *l)
{
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        segment_unref(ring_at(l, i));
    }
    free(l->ring);
    pthread_mutex_destroy(&l->mu);
    pthread_mutex_destroy(&l->encode);
    free(l);
}

static size_t event_text_bytes(const struct event *e)
{
    return e->key.resource.n + e->key.ns.n + e->key.name.n + e->labels.n + e->prev_labels.n +
           e->body.n + e->delta.n;
}

static struct str copy_text(char **at, struct str s)
{
    struct str ret = {*at, s.n};
    if (s.n != 0) {
        memcpy(*at, s.p, s.n);
        *at += s.n;
    }
    return ret;
}

static struct segment *segment_new(const struct event *const *events, size_t n)
{
    size_t text = 0;
    for (size_t i = 0; i < n; i++) {
        text += event_text_bytes(events[i]);
    }
    size_t head = sizeof(struct segment) + n * sizeof(struct record);
    struct segment *s = mem_alloc(head + text);
    memset(s, 0, head);
    atomic_store(&s->refs, 1);
    s->bytes = head + 2 * text; /* its encoded form is about as large, and soon there */
    s->n = n;
    char *at = (char *)s + head;
    for (size_t i = 0; i < n; i++) {
        struct event *e = &s->records[i].ev;
        *e = *events[i];
        e->request_id = STR_EMPTY;
        e->manager = STR_EMPTY;
        e->key.resource = copy_text(&at, e->key.resource);
        e->key.ns = copy_text(&at, e->key.ns);
        e->key.name = copy_text(&at, e->key.name);
        e->labels = copy_text(&at, e->labels);
        e->prev_labels = copy_text(&at, e->prev_labels);
        e->body = copy_text(&at, e->body);
        e->delta = copy_text(&at, e->delta);
    }
    return s;
}

static rv_t segment_last(const struct segment *s)
{
    return s->records[s->n - 1].ev.rv;
}

static void ring_push(struct log *l, struct segment *s)
{
    if (l->n == l->ring_cap) {
        struct segment **bigger = mem_zalloc(2 * l->ring_cap * sizeof *bigger);
        for (size_t i = 0; i < l->n; i++) {
            bigger[i] = ring_at(l, i);
        }
        free(l->ring);
        l->ring = bigger;
        l->first = 0;
        l->ring_cap *= 2;
    }
    l->ring[(l->first + l->n) & (l->ring_cap - 1)] = s;
    l->n++;
    l->bytes += s->bytes;
}

/* Drops the oldest segment from the ring and returns it. */
static struct segment *ring_shift(struct log *l)
{
    struct segment *s = ring_at(l, 0);
    l->first = (l->first + 1) & (l->ring_cap - 1);
    l->n--;
    l->bytes -= s->bytes;
    l->start = segment_last(s);
    return s;
}

/* How many of the events make the next segment (3). */
static size_t segment_take(const struct event *const *events, size_t n)
{
    size_t bytes = 0, whole = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += sizeof(struct record) + event_text_bytes(events[i]);
        if (bytes > SEGMENT_BYTES && whole != 0) {
            return whole;
        }
        whole = event_ends_txn(events[i]) ? i + 1 : whole;
    }
    return n;
}

size_t log_append(struct log *l, const struct event *const *events, size_t n)
{
    size_t bytes = 0;
    for (size_t from = 0, to; from < n; from = to) {
        to = from + segment_take(events + from, n - from);
        struct segment *s = segment_new(events + from, to - from);
        bytes += s->bytes;
        pthread_mutex_lock(&l->mu);
        assert(l->n == 0 || s->records[0].ev.rv > segment_last(ring_at(l, l->n - 1))); /* (1) */
        ring_push(l, s);
        while (l->bytes > l->cap_bytes && l->n > 1) {
            segment_unref(ring_shift(l));
        }
        metric_set(M_LOG_BYTES, (int64_t)l->bytes);
        pthread_mutex_unlock(&l->mu);
    }
    return bytes;
}

struct segment *log_find(struct log *l, rv_t after)
{
    struct segment *found = NULL;
    pthread_mutex_lock(&l->mu);
    if (after >= l->start) {
        size_t lo = 0, hi = l->n;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (segment_last(ring_at(l, mid)) > after) {
                hi = mid;
            } else {
                lo = mid + 1;
            }
        }
        if (lo < l->n) {
            found = ring_at(l, lo);
            atomic_fetch_add(&found->refs, 1);
        }
    }
    pthread_mutex_unlock(&l->mu);
    return found;
}

bool log_reaches(struct log *l, rv_t after)
{
    pthread_mutex_lock(&l->mu);
    bool yes = after >= l->start;
    pthread_mutex_unlock(&l->mu);
    return yes;
}

size_t segment_count(const struct segment *s)
{
    return s->n;
}

size_t segment_after(const struct segment *s, rv_t after)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->records[mid].ev.rv > after) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

const struct event *segment_event(const struct segment *s, size_t i)
{
    return &s->records[i].ev;
}

static void encode_plain(const struct codec *codec, struct segment *s, bool previous)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->records[i].plain_at[previous] = total;
        total += codec->event_size(&s->records[i].ev, FORM_PLAIN, previous);
    }
    uint8_t *at = NULL;
    struct blob *b = codec->alloc(total, &at);
    for (size_t i = 0; i < s->n; i++) {
        at = codec->event_write(&s->records[i].ev, FORM_PLAIN, previous, at);
    }
    s->plain[previous] = b;
}

static struct blob *encode_special(const struct codec *codec, struct record *r,
                                   enum event_form form, bool previous)
{
    for (struct special *sp = r->specials; sp != NULL; sp = sp->next) {
        if (sp->form == form && sp->previous == previous) {
            return sp->blob;
        }
    }
    struct special *sp = mem_zalloc(sizeof *sp);
    uint8_t *at = NULL;
    sp->form = form;
    sp->previous = previous;
    sp->blob = codec->alloc(codec->event_size(&r->ev, form, previous), &at);
    (void)codec->event_write(&r->ev, form, previous, at);
    sp->next = r->specials;
    r->specials = sp;
    return sp->blob;
}

void segment_encoded(struct log *l, struct segment *s, size_t i, enum event_form form,
                     bool previous, struct blob **ret_blob, size_t *ret_at, size_t *ret_n)
{
    pthread_mutex_lock(&l->encode); /* (2) */
    if (form == FORM_PLAIN) {
        if (s->plain[previous] == NULL) {
            encode_plain(l->codec, s, previous);
        }
        const struct blob *b = s->plain[previous];
        *ret_blob = s->plain[previous];
        *ret_at = s->records[i].plain_at[previous];
        *ret_n = (i + 1 < s->n ? s->records[i + 1].plain_at[previous] : b->n) - *ret_at;
    } else {
        *ret_blob = encode_special(l->codec, &s->records[i], form, previous);
        *ret_at = 0;
        *ret_n = (*ret_blob)->n;
    }
    pthread_mutex_unlock(&l->encode);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/verdict.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

#include "store/base/metric.h"
#include "store/model/delta.h"

/* Events remembered: a few to begin with; more when somebody asks for one that was forgotten, as
 * the second of two watchers does that look at the same long run of events; no more than one pull
 * looks at. */
#define SLOTS_MIN 32
#define SLOTS_MAX 2048

/* What is known of one event. */
struct slot {
    rv_t rv;         /* 0: nothing */
    bool judged[2];  /* by enum side */
    bool matched[2]; /* where judged */
};

struct verdicts {
    UT_hash_handle hh;
    struct field_selector *fields; /* its own; its text is the key */
    bool body;                     /* it looks into bodies */
    size_t refs;
    size_t n_slots;
    struct slot *slots; /* the event rv is in slots[rv % n_slots] */
};

bool event_side(const struct event *ev, enum side side, struct str *ret_labels)
{
    *ret_labels = side == SIDE_NOW ? ev->labels : ev->prev_labels;
    return side == SIDE_NOW ? !event_is_delete(ev) : ev->prev_rv != 0;
}

bool verdict_form(const struct event *ev, bool before, bool now, enum event_form *ret_form)
{
    if (!before && !now) {
        return false;
    }
    if (before == now || ev->prev_rv == 0 || event_is_delete(ev)) {
        *ret_form = FORM_PLAIN;
    } else {
        *ret_form = now ? FORM_ENTERED : FORM_LEFT;
    }
    return true;
}

void previous_fini(struct previous *p)
{
    buf_fini(&p->body);
    *p = (struct previous){0};
}

static struct str previous_body(struct previous *p, const struct event *ev)
{
    if (p->rv == 0) {
        buf_init(&p->body, SIZE_MAX);
    }
    if (p->rv != ev->rv) {
        p->rv = ev->rv;
        buf_clear(&p->body);
        bool whole = delta_apply(ev->body, ev->delta, &p->body);
        assert(whole); /* The log's are our own, and history's rows have checksums. */
    }
    return buf_str(&p->body);
}

static struct subject subject_of(const struct event *ev, enum side side, bool body,
                                 struct previous *p)
{
    if (side == SIDE_NOW) {
        return (struct subject){ev->key, ev->rv, ev->generation, ev->body};
    }
    return (struct subject){ev->key, ev->prev_rv, ev->prev_generation,
                            body ? previous_body(p, ev) : STR_EMPTY};
}

bool verdict_of_event(const struct selections *sel, const struct event *ev, enum side side,
                      struct previous *p)
{
    struct str labels;
    if (!event_side(ev, side, &labels)) {
        return false;
    }
    for (size_t i = 0; selections_next(sel, &ev->key, labels, &i); i++) {
        const struct scope *s = selections_at(sel, i);
        if (!s->by_fields) {
            return true;
        }
        struct subject f = subject_of(ev, side, field_selector_needs_body(s->fields), p);
        if (field_selector_match(s->fields, &f)) {
            return true;
        }
    }
    return false;
}

void verdict_table_fini(struct verdict_table *t)
{
    assert(t->all == NULL);
    previous_fini(&t->previous);
}

/* Forgets what was found. */
static void make_room(struct verdicts *v, size_t n_slots)
{
    free(v->slots);
    v->slots = mem_zalloc(n_slots * sizeof(*v->slots));
    v->n_slots = n_slots;
}

struct verdicts *verdicts_ref(struct verdict_table *t, const struct scope *s)
{
    if (!s->by_fields) {
        return NULL;
    }
    struct str text = field_selector_text(s->fields);
    struct verdicts *v = NULL;
    HASH_FIND(hh, t->all, text.p, text.n, v);
    if (v == NULL) {
        v = mem_zalloc(sizeof(*v));
        enum errc code = field_selector_parse(text, "", &v->fields, NULL);
        assert(code == OK); /* its own canonical text */
        v->body = field_selector_needs_body(v->fields);
        make_room(v, SLOTS_MIN);
        text = field_selector_text(v->fields);
        HASH_ADD_KEYPTR(hh, t->all, text.p, text.n, v);
    }
    v->refs++;
    return v;
}

void verdicts_unref(struct verdict_table *t, struct verdicts *v)
{
    if (v == NULL || --v->refs != 0) {
        return;
    }
    HASH_DELETE(hh, t->all, v);
    field_selector_free(v->fields);
    free(v->slots);
    free(v);
}

bool verdicts_match(struct verdict_table *t, struct verdicts *v, const struct event *ev,
                    enum side side)
{
    if (v == NULL) {
        return true;
    }
    if (v->slots[ev->rv % v->n_slots].rv > ev->rv && v->n_slots < SLOTS_MAX) {
        make_room(v, 4 * v->n_slots);
    }
    struct slot *s = &v->slots[ev->rv % v->n_slots];
    if (s->rv != ev->rv) {
        *s = (struct slot){.rv = ev->rv};
    }
    if (!s->judged[side]) {
        struct subject f = subject_of(ev, side, v->body, &t->previous);
        s->matched[side] = field_selector_match(v->fields, &f);
        s->judged[side] = true;
        metric_add(M_FIELDS_JUDGED, 1);
    }
    return s->matched[side];
}

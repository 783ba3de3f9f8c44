/* SPDX-License-Identifier: Apache-2.0 */
/* The present, for one watcher: a batch of shared bytes out of the log; see (1) to (3) of
 * watcher.c.
 */
#include "store/watch_impl.h"

#define PULL_SCAN   2048 /* events looked at in one pull */
#define PULL_PIECES 256  /* runs of bytes gathered before they are copied to one */

_Static_assert(TXN_EVENTS_MAX <= PULL_PIECES, "a transaction is gathered whole");

struct run {
    struct blob *blob;
    size_t at, n;
};

/* Runs become pieces as they are, or, too many, are copied to one block. */
static void runs_to_batch(struct watcher *w, const struct run *runs, size_t n,
                          struct watch_batch *b)
{
    if (n <= WATCH_PIECES_MAX) {
        for (size_t i = 0; i < n; i++) {
            b->pieces[b->n_pieces++] =
                (struct watch_piece){blob_ref(runs[i].blob), runs[i].at, runs[i].n};
        }
        return;
    }
    uint8_t *at = NULL;
    struct blob *copy = w->set->store->codec->alloc(b->bytes, &at);
    for (size_t i = 0; i < n; i++) {
        memcpy(at, runs[i].blob->p + runs[i].at, runs[i].n);
        at += runs[i].n;
    }
    b->pieces[b->n_pieces++] = (struct watch_piece){copy, 0, b->bytes};
}

/* The batch as it was before the transaction that is being gathered. */
struct mark {
    rv_t cursor;
    size_t n, last_n; /* runs, and the bytes of the last one */
    size_t bytes, events;
};

static struct mark mark_here(const struct watcher *w, const struct run *runs, size_t n,
                             const struct watch_batch *b)
{
    return (struct mark){w->cursor, n, n != 0 ? runs[n - 1].n : 0, b->bytes, b->events};
}

static void return_to(const struct mark *m, struct watcher *w, struct run *runs, size_t *n,
                      struct watch_batch *b)
{
    w->cursor = m->cursor;
    *n = m->n;
    if (m->n != 0) {
        runs[m->n - 1].n = m->last_n;
    }
    b->bytes = m->bytes;
    b->events = m->events;
}

static bool selects(const struct watcher *w, const struct event *ev, enum side side)
{
    struct str labels;
    if (!event_side(ev, side, &labels)) {
        return false;
    }
    for (size_t i = 0; selections_next(w->selections, &ev->key, labels, &i); i++) {
        if (verdicts_match(&w->set->verdicts, w->nodes[i].verdicts, ev, side)) {
            return true;
        }
    }
    return false;
}

/* Gathers matching events of one segment; false when the batch is full. */
static bool gather(struct watcher *w, struct segment *s, struct run *runs, size_t *n,
                   struct watch_batch *b, size_t *scanned)
{
    struct log *log = w->set->store->log;
    struct mark before = mark_here(w, runs, *n, b);
    bool full = false; /* the transaction alone is more than a batch */
    for (size_t i = segment_after(s, w->cursor); i < segment_count(s); i++) {
        const struct event *ev = segment_event(s, i);
        if (ev->rv > w->set->at) { /* (2) */
            return false;
        }
        enum event_form form = FORM_PLAIN;
        (*scanned)++;
        if (verdict_form(ev, selects(w, ev, SIDE_BEFORE), selects(w, ev, SIDE_NOW), &form)) {
            struct run r;
            segment_encoded(log, s, i, form, w->previous, &r.blob, &r.at, &r.n);
            struct run *last = *n != 0 ? &runs[*n - 1] : NULL;
            bool joins = last != NULL && last->blob == r.blob && last->at + last->n == r.at;
            if (b->bytes != 0 &&
                (b->bytes + r.n > WATCH_BATCH_BYTES || (!joins && *n == PULL_PIECES))) {
                if (before.bytes != 0) {
                    return_to(&before, w, runs, n, b); /* (3) */
                    return false;
                }
                full = true;
            }
            if (joins) {
                last->n += r.n;
            } else {
                runs[(*n)++] = r;
            }
            b->bytes += r.n;
            b->events++;
        }
        w->cursor = ev->rv;
        if (event_ends_txn(ev)) {
            if (full) {
                return false;
            }
            before = mark_here(w, runs, *n, b);
        }
    }
    return true;
}

#define HELD_SEGMENTS 64

bool live_take(struct watcher *w, struct watch_batch *b)
{
    struct run runs[PULL_PIECES];
    struct segment *held[HELD_SEGMENTS]; /* their blocks are borrowed by the runs */
    size_t n = 0, n_held = 0, scanned = 0;
    bool reached = true;
    while (w->cursor < w->set->at && scanned < PULL_SCAN && n_held < HELD_SEGMENTS) {
        struct segment *s = log_find(w->set->store->log, w->cursor);
        if (s == NULL) {
            reached = false;
            break;
        }
        held[n_held++] = s;
        if (!gather(w, s, runs, &n, b, &scanned)) {
            break;
        }
    }
    if (b->events != 0) {
        b->kind = BATCH_EVENTS;
        runs_to_batch(w, runs, n, b);
        reached = true;
    }
    for (size_t i = 0; i < n_held; i++) {
        segment_unref(held[i]);
    }
    return reached;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) A stream's mark is at or below what its client was told. To send something does not move it:
 *     that is left until the brink is beyond it, so that a message costs nothing here.
 * (2) A stream that is looked at gets a mark at or above the brink, so that each is looked at once
 *     for a step of the brink; one that a bookmark does not help comes again some steps later. */
#include "server/told.h"

#include "server/fanout.h"

static void set_mark(struct stream *s, rv_t rv)
{
    timers_set(&s->owner->marks, &s->mark, (mono_ms_t)rv);
}

void told_begin(struct stream *s)
{
    s->told = watcher_position_rv(s->watcher);
    s->told_before = s->told;
    set_mark(s, s->told);
}

void told_sent(struct stream *s)
{
    s->told_before = s->told;
    s->told = watcher_position_rv(s->watcher);
}

void told_cut(struct stream *s)
{
    if (s->watcher != NULL) {
        store_spare(s->owner->srv->store, s->told, s->told_before);
    }
}

void told_end(struct stream *s)
{
    timers_clear(&s->owner->marks, &s->mark);
}

void told_look(struct fanout *f)
{
    rv_t brink = store_brink(f->srv->store);
    rv_t at = watch_set_at(f->set);
    struct timer *t = NULL;
    if (brink > at) {
        return; /* a turn is due, for the brink kicks; before it a bookmark would not help */
    }
    while ((t = timers_first(&f->marks)) != NULL && (rv_t)t->at < brink) {
        struct stream *s = CONTAINER(t, struct stream, mark);
        if (s->told >= brink) {
            set_mark(s, s->told); /* (1) */
            continue;
        }
        if (watcher_rv(s->watcher) > s->told) {
            stream_bookmark(s);
        }
        set_mark(s, brink + (at - brink) / 4); /* (2) */
    }
}

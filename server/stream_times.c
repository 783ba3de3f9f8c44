/* SPDX-License-Identifier: Apache-2.0 */
/* The times of a stream: when to look whether a bookmark is due, the limit that the client set,
 * and the time a client has to read the end. They share the stream's one timer. */
#include "server/fanout.h"
#include "server/status.h"
#include "server/stream.h"

#define IDLE_BOOKMARK_FACTOR 6
#define INTERVAL_MIN_MS      100
/* Our own bookmarks come in steps, so that many idle streams wake the thread seldom. */
#define BOOKMARK_STEP_MS 100

static mono_ms_t own_interval(const struct stream *s)
{
    return s->owner->srv->config->bookmark_ms;
}

static mono_ms_t stepped(mono_ms_t at)
{
    return (at + BOOKMARK_STEP_MS - 1) / BOOKMARK_STEP_MS * BOOKMARK_STEP_MS;
}

static void set_timer(struct stream *s)
{
    mono_ms_t at = s->bookmark_at;
    if (s->end_at != 0 && s->end_at < at) {
        at = s->end_at;
    }
    timers_set(&s->owner->timers, &s->timer, at);
}

static void schedule_bookmark(struct stream *s, mono_ms_t now)
{
    if (s->interval_ms != 0) {
        s->bookmark_at += s->interval_ms;
        if (s->bookmark_at <= now) {
            s->bookmark_at = now + s->interval_ms;
        }
    } else {
        s->bookmark_at = stepped(now + own_interval(s));
    }
}

void stream_times_begin(struct stream *s, uint64_t duration_ms, mono_ms_t now)
{
    s->bookmarked_at = now;
    s->bookmarked_rv = watcher_rv(s->watcher);
    if (s->interval_ms != 0) {
        s->interval_ms = s->interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : s->interval_ms;
        s->bookmark_at = now + s->interval_ms;
    } else {
        /* At any time within its second half, so that streams opened together do not stay so. */
        mono_ms_t half = own_interval(s) / 2;
        s->bookmark_at = stepped(now + half + (mono_ms_t)random_below((uint64_t)half + 1));
    }
    if (duration_ms != 0) {
        s->end_at = duration_ms > INT64_MAX / 2 ? 0 : now + (mono_ms_t)duration_ms;
    }
    set_timer(s);
}

void stream_timer_due(struct stream *s, mono_ms_t now)
{
    if (s->state == STREAM_CLOSING || s->state == STREAM_FINAL) {
        CLEANUP(freep) struct err *end = TAKE(s->end);
        struct err unread;
        (void)err_set(&unread, ERR_TOO_SLOW, "the watch was over, but its end was not read");
        const struct err *why = end != NULL ? end : &unread; /* nothing is cut off with OK */
        if (s->state == STREAM_CLOSING) {
            stream_cut(s, why);
        } else {
            status_cancel(s->call, why);
        }
        return;
    }
    if (s->end_at != 0 && now >= s->end_at) {
        stream_end(s, NULL, true, STREAM_OVERDUE_MS);
        return;
    }
    if (now >= s->bookmark_at) {
        rv_t rv = watcher_rv(s->watcher);
        if (s->interval_ms != 0 || rv != s->bookmarked_rv ||
            now - s->bookmarked_at >= own_interval(s) * IDLE_BOOKMARK_FACTOR) {
            stream_bookmark(s);
        }
        schedule_bookmark(s, now);
    }
    set_timer(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a message are pinned while it is on its way. */
#include "server/message.h"

#include <assert.h>

#include "server/codec.h"
#include "server/fanout.h"
#include "store/base/metric.h"

/* The owner's empty head, with the position of all that was pulled. */
static struct buf *head_begin(struct stream *s)
{
    uint8_t position[POSITION_MAX];
    size_t n = watcher_position(s->watcher, position);
    struct buf *head = &s->owner->head;
    buf_clear(head);
    wire_append_position((struct str){(const char *)position, n}, head);
    return head;
}

static grpc_slice_buffer *message_begin(struct stream *s, const struct buf *head)
{
    assert(!head->full);
    grpc_slice_buffer *sb = &s->owner->message->data.raw.slice_buffer;
    assert(sb->count == 0);
    grpc_slice_buffer_add(sb, grpc_slice_from_copied_buffer(head->p, head->n));
    metric_add(M_MESSAGES_SENT, 1);
    return sb;
}

void message_started(struct stream *s, const struct wire_started *started)
{
    struct buf *head = head_begin(s);
    wire_append_started(started, head);
    (void)message_begin(s, head);
}

void message_bookmark(struct stream *s)
{
    struct buf *head = head_begin(s);
    wire_append_bookmark(watcher_rv(s->watcher), head);
    (void)message_begin(s, head);
    metric_add(M_BOOKMARKS_SENT, 1);
}

void message_batch(struct stream *s, struct watch_batch *b)
{
    assert(s->n_pins == 0);
    struct buf *head = head_begin(s);
    if (b->kind == BATCH_SYNCED) {
        wire_append_synced(b->rv, head);
    }
    grpc_slice_buffer *sb = message_begin(s, head);
    for (size_t i = 0; i < b->n_pieces; i++) {
        struct watch_piece *p = &b->pieces[i];
        grpc_slice_buffer_add(sb, codec_slice(p->blob, p->at, p->n));
        s->pins[i] = TAKE(p->blob);
        blob_pin(s->pins[i]);
    }
    s->n_pins = (uint8_t)b->n_pieces;
    b->n_pieces = 0;
    metric_add(M_EVENTS_SENT, (int64_t)b->events);
}

void message_unpin(struct stream *s)
{
    for (size_t i = 0; i < s->n_pins; i++) {
        blob_unpin(s->pins[i]);
        blob_unref(s->pins[i]);
    }
    s->n_pins = 0;
}

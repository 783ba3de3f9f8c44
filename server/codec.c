/* SPDX-License-Identifier: Apache-2.0 */
#include "server/codec.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/wire.h"

/* A block whose bytes are a slice's. */
struct slice_blob {
    struct blob blob;
    grpc_slice slice;
};

static void release(struct blob *b)
{
    struct slice_blob *sb = b->owner;
    grpc_slice_unref(sb->slice);
    free(sb);
}

static struct blob *alloc(size_t n, uint8_t **ret_p)
{
    struct slice_blob *sb = mem_alloc(sizeof(*sb));
    /* The large kind is counted even when it is small, so that its parts share it. */
    sb->slice = grpc_slice_malloc_large(n);
    *ret_p = GRPC_SLICE_START_PTR(sb->slice);
    sb->blob = (struct blob){.n = n, .p = *ret_p, .owner = sb, .release = release};
    atomic_init(&sb->blob.refs, 1);
    atomic_init(&sb->blob.pins, 0);
    return &sb->blob;
}

grpc_slice codec_slice(const struct blob *b, size_t at, size_t n)
{
    assert(b->release == release && at <= b->n && n <= b->n - at);
    const struct slice_blob *sb = b->owner;
    return grpc_slice_sub(sb->slice, at, at + n);
}

const struct codec codec_wire = {
    .event_bound = wire_event_bound,
    .event_size = wire_event_size,
    .event_write = wire_event_write,
    .alloc = alloc,
};

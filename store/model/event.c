/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/event.h"

#include "store/model/delta.h"
#include "store/model/object.h"

struct object *event_previous(const struct event *e)
{
    if (e->prev_rv == 0) {
        return NULL;
    }
    struct buf body;
    buf_init(&body, SIZE_MAX);
    struct object *o = NULL;
    if (delta_apply(e->body, e->delta, &body)) {
        o = object_new(&e->key, e->prev_labels, buf_str(&body), e->prev_splice, e->prev_generation,
                       0, 0);
        o->rv = e->prev_rv;
    }
    buf_fini(&body);
    return o;
}

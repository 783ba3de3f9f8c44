/* SPDX-License-Identifier: Apache-2.0 */
#include "store/expire.h"

#include "store/base/logline.h"

#define EXPIRE_SLICE 128 /* of one batch */
#define RETRY_MS     1000
#define RETRY_MAX_MS 30000

void expire_renew(struct batch *b, const struct write *w, struct object *now, row_t row)
{
    if (w->ttl_ms != 0) {
        /* One more, since both ends of the time are cut to milliseconds: never early. */
        int64_t deadline = store_run_ms(b->store) + (int64_t)w->ttl_ms + 1;
        batch_set_deadline(b, &now->key, now, row, deadline);
    } else if (w->no_ttl && (batch_has_deadline(b, &now->key) ||
                             (row != 0 && expiry_of(b->store->expiry, row) != 0))) {
        batch_set_deadline(b, &now->key, now, row, 0);
    }
}

/* What cannot be read cannot be deleted: its event would have to show it. It is tried again, ever
 * more seldom if it is damaged; storage that fails comes back for all at once. */
static void put_off(struct batch *b, const struct expiring *e, const struct err *why)
{
    int64_t wait = why->code == ERR_UNAVAILABLE || e->wait_ms == 0 ? RETRY_MS : 2 * e->wait_ms;
    wait = wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS;
    if (e->wait_ms == 0) {
        log_error(
            "%.*s \"%.*s\" in \"%.*s\" is due to expire but cannot be read; it is tried again: "
            "%s",
            STR_ARG(e->key.resource), STR_ARG(e->key.name), STR_ARG(e->key.ns), why->msg);
    }
    expiry_put_off(b->store->expiry, e->row, b->expire_ms, wait);
}

static void expire_one(struct batch *b, const struct expiring *e)
{
    CLEANUP(object_unrefp) struct object *cur = NULL;
    struct err err;
    row_t row = 0;
    if (batch_has_deadline(b, &e->key)) {
        return; /* a write of this batch has moved it, or it is that of a newer object */
    }
    if (batch_current(b, &e->key, &cur, &row, &err) != OK) {
        put_off(b, e, &err);
        return;
    }
    if (cur == NULL || row != e->row) {
        return; /* a write of this batch has deleted it */
    }
    struct write w = {.key = cur->key, .verb = WRITE_DELETE, .field_manager = STR(MANAGER_EXPIRY)};
    struct object *was = cur;
    if (!object_has_finalizers(cur)) {
        (void)batch_change(b, &w, TAKE(cur), NULL, row);
        b->changes[b->n_changes - 1].event.cause = CAUSE_EXPIRED;
        return;
    }
    struct object *marked = NULL;
    if (object_deletion(cur).n == 0) {
        marked = object_begin_deletion(cur, clock_wall(b->store->clock));
        (void)batch_change(b, &w, TAKE(cur), marked, row);
        b->changes[b->n_changes - 1].event.cause = CAUSE_EXPIRING;
    }
    struct object *now = marked != NULL ? marked : was;
    batch_set_deadline(b, &now->key, now, row, 0);
}

void expire_due(struct batch *b, int64_t run_ms)
{
    struct expiring due[EXPIRE_SLICE];
    size_t room = BATCH_WRITES - b->n_changes;
    size_t n = expiry_due(b->store->expiry, run_ms, due, room < EXPIRE_SLICE ? room : EXPIRE_SLICE);
    for (size_t i = 0; i < n; i++) {
        expire_one(b, &due[i]);
    }
}

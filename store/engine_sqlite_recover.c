/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: after a fault the file, not our memory, says what was committed. */
#include <inttypes.h>

#include "store/engine_sqlite_impl.h"

#define TEXTS_MAX ((size_t)1 << 31)

/* The events that were not told, with copies of their texts. */
struct untold {
    struct change *changes;
    struct buf *texts; /* one per change */
    size_t n, cap;
};

static void untold_fini(struct untold *u)
{
    for (size_t i = 0; i < u->n; i++) {
        buf_fini(&u->texts[i]);
    }
    freep(&u->changes);
    freep(&u->texts);
}

static bool untold_add(void *arg, const struct event *ev, row_t row)
{
    struct untold *u = arg;
    if (u->n == u->cap) {
        u->cap = u->cap != 0 ? 2 * u->cap : 16;
        u->changes = mem_realloc(u->changes, u->cap * sizeof(*u->changes));
        u->texts = mem_realloc(u->texts, u->cap * sizeof(*u->texts));
    }
    u->changes[u->n].row = row;
    u->changes[u->n].txn_more = (size_t)(ev->txn_end - ev->rv);
    buf_init(&u->texts[u->n], TEXTS_MAX);
    row_event_copy(ev, &u->texts[u->n], &u->changes[u->n].event);
    u->n++;
    return true;
}

/* Tells the sink of all versions above base.head up to `head`: there is only the last attempt to
 * commit that they can be of. */
static enum errc tell(struct engine_sqlite *s, rv_t head, struct err *err)
{
    CLEANUP(untold_fini) struct untold u = {.n = 0};
    enum errc code = engine_sqlite_scan(&s->w, &s->epochs, s->base.head, head, untold_add, &u, err);
    if (code == OK && u.n != 0 && u.n != s->attempt.n) {
        code =
            err_set(err, ERR_DATA_LOSS, "%s holds %zu events of a commit of %zu: stop and restart",
                    s->path, u.n, s->attempt.n);
    }
    if (code != OK) {
        return code;
    }
    s->base.head = head;
    s->suspect = false;
    if (u.n != 0 && s->base.sink.committed != NULL) {
        const struct commit c = {.changes = u.changes,
                                 .n = u.n,
                                 .asides = s->attempt.asides,
                                 .n_asides = s->attempt.n_asides};
        s->base.sink.committed(s->base.sink.arg, &c);
    }
    return OK;
}

enum errc engine_sqlite_recover(struct engine *e, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    s->suspect = true;
    enum errc code = engine_sqlite_see_file(s, err); /* before the connection to it is given up */
    if (code != OK) {
        return code;
    }
    conn_close(&s->w);
    fold_abandon(s);
    rv_t head = 0;
    code = engine_sqlite_attach(s, e->head, &head, err);
    if (code == OK && head < e->head) {
        code = err_set(err, ERR_DATA_LOSS,
                       "%s ends at version %" PRIu64 " and %" PRIu64 " was there before: "
                       "stop and restore from a backup",
                       s->path, head, e->head);
    }
    if (code == OK) {
        code = tell(s, head, err);
    }
    if (code != OK && code != ERR_DATA_LOSS) {
        code = ERR_UNAVAILABLE;
        if (err != NULL) {
            err->code = code;
        }
    }
    return code;
}

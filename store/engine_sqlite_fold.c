/* SPDX-License-Identifier: Apache-2.0 */
/* Folding: a commit writes only its events; an object's row in `objects` follows before compaction
 * wants to remove its last event, and not much before. So an object that changes often is written
 * seldom, and a page of rows once for all of them.
 *
 * A pass takes the events in (folded, upto], upto being the head as it begins. It collects what
 * they did last to which row, in runs sorted by row; then it merges the runs and brings row after
 * row to that version. Both go in slices: some along with commits, or on demand. When it ends,
 * `folded` becomes upto.
 *
 * Pace: a pass costs several times what its commits cost, so it is spread evenly over many. It
 * begins at three quarters of a history (struct engine: `keeps`) and takes three eighths of one;
 * then what is kept never grows by more than an eighth over its limit, since what is older than
 * the pass's beginning can go when it ends. Fewer, longer passes would cost less in all, but more
 * of each commit. What is begun because a history is full already is done within an eighth.
 *
 * Invariants:
 *   (1) every object is its row in `objects`, or its last event is above `folded` and kept: nothing
 *       above `folded` is compacted;
 *   (2) a row may be newer than `folded`, never newer than its object: events above the version in
 *       the row tell what became of it;
 *   (3) of one key there is at most one row: handles ascend, so the row of an object that is gone
 *       goes before the row of a newer object of the same key comes;
 *   (4) a pass whose transaction failed begins anew: what it has folded is folded again, which
 *       changes nothing.
 * Only the newest version <= upto of an object matters to a pass: what changed since is above upto,
 * and a later pass's. */
#include <inttypes.h>
#include <stdlib.h>

#include "store/engine_sqlite_impl.h"

/* To collect an event costs a fraction of what it costs to bring a row up to date. */
#define COLLECT_PER_ROW 8
/* Rows are brought up to date so many at a time: neighbours share a page. */
#define CHUNK_ROWS 64

/* The last thing that happened to a row. */
struct fold_item {
    row_t row;
    uint64_t rv_gone; /* rv × 2, + 1 if it was deleted: so they compare as versions do */
};

struct fold_run {
    size_t at, end; /* of items; at < end */
};

/* ---- Sorting --------------------------------------------------------------------------------- */

static int item_cmp(const void *a, const void *b)
{
    const struct fold_item *x = a, *y = b;
    return x->row != y->row ? (x->row > y->row) - (x->row < y->row)
                            : (x->rv_gone > y->rv_gone) - (x->rv_gone < y->rv_gone);
}

static bool run_less(const struct fold_pass *p, size_t i, size_t k)
{
    return item_cmp(&p->items[p->runs[i].at], &p->items[p->runs[k].at]) < 0;
}

/* The runs are a heap by their first items. */
static void sift_down(struct fold_pass *p, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < p->n_runs; k++) {
            least = run_less(p, k, least) ? k : least;
        }
        if (least == i) {
            return;
        }
        struct fold_run swap = p->runs[i];
        p->runs[i] = p->runs[least];
        p->runs[least] = swap;
        i = least;
    }
}

static struct fold_item take_least(struct fold_pass *p)
{
    struct fold_item item = p->items[p->runs[0].at++];
    p->left--;
    if (p->runs[0].at == p->runs[0].end) {
        p->runs[0] = p->runs[--p->n_runs];
    }
    sift_down(p, 0);
    return item;
}

/* The next row in order with the last thing that happened to it; false: there is none. */
static bool take_row(struct fold_pass *p, struct fold_item *ret)
{
    if (p->n_runs == 0) {
        return false;
    }
    *ret = take_least(p);
    while (p->n_runs != 0 && p->items[p->runs[0].at].row == ret->row) {
        *ret = take_least(p);
    }
    return true;
}

/* What was added from `begin` on becomes a run, of each row only the last. */
static void make_run(struct fold_pass *p, size_t begin)
{
    if (p->n == begin) {
        return;
    }
    qsort(p->items + begin, p->n - begin, sizeof(*p->items), item_cmp);
    size_t to = begin;
    for (size_t i = begin + 1; i < p->n; i++) {
        to += p->items[i].row != p->items[to].row;
        p->items[to] = p->items[i];
    }
    p->n = to + 1;
    if (p->n_runs == p->cap_runs) {
        p->cap_runs = p->cap_runs != 0 ? 2 * p->cap_runs : 64;
        p->runs = mem_realloc(p->runs, p->cap_runs * sizeof(*p->runs));
    }
    p->runs[p->n_runs++] = (struct fold_run){begin, p->n};
    p->left += p->n - begin;
}

/* ---- A pass ---------------------------------------------------------------------------------- */

/* How many events the history is to hold; what is not folded is bounded even if that is not. */
static uint64_t span(const struct engine_sqlite *s)
{
    uint64_t keeps = s->base.keeps;
    return keeps != 0 && keeps < s->fold_events ? keeps : s->fold_events;
}

/* To be over when the history is an eighth over its limit; or, begun late, an eighth from now. */
static void pass_begin(struct engine_sqlite *s)
{
    rv_t from = s->base.folded, head = s->base.head;
    uint64_t within = from + span(s) > head ? from + span(s) - head : 0;
    s->pass = (struct fold_pass){
        .active = true, .at = from, .upto = head, .due = head + within + span(s) / 8};
}

void fold_abandon(struct engine_sqlite *s)
{
    freep(&s->pass.items);
    freep(&s->pass.runs);
    s->pass = (struct fold_pass){.active = false};
}

void fold_set(struct engine_sqlite *s, rv_t folded)
{
    s->base.folded = folded;
    atomic_store_explicit(&s->folded, folded, memory_order_release);
}

static void item_add(struct fold_pass *p, struct fold_item item)
{
    if (p->n == p->cap) {
        p->cap = p->cap != 0 ? 2 * p->cap : 1024;
        p->items = mem_realloc(p->items, p->cap * sizeof(*p->items));
    }
    p->items[p->n++] = item;
}

/* Collects at most max events. */
static int collect(struct engine_sqlite *s, size_t max)
{
    struct fold_pass *p = &s->pass;
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_FOLD_SCAN];
    sqlite3_bind_int64(st, 1, (sqlite3_int64)p->at);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)p->upto);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)max);
    size_t begin = p->n, n = 0;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        rv_t rv = 0;
        bool gone = false;
        row_t row = row_of_event(st, &rv, &gone);
        item_add(p, (struct fold_item){row, rv * 2 + gone});
        p->at = rv;
        n++;
    }
    make_run(p, begin);
    if (rc == SQLITE_DONE && n < max) {
        p->merging = true;
        for (size_t i = p->n_runs / 2; i-- > 0;) {
            sift_down(p, i);
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Is the row in this version, or a later one? Rows come in order, but events do not: it is much
 * cheaper to look here first, when a pass that was cut off begins anew. */
static int is_folded(struct engine_sqlite *s, const struct fold_item *item, bool *ret)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_OBJECT_RV];
    sqlite3_bind_int64(st, 1, item->row);
    int rc = sqlite3_step(st);
    *ret = rc == SQLITE_ROW && (rv_t)sqlite3_column_int64(st, 0) >= item->rv_gone / 2;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int fold_row(struct engine_sqlite *s, const struct fold_item *item)
{
    bool gone = (item->rv_gone & 1) != 0, folded = false;
    int rc = gone ? SQLITE_OK : is_folded(s, item, &folded);
    if (rc != SQLITE_OK || folded) {
        return rc;
    }
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_EVENT_GET];
    sqlite3_bind_int64(st, 1, (int64_t)(item->rv_gone / 2));
    rc = sqlite3_step(st);
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc; /* (1) */
    }
    /* A deletion, too: the scan believed its columns, which only the checksum vouches for. */
    struct event ev;
    row_t row = 0;
    if (row_event(st, &s->w.body, &ev, &row, NULL) != OK || row != item->row) {
        s->damaged = item->rv_gone / 2; /* it stays where it is, and so does `folded` */
        return SQLITE_OK;
    }
    if (gone) {
        sqlite3_bind_int64(s->w.st[ST_OBJECT_DROP], 1, item->row);
        return conn_run(&s->w, ST_OBJECT_DROP);
    }
    rc = row_bind_object(&s->w, row, &ev);
    return rc == SQLITE_OK ? conn_run(&s->w, ST_OBJECT_PUT) : rc;
}

static int fold_some(struct engine_sqlite *s, size_t max_collect, size_t max_rows)
{
    struct fold_pass *p = &s->pass;
    int rc = p->merging ? SQLITE_OK : collect(s, max_collect);
    if (rc != SQLITE_OK || !p->merging) {
        return rc;
    }
    struct fold_item item;
    for (size_t i = 0; i < max_rows && rc == SQLITE_OK && take_row(p, &item); i++) {
        rc = fold_row(s, &item);
    }
    p->finished = rc == SQLITE_OK && p->n_runs == 0;
    if (p->finished && s->damaged == 0) {
        rc = engine_sqlite_bind_meta(s, "folded", (int64_t)p->upto);
    }
    return rc;
}

void fold_committed(struct engine_sqlite *s)
{
    if (s->pass.finished) {
        if (s->damaged == 0) {
            fold_set(s, s->pass.upto);
        }
        fold_abandon(s);
    }
}

/* What there is left to do, at most, in events to collect: every one of them may be of another row.
 * Between two epochs there are versions without events. */
static uint64_t pass_left(const struct engine_sqlite *s)
{
    const struct fold_pass *p = &s->pass;
    uint64_t collect = p->merging ? 0 : p->upto - p->at;
    collect = collect < 2 * span(s) ? collect : 2 * span(s);
    return collect + (p->left + collect) * COLLECT_PER_ROW;
}

int fold_with_commit(struct engine_sqlite *s, size_t n)
{
    struct fold_pass *p = &s->pass;
    bool many = s->base.head - s->base.folded > span(s) / 4 * 3;
    if (!p->active && many && s->damaged == 0) {
        pass_begin(s);
    }
    if (!p->active) {
        return SQLITE_OK;
    }
    if (s->fold_rows != 0) {
        return fold_some(s, s->fold_rows * COLLECT_PER_ROW, s->fold_rows);
    }
    /* Anew each time, since what is left is known better and better; nothing is left at `due`. */
    uint64_t left = pass_left(s), events = p->due > s->base.head ? p->due - s->base.head : 0;
    bool last = n >= events;
    p->credit += last ? left : left * n / events + 1;
    if (!last && p->credit < CHUNK_ROWS * COLLECT_PER_ROW) {
        return SQLITE_OK;
    }
    size_t credit = p->credit;
    p->credit = 0;
    return fold_some(s, credit, credit / COLLECT_PER_ROW + 1);
}

enum errc engine_sqlite_fold(struct engine *e, rv_t upto, size_t max_rows, bool *ret_done,
                             struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
    }
    upto = upto < e->head ? upto : e->head;
    *ret_done = e->folded >= upto;
    if (*ret_done) {
        return OK;
    }
    if (s->damaged != 0) {
        return err_set(err, ERR_DATA_LOSS,
                       "the stored event of version %" PRIu64
                       " is damaged, and an object's state is only there: restore from a backup",
                       s->damaged);
    }
    if (!s->pass.active) {
        pass_begin(s);
    }
    if (max_rows == 0) {
        return OK;
    }
    int rc = conn_run(&s->w, ST_BEGIN_WRITE);
    if (rc == SQLITE_OK) {
        rc = fold_some(s, max_rows * COLLECT_PER_ROW, max_rows);
    }
    enum errc code = engine_sqlite_end_txn(s, rc, "fold", err);
    if (code == OK) {
        fold_committed(s);
        *ret_done = e->folded >= upto;
    }
    return code;
}

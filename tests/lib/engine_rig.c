/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/engine_rig.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/model/delta.h"

#define TEXTS_MAX ((size_t)1 << 22)

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void rig_init(struct rig *f, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    f->folder = mem_printf("%s/watch-engine-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    if (mkdtemp(f->folder) == NULL) {
        perror(f->folder);
        abort();
    }
    f->path = mem_printf("%s/watchd.db", f->folder);
    f->random = (seed + 1) * 0x9e3779b97f4a7c15ULL;
    f->pad = 600;
    f->fold_events = 30;
    f->fold_rows = seed % 2 == 0 ? 3 : 0; /* a little with each commit, or by the engine's pace */
    for (size_t i = 0; i < RIG_BATCH; i++) {
        buf_init(&f->texts[i], TEXTS_MAX);
    }
}

void rig_fini(struct rig *f)
{
    rig_close(f);
    for (size_t i = 0; i < RIG_KEYS; i++) {
        freep(&f->items[i].body);
    }
    for (size_t i = 0; i < RIG_BATCH; i++) {
        buf_fini(&f->texts[i]);
    }
    if (f->folder != NULL) {
        nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    freep(&f->folder);
    freep(&f->path);
}

uint64_t rig_random(struct rig *f, uint64_t below)
{
    f->random ^= f->random >> 12;
    f->random ^= f->random << 25;
    f->random ^= f->random >> 27;
    return ((f->random * 0x2545f4914f6cdd1dULL) >> 16) % below;
}

struct key rig_key(size_t item)
{
    static const char *const names[RIG_KEYS] = {
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
        "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x",
    };
    return (struct key){.resource = item % 2 == 0 ? STR("objects") : STR("jobs"),
                        .ns = item % 3 == 0 ? STR("other") : STR("default"),
                        .name = str_of(names[item])};
}

static size_t item_of(const struct key *k)
{
    size_t item = (size_t)(k->name.p[0] - 'a');
    assert(item < RIG_KEYS);
    return item;
}

static void committed(void *arg, const struct commit *c)
{
    struct rig *f = arg;
    const struct change *changes = c->changes;
    size_t n = c->n;
    f->tells++;
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = &changes[i].event;
        struct rig_item *item = &f->items[item_of(&ev->key)];
        f->disorder = f->disorder || (f->told != 0 && ev->rv != f->told + 1);
        f->told = ev->rv;
        freep(&item->body);
        *item = (struct rig_item){.rv = 0};
        if (!event_is_delete(ev)) {
            item->rv = ev->rv;
            item->row = changes[i].row;
            item->generation = ev->generation;
            item->body = str_dup(ev->body);
            snprintf(item->labels, sizeof(item->labels), "%.*s", STR_ARG(ev->labels));
        }
    }
    if (f->on_told != NULL) {
        f->on_told(f, changes, n);
    }
}

static bool load_item(void *arg, const struct engine_object *o)
{
    struct rig *f = arg;
    struct rig_item *item = &f->items[item_of(&o->key)];
    if (item->rv != 0) {
        f->disorder = true; /* two of one key */
    }
    item->rv = o->rv;
    item->row = o->row;
    item->generation = o->generation;
    item->deadline_ms = o->deadline_ms;
    snprintf(item->labels, sizeof(item->labels), "%.*s", STR_ARG(o->labels));
    return true;
}

static bool load_past(void *arg, const struct engine_past *p)
{
    struct rig *f = arg;
    struct rig_item *item = &f->items[item_of(&p->event.key)];
    if (p->event.rv <= item->rv) {
        return true;
    }
    *item = (struct rig_item){.rv = 0};
    if (!event_is_delete(&p->event)) {
        const struct engine_object o = {.row = p->row,
                                        .rv = p->event.rv,
                                        .generation = p->event.generation,
                                        .key = p->event.key,
                                        .labels = p->event.labels,
                                        .deadline_ms = p->deadline_ms};
        return load_item(f, &o);
    }
    return true;
}

enum errc rig_load_items(struct rig *f, struct engine_reader *r, struct err *err)
{
    for (size_t i = 0; i < RIG_KEYS; i++) {
        freep(&f->items[i].body);
        f->items[i] = (struct rig_item){.rv = 0};
    }
    enum errc code = f->e->ops->objects(r, load_item, f, err);
    if (code == OK) {
        code = f->e->ops->history_keys(r, f->e->folded, f->e->head, load_past, f, err);
    }
    return code;
}

/* Fills the state from the file, as the store does at its start. */
static enum errc load_items(struct rig *f, struct err *err)
{
    struct engine_reader *r = NULL;
    enum errc code = f->e->ops->reader_open(f->e, &r, err);
    rv_t head;
    if (code == OK) {
        code = f->e->ops->view_begin(r, &head, err);
    }
    if (code == OK) {
        code = rig_load_items(f, r, err);
    }
    for (size_t i = 0; i < RIG_KEYS && code == OK; i++) {
        CLEANUP(object_unrefp) struct object *o = NULL;
        if (f->items[i].rv != 0) {
            code = f->e->ops->read_object(r, f->items[i].row, f->items[i].rv, &o, err);
        }
        if (o != NULL) {
            f->items[i].body = str_dup(o->body);
        }
    }
    f->e->ops->reader_close(r);
    return code;
}

enum errc rig_open(struct rig *f, struct err *err)
{
    const struct engine_sqlite_options opt = {.path = f->path,
                                              .vfs = f->vfs,
                                              .no_sync = f->no_sync,
                                              .fold_events = f->fold_events,
                                              .fold_rows = f->fold_rows};
    enum errc code = engine_sqlite_open(&opt, &f->e, err);
    if (code != OK) {
        return code;
    }
    f->told = f->e->head;
    f->e->sink.committed = committed;
    f->e->sink.arg = f;
    code = load_items(f, err);
    if (code != OK) {
        rig_close(f);
    }
    return code;
}

void rig_close(struct rig *f)
{
    if (f->e != NULL) {
        f->e->ops->close(f->e);
        f->e = NULL;
    }
}

void rig_aside(uint64_t batch, uint64_t i, struct rig_aside *ret)
{
    uint64_t h = (batch * 31 + i + 1) * 0x9e3779b97f4a7c15ULL >> 20;
    *ret = (struct rig_aside){.sets_deadline = h % 3 == 0, .sets_owners = h % 5 < 2};
    ret->deadline_ms = h % 2 == 0 ? (int64_t)(1 + h % 1000000) : 0;
    if (h % 5 == 0) {
        snprintf(ret->owners, sizeof(ret->owners), "owner %u", (unsigned)(h % 1000000));
    }
}

int64_t rig_beat(uint64_t batch, size_t *ret_item)
{
    *ret_item = batch % RIG_KEYS;
    return (int64_t)(2000000 + batch % 1000000);
}

void rig_begin(struct rig *f)
{
    f->made = false;
    f->n = 0;
    f->n_asides = 0;
    f->batch++;
}

/* The item as the batch at hand leaves it so far: its last change there, or NULL. */
static const struct change *staged(const struct rig *f, size_t item)
{
    for (size_t i = f->n; i-- > 0;) {
        if (item_of(&f->changes[i].event.key) == item) {
            return &f->changes[i];
        }
    }
    return NULL;
}

void rig_add(struct rig *f, size_t item, enum cause cause, const char *labels)
{
    assert(f->n < RIG_BATCH);
    const struct rig_item *at = &f->items[item];
    const struct change *before = staged(f, item);
    bool exists = before != NULL ? !event_is_delete(&before->event) : at->rv != 0;
    assert(exists == (cause != CAUSE_CREATED));

    struct change *c = &f->changes[f->n];
    *c = (struct change){.row = 0};
    struct event *ev = &c->event;
    ev->hash = rig_random(f, UINT64_MAX);
    ev->spec_hash = UINT64_MAX - f->n;
    ev->key = rig_key(item);
    ev->cause = cause;
    ev->generation = 1;
    ev->labels = str_of(labels);
    ev->prev_labels = ev->labels;
    ev->splice = 7;
    struct str older = STR_EMPTY;
    if (exists) {
        /* The row is unknown only of what this very batch creates. */
        c->row = before != NULL ? before->row : at->row;
        ev->prev_rv = before != NULL ? f->e->head + 1 + (size_t)(before - f->changes) : at->rv;
        ev->prev_generation = before != NULL ? before->event.generation : at->generation;
        ev->prev_labels = before != NULL ? before->event.labels : str_of(at->labels);
        ev->prev_splice = 7;
        ev->generation = ev->prev_generation + 1;
        older = before != NULL ? before->event.body : str_of(at->body);
    }
    struct buf *b = &f->texts[f->n];
    uint64_t id[2] = {f->batch, f->n};
    buf_clear(b);
    buf_add(b, id, REQUEST_ID_LEN);
    size_t body_at = b->n;
    buf_printf(b, "{\"key\":\"%s\",\"batch\":%llu,\"pad\":\"", ev->key.name.p,
               (unsigned long long)f->batch);
    size_t pad = f->pad != 0 ? rig_random(f, f->pad) : 0;
    for (size_t i = 0; i < pad; i++) {
        buf_addc(b, (char)('a' + (f->batch + i) % 26));
    }
    buf_adds(b, STR("\"}"));
    size_t body_end = b->n;
    if (ev->prev_rv != 0) {
        CLEANUP(buf_fini) struct buf delta;
        buf_init(&delta, TEXTS_MAX);
        delta_make((struct str){b->p + body_at, body_end - body_at}, older, &delta);
        buf_adds(b, buf_str(&delta));
    }
    ev->request_id = (struct str){b->p, REQUEST_ID_LEN};
    ev->manager = ev->key.name;
    ev->body = (struct str){b->p + body_at, body_end - body_at};
    ev->delta = (struct str){b->p + body_end, b->n - body_end};
    f->n++;
}

void rig_make_batch(struct rig *f)
{
    static const char *const labels[] = {"", "app=a", "app=b", "app=a,tier=2"};
    rig_begin(f);
    size_t n = 1 + rig_random(f, RIG_BATCH);
    for (size_t i = 0; i < n; i++) {
        size_t item = rig_random(f, RIG_KEYS);
        const struct change *before = staged(f, item);
        bool exists = before != NULL ? !event_is_delete(&before->event) : f->items[item].rv != 0;
        enum cause cause = !exists                 ? CAUSE_CREATED
                           : rig_random(f, 5) == 0 ? CAUSE_DELETED
                                                   : CAUSE_UPDATED;
        rig_add(f, item, cause, labels[rig_random(f, 4)]);
        struct rig_aside a;
        rig_aside(f->batch, i, &a);
        memcpy(f->owners[i], a.owners, sizeof(a.owners));
        f->asides[f->n_asides++] = (struct aside){
            .key = rig_key(item),
            .change = i,
            .sets_deadline = a.sets_deadline,
            .sets_owners = a.sets_owners,
            .deadline_ms = a.deadline_ms,
            .owners = str_of(f->owners[i]),
        };
    }
    size_t item;
    int64_t at = rig_beat(f->batch, &item);
    const struct change *c = staged(f, item);
    if (c != NULL ? !event_is_delete(&c->event) : f->items[item].rv != 0) {
        f->asides[f->n_asides++] = (struct aside){
            .key = rig_key(item),
            .row = c != NULL ? 0 : f->items[item].row,
            .change = c != NULL ? (size_t)(c - f->changes) : 0,
            .sets_deadline = true,
            .deadline_ms = at,
        };
    }
    f->made = true;
}

enum errc rig_commit(struct rig *f, struct err *err)
{
    /* The size of the batch belongs to its identity, and is known now. */
    for (size_t i = 0; i < f->n; i++) {
        uint64_t at = (uint64_t)f->n << 32 | (uint64_t)f->made << 31 | i;
        memcpy(f->texts[i].p + sizeof(uint64_t), &at, sizeof(at));
    }
    const struct commit c = {.changes = f->changes,
                             .n = f->n,
                             .asides = f->asides,
                             .n_asides = f->n_asides,
                             .run_ms = f->run_ms};
    return f->e->ops->commit(f->e, &c, err);
}

enum errc rig_write(struct rig *f, size_t item, enum cause cause, const char *labels,
                    struct err *err)
{
    rig_begin(f);
    rig_add(f, item, cause, labels);
    return rig_commit(f, err);
}

enum errc rig_compact(struct rig *f, rv_t upto, size_t max_rows, rig_gone_fn *gone, void *arg,
                      rv_t *ret_floor, struct err *err)
{
    bool folded = false;
    enum errc code = OK;
    while (code == OK && !folded) {
        code = f->e->ops->fold(f->e, upto, 5, &folded, err);
    }
    return code != OK ? code : f->e->ops->compact(f->e, upto, max_rows, gone, arg, ret_floor, err);
}

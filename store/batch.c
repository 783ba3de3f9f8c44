/* SPDX-License-Identifier: Apache-2.0 */
/* (1) versions are what the engine assigns: head + 1, head + 2, … in the order of the changes. */
#include "store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <uthash.h>

#include "store/model/delta.h"

/* A key as this batch leaves it so far. */
struct staged {
    UT_hash_handle hh;
    struct object *now; /* a reference; NULL: deleted */
    row_t row;          /* 0: made in this batch, or gone */
    size_t created;     /* the change that made it, if row is 0 */
    struct str owners;  /* of it; {NULL, 0}: not known here */
    char key[];
};

void batch_init(struct batch *b, struct store *s)
{
    b->store = s;
    b->n_writes = 0;
    b->n_changes = 0;
    b->defines = false;
    b->asides = NULL;
    b->asides_before = NULL;
    b->n_asides = b->cap_asides = 0;
    b->overlay = NULL;
    arena_init(&b->arena, SIZE_MAX);
}

void batch_fini(struct batch *b)
{
    struct staged *s = NULL, *next = NULL;
    HASH_ITER(hh, b->overlay, s, next)
    {
        HASH_DEL(b->overlay, s);
        object_unref(s->now);
        free(s);
    }
    for (size_t i = 0; i < b->n_changes; i++) {
        object_unref(b->was[i]);
        object_unref(b->is[i]);
    }
    free(b->asides);
    free(b->asides_before);
    arena_fini(&b->arena);
}

/* ---- Objects as the batch sees them --------------------------------------------------------- */

static size_t key_text(const struct key *k, char *ret)
{
    char *at = ret;
    assert(k->resource.n <= RESOURCE_MAX_LEN && k->ns.n <= NAMESPACE_MAX_LEN &&
           k->name.n <= NAME_MAX_LEN);
    memcpy(at, k->resource.p, k->resource.n);
    at += k->resource.n;
    *at++ = '/';
    memcpy(at, k->ns.p, k->ns.n);
    at += k->ns.n;
    *at++ = '/';
    memcpy(at, k->name.p, k->name.n);
    return (size_t)(at - ret) + k->name.n;
}

#define KEY_TEXT_MAX (RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN + 2)

static struct staged *staged_find(const struct batch *b, const struct key *k)
{
    char text[KEY_TEXT_MAX];
    size_t n = key_text(k, text);
    struct staged *s = NULL;
    HASH_FIND(hh, b->overlay, text, n, s);
    return s;
}

static struct staged *stage(struct batch *b, const struct key *k, struct object *now, row_t row)
{
    struct staged *s = staged_find(b, k);
    if (s == NULL) {
        char text[KEY_TEXT_MAX];
        size_t n = key_text(k, text);
        s = mem_zalloc(sizeof *s + n);
        memcpy(s->key, text, n);
        HASH_ADD(hh, b->overlay, key, n, s);
    }
    struct object *was = s->now;
    s->now = now != NULL ? object_ref(now) : NULL;
    s->row = row;
    object_unref(was);
    return s;
}

enum errc batch_current(struct batch *b, const struct key *k, struct object **ret, row_t *ret_row,
                        struct err *err)
{
    *ret = NULL;
    *ret_row = 0;
    const struct staged *s = staged_find(b, k);
    if (s != NULL) {
        *ret = s->now != NULL ? object_ref(s->now) : NULL;
        *ret_row = s->row;
        return OK;
    }
    struct store *st = b->store;
    index_lock(st->index);
    const struct index_entry *e = index_find(st->index, k);
    row_t row = e != NULL && e->rv != 0 ? e->row : 0;
    rv_t rv = row != 0 ? e->rv : 0;
    index_unlock(st->index);
    if (row == 0) {
        return OK;
    }
    enum errc rc = st->engine->ops->load(st->engine, row, rv, ret, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? err_set(err, ERR_DATA_LOSS, "the row of %.*s \"%.*s\" is gone",
                                             STR_ARG(k->resource), STR_ARG(k->name))
                                   : rc;
    }
    if ((*ret)->rv != rv || !key_eq(&(*ret)->key, k)) {
        object_unref(TAKE(*ret));
        return err_set(err, ERR_DATA_LOSS, "the row of %.*s \"%.*s\" holds something else",
                       STR_ARG(k->resource), STR_ARG(k->name));
    }
    *ret_row = row;
    return OK;
}

enum errc batch_definition(struct batch *b, struct str resource, struct resource_definition **ret,
                           struct err *err)
{
    if (!b->defines) {
        *ret = definitions_find(b->store->definitions, resource);
        return OK;
    }
    const struct key k = {STR(RESOURCE_RESOURCES), STR(NAMESPACE_DEFAULT), resource};
    CLEANUP(object_unrefp) struct object *o = NULL;
    row_t row;
    *ret = NULL;
    enum errc rc = batch_current(b, &k, &o, &row, err);
    if (rc != OK || o == NULL) {
        return rc;
    }
    CLEANUP(json_decrefp) json_t *tree = object_tree(o);
    return resource_definition_new(resource, tree, ret, err);
}

/* ---- Changes ------------------------------------------------------------------------------- */

static struct str keep(struct batch *b, struct str s)
{
    char *p = arena_alloc(&b->arena, s.n != 0 ? s.n : 1);
    assert(p != NULL);
    if (s.n != 0) {
        memcpy(p, s.p, s.n);
    }
    return (struct str){p, s.n};
}

rv_t batch_change(struct batch *b, const struct write *w, struct object *was, struct object *is,
                  row_t row)
{
    struct staged *staged = stage(b, &w->key, is, is != NULL ? row : 0);
    if (was == NULL) {
        staged->created = b->n_changes;
        staged->owners = STR("");
    }
    b->defines = b->defines || str_eq(w->key.resource, STR(RESOURCE_RESOURCES));
    rv_t rv = store_head(b->store) + b->n_changes + 1; /* (1) */
    struct object *shown = is != NULL ? is : was;
    struct change *c = &b->changes[b->n_changes];
    b->was[b->n_changes] = was;
    b->is[b->n_changes] = is;
    b->n_changes++;
    *c = (struct change){
        .row = row,
        .event =
            {
                    .rv = rv,
                    .cause = is == NULL    ? CAUSE_DELETED
                         : was == NULL ? CAUSE_CREATED
                                       : CAUSE_UPDATED,
                    .generation = shown->generation,
                    .splice = shown->splice,
                    .key = shown->key,
                    .labels = shown->labels,
                    .prev_labels = shown->labels,
                    .body = shown->body,
                    .hash = shown->hash,
                    .spec_hash = shown->spec_hash,
                    .manager = w->field_manager,
                    },
    };
    if (w->has_request_id) {
        c->event.request_id = (struct str){(const char *)w->request_id, REQUEST_ID_LEN};
    }
    if (was != NULL) {
        struct buf delta;
        buf_init(&delta, SIZE_MAX);
        delta_make(shown->body, was->body, &delta);
        c->event.delta = keep(b, buf_str(&delta));
        buf_fini(&delta);
        c->event.prev_rv = was->rv;
        c->event.prev_generation = was->generation;
        c->event.prev_splice = was->splice;
        c->event.prev_labels = was->labels;
    }
    if (is != NULL) {
        is->rv = rv; /* Nobody else has it yet. */
    }
    return rv;
}

void batch_tie(struct batch *b, size_t first)
{
    for (size_t i = first; i < b->n_changes; i++) {
        b->changes[i].txn_more = b->n_changes - 1 - i;
    }
}

struct batch_mark batch_mark(const struct batch *b)
{
    return (struct batch_mark){b->n_changes, b->n_asides};
}

void batch_undo(struct batch *b, struct batch_mark mark)
{
    while (b->n_asides > mark.asides) {
        size_t i = --b->n_asides;
        staged_find(b, &b->asides[i].key)->owners = b->asides_before[i];
    }
    while (b->n_changes > mark.changes) {
        size_t i = --b->n_changes;
        struct object *was = b->was[i];
        stage(b, &b->changes[i].event.key, was, b->changes[i].row);
        if (b->is[i] != NULL) {
            b->is[i]->rv = 0;
        }
        object_unref(was);
        object_unref(b->is[i]);
    }
}

/* ---- Owners -------------------------------------------------------------------------------- */

enum errc batch_owners(struct batch *b, const struct key *k, row_t row, struct buf *out,
                       struct err *err)
{
    const struct staged *s = staged_find(b, k);
    if (s != NULL && s->owners.p != NULL) {
        buf_adds(out, s->owners);
        return OK;
    }
    struct engine *e = b->store->engine;
    return row != 0 ? e->ops->owners(e, row, out, err) : OK;
}

/* One more aside of an object. */
static struct aside *add_aside(struct batch *b, const struct key *k, struct object *now, row_t row,
                               struct staged **ret)
{
    struct staged *s = staged_find(b, k);
    s = s != NULL ? s : stage(b, k, now, row);
    if (b->n_asides == b->cap_asides) {
        b->cap_asides = b->cap_asides != 0 ? 2 * b->cap_asides : 16;
        b->asides = mem_realloc(b->asides, b->cap_asides * sizeof(*b->asides));
        b->asides_before = mem_realloc(b->asides_before, b->cap_asides * sizeof(*b->asides_before));
    }
    b->asides_before[b->n_asides] = s->owners;
    struct aside *a = &b->asides[b->n_asides++];
    *a = (struct aside){.key = *k, .row = row, .change = s->created};
    *ret = s;
    return a;
}

void batch_set_owners(struct batch *b, const struct write *w, struct object *now, row_t row,
                      struct str owners)
{
    struct staged *s = NULL;
    struct aside *a = add_aside(b, &w->key, now, row, &s);
    s->owners = keep(b, owners);
    a->sets_owners = true;
    a->owners = s->owners;
}

/* ---- Deadlines ----------------------------------------------------------------------------- */

void batch_set_deadline(struct batch *b, const struct key *k, struct object *now, row_t row,
                        int64_t deadline_ms)
{
    struct staged *s = NULL;
    struct aside *a = add_aside(b, k, now, row, &s);
    a->sets_deadline = true;
    a->deadline_ms = deadline_ms;
}

bool batch_has_deadline(const struct batch *b, const struct key *k)
{
    for (size_t i = 0; i < b->n_asides; i++) {
        if (b->asides[i].sets_deadline && key_eq(&b->asides[i].key, k)) {
            return true;
        }
    }
    return false;
}

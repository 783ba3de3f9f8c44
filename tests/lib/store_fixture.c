/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/engine_sqlite.h"
#include "store/model/delta.h"

/* ---- Codec ----------------------------------------------------------------------------------- */

struct head {
    uint32_t size;
    uint32_t form, cause;
    uint32_t key_n, body_n, prev_n;
    rv_t rv, prev_rv;
};

static void previous_text(const struct event *ev, rv_t rv, struct buf *out)
{
    struct buf body;
    buf_init(&body, SIZE_MAX);
    bool ok = delta_apply(ev->body, ev->delta, &body);
    assert(ok);
    object_render(buf_str(&body), ev->prev_splice, rv, ev->prev_generation, out);
    buf_fini(&body);
}

static void encode(const struct event *ev, enum event_form form, bool previous, struct buf *out)
{
    struct buf body, prev;
    buf_init(&body, SIZE_MAX);
    buf_init(&prev, SIZE_MAX);
    if (form == FORM_LEFT) {
        previous_text(ev, ev->rv, &body);
    } else {
        object_render(ev->body, ev->splice, ev->rv, ev->generation, &body);
    }
    bool with = previous && ev->prev_rv != 0 && form != FORM_SNAPSHOT;
    if (with) {
        previous_text(ev, ev->prev_rv, &prev);
    }
    struct head h = {
        .form = form,
        .cause = ev->cause,
        .key_n = (uint32_t)(ev->key.resource.n + ev->key.ns.n + ev->key.name.n + 2),
        .body_n = (uint32_t)body.n,
        .prev_n = (uint32_t)prev.n,
        .rv = ev->rv,
        .prev_rv = with ? ev->prev_rv : 0,
    };
    h.size = (uint32_t)(sizeof h + h.key_n + h.body_n + h.prev_n);
    buf_add(out, &h, sizeof h);
    buf_printf(out, "%.*s/%.*s/%.*s", STR_ARG(ev->key.resource), STR_ARG(ev->key.ns),
               STR_ARG(ev->key.name));
    buf_adds(out, buf_str(&body));
    buf_adds(out, buf_str(&prev));
    buf_fini(&body);
    buf_fini(&prev);
}

static size_t test_event_size(const struct event *ev, enum event_form form, bool previous)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    encode(ev, form, previous, &b);
    size_t n = b.n;
    buf_fini(&b);
    return n;
}

static uint8_t *test_event_write(const struct event *ev, enum event_form form, bool previous,
                                 uint8_t *at)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    encode(ev, form, previous, &b);
    memcpy(at, b.p, b.n);
    at += b.n;
    buf_fini(&b);
    return at;
}

static size_t test_event_bound(const struct event *ev, bool previous)
{
    size_t plain = test_event_size(ev, FORM_PLAIN, previous);
    size_t left = ev->prev_rv != 0 ? test_event_size(ev, FORM_LEFT, previous) : 0;
    return plain > left ? plain : left;
}

const struct codec fixture_codec = {test_event_bound, test_event_size, test_event_write, blob_new};

void seen_fini(struct seen *s)
{
    free(s->body);
    free(s->previous);
}

static size_t decode(const char *p, struct seen *s)
{
    struct head h;
    memcpy(&h, p, sizeof h);
    memset(s, 0, sizeof *s);
    s->form = (enum event_form)h.form;
    s->cause = (enum cause)h.cause;
    s->rv = h.rv;
    s->prev_rv = h.prev_rv;
    assert(h.key_n < sizeof s->key);
    memcpy(s->key, p + sizeof h, h.key_n);
    s->body = str_dup((struct str){p + sizeof h + h.key_n, h.body_n});
    if (h.prev_n != 0) {
        s->previous = str_dup((struct str){p + sizeof h + h.key_n + h.body_n, h.prev_n});
    }
    return h.size;
}

/* ---- The store ----------------------------------------------------------------------------------
 */

unsigned fixture_rounds(unsigned n)
{
    const char *word = getenv("WATCH_LONG");
    return word != NULL && strcmp(word, "1") == 0 ? 50 * n : n;
}

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/store.XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    char *made = mkdtemp(f->dir);
    assert(made != NULL);
    snprintf(f->path, sizeof f->path, "%s/db", f->dir);
}

void fixture_fini(struct fixture *f)
{
    fixture_close(f);
    static const char *const ends[] = {"", "-wal", "-shm", ".lock", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char p[128];
        snprintf(p, sizeof p, "%s%s", f->path, ends[i]);
        (void)unlink(p);
    }
    (void)rmdir(f->dir);
}

void fixture_open(struct fixture *f)
{
    struct err err = {0};
    struct engine_sqlite_options eo = {.path = f->path,
                                       .vfs = f->vfs,
                                       .fold_events = f->fold_events,
                                       .fold_rows = f->fold_events != 0 ? 3 : 0};
    struct engine *e = NULL;
    enum errc rc = engine_sqlite_open(&eo, &e, &err);
    if (rc == OK) {
        if (f->adapt != NULL) {
            f->adapt(e);
        }
        struct store_options so = f->opt;
        so.engine = e;
        so.codec = so.codec != NULL ? so.codec : &fixture_codec;
        rc = store_open(&so, &f->store, &err);
    }
    if (rc != OK) {
        fprintf(stderr, "cannot open the store: %s\n", err.msg);
        abort();
    }
}

void fixture_close(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
};

static void waiter_done(struct waiter *w)
{
    pthread_mutex_lock(&w->mu);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mu);
}

static void waiter_wait(struct waiter *w)
{
    pthread_mutex_lock(&w->mu);
    while (!w->done) {
        pthread_cond_wait(&w->cond, &w->mu);
    }
    pthread_mutex_unlock(&w->mu);
}

#define WAITER_INIT                                                \
    {                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false \
    }

static void write_done(struct write *w)
{
    waiter_done(w->arg);
}

enum errc fixture_write(struct fixture *f, struct write *w)
{
    struct waiter wait = WAITER_INIT;
    w->done = write_done;
    w->arg = &wait;
    enum errc rc = store_submit(f->store, w, &w->err);
    if (rc == OK) {
        waiter_wait(&wait);
    }
    return w->err.code;
}

enum errc fixture_put(struct fixture *f, const char *resource, const char *ns, const char *name,
                      const char *labels, const char *spec, rv_t *ret_rv)
{
    struct key key = {str_of(resource), str_of(ns), str_of(name)};
    char *text = mem_printf("{\"metadata\":{\"labels\":%s},\"spec\":%s}", labels, spec);
    struct err err = {0};
    json_t *doc = NULL;
    struct draft *d = NULL;
    struct precondition pre = {0};
    enum errc rc = json_text_parse(str_of(text), "json", &doc, &err);
    if (rc == OK) {
        rc = draft_new(&key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES}, &d, &pre,
                       &err);
    }
    if (rc == OK) {
        struct write w = {
            .key = key, .verb = WRITE_PUT, .draft = d, .text = str_of(text), .bytes = strlen(text)};
        rc = fixture_write(f, &w);
        if (ret_rv != NULL) {
            *ret_rv = w.rv;
        }
        object_unref(w.object);
    }
    draft_free(d);
    json_decref(doc);
    free(text);
    return rc;
}

static void fill_op(struct fixture_op *o, struct write *w, struct draft **ret_draft)
{
    struct err err = {0};
    *w = (struct write){
        .key = {str_of(o->resource), str_of(o->ns), str_of(o->name)},
        .verb = o->check         ? WRITE_CHECK
                : o->doc != NULL ? WRITE_PUT
                                 : WRITE_DELETE,
        .pre = {.rv = o->if_rv   },
    };
    if (o->doc != NULL) {
        json_t *doc = NULL;
        struct precondition pre = {0};
        enum errc rc = json_text_parse(str_of(o->doc), "json", &doc, &err);
        assert(rc == OK);
        rc = draft_new(&w->key, doc, &(struct draft_rules){.limit_bytes = OBJECT_MAX_BYTES},
                       ret_draft, &pre, &err);
        assert(rc == OK);
        json_decref(doc);
        w->draft = *ret_draft;
        w->text = str_of(o->doc);
    }
}

enum errc fixture_txn(struct fixture *f, struct fixture_op *ops, size_t n, const uint8_t *id,
                      bool dry_run, rv_t *ret_rv, struct err *ret_err)
{
    struct write *v = mem_zalloc(n * sizeof *v + 1);
    struct draft **drafts = mem_zalloc(n * sizeof *drafts + 1);
    struct write t = {.verb = WRITE_TXN, .ops = v, .n_ops = n, .dry_run = dry_run, .bytes = 1000};
    for (size_t i = 0; i < n; i++) {
        fill_op(&ops[i], &v[i], &drafts[i]);
    }
    if (id != NULL) {
        t.has_request_id = true;
        memcpy(t.request_id, id, REQUEST_ID_LEN);
    }
    enum errc rc = fixture_write(f, &t);
    *ret_err = t.err;
    *ret_rv = t.rv;
    for (size_t i = 0; i < n; i++) {
        ops[i].result = v[i].result;
        ops[i].rv = v[i].rv;
        object_unref(v[i].object);
        draft_free(drafts[i]);
    }
    free(drafts);
    free(v);
    return rc;
}

enum errc fixture_delete(struct fixture *f, const char *resource, const char *ns, const char *name,
                         rv_t *ret_rv)
{
    struct write w = {
        .key = {str_of(resource), str_of(ns), str_of(name)},
          .verb = WRITE_DELETE, .bytes = 100
    };
    enum errc rc = fixture_write(f, &w);
    if (ret_rv != NULL) {
        *ret_rv = w.rv;
    }
    object_unref(w.object);
    return rc;
}

static void get_done(struct get *g)
{
    waiter_done(g->arg);
}

enum errc fixture_get_at(struct fixture *f, const struct key *key, rv_t at, struct object **ret,
                         struct err *ret_err)
{
    struct waiter wait = WAITER_INIT;
    struct get g = {.key = *key, .at = at, .done = get_done, .arg = &wait};
    if (store_get(f->store, &g, &g.err) == OK) {
        waiter_wait(&wait);
    }
    *ret = g.object;
    *ret_err = g.err;
    return g.err.code;
}

enum errc fixture_get(struct fixture *f, const char *resource, const char *ns, const char *name,
                      struct object **ret)
{
    struct key key = {str_of(resource), str_of(ns), str_of(name)};
    struct err err;
    return fixture_get_at(f, &key, 0, ret, &err);
}

char *fixture_owners(struct fixture *f, const char *resource, const char *ns, const char *name)
{
    struct waiter wait = WAITER_INIT;
    CLEANUP(buf_fini) struct buf owners;
    buf_init(&owners, SIZE_MAX);
    struct get g = {
        .key = {str_of(resource), str_of(ns), str_of(name)},
        .done = get_done,
        .arg = &wait,
        .owners = &owners
    };
    if (store_get(f->store, &g, &g.err) == OK) {
        waiter_wait(&wait);
    }
    object_unref(g.object);
    return g.err.code == OK ? str_dup(buf_str(&owners)) : NULL;
}

static void compact_done(struct compaction *c)
{
    waiter_done(c->arg);
}

rv_t fixture_compact(struct fixture *f, rv_t upto, enum errc *ret_rc)
{
    struct waiter wait = WAITER_INIT;
    struct compaction c = {.upto = upto, .done = compact_done, .arg = &wait};
    enum errc rc = store_compact(f->store, &c, &c.err);
    if (rc == OK) {
        waiter_wait(&wait);
        rc = c.err.code;
    }
    if (ret_rc != NULL) {
        *ret_rc = rc;
    }
    return c.floor;
}

/* ---- Watches
 * ------------------------------------------------------------------------------------- */

void test_kick(void *arg)
{
    (void)arg;
}

enum errc test_watch_open(struct watch_set *set, struct test_watch *t, enum watch_start start,
                          rv_t since, struct err *err)
{
    struct watcher_options opt = {
        .start = start, .since = since, .previous = t->previous, .owner = t};
    enum errc rc = OK;
    if (start == START_RESUME) {
        rc = position_decode((struct str){(const char *)t->position, t->position_len}, "resume",
                             &opt.resume, err);
    }
    if (rc == OK) {
        rc = selections_new(t->spec, t->n_spec, false, &opt.selections, err);
    }
    if (rc == OK && t->sel == NULL) {
        rc = selections_new(t->spec, t->n_spec, false, &t->sel, err);
    }
    if (rc != OK) {
        return rc;
    }
    rc = watcher_open(set, &opt, &t->watcher, err);
    if (rc == OK) {
        t->position_len = watcher_position(t->watcher, t->position);
    }
    return rc;
}

enum watch_batch_kind test_watch_pull(struct test_watch *t,
                                      void (*fn)(void *arg, const struct seen *s), void *arg,
                                      rv_t *ret_synced, enum errc *ret_rc, struct err *err)
{
    struct watch_batch b;
    *ret_rc = watcher_pull(t->watcher, &b, err);
    if (*ret_rc != OK) {
        return BATCH_NONE;
    }
    struct buf bytes;
    buf_init(&bytes, SIZE_MAX);
    for (size_t i = 0; i < b.n_pieces; i++) {
        buf_add(&bytes, b.pieces[i].blob->p + b.pieces[i].at, b.pieces[i].n);
    }
    assert(bytes.n == b.bytes);
    size_t events = 0;
    for (size_t at = 0; at < bytes.n; events++) {
        struct seen s;
        at += decode(bytes.p + at, &s);
        fn(arg, &s);
        seen_fini(&s);
    }
    assert(events == b.events);
    t->bytes = b.bytes;
    t->events = b.events;
    buf_fini(&bytes);
    watch_batch_fini(&b);
    t->parked = b.kind == BATCH_NONE;
    t->position_len = watcher_position(t->watcher, t->position);
    *ret_synced = b.rv;
    return b.kind;
}

void test_watch_fini(struct test_watch *t)
{
    watcher_close(TAKE(t->watcher));
    selections_free(TAKE(t->sel));
}

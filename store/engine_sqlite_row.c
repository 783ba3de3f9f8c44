/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to events and objects and back, with their checksums.
 *
 * A row has a head (engine_sqlite_head.h) and its big texts, one behind the other: an event's
 * delta, then the body, without its opening where the head tells that. The head begins with two
 * checksums of 32 bits. The first sums the rest of the head, the other columns and the size of the
 * texts, so that scans which leave the texts out are verified too; the second sums the texts. All
 * numbers are little-endian wherever they are, so a file may move between machines. */
#include <endian.h>
#include <inttypes.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/engine_sqlite_head.h"
#include "store/engine_sqlite_impl.h"

enum event_column { EV_RV, EV_OBJECT, EV_CAUSE, EV_HEAD, EV_TEXTS };
enum object_column { OB_ID, OB_RV, OB_HEAD, OB_TEXTS };

/* ---- Checksums ------------------------------------------------------------------------------- */

/* What a row says beside its head. */
struct outside {
    rv_t rv;
    row_t row;
    unsigned cause; /* 0: an object */
    size_t texts_n;
};

struct sums {
    uint32_t head, texts;
};

static uint32_t head_sum(struct str head, const struct outside *o)
{
    const uint64_t v[] = {htole64(o->rv), htole64((uint64_t)o->row), htole64(o->cause),
                          htole64(o->texts_n)};
    uint64_t seed = XXH3_64bits(v, sizeof(v));
    return (uint32_t)XXH3_64bits_withSeed(head.p + HEAD_SUMS, head.n - HEAD_SUMS, seed);
}

static uint32_t texts_sum(struct str texts)
{
    return (uint32_t)XXH3_64bits(texts.p, texts.n);
}

static struct sums sums_read(struct str head)
{
    struct sums s;
    memcpy(&s, head.p, sizeof(s));
    return (struct sums){le32toh(s.head), le32toh(s.texts)};
}

_Static_assert(sizeof(struct sums) == HEAD_SUMS, "the sums fill the place for them");

static bool head_matches(struct str head, const struct outside *o)
{
    return head.n >= HEAD_SUMS && sums_read(head).head == head_sum(head, o);
}

/* ---- To rows --------------------------------------------------------------------------------- */

static int bind_blob(sqlite3_stmt *st, int at, const struct buf *b)
{
    return sqlite3_bind_blob64(st, at, b->n != 0 ? b->p : "", b->n, SQLITE_STATIC);
}

/* Fills c->texts, then what c->head leaves open. */
static void finish(struct conn *c, struct str delta, struct str body, const struct head_body *b,
                   struct outside *o)
{
    buf_clear(&c->texts);
    buf_adds(&c->texts, delta);
    buf_add(&c->texts, body.p + b->opening_n, body.n - b->opening_n);
    o->texts_n = c->texts.n;
    struct sums s = {htole32(head_sum(buf_str(&c->head), o)),
                     htole32(texts_sum(buf_str(&c->texts)))};
    memcpy(c->head.p, &s, sizeof(s));
}

/* Binding fails only when memory runs out or a text is above SQLite's limit; one answer for all. */
int row_bind_event(struct conn *c, row_t row, const struct event *ev)
{
    sqlite3_stmt *st = c->st[ST_EVENT_ADD];
    struct outside o = {.rv = ev->rv, .row = row, .cause = ev->cause};
    struct head_body b;
    head_body_of(&ev->key, ev->labels, ev->body, ev->splice, &b);
    head_of_event(ev, &b, &c->head);
    finish(c, ev->delta, ev->body, &b, &o);
    int rc = sqlite3_bind_int64(st, EV_RV + 1, (int64_t)ev->rv);
    rc |= (rv_t)row == ev->rv ? sqlite3_bind_null(st, EV_OBJECT + 1)
                              : sqlite3_bind_int64(st, EV_OBJECT + 1, row);
    rc |= sqlite3_bind_int(st, EV_CAUSE + 1, (int)ev->cause);
    rc |= bind_blob(st, EV_HEAD + 1, &c->head);
    rc |= bind_blob(st, EV_TEXTS + 1, &c->texts);
    return rc == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
}

int row_bind_object(struct conn *c, row_t row, const struct event *ev)
{
    sqlite3_stmt *st = c->st[ST_OBJECT_PUT];
    struct outside o = {.rv = ev->rv, .row = row};
    struct head_body b;
    head_body_of(&ev->key, ev->labels, ev->body, ev->splice, &b);
    head_of_object(ev, &b, &c->head);
    finish(c, STR_EMPTY, ev->body, &b, &o);
    int rc = sqlite3_bind_int64(st, OB_ID + 1, row);
    rc |= sqlite3_bind_int64(st, OB_RV + 1, (int64_t)ev->rv);
    rc |= bind_blob(st, OB_HEAD + 1, &c->head);
    rc |= bind_blob(st, OB_TEXTS + 1, &c->texts);
    return rc == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
}

/* ---- From rows ------------------------------------------------------------------------------- */

static struct str column(sqlite3_stmt *st, int at)
{
    const char *p = sqlite3_column_blob(st, at);
    return (struct str){p, p != NULL ? (size_t)sqlite3_column_bytes(st, at) : 0};
}

static enum errc damaged_event(rv_t rv, struct err *err)
{
    return err_set(
        err, ERR_DATA_LOSS,
        "the stored event of version %" PRIu64 " is damaged (checksum): restore from a backup", rv);
}

static enum errc damaged_object(const struct outside *o, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS,
                   "the stored object in row %" PRId64 ", of version %" PRIu64
                   ", is damaged (checksum): restore from a backup",
                   o->row, o->rv);
}

/* A row while it is read. */
struct found {
    struct outside outside;
    struct str head;
    struct event ev; /* without its texts */
    struct head_body body;
    size_t delta_n;
    bool fits; /* what the head says and what there is */
};

static row_t object_column(sqlite3_stmt *st, rv_t rv)
{
    return sqlite3_column_type(st, EV_OBJECT) == SQLITE_NULL ? (row_t)rv
                                                             : sqlite3_column_int64(st, EV_OBJECT);
}

static void find_event(sqlite3_stmt *st, size_t texts_n, struct found *f)
{
    f->outside.rv = (rv_t)sqlite3_column_int64(st, EV_RV);
    f->outside.row = object_column(st, f->outside.rv);
    f->outside.cause = (unsigned)sqlite3_column_int(st, EV_CAUSE);
    f->outside.texts_n = texts_n;
    f->head = column(st, EV_HEAD);
    f->ev = (struct event){.rv = f->outside.rv, .cause = (enum cause)f->outside.cause};
    f->delta_n = 0;
    f->fits = head_read_event(f->head, &f->ev, &f->body, &f->delta_n) && f->delta_n <= texts_n;
}

static void find_object(sqlite3_stmt *st, size_t texts_n, struct found *f)
{
    f->outside = (struct outside){.rv = (rv_t)sqlite3_column_int64(st, OB_RV),
                                  .row = sqlite3_column_int64(st, OB_ID),
                                  .texts_n = texts_n};
    f->head = column(st, OB_HEAD);
    f->ev = (struct event){.rv = f->outside.rv};
    f->delta_n = 0;
    f->fits = head_read_object(f->head, &f->ev, &f->body);
}

static bool is_sound(const struct found *f)
{
    return f->fits && head_matches(f->head, &f->outside);
}

static bool is_whole(const struct found *f, struct str texts)
{
    return is_sound(f) && sums_read(f->head).texts == texts_sum(texts);
}

static void write_body(const struct found *f, struct str rest, char *at)
{
    at = f->body.opened ? opening_write(&f->body.opening, at) : at;
    if (rest.n != 0) {
        memcpy(at, rest.p, rest.n);
    }
}

static struct str behind_delta(const struct found *f, struct str texts)
{
    return (struct str){texts.n != 0 ? texts.p + f->delta_n : NULL, texts.n - f->delta_n};
}

/* A new object of the row; `texts` are verified. */
static struct object *object_of(const struct found *f, struct str texts)
{
    struct str rest = behind_delta(f, texts);
    const struct event *ev = &f->ev;
    char *body = NULL;
    struct object *o =
        object_new_unwritten(&ev->key, ev->labels, f->body.opening_n + rest.n, ev->splice,
                             ev->generation, ev->hash, ev->spec_hash, &body);
    write_body(f, rest, body);
    o->rv = ev->rv;
    return o;
}

enum errc row_event(sqlite3_stmt *st, struct buf *body, struct event *ret, row_t *ret_row,
                    struct err *err)
{
    struct found f;
    struct str texts = column(st, EV_TEXTS);
    find_event(st, texts.n, &f);
    if (!is_whole(&f, texts)) {
        return damaged_event(f.outside.rv, err);
    }
    *ret_row = f.outside.row;
    *ret = f.ev;
    ret->delta = (struct str){texts.p, f.delta_n};
    ret->body = behind_delta(&f, texts);
    if (f.body.opened) {
        buf_clear(body);
        write_body(&f, ret->body, buf_grow(body, f.body.opening_n + ret->body.n));
        ret->body = buf_str(body);
    }
    return OK;
}

static void past_of(const struct found *f, struct engine_past *ret)
{
    size_t body_n = f->fits ? f->body.opening_n + f->outside.texts_n - f->delta_n : 0;
    ret->event = f->ev;
    ret->row = f->outside.row;
    ret->deadline_ms = 0;
    ret->bytes = engine_event_bytes(&f->ev, f->delta_n, body_n);
}

void row_event_unchecked(sqlite3_stmt *st, struct engine_past *ret)
{
    struct found f;
    find_event(st, (size_t)sqlite3_column_int64(st, EV_TEXTS), &f);
    if (!is_sound(&f)) {
        f.ev = (struct event){
            .rv = f.outside.rv, .txn_end = f.outside.rv, .cause = (enum cause)f.outside.cause};
        f.fits = false;
        f.delta_n = 0;
    }
    past_of(&f, ret);
}

enum errc row_event_identity(sqlite3_stmt *st, struct engine_past *ret, struct err *err)
{
    struct found f;
    find_event(st, (size_t)sqlite3_column_int64(st, EV_TEXTS), &f);
    if (!is_sound(&f)) {
        return damaged_event(f.outside.rv, err);
    }
    past_of(&f, ret);
    return OK;
}

row_t row_of_event(sqlite3_stmt *st, rv_t *ret_rv, bool *ret_gone)
{
    const struct event ev = {.cause = (enum cause)sqlite3_column_int(st, EV_CAUSE)};
    *ret_rv = (rv_t)sqlite3_column_int64(st, EV_RV);
    *ret_gone = event_is_delete(&ev);
    return object_column(st, *ret_rv);
}

enum errc row_object(sqlite3_stmt *st, struct object **ret, struct err *err)
{
    struct found f;
    struct str texts = column(st, OB_TEXTS);
    find_object(st, texts.n, &f);
    if (!is_whole(&f, texts)) {
        return damaged_object(&f.outside, err);
    }
    *ret = object_of(&f, texts);
    return OK;
}

enum errc row_object_identity(sqlite3_stmt *st, struct engine_object *ret, struct err *err)
{
    struct found f;
    find_object(st, (size_t)sqlite3_column_int64(st, OB_TEXTS), &f);
    if (!is_sound(&f)) {
        return damaged_object(&f.outside, err);
    }
    *ret = (struct engine_object){.row = f.outside.row,
                                  .rv = f.outside.rv,
                                  .generation = f.ev.generation,
                                  .key = f.ev.key,
                                  .labels = f.ev.labels};
    return OK;
}

void row_event_copy(const struct event *ev, struct buf *texts, struct event *ret)
{
    *ret = *ev;
    struct str *strs[] = {&ret->key.resource, &ret->key.ns,      &ret->key.name,
                          &ret->labels,       &ret->prev_labels, &ret->body,
                          &ret->delta,        &ret->request_id,  &ret->manager};
    size_t total = 0;
    for (size_t i = 0; i < sizeof(strs) / sizeof(strs[0]); i++) {
        total += strs[i]->n;
    }
    buf_clear(texts);
    char *at = buf_grow(texts, total);
    for (size_t i = 0; i < sizeof(strs) / sizeof(strs[0]); i++) {
        if (strs[i]->n != 0) {
            memcpy(at, strs[i]->p, strs[i]->n);
            strs[i]->p = at;
            at += strs[i]->n;
        }
    }
}

/* Brings the statement, which goes on in order of key, to the row of that key. Rows that were
 * written one behind the other are often read so, and a step costs a fraction of a search. */
static int step_to(sqlite3_stmt *st, int64_t key, int64_t *next)
{
    if (*next != key) {
        sqlite3_reset(st);
        sqlite3_bind_int64(st, 1, key);
    }
    int rc = sqlite3_step(st);
    *next = 0;
    if (rc == SQLITE_ROW) {
        bool found = sqlite3_column_int64(st, 0) == key;
        *next = found ? key + 1 : 0;
        rc = found ? SQLITE_ROW : SQLITE_DONE;
    }
    return rc;
}

void row_load_end(struct conn *c)
{
    sqlite3_reset(c->st[ST_OBJECT_GET]);
    sqlite3_reset(c->st[ST_VERSION_GET]);
    c->next_event = c->next_object = 0;
}

/* ERR_NOT_FOUND also if the row holds another version. */
static enum errc load_from_row(struct conn *c, row_t row, rv_t rv, struct object **ret,
                               struct err *err)
{
    sqlite3_stmt *st = c->st[ST_OBJECT_GET];
    int rc = step_to(st, row, &c->next_object);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return conn_fail(c->db, rc, "read an object", err);
    }
    CLEANUP(object_unrefp) struct object *o = NULL;
    enum errc code = rc == SQLITE_ROW ? row_object(st, &o, err) : OK;
    if (code == OK && (o == NULL || o->rv != rv)) {
        code = err_set(err, ERR_NOT_FOUND, "no object of version %" PRIu64 " in row %" PRId64, rv,
                       row);
    }
    if (code == OK) {
        *ret = TAKE(o);
    }
    return code;
}

static enum errc load_from_event(struct conn *c, rv_t rv, struct object **ret, struct err *err)
{
    /* Not ST_EVENT_GET, whose event a reader may still borrow. */
    sqlite3_stmt *st = c->st[ST_VERSION_GET];
    int rc = step_to(st, (int64_t)rv, &c->next_event);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return conn_fail(c->db, rc, "read an event", err);
    }
    if (rc == SQLITE_DONE) {
        return err_set(err, ERR_NOT_FOUND, "no event of version %" PRIu64, rv);
    }
    struct found f;
    struct str texts = column(st, EV_TEXTS);
    find_event(st, texts.n, &f);
    if (!is_whole(&f, texts)) {
        return damaged_event(rv, err);
    }
    if (event_is_delete(&f.ev)) {
        return err_set(err, ERR_NOT_FOUND, "version %" PRIu64 " is a deletion", rv);
    }
    *ret = object_of(&f, texts);
    return OK;
}

enum errc row_load(struct conn *c, row_t row, rv_t rv, bool folded, struct object **ret,
                   struct err *err)
{
    enum errc code =
        folded ? load_from_row(c, row, rv, ret, err) : load_from_event(c, rv, ret, err);
    if (code == ERR_NOT_FOUND) {
        code = folded ? load_from_event(c, rv, ret, err) : load_from_row(c, row, rv, ret, err);
    }
    if (!c->stays || code != OK) {
        row_load_end(c);
    }
    return code;
}

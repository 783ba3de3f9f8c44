/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to events and objects and back, with their checksums.
 *
 * crc is two halves: the high one sums every column but the big ones (delta, body) and the lengths
 * of those; the low one sums the high one's source and the big columns. What is summed is the value
 * as read, not its encoding in the row, byte by byte in little-endian order, so a file may move
 * between machines. */
#include <endian.h>
#include <inttypes.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/engine_sqlite_impl.h"

enum event_column {
    EV_RV,
    EV_OBJECT,
    EV_CAUSE,
    EV_TXN_END,
    EV_TIME,
    EV_RESOURCE,
    EV_NS,
    EV_NAME,
    EV_GENERATION,
    EV_PREV_RV,
    EV_PREV_GENERATION,
    EV_SPLICE,
    EV_PREV_SPLICE,
    EV_LABELS,
    EV_PREV_LABELS,
    EV_REQUEST_ID,
    EV_MANAGER,
    EV_HASH,
    EV_SPEC_HASH,
    EV_CRC,
    EV_DELTA,
    EV_BODY
};

enum object_column {
    OB_ID,
    OB_RV,
    OB_GENERATION,
    OB_RESOURCE,
    OB_NS,
    OB_NAME,
    OB_LABELS,
    OB_HASH,
    OB_SPEC_HASH,
    OB_SPLICE,
    OB_CRC,
    OB_BODY
};

static uint64_t sum_str(struct str s)
{
    return htole64(s.n != 0 ? XXH3_64bits(s.p, s.n) : 0);
}

static uint64_t event_sum(const struct event *ev, row_t row, size_t delta_n, size_t body_n)
{
    const uint64_t v[] = {
        htole64(ev->rv),
        htole64((uint64_t)row),
        htole64(ev->txn_end),
        htole64((uint64_t)ev->time),
        htole64((uint64_t)ev->cause),
        htole64(ev->generation),
        htole64(ev->prev_rv),
        htole64(ev->prev_generation),
        htole64((uint64_t)ev->splice | (uint64_t)ev->prev_splice << 32),
        htole64(delta_n),
        htole64(body_n),
        htole64(ev->hash),
        htole64(ev->spec_hash),
        sum_str(ev->key.resource),
        sum_str(ev->key.ns),
        sum_str(ev->key.name),
        sum_str(ev->labels),
        sum_str(ev->prev_labels),
        sum_str(ev->request_id),
        sum_str(ev->manager),
    };
    return XXH3_64bits(v, sizeof(v));
}

/* Of an object's identity; row and labels are those of the columns. */
static uint64_t object_sum(const struct engine_object *o, uint64_t hash, uint64_t spec_hash,
                           uint32_t splice, size_t body_n)
{
    const uint64_t v[] = {
        htole64((uint64_t)o->row), htole64(o->rv),
        htole64(o->generation),    htole64(hash),
        htole64(spec_hash),        htole64(splice),
        htole64(body_n),           sum_str(o->key.resource),
        sum_str(o->key.ns),        sum_str(o->key.name),
        sum_str(o->labels),
    };
    return XXH3_64bits(v, sizeof(v));
}

static int64_t whole_crc(uint64_t identity, struct str delta, struct str body)
{
    const uint64_t v[] = {htole64(identity), sum_str(delta), sum_str(body)};
    uint64_t whole = XXH3_64bits(v, sizeof(v));
    return (int64_t)(identity << 32 | (whole & UINT32_MAX));
}

static bool identity_matches(int64_t crc, uint64_t identity)
{
    return (uint64_t)crc >> 32 == (identity & UINT32_MAX);
}

/* --- to rows ----------------------------------------------------------------------------- */

/* Texts and blobs are bound as they lie; they live until the statement has run. */
static int bind_text(sqlite3_stmt *st, int at, struct str s)
{
    return sqlite3_bind_text64(st, at, s.n != 0 ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_text_or_null(sqlite3_stmt *st, int at, struct str s)
{
    return s.n != 0 ? bind_text(st, at, s) : sqlite3_bind_null(st, at);
}

static int bind_blob(sqlite3_stmt *st, int at, struct str s)
{
    return sqlite3_bind_blob64(st, at, s.n != 0 ? s.p : "", s.n, SQLITE_STATIC);
}

static int bind_blob_or_null(sqlite3_stmt *st, int at, struct str s)
{
    return s.n != 0 ? bind_blob(st, at, s) : sqlite3_bind_null(st, at);
}

static int bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
    return sqlite3_bind_int64(st, at, (int64_t)v);
}

/* Binding fails only when memory runs out or a text is above SQLite's limit; one answer for all. */
int row_bind_event(sqlite3_stmt *st, row_t row, const struct event *ev)
{
    int64_t crc = whole_crc(event_sum(ev, row, ev->delta.n, ev->body.n), ev->delta, ev->body);
    int rc = bind_u64(st, EV_RV + 1, ev->rv);
    rc |= (rv_t)row == ev->rv ? sqlite3_bind_null(st, EV_OBJECT + 1)
                              : sqlite3_bind_int64(st, EV_OBJECT + 1, row);
    rc |= ev->txn_end == ev->rv ? sqlite3_bind_null(st, EV_TXN_END + 1)
                                : bind_u64(st, EV_TXN_END + 1, ev->txn_end);
    rc |= sqlite3_bind_int64(st, EV_TIME + 1, ev->time);
    rc |= sqlite3_bind_int(st, EV_CAUSE + 1, (int)ev->cause);
    rc |= bind_text(st, EV_RESOURCE + 1, ev->key.resource);
    rc |= bind_text(st, EV_NS + 1, ev->key.ns);
    rc |= bind_text(st, EV_NAME + 1, ev->key.name);
    rc |= bind_u64(st, EV_GENERATION + 1, ev->generation);
    rc |= bind_u64(st, EV_PREV_RV + 1, ev->prev_rv);
    rc |= bind_u64(st, EV_PREV_GENERATION + 1, ev->prev_generation);
    rc |= bind_u64(st, EV_SPLICE + 1, ev->splice);
    rc |= bind_u64(st, EV_PREV_SPLICE + 1, ev->prev_splice);
    rc |= bind_text_or_null(st, EV_LABELS + 1, ev->labels);
    rc |= str_eq(ev->prev_labels, ev->labels) ? sqlite3_bind_null(st, EV_PREV_LABELS + 1)
                                              : bind_text(st, EV_PREV_LABELS + 1, ev->prev_labels);
    rc |= bind_blob_or_null(st, EV_REQUEST_ID + 1, ev->request_id);
    rc |= bind_text_or_null(st, EV_MANAGER + 1, ev->manager);
    rc |= bind_u64(st, EV_HASH + 1, ev->hash);
    rc |= bind_u64(st, EV_SPEC_HASH + 1, ev->spec_hash);
    rc |= sqlite3_bind_int64(st, EV_CRC + 1, crc);
    rc |= bind_blob_or_null(st, EV_DELTA + 1, ev->delta);
    rc |= bind_blob(st, EV_BODY + 1, ev->body);
    return rc == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
}

int row_bind_object(sqlite3_stmt *st, row_t row, const struct event *ev)
{
    const struct engine_object o = {.row = row,
                                    .rv = ev->rv,
                                    .generation = ev->generation,
                                    .key = ev->key,
                                    .labels = ev->labels};
    uint64_t identity = object_sum(&o, ev->hash, ev->spec_hash, ev->splice, ev->body.n);
    int rc = sqlite3_bind_int64(st, OB_ID + 1, row);
    rc |= bind_u64(st, OB_RV + 1, ev->rv);
    rc |= bind_u64(st, OB_GENERATION + 1, ev->generation);
    rc |= bind_text(st, OB_RESOURCE + 1, ev->key.resource);
    rc |= bind_text(st, OB_NS + 1, ev->key.ns);
    rc |= bind_text(st, OB_NAME + 1, ev->key.name);
    rc |= bind_text_or_null(st, OB_LABELS + 1, ev->labels);
    rc |= bind_u64(st, OB_HASH + 1, ev->hash);
    rc |= bind_u64(st, OB_SPEC_HASH + 1, ev->spec_hash);
    rc |= bind_u64(st, OB_SPLICE + 1, ev->splice);
    rc |= sqlite3_bind_int64(st, OB_CRC + 1, whole_crc(identity, STR_EMPTY, ev->body));
    rc |= bind_blob(st, OB_BODY + 1, ev->body);
    return rc == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
}

/* --- from rows --------------------------------------------------------------------------- */

/* Texts are taken as blobs: that gives the bytes where they lie in the page, without a copy. */
static struct str column(sqlite3_stmt *st, int at)
{
    const char *p = sqlite3_column_blob(st, at);
    return (struct str){p, p != NULL ? (size_t)sqlite3_column_bytes(st, at) : 0};
}

static uint64_t column_u64(sqlite3_stmt *st, int at)
{
    return (uint64_t)sqlite3_column_int64(st, at);
}

static enum errc damaged_event(rv_t rv, struct err *err)
{
    return err_set(
        err, ERR_DATA_LOSS,
        "the stored event of version %" PRIu64 " is damaged (checksum): restore from a backup", rv);
}

static enum errc damaged_object(const struct engine_object *o, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS,
                   "the stored object %.*s/%.*s of version %" PRIu64
                   " is damaged (checksum): restore from a backup",
                   STR_ARG(o->key.resource), STR_ARG(o->key.name), o->rv);
}

static bool column_is_null(sqlite3_stmt *st, int at)
{
    return sqlite3_column_type(st, at) == SQLITE_NULL;
}

static void event_columns(sqlite3_stmt *st, struct event *ret, row_t *ret_row)
{
    ret->rv = column_u64(st, EV_RV);
    *ret_row = column_is_null(st, EV_OBJECT) ? (row_t)ret->rv : sqlite3_column_int64(st, EV_OBJECT);
    ret->txn_end =
        sqlite3_column_type(st, EV_TXN_END) == SQLITE_NULL ? ret->rv : column_u64(st, EV_TXN_END);
    ret->time = sqlite3_column_int64(st, EV_TIME);
    ret->cause = (enum cause)sqlite3_column_int(st, EV_CAUSE);
    ret->key.resource = column(st, EV_RESOURCE);
    ret->key.ns = column(st, EV_NS);
    ret->key.name = column(st, EV_NAME);
    ret->generation = column_u64(st, EV_GENERATION);
    ret->prev_rv = column_u64(st, EV_PREV_RV);
    ret->prev_generation = column_u64(st, EV_PREV_GENERATION);
    ret->splice = (uint32_t)sqlite3_column_int64(st, EV_SPLICE);
    ret->prev_splice = (uint32_t)sqlite3_column_int64(st, EV_PREV_SPLICE);
    ret->labels = column(st, EV_LABELS);
    ret->prev_labels =
        column_is_null(st, EV_PREV_LABELS) ? ret->labels : column(st, EV_PREV_LABELS);
    ret->request_id = column(st, EV_REQUEST_ID);
    ret->manager = column(st, EV_MANAGER);
    ret->hash = column_u64(st, EV_HASH);
    ret->spec_hash = column_u64(st, EV_SPEC_HASH);
    ret->delta = STR_EMPTY;
    ret->body = STR_EMPTY;
}

enum errc row_event(sqlite3_stmt *st, struct event *ret, row_t *ret_row, struct err *err)
{
    event_columns(st, ret, ret_row);
    ret->delta = column(st, EV_DELTA);
    ret->body = column(st, EV_BODY);
    uint64_t identity = event_sum(ret, *ret_row, ret->delta.n, ret->body.n);
    if (sqlite3_column_int64(st, EV_CRC) != whole_crc(identity, ret->delta, ret->body)) {
        return damaged_event(ret->rv, err);
    }
    return OK;
}

void row_event_unchecked(sqlite3_stmt *st, struct engine_past *ret)
{
    event_columns(st, &ret->event, &ret->row);
    ret->deadline_ms = 0;
    ret->bytes = engine_event_bytes(&ret->event, (size_t)sqlite3_column_int64(st, EV_DELTA),
                                    (size_t)sqlite3_column_int64(st, EV_BODY));
}

enum errc row_event_identity(sqlite3_stmt *st, struct engine_past *ret, struct err *err)
{
    row_event_unchecked(st, ret);
    uint64_t identity = event_sum(&ret->event, ret->row, (size_t)sqlite3_column_int64(st, EV_DELTA),
                                  (size_t)sqlite3_column_int64(st, EV_BODY));
    if (!identity_matches(sqlite3_column_int64(st, EV_CRC), identity)) {
        return damaged_event(ret->event.rv, err);
    }
    return OK;
}

row_t row_of_event(sqlite3_stmt *st, rv_t *ret_rv, bool *ret_gone)
{
    const struct event ev = {.cause = (enum cause)sqlite3_column_int(st, EV_CAUSE)};
    *ret_rv = column_u64(st, EV_RV);
    *ret_gone = event_is_delete(&ev);
    return column_is_null(st, EV_OBJECT) ? (row_t)*ret_rv : sqlite3_column_int64(st, EV_OBJECT);
}

static void object_columns(sqlite3_stmt *st, struct engine_object *ret)
{
    ret->row = sqlite3_column_int64(st, OB_ID);
    ret->rv = column_u64(st, OB_RV);
    ret->generation = column_u64(st, OB_GENERATION);
    ret->key.resource = column(st, OB_RESOURCE);
    ret->key.ns = column(st, OB_NS);
    ret->key.name = column(st, OB_NAME);
    ret->labels = column(st, OB_LABELS);
    ret->deadline_ms = 0;
}

enum errc row_object(sqlite3_stmt *st, struct object **ret, struct err *err)
{
    struct engine_object o;
    object_columns(st, &o);
    uint64_t hash = column_u64(st, OB_HASH);
    uint64_t spec_hash = column_u64(st, OB_SPEC_HASH);
    uint32_t splice = (uint32_t)sqlite3_column_int64(st, OB_SPLICE);
    struct str body = column(st, OB_BODY);
    uint64_t identity = object_sum(&o, hash, spec_hash, splice, body.n);
    if (sqlite3_column_int64(st, OB_CRC) != whole_crc(identity, STR_EMPTY, body)) {
        return damaged_object(&o, err);
    }
    struct object *object =
        object_new(&o.key, o.labels, body, splice, o.generation, hash, spec_hash);
    object->rv = o.rv;
    *ret = object;
    return OK;
}

enum errc row_object_identity(sqlite3_stmt *st, struct engine_object *ret, struct err *err)
{
    object_columns(st, ret);
    uint64_t identity = object_sum(ret, column_u64(st, OB_HASH), column_u64(st, OB_SPEC_HASH),
                                   (uint32_t)sqlite3_column_int64(st, OB_SPLICE),
                                   (size_t)sqlite3_column_int64(st, OB_BODY));
    if (!identity_matches(sqlite3_column_int64(st, OB_CRC), identity)) {
        return damaged_object(ret, err);
    }
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

/* ERR_NOT_FOUND also if the row holds another version. */
static enum errc load_from_row(struct conn *c, row_t row, rv_t rv, struct object **ret,
                               struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_OBJECT_GET];
    sqlite3_bind_int64(st, 1, row);
    int rc = sqlite3_step(st);
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
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_VERSION_GET];
    sqlite3_bind_int64(st, 1, (sqlite3_int64)rv);
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return conn_fail(c->db, rc, "read an event", err);
    }
    if (rc == SQLITE_DONE) {
        return err_set(err, ERR_NOT_FOUND, "no event of version %" PRIu64, rv);
    }
    struct event ev;
    row_t row;
    enum errc code = row_event(st, &ev, &row, err);
    if (code == OK && event_is_delete(&ev)) {
        code = err_set(err, ERR_NOT_FOUND, "version %" PRIu64 " is a deletion", rv);
    }
    if (code == OK) {
        *ret = object_new(&ev.key, ev.labels, ev.body, ev.splice, ev.generation, ev.hash,
                          ev.spec_hash);
        (*ret)->rv = rv;
    }
    return code;
}

enum errc row_load(struct conn *c, row_t row, rv_t rv, bool folded, struct object **ret,
                   struct err *err)
{
    enum errc code =
        folded ? load_from_row(c, row, rv, ret, err) : load_from_event(c, rv, ret, err);
    if (code == ERR_NOT_FOUND) {
        code = folded ? load_from_event(c, rv, ret, err) : load_from_row(c, row, rv, ret, err);
    }
    return code;
}

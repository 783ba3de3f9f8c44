/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept beside the objects: deadlines and owners, one row each by the object's own row, in
 * tables of their own, so that a heartbeat writes some bytes and no event. Invariant: no row here
 * outlives its object; the deletion's own transaction takes it away. */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "store/engine_sqlite_impl.h"

/* Of the values, not of their encoding in the row; so a file may move between machines. */
static int64_t deadline_crc(row_t row, int64_t at)
{
    const uint64_t v[] = {htole64((uint64_t)row), htole64((uint64_t)at)};
    return (int64_t)(XXH3_64bits(v, sizeof(v)) & UINT32_MAX);
}

static int64_t owners_crc(row_t row, struct str body)
{
    return (int64_t)(XXH3_64bits_withSeed(body.p, body.n, (uint64_t)row) & UINT32_MAX);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int run_of_row(struct conn *c, enum conn_statement id, row_t row)
{
    sqlite3_bind_int64(c->st[id], 1, row);
    return conn_run(c, id);
}

static int set_deadline(struct conn *c, row_t row, int64_t at)
{
    if (at == 0) {
        return run_of_row(c, ST_DEADLINE_DROP, row);
    }
    sqlite3_bind_int64(c->st[ST_DEADLINE_SET], 2, at);
    sqlite3_bind_int64(c->st[ST_DEADLINE_SET], 3, deadline_crc(row, at));
    return run_of_row(c, ST_DEADLINE_SET, row);
}

static int set_owners(struct conn *c, row_t row, struct str body)
{
    if (body.n == 0) {
        return run_of_row(c, ST_OWNERS_DROP, row);
    }
    sqlite3_stmt *st = c->st[ST_OWNERS_SET];
    sqlite3_bind_int64(st, 2, owners_crc(row, body));
    int rc = sqlite3_bind_blob64(st, 3, body.p, body.n, SQLITE_STATIC);
    return rc == SQLITE_OK ? run_of_row(c, ST_OWNERS_SET, row) : rc;
}

int aside_write(struct engine_sqlite *s, const struct commit *c)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < c->n_asides && rc == SQLITE_OK; i++) {
        struct aside *a = &c->asides[i];
        if (a->row == 0) {
            a->row = c->changes[a->change].row;
        }
        if (a->sets_deadline) {
            rc = set_deadline(&s->w, a->row, a->deadline_ms);
        }
        if (rc == SQLITE_OK && a->sets_owners) {
            ids_add(&s->owned, a->row); /* whatever becomes of the commit */
            rc = set_owners(&s->w, a->row, a->owners);
        }
    }
    /* Rows are never used again, so what is deleted here is gone, whatever was set aside. */
    for (size_t i = 0; i < c->n && rc == SQLITE_OK; i++) {
        if (event_is_delete(&c->changes[i].event)) {
            rc = run_of_row(&s->w, ST_DEADLINE_DROP, c->changes[i].row);
            if (rc == SQLITE_OK && ids_has(&s->owned, c->changes[i].row)) {
                rc = run_of_row(&s->w, ST_OWNERS_DROP, c->changes[i].row);
            }
        }
    }
    return rc;
}

void aside_committed(struct engine_sqlite *s, const struct commit *c)
{
    for (size_t i = 0; i < c->n && s->owned.n != 0; i++) {
        if (event_is_delete(&c->changes[i].event)) {
            ids_del(&s->owned, c->changes[i].row);
        }
    }
}

static void point_to(struct str *s, const char **at)
{
    s->p = *at;
    *at += s->n;
}

void aside_note(struct engine_sqlite *s, const struct commit *c)
{
    s->attempt.n_asides = 0;
    buf_clear(&s->attempt.keys);
    if (c->n_asides == 0 || c->n == 0) {
        return;
    }
    s->attempt.asides = mem_realloc(s->attempt.asides, c->n_asides * sizeof(struct aside));
    for (size_t i = 0; i < c->n_asides; i++) {
        if (c->asides[i].sets_deadline) {
            struct aside *a = &s->attempt.asides[s->attempt.n_asides++];
            *a = c->asides[i];
            a->sets_owners = false;
            a->owners = STR_EMPTY;
            buf_adds(&s->attempt.keys, a->key.resource);
            buf_adds(&s->attempt.keys, a->key.ns);
            buf_adds(&s->attempt.keys, a->key.name);
        }
    }
    const char *at = s->attempt.keys.p;
    for (size_t i = 0; i < s->attempt.n_asides; i++) {
        struct key *k = &s->attempt.asides[i].key;
        point_to(&k->resource, &at);
        point_to(&k->ns, &at);
        point_to(&k->name, &at);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

enum errc aside_read_owners(struct conn *c, row_t row, struct buf *out, struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_OWNERS_GET];
    sqlite3_bind_int64(st, 1, row);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) {
        return OK;
    }
    if (rc != SQLITE_ROW) {
        return conn_fail(c->db, rc, "read the owners of an object", err);
    }
    const char *p = sqlite3_column_blob(st, 1);
    struct str body = {p, (size_t)sqlite3_column_bytes(st, 1)};
    if (p == NULL || sqlite3_column_int64(st, 0) != owners_crc(row, body)) {
        return err_set(err, ERR_DATA_LOSS,
                       "the stored owners of the object in row %" PRId64
                       " are damaged (checksum): restore from a backup",
                       row);
    }
    buf_adds(out, body);
    return OK;
}

enum errc owned_read(struct engine_sqlite *s, struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = s->w.st[ST_OWNED];
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        row_t row = sqlite3_column_int64(st, 0);
        if (row <= 0) {
            return err_set(err, ERR_DATA_LOSS, "owners are stored for the row %" PRId64, row);
        }
        ids_add(&s->owned, row);
    }
    return rc == SQLITE_DONE ? OK : conn_fail(s->w.db, rc, "read whose owners are kept", err);
}

enum errc engine_sqlite_owners(struct engine *e, row_t row, struct buf *out, struct err *err)
{
    struct engine_sqlite *s = engine_sqlite_of(e);
    if (s->suspect) {
        return engine_sqlite_suspect(err);
    }
    return ids_has(&s->owned, row) ? aside_read_owners(&s->w, row, out, err) : OK;
}

enum errc deadlines_read(struct conn *c, struct deadlines *ret, struct err *err)
{
    CLEANUP(stmt_resetp) sqlite3_stmt *st = c->st[ST_DEADLINES];
    CLEANUP(deadlines_fini) struct deadlines d = {.n = 0};
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct deadline x = {sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1)};
        if (sqlite3_column_int64(st, 2) != deadline_crc(x.row, x.at)) {
            return err_set(err, ERR_DATA_LOSS,
                           "the stored deadline of the object in row %" PRId64
                           " is damaged (checksum): restore from a backup",
                           x.row);
        }
        if (d.n == d.cap) {
            d.cap = d.cap != 0 ? 2 * d.cap : 64;
            d.v = mem_realloc(d.v, d.cap * sizeof(*d.v));
        }
        d.v[d.n++] = x;
    }
    if (rc != SQLITE_DONE) {
        return conn_fail(c->db, rc, "read the deadlines", err);
    }
    *ret = d;
    d = (struct deadlines){.n = 0};
    return OK;
}

int64_t deadlines_find(const struct deadlines *d, row_t row)
{
    size_t lo = 0, hi = d->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->v[mid].row < row) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < d->n && d->v[lo].row == row ? d->v[lo].at : 0;
}

void deadlines_fini(struct deadlines *d)
{
    freep(&d->v);
    d->n = d->cap = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/managed.h"

#include <stdlib.h>

#define FIELD "managedFields"

enum errc manager_check(struct str name, struct err *err)
{
    if (name.n == 0) {
        return err_field(err, ERR_INVALID, "field_manager",
                         "is missing: name who owns the fields that are applied");
    }
    if (name.n > MANAGER_MAX_LEN) {
        return err_field(err, ERR_INVALID, "field_manager", "has %zu bytes, more than %d", name.n,
                         MANAGER_MAX_LEN);
    }
    for (size_t at = 0; at < name.n;) {
        size_t len = utf8_len(name.p + at, name.n - at);
        unsigned char c = (unsigned char)name.p[at];
        if (len == 0 || c < 0x20 || c == 0x7f) {
            return err_field(err, ERR_INVALID, "field_manager",
                             "must be text without control characters");
        }
        at += len;
    }
    return OK;
}

static void manager_fini(struct manager *m)
{
    free(m->name);
    fields_free(m->set);
}

void managed_fini(struct managed *m)
{
    for (size_t i = 0; i < m->n; i++) {
        manager_fini(&m->v[i]);
    }
    free(m->v);
    *m = (struct managed){0};
}

struct manager *managed_find(const struct managed *m, struct str name, bool applies, bool status)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].applies == applies && m->v[i].status == status &&
            str_eq(str_of(m->v[i].name), name)) {
            return &m->v[i];
        }
    }
    return NULL;
}

struct manager *managed_have(struct managed *m, struct str name, bool applies, bool status)
{
    struct manager *found = managed_find(m, name, applies, status);
    if (found == NULL) {
        m->v = mem_realloc(m->v, (m->n + 1) * sizeof(*m->v));
        found = &m->v[m->n++];
        *found = (struct manager){
            .name = str_dup(name), .applies = applies, .status = status, .set = fields_new()};
    }
    return found;
}

/* ---- Text ---------------------------------------------------------------------------------- */

static void write_manager(const struct manager *m, struct buf *out)
{
    buf_adds(out, STR("{\"manager\":"));
    json_text_string(str_of(m->name), out);
    buf_adds(out, m->applies ? STR(",\"operation\":\"Apply\",\"time\":")
                             : STR(",\"operation\":\"Update\",\"time\":"));
    json_text_string(str_of(m->time), out);
    if (m->status) {
        buf_adds(out, STR(",\"subresource\":\"status\""));
    }
    buf_adds(out, STR(",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":"));
    fields_write(m->set, out);
    buf_addc(out, '}');
}

void managed_write(const struct managed *m, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < m->n; i++) {
        if (i != 0) {
            buf_addc(out, ',');
        }
        write_manager(&m->v[i], out);
    }
    buf_addc(out, ']');
}

static struct str member(const json_t *entry, const char *name)
{
    const json_t *v = json_object_get(entry, name);
    return (struct str){json_string_value(v), json_string_length(v)};
}

static enum errc read_manager(const json_t *entry, struct managed *ret, struct err *err)
{
    struct str name = member(entry, "manager");
    struct str operation = member(entry, "operation");
    struct str time = member(entry, "time");
    bool applies = str_eq(operation, STR("Apply"));
    bool status = str_eq(member(entry, "subresource"), STR("status"));
    if (manager_check(name, NULL) != OK || (!applies && !str_eq(operation, STR("Update"))) ||
        time.n != CLOCK_RFC3339_LEN || !str_eq(member(entry, "fieldsType"), STR("FieldsV1"))) {
        return err_field(err, ERR_INVALID, FIELD,
                         "needs manager, operation, time and fieldsType in each of its entries");
    }
    if (managed_find(ret, name, applies, status) != NULL) {
        return err_field(err, ERR_INVALID, FIELD, "has \"%.*s\" twice", STR_ARG(name));
    }
    struct fields *set = NULL;
    enum errc code = fields_read(json_object_get(entry, "fieldsV1"), FIELD, &set, err);
    if (code != OK) {
        return code;
    }
    struct manager *m = managed_have(ret, name, applies, status);
    fields_free(m->set);
    m->set = set;
    memcpy(m->time, time.p, CLOCK_RFC3339_LEN);
    return OK;
}

enum errc managed_read(struct str text, struct managed *ret, struct err *err)
{
    CLEANUP(managed_fini) struct managed m = {0};
    CLEANUP(json_decrefp) json_t *list = NULL;
    if (text.n == 0) {
        *ret = (struct managed){0};
        return OK;
    }
    enum errc code = json_text_parse(text, FIELD, &list, err);
    if (code == OK && !json_is_array(list)) {
        code = err_field(err, ERR_INVALID, FIELD, "must be an array");
    }
    for (size_t i = 0; code == OK && i < json_array_size(list); i++) {
        code = read_manager(json_array_get(list, i), &m, err);
    }
    if (code == OK) {
        *ret = m;
        m = (struct managed){0};
    }
    return code;
}

/* ---- Bounds -------------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    const struct manager *x = a;
    const struct manager *y = b;
    if (x->applies != y->applies) {
        return x->applies ? -1 : 1;
    }
    int order = strcmp(x->time, y->time);
    order = order != 0 ? order : strcmp(x->name, y->name);
    return order != 0 ? order : (int)x->status - (int)y->status;
}

static void forget(struct managed *m, struct manager *x)
{
    size_t i = (size_t)(x - m->v);
    manager_fini(x);
    memmove(x, x + 1, (m->n - i - 1) * sizeof(*x));
    m->n--;
}

/* The oldest who updates and is not those joined already; NULL if there is none. */
static struct manager *oldest(const struct managed *m)
{
    struct manager *found = NULL;
    for (size_t i = 0; i < m->n; i++) {
        struct manager *x = &m->v[i];
        if (!x->applies && strcmp(x->name, MANAGER_ANCIENT) != 0 &&
            (found == NULL || by_age(x, found) < 0)) {
            found = x;
        }
    }
    return found;
}

/* Joins the oldest to the ancient. False if nobody is left to be joined. */
static bool join_oldest(struct managed *m)
{
    if (oldest(m) == NULL) {
        return false;
    }
    struct manager *ancient = managed_have(m, STR(MANAGER_ANCIENT), false, false);
    struct manager *x = oldest(m);
    fields_join(ancient->set, x->set);
    if (strcmp(ancient->time, x->time) < 0) {
        memcpy(ancient->time, x->time, sizeof(x->time));
    }
    forget(m, x);
    return true;
}

static size_t count_updating(const struct managed *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        n += !m->v[i].applies;
    }
    return n;
}

static bool fits(const struct managed *m, size_t max_bytes)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, max_bytes);
    managed_write(m, &text);
    return !text.full;
}

bool managed_settle(struct managed *m, size_t max_bytes)
{
    for (size_t i = m->n; i-- > 0;) {
        if (fields_is_empty(m->v[i].set)) {
            forget(m, &m->v[i]);
        }
    }
    while (count_updating(m) > MANAGERS_UPDATING && join_oldest(m)) {
    }
    bool fit = fits(m, max_bytes);
    while (!fit && join_oldest(m)) {
        fit = fits(m, max_bytes);
    }
    struct manager *ancient = managed_find(m, STR(MANAGER_ANCIENT), false, false);
    if (!fit && ancient != NULL) {
        /* Nobody owns it then, which only means that nobody is asked before it is changed. */
        forget(m, ancient);
        fit = fits(m, max_bytes);
    }
    if (m->n != 0) {
        qsort(m->v, m->n, sizeof(*m->v), by_age);
    }
    return fit && m->n - count_updating(m) <= MANAGERS_APPLYING;
}

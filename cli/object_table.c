/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/object_table.h"

#include <assert.h>
#include <inttypes.h>
#include <strings.h>

#include "cli/text.h"
#include "store/model/json.h"

#define LEARN_ROWS  1000
#define CELLS_MAX   ((size_t)1 << 30)
#define CELL_WIDTH  60
#define NO_VALUE    "<none>"
#define CELLS_EXTRA 4 /* EVENT, RV, NAMESPACE, NAME; or NAMESPACE, NAME, AGE */
#define LIVE_WIDTH  8 /* of columns whose rows are not known yet */

static_assert(DEFINITION_COLUMNS + CELLS_EXTRA <= TABLE_COLUMNS_MAX, "a row fits the table");

static void init_plain(struct object_table *t)
{
    static const struct table_column columns[] = {
        {"NAMESPACE", 0},
        {"NAME",      0},
        {"VERSION",   0},
        {"AGE",       0},
        {"SPEC",      0},
    };
    size_t skip = t->namespaces ? 0 : 1;
    table_init(&t->table, columns + skip, sizeof(columns) / sizeof(columns[0]) - skip, LEARN_ROWS);
}

/* As kubectl shows them: in capitals. */
static void make_title(struct str name, char ret[COLUMN_NAME_MAX_LEN + 1])
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, (size_t)COLUMN_NAME_MAX_LEN * 4);
    text_escape(name, &text);
    size_t n = text.n < COLUMN_NAME_MAX_LEN ? text.n : COLUMN_NAME_MAX_LEN;
    for (size_t i = 0; i < n; i++) {
        char c = text.p[i];
        ret[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    ret[n] = '\0';
}

static void init_declared(struct object_table *t)
{
    struct table_column columns[TABLE_COLUMNS_MAX] = {0};
    size_t n = 0;
    if (t->namespaces) {
        columns[n++].title = "NAMESPACE";
    }
    columns[n++].title = "NAME";
    t->age = true;
    for (size_t i = 0; i < t->n_columns; i++) {
        make_title(t->columns[i]->name, t->titles[i]);
        columns[n++].title = t->titles[i];
        t->age = t->age && strcmp(t->titles[i], "AGE") != 0;
    }
    if (t->age) {
        columns[n++].title = "AGE";
    }
    table_init(&t->table, columns, n, LEARN_ROWS);
}

static void init_common(struct object_table *t, bool namespaces, bool resources,
                        const struct resource_definition *definition, bool wide)
{
    memset(t, 0, sizeof(*t));
    t->namespaces = namespaces;
    t->resources = resources;
    glance_init(&t->glance);
    buf_init(&t->texts, CELLS_MAX);
    for (size_t i = 0; definition != NULL && i < definition->n_columns; i++) {
        if (wide || definition->columns[i].priority == 0) {
            t->columns[t->n_columns++] = &definition->columns[i];
        }
    }
}

void object_table_init(struct object_table *t, bool namespaces, bool resources,
                       const struct resource_definition *definition, bool wide)
{
    init_common(t, namespaces, resources, definition, wide);
    if (t->n_columns != 0) {
        init_declared(t);
    } else {
        init_plain(t);
    }
}

void object_table_fini(struct object_table *t)
{
    table_fini(&t->table);
    glance_fini(&t->glance);
    buf_fini(&t->texts);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static void show_value(const struct column *c, const json_t *v, wall_ms_t now, struct buf *out)
{
    if (v == NULL || json_is_null(v)) {
        buf_adds(out, STR(NO_VALUE));
        return;
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, CELLS_MAX);
    struct str s = {json_string_value(v), json_string_length(v)};
    if (c->type == COLUMN_DATE && json_is_string(v)) {
        char age[TEXT_AGE_MAX];
        text_age_of(s, now, age);
        buf_adds(out, str_of(age));
        return;
    }
    if (!json_is_string(v)) {
        json_text_write(v, &text);
        s = buf_str(&text);
    }
    text_shorten(s, CELL_WIDTH, out);
}

static struct str row_name(struct object_table *t, const struct watch_object *o)
{
    buf_printf(&t->texts, "%s%s%s", t->resources ? o->resource : "", t->resources ? "/" : "",
               o->name);
    return buf_str(&t->texts);
}

static void plain_row(struct object_table *t, const struct watch_object *o, struct buf *out)
{
    const struct str cells[] = {str_of(o->ns), row_name(t, o), str_of(t->glance.version),
                                str_of(t->glance.age), buf_str(&t->glance.summary)};
    table_row(&t->table, cells + (t->namespaces ? 0 : 1), out);
}

/* event: of a table of events */
static void declared_row(struct object_table *t, const char *event, const struct watch_object *o,
                         wall_ms_t now, struct buf *out)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
        v = json_null();
    }
    /* The texts move while they grow, so first all of them, then the cells. */
    size_t ends[TABLE_COLUMNS_MAX];
    size_t n = 0;
    if (t->events) {
        buf_adds(&t->texts, str_of(event));
        ends[n++] = t->texts.n;
        buf_adds(&t->texts, str_of(t->glance.version));
        ends[n++] = t->texts.n;
    }
    if (t->namespaces) {
        buf_adds(&t->texts, str_of(o->ns));
        ends[n++] = t->texts.n;
    }
    (void)row_name(t, o);
    ends[n++] = t->texts.n;
    for (size_t i = 0; i < t->n_columns; i++) {
        show_value(t->columns[i], json_path_get(t->columns[i]->path, v), now, &t->texts);
        ends[n++] = t->texts.n;
    }
    if (t->age) {
        buf_adds(&t->texts, str_of(t->glance.age));
        ends[n++] = t->texts.n;
    }
    struct str cells[TABLE_COLUMNS_MAX];
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        cells[i] = (struct str){t->texts.p + begin, ends[i] - begin};
        begin = ends[i];
    }
    table_row(&t->table, cells, out);
}

void object_table_row(struct object_table *t, const struct watch_object *o, wall_ms_t now,
                      struct buf *out)
{
    glance_at(&t->glance, o, now);
    buf_clear(&t->texts);
    if (t->n_columns != 0) {
        declared_row(t, "", o, now, out);
    } else {
        plain_row(t, o, out);
    }
}

/* ---- Events -------------------------------------------------------------------------------- */

void event_table_init(struct object_table *t, bool namespaces, bool resources,
                      const struct resource_definition *definition, bool wide)
{
    struct table_column columns[TABLE_COLUMNS_MAX] = {
        {"EVENT", LIVE_WIDTH},
        {"RV",    LIVE_WIDTH}
    };
    size_t n = 2;
    init_common(t, namespaces, resources, definition, wide);
    t->events = true;
    if (namespaces) {
        columns[n++] = (struct table_column){"NAMESPACE", 12};
    }
    columns[n++] = (struct table_column){"NAME", 28};
    for (size_t i = 0; i < t->n_columns; i++) {
        make_title(t->columns[i]->name, t->titles[i]);
        columns[n++] = (struct table_column){t->titles[i], LIVE_WIDTH};
    }
    if (t->n_columns == 0) {
        columns[n++].title = "SPEC";
    }
    table_init(&t->table, columns, n, 0);
}

void event_table_row(struct object_table *t, const char *event, const struct watch_object *o,
                     wall_ms_t now, struct buf *out)
{
    glance_at(&t->glance, o, now);
    buf_clear(&t->texts);
    if (t->n_columns != 0) {
        declared_row(t, event, o, now, out);
        return;
    }
    const struct str cells[] = {str_of(event), str_of(t->glance.version), str_of(o->ns),
                                row_name(t, o), buf_str(&t->glance.summary)};
    const struct str without_ns[] = {cells[0], cells[1], cells[3], cells[4]};
    table_row(&t->table, t->namespaces ? cells : without_ns, out);
}

void event_table_signal(struct object_table *t, const char *event, uint64_t rv, struct buf *out)
{
    char version[24];
    snprintf(version, sizeof(version), "%" PRIu64, rv);
    struct str cells[TABLE_COLUMNS_MAX] = {str_of(event), str_of(version)};
    for (size_t i = 2; i < t->table.n_columns; i++) {
        cells[i] = STR_EMPTY;
    }
    table_row(&t->table, cells, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <assert.h>

#include "cli/text.h"

#define GAP      3
#define ROWS_MAX ((size_t)256 << 20)

void table_init(struct table *t, const struct table_column *columns, size_t n, size_t keep_back)
{
    assert(n > 0 && n <= TABLE_COLUMNS_MAX);
    memset(t, 0, sizeof(*t));
    t->n_columns = n;
    t->keep_back = keep_back;
    buf_init(&t->rows, ROWS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t title = strlen(columns[i].title);
        t->columns[i] = columns[i];
        t->width[i] = columns[i].width > title ? columns[i].width : title;
    }
}

void table_fini(struct table *t)
{
    buf_fini(&t->rows);
}

/* The last column is never padded, so lines have no spaces at their end. */
static void show_cell(const struct table *t, size_t column, struct str cell, struct buf *out)
{
    buf_adds(out, cell);
    if (column + 1 < t->n_columns) {
        size_t width = text_width(cell);
        size_t pad = t->width[column] > width ? t->width[column] - width : 0;
        buf_printf(out, "%*s", (int)(pad + GAP), "");
    }
}

static void end_line(struct buf *out)
{
    while (out->n > 0 && out->p[out->n - 1] == ' ') {
        out->n--;
    }
    buf_addc(out, '\n');
}

static void show_header(struct table *t, struct buf *out)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        show_cell(t, i, str_of(t->columns[i].title), out);
    }
    end_line(out);
    t->headed = true;
}

static void show_kept(struct table *t, struct buf *out)
{
    if (t->kept == 0) {
        return;
    }
    if (!t->headed) {
        show_header(t, out);
    }
    const char *at = t->rows.p;
    for (size_t row = 0; row < t->kept; row++) {
        for (size_t i = 0; i < t->n_columns; i++) {
            struct str cell = str_of(at);
            show_cell(t, i, cell, out);
            at += cell.n + 1;
        }
        end_line(out);
    }
    t->kept = 0;
    buf_clear(&t->rows);
}

void table_row(struct table *t, const struct str *cells, struct buf *out)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        size_t cell = t->rows.n;
        text_escape(cells[i], &t->rows);
        size_t width = text_width((struct str){t->rows.p + cell, t->rows.n - cell});
        buf_addc(&t->rows, '\0');
        if (i + 1 < t->n_columns && width > t->width[i]) {
            t->width[i] = width;
            t->headed = false;
        }
    }
    t->kept++;
    if (t->kept < t->keep_back) {
        return;
    }
    t->keep_back = 0;
    show_kept(t, out);
}

void table_end(struct table *t, struct buf *out)
{
    show_kept(t, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: a header, aligned columns, cells escaped. It is born with the width each
 * column is sure to need; the first rows are kept back to learn more (or none, for a live table).
 * When a later row needs more room, the columns grow and the header is shown again. */
#ifndef WATCHD_CLI_TABLE_H
#define WATCHD_CLI_TABLE_H

#include <stdio.h>

#include "store/base/bytes.h"

#define TABLE_COLUMNS_MAX 32

struct table_column {
    const char *title;
    size_t width; /* reserved; at least the title's */
};

struct table {
    size_t n_columns;
    struct table_column columns[TABLE_COLUMNS_MAX];
    size_t width[TABLE_COLUMNS_MAX];
    size_t keep_back; /* rows to learn from before anything is shown */
    size_t kept;
    struct buf rows; /* kept back: cells, each with a NUL behind it */
    bool headed;     /* a header with the present widths was shown */
};

void table_init(struct table *t, const struct table_column *columns, size_t n, size_t keep_back);
void table_fini(struct table *t);
/* cells[n_columns]; they are copied. Appends what is to be shown now to `out`. */
void table_row(struct table *t, const struct str *cells, struct buf *out);
/* Appends what was kept back. Nothing at all if there was no row. */
void table_end(struct table *t, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A table of objects: [NAMESPACE] NAME VERSION AGE SPEC, or with the columns that the definition of
 * their resource declares: [NAMESPACE] NAME … AGE. Or of events: EVENT RV [NAMESPACE] NAME SPEC, or
 * with the declared columns in the place of SPEC. */
#ifndef WATCHD_CLI_OBJECT_TABLE_H
#define WATCHD_CLI_OBJECT_TABLE_H

#include "cli/show.h"
#include "cli/table.h"
#include "store/model/resource_definition.h"

struct object_table {
    struct table table;
    struct glance glance;
    struct buf texts;                                 /* of a row's cells, in one piece */
    bool namespaces;                                  /* a column for them */
    bool resources;                                   /* NAME is RESOURCE/NAME */
    const struct column *columns[DEFINITION_COLUMNS]; /* that are shown */
    size_t n_columns;                                 /* 0: none are declared */
    char titles[DEFINITION_COLUMNS][COLUMN_NAME_MAX_LEN + 1];
    bool age; /* unless a column of that name is declared */
    bool events;
};

/* definition: may be NULL; it is borrowed. wide: also the columns of a priority above 0. */
void object_table_init(struct object_table *t, bool namespaces, bool resources,
                       const struct resource_definition *definition, bool wide);
void object_table_fini(struct object_table *t);
void object_table_row(struct object_table *t, const struct watch_object *o, wall_ms_t now,
                      struct buf *out);

/* A table of events, each of which is shown at once. */
void event_table_init(struct object_table *t, bool namespaces, bool resources,
                      const struct resource_definition *definition, bool wide);
void event_table_row(struct object_table *t, const char *event, const struct watch_object *o,
                     wall_ms_t now, struct buf *out);
/* What is of no object. */
void event_table_signal(struct object_table *t, const char *event, uint64_t rv, struct buf *out);

#endif

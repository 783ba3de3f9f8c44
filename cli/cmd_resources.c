/* SPDX-License-Identifier: Apache-2.0 */
/* resources: what is declared, and what is in use without being declared. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "cli/table.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define OUT_MAX ((size_t)64 << 20)

struct listed {
    struct str name;
    const struct resource_definition *definition; /* NULL: not declared */
    uint64_t objects;
};

struct listed_resources {
    struct catalog catalog;
    struct listed *v; /* by name; borrows from the catalog and from the client */
    size_t n;
    bool counted; /* it is known how many objects there are, and what is not declared */
};

static void listed_fini(struct listed_resources *l)
{
    catalog_fini(&l->catalog);
    free(l->v);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

/* The counts are for administrators; who may not see them does without. */
static int load(const struct cli *cli, struct listed_resources *l)
{
    struct watch_status status = {0};
    struct watch_error error;
    int code = catalog_load(cli, &l->catalog);
    if (code != 0) {
        return code;
    }
    l->counted = watch_status(cli->client, &status, &error) == WATCH_OK;
    if (!l->counted && !(error.from_server && error.code == WATCH_DENIED)) {
        return cli_complain(cli, &error);
    }
    const struct catalog *c = &l->catalog;
    l->v = mem_zalloc((c->n + status.n_resources + 1) * sizeof(*l->v));
    for (size_t i = 0; i < c->n; i++) {
        l->v[l->n++] = (struct listed){.name = c->v[i]->resource, .definition = c->v[i]};
    }
    for (size_t i = 0; i < status.n_resources; i++) {
        const struct watch_resource_use *use = &status.resources[i];
        size_t at = 0;
        while (at < c->n && !str_eq(l->v[at].name, str_of(use->resource))) {
            at++;
        }
        if (strcmp(use->resource, RESOURCE_RESOURCES) == 0) {
            continue; /* is built in */
        }
        if (at == c->n) {
            at = l->n++;
        }
        l->v[at].name = str_of(use->resource);
        l->v[at].objects = use->objects;
    }
    qsort(l->v, l->n, sizeof(*l->v), by_name);
    return 0;
}

static void append_names(const struct resource_definition *d, struct buf *out)
{
    for (size_t i = 0; i < d->n_short_names; i++) {
        buf_adds(out, i == 0 ? STR_EMPTY : STR(","));
        buf_adds(out, d->short_names[i]);
    }
}

static void show_table(const struct listed_resources *l, struct buf *out)
{
    static const struct table_column columns[] = {
        {"NAME",       0},
        {"SHORTNAMES", 0},
        {"APIVERSION", 0},
        {"NAMESPACED", 0},
        {"KIND",       0},
        {"OBJECTS",    0},
    };
    size_t n = sizeof(columns) / sizeof(columns[0]) - (l->counted ? 0 : 1);
    struct table t;
    table_init(&t, columns, n, l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        const struct resource_definition *d = l->v[i].definition;
        char objects[24];
        CLEANUP(buf_fini) struct buf names;
        buf_init(&names, OUT_MAX);
        snprintf(objects, sizeof(objects), "%" PRIu64, l->v[i].objects);
        if (d != NULL) {
            append_names(d, &names);
        }
        const struct str cells[] = {l->v[i].name,
                                    buf_str(&names),
                                    d != NULL ? d->api_version : STR_EMPTY,
                                    d != NULL && !d->namespaced ? STR("false") : STR("true"),
                                    d != NULL ? d->kind : STR("<undeclared>"),
                                    str_of(objects)};
        table_row(&t, cells, out);
    }
    table_end(&t, out);
    table_fini(&t);
}

static void show_definition(const struct resource_definition *d, struct buf *out)
{
    buf_adds(out, STR(", \"singular\": "));
    json_text_string(d->singular, out);
    buf_adds(out, STR(", \"shortNames\": ["));
    for (size_t k = 0; k < d->n_short_names; k++) {
        buf_adds(out, k == 0 ? STR_EMPTY : STR(", "));
        json_text_string(d->short_names[k], out);
    }
    buf_adds(out, STR("], \"apiVersion\": "));
    json_text_string(d->api_version, out);
    buf_adds(out, STR(", \"kind\": "));
    json_text_string(d->kind, out);
    buf_printf(out, ", \"namespaced\": %s", d->namespaced ? "true" : "false");
}

static void show_as_json(const struct listed_resources *l, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        const struct resource_definition *d = l->v[i].definition;
        buf_adds(out, i == 0 ? STR("\n") : STR(",\n"));
        buf_adds(out, STR("    {\"name\": "));
        json_text_string(l->v[i].name, out);
        buf_printf(out, ", \"declared\": %s", d != NULL ? "true" : "false");
        if (d != NULL) {
            show_definition(d, out);
        }
        if (l->counted) {
            buf_printf(out, ", \"objects\": %" PRIu64, l->v[i].objects);
        }
        buf_addc(out, '}');
    }
    buf_adds(out, l->n != 0 ? STR("\n]\n") : STR("]\n"));
}

int resources_run(struct cli *cli, const struct words *words)
{
    (void)words;
    const char *output;
    CLEANUP(listed_fini) struct listed_resources l = {0};
    int code = command_output(cli, &output);
    code = code != 0 ? code : cli_open(cli);
    code = code != 0 ? code : load(cli, &l);
    if (code != 0) {
        return code;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, OUT_MAX);
    if (strcmp(output, "json") == 0) {
        show_as_json(&l, &out);
    } else if (strcmp(output, "name") == 0) {
        for (size_t i = 0; i < l.n; i++) {
            buf_adds(&out, l.v[i].name);
            buf_addc(&out, '\n');
        }
    } else if (l.n == 0) {
        cli_notice("No resources are declared or in use.");
    } else {
        show_table(&l, &out);
    }
    show_out(&out);
    return cli_flush();
}

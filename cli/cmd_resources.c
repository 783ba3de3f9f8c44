/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "cli/table.h"
#include "store/model/json.h"

#define OUT_MAX ((size_t)64 << 20)

static void append_names(const struct resource_definition *d, struct buf *out)
{
    for (size_t i = 0; i < d->n_short_names; i++) {
        buf_adds(out, i == 0 ? STR_EMPTY : STR(","));
        buf_adds(out, d->short_names[i]);
    }
}

static void show_table(const struct catalog *c, struct buf *out)
{
    static const struct table_column columns[] = {
        {"NAME",       0},
        {"SHORTNAMES", 0},
        {"APIVERSION", 0},
        {"NAMESPACED", 0},
        {"KIND",       0},
    };
    struct table t;
    table_init(&t, columns, sizeof(columns) / sizeof(columns[0]), c->n + 1);
    for (size_t i = 0; i < c->n; i++) {
        const struct resource_definition *d = c->v[i];
        CLEANUP(buf_fini) struct buf names;
        buf_init(&names, OUT_MAX);
        append_names(d, &names);
        const struct str cells[] = {d->resource, buf_str(&names), d->api_version,
                                    d->namespaced ? STR("true") : STR("false"), d->kind};
        table_row(&t, cells, out);
    }
    table_end(&t, out);
    table_fini(&t);
}

static void show_json_of(const struct catalog *c, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < c->n; i++) {
        const struct resource_definition *d = c->v[i];
        buf_adds(out, i == 0 ? STR("\n") : STR(",\n"));
        buf_adds(out, STR("    {\"name\": "));
        json_text_string(d->resource, out);
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
        buf_printf(out, ", \"namespaced\": %s}", d->namespaced ? "true" : "false");
    }
    buf_adds(out, c->n != 0 ? STR("\n]\n") : STR("]\n"));
}

int resources_run(struct cli *cli, const struct words *words)
{
    (void)words;
    const char *output;
    CLEANUP(catalog_fini) struct catalog c = {0};
    int code = command_output(cli, &output);
    code = code != 0 ? code : cli_open(cli);
    code = code != 0 ? code : catalog_load(cli, &c);
    if (code != 0) {
        return code;
    }
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, OUT_MAX);
    if (strcmp(output, "json") == 0) {
        show_json_of(&c, &out);
    } else if (strcmp(output, "name") == 0) {
        for (size_t i = 0; i < c.n; i++) {
            buf_adds(&out, c.v[i]->resource);
            buf_addc(&out, '\n');
        }
    } else if (c.n == 0) {
        cli_notice("No resources are declared.");
    } else {
        show_table(&c, &out);
    }
    show_out(&out);
    return cli_flush();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include <inttypes.h>

#include "cli/object_table.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define OUT_MAX ((size_t)1 << 30)

void selection_of(const struct cli *cli, const struct target *target, struct watch_selection *ret)
{
    *ret = (struct watch_selection){.resource = target->resource,
                                    .ns = cli->options.ns,
                                    .all_namespaces = cli->options.all_namespaces,
                                    .name = target->name,
                                    .label_selector = cli->options.selector,
                                    .field_selector = cli->options.field_selector};
}

int list_each(const struct cli *cli, const struct watch_selection *selection, list_page_fn *fn,
              void *arg)
{
    const char *next = "";
    uint64_t rv = 0;
    int bad = cli_at_rv(cli, &rv);
    if (bad != 0) {
        return bad;
    }
    do {
        struct watch_page page;
        struct watch_error error;
        if (watch_list_at(cli->client, selection, rv, (uint32_t)cli->options.chunk_size, next,
                          &page, &error) != WATCH_OK) {
            return cli_complain(cli, &error);
        }
        int code = fn(arg, &page);
        if (code != 0) {
            return code;
        }
        next = page.next;
    } while (*next != '\0');
    return 0;
}

struct listing {
    const struct cli *cli;
    const struct resource_definition *definition; /* NULL: none */
    bool wide;
    bool any;
    bool first_page_done;
    struct object_table table;
    wall_ms_t now;
    struct buf out;
    json_t *items; /* yaml */
    rv_t rv;
};

static int table_page(void *arg, const struct watch_page *page)
{
    struct listing *l = arg;
    for (size_t i = 0; i < page->n; i++) {
        object_table_row(&l->table, &page->objects[i], l->now, &l->out);
        l->any = true;
    }
    show_out(&l->out);
    return cli_flush();
}

static int name_page(void *arg, const struct watch_page *page)
{
    struct listing *l = arg;
    for (size_t i = 0; i < page->n; i++) {
        show_name(&page->objects[i]);
        l->any = true;
    }
    return cli_flush();
}

/* One level deeper than by itself. */
static void append_item(struct str json, bool first, struct buf *out)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUT_MAX);
    text_indent_json(json, &text);
    buf_adds(out, first ? STR("\n        ") : STR(",\n        "));
    for (size_t i = 0; i < text.n; i++) {
        buf_addc(out, text.p[i]);
        if (text.p[i] == '\n') {
            buf_adds(out, STR("        "));
        }
    }
}

static int json_page(void *arg, const struct watch_page *page)
{
    struct listing *l = arg;
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUT_MAX);
    if (!l->first_page_done) {
        l->first_page_done = true;
        buf_printf(&text,
                   "{\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": "
                   "\"%" PRIu64 "\"\n    },\n    \"items\": [",
                   page->rv);
    }
    for (size_t i = 0; i < page->n; i++) {
        const struct watch_object *o = &page->objects[i];
        append_item((struct str){o->json, o->json_len}, !l->any, &text);
        l->any = true;
    }
    show_append_json(buf_str(&text), &l->out);
    show_out(&l->out);
    return cli_flush();
}

static int yaml_page(void *arg, const struct watch_page *page)
{
    struct listing *l = arg;
    l->rv = page->rv;
    for (size_t i = 0; i < page->n; i++) {
        const struct watch_object *o = &page->objects[i];
        json_t *v = NULL;
        struct err err;
        if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
            return cli_other("%s/%s: %s", o->resource, o->name, err.msg);
        }
        json_array_append_new(l->items, v);
    }
    return 0;
}

static int show_as_table(struct listing *l, const struct watch_selection *v)
{
    bool all_resources = strcmp(v->resource, RESOURCE_ALL) == 0;
    object_table_init(&l->table, v->all_namespaces != 0, all_resources, l->definition, l->wide);
    l->now = clock_wall(&clock_system);
    int code = list_each(l->cli, v, table_page, l);
    if (code == 0) {
        table_end(&l->table.table, &l->out);
        show_out(&l->out);
    }
    object_table_fini(&l->table);
    if (code == 0 && !l->any && *v->name != '\0') {
        if (!l->cli->options.ignore_not_found) {
            cli_notice("Error from server (NotFound): %s \"%s\" not found", v->resource, v->name);
            return EXIT_CODE_NOT_FOUND;
        }
    } else if (code == 0 && !l->any &&
               (v->all_namespaces || (l->definition != NULL && !l->definition->namespaced))) {
        cli_notice("No objects found.");
    } else if (code == 0 && !l->any) {
        cli_notice("No objects found in %s namespace.", v->ns != NULL ? v->ns : NAMESPACE_DEFAULT);
    }
    return code;
}

static int show_as_json(struct listing *l, const struct watch_selection *v)
{
    int code = list_each(l->cli, v, json_page, l);
    if (code == 0) {
        printf("%s]\n}\n", l->any ? "\n    " : "");
    }
    return code;
}

static int show_as_yaml(struct listing *l, const struct watch_selection *v)
{
    CLEANUP(json_decrefp) json_t *list = json_object();
    l->items = json_array();
    json_t *metadata = json_object();
    json_object_set_new(list, "kind", json_string("List"));
    json_object_set_new(list, "metadata", metadata);
    json_object_set_new(list, "items", l->items);
    int code = list_each(l->cli, v, yaml_page, l);
    if (code != 0) {
        return code;
    }
    char rv[24];
    snprintf(rv, sizeof(rv), "%" PRIu64, l->rv);
    json_object_set_new(metadata, "resourceVersion", json_string(rv));
    struct err err;
    if (yaml_write(list, &l->out, &err) != OK) {
        return cli_other("%s", err.msg);
    }
    show_out(&l->out);
    return 0;
}

int list_show(const struct cli *cli, const struct target *target, const char *output)
{
    struct watch_selection v;
    selection_of(cli, target, &v);
    struct listing l = {
        .cli = cli, .definition = target->definition, .wide = strcmp(output, "wide") == 0};
    buf_init(&l.out, OUT_MAX);
    int code = strcmp(output, "json") == 0   ? show_as_json(&l, &v)
               : strcmp(output, "yaml") == 0 ? show_as_yaml(&l, &v)
               : strcmp(output, "name") == 0 ? list_each(cli, &v, name_page, &l)
                                             : show_as_table(&l, &v);
    buf_fini(&l.out);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Most words are names of resources: a point read tells at once, and brings the definition. Only
 * where there is none of that name are the definitions listed. */
#include "cli/resource.h"

#include <stdlib.h>

#include "store/model/json.h"

#define PAGE 500

/* NULL: the server sends what this version does not understand. */
static struct resource_definition *definition_of(const struct watch_object *o)
{
    CLEANUP(json_decrefp) json_t *tree = NULL;
    struct resource_definition *d = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "object", &tree, &err) != OK ||
        resource_definition_new(str_of(o->name), tree, &d, &err) != OK) {
        return NULL;
    }
    return d;
}

/* Who may not see the definitions does without them. */
static bool is_hidden(const struct watch_error *error)
{
    return error->from_server && error->code == WATCH_DENIED;
}

/* ---- The catalog --------------------------------------------------------------------------- */

void catalog_fini(struct catalog *c)
{
    for (size_t i = 0; i < c->n; i++) {
        resource_definition_unref(c->v[i]);
    }
    free(c->v);
    *c = (struct catalog){0};
}

static enum watch_code load(const struct cli *cli, struct catalog *c, struct watch_error *error)
{
    const struct watch_selection all = {.resource = RESOURCE_RESOURCES};
    const char *next = "";
    while (!c->loaded) {
        struct watch_page page;
        if (watch_list(cli->client, &all, PAGE, next, &page, error) != WATCH_OK) {
            c->loaded = is_hidden(error);
            return c->loaded ? WATCH_OK : error->code;
        }
        c->v = mem_realloc(c->v, (c->n + page.n + 1) * sizeof(struct resource_definition *));
        for (size_t i = 0; i < page.n; i++) {
            c->v[c->n] = definition_of(&page.objects[i]);
            c->n += c->v[c->n] != NULL;
        }
        next = page.next;
        c->loaded = *next == '\0';
    }
    return WATCH_OK;
}

int catalog_load(const struct cli *cli, struct catalog *c)
{
    struct watch_error error;
    return load(cli, c, &error) == WATCH_OK ? 0 : cli_complain(cli, &error);
}

/* ---- Words --------------------------------------------------------------------------------- */

/* The definition of that name; NULL if there is none. */
static enum watch_code find_by_name(const struct cli *cli, const char *word,
                                    struct resource_definition **ret, struct watch_error *error)
{
    struct watch_object object;
    if (name_check_resource(str_of(word), "resource", NULL) != OK) {
        return WATCH_OK;
    }
    if (watch_get(cli->client, RESOURCE_RESOURCES, NULL, word, &object, error) == WATCH_OK) {
        *ret = definition_of(&object);
        return WATCH_OK;
    }
    bool missing = error->from_server && error->code == WATCH_NOT_FOUND;
    return missing || is_hidden(error) ? WATCH_OK : error->code;
}

/* The one that is called so; NULL if there is none. */
static enum watch_code find_by_word(const struct cli *cli, const char *word,
                                    struct resource_definition **ret, struct watch_error *error)
{
    CLEANUP(catalog_fini) struct catalog c = {0};
    CLEANUP(resource_definition_unrefp) struct resource_definition *found = NULL;
    enum watch_code code = load(cli, &c, error);
    for (size_t i = 0; i < c.n && code == WATCH_OK; i++) {
        if (!resource_definition_is_called(c.v[i], str_of(word))) {
            continue;
        }
        if (found != NULL) {
            *error = (struct watch_error){.code = WATCH_INVALID};
            snprintf(error->message, sizeof(error->message),
                     "\"%s\" may be %.*s or %.*s; use one of these words", word,
                     STR_ARG(found->resource), STR_ARG(c.v[i]->resource));
            return error->code;
        }
        found = resource_definition_ref(c.v[i]);
    }
    *ret = code == WATCH_OK ? TAKE(found) : NULL;
    return code;
}

enum watch_code resource_try(struct cli *cli, struct target *target, struct watch_error *error)
{
    const char *word = target->resource;
    if (*word == '\0' || strcmp(word, RESOURCE_ALL) == 0 || strcmp(word, RESOURCE_RESOURCES) == 0) {
        return WATCH_OK;
    }
    struct resource_definition *d = NULL;
    enum watch_code code = find_by_name(cli, word, &d, error);
    if (code == WATCH_OK && d == NULL) {
        code = find_by_word(cli, word, &d, error);
    }
    if (d == NULL) {
        return code;
    }
    resource_definition_unref(cli->definition);
    cli->definition = d;
    target->definition = d;
    if (!str_eq(str_of(word), d->resource)) {
        snprintf(cli->resource, sizeof(cli->resource), "%.*s", STR_ARG(d->resource));
        target->resource = cli->resource;
    }
    if (!d->namespaced) {
        cli->options.ns = NULL;
        cli->options.all_namespaces = false;
    }
    return WATCH_OK;
}

int resource_resolve(struct cli *cli, struct target *target)
{
    struct watch_error error;
    return resource_try(cli, target, &error) == WATCH_OK ? 0 : cli_complain(cli, &error);
}

void resource_of_document(const struct catalog *c, const char *api_version, const char *kind,
                          char ret[ARGS_RESOURCE_MAX])
{
    const struct resource_definition *best = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct resource_definition *d = c->v[i];
        bool closer = best == NULL || str_eq(d->api_version, str_of(api_version));
        if (str_eq(d->kind, str_of(kind)) && closer) {
            best = d;
        }
    }
    if (best != NULL) {
        snprintf(ret, ARGS_RESOURCE_MAX, "%.*s", STR_ARG(best->resource));
    } else {
        resource_of_kind(api_version, kind, ret);
    }
}

int resource_of_line(const struct cli *cli, struct catalog *c, struct import_line *l)
{
    if (l->kind == NULL) {
        return 0;
    }
    int code = catalog_load(cli, c);
    if (code == 0) {
        char resource[ARGS_RESOURCE_MAX];
        resource_of_document(c, l->api_version, l->kind, resource);
        free(l->resource);
        l->resource = mem_strdup(resource);
    }
    return code;
}

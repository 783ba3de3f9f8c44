/* SPDX-License-Identifier: Apache-2.0 */
/* delete: one object by its name, or, only with a selector or --all, a collection. */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/resource.h"
#include "cli/show.h"

static int collection_selection(const struct cli *cli, const struct words *words,
                                struct target *target, struct watch_selection *ret)
{
    const struct options *o = &cli->options;
    struct err err;
    if (o->all_objects && (o->selector != NULL || o->field_selector != NULL)) {
        return cli_usage(cli, "--all and a selector exclude each other");
    }
    if (o->if_rv != NULL || o->if_uid != NULL) {
        return cli_usage(cli, "--if-%s is for one object", o->if_rv != NULL ? "rv" : "uid");
    }
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_RESOURCE, target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*target->resource == '\0') {
        return cli_usage(cli, "name the RESOURCE of the objects to delete");
    }
    if (*target->name != '\0') {
        return cli_usage(cli, "name one object, or objects by a selector or --all, not both");
    }
    *ret = (struct watch_selection){
        .resource = target->resource,
        .ns = o->ns,
        .all_namespaces = o->all_namespaces,
        .label_selector = o->selector,
        .field_selector = o->field_selector,
    };
    return 0;
}

static int delete_collection(struct cli *cli, const struct words *words, const char *output)
{
    struct watch_selection selection;
    struct target target;
    if (strcmp(output, "json") == 0) {
        return cli_usage(cli, "-o json shows one object; here only -o name is known");
    }
    int code = collection_selection(cli, words, &target, &selection);
    code = code != 0 ? code : cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    selection.resource = target.resource;
    selection.ns = cli->options.ns;
    selection.all_namespaces = cli->options.all_namespaces;
    CLEANUP(freep) char *next = NULL;
    uint64_t count = 0;
    while (code == 0) {
        struct watch_deleted_page page;
        struct watch_error error;
        if (watch_delete_collection(cli->client, &selection, cli->options.field_manager,
                                    cli->options.dry_run, 0, next, &page, &error) != WATCH_OK) {
            return cli_complain(cli, &error);
        }
        for (size_t i = 0; i < page.n; i++) {
            if (strcmp(output, "name") == 0) {
                show_name(&page.deleted[i].object);
            } else {
                command_say_written(cli, &page.deleted[i], true);
            }
        }
        count += page.n;
        free(next);
        next = mem_strdup(page.next);
        if (*next == '\0') {
            break;
        }
    }
    if (code == 0 && count == 0) {
        cli_notice("No objects found.");
    }
    return code;
}

int delete_run(struct cli *cli, const struct words *words)
{
    struct watch_write w = {.verb = WATCH_DELETE};
    const char *output;
    struct target target;
    struct err err;
    int code = command_output(cli, &output);
    const struct options *o = &cli->options;
    if (code == 0 && o->cascade != NULL) {
        w.orphan = strcmp(o->cascade, "orphan") == 0;
        code = w.orphan || strcmp(o->cascade, "background") == 0
                   ? 0
                   : cli_usage(cli, "--cascade wants background or orphan, not \"%s\"", o->cascade);
    }
    if (code == 0 && w.orphan &&
        (o->selector != NULL || o->field_selector != NULL || o->all_objects)) {
        code = cli_usage(cli, "--cascade orphan is for one object");
    }
    if (code == 0 && (o->selector != NULL || o->field_selector != NULL || o->all_objects)) {
        return delete_collection(cli, words, output);
    }
    code = code != 0 ? code : cli_preconditions(cli, &w);
    if (code == 0 && cli->options.all_namespaces) {
        code = cli_usage(cli, "-A is for objects that are named by a selector or --all");
    }
    if (code != 0) {
        return code;
    }
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_NAME, &target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*target.name == '\0') {
        return cli_usage(cli, "name the object to delete");
    }
    code = cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    w.resource = target.resource;
    w.name = target.name;
    w.ns = cli->options.ns;
    return code != 0 ? code : command_write(cli, &w, output);
}

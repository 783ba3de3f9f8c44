/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/list.h"
#include "cli/object_table.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "store/model/name.h"

static int get_one(const struct cli *cli, const struct target *target, const char *output)
{
    struct watch_object object;
    struct watch_error error;
    uint64_t rv = 0;
    int code = cli_at_rv(cli, &rv);
    if (code != 0) {
        return code;
    }
    const char *ns = cli->options.ns;
    enum watch_code got =
        cli->options.managed_fields
            ? watch_get_managed(cli->client, target->resource, ns, target->name, &object, &error)
            : watch_get_at(cli->client, target->resource, ns, target->name, rv, &object, &error);
    if (got != WATCH_OK) {
        bool missing = error.code == WATCH_NOT_FOUND && error.from_server;
        return missing && cli->options.ignore_not_found ? 0 : cli_complain(cli, &error);
    }
    struct err err;
    if (strcmp(output, "json") == 0) {
        show_json(&object);
    } else if (strcmp(output, "yaml") == 0) {
        return show_yaml(&object, &err) == OK ? 0 : cli_other("%s", err.msg);
    } else if (strcmp(output, "name") == 0) {
        show_name(&object);
    } else {
        struct object_table t;
        CLEANUP(buf_fini) struct buf out;
        buf_init(&out, (size_t)1 << 20);
        object_table_init(&t, false, false, target->definition, strcmp(output, "wide") == 0);
        object_table_row(&t, &object, clock_wall(&clock_system), &out);
        table_end(&t.table, &out);
        object_table_fini(&t);
        show_out(&out);
    }
    return 0;
}

int get_run(struct cli *cli, const struct words *words)
{
    const char *output;
    struct target target;
    struct err err;
    int code = command_output(cli, &output);
    if (code != 0) {
        return code;
    }
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_RESOURCE, &target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (words->n == 0) {
        return cli_usage(cli, "name a RESOURCE, for instance \"objects\", or \"all\"");
    }
    if (*target.name != '\0' &&
        (cli->options.selector != NULL || cli->options.field_selector != NULL)) {
        return cli_usage(cli, "a name and a selector exclude each other");
    }
    if (cli->options.managed_fields && (*target.name == '\0' || cli->options.all_namespaces ||
                                        strcmp(target.resource, RESOURCE_ALL) == 0)) {
        return cli_usage(cli, "--show-managed-fields is of one object: RESOURCE/NAME");
    }
    if (cli->options.managed_fields && cli->options.at_rv != NULL) {
        return cli_usage(cli, "--show-managed-fields and --at-rv exclude each other");
    }
    code = cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    if (code != 0) {
        return code;
    }
    bool one = *target.name != '\0' && !cli->options.all_namespaces &&
               strcmp(target.resource, RESOURCE_ALL) != 0;
    return one ? get_one(cli, &target, output) : list_show(cli, &target, output);
}

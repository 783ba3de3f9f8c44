/* SPDX-License-Identifier: Apache-2.0 */
/* export: what another server needs to have the same objects; what that one sets itself is left
 * out, since as a part of a put it would be a demand on the object as it is there. The definitions
 * come first, so that the other server knows what it is given. */
#include <inttypes.h>

#include "cli/command.h"
#include "cli/export_line.h"
#include "cli/list.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "store/model/name.h"

struct exporting {
    bool skip_definitions;
    uint64_t rv;    /* that the last page shows */
    uint64_t owned; /* objects whose owner references were left out */
    struct buf out;
};

static int export_page(void *arg, const struct watch_page *page)
{
    struct exporting *e = arg;
    e->rv = page->rv;
    for (size_t i = 0; i < page->n; i++) {
        if (e->skip_definitions && strcmp(page->objects[i].resource, RESOURCE_RESOURCES) == 0) {
            continue;
        }
        struct err err;
        bool owned;
        if (export_line(&page->objects[i], &e->out, &owned, &err) != OK) {
            return cli_other("%s/%s: %s", page->objects[i].resource, page->objects[i].name,
                             err.msg);
        }
        e->owned += owned;
    }
    show_out(&e->out);
    return cli_flush();
}

/* Those of a selection of all resources; and all else is to be of the same version. */
static int export_definitions(struct cli *cli, const struct watch_selection *all,
                              struct exporting *e, char at_rv[24])
{
    struct watch_selection v = *all;
    if (!v.all_namespaces && v.ns != NULL && strcmp(v.ns, NAMESPACE_DEFAULT) != 0) {
        return 0; /* they are in the default one */
    }
    v.resource = RESOURCE_RESOURCES;
    v.ns = NULL;
    v.all_namespaces = 0;
    int code = list_each(cli, &v, export_page, e);
    e->skip_definitions = true;
    if (e->rv != 0) {
        snprintf(at_rv, 24, "%" PRIu64, e->rv);
        cli->options.at_rv = at_rv;
    }
    return code;
}

int export_run(struct cli *cli, const struct words *words)
{
    struct target target;
    struct err err;
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_RESOURCE, &target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    int code = cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    if (code != 0) {
        return code;
    }
    struct watch_selection v;
    selection_of(cli, &target, &v);
    struct exporting e = {0};
    char at_rv[24];
    buf_init(&e.out, (size_t)1 << 30);
    if (strcmp(v.resource, RESOURCE_ALL) == 0) {
        code = export_definitions(cli, &v, &e, at_rv);
    }
    code = code != 0 ? code : list_each(cli, &v, export_page, &e);
    cli->options.at_rv = NULL;
    buf_fini(&e.out);
    if (e.owned > 0) {
        cli_notice("owner references of %" PRIu64 " %s left out: they name uids, which an import "
                   "makes anew",
                   e.owned, e.owned == 1 ? "object" : "objects");
    }
    return code;
}

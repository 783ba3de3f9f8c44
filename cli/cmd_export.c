/* SPDX-License-Identifier: Apache-2.0 */
/* export: what another server needs to have the same objects; what that one sets itself is left
 * out, since as a part of a put it would be a demand on the object as it is there. */
#include <inttypes.h>

#include "cli/command.h"
#include "cli/export_line.h"
#include "cli/list.h"
#include "cli/resource.h"
#include "cli/show.h"

struct export
{
    struct buf out;
    uint64_t owned; /* objects whose owner references were left out */
};

static int export_page(void *arg, const struct watch_page *page)
{
    struct export *ex = arg;
    for (size_t i = 0; i < page->n; i++) {
        struct err err;
        bool owned;
        if (export_line(&page->objects[i], &ex->out, &owned, &err) != OK) {
            return cli_other("%s/%s: %s", page->objects[i].resource, page->objects[i].name,
                             err.msg);
        }
        ex->owned += owned;
    }
    show_out(&ex->out);
    return cli_flush();
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
    struct export ex = {0};
    buf_init(&ex.out, (size_t)1 << 30);
    code = list_each(cli, &v, export_page, &ex);
    buf_fini(&ex.out);
    if (ex.owned > 0) {
        cli_notice("owner references of %" PRIu64 " %s left out: they name uids, which an import "
                   "makes anew",
                   ex.owned, ex.owned == 1 ? "object" : "objects");
    }
    return code;
}

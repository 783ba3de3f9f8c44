/* SPDX-License-Identifier: Apache-2.0 */
/* apply. */
#include "cli/command.h"
#include "cli/resource.h"
#include "store/model/name.h"

/* How many of the conflicts from the first on are with the same manager. */
static size_t count_alike(const struct watch_conflict *v, size_t n)
{
    size_t alike = 0;
    while (alike < n && strcmp(v[alike].description, v[0].description) == 0) {
        alike++;
    }
    return alike;
}

/* As kubectl tells it: by manager, a line for each field. */
int apply_complain(const struct cli *cli, const struct watch_write *w,
                   const struct watch_error *error)
{
    const struct watch_conflict *v = NULL;
    size_t n = error->code == WATCH_CONFLICT ? watch_conflicts(cli->client, &v) : 0;
    if (n == 0) {
        return cli_complain(cli, error);
    }
    const char *resource = *w->resource != '\0' ? w->resource : RESOURCE_DEFAULT;
    cli_notice("error: apply of %s/%s failed: %s", resource, w->name, error->message);
    for (size_t i = 0; i < n;) {
        size_t alike = count_alike(&v[i], n - i);
        cli_notice("%s:", v[i].description);
        for (size_t end = i + alike; i < end; i++) {
            cli_notice("- %s", v[i].field);
        }
    }
    cli_notice("hint: leave out what is others' to decide, apply their values, or take the fields "
               "over with --force-conflicts");
    return cli_exit_code(error);
}

static int apply_one(const struct cli *cli, struct catalog *catalog, const json_t *document,
                     size_t number, struct watch_write *w, const char *output)
{
    struct identity identity;
    char guessed[ARGS_RESOURCE_MAX];
    document_identity(document, &identity);
    w->resource = "";
    w->name = identity.name;
    if (*w->name == '\0') {
        return cli_invalid("document %zu has no metadata.name, so it is not known what to apply it "
                           "to",
                           number);
    }
    int code = command_aim(cli, catalog, &identity, guessed, w);
    if (code != 0) {
        return code;
    }
    return command_write_document(cli, w, document, output);
}

int apply_run(struct cli *cli, const struct words *words)
{
    (void)words;
    struct watch_write w = {.verb = WATCH_PATCH,
                            .patch_type = WATCH_PATCH_APPLY,
                            .force = cli->options.force_conflicts};
    CLEANUP(documents_fini) struct documents documents = {0};
    CLEANUP(catalog_fini) struct catalog catalog = {0};
    const char *output;
    bool status = false;
    int code = command_output(cli, &output);
    code = code != 0 ? code : command_subresource(cli, &status);
    w.patch_scope = status ? WATCH_PATCH_STATUS : WATCH_PATCH_WHOLE;
    if (code == 0 && cli->options.files.n == 0) {
        code = cli_usage(cli, "name the documents to apply: apply -f FILE");
    }
    code = code != 0 ? code : command_read_files(cli, &documents);
    code = code != 0 ? code : cli_open(cli);
    int first = 0;
    for (size_t i = 0; code == 0 && i < documents.n; i++) {
        int one = apply_one(cli, &catalog, documents.v[i], i + 1, &w, output);
        first = first != 0 ? first : one;
        code = command_goes_on(one) ? 0 : one;
    }
    return code != 0 ? code : first;
}

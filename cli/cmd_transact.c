/* SPDX-License-Identifier: Apache-2.0 */
/* transact. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/export_line.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "store/model/json.h"

/* JSON, a document a line; false if they are something else. */
static bool read_lines(struct str text, struct documents *ret)
{
    struct err err;
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end != NULL ? (size_t)(end - text.p) - at : text.n - at;
        struct str line = {text.p + at, n};
        at += n + 1;
        if (strspn(line.p, " \t\r") >= n) {
            continue;
        }
        if (documents_from_bytes(line, "line", true, ret, &err) != OK) {
            documents_fini(ret);
            *ret = (struct documents){0};
            return false;
        }
    }
    return ret->n > 0;
}

static int read_documents(const struct cli *cli, struct documents *ret)
{
    const struct option_list *files = &cli->options.files;
    struct err err;
    if (files->n != 1) {
        return cli_usage(cli, "give the operations with -f FILE, once");
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, DOCUMENT_BYTES_MAX + 1);
    enum errc rc = file_read(files->v[0], DOCUMENT_BYTES_MAX, &text, &err);
    if (rc == OK) {
        buf_addc(&text, '\0');
        text.n--;
        if (!read_lines(buf_str(&text), ret)) {
            rc = documents_from_bytes(buf_str(&text), files->v[0], false, ret, &err);
        }
    }
    if (rc == ERR_NOT_FOUND) {
        return cli_other("%s", err.msg);
    }
    if (rc != OK) {
        return cli_invalid("%s", err.msg);
    }
    if (ret->n == 0 || ret->n > WATCH_TRANSACT_MAX) {
        return cli_invalid("a transaction has 1 to %d operations, not %zu", WATCH_TRANSACT_MAX,
                           ret->n);
    }
    return 0;
}

/* The operations, in the order of the documents. */
static int read_operations(const struct cli *cli, const struct documents *documents,
                           struct import_line *lines, struct watch_write *ret)
{
    CLEANUP(catalog_fini) struct catalog catalog = {0};
    for (size_t i = 0; i < documents->n; i++) {
        struct import_line *l = &lines[i];
        struct err err;
        if (operation_read(documents->v[i], l, &err) != OK) {
            return cli_invalid("operation %zu: %s", i + 1, err.msg);
        }
        int code = resource_of_line(cli, &catalog, l);
        if (code != 0) {
            return code;
        }
        ret[i] = (struct watch_write){
            .verb = l->verb,
            .mode = l->mode,
            .patch_type = l->patch_type,
            .scope = WATCH_SCOPE_AUTO,
            .resource = l->resource,
            .ns = *l->ns == '\0' && cli->options.ns != NULL ? cli->options.ns : l->ns,
            .name = l->name,
            .generate_name = l->generate_name,
            .orphan = l->orphan,
            .json = l->json.p,
            .json_len = l->json.n,
            .if_rv = l->if_rv,
            .if_uid = l->if_uid,
            .field_manager = FIELD_MANAGER_CLI,
            .dry_run = cli->options.dry_run,
        };
    }
    return 0;
}

static int transact(const struct cli *cli, const struct watch_write *writes, size_t n,
                    const char *output)
{
    struct watch_transacted done;
    struct watch_error error;
    if (watch_transact(cli->client, writes, n, &done, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    for (size_t i = 0; i < done.n; i++) {
        if (strcmp(output, "name") == 0) {
            show_name(&done.written[i].object);
        } else if (strcmp(output, "json") == 0) {
            if (done.written[i].object.json_len != 0) { /* a check may be of no object */
                show_json(&done.written[i].object);
            }
        } else if (i < n && writes[i].verb == WATCH_CHECK) {
            printf("%s/%s checked\n", done.written[i].object.resource, done.written[i].object.name);
        } else {
            command_say_written(cli, &done.written[i], i < n && writes[i].verb == WATCH_DELETE);
        }
    }
    return 0;
}

int transact_run(struct cli *cli, const struct words *words)
{
    (void)words;
    const char *output;
    CLEANUP(documents_fini) struct documents documents = {0};
    int code = command_output(cli, &output);
    code = code != 0 ? code : read_documents(cli, &documents);
    if (code != 0) {
        return code;
    }
    struct import_line *lines = mem_zalloc(documents.n * sizeof(*lines));
    struct watch_write *writes = mem_zalloc(documents.n * sizeof(*writes));
    code = cli_open(cli);
    code = code != 0 ? code : read_operations(cli, &documents, lines, writes);
    writes[0].want_object = strcmp(output, "json") == 0;
    code = code != 0 ? code : transact(cli, writes, documents.n, output);
    for (size_t i = 0; i < documents.n; i++) {
        import_line_fini(&lines[i]);
    }
    free(lines);
    free(writes);
    return code;
}

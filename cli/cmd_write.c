/* SPDX-License-Identifier: Apache-2.0 */
/* put, patch. */
#include <inttypes.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "store/model/draft.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define TEXT_MAX ((size_t)128 << 20)

void command_say_written(const struct cli *cli, const struct watch_written *w, bool by_delete)
{
    static const char *const words[] = {
        [WATCH_RESULT_NONE] = "accepted",   [WATCH_RESULT_CREATED] = "created",
        [WATCH_RESULT_UPDATED] = "updated", [WATCH_RESULT_UNCHANGED] = "unchanged",
        [WATCH_RESULT_DELETED] = "deleted",
    };
    size_t n = sizeof(words) / sizeof(words[0]);
    const char *word = (size_t)w->result < n ? words[w->result] : "accepted";
    if (by_delete && w->result == WATCH_RESULT_UPDATED) {
        word = "marked for deletion, waits for its finalizers";
    } else if (by_delete && w->result == WATCH_RESULT_UNCHANGED) {
        word = "marked for deletion already, waits for its finalizers";
    }
    printf("%s/%s %s", w->object.resource, w->object.name, word);
    if (cli->options.dry_run) {
        printf(" (dry run)\n");
    } else {
        printf(" (version %" PRIu64 ")\n", w->object.rv);
    }
}

int command_write(const struct cli *cli, struct watch_write *w, const char *output)
{
    if (cli->options.ttl_ms != 0 && cli->options.no_ttl) {
        return cli_usage(cli, "--ttl and --no-ttl exclude each other");
    }
    w->ttl_ms = (uint64_t)cli->options.ttl_ms;
    w->no_ttl = cli->options.no_ttl;
    w->dry_run = cli->options.dry_run;
    w->field_manager = cli->options.field_manager;
    w->want_object = strcmp(output, "json") == 0;
    struct watch_written written;
    struct watch_error error;
    if (watch_write(cli->client, w, &written, &error) != WATCH_OK) {
        const char *resource = *w->resource != '\0' ? w->resource : RESOURCE_DEFAULT;
        if (error.code == WATCH_NOT_FOUND && error.from_server) {
            if (cli->options.ignore_not_found) {
                return 0;
            }
            snprintf(error.message, sizeof(error.message), "%s \"%s\" not found", resource,
                     w->name);
            error.field[0] = '\0';
        }
        return w->patch_type == WATCH_PATCH_APPLY ? apply_complain(cli, w, &error)
                                                  : cli_complain(cli, &error);
    }
    if (w->want_object) {
        show_json(&written.object);
    } else if (strcmp(output, "name") == 0) {
        show_name(&written.object);
    } else {
        command_say_written(cli, &written, w->verb == WATCH_DELETE);
    }
    return 0;
}

int command_write_document(const struct cli *cli, struct watch_write *w, const json_t *document,
                           const char *output)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, TEXT_MAX);
    json_text_write(document, &text);
    w->json = text.p;
    w->json_len = text.n;
    return command_write(cli, w, output);
}

/* Of the error in an argument or a file. */
static int document_failed(const struct err *err)
{
    if (err->code == ERR_NOT_FOUND) {
        return cli_other("%s", err->msg);
    }
    const char *label = strncmp(err->msg, err->field, strlen(err->field)) == 0 ? "" : err->field;
    return cli_invalid("%s%s%s", label, *label != '\0' ? ": " : "", err->msg);
}

int command_read_files(const struct cli *cli, struct documents *ret)
{
    struct err err;
    for (size_t i = 0; i < cli->options.files.n; i++) {
        if (documents_from_file(cli->options.files.v[i], ret, &err) != OK) {
            return document_failed(&err);
        }
    }
    return 0;
}

/* The document of put or patch: from -f, from -p, or the last word, which is then taken away. */
static int read_documents(const struct cli *cli, struct words *words, const char *what,
                          struct documents *ret)
{
    const struct options *o = &cli->options;
    struct err err;
    if (o->files.n > 0 && o->patch != NULL) {
        return cli_usage(cli, "-f and -p exclude each other");
    }
    bool by_option = o->files.n > 0 || o->patch != NULL;
    const char *last = words->n > 0 ? words->v[words->n - 1] : "";
    if (by_option && words->n > 0 && (last[0] == '{' || last[0] == '[')) {
        return cli_usage(cli, "give the %s once: as an argument or with an option", what);
    }
    if (o->files.n > 0) {
        return command_read_files(cli, ret);
    }
    const char *text = o->patch;
    if (text == NULL) {
        if (words->n < 2) {
            return words->n == 0
                       ? cli_usage(cli, "name the object, and give the %s", what)
                       : cli_usage(cli, "the %s is missing: give it as JSON, or with -f FILE",
                                   what);
        }
        text = words->v[--words->n];
    }
    return documents_from_text(text, what, ret, &err) == OK ? 0 : document_failed(&err);
}

int command_subresource(const struct cli *cli, bool *ret_status)
{
    const char *name = cli->options.subresource;
    if (name != NULL && strcmp(name, "status") != 0) {
        return cli_usage(cli, "--subresource knows \"status\" only, not \"%s\"", name);
    }
    if (name != NULL && cli->options.keep_status) {
        return cli_usage(cli, "--subresource and --keep-status exclude each other");
    }
    *ret_status = name != NULL;
    return 0;
}

/* Of a bare document the server could not tell that it is meant to be the status. A new reference.
 */
static json_t *status_document(const json_t *document)
{
    enum document_form form = DOCUMENT_WHOLE;
    struct err err;
    if (document_form_of(document, &form, &err) == OK && form == DOCUMENT_WHOLE) {
        return json_incref(json_mutable(document));
    }
    json_t *whole = json_object();
    json_object_set_nocheck(whole, "status", json_mutable(document));
    return whole;
}

int command_aim(const struct cli *cli, struct catalog *catalog, const struct identity *identity,
                char guessed[ARGS_RESOURCE_MAX], struct watch_write *w)
{
    w->ns = cli->options.ns != NULL ? cli->options.ns : identity->ns;
    if (*identity->kind == '\0') {
        return 0;
    }
    int code = catalog_load(cli, catalog);
    if (code == 0) {
        resource_of_document(catalog, identity->api_version, identity->kind, guessed);
        w->resource = guessed;
    }
    return code;
}

static int put_one(const struct cli *cli, const struct target *target, struct catalog *catalog,
                   const json_t *document, size_t number, struct watch_write *w, const char *output)
{
    struct identity identity;
    document_identity(document, &identity);
    char guessed[ARGS_RESOURCE_MAX];
    w->resource = target->resource;
    w->name = target->name;
    w->ns = cli->options.ns != NULL ? cli->options.ns : identity.ns;
    w->generate_name = 0;
    if (*w->name == '\0') {
        w->generate_name = *identity.name == '\0' && *identity.generate_name != '\0';
        w->name = w->generate_name ? identity.generate_name : identity.name;
        if (*w->name == '\0') {
            return cli_invalid("document %zu has no metadata.name; name it: put NAME -f FILE",
                               number);
        }
        int code = command_aim(cli, catalog, &identity, guessed, w);
        if (code != 0) {
            return code;
        }
    }
    CLEANUP(json_decrefp)
    json_t *sent = w->scope == WATCH_SCOPE_STATUS ? status_document(document)
                                                  : json_incref(json_mutable(document));
    return command_write_document(cli, w, sent, output);
}

bool command_goes_on(int code)
{
    return code == EXIT_CODE_INVALID || code == EXIT_CODE_NOT_FOUND ||
           code == err_info(ERR_CONFLICT)->exit_code;
}

int put_run(struct cli *cli, const struct words *given)
{
    struct words words = *given;
    struct watch_write w = {.verb = WATCH_PUT,
                            .mode = cli->options.if_absent ? WATCH_PUT_CREATE : WATCH_PUT_ANY};
    CLEANUP(documents_fini) struct documents documents = {0};
    const char *output;
    struct target target;
    struct err err;
    bool status = false;
    int code = cli_preconditions(cli, &w);
    code = code != 0 ? code : command_output(cli, &output);
    code = code != 0 ? code : command_subresource(cli, &status);
    if (code == 0 && cli->options.if_absent && (w.if_rv != 0 || w.if_uid != NULL)) {
        code = cli_usage(cli, "--if-absent and --if-%s exclude each other",
                         w.if_rv != 0 ? "rv" : "uid");
    }
    if (code == 0 && cli->options.if_absent && status) {
        code = cli_usage(cli, "--subresource status is of an object that exists");
    }
    w.scope = status                     ? WATCH_SCOPE_STATUS
              : cli->options.keep_status ? WATCH_SCOPE_KEEP_STATUS
                                         : WATCH_SCOPE_AUTO;
    code = code != 0 ? code : read_documents(cli, &words, "document", &documents);
    if (code != 0) {
        return code;
    }
    if (target_read(words.v, words.n, TARGET_ONE_WORD_IS_NAME, &target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*target.name != '\0' && documents.n > 1) {
        return cli_usage(cli, "-f holds %zu documents; leave out the name, they name themselves",
                         documents.n);
    }
    CLEANUP(catalog_fini) struct catalog catalog = {0};
    code = cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    int first = 0;
    for (size_t i = 0; code == 0 && i < documents.n; i++) {
        int one = put_one(cli, &target, &catalog, documents.v[i], i + 1, &w, output);
        first = first != 0 ? first : one;
        code = command_goes_on(one) ? 0 : one;
    }
    return code != 0 ? code : first;
}

/* What the options say of a patch. Returns 0 or an exit code. */
static int patch_kind(const struct cli *cli, struct watch_write *w)
{
    const char *type = cli->options.patch_type;
    bool status = false;
    int code = command_subresource(cli, &status);
    if (code == 0 && strcmp(type, "json") != 0 && strcmp(type, "merge") != 0) {
        code = cli_usage(cli, "--type wants merge or json, not \"%s\"", type);
    }
    w->patch_type = strcmp(type, "json") == 0 ? WATCH_PATCH_JSON : WATCH_PATCH_MERGE;
    w->patch_scope = status                     ? WATCH_PATCH_STATUS
                     : cli->options.keep_status ? WATCH_PATCH_KEEP_STATUS
                                                : WATCH_PATCH_WHOLE;
    return code;
}

int patch_run(struct cli *cli, const struct words *given)
{
    struct words words = *given;
    struct watch_write w = {.verb = WATCH_PATCH};
    CLEANUP(documents_fini) struct documents documents = {0};
    const char *output;
    struct target target;
    struct err err;
    int code = cli_preconditions(cli, &w);
    code = code != 0 ? code : command_output(cli, &output);
    code = code != 0 ? code : patch_kind(cli, &w);
    documents.arrays = w.patch_type == WATCH_PATCH_JSON;
    if (code == 0 && cli->options.files.n > 1) {
        code = cli_usage(cli, "a patch is in one FILE; give -f once");
    }
    code = code != 0 ? code : read_documents(cli, &words, "patch", &documents);
    if (code != 0) {
        return code;
    }
    if (target_read(words.v, words.n, TARGET_ONE_WORD_IS_NAME, &target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*target.name == '\0') {
        return cli_usage(cli, "name the object to patch");
    }
    if (documents.n != 1) {
        return cli_usage(cli, "one patch is wanted, not %zu", documents.n);
    }
    code = cli_open(cli);
    code = code != 0 ? code : resource_resolve(cli, &target);
    w.resource = target.resource;
    w.name = target.name;
    w.ns = cli->options.ns;
    return code != 0 ? code : command_write_document(cli, &w, documents.v[0], output);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* diff: two versions of one object, or an object and what a put would make of it, line by line. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/difference.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define OUT_MAX ((size_t)1 << 30)

struct side {
    uint64_t rv; /* 0: as it is now */
    bool there;
    bool put; /* without what the server sets, of which a dry run can only tell what it might be */
    char name[512];  /* "version 97" */
    struct buf text; /* as YAML; empty where it is not there */
};

static void side_fini(struct side *s)
{
    buf_fini(&s->text);
}

/* "A..B", "A.." and "A" (to what is there now). */
static bool read_range(const char *text, uint64_t *ret_a, uint64_t *ret_b)
{
    const char *dots = strstr(text, "..");
    struct str a = {text, dots != NULL ? (size_t)(dots - text) : strlen(text)};
    const char *b = dots != NULL ? dots + 2 : "";
    *ret_b = 0;
    return str_to_u64(a, ret_a) && *ret_a != 0 &&
           (*b == '\0' || (str_to_u64(str_of(b), ret_b) && *ret_b != 0));
}

static void side_init(struct side *s)
{
    *s = (struct side){0};
    buf_init(&s->text, OUT_MAX);
}

static int take(struct side *s, const struct watch_object *o)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
        return cli_other("%s", err.msg);
    }
    if (s->put) {
        difference_strip_all(v);
    } else {
        difference_strip(v);
    }
    s->there = true;
    return yaml_write(v, &s->text, &err) == OK ? 0 : cli_other("%s", err.msg);
}

static int fetch(struct cli *cli, const struct target *t, struct side *s)
{
    struct watch_object object;
    struct watch_error error;
    if (watch_get_at(cli->client, t->resource, cli->options.ns, t->name, s->rv, &object, &error) !=
        WATCH_OK) {
        bool missing = error.code == WATCH_NOT_FOUND && error.from_server;
        snprintf(s->name, sizeof s->name, "not there");
        return missing ? 0 : cli_complain(cli, &error);
    }
    snprintf(s->name, sizeof s->name, "version %" PRIu64, object.rv);
    return take(s, &object);
}

/* The last change: the two newest versions. */
static int fetch_last(struct cli *cli, const struct target *t, struct side *a, struct side *b)
{
    struct watch_revisions h;
    struct watch_error error;
    if (watch_history(cli->client, t->resource, cli->options.ns, t->name, 0, 2, 0, &h, &error) !=
        WATCH_OK) {
        return cli_complain(cli, &error);
    }
    if (h.n == 0) {
        return cli_other("%s: its history was compacted meanwhile; try again", t->name);
    }
    const struct watch_revision *last = &h.v[0];
    bool deleted = last->cause == WATCH_CAUSE_REMOVED || last->cause == WATCH_CAUSE_EXPIRED;
    bool made = last->cause == WATCH_CAUSE_CREATED;
    if (last->cause == WATCH_CAUSE_STATE || (!made && h.n < 2)) {
        return cli_other("%s: the version before %" PRIu64 " is no longer kept", t->name,
                         last->object.rv);
    }
    snprintf(a->name, sizeof a->name, made ? "not there" : "version %" PRIu64,
             h.v[h.n - 1].object.rv);
    snprintf(b->name, sizeof b->name, deleted ? "not there" : "version %" PRIu64, last->object.rv);
    int code = made ? 0 : take(a, &h.v[1].object);
    return code != 0 || deleted ? code : take(b, &last->object);
}

/* Returns the exit code. */
static int show(const struct side *a, const struct side *b)
{
    CLEANUP(buf_fini) struct buf text;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&text, OUT_MAX);
    buf_init(&out, OUT_MAX);
    bool differ = difference_lines(buf_str(&a->text), buf_str(&b->text), a->name, b->name, &text);
    show_append_json(buf_str(&text), &out);
    show_out(&out);
    int code = cli_flush();
    return code != 0 ? code : differ ? EXIT_CODE_OTHER : 0;
}

/* ---- Files --------------------------------------------------------------------------------- */

/* What is there, and what the put of a document would make of it. */
static int diff_document(struct cli *cli, struct catalog *catalog, const json_t *document,
                         size_t number)
{
    struct identity identity;
    char guessed[ARGS_RESOURCE_MAX];
    struct watch_write w = {
        .verb = WATCH_PUT, .resource = "", .dry_run = true, .want_object = true};
    struct watch_written written;
    struct watch_object object;
    struct watch_error error;
    document_identity(document, &identity);
    w.name = identity.name;
    if (*w.name == '\0') {
        return cli_invalid("document %zu has no metadata.name, so it is not known what to compare "
                           "it with",
                           number);
    }
    int code = command_aim(cli, catalog, &identity, guessed, &w);
    if (code != 0) {
        return code;
    }
    CLEANUP(side_fini) struct side a;
    CLEANUP(side_fini) struct side b;
    CLEANUP(buf_fini) struct buf text;
    side_init(&a);
    side_init(&b);
    a.put = b.put = true;
    buf_init(&text, DOCUMENT_BYTES_MAX * 2);
    json_text_write(document, &text);
    w.json = text.p;
    w.json_len = text.n;
    if (watch_get(cli->client, w.resource, w.ns, w.name, &object, &error) == WATCH_OK) {
        snprintf(a.name, sizeof a.name, "%s/%s (version %" PRIu64 ")", object.resource, object.name,
                 object.rv);
        code = take(&a, &object);
    } else if (error.code == WATCH_NOT_FOUND && error.from_server) {
        snprintf(a.name, sizeof a.name, "%s/%s (not there)",
                 *w.resource != '\0' ? w.resource : RESOURCE_DEFAULT, w.name);
    } else {
        code = cli_complain(cli, &error);
    }
    if (code != 0) {
        return code;
    }
    if (watch_write(cli->client, &w, &written, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    snprintf(b.name, sizeof b.name, "%s/%s (document %zu)", written.object.resource,
             written.object.name, number);
    code = take(&b, &written.object);
    return code != 0 ? code : show(&a, &b);
}

static int diff_files(struct cli *cli, const struct words *words, const char *range)
{
    CLEANUP(documents_fini) struct documents documents = {0};
    CLEANUP(catalog_fini) struct catalog catalog = {0};
    if (words->n != 0 || range != NULL) {
        return cli_usage(cli, "with -f the documents name themselves; leave out the name and --rv");
    }
    int code = command_read_files(cli, &documents);
    code = code != 0 ? code : cli_open(cli);
    int worst = 0;
    for (size_t i = 0; code == 0 && i < documents.n; i++) {
        int one = diff_document(cli, &catalog, documents.v[i], i + 1);
        bool told = one == EXIT_CODE_OTHER || command_goes_on(one);
        worst =
            one > worst ? one : worst; /* a document that failed weighs more than a difference */
        code = told ? 0 : one;
    }
    return code != 0 ? code : worst;
}

/* ---- Versions ------------------------------------------------------------------------------ */

int diff_run(struct cli *cli, const struct words *words)
{
    struct target t;
    struct err err;
    const char *range = cli->options.range;
    CLEANUP(side_fini) struct side a;
    CLEANUP(side_fini) struct side b;
    side_init(&a);
    side_init(&b);
    if (cli->options.files.n != 0) {
        return diff_files(cli, words, range);
    }
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_NAME, &t, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*t.name == '\0') {
        return cli_usage(cli, "name an object");
    }
    if (range != NULL && !read_range(range, &a.rv, &b.rv)) {
        return cli_usage(cli, "--rv wants two versions, \"97..104\", or one, not \"%s\"", range);
    }
    int code = cli_open(cli);
    if (code == 0 && range != NULL) {
        code = fetch(cli, &t, &a);
        code = code != 0 ? code : fetch(cli, &t, &b);
        if (code == 0 && !a.there && !b.there) {
            cli_notice("Error: %s/%s is at neither version",
                       *t.resource != '\0' ? t.resource : RESOURCE_DEFAULT, t.name);
            return EXIT_CODE_NOT_FOUND;
        }
    } else if (code == 0) {
        code = fetch_last(cli, &t, &a, &b);
    }
    if (code != 0) {
        return code;
    }
    return show(&a, &b);
}

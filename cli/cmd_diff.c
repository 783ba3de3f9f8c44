/* SPDX-License-Identifier: Apache-2.0 */
/* diff: two versions of one object, line by line. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/difference.h"
#include "cli/show.h"
#include "cli/text.h"
#include "cli/yaml.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define OUT_MAX ((size_t)1 << 30)

struct side {
    uint64_t rv; /* 0: as it is now */
    bool there;
    char name[64];   /* "version 97" */
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

static int take(struct side *s, const struct watch_object *o)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
        return cli_other("%s", err.msg);
    }
    difference_strip(v);
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

int diff_run(struct cli *cli, const struct words *words)
{
    struct target t;
    struct err err;
    const char *range = cli->options.range;
    CLEANUP(side_fini) struct side a = {0};
    CLEANUP(side_fini) struct side b = {0};
    CLEANUP(buf_fini) struct buf out;
    buf_init(&a.text, OUT_MAX);
    buf_init(&b.text, OUT_MAX);
    buf_init(&out, OUT_MAX);
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
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUT_MAX);
    bool differ = difference_lines(buf_str(&a.text), buf_str(&b.text), a.name, b.name, &text);
    show_append_json(buf_str(&text), &out);
    show_out(&out);
    code = cli_flush();
    return code != 0 ? code : differ ? EXIT_CODE_OTHER : 0;
}

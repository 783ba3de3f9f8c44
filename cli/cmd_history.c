/* SPDX-License-Identifier: Apache-2.0 */
/* history, undo: the versions of one object, and the one before put back. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/difference.h"
#include "cli/list.h"
#include "cli/show.h"
#include "cli/text.h"
#include "store/model/json.h"

#define PAGE          100
#define OUT_MAX       ((size_t)1 << 30)
#define SUMMARY_WIDTH 60

static const char *cause_word(enum watch_cause cause)
{
    static const char *const words[] = {
        [WATCH_CAUSE_STATE] = "<compacted>", [WATCH_CAUSE_CREATED] = "created",
        [WATCH_CAUSE_UPDATED] = "updated",   [WATCH_CAUSE_REMOVED] = "deleted",
        [WATCH_CAUSE_EXPIRED] = "expired",   [WATCH_CAUSE_EXPIRING] = "expiring",
    };
    return (size_t)cause < sizeof(words) / sizeof(words[0]) ? words[cause] : "<unknown>";
}

/* The name of one object. Returns 0 or an exit code. */
static int read_target(struct cli *cli, const struct words *words, struct target *ret)
{
    struct err err;
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_NAME, ret, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (*ret->name == '\0') {
        return cli_usage(cli, "name an object");
    }
    return cli_open(cli);
}

/* ---- history ----------------------------------------------------------------------------------
 */

/* A row that waits for the version before it, to say what changed. */
struct row {
    bool there;
    uint64_t rv, generation;
    int64_t time_ms;
    enum watch_cause cause;
    char *manager;
    json_t *object;
};

struct shown {
    bool json;
    struct table table;
    struct buf out;
    struct row row;
    wall_ms_t now;
};

static void row_show(struct shown *s, const json_t *before)
{
    struct row *r = &s->row;
    if (!r->there) {
        return;
    }
    char version[24], generation[24], age[TEXT_AGE_MAX] = "<unknown>";
    CLEANUP(buf_fini) struct buf paths;
    CLEANUP(buf_fini) struct buf summary;
    buf_init(&paths, OUT_MAX);
    buf_init(&summary, OUT_MAX);
    snprintf(version, sizeof version, "%" PRIu64, r->rv);
    snprintf(generation, sizeof generation, "%" PRIu64, r->generation);
    if (r->time_ms != 0) {
        text_age(s->now > r->time_ms ? s->now - r->time_ms : 0, age);
    }
    if (r->cause == WATCH_CAUSE_UPDATED && before != NULL) {
        difference_paths(before, r->object, &paths);
    }
    text_shorten(buf_str(&paths), SUMMARY_WIDTH, &summary);
    const struct str cells[] = {
        str_of(version),    str_of(age),        str_of(cause_word(r->cause)),
        str_of(r->manager), str_of(generation), buf_str(&summary)};
    table_row(&s->table, cells, &s->out);
    json_decrefp(&r->object);
    free(TAKE(r->manager));
    r->there = false;
}

static int revision_show(struct shown *s, const struct watch_revision *v)
{
    json_t *object = NULL;
    struct err err;
    if (json_text_parse((struct str){v->object.json, v->object.json_len}, "the object", &object,
                        &err) != OK) {
        return cli_other("version %" PRIu64 ": %s", v->object.rv, err.msg);
    }
    if (s->json) {
        CLEANUP(json_decrefp) json_t *line = json_object();
        json_object_set_new(line, "resourceVersion", json_integer((json_int_t)v->object.rv));
        json_object_set_new(line, "cause", json_string(cause_word(v->cause)));
        json_object_set_new(line, "timeUnixMs", json_integer(v->time_ms));
        json_object_set_new(line, "fieldManager", json_string(v->manager));
        json_object_set_new(line, "generation", json_integer((json_int_t)v->generation));
        json_object_set_new(line, "previousResourceVersion",
                            json_integer((json_int_t)v->previous_rv));
        json_object_set_new(line, "object", object);
        CLEANUP(buf_fini) struct buf text;
        buf_init(&text, OUT_MAX);
        json_text_write(line, &text);
        show_append_json(buf_str(&text), &s->out);
        buf_addc(&s->out, '\n');
        return 0;
    }
    difference_strip(object);
    row_show(s, object);
    s->row = (struct row){.there = true,
                          .rv = v->object.rv,
                          .generation = v->generation,
                          .time_ms = v->time_ms,
                          .cause = v->cause,
                          .manager = mem_strdup(v->manager),
                          .object = object};
    return 0;
}

static int history_show(struct cli *cli, const struct target *target, struct shown *s)
{
    uint64_t at_most = 0;
    int code = 0;
    do {
        struct watch_revisions page;
        struct watch_error error;
        if (watch_history(cli->client, target->resource, cli->options.ns, target->name, at_most,
                          PAGE, 0, &page, &error) != WATCH_OK) {
            return cli_complain(cli, &error);
        }
        for (size_t i = 0; i < page.n && code == 0; i++) {
            code = revision_show(s, &page.v[i]);
        }
        show_out(&s->out);
        code = code != 0 ? code : cli_flush();
        at_most = page.next_at_most;
    } while (code == 0 && at_most != 0);
    return code;
}

int history_run(struct cli *cli, const struct words *words)
{
    static const struct table_column columns[] = {
        {"VERSION",    8},
        {"AGE",        4},
        {"CAUSE",      8},
        {"MANAGER",    8},
        {"GENERATION", 2},
        {"CHANGES",    0}
    };
    const char *output;
    struct target target;
    int code = command_output(cli, &output);
    code = code != 0 ? code : read_target(cli, words, &target);
    if (code != 0) {
        return code;
    }
    struct shown s = {.json = strcmp(output, "json") == 0, .now = clock_wall(&clock_system)};
    buf_init(&s.out, OUT_MAX);
    table_init(&s.table, columns, sizeof(columns) / sizeof(columns[0]), PAGE);
    code = history_show(cli, &target, &s);
    row_show(&s, NULL);
    if (!s.json) {
        table_end(&s.table, &s.out);
    }
    show_out(&s.out);
    table_fini(&s.table);
    buf_fini(&s.out);
    return code;
}

/* ---- undo -------------------------------------------------------------------------------------
 */

static int owner_found(void *arg, const struct watch_page *page)
{
    bool *there = arg;
    *there = *there || page->n > 0;
    return 0;
}

/* Whether an object has the uid. */
static int uid_is_there(const struct cli *cli, const char *uid, bool *ret)
{
    *ret = false;
    if (strspn(uid, "0123456789abcdef-") != strlen(uid)) {
        return 0; /* no uid that a server gives, and it need not be quoted in a selector */
    }
    CLEANUP(freep) char *selector = mem_printf("metadata.uid=%s", uid);
    struct watch_selection v = {
        .resource = "all", .ns = "", .all_namespaces = 1, .field_selector = selector};
    return list_each(cli, &v, owner_found, ret);
}

/* What is owned only by objects that are gone is deleted: an undo must bring it back to stay. */
static int drop_gone_owners(const struct cli *cli, json_t *object)
{
    json_t *metadata = json_object_get(object, "metadata");
    json_t *refs = json_object_get(metadata, "ownerReferences");
    for (size_t i = json_array_size(refs); i-- > 0;) {
        const json_t *ref = json_array_get(refs, i);
        const char *uid = json_string_value(json_object_get(ref, "uid"));
        bool there;
        int code = uid_is_there(cli, uid != NULL ? uid : "?", &there);
        if (code != 0) {
            return code;
        }
        if (!there) {
            const char *name = json_string_value(json_object_get(ref, "name"));
            cli_notice("its owner \"%s\" is gone: the reference to it is left out",
                       name != NULL ? name : "");
            (void)json_array_remove(refs, i);
        }
    }
    if (refs != NULL && json_array_size(refs) == 0) {
        (void)json_object_del(metadata, "ownerReferences");
    }
    return 0;
}

/* What to write so that the object is again as `o` shows it. *ret_text is the write's document. */
static int restore(const struct cli *cli, const struct watch_object *o, struct watch_write *w,
                   struct buf *text)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    struct err err;
    if (json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) != OK) {
        return cli_other("%s", err.msg);
    }
    difference_strip_all(v);
    int code = drop_gone_owners(cli, v);
    if (code != 0) {
        return code;
    }
    json_text_write(v, text);
    w->verb = WATCH_PUT;
    w->scope = WATCH_SCOPE_WHOLE;
    w->json = text->p;
    w->json_len = text->n;
    return 0;
}

static bool is_marked(const struct watch_object *o)
{
    struct err err;
    CLEANUP(json_decrefp) json_t *v = NULL;
    return json_text_parse((struct str){o->json, o->json_len}, "the object", &v, &err) == OK &&
           json_object_get(json_object_get(v, "metadata"), "deletionTimestamp") != NULL;
}

/* The version before the last change. */
static int undo_last(const struct cli *cli, const struct target *target,
                     const struct watch_revisions *h, struct watch_write *w, struct buf *text)
{
    const struct watch_revision *last = &h->v[0];
    if (last->cause == WATCH_CAUSE_REMOVED || last->cause == WATCH_CAUSE_EXPIRED) {
        return restore(cli, &last->object, w, text);
    }
    if (last->cause == WATCH_CAUSE_CREATED) {
        w->verb = WATCH_DELETE;
        return 0;
    }
    if (last->cause == WATCH_CAUSE_STATE || h->n < 2) {
        return cli_other("%s: the version before %" PRIu64 " is no longer kept", target->name,
                         last->object.rv);
    }
    if (is_marked(&last->object) && !is_marked(&h->v[1].object)) {
        return cli_other("%s: its deletion has begun, which cannot be undone; undo it when its "
                         "finalizers are taken away and it is deleted",
                         target->name);
    }
    return restore(cli, &h->v[1].object, w, text);
}

static int undo_to(struct cli *cli, const struct target *target, uint64_t rv, struct watch_write *w,
                   struct buf *text)
{
    struct watch_object object;
    struct watch_error error;
    if (watch_get_at(cli->client, target->resource, cli->options.ns, target->name, rv, &object,
                     &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    return restore(cli, &object, w, text);
}

int undo_run(struct cli *cli, const struct words *words)
{
    const char *output;
    const char *to = cli->options.to_rv;
    uint64_t rv = 0;
    struct target target;
    int code = command_output(cli, &output);
    if (code == 0 && to != NULL && (!str_to_u64(str_of(to), &rv) || rv == 0)) {
        code = cli_usage(cli, "--to-rv wants a version of 1 or more, not \"%s\"", to);
    }
    code = code != 0 ? code : read_target(cli, words, &target);
    if (code != 0) {
        return code;
    }
    struct watch_write w = {
        .resource = target.resource, .ns = cli->options.ns, .name = target.name};
    struct watch_revisions h;
    struct watch_error error;
    if (watch_history(cli->client, target.resource, cli->options.ns, target.name, 0, 2, 0, &h,
                      &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    if (h.n == 0) {
        return cli_other("%s: its history was compacted meanwhile; try again", target.name);
    }
    enum watch_cause cause = h.v[0].cause;
    bool there = cause != WATCH_CAUSE_REMOVED && cause != WATCH_CAUSE_EXPIRED;
    /* Whoever writes between the look and the write wins. */
    w.if_rv = there ? h.v[0].object.rv : 0;
    w.mode = there ? WATCH_PUT_UPDATE : WATCH_PUT_CREATE;
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUT_MAX);
    cli->options.field_manager = FIELD_MANAGER_CLI;
    code = rv != 0 ? undo_to(cli, &target, rv, &w, &text) : undo_last(cli, &target, &h, &w, &text);
    return code != 0 ? code : command_write(cli, &w, output);
}

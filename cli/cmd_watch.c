/* SPDX-License-Identifier: Apache-2.0 */
/* watch. Lines are collected while events are at hand and written out before any waiting, so that
 * each is on its way at once and a replay does not cost a system call a line. */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/list.h"
#include "cli/object_table.h"
#include "cli/resource.h"
#include "cli/show.h"
#include "cli/text.h"
#include "store/model/name.h"

#define OUT_MAX       ((size_t)1 << 30)
#define FULL          ((size_t)256 << 10) /* written out also while there is more */
#define SLICE_MS      200                 /* how often to look whether somebody still reads */
#define COMMAND_SHOWN 1000                /* bytes; a hint with a longer one would be cut off */

enum form { FORM_TABLE, FORM_JSON, FORM_NAME };

struct watching {
    struct cli *cli;
    struct target target;
    bool resolved; /* it is known what the word for the resource means */
    struct watch_options options;
    struct watch_selection selection;
    struct watch_stream *stream;
    enum form form;
    bool all_resources;
    bool wide;
    struct object_table table;
    struct buf out;
    int64_t events;
    mono_ms_t end_at; /* INT64_MAX: never */
    bool waiting;     /* said that it is not connected */
    bool ever;        /* was connected once */
};

/* ---- One item ------------------------------------------------------------------------------ */

static const char *type_name(enum watch_event_type type)
{
    return type == WATCH_ADDED      ? "ADDED"
           : type == WATCH_MODIFIED ? "MODIFIED"
           : type == WATCH_DELETED  ? "DELETED"
                                    : "UNKNOWN";
}

static void event_json(struct watching *w, const struct watch_item *item)
{
    const struct watch_object *o = item->object;
    buf_printf(&w->out, "{\"type\":\"%s\",\"resource\":\"%s\",\"object\":", type_name(item->type),
               o->resource);
    show_append_json((struct str){o->json, o->json_len}, &w->out);
    if (item->previous != NULL) {
        buf_adds(&w->out, STR(",\"previous\":"));
        show_append_json((struct str){item->previous->json, item->previous->json_len}, &w->out);
    }
    buf_adds(&w->out, STR("}\n"));
}

static void show_event(struct watching *w, const struct watch_item *item)
{
    w->events++;
    switch (w->form) {
    case FORM_JSON:
        event_json(w, item);
        return;
    case FORM_NAME:
        buf_printf(&w->out, "%s/%s\n", item->object->resource, item->object->name);
        return;
    case FORM_TABLE:
        event_table_row(&w->table, type_name(item->type), item->object, clock_wall(&clock_system),
                        &w->out);
        return;
    }
}

static void show_signal(struct watching *w, const char *type, uint64_t rv)
{
    if (!w->cli->options.bookmarks || w->form == FORM_NAME) {
        return;
    }
    if (w->form == FORM_JSON) {
        buf_printf(&w->out,
                   "{\"type\":\"%s\",\"object\":{\"metadata\":{\"resourceVersion\":\"%" PRIu64
                   "\"}}}\n",
                   type, rv);
        return;
    }
    event_table_signal(&w->table, type, rv, &w->out);
}

/* ---- Notices ------------------------------------------------------------------------------- */

static void notice_lost(struct watching *w, const struct watch_error *e)
{
    w->waiting = true;
    if (w->ever) {
        cli_notice("connection lost, reconnecting (%s)", e->message);
    } else if (e->from_server) {
        cli_notice("%s refuses for the moment, trying again (%s)", w->cli->options.server,
                   e->message);
    } else {
        cli_notice("waiting for a server at %s (%s)", w->cli->options.server, e->message);
    }
}

static void notice_connected(struct watching *w, int64_t outage_ms)
{
    if (w->waiting && w->ever) {
        cli_notice("reconnected after %" PRId64 ".%" PRId64 " s", outage_ms / 1000,
                   outage_ms % 1000 / 100);
    } else if (w->waiting) {
        cli_notice("connected to %s", w->cli->options.server);
    }
    w->waiting = false;
    w->ever = true;
}

/* An option's value as a shell takes it. */
static void add_quoted(const char *option, const char *value, struct buf *out)
{
    buf_printf(out, " %s '", option);
    for (const char *c = value; *c != '\0'; c++) {
        buf_adds(out, *c == '\'' ? STR("'\\''") : (struct str){c, 1});
    }
    buf_addc(out, '\'');
}

/* The command that began this watch, without --since. */
static void same_command(const struct watching *w, struct buf *out)
{
    const struct watch_selection *v = &w->selection;
    buf_printf(out, "watchctl watch %s", *v->resource != '\0' ? v->resource : RESOURCE_DEFAULT);
    if (*v->name != '\0') {
        buf_printf(out, "/%s", v->name);
    }
    if (v->all_namespaces) {
        buf_adds(out, STR(" -A"));
    } else if (v->ns != NULL) {
        buf_printf(out, " -n %s", v->ns);
    }
    if (v->label_selector != NULL) {
        add_quoted("-l", v->label_selector, out);
    }
    if (v->field_selector != NULL) {
        add_quoted("--field-selector", v->field_selector, out);
    }
}

static int ended(const struct watching *w, const struct watch_error *e)
{
    int code = cli_complain(w->cli, e);
    CLEANUP(buf_fini) struct buf again;
    buf_init(&again, COMMAND_SHOWN);
    same_command(w, &again);
    buf_addc(&again, '\0');
    const char *command = again.full ? "watchctl watch …" : again.p;
    if (e->code == WATCH_EXPIRED) {
        cli_notice("hint: the oldest version to start from is %" PRIu64 ", the last one is %" PRIu64
                   "; run '%s --since %" PRIu64 "', or without --since to begin with the current "
                   "state",
                   e->oldest, e->head, command, e->oldest);
    } else if (e->code == WATCH_FUTURE) {
        cli_notice("hint: the last version is %" PRIu64 ", the oldest to start from is %" PRIu64
                   "; run '%s --since %" PRIu64 "'",
                   e->head, e->oldest, command, e->head);
    } else if (e->code == WATCH_FOREIGN) {
        cli_notice("hint: this server has another history, whose last version is %" PRIu64
                   " and whose oldest is %" PRIu64 "; run '%s' to begin with its current state",
                   e->head, e->oldest, command);
    }
    return code;
}

/* ---- The loop ------------------------------------------------------------------------------ */

static int write_out(struct watching *w)
{
    if (w->out.n == 0) {
        return 0;
    }
    show_out(&w->out);
    return cli_flush();
}

static bool find_meaning(struct watching *w, int *code);

static bool enough(const struct watching *w)
{
    int64_t count = w->cli->options.count;
    return count > 0 && w->events >= count;
}

/* Shows an item. True when it was the last one; *code is then set. */
static bool take(struct watching *w, const struct watch_item *item, int *code)
{
    switch (item->kind) {
    case WATCH_ITEM_EVENT:
        show_event(w, item);
        return enough(w);
    case WATCH_ITEM_SYNCED:
        show_signal(w, "SYNCED", item->rv);
        return false;
    case WATCH_ITEM_BOOKMARK:
        show_signal(w, "BOOKMARK", item->rv);
        return false;
    case WATCH_ITEM_CONNECTED:
        notice_connected(w, item->outage_ms);
        (void)find_meaning(w, code);
        return *code != 0;
    case WATCH_ITEM_LOST:
        *code = write_out(w);
        notice_lost(w, item->error);
        return *code != 0;
    case WATCH_ITEM_END:
        if (item->error->code == WATCH_INVALID && find_meaning(w, code)) {
            return *code != 0; /* a kind is no name that a resource could have */
        }
        *code = write_out(w);
        *code = *code != 0 ? *code : ended(w, item->error);
        return true;
    case WATCH_ITEM_NONE:
        return false;
    }
    return false;
}

static int time_over(const struct watching *w)
{
    if (w->ever) {
        return 0;
    }
    const struct watch_client *client = w->cli->client;
    struct watch_error error = {.code = WATCH_UNAVAILABLE};
    snprintf(error.message, sizeof(error.message), "%s", watch_client_trouble(client));
    if (error.message[0] != '\0') {
        return cli_complain(w->cli, &error);
    }
    cli_notice("error: the time of --for ran out before %s%s", w->cli->options.server,
               watch_client_was_connected(client) ? " began to send" : " was connected to");
    return cli_exit_code(&error);
}

static int watch_loop(struct watching *w)
{
    for (;;) {
        struct watch_item item;
        int code = 0;
        enum watch_item_kind kind = watch_next(w->stream, 0, &item);
        if (kind == WATCH_ITEM_NONE) {
            code = write_out(w);
            mono_ms_t left = w->end_at - clock_mono(&clock_system);
            if (code != 0 || cli_interrupted()) {
                return code != 0 ? code : EXIT_CODE_INTERRUPTED;
            }
            if (left <= 0) {
                return time_over(w);
            }
            cli_check_reader();
            kind = watch_next(w->stream, left < SLICE_MS ? left : SLICE_MS, &item);
        }
        bool last = take(w, &item, &code);
        if (last || w->out.n >= FULL) {
            int written = write_out(w);
            code = code != 0 ? code : written;
        }
        if (last || code != 0) {
            return code;
        }
        if (cli_interrupted()) {
            code = write_out(w);
            return code != 0 ? code : EXIT_CODE_INTERRUPTED;
        }
    }
}

/* --since: a version, "now" or "oldest". */
static int read_since(const struct cli *cli, struct watch_options *o)
{
    const char *since = cli->options.since;
    o->from = WATCH_FROM_STATE;
    if (since == NULL) {
        return 0;
    }
    if (strcmp(since, "now") == 0) {
        o->from = WATCH_FROM_NOW;
    } else if (strcmp(since, "oldest") == 0) {
        o->from = WATCH_FROM_OLDEST;
    } else if (str_to_u64(str_of(since), &o->since)) {
        o->from = WATCH_FROM_SINCE;
    } else {
        return cli_usage(cli, "--since wants a version, \"now\" or \"oldest\", not \"%s\"", since);
    }
    return 0;
}

static void watching_init(struct watching *w)
{
    event_table_init(&w->table, w->selection.all_namespaces != 0, w->all_resources,
                     w->target.definition, w->wide);
    buf_init(&w->out, OUT_MAX);
}

static void watching_fini(struct watching *w)
{
    watch_close(TAKE(w->stream));
    object_table_fini(&w->table);
    buf_fini(&w->out);
}

static void watching_open(struct watching *w, int *code)
{
    struct watch_error error;
    w->options.selections = &w->selection;
    w->options.n_selections = 1;
    selection_of(w->cli, &w->target, &w->selection);
    watching_init(w);
    if (watch_open(w->cli->client, &w->options, &w->stream, &error) != WATCH_OK) {
        *code = cli_complain(w->cli, &error);
    }
}

/* On a connection: finds out what the word for the resource means, so that a watch may be started
 * before the server. True if it means another one and the watch begins again; nothing was shown
 * yet. */
static bool find_meaning(struct watching *w, int *code)
{
    const char *word = w->target.resource;
    const struct options *o = &w->cli->options;
    const char *ns = o->ns;
    bool all_namespaces = o->all_namespaces;
    struct watch_error error;
    if (w->resolved || w->events != 0 || resource_try(w->cli, &w->target, &error) != WATCH_OK) {
        return false; /* at the latest with the next connection */
    }
    w->resolved = true;
    if (w->target.resource == word && o->ns == ns && o->all_namespaces == all_namespaces) {
        object_table_fini(&w->table); /* so far it was not known what columns there are */
        event_table_init(&w->table, w->selection.all_namespaces != 0, w->all_resources,
                         w->target.definition, w->wide);
        return false;
    }
    watching_fini(w);
    watching_open(w, code);
    return true;
}

int watch_run(struct cli *cli, const struct words *words)
{
    struct err err;
    const char *output;
    mono_ms_t now = clock_mono(&clock_system);
    int64_t for_ms = cli->options.for_ms;
    struct watching w = {
        .cli = cli,
        .options = {.client_id = cli->options.client_id, .previous = cli->options.previous},
        .end_at = for_ms > 0 ? now + for_ms : INT64_MAX,
    };
    int code = command_output(cli, &output);
    code = code != 0 ? code : read_since(cli, &w.options);
    if (code != 0) {
        return code;
    }
    if (target_read(words->v, words->n, TARGET_ONE_WORD_IS_RESOURCE, &w.target, &err) != OK) {
        return cli_usage(cli, "%s", err.msg);
    }
    if (words->n == 0) {
        return cli_usage(cli, "name a RESOURCE, for instance \"objects\", or \"all\"");
    }
    w.form = strcmp(output, "json") == 0   ? FORM_JSON
             : strcmp(output, "name") == 0 ? FORM_NAME
                                           : FORM_TABLE;
    w.wide = strcmp(output, "wide") == 0;
    w.all_resources = strcmp(w.target.resource, RESOURCE_ALL) == 0;
    code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    watching_open(&w, &code);
    code = code != 0 ? code : watch_loop(&w);
    watching_fini(&w);
    return code;
}

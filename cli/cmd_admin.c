/* SPDX-License-Identifier: Apache-2.0 */
/* status, metrics, compact. */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/show.h"
#include "cli/text.h"
#include "store/model/json.h"

static void status_text(const struct cli *cli, const struct watch_status *s)
{
    char uptime[TEXT_AGE_MAX];
    char history[TEXT_BYTES_MAX];
    char file[TEXT_BYTES_MAX];
    text_age((int64_t)s->uptime_ms, uptime);
    text_bytes(s->history_bytes, history);
    text_bytes(s->file_bytes, file);
    printf("server:    %s, watchd %s, up %s\n", cli->options.server, s->version, uptime);
    printf("store:     %s, epoch %" PRIu32 "\n", s->store_id, s->epoch);
    printf("head:      %" PRIu64 "\n", s->head);
    printf("oldest:    %" PRIu64 "   (watches can start with --since %" PRIu64 " or later)\n",
           s->oldest, s->oldest);
    printf("objects:   %" PRIu64 "\n", s->objects);
    printf("history:   %" PRIu64 " events, %s\n", s->history_events, history);
    printf("file:      %s\n", file);
    printf("watches:   %" PRIu32 "\n", s->watches);
    printf("libraries: SQLite %s, gRPC %s\n", s->sqlite_version, s->grpc_version);
    if (*s->read_only_reason != '\0') {
        printf("writes:    refused: %s\n", s->read_only_reason);
    } else {
        printf("writes:    taken\n");
    }
}

static void status_json(const struct watch_status *s)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 1 << 20);
    buf_adds(&text, STR("{\"version\":"));
    json_text_string(str_of(s->version), &text);
    buf_adds(&text, STR(",\"storeId\":"));
    json_text_string(str_of(s->store_id), &text);
    buf_printf(&text,
               ",\"epoch\":%" PRIu32 ",\"head\":\"%" PRIu64 "\",\"oldest\":\"%" PRIu64
               "\",\"objects\":%" PRIu64 ",\"historyEvents\":%" PRIu64 ",\"historyBytes\":%" PRIu64
               ",\"fileBytes\":%" PRIu64 ",\"watches\":%" PRIu32 ",\"uptimeMs\":%" PRIu64,
               s->epoch, s->head, s->oldest, s->objects, s->history_events, s->history_bytes,
               s->file_bytes, s->watches, s->uptime_ms);
    buf_adds(&text, STR(",\"sqliteVersion\":"));
    json_text_string(str_of(s->sqlite_version), &text);
    buf_adds(&text, STR(",\"grpcVersion\":"));
    json_text_string(str_of(s->grpc_version), &text);
    buf_adds(&text, STR(",\"readOnlyReason\":"));
    json_text_string(str_of(s->read_only_reason), &text);
    buf_adds(&text, STR(",\"resources\":{"));
    for (size_t i = 0; i < s->n_resources; i++) {
        buf_adds(&text, i == 0 ? STR_EMPTY : STR(","));
        json_text_string(str_of(s->resources[i].resource), &text);
        buf_printf(&text, ":%" PRIu64, s->resources[i].objects);
    }
    buf_adds(&text, STR("}}"));
    struct watch_object o = {.json = text.p, .json_len = text.n};
    show_json(&o);
}

int status_run(struct cli *cli, const struct words *words)
{
    (void)words;
    const char *output;
    int code = command_output(cli, &output);
    code = code != 0 ? code : cli_open(cli);
    if (code != 0) {
        return code;
    }
    struct watch_status status;
    struct watch_error error;
    if (watch_status(cli->client, &status, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    if (strcmp(output, "json") == 0) {
        status_json(&status);
    } else {
        status_text(cli, &status);
    }
    return 0;
}

int metrics_run(struct cli *cli, const struct words *words)
{
    (void)words;
    int code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    const char *text;
    struct watch_error error;
    if (watch_metrics(cli->client, &text, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    (void)fputs(text, stdout);
    return 0;
}

int compact_run(struct cli *cli, const struct words *words)
{
    uint64_t rv = 0;
    if (words->n > 0 && (!str_to_u64(str_of(words->v[0]), &rv) || rv == 0)) {
        return cli_usage(cli, "VERSION must be a number of 1 or more, not \"%s\"", words->v[0]);
    }
    int code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    uint64_t removed;
    uint64_t oldest;
    struct watch_error error;
    if (watch_compact(cli->client, rv, &removed, &oldest, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    printf("removed %" PRIu64 " events; watches can now start with --since %" PRIu64 " or later\n",
           removed, oldest);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/show.h"
#include "cli/text.h"
#include "store/model/json.h"
#include "store/model/name.h"

#define OUT_MAX ((size_t)256 << 20)

static const char *phase_name(enum watch_phase phase)
{
    static const char *const names[] = {
        [WATCH_PHASE_UNKNOWN] = "unknown",
        [WATCH_PHASE_STATE] = "snapshot",
        [WATCH_PHASE_REPLAY] = "replay",
        [WATCH_PHASE_LIVE] = "live",
    };
    return (size_t)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "unknown";
}

/* "jobs/build -n ci -l tier=web", as a command would name it. */
static void selection_text(const struct watch_selection *v, struct buf *out)
{
    buf_adds(out, str_of(*v->resource != '\0' ? v->resource : RESOURCE_DEFAULT));
    if (*v->name != '\0') {
        buf_printf(out, "/%s", v->name);
    }
    if (v->all_namespaces) {
        buf_adds(out, STR(" -A"));
    } else if (*v->ns != '\0' && strcmp(v->ns, NAMESPACE_DEFAULT) != 0) {
        buf_printf(out, " -n %s", v->ns);
    }
    if (*v->label_selector != '\0') {
        buf_printf(out, " -l %s", v->label_selector);
    }
    if (*v->field_selector != '\0') {
        buf_printf(out, " --field-selector %s", v->field_selector);
    }
}

static void watching_text(const struct watch_subscription *s, struct buf *out)
{
    for (size_t i = 0; i < s->n_selections; i++) {
        buf_adds(out, i > 0 ? STR("; ") : STR(""));
        selection_text(&s->selections[i], out);
    }
}

static void list_table(const struct watch_subscription *v, size_t n)
{
    static const struct table_column columns[] = {
        {"SUBSCRIPTION", 0},
        {"CLIENT",       0},
        {"PEER",         0},
        {"STATE",        0},
        {"VERSION",      0},
        {"AGE",          0},
        {"STALLED",      0},
        {"EVENTS",       0},
        {"WATCHING",     0},
    };
    struct table t;
    CLEANUP(buf_fini) struct buf out;
    CLEANUP(buf_fini) struct buf watching;
    buf_init(&out, OUT_MAX);
    buf_init(&watching, OUT_MAX);
    table_init(&t, columns, sizeof(columns) / sizeof(columns[0]), SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        char version[24];
        char events[24];
        char age[TEXT_AGE_MAX];
        char stalled[TEXT_AGE_MAX] = "-";
        snprintf(version, sizeof(version), "%" PRIu64, v[i].rv);
        snprintf(events, sizeof(events), "%" PRIu64, v[i].events_sent);
        text_age((int64_t)v[i].age_ms, age);
        if (v[i].stalled_ms >= 1000) {
            text_age((int64_t)v[i].stalled_ms, stalled);
        }
        buf_clear(&watching);
        watching_text(&v[i], &watching);
        const struct str cells[] = {str_of(v[i].subscription_id),
                                    str_of(v[i].client_id),
                                    str_of(v[i].peer),
                                    str_of(phase_name(v[i].phase)),
                                    str_of(version),
                                    str_of(age),
                                    str_of(stalled),
                                    str_of(events),
                                    buf_str(&watching)};
        table_row(&t, cells, &out);
    }
    table_end(&t, &out);
    table_fini(&t);
    show_out(&out);
}

static void member(const char *name, const char *text, bool first, struct buf *out)
{
    buf_printf(out, "%s\"%s\":", first ? "" : ",", name);
    json_text_string(str_of(text), out);
}

static void selection_json(const struct watch_selection *v, struct buf *out)
{
    buf_addc(out, '{');
    member("resource", v->resource, true, out);
    member("namespace", v->ns, false, out);
    buf_printf(out, ",\"allNamespaces\":%s", v->all_namespaces ? "true" : "false");
    member("name", v->name, false, out);
    member("labelSelector", v->label_selector, false, out);
    member("fieldSelector", v->field_selector, false, out);
    buf_addc(out, '}');
}

static void list_json(const struct watch_subscription *v, size_t n)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, OUT_MAX);
    buf_adds(&text, STR("{\"kind\":\"List\",\"items\":["));
    for (size_t i = 0; i < n; i++) {
        buf_adds(&text, i > 0 ? STR(",{") : STR("{"));
        member("subscriptionId", v[i].subscription_id, true, &text);
        member("clientId", v[i].client_id, false, &text);
        member("peer", v[i].peer, false, &text);
        member("state", phase_name(v[i].phase), false, &text);
        buf_printf(&text,
                   ",\"resourceVersion\":\"%" PRIu64 "\",\"ageMs\":%" PRIu64
                   ",\"stalledMs\":%" PRIu64 ",\"eventsSent\":%" PRIu64 ",\"selections\":[",
                   v[i].rv, v[i].age_ms, v[i].stalled_ms, v[i].events_sent);
        for (size_t k = 0; k < v[i].n_selections; k++) {
            buf_adds(&text, k > 0 ? STR(",") : STR(""));
            selection_json(&v[i].selections[k], &text);
        }
        buf_adds(&text, STR("]}"));
    }
    buf_adds(&text, STR("]}"));
    struct watch_object o = {.json = text.p, .json_len = text.n};
    show_json(&o);
}

static int list(const struct cli *cli, const char *output)
{
    const struct watch_subscription *v;
    size_t n;
    struct watch_error error;
    if (watch_subscriptions(cli->client, cli->options.client_id, &v, &n, &error) != WATCH_OK) {
        return cli_complain(cli, &error);
    }
    if (strcmp(output, "json") == 0) {
        list_json(v, n);
    } else if (strcmp(output, "name") == 0) {
        for (size_t i = 0; i < n; i++) {
            printf("%s\n", v[i].subscription_id);
        }
    } else {
        list_table(v, n);
        if (n == 0) {
            cli_notice("No watches are open.");
        }
    }
    return 0;
}

static int end(const struct cli *cli, const char *id)
{
    uint32_t ended = 0;
    struct watch_error error;
    enum watch_code rc = WATCH_NOT_FOUND;
    /* Both kinds of id are opaque: what is no subscription may be a client. */
    if (id != NULL) {
        rc = watch_unsubscribe(cli->client, NULL, id, &ended, &error);
    }
    if (id == NULL || rc == WATCH_NOT_FOUND || (rc == WATCH_OK && ended == 0)) {
        rc = watch_unsubscribe(cli->client, id != NULL ? id : cli->options.client_id, NULL, &ended,
                               &error);
    }
    if (rc != WATCH_OK && rc != WATCH_NOT_FOUND) {
        return cli_complain(cli, &error);
    }
    if (rc == WATCH_NOT_FOUND || ended == 0) {
        cli_notice("Error from server (NotFound): subscriptions \"%s\" not found",
                   id != NULL ? id : cli->options.client_id);
        return EXIT_CODE_NOT_FOUND;
    }
    printf("ended %" PRIu32 " %s\n", ended, ended == 1 ? "watch" : "watches");
    return 0;
}

int subscriptions_run(struct cli *cli, const struct words *words)
{
    const char *output;
    const char *verb = words->n > 0 ? words->v[0] : "list";
    bool ends = strcmp(verb, "end") == 0;
    int code = command_output(cli, &output);
    if (code != 0) {
        return code;
    }
    if (!ends && strcmp(verb, "list") != 0) {
        return cli_usage(cli, "\"%s\" is neither list nor end", verb);
    }
    if (ends && (words->n == 2) == (cli->options.client_id != NULL)) {
        return cli_usage(cli, "end wants either an ID or --client-id ID");
    }
    if (!ends && words->n > 1) {
        return cli_usage(cli, "unexpected argument \"%s\"", words->v[1]);
    }
    code = cli_open(cli);
    if (code != 0) {
        return code;
    }
    return ends ? end(cli, words->n == 2 ? words->v[1] : NULL) : list(cli, output);
}

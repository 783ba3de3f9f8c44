/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that show objects and their changes. */
#include "cli/commands_impl.h"

/* Aligning the columns of such tables is beyond the formatter. */
/* clang-format off */
static const struct option get_options[] = {
    {SELECTOR},
    {FIELD_SELECTOR},
    {NAMESPACE},
    {ALL_NAMESPACES},
    {OUTPUT, .value = "table|wide|json|yaml|name"},
    {AT_RV},
    {.name = "chunk-size",
     .kind = OPTION_INT,
     .offset = AT(chunk_size),
     .value = "N",
     .def = "500",
     .max = UINT32_MAX,
     .help = "Fetch a list in pages of N objects; 0: as many as the server likes."},
    {IGNORE_NOT_FOUND},
    {FLAG("show-managed-fields", 0, managed_fields),
     .help = "Of one object also show who applied which of its fields."},
};

const struct command cmd_get = {
    .name = "get",
    .summary = "Show one object or list many",
    .usage = "get RESOURCE\n"
             "get RESOURCE/NAME",
    .details =
        "A single word is a RESOURCE; \"all\" is every resource. A list shows one version,\n"
        "however many pages it takes; it ends with 6 if that is compacted meanwhile. With\n"
        "--at-rv it is any version that is kept, see 'watchctl status'.\n"
        "\n"
        "--field-selector compares members by their path: =, ==, !=, in (a,b), notin (a,b), joined\n"
        "by commas. Keys with dots are quoted, metadata.labels['app.io/x']; elements are numbered,\n"
        "spec.containers[0].image; in a value \\ goes before , = and \\. What is absent equals \"\".",
    .examples = "watchctl get objects\n"
                "watchctl get objects/greeting -o json\n"
                "watchctl get jobs -A -l 'tier in (web,db),!canary'\n"
                "watchctl get jobs --field-selector 'status.phase in (Failed,Lost)'\n"
                "watchctl get all -A -o name\n"
                "watchctl get jobs --at-rv 2",
    OPTIONS(get_options),
    .max_words = 2,
    .outputs = "table,wide,json,yaml,name",
    .run = get_run,
};

static const struct option watch_options[] = {
    {TEXT("since", 0, since),
     .value = "VERSION",
     .help = "Every event after this version, instead of the current state; also \"now\" and "
             "\"oldest\"."},
    {SELECTOR},
    {FIELD_SELECTOR},
    {NAMESPACE},
    {ALL_NAMESPACES},
    {OUTPUT, .value = "table|wide|json|name"},
    {.name = "count",
     .kind = OPTION_INT,
     .offset = AT(count),
     .value = "N",
     .max = INT64_MAX,
     .help = "End after N events, those of the current state included; 0: no limit."},
    {.name = "for",
     .kind = OPTION_DURATION,
     .offset = AT(for_ms),
     .value = "DURATION",
     .max = LONGEST,
     .help = "End after this time; 0: no limit."},
    {FLAG("bookmarks", 0, bookmarks),
     .help = "Also show BOOKMARK, and SYNCED at the end of the current state."},
    {FLAG("previous", 0, previous),
     .help = "Also show the object before the change (-o json)."},
    {CLIENT_ID, .help = "The name to be listed under in 'watchctl subscriptions'."},
};

const struct command cmd_watch = {
    .name = "watch",
    .summary = "Show the current state, then every change as it happens",
    .usage = "watch RESOURCE[/NAME]\n"
             "watch all",
    .details =
        "It may be started before the server, and goes on after every interruption exactly where\n"
        "it was cut off: no event is left out and none is shown twice. Notices about that go to\n"
        "stderr. With -o json each event is a line, {\"type\":\"ADDED\",\"resource\":\"objects\",\n"
        "\"object\":{…}}, written at once also into a pipe.\n"
        "\n"
        "A table has the columns that the resource declares, -o wide all of them.\n"
        "\n"
        "It ends with 0 when --count or --for is reached, with 6 when the history after --since\n"
        "is gone or is another one, with 1 when somebody unsubscribed it.\n"
        "\n"
        "With -l or --field-selector an object that a change makes match is shown as ADDED, and one\n"
        "that it makes match no longer as DELETED, as it was before.",
    .examples = "watchctl watch objects\n"
                "watchctl watch jobs --field-selector status.phase=Running\n"
                "watchctl watch jobs -A -l tier=web -o json | jq .object.spec\n"
                "watchctl watch all -A --since 97\n"
                "watchctl watch objects/greeting --count 1",
    OPTIONS(watch_options),
    .max_words = 2,
    .outputs = "table,wide,json,name",
    .run = watch_run,
};

static const struct option history_options[] = {{NAMESPACE}, {OUTPUT, .value = "table|json"}};

const struct command cmd_history = {
    .name = "history",
    .summary = "Show the versions of an object that are kept",
    .usage = "history [RESOURCE/]NAME",
    .details = "Newest first, over deletions and recreations, each with what it changed. How far back\n"
               "it goes is what the server keeps, see 'watchctl status'; the oldest may be without a\n"
               "cause. With -o json each version is a line, with its document.",
    .examples = "watchctl history jobs/build\n"
                "watchctl history jobs/build -n ci -o json",
    OPTIONS(history_options),
    .max_words = 2,
    .outputs = "table,json",
    .run = history_run,
};

static const struct option diff_options[] = {
    {INPUT, .help = "Compare what is there with what 'put -f FILE' would make of it."},
    {TEXT("rv", 0, range),
     .value = "A..B",
     .help = "These two versions; A alone: from it to now. Without: the last change."},
    {NAMESPACE},
};

const struct command cmd_diff = {
    .name = "diff",
    .summary = "Show what changed between two versions of an object, or what a put would change",
    .usage = "diff [RESOURCE/]NAME [--rv A..B]\n"
             "diff -f FILE [-f FILE]…",
    .details = "As YAML, line by line, without version and generation. It ends with 1 where they\n"
               "differ, with 0 where they do not. With -f the server tells, by a put as a dry run,\n"
               "what each document would make of its object; nothing is changed.",
    .examples = "watchctl diff jobs/build\n"
                "watchctl diff jobs/build --rv 97..104\n"
                "watchctl diff -f objects.yaml",
    OPTIONS(diff_options),
    .max_words = 2,
    .run = diff_run,
};

static const struct option export_options[] = {{SELECTOR}, {FIELD_SELECTOR}, {NAMESPACE}, {ALL_NAMESPACES}, {AT_RV}};

const struct command cmd_export = {
    .name = "export",
    .summary = "Write objects as JSON lines, as import takes them",
    .usage = "export [RESOURCE|all]",
    .details = "All lines show one version; those of \"all\" begin with the definitions of resources. What\n"
               "the server sets (uid, versions, times) is left out, and so are times to live, and owner\n"
               "references: these name uids, which the owners do not have where they are imported, and an\n"
               "object without its owners would be deleted.",
    .examples = "watchctl export all -A > backup.jsonl\n"
                "watchctl export jobs -n ci -l tier=web",
    OPTIONS(export_options),
    .max_words = 2,
    .run = export_run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* The table. An option keeps its meaning, its letter and its kind in all commands. */
#include <stddef.h>

#include "cli/command.h"

#define AT(member)     offsetof(struct options, member)
#define OPTIONS(table) .options = (table), .n_options = sizeof(table) / sizeof((table)[0])

/* Fields of an option: a flag, and a text. */
#define FLAG(n, c, member) .name = (n), .letter = (c), .kind = OPTION_FLAG, .offset = AT(member)
#define TEXT(n, c, member) .name = (n), .letter = (c), .kind = OPTION_STRING, .offset = AT(member)

#define LONGEST            ((int64_t)36500 * 24 * 60 * 60 * 1000)

/* Options that several commands have. */
#define NAMESPACE                                     \
    TEXT("namespace", 'n', ns), .value = "NAMESPACE", \
                                .help = "The namespace; \"default\" if none is named."
#define ALL_NAMESPACES FLAG("all-namespaces", 'A', all_namespaces), .help = "All namespaces."
#define SELECTOR                     \
    TEXT("selector", 'l', selector), \
        .value = "SELECTOR",         \
        .help = "Only objects with these labels: app=web,tier in (a,b),!canary,size>3."
#define FIELD_SELECTOR                         \
    TEXT("field-selector", 0, field_selector), \
        .value = "SELECTOR",                   \
        .help = "Only objects with these fields: status.phase!=Running,spec.tier in (a,b)."
#define OUTPUT TEXT("output", 'o', output), .help = "How to show the result."
#define IF_RV \
    TEXT("if-rv", 0, if_rv), .value = "VERSION", .help = "Only if the object has this version."
#define IF_UID                                 \
    TEXT("if-uid", 0, if_uid), .value = "UID", \
                               .help = "Only if the object is the one with this uid."
#define SUBRESOURCE                                         \
    TEXT("subresource", 0, subresource), .value = "status", \
                                         .help = "Write the status only; all else stays as it is."
#define KEEP_STATUS \
    FLAG("keep-status", 0, keep_status), .help = "Leave an object's status as it is."
#define AT_RV                                    \
    TEXT("at-rv", 0, at_rv), .value = "VERSION", \
                             .help = "What was there at this version, not what is there now."
#define FIELD_MANAGER                              \
    TEXT("field-manager", 0, field_manager),       \
        .value = "NAME", .def = FIELD_MANAGER_CLI, \
        .help = "Who writes: it is told in the history, and owns the fields."
#define DRY_RUN \
    FLAG("dry-run", 0, dry_run), .help = "Let the server check everything, but change nothing."
#define INPUT \
    .name = "file", .letter = 'f', .kind = OPTION_LIST, .offset = AT(files), .value = "FILE"
#define TTL                                                                                      \
    .name = "ttl", .kind = OPTION_DURATION, .offset = AT(ttl_ms), .value = "DURATION", .min = 1, \
    .max = LONGEST,                                                                              \
    .help = "Let the object expire so long after this write; written again, it lives on."
#define NO_TTL FLAG("no-ttl", 0, no_ttl), .help = "Let the object not expire any more."
#define IGNORE_NOT_FOUND \
    FLAG("ignore-not-found", 0, ignore_not_found), .help = "A missing object is no error."
#define CLIENT_ID TEXT("client-id", 0, client_id), .value = "ID"

/* Aligning the columns of such tables is beyond the formatter. */
/* clang-format off */
const struct option global_options[] = {
    {TEXT("server", 0, server),
     .env = "WATCHCTL_SERVER",
     .value = "ADDRESS",
     .def = WATCH_DEFAULT_ADDRESS,
     .help = "The server: HOST:PORT or unix:PATH."},
    {TEXT("token-file", 0, token_file),
     .env = "WATCHCTL_TOKEN_FILE",
     .value = "FILE",
     .help = "Send the first line of FILE as bearer token."},
    {.name = "timeout",
     .env = "WATCHCTL_TIMEOUT",
     .kind = OPTION_DURATION,
     .offset = AT(timeout_ms),
     .value = "DURATION",
     .def = "10s",
     .min = 1,
     .max = LONGEST,
     .help = "Give up after this time, 1ms at least; in watch and import it bounds one attempt."},
    {FLAG("help", 'h', help), .help = "Show this help."},
    {FLAG("version", 0, version), .help = "Show the version."},
};
const size_t global_options_count = sizeof(global_options) / sizeof(global_options[0]);

static const struct option put_options[] = {
    {INPUT, .help = "Read documents from FILE, JSON or YAML; - is stdin. May be given again."},
    {NAMESPACE},
    {IF_RV},
    {IF_UID},
    {FLAG("if-absent", 0, if_absent), .help = "Only create, never replace."},
    {SUBRESOURCE},
    {KEEP_STATUS},
    {FIELD_MANAGER},
    {TTL},
    {NO_TTL},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
};
static const struct option apply_options[] = {
    {INPUT, .help = "Read documents from FILE, JSON or YAML; - is stdin. May be given again."},
    {NAMESPACE},
    {FIELD_MANAGER},
    {FLAG("force-conflicts", 0, force_conflicts),
     .help = "Take over the fields that others own."},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
};
static const struct option patch_options[] = {
    {TEXT("patch", 'p', patch), .value = "JSON", .help = "The patch."},
    {INPUT, .help = "Read the patch from FILE, JSON or YAML; - is stdin."},
    {TEXT("type", 0, patch_type),
     .value = "merge|json",
     .def = "merge",
     .help = "A JSON merge patch (RFC 7396), or a JSON Patch (RFC 6902)."},
    {NAMESPACE},
    {IF_RV},
    {IF_UID},
    {SUBRESOURCE},
    {KEEP_STATUS},
    {FIELD_MANAGER},
    {TTL},
    {NO_TTL},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
};
static const struct option delete_options[] = {
    {SELECTOR},
    {FIELD_SELECTOR},
    {FLAG("all", 0, all_objects), .help = "All objects of RESOURCE."},
    {TEXT("cascade", 0, cascade),
     .value = "background|orphan",
     .help = "What becomes of the objects whose only owner it is: they are deleted soon after (the "
             "default), or stay without the reference."},
    {NAMESPACE},
    {ALL_NAMESPACES},
    {IF_RV},
    {IF_UID},
    {IGNORE_NOT_FOUND},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
};
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
static const struct option history_options[] = {{NAMESPACE}, {OUTPUT, .value = "table|json"}};
static const struct option diff_options[] = {
    {INPUT, .help = "Compare what is there with what 'put -f FILE' would make of it."},
    {TEXT("rv", 0, range),
     .value = "A..B",
     .help = "These two versions; A alone: from it to now. Without: the last change."},
    {NAMESPACE},
};
static const struct option undo_options[] = {
    {TEXT("to-rv", 0, to_rv),
     .value = "VERSION",
     .help = "Back to what was there at this version, not to what was before the last change."},
    {NAMESPACE},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
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
static const struct option transact_options[] = {
    {INPUT, .help = "Read the operations from FILE, JSON lines or YAML; - is stdin."},
    {NAMESPACE},
    {DRY_RUN},
    {OUTPUT, .value = "name|json"},
};
static const struct option import_options[] = {{NAMESPACE}};
static const struct option export_options[] = {{SELECTOR}, {FIELD_SELECTOR}, {NAMESPACE}, {ALL_NAMESPACES}, {AT_RV}};
static const struct option status_options[] = {{OUTPUT, .value = "text|json"}};
static const struct option resources_options[] = {{OUTPUT, .value = "table|json|name"}};
static const struct option subscriptions_options[] = {
    {CLIENT_ID, .help = "Only those of this client."},
    {OUTPUT, .value = "table|json|name"},
};

const struct command commands[] = {
    {
        .name = "put",
        .summary = "Create or replace objects",
        .usage = "put [RESOURCE/]NAME JSON\n"
                 "put [[RESOURCE/]NAME] -f FILE [-f FILE]…",
        .details =
            "A document is a whole object if it has metadata, or apiVersion and kind, or only spec\n"
            "and status. Any other JSON object is the new spec; metadata and status then stay.\n"
            "metadata.resourceVersion and metadata.uid of a document are preconditions. With\n"
            "--subresource status any other JSON object is the new status.\n"
            "\n"
            "FILE is JSON or YAML (1.2: only true, false, null, ~ and numbers are not text) and may\n"
            "hold several documents, or a List. Without NAME each document names itself by\n"
            "metadata.name, its resource by its kind (\"Job\" is in \"jobs\"), \"objects\" if it has\n"
            "none. With metadata.generateName instead, the server makes a new object and completes\n"
            "its name.",
        .examples = "watchctl put greeting '{\"text\":\"hello\"}'\n"
                    "watchctl put jobs/build '{\"steps\":3}' -n ci\n"
                    "watchctl put greeting '{\"text\":\"hi\"}' --if-rv 12\n"
                    "watchctl put -f objects.yaml\n"
                    "watchctl get jobs -o yaml | watchctl put -f -",
        OPTIONS(put_options),
        .max_words = 3,
        .outputs = "text,name,json",
        .run = put_run,
    },
    {
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
    },
    {
        .name = "delete",
        .aliases = "rm",
        .summary = "Delete one object, or those of a selection",
        .usage = "delete [RESOURCE/]NAME\n"
                 "delete RESOURCE -l SELECTOR\n"
                 "delete RESOURCE --field-selector SELECTOR\n"
                 "delete RESOURCE --all",
        .details =
            "A single word is a NAME; only with a selector or --all is it a RESOURCE, of which the objects\n"
            "in -n, or with -A in all namespaces, are deleted one by one. Each is told when it is done;\n"
            "to go on after an interruption, run it again. An object with finalizers is only marked\n"
            "for deletion, and goes when the last of them is taken away.",
        .examples = "watchctl delete greeting\n"
                    "watchctl delete jobs/build -n ci --if-rv 97\n"
                    "watchctl delete jobs -n ci -l state=done\n"
                    "watchctl delete jobs --all -A --dry-run",
        OPTIONS(delete_options),
        .max_words = 2,
        .outputs = "text,name,json",
        .run = delete_run,
    },
    {
        .name = "apply",
        .summary = "Make objects be as documents say, and keep track of who said what",
        .usage = "apply -f FILE [-f FILE]…",
        .details =
            "The server makes each object be as its document says, creates it if there is none, and\n"
            "remembers that --field-manager owns what is in it. Maps are merged member by member;\n"
            "lists and all else are one value, unless the resource's schema says otherwise. What the\n"
            "manager applied before and now leaves out is removed, unless another owns it too. A\n"
            "field that another owns and the document would change is a conflict: all are listed,\n"
            "nothing is changed, and it ends with 4. put and patch take over what they change.\n"
            "\n"
            "FILE is as for put; each document is a whole object and names itself.",
        .examples = "watchctl apply -f site.yaml\n"
                    "watchctl apply -f site.yaml --field-manager ci --dry-run\n"
                    "watchctl apply -f site.yaml --force-conflicts\n"
                    "watchctl get sites/main -o yaml --show-managed-fields",
        OPTIONS(apply_options),
        .max_words = 0,
        .outputs = "text,name,json",
        .run = apply_run,
    },
    {
        .name = "patch",
        .summary = "Change parts of an object",
        .usage = "patch [RESOURCE/]NAME JSON\n"
                 "patch [RESOURCE/]NAME -p JSON\n"
                 "patch [RESOURCE/]NAME -f FILE",
        .details =
            "A merge patch (RFC 7396) is laid over the whole object: members are set, null removes\n"
            "one, arrays are replaced. A JSON Patch (RFC 6902) is an array of operations, all of\n"
            "which are done, or none: {\"op\":\"add\"|\"remove\"|\"replace\"|\"move\"|\"copy\"|\"test\", …}.\n"
            "metadata.resourceVersion and metadata.uid in a patch are preconditions.",
        .examples =
            "watchctl patch greeting '{\"spec\":{\"text\":\"hi\"}}'\n"
            "watchctl patch jobs/build -p '{\"metadata\":{\"labels\":{\"tier\":null}}}'\n"
            "watchctl patch jobs/build --type json '[{\"op\":\"remove\",\"path\":\"/spec/steps\"}]'\n"
            "watchctl patch jobs/build --subresource status '{\"status\":{\"phase\":\"Done\"}}'",
        OPTIONS(patch_options),
        .max_words = 3,
        .outputs = "text,name,json",
        .run = patch_run,
    },
    {
        .name = "transact",
        .summary = "Write several objects together: all or none",
        .usage = "transact -f FILE",
        .details =
            "FILE holds an operation a line, or YAML documents: a whole object to put, or\n"
            "{\"op\":\"put\"|\"create\"|\"update\"|\"patch\"|\"delete\"|\"check\",\"resource\":…,\n"
            "\"namespace\":…,\"name\":…,\"object\":{…} or \"patch\":{…}}. With \"resourceVersion\" or \"uid\"\n"
            "it demands that the object has these; a check, which changes nothing, without either\n"
            "demands that there is no such object. At most 100 operations, each of another object,\n"
            "with 1 MiB of documents. Watchers see all of it at once. When a demand fails nothing is\n"
            "changed, and the end is 4.",
        .examples = "watchctl transact -f move.jsonl\n"
                    "watchctl transact -f move.jsonl -n ci --dry-run",
        OPTIONS(transact_options),
        .max_words = 0,
        .outputs = "text,name,json",
        .run = transact_run,
    },
    {
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
    },
    {
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
    },
    {
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
    },
    {
        .name = "undo",
        .summary = "Put the version before the last change back",
        .usage = "undo [RESOURCE/]NAME [--to-rv VERSION]",
        .details = "As a new write, which is refused if somebody else writes in between. References to owners\n"
                   "that are gone are left out, since they would have it deleted again. To undo a\n"
                   "deletion makes the object again, to undo its creation deletes it; a second undo\n"
                   "redoes.",
        .examples = "watchctl undo jobs/build\n"
                    "watchctl undo jobs/build --to-rv 97",
        OPTIONS(undo_options),
        .max_words = 2,
        .outputs = "text,name,json",
        .run = undo_run,
    },
    {
        .name = "import",
        .summary = "Write many objects from JSON lines",
        .usage = "import FILE|-",
        .details =
            "Each line is a whole object, or {\"op\":\"put\"|\"delete\",\"resource\":…,\"namespace\":…,\n"
            "\"name\":…,\"object\":{…}}; the resource of a whole object is told by its kind, as in put.\n"
            "What names no namespace goes to -n, else to \"default\". Many writes are under way at a\n"
            "time, but of one object never more than one, in the order of the lines, and nothing\n"
            "behind a definition of a resource before that is there. It goes on when the server is\n"
            "restarted meanwhile. A line that is refused, deleting what is not there included, is told\n"
            "with its number, and the rest goes on; the end is then 9.",
        .examples = "watchctl import objects.jsonl\n"
                    "watchctl export all -A | watchctl import - --server other:7733",
        OPTIONS(import_options),
        .max_words = 1,
        .run = import_run,
    },
    {
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
    },
    {
        .name = "resources",
        .aliases = "api-resources",
        .summary = "List the resources that are declared or in use",
        .usage = "resources",
        .details =
            "A resource is declared by an object of the built-in resource \"resources\" that has its\n"
            "name; see the README. Commands then know it by its kind and short names too. How many\n"
            "objects there are, and of which undeclared resources, is told to administrators only.",
        .examples = "watchctl resources\n"
                    "watchctl put resources/jobs '{\"kind\":\"Job\",\"shortNames\":[\"jb\"]}'\n"
                    "watchctl get resources/jobs -o yaml",
        OPTIONS(resources_options),
        .max_words = 0,
        .outputs = "table,json,name",
        .run = resources_run,
    },
    {
        .name = "status",
        .summary = "Show what the server holds",
        .usage = "status",
        .examples = "watchctl status\n"
                    "watchctl status -o json",
        OPTIONS(status_options),
        .max_words = 0,
        .outputs = "text,json",
        .run = status_run,
    },
    {
        .name = "metrics",
        .summary = "Show the server's metrics, as Prometheus reads them",
        .usage = "metrics",
        .examples = "watchctl metrics | grep watchd_head",
        .max_words = 0,
        .run = metrics_run,
    },
    {
        .name = "compact",
        .summary = "Remove old events from the history",
        .usage = "compact [VERSION]",
        .details = "Removes every event up to VERSION, or up to the last version, but always keeps the\n"
                   "newest one. Objects stay. Watches can then no longer start before that.",
        .examples = "watchctl compact 1000",
        .max_words = 1,
        .run = compact_run,
    },
    {
        .name = "subscriptions",
        .aliases = "subs",
        .summary = "List or end the watches that are open",
        .usage = "subscriptions [list]\n"
                 "subscriptions end ID\n"
                 "subscriptions end --client-id ID",
        .details = "ID is a subscription's, or else a client's, which ends all of that client's. A watch\n"
                   "that is ended so does not come back by itself.",
        .examples = "watchctl subscriptions\n"
                    "watchctl subscriptions end 5d3c…\n"
                    "watchctl subscriptions end --client-id dashboard",
        OPTIONS(subscriptions_options),
        .max_words = 2,
        .outputs = "table,json,name",
        .run = subscriptions_run,
    },
    {
        .name = "completion",
        .summary = "Print the completion of a shell",
        .usage = "completion bash|zsh",
        .examples = "source <(watchctl completion bash)",
        .max_words = 1,
        .run = completion_run,
    },
    {
        .name = "version",
        .summary = "Show the version",
        .usage = "version",
        .max_words = 0,
        .run = version_run,
    },
    {
        .name = "help",
        .summary = "Show help on a command",
        .usage = "help [COMMAND]",
        .examples = "watchctl help watch",
        .max_words = 1,
        .run = help_run,
    },
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);

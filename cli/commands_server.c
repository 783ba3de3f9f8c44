/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about the server as a whole, and about watchctl itself. */
#include "cli/commands_impl.h"

/* Aligning the columns of such tables is beyond the formatter. */
/* clang-format off */
static const struct option resources_options[] = {{OUTPUT, .value = "table|json|name"}};

const struct command cmd_resources = {
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
};

static const struct option status_options[] = {{OUTPUT, .value = "text|json"}};

const struct command cmd_status = {
    .name = "status",
    .summary = "Show what the server holds",
    .usage = "status",
    .examples = "watchctl status\n"
                "watchctl status -o json",
    OPTIONS(status_options),
    .max_words = 0,
    .outputs = "text,json",
    .run = status_run,
};

const struct command cmd_metrics = {
    .name = "metrics",
    .summary = "Show the server's metrics, as Prometheus reads them",
    .usage = "metrics",
    .examples = "watchctl metrics | grep watchd_head",
    .max_words = 0,
    .run = metrics_run,
};

const struct command cmd_compact = {
    .name = "compact",
    .summary = "Remove old events from the history",
    .usage = "compact [VERSION]",
    .details = "Removes every event up to VERSION, or up to the last version, but always keeps the\n"
               "newest one. Objects stay. Watches can then no longer start before that.",
    .examples = "watchctl compact 1000",
    .max_words = 1,
    .run = compact_run,
};

static const struct option subscriptions_options[] = {
    {CLIENT_ID, .help = "Only those of this client."},
    {OUTPUT, .value = "table|json|name"},
};

const struct command cmd_subscriptions = {
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
};

const struct command cmd_completion = {
    .name = "completion",
    .summary = "Print the completion of a shell",
    .usage = "completion bash|zsh",
    .examples = "source <(watchctl completion bash)",
    .max_words = 1,
    .run = completion_run,
};

const struct command cmd_version = {
    .name = "version",
    .summary = "Show the version",
    .usage = "version",
    .max_words = 0,
    .run = version_run,
};

static const struct option help_options[] = {
    {FLAG("man", 0, man), .help = "Print the manual page instead, as source."},
};

const struct command cmd_help = {
    .name = "help",
    .summary = "Show help on a command",
    .usage = "help [COMMAND]\n"
             "help --man",
    .examples = "watchctl help watch\n"
                "watchctl help --man | man -l -",
    OPTIONS(help_options),
    .max_words = 1,
    .run = help_run,
};

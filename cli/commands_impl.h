/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of commands are made of. An option keeps its meaning, its letter and its kind in
 * all commands, so those that several have are written here. */
#ifndef WATCHD_CLI_COMMANDS_IMPL_H
#define WATCHD_CLI_COMMANDS_IMPL_H

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

extern const struct command cmd_apply;
extern const struct command cmd_compact;
extern const struct command cmd_completion;
extern const struct command cmd_delete;
extern const struct command cmd_diff;
extern const struct command cmd_export;
extern const struct command cmd_get;
extern const struct command cmd_help;
extern const struct command cmd_history;
extern const struct command cmd_import;
extern const struct command cmd_metrics;
extern const struct command cmd_patch;
extern const struct command cmd_put;
extern const struct command cmd_resources;
extern const struct command cmd_status;
extern const struct command cmd_subscriptions;
extern const struct command cmd_transact;
extern const struct command cmd_undo;
extern const struct command cmd_version;
extern const struct command cmd_watch;

#endif

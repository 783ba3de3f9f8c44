/* SPDX-License-Identifier: Apache-2.0 */
/* All commands, as help lists them, and the options of all. */
#include "cli/commands_impl.h"

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
/* clang-format on */

const struct command *const commands[] = {
    &cmd_put,      &cmd_get,           &cmd_delete,     &cmd_apply,   &cmd_patch,
    &cmd_transact, &cmd_watch,         &cmd_history,    &cmd_diff,    &cmd_undo,
    &cmd_import,   &cmd_export,        &cmd_resources,  &cmd_status,  &cmd_metrics,
    &cmd_compact,  &cmd_subscriptions, &cmd_completion, &cmd_version, &cmd_help,
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);

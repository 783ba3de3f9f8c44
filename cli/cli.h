/* SPDX-License-Identifier: Apache-2.0 */
/* A run of watchctl: its options, its command, its client, and how it ends.
 * Threads: main only; the signal handler touches `interrupted` and the client's own flag. */
#ifndef WATCHD_CLI_CLI_H
#define WATCHD_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/client/watch_client.h"
#include "store/base/err.h"
#include "store/base/option.h"

/* Exit codes that are not a server's error (those are in ERRC_TABLE). */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_OTHER = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_NOT_FOUND = 3,
    EXIT_CODE_NEVER_CONNECTED = 7,
    EXIT_CODE_INVALID = 9,
    EXIT_CODE_INTERRUPTED = 130,
};

/* Who writes, where no --field-manager says another. */
#define FIELD_MANAGER_CLI "watchctl"

/* The options of all commands; each command's table says which ones it takes. */
struct options {
    const char *server;
    const char *token_file;
    int64_t timeout_ms;
    bool help;
    bool man;
    bool version;

    const char *ns;
    bool all_namespaces;
    bool all_objects;
    const char *selector;
    const char *field_selector;
    const char *output;
    struct option_list files;
    const char *patch;
    const char *if_rv;
    const char *if_uid;
    const char *patch_type;
    const char *subresource;
    bool keep_status;
    const char *at_rv;
    const char *to_rv;
    const char *range; /* "97..104" */
    int64_t chunk_size;
    const char *field_manager;
    bool force_conflicts;
    bool managed_fields;
    bool if_absent;
    bool dry_run;
    const char *cascade;
    int64_t ttl_ms; /* 0: not given */
    bool no_ttl;
    bool ignore_not_found;
    const char *since;
    int64_t count;  /* 0: no limit */
    int64_t for_ms; /* 0: for ever */
    bool bookmarks;
    bool previous;
    const char *client_id;
};

struct command;
struct resource_definition;

struct cli {
    struct options options;
    const struct command *command;
    struct watch_client *client; /* after cli_open */
    char *token;
    struct resource_definition *definition; /* see resource.h */
    char resource[64];                      /* its name */
};

/* Makes the client. Returns 0, or the exit code after having said why not. */
int cli_open(struct cli *cli);
void cli_close(struct cli *cli);

/* SIGINT: the running call ends, cli_interrupted is true; a second one ends the process. */
void cli_handle_signals(struct cli *cli);
bool cli_interrupted(void);

/* All of these print one line to stderr and return an exit code. */
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
int cli_invalid(const char *fmt, ...) PRINTF_LIKE(1, 2);
int cli_other(const char *fmt, ...) PRINTF_LIKE(1, 2);
void cli_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Prints a failed call as kubectl does, `Error from server (NotFound): …`, and where something can
 * be done about it, what, on a second line. Returns the exit code. */
int cli_complain(const struct cli *cli, const struct watch_error *error);
/* The word in those brackets. */
const char *cli_reason(enum watch_code code);
/* Only the code. */
int cli_exit_code(const struct watch_error *error);

/* Flushes stdout. Returns 0, or the exit code after having said, once, what failed. */
int cli_flush(void);
/* Ends the process as SIGPIPE does if nobody reads stdout any more. */
void cli_check_reader(void);

/* --if-rv, a version of 1 or more, and --if-uid as the write's precondition. Returns 0 or an exit
 * code. */
int cli_preconditions(const struct cli *cli, struct watch_write *w);
/* --at-rv: a version of 1 or more; 0 when it was not given. Returns 0 or an exit code. */
int cli_at_rv(const struct cli *cli, uint64_t *ret);

#endif

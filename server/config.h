/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: what the command line and the environment say, checked.
 * Texts are borrowed from both. Threads: written at start only. */
#ifndef WATCHD_SERVER_CONFIG_H
#define WATCHD_SERVER_CONFIG_H

#include "server/address.h"
#include "store/base/logline.h"
#include "store/base/option.h"

struct config {
    const char *db;
    struct option_list listen;
    struct address addresses[OPTION_LIST_MAX]; /* listen, parsed */
    bool insecure;
    const char *token_file, *admin_token_file; /* NULL: none */
    int64_t history_events;                    /* 0: no limit */
    int64_t history_bytes;                     /* 0: no limit */
    int64_t history_age_ms;                    /* 0: no limit */
    int64_t log_bytes, max_object_bytes, max_watches, max_pinned_bytes;
    int64_t max_objects, max_file_bytes;
    bool declared_only;
    int64_t bookmark_ms; /* while a position moves; six times it otherwise */
    int64_t keepalive_ms, keepalive_timeout_ms;
    int64_t drain_ms;
    int64_t fanout_threads;
    const char *log_level_name;
    enum log_level log_level;
    bool help, version, man;
};

/* argv without the program's name. With help or version nothing else is checked. Errors:
 * ERR_INVALID. */
enum errc config_parse(int argc, char *const *argv, struct config *ret, struct err *err) NODISCARD;
/* Appends what --help says. */
void config_help(struct buf *out);
/* Appends the manual page. */
void config_man(struct buf *out);

#endif

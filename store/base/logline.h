/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: one line to stderr per happening, `time level message key=value …`, escaped.
 * Only programs log (server, cli); libraries return errors. Identical messages are rate-limited:
 * after 20 of one call site in 10 s the rest are counted and told in one line.
 * Threads: any. */
#ifndef WATCHD_BASE_LOGLINE_H
#define WATCHD_BASE_LOGLINE_H

#include <stdbool.h>

#include "store/base/mem.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug". */
bool log_level_parse(const char *s, enum log_level *ret);

struct log_site; /* rate-limit state of one call site */
void log_line(struct log_site *site, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct log_site {
    long long since_ms;
    int count;
    int dropped;
};

#define LOG_AT(level, ...)                      \
    do {                                        \
        static struct log_site site_;           \
        log_line(&site_, (level), __VA_ARGS__); \
    } while (0)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) A line is one write(2), so lines of several threads, or of several processes that share a
 *     stderr, never mix.
 * (2) Every line that was dropped is told: a site with drops is on the list `quiet`, and any later
 *     line looks through it for sites whose time is up. */
#include "store/base/logline.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/base/bytes.h"
#include "store/base/clock.h"

#define LINE_MAX_BYTES 4096
#define BURST          20
#define WINDOW_MS      10000
#define QUIET_MAX      32

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static _Atomic int log_level = LOG_INFO;

/* Sites that dropped lines, each with the last line dropped. */
struct quiet_site {
    struct log_site *site;
    enum log_level level;
    char text[160];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct quiet_site quiet[QUIET_MAX];
static size_t n_quiet;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *s, enum log_level *ret)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(s, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Messages quote what peers sent; control characters could forge lines or drive a terminal. */
static void add_escaped(struct buf *out, const char *s)
{
    size_t n = strlen(s);
    for (size_t at = 0; at < n;) {
        size_t len = utf8_len(s + at, n - at);
        unsigned char c = (unsigned char)s[at];
        bool c1 = len == 2 && c == 0xc2 && (unsigned char)s[at + 1] < 0xa0;
        if (c == '\n') {
            buf_adds(out, STR("\\n"));
            at++;
        } else if (len == 0 || c < 0x20 || c == 0x7f || c1) {
            buf_printf(out, "\\x%02x", c);
            at++;
        } else {
            buf_add(out, s + at, len);
            at += len;
        }
    }
}

static void write_line(enum log_level level, const char *text)
{
    wall_ms_t now = clock_wall(&clock_system);
    char time[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(now, time);
    CLEANUP(buf_fini) struct buf line;
    buf_init(&line, (size_t)LINE_MAX_BYTES * 4 + 256); /* An escaped byte is four at most. */
    buf_printf(&line, "%.*s.%03dZ %s ", CLOCK_RFC3339_LEN - 1, time, (int)(now % 1000),
               level_names[level]);
    add_escaped(&line, text);
    buf_addc(&line, '\n');
    /* A log that cannot be written has nowhere to complain. */
    ssize_t written = write(STDERR_FILENO, line.p, line.n);
    (void)written;
}

/* Tells how many lines each site dropped whose time is up. Under the lock. */
static void tell_dropped(long long now)
{
    for (size_t i = 0; i < n_quiet;) {
        struct quiet_site *q = &quiet[i];
        if (now - q->site->since_ms < WINDOW_MS) {
            i++;
            continue;
        }
        char text[sizeof(q->text) + 64];
        snprintf(text, sizeof(text), "%d more of: %s", q->site->dropped, q->text);
        write_line(q->level, text);
        q->site->dropped = 0;
        quiet[i] = quiet[--n_quiet]; /* (2) */
    }
}

/* False when the line is one too many. Under the lock. */
static bool admit(struct log_site *site, enum log_level level, const char *text, long long now)
{
    if (site->count == 0 || now - site->since_ms >= WINDOW_MS) {
        site->since_ms = now;
        site->count = 0;
    }
    if (site->count < BURST) {
        site->count++;
        return true;
    }
    if (site->dropped == 0) {
        if (n_quiet == QUIET_MAX) {
            return true; /* (2) No room to remember it: better a line too many. */
        }
        quiet[n_quiet++] = (struct quiet_site){.site = site, .level = level};
        snprintf(quiet[n_quiet - 1].text, sizeof(quiet[0].text), "%.*s",
                 (int)sizeof(quiet[0].text) - 1, text);
    }
    site->dropped++;
    return false;
}

void log_line(struct log_site *site, enum log_level level, const char *fmt, ...)
{
    if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed)) {
        return;
    }
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    long long now = clock_mono(&clock_system);
    pthread_mutex_lock(&lock);
    tell_dropped(now);
    if (admit(site, level, text, now)) {
        write_line(level, text);
    }
    pthread_mutex_unlock(&lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include "store/base/man.h"

#define AT(member) offsetof(struct config, member)
#define KIB        ((int64_t)1024)
#define MIB        (KIB * 1024)
#define GIB        (MIB * 1024)
#define SECOND     ((int64_t)1000)
#define DAY        (24 * 60 * 60 * SECOND)

static const struct option table[] = {
    {.name = "db",
     .env = "WATCHD_DB",
     .kind = OPTION_STRING,
     .offset = AT(db),
     .value = "FILE",
     .def = "watchd.db",
     .help = "The database; it is made if it does not exist."},
    {.name = "listen",
     .env = "WATCHD_LISTEN",
     .kind = OPTION_LIST,
     .offset = AT(listen),
     .value = "ADDRESS",
     .def = "127.0.0.1:7733",
     .help = "HOST:PORT, [IPV6]:PORT or unix:PATH; port 0 picks a free one. May be given more than "
             "once."},
    {.name = "insecure",
     .env = "WATCHD_INSECURE",
     .kind = OPTION_FLAG,
     .offset = AT(insecure),
     .help = "Allow addresses that other machines can reach, without encryption."},
    {.name = "token-file",
     .env = "WATCHD_TOKEN_FILE",
     .kind = OPTION_STRING,
     .offset = AT(token_file),
     .value = "FILE",
     .help = "Answer only calls that bring one of the bearer tokens in this file, one per line."},
    {.name = "admin-token-file",
     .env = "WATCHD_ADMIN_TOKEN_FILE",
     .kind = OPTION_STRING,
     .offset = AT(admin_token_file),
     .value = "FILE",
     .help = "Administration and the subscriptions of others need one of the tokens in this file."},
    {.name = "history-events",
     .env = "WATCHD_HISTORY_EVENTS",
     .kind = OPTION_INT,
     .offset = AT(history_events),
     .value = "N",
     .def = "1000000",
     .help = "Events to keep for watches that resume; 0: no limit."},
    {.name = "history-bytes",
     .env = "WATCHD_HISTORY_BYTES",
     .kind = OPTION_BYTES,
     .offset = AT(history_bytes),
     .value = "BYTES",
     .def = "1G",
     .help = "Bytes of events to keep; 0: no limit."},
    {.name = "history-age",
     .env = "WATCHD_HISTORY_AGE",
     .kind = OPTION_DURATION,
     .offset = AT(history_age_ms),
     .value = "DURATION",
     .def = "0",
     .help = "How long to keep events, in time that the server was running; 0: no limit."},
    {.name = "log-bytes",
     .env = "WATCHD_LOG_BYTES",
     .kind = OPTION_BYTES,
     .offset = AT(log_bytes),
     .value = "BYTES",
     .def = "64M",
     .min = MIB,
     .max = 64 * GIB,
     .help = "Memory for the newest events, which watches that keep up are served from."},
    {.name = "max-object-bytes",
     .env = "WATCHD_MAX_OBJECT_BYTES",
     .kind = OPTION_BYTES,
     .offset = AT(max_object_bytes),
     .value = "BYTES",
     .def = "1M",
     .min = KIB,
     .max = 64 * MIB,
     .help = "The largest document taken."},
    {.name = "max-objects",
     .env = "WATCHD_MAX_OBJECTS",
     .kind = OPTION_INT,
     .offset = AT(max_objects),
     .value = "N",
     .def = "10000000",
     .min = 1,
     .max = 1000000000,
     .help = "Objects that may exist; each takes about 150 bytes of memory."},
    {.name = "declared-only",
     .env = "WATCHD_DECLARED_ONLY",
     .kind = OPTION_FLAG,
     .offset = AT(declared_only),
     .help = "Take only objects of resources that are declared by an object of \"resources\"."},
    {.name = "max-file-bytes",
     .env = "WATCHD_MAX_FILE_BYTES",
     .kind = OPTION_BYTES,
     .offset = AT(max_file_bytes),
     .value = "BYTES",
     .def = "64G",
     .min = MIB,
     .max = 16384 * GIB,
     .help = "Size of the database file; writes that would pass it are refused."},
    {.name = "max-watches",
     .env = "WATCHD_MAX_WATCHES",
     .kind = OPTION_INT,
     .offset = AT(max_watches),
     .value = "N",
     .def = "10000",
     .min = 1,
     .max = 1000000,
     .help = "Watches that may be open at once."},
    {.name = "max-pinned-bytes",
     .env = "WATCHD_MAX_PINNED_BYTES",
     .kind = OPTION_BYTES,
     .offset = AT(max_pinned_bytes),
     .value = "BYTES",
     .def = "256M",
     .min = 64 * KIB,
     .max = 64 * GIB,
     .help = "Memory that clients which do not read may hold; above it the slowest is ended."},
    {.name = "bookmark-interval",
     .env = "WATCHD_BOOKMARK_INTERVAL",
     .kind = OPTION_DURATION,
     .offset = AT(bookmark_ms),
     .value = "DURATION",
     .def = "10s",
     .min = 100,
     .max = DAY,
     .help = "How often a watch gets a bookmark while its position moves; six times it while not. "
             "Clients may ask for another. Also before what they would resume from is compacted."},
    {.name = "keepalive-time",
     .env = "WATCHD_KEEPALIVE_TIME",
     .kind = OPTION_DURATION,
     .offset = AT(keepalive_ms),
     .value = "DURATION",
     .def = "30s",
     .min = SECOND,
     .max = DAY,
     .help = "Ping a connection that was silent for this long."},
    {.name = "keepalive-timeout",
     .env = "WATCHD_KEEPALIVE_TIMEOUT",
     .kind = OPTION_DURATION,
     .offset = AT(keepalive_timeout_ms),
     .value = "DURATION",
     .def = "20s",
     .min = SECOND,
     .max = DAY,
     .help = "Cut a connection off that does not answer a ping within this time."},
    {.name = "drain-grace",
     .env = "WATCHD_DRAIN_GRACE",
     .kind = OPTION_DURATION,
     .offset = AT(drain_ms),
     .value = "DURATION",
     .def = "5s",
     .max = DAY,
     .help = "On SIGTERM, wait this long for clients before their calls are cancelled."},
    {.name = "fanout-threads",
     .env = "WATCHD_FANOUT_THREADS",
     .kind = OPTION_INT,
     .offset = AT(fanout_threads),
     .value = "N",
     .def = "2",
     .min = 1,
     .max = 64,
     .help = "Threads that send events."},
    {.name = "log-level",
     .env = "WATCHD_LOG_LEVEL",
     .kind = OPTION_STRING,
     .offset = AT(log_level_name),
     .value = "LEVEL",
     .def = "info",
     .help = "error, warn, info or debug; lines go to stderr."},
    {.name = "help",
     .letter = 'h',
     .kind = OPTION_FLAG,
     .offset = AT(help),
     .help = "Show this and exit."},
    {.name = "version",
     .kind = OPTION_FLAG,
     .offset = AT(version),
     .help = "Show the version and exit."                                                                               },
    {.name = "man",
     .kind = OPTION_FLAG,
     .offset = AT(man),
     .help = "Show the manual page and exit, as source: watchd --man | man -l -"                                                                         },
};
static const size_t table_n = sizeof(table) / sizeof(table[0]);

#define SUMMARY "Keep JSON objects in one file and stream every change of them"
#define CODES   "0 ended by a signal, 1 failure, 2 usage."
#define EXAMPLE \
    "watchd --db /var/lib/watchd/watchd.db --listen 127.0.0.1:7733 --listen unix:/run/watchd.sock"

void config_help(struct buf *out)
{
    buf_adds(out, STR("Usage: watchd [OPTION]...\n" SUMMARY ".\n\n"));
    options_help(table, table_n, out);
    buf_adds(out, STR("\nExit codes: " CODES "\nExample:\n  " EXAMPLE "\n"));
}

void config_man(struct buf *out)
{
    man_begin("watchd", 8, SUMMARY, out);
    man_section("SYNOPSIS", out);
    man_lines("[OPTION]...", "watchd", out);
    man_section("DESCRIPTION", out);
    man_text(
        "Objects in, events out, nothing lost: watchd keeps JSON objects and their history in\n"
        "one file, and answers watchctl(1), libwatch and any client of its gRPC API. A write\n"
        "is on disk before it is answered and before anyone sees it. A watch gets every\n"
        "change that matches, in order, each once, and resumes where it was cut off.\n"
        "\n"
        "It prints a line for each address once it listens there, and its log to standard\n"
        "error. On SIGTERM and SIGINT it ends all watches with a status that lets them resume\n"
        "after a restart. One server opens a file; another is refused.",
        out);
    man_section("OPTIONS", out);
    man_options(table, table_n, out);
    man_section("ENVIRONMENT", out);
    man_environment(table, table_n, out);
    man_section("EXIT STATUS", out);
    man_text(CODES, out);
    man_section("EXAMPLES", out);
    man_lines(EXAMPLE, "", out);
    man_section("SEE ALSO", out);
    man_text("watchctl(1)", out);
}

static enum errc check_addresses(struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->listen.n; i++) {
        if (address_parse(c->listen.v[i], &c->addresses[i], err) != OK) {
            return err->code;
        }
        if (!c->addresses[i].loopback && !c->insecure) {
            return err_field(
                err, ERR_INVALID, "listen",
                "other machines can reach %s, and nothing would be encrypted; listen on "
                "127.0.0.1, [::1] or unix:PATH, or add --insecure if the network is "
                "trusted",
                c->listen.v[i]);
        }
    }
    if (c->listen.n == 0) {
        return err_field(err, ERR_INVALID, "listen", "at least one address is needed");
    }
    return OK;
}

enum errc config_parse(int argc, char *const *argv, struct config *ret, struct err *err)
{
    struct config c = {0};
    size_t words = 0;
    if (options_parse(table, table_n, argc, argv, false, &c, NULL, 0, &words, err) != OK) {
        return err->code;
    }
    if (!c.help && !c.version && !c.man) {
        if (words > 0) {
            return err_set(err, ERR_INVALID,
                           "watchd takes options only, but got \"%s\"; see watchd --help",
                           argv[(size_t)argc - words]);
        }
        if (!log_level_parse(c.log_level_name, &c.log_level)) {
            return err_field(err, ERR_INVALID, "log-level",
                             "\"%s\" is no level: say error, warn, info or debug",
                             c.log_level_name);
        }
        if (c.db[0] == '\0') {
            return err_field(err, ERR_INVALID, "db", "the path of the database is empty");
        }
        if (check_addresses(&c, err) != OK) {
            return err->code;
        }
    }
    *ret = c;
    return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/text.h"
#include "store/base/bytes.h"
#include "store/base/random.h"
#include "store/model/resource_definition.h"

static struct watch_client *interrupted_client;
static volatile sig_atomic_t interrupted;

/* ---- Saying things ------------------------------------------------------------------------- */

/* What came from objects or from the server must not steer the terminal. */
static void say(const char *prefix, const char *text)
{
    CLEANUP(buf_fini) struct buf line;
    buf_init(&line, 64 << 10);
    buf_adds(&line, str_of(prefix));
    text_escape(str_of(text), &line);
    buf_addc(&line, '\n');
    fflush(stdout);
    (void)fwrite(line.p, 1, line.n, stderr);
}

__attribute__((format(printf, 2, 0))) static void say_v(const char *prefix, const char *fmt,
                                                        va_list args)
{
    char text[4096];
    vsnprintf(text, sizeof(text), fmt, args);
    say(prefix, text);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    CLEANUP(freep)
    char *line = cli->command != NULL
                     ? mem_printf("%s (see 'watchctl %s --help')", text, cli->command->name)
                     : mem_printf("%s (see 'watchctl --help')", text);
    say("error: ", line);
    return EXIT_CODE_USAGE;
}

int cli_invalid(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_v("error: ", fmt, args);
    va_end(args);
    return EXIT_CODE_INVALID;
}

int cli_other(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_v("error: ", fmt, args);
    va_end(args);
    return EXIT_CODE_OTHER;
}

void cli_notice(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say_v("", fmt, args);
    va_end(args);
}

/* What can be done about an error that the server gave; NULL where it goes without saying. */
static const char *advice(const struct cli *cli, const struct watch_error *e)
{
    switch (e->code) {
    case WATCH_EXISTS:
        return cli->options.if_absent ? "leave out --if-absent to replace it" : NULL;
    case WATCH_DENIED:
        return "give a token that may do this with --token-file";
    case WATCH_UNAUTHENTICATED:
        return "give the server's token with --token-file FILE or WATCHCTL_TOKEN_FILE";
    case WATCH_DEADLINE:
        return "try again, or wait longer with --timeout";
    case WATCH_STORAGE_FULL:
        return "make room on the server's disk; writing then goes on by itself";
    case WATCH_OUTCOME_UNKNOWN:
        return "look with 'watchctl get' whether it was done, then repeat it if not";
    case WATCH_UNSUBSCRIBED:
        return "start the watch again to go on";
    case WATCH_DATA_LOSS:
        return "the server's file is damaged; restore it from a backup";
    default:
        return NULL;
    }
}

int cli_exit_code(const struct watch_error *error)
{
    if (error->code == WATCH_CANCELLED && cli_interrupted()) {
        return EXIT_CODE_INTERRUPTED;
    }
    return err_info((enum errc)error->code)->exit_code;
}

const char *cli_reason(enum watch_code code)
{
    /* Kubernetes knows but one word for the three ways in which a version is out of reach. */
    return code == WATCH_FUTURE    ? "Future"
           : code == WATCH_FOREIGN ? "Foreign"
                                   : err_info((enum errc)code)->k8s;
}

int cli_complain(const struct cli *cli, const struct watch_error *e)
{
    const char *server = cli->options.server;
    int code = cli_exit_code(e);
    if (code == EXIT_CODE_INTERRUPTED) {
        return code;
    }
    if (e->code == WATCH_UNAVAILABLE && !e->from_server) {
        cli_notice("error: cannot connect to %s: %s; start a server with 'watchd --listen %s', or "
                   "name another with --server",
                   server, e->message[0] != '\0' ? e->message : "no connection in time", server);
        return code;
    }
    if (!e->from_server) {
        cli_notice("error: %s: %s", server, e->message);
    } else if (e->field[0] != '\0' && strstr(e->message, e->field) == NULL) {
        cli_notice("Error from server (%s): %s: %s", cli_reason(e->code), e->field, e->message);
    } else {
        cli_notice("Error from server (%s): %s", cli_reason(e->code), e->message);
    }
    const char *what = advice(cli, e);
    if (what != NULL) {
        cli_notice("hint: %s", what);
    }
    return code;
}

int cli_flush(void)
{
    static bool told;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return 0;
    }
    if (cli_interrupted()) {
        return EXIT_CODE_INTERRUPTED;
    }
    if (!told) {
        told = true;
        (void)cli_other("cannot write the output: %s", strerror(errno));
    }
    return EXIT_CODE_OTHER;
}

void cli_check_reader(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = 0};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0) {
        (void)raise(SIGPIPE);
    }
}

int cli_preconditions(const struct cli *cli, struct watch_write *w)
{
    const struct options *o = &cli->options;
    if (o->if_rv != NULL && (!str_to_u64(str_of(o->if_rv), &w->if_rv) || w->if_rv == 0)) {
        return cli_usage(cli, "--if-rv wants a version of 1 or more, not \"%s\"", o->if_rv);
    }
    if (o->if_uid != NULL && strlen(o->if_uid) != UUID_LEN) {
        return cli_usage(cli, "--if-uid wants metadata.uid, of %d characters, not \"%s\"", UUID_LEN,
                         o->if_uid);
    }
    w->if_uid = o->if_uid;
    return 0;
}

/* ---- Signals ------------------------------------------------------------------------------- */

static void on_interrupt(int sig)
{
    (void)sig;
    if (interrupted) {
        _exit(EXIT_CODE_INTERRUPTED);
    }
    interrupted = 1;
    if (interrupted_client != NULL) {
        watch_client_interrupt(interrupted_client);
    }
}

void cli_handle_signals(struct cli *cli)
{
    interrupted_client = cli->client;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    /* A reader of our output that has gone ends us as it ends any other filter. */
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGPIPE, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

/* ---- The client ---------------------------------------------------------------------------- */

static int read_token(struct cli *cli)
{
    const char *path = cli->options.token_file;
    if (path == NULL || *path == '\0') {
        return 0;
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return cli_other("cannot read the token file %s: %s", path, strerror(errno));
    }
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
        cli_notice("warning: others may read the token file %s; run: chmod 600 %s", path, path);
    }
    char line[4200];
    bool some = fgets(line, sizeof(line), f) != NULL;
    int why = ferror(f) ? errno : 0;
    (void)fclose(f);
    if (why != 0) {
        return cli_other("cannot read the token file %s: %s", path, strerror(why));
    }
    if (some) {
        line[strcspn(line, "\r\n")] = '\0';
    }
    if (!some || line[0] == '\0') {
        return cli_other("the token file %s is empty", path);
    }
    cli->token = mem_strdup(line);
    return 0;
}

int cli_open(struct cli *cli)
{
    int code = read_token(cli);
    if (code != 0) {
        return code;
    }
    struct watch_client_options o = {.address = cli->options.server,
                                     .token = cli->token,
                                     .user_agent = "watchctl/" WATCHD_VERSION,
                                     .timeout_ms = cli->options.timeout_ms};
    struct watch_error error;
    if (watch_client_new(&o, &cli->client, &error) != WATCH_OK) {
        bool address = strcmp(error.field, "address") == 0;
        return cli_usage(cli, "%s: %s", address ? "--server" : "--token-file", error.message);
    }
    cli_handle_signals(cli);
    return 0;
}

void cli_close(struct cli *cli)
{
    interrupted_client = NULL;
    watch_client_free(TAKE(cli->client));
    free(TAKE(cli->token));
    resource_definition_unref(TAKE(cli->definition));
}

int cli_at_rv(const struct cli *cli, uint64_t *ret)
{
    const char *text = cli->options.at_rv;
    *ret = 0;
    if (text != NULL && (!str_to_u64(str_of(text), ret) || *ret == 0)) {
        return cli_usage(cli, "--at-rv wants a version of 1 or more, not \"%s\"", text);
    }
    return 0;
}

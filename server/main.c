/* SPDX-License-Identifier: Apache-2.0 */
/* watchd: keeps JSON objects in one file and streams every change of them.
 *
 * Start:  engine, store ─► fan-out threads ─► RPC ─► sockets ─► "listening on …"
 * Stop:   sockets ─► watches ─► RPC drains ─► fan-out threads ─► store ─► gRPC core
 *
 * This thread accepts connections and waits for signals; the threads that do the work are rpc.c's,
 * fanout.c's and the store's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "server/allocator.h"
#include "server/auth.h"
#include "server/codec.h"
#include "server/config.h"
#include "server/fanout.h"
#include "server/listen.h"
#include "server/rpc.h"
#include "server/services.h"
#include "store/base/metric.h"
#include "store/engine_sqlite.h"

#define EXIT_USAGE      2
#define TICK_MS         1000
#define TRIM_STREAMS    1000 /* memory goes back to the system after so many streams ended */
#define CANCEL_AFTER_MS 500  /* behind the grace: what the streams' own ends did not reach */
#define QUIET_MS        2000 /* for peers to read the last status and leave when no call is left */
#define DRAIN_TICK_MS   50

struct program {
    struct config config;
    struct server server;
    struct engine *engine; /* the store's; for the check */
    int signals;           /* signalfd */
    int over;              /* eventfd: the drain has come to its end */
    pthread_t checker;
    bool checking;
    uint64_t trimmed_at; /* streams freed at the last trim */
    bool refusing;       /* writes, when last reported */
};

static void complain(const struct err *err)
{
    bool name = err->field[0] != '\0' && strstr(err->msg, err->field) == NULL;
    fprintf(stderr, "watchd: %s%s%s\n", name ? err->field : "", name ? ": " : "", err->msg);
}

/* ---- Start ------------------------------------------------------------------------------------
 */

static void grpc_log(gpr_log_func_args *args)
{
    enum log_level level = args->severity == GPR_LOG_SEVERITY_ERROR  ? LOG_WARN
                           : args->severity == GPR_LOG_SEVERITY_INFO ? LOG_INFO
                                                                     : LOG_DEBUG;
    LOG_AT(level, "gRPC: %s", args->message);
}

/* Before any thread is started, so that all inherit the mask. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP); /* the terminal was closed: the same as being told to end */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file size is a full disk, not the end */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void *check_file(void *arg)
{
    struct program *p = arg;
    struct err err = {0};
    pthread_setname_np(pthread_self(), "checker");
    log_info("the database was not closed cleanly; checking it in the background");
    enum errc e = engine_sqlite_quick_check(p->engine, &err);
    if (e == OK) {
        log_info("the database is in order");
    } else if (e != ERR_CANCELLED) {
        log_error("the check of the database failed reason=%s error=\"%s\"", err_info(e)->reason,
                  err.msg);
    }
    return NULL;
}

static int64_t limit_of(int64_t v)
{
    return v == 0 ? -1 : v; /* the store's word for no limit */
}

static enum errc open_store(struct program *p, struct err *err)
{
    const struct config *cfg = &p->config;
    struct engine_sqlite_options engine_options = {.path = cfg->db,
                                                   .max_bytes = cfg->max_file_bytes};
    if (engine_sqlite_open(&engine_options, &p->engine, err) != OK) {
        return err->code;
    }
    struct store_options options = {
        .engine = p->engine,
        .codec = &codec_wire,
        .log_bytes = (size_t)cfg->log_bytes,
        .object_bytes = (size_t)cfg->max_object_bytes,
        .objects_max = (uint64_t)cfg->max_objects,
        .declared_only = cfg->declared_only,
        .history_events = limit_of(cfg->history_events),
        .history_bytes = limit_of(cfg->history_bytes),
        .history_age_s = (cfg->history_age_ms + 999) / 1000,
    };
    bool unclean = engine_sqlite_was_unclean(p->engine);
    memcpy(p->server.store_id, p->engine->identity.store_id, sizeof(p->server.store_id));
    if (store_open(&options, &p->server.store, err) != OK) {
        return err->code;
    }
    p->checking = unclean && pthread_create(&p->checker, NULL, check_file, p) == 0;
    return OK;
}

/* On the I/O thread. */
static void drained(void *arg)
{
    struct program *p = arg;
    uint64_t one = 1;
    ssize_t n = write(p->over, &one, sizeof(one));
    (void)n; /* the counter cannot be full */
}

static void start_rpc(struct program *p)
{
    struct server *srv = &p->server;
    srv->guard = guard_new();
    srv->health = health_new();
    srv->n_fanouts = (size_t)p->config.fanout_threads;
    srv->fanouts = mem_zalloc(srv->n_fanouts * sizeof(struct fanout *));
    for (size_t i = 0; i < srv->n_fanouts; i++) {
        srv->fanouts[i] = fanout_new(srv);
    }
    srv->rpc = rpc_new(srv, drained, p);
    for (size_t i = 0; i < srv->n_fanouts; i++) {
        fanout_start(srv->fanouts[i]);
    }
    rpc_start(srv->rpc);
}

static void say_listening(const struct program *p)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, (size_t)LISTENERS_MAX * 256);
    listeners_show(p->server.listeners, &text);
    fwrite(text.p, 1, text.n, stdout);
    fflush(stdout);
    log_info("watchd %s is ready store=%s head=%llu floor=%llu", WATCHD_VERSION, p->server.store_id,
             (unsigned long long)store_head(p->server.store),
             (unsigned long long)store_floor(p->server.store));
}

/* ---- Running ----------------------------------------------------------------------------------
 */

static void take_connection(void *arg, int fd)
{
    struct program *p = arg;
    rpc_add_connection(p->server.rpc, fd);
}

/* The number of the signal that arrived, or 0. */
static int read_signal(const struct program *p)
{
    struct signalfd_siginfo info;
    return read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

static void trim_one(struct task *t)
{
    free(t);
    allocator_trim();
}

static void trim_on(struct loop *l)
{
    struct task *t = mem_zalloc(sizeof(*t));
    t->run = trim_one;
    loop_post(l, t);
}

/* After many streams ended their memory goes back to the system: every thread gives what is its. */
static void trim(struct program *p)
{
    uint64_t freed = atomic_load(&p->server.streams_freed);
    if (freed - p->trimmed_at < TRIM_STREAMS) {
        return;
    }
    p->trimmed_at = freed;
    for (size_t i = 0; i < p->server.n_fanouts; i++) {
        trim_on(fanout_loop(p->server.fanouts[i]));
    }
    trim_on(rpc_loop(p->server.rpc));
    allocator_trim();
}

/* Says once when writes begin to be refused, and once when they are taken again. */
static void report_storage(struct program *p)
{
    struct store_facts facts;
    store_facts(p->server.store, &facts);
    bool refused = facts.read_only_reason[0] != '\0';
    if (refused && !p->refusing) {
        log_error("writes are refused reason=\"%s\"", facts.read_only_reason);
    } else if (!refused && p->refusing) {
        log_info("writes are taken again");
    }
    p->refusing = refused;
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Accepts connections until a signal comes. */
static int serve(struct program *p)
{
    for (;;) {
        struct pollfd fds[LISTENERS_MAX + 1];
        int timeout = -1;
        size_t n = listeners_poll(p->server.listeners, fds, &timeout);
        fds[n] = (struct pollfd){.fd = p->signals, .events = POLLIN};
        int e = poll(fds, n + 1, sooner(timeout, TICK_MS));
        if (e < 0 && errno != EINTR) {
            log_error("cannot wait for connections error=\"%s\"", strerror(errno));
            return SIGTERM;
        }
        if (e == 0) {
            trim(p);
            report_storage(p);
        }
        if (e > 0) {
            int signo = fds[n].revents != 0 ? read_signal(p) : 0;
            if (signo != 0) {
                return signo;
            }
            listeners_accept(p->server.listeners, fds, n, take_connection, p);
        }
    }
}

/* ---- Stop
 * ---------------------------------------------------------------------------------------- */

/* True: whoever is still there was given its time. */
static bool must_cancel(const struct program *p, mono_ms_t cancel_at)
{
    mono_ms_t now = loop_now();
    mono_ms_t quiet_since = rpc_quiet_since(p->server.rpc);
    if (quiet_since != 0 && now - quiet_since >= QUIET_MS) {
        return true;
    }
    if (now >= cancel_at) {
        log_warn("some clients did not end in time; their calls are cancelled");
        return true;
    }
    return false;
}

static void drain(struct program *p)
{
    listeners_close(p->server.listeners);
    rpc_drain(p->server.rpc);
    mono_ms_t cancel_at = loop_now() + p->config.drain_ms + CANCEL_AFTER_MS;
    bool cancelled = false;
    for (;;) {
        struct pollfd fds[2] = {
            {.fd = p->over,    .events = POLLIN},
            {.fd = p->signals, .events = POLLIN}
        };
        int e = poll(fds, 2, DRAIN_TICK_MS);
        if (e > 0 && fds[0].revents != 0) {
            return;
        }
        int signo = e > 0 && fds[1].revents != 0 ? read_signal(p) : 0;
        if (signo != 0) {
            log_warn("a second signal: leaving at once");
            _exit(128 + signo);
        }
        if (!cancelled && must_cancel(p, cancel_at)) {
            cancelled = true;
            rpc_cancel_all(p->server.rpc);
        }
    }
}

static void stop_rpc(struct program *p)
{
    struct server *srv = &p->server;
    for (size_t i = 0; i < srv->n_fanouts; i++) {
        fanout_stop(srv->fanouts[i]);
    }
    rpc_stop(srv->rpc);
    for (size_t i = 0; i < srv->n_fanouts; i++) {
        fanout_free(srv->fanouts[i]);
    }
    free(TAKE(srv->fanouts));
    rpc_free(TAKE(srv->rpc));
    health_free(TAKE(srv->health));
    guard_free(TAKE(srv->guard));
}

static void close_store(struct program *p)
{
    if (p->checking) {
        engine_sqlite_cancel_check(p->engine);
        pthread_join(p->checker, NULL);
    }
    store_close(TAKE(p->server.store));
}

static int run(struct program *p)
{
    struct err err = {0};
    if (auth_open(p->config.token_file, p->config.admin_token_file, &p->server.auth, &err) != OK) {
        complain(&err);
        return EXIT_USAGE;
    }
    if (open_store(p, &err) != OK) {
        complain(&err);
        return EXIT_FAILURE;
    }
    if (listeners_open(&p->config, &p->server.listeners, &err) != OK) {
        complain(&err);
        close_store(p);
        return EXIT_FAILURE;
    }
    grpc_init();
    start_rpc(p);
    say_listening(p);
    int signo = serve(p);
    log_info("draining signal=%d watches=%lld", signo, (long long)metric_get(M_WATCHES));
    drain(p);
    store_drain(p->server.store);
    stop_rpc(p);
    close_store(p);
    grpc_shutdown_blocking();
    log_info("ended");
    return EXIT_SUCCESS;
}

/* A closed stdin, stdout or stderr would give its number to the next file, and what is written
 * there would go into that: into the database, for one. */
static void fill_standard_files(int argc, char **argv, char **env)
{
    (void)argc;
    (void)argv;
    (void)env;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", O_RDWR);
        }
    }
}

/* Before the libraries start themselves: gRPC's opens an eventfd then, before main. */
__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(int, char **,
                                                            char **) = fill_standard_files;

static int say(void (*what)(struct buf *out))
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, 64 * 1024);
    what(&text);
    fwrite(text.p, 1, text.n, stdout);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void version(struct buf *out)
{
    buf_printf(out, "watchd %s\n", WATCHD_VERSION);
}

int main(int argc, char **argv)
{
    static struct program p;
    struct err err = {0};
    if (config_parse(argc - 1, argv + 1, &p.config, &err) != OK) {
        complain(&err);
        return EXIT_USAGE;
    }
    if (p.config.help || p.config.version || p.config.man) {
        return say(p.config.help ? config_help : p.config.man ? config_man : version);
    }
    log_set_level(p.config.log_level);
    p.signals = open_signals();
    p.over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p.signals < 0 || p.over < 0) {
        fprintf(stderr, "watchd: cannot start: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    if (listeners_raise_limit(&err) != OK) {
        complain(&err);
        return EXIT_FAILURE;
    }
    gpr_set_log_function(grpc_log);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    p.server.config = &p.config;
    p.server.started_at = loop_now();
    int code = run(&p);
    listeners_free(p.server.listeners);
    auth_free(p.server.auth);
    close(p.signals);
    close(p.over);
    return code;
}

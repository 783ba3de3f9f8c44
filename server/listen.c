/* SPDX-License-Identifier: Apache-2.0 */
/* (1) gRPC core closes connections without telling us, so none are counted: a new descriptor is
 *     always the lowest free one, and so its number bounds how many are open.
 * (2) A unix socket file that exists is replaced only when nobody answers on it. */
#include "server/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/loop.h"
#include "store/base/logline.h"

#define FILES_MIN        128
#define RESERVED_FILES   1024 /* for the database and what gRPC core needs */
#define BACKLOG          1024
#define ACCEPTS_PER_TURN 64
#define PAUSE_MS         100

struct listener {
    int fd;
    struct address address;
    dev_t dev; /* of a unix socket's file */
    ino_t ino;
};

struct listeners {
    struct listener v[LISTENERS_MAX];
    size_t n;
    unsigned user_timeout_ms;
    int fd_limit;           /* connections' descriptors are below it */
    mono_ms_t paused_until; /* no descriptors, or no memory */
    pthread_mutex_t mu;     /* guards the rest */
    ino_t *sockets;         /* by descriptor: which socket was accepted as it; 0: none */
    size_t sockets_n;
};

enum errc listeners_raise_limit(struct err *err)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
        rl.rlim_cur = rl.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &rl) != 0) {
            log_warn("cannot raise the limit of open files error=\"%s\"", strerror(errno));
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < FILES_MIN) {
        return err_set(
            err, ERR_LIMIT,
            "only %llu files may be open, and %d are needed; raise the limit (ulimit -n)",
            (unsigned long long)rl.rlim_cur, FILES_MIN);
    }
    return OK;
}

static int connection_limit(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur == RLIM_INFINITY ||
        rl.rlim_cur > INT32_MAX) {
        return INT32_MAX;
    }
    int n = (int)rl.rlim_cur;
    return n > 2 * RESERVED_FILES ? n - RESERVED_FILES : n / 2;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static enum errc fail_listen(const struct address *a, int code, struct err *err)
{
    CLEANUP(buf_fini) struct buf name;
    buf_init(&name, 256);
    address_show(a, &name);
    enum errc e = code == EADDRINUSE                ? ERR_EXISTS
                  : code == EACCES || code == EPERM ? ERR_DENIED
                                                    : ERR_UNAVAILABLE;
    const char *advice = e != ERR_EXISTS ? ""
                         : address_is_unix(a)
                             ? "; another process answers on it, or it is no socket"
                             : "; another process listens there";
    return err_field(err, e, "listen", "cannot listen on %.*s: %s%s", STR_ARG(buf_str(&name)),
                     strerror(code), advice);
}

/* (2) True: the file is gone. */
static bool remove_stale(const struct address *a)
{
    struct stat st;
    if (lstat(address_path(a), &st) != 0) {
        return errno == ENOENT;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool dead = connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead && unlink(address_path(a)) == 0;
}

static int bind_unix(int fd, const struct address *a)
{
    mode_t before = umask(0177); /* the file is made with mode 0600, at no time with more */
    int e = bind(fd, (const struct sockaddr *)&a->sa, a->len);
    if (e != 0 && errno == EADDRINUSE && remove_stale(a)) {
        e = bind(fd, (const struct sockaddr *)&a->sa, a->len);
    } else if (e != 0 && errno != EADDRINUSE) {
        int code = errno;
        umask(before);
        errno = code;
        return -1;
    }
    umask(before);
    errno = EADDRINUSE;
    return e;
}

static int bind_tcp(int fd, const struct address *a)
{
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->sa.ss_family == AF_INET6) {
        /* An address is what it says; who wants both families names both. But "any" means any. */
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->sa, sizeof(in6));
        int only = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr) ? 0 : 1;
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    }
    return bind(fd, (const struct sockaddr *)&a->sa, a->len);
}

static enum errc listener_open(struct listener *l, const struct address *a, struct err *err)
{
    bool is_unix = address_is_unix(a);
    l->address = *a;
    l->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) {
        return fail_listen(a, errno, err);
    }
    if ((is_unix ? bind_unix(l->fd, a) : bind_tcp(l->fd, a)) != 0 || listen(l->fd, BACKLOG) != 0) {
        int code = errno;
        close(l->fd);
        return fail_listen(a, code, err);
    }
    struct stat st;
    if (is_unix) {
        if (stat(address_path(a), &st) == 0) {
            l->dev = st.st_dev;
            l->ino = st.st_ino;
        }
    } else {
        l->address.len = sizeof(l->address.sa);
        (void)getsockname(l->fd, (struct sockaddr *)&l->address.sa, &l->address.len);
    }
    return OK;
}

enum errc listeners_open(const struct config *cfg, struct listeners **ret, struct err *err)
{
    struct listeners *ls = mem_zalloc(sizeof(*ls));
    pthread_mutex_init(&ls->mu, NULL);
    ls->user_timeout_ms = (unsigned)(cfg->keepalive_ms + cfg->keepalive_timeout_ms);
    ls->fd_limit = connection_limit();
    for (size_t i = 0; i < cfg->listen.n; i++) {
        if (listener_open(&ls->v[i], &cfg->addresses[i], err) != OK) {
            listeners_free(ls);
            return err->code;
        }
        ls->n++;
    }
    *ret = ls;
    return OK;
}

void listeners_close(struct listeners *ls)
{
    for (size_t i = 0; i < ls->n; i++) {
        struct listener *l = &ls->v[i];
        struct stat st;
        close(l->fd);
        if (address_is_unix(&l->address) && stat(address_path(&l->address), &st) == 0 &&
            st.st_dev == l->dev && st.st_ino == l->ino) {
            unlink(address_path(&l->address)); /* not if another took its place */
        }
    }
    ls->n = 0;
}

void listeners_free(struct listeners *ls)
{
    if (ls == NULL) {
        return;
    }
    listeners_close(ls);
    pthread_mutex_destroy(&ls->mu);
    free(ls->sockets);
    free(ls);
}

void listeners_show(const struct listeners *ls, struct buf *out)
{
    for (size_t i = 0; i < ls->n; i++) {
        buf_adds(out, STR("listening on "));
        address_show(&ls->v[i].address, out);
        buf_addc(out, '\n');
    }
}

/* ---- Accepting ------------------------------------------------------------------------------ */

size_t listeners_poll(struct listeners *ls, struct pollfd ret[LISTENERS_MAX], int *ret_timeout_ms)
{
    mono_ms_t now = loop_now();
    *ret_timeout_ms = -1;
    if (now < ls->paused_until) {
        *ret_timeout_ms = (int)(ls->paused_until - now);
        return 0;
    }
    for (size_t i = 0; i < ls->n; i++) {
        ret[i] = (struct pollfd){.fd = ls->v[i].fd, .events = POLLIN};
    }
    return ls->n;
}

static void remember(struct listeners *ls, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return;
    }
    pthread_mutex_lock(&ls->mu);
    if ((size_t)fd >= ls->sockets_n) {
        size_t n = ls->sockets_n == 0 ? 64 : ls->sockets_n;
        while (n <= (size_t)fd) {
            n *= 2;
        }
        ls->sockets = mem_realloc(ls->sockets, n * sizeof(ino_t));
        memset(ls->sockets + ls->sockets_n, 0, (n - ls->sockets_n) * sizeof(ino_t));
        ls->sockets_n = n;
    }
    ls->sockets[fd] = st.st_ino;
    pthread_mutex_unlock(&ls->mu);
}

size_t listeners_connections(struct listeners *ls)
{
    size_t count = 0;
    pthread_mutex_lock(&ls->mu);
    for (size_t i = 0; i < ls->sockets_n; i++) {
        struct stat st;
        if (ls->sockets[i] == 0) {
            continue;
        }
        if (fstat((int)i, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == ls->sockets[i]) {
            count++;
        } else {
            ls->sockets[i] = 0;
        }
    }
    pthread_mutex_unlock(&ls->mu);
    return count;
}

static void set_options(const struct listeners *ls, int fd)
{
    int on = 1;
    unsigned timeout = ls->user_timeout_ms;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* As long as the pings take to find out that a peer is gone: not before, since a peer that
     * answers pings may read as slowly as it likes. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

/* False: nothing waits any more. */
static bool accept_one(struct listeners *ls, const struct listener *l,
                       void (*take)(void *arg, int fd), void *arg)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EAGAIN) {
            return false;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_error("cannot accept a connection error=\"%s\"", strerror(errno));
            ls->paused_until = loop_now() + PAUSE_MS;
            return false;
        }
        return true; /* that connection is gone already */
    }
    if (fd >= ls->fd_limit) { /* (1) */
        log_error("a connection was refused, there are too many limit=%d", ls->fd_limit);
        close(fd);
        return true;
    }
    if (!address_is_unix(&l->address)) {
        set_options(ls, fd);
    }
    remember(ls, fd);
    take(arg, fd);
    return true;
}

void listeners_accept(struct listeners *ls, const struct pollfd *polled, size_t n,
                      void (*take)(void *arg, int fd), void *arg)
{
    for (size_t i = 0; i < n && i < ls->n; i++) {
        for (int k = 0; polled[i].revents != 0 && k < ACCEPTS_PER_TURN; k++) {
            if (!accept_one(ls, &ls->v[i], take, arg)) {
                break;
            }
        }
    }
}

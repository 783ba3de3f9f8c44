/* SPDX-License-Identifier: Apache-2.0 */
/* (1) What calls submit is written once per step and connection, so that many requests on one
 *     connection share one system call.
 * (2) A message that lies whole in the bytes just read is handed over in place; only one cut by the
 *     end of those bytes, or by HTTP/2 frames, is put together in memory of its own. */
#include "h2.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define READ_BYTES   (256 * 1024)
#define WRITE_BYTES  (256 * 1024)
#define WINDOW       INT32_MAX
#define FRAME_BYTES  16384 /* what gRPC clients announce */
#define STREAMS_MAX  100000
#define EVENTS_MAX   512
#define PREFIX_BYTES 5
#define MESSAGE_MAX  (256u << 20)

struct h2_conn {
    struct h2_loop *loop;
    nghttp2_session *session;
    int fd;
    bool dirty; /* in the loop's list of those with something to write */
    bool blocked;
    struct buf rest; /* what the socket did not take */
    char authority[64];
};

struct h2_loop {
    int epoll;
    int64_t time;
    struct h2_conn **conns;
    size_t n_conns, cap_conns;
    struct h2_conn **dirty;
    size_t n_dirty;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    uint8_t *read_buf;
    uint8_t *write_buf;
};

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t h2_loop_time(const struct h2_loop *l)
{
    return l->time;
}

static void mark_dirty(struct h2_conn *conn)
{
    if (!conn->dirty) {
        conn->dirty = true;
        conn->loop->dirty[conn->loop->n_dirty++] = conn;
    }
}

/* ---- Messages in ---------------------------------------------------------------------------- */

static uint32_t message_size(const uint8_t *prefix)
{
    uint32_t n;
    memcpy(&n, prefix + 1, sizeof(n));
    n = ntohl(n);
    if (prefix[0] != 0 || n > MESSAGE_MAX) {
        fail("a message with compression or of %u bytes", n);
    }
    return n;
}

/* How many more bytes the message that began needs, as far as is known yet. */
static size_t part_missing(const struct h2_call *c)
{
    if (c->part_n < PREFIX_BYTES) {
        return PREFIX_BYTES - c->part_n;
    }
    return PREFIX_BYTES + message_size(c->part) - c->part_n;
}

static void part_add(struct h2_call *c, const uint8_t *p, size_t n)
{
    if (c->part_n + n > c->part_cap) {
        c->part_cap = c->part_n >= PREFIX_BYTES ? PREFIX_BYTES + message_size(c->part) : 64;
        c->part = mem_realloc(c->part, c->part_cap);
    }
    memcpy(c->part + c->part_n, p, n);
    c->part_n += n;
}

static void call_receive(struct h2_call *c, const uint8_t *p, size_t n)
{
    while (n > 0) {
        if (c->part_n == 0 && n >= PREFIX_BYTES && n - PREFIX_BYTES >= message_size(p)) { /* (2) */
            size_t size = message_size(p);
            c->ops->message(c, (struct str){(const char *)p + PREFIX_BYTES, size});
            p += PREFIX_BYTES + size;
            n -= PREFIX_BYTES + size;
            continue;
        }
        size_t take = part_missing(c);
        take = take < n ? take : n;
        part_add(c, p, take);
        p += take;
        n -= take;
        if (c->part_n >= PREFIX_BYTES && part_missing(c) == 0) {
            uint8_t *whole = c->part;
            size_t size = c->part_n - PREFIX_BYTES;
            c->part = NULL;
            c->part_n = 0;
            c->part_cap = 0;
            c->ops->message(c, (struct str){(const char *)whole + PREFIX_BYTES, size});
            free(whole);
        }
    }
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                    size_t n, void *arg)
{
    (void)flags;
    (void)arg;
    struct h2_call *c = nghttp2_session_get_stream_user_data(session, stream);
    if (c != NULL) {
        call_receive(c, data, n);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    (void)flags;
    (void)arg;
    if (name_n < 11 || memcmp(name, "grpc-", 5) != 0) {
        return 0;
    }
    struct h2_call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (c == NULL) {
        return 0;
    }
    if (name_n == 11 && memcmp(name, "grpc-status", 11) == 0) {
        c->status = atoi((const char *)value);
    } else if (name_n == 12 && memcmp(name, "grpc-message", 12) == 0) {
        snprintf(c->text, sizeof(c->text), "%.*s", (int)value_n, (const char *)value);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg)
{
    (void)arg;
    struct h2_call *c = nghttp2_session_get_stream_user_data(session, stream);
    if (c == NULL) {
        return 0;
    }
    if (c->status < 0) {
        snprintf(c->text, sizeof(c->text), "the stream ended with HTTP/2 error %u", code);
    }
    c->stream = -1;
    c->ops->end(c, c->status, c->text);
    return 0;
}

/* ---- Messages out --------------------------------------------------------------------------- */

static ssize_t read_out(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room,
                        uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)session;
    (void)stream;
    (void)arg;
    struct h2_call *c = source->ptr;
    size_t n = c->out.n - c->out_at;
    n = n < room ? n : room;
    memcpy(to, c->out.p + c->out_at, n);
    c->out_at += n;
    if (c->out_at < c->out.n) {
        return (ssize_t)n;
    }
    buf_clear(&c->out);
    c->out_at = 0;
    if (c->close_after) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

void h2_call_init(struct h2_call *c, const struct h2_call_ops *ops)
{
    *c = (struct h2_call){.ops = ops, .stream = -1};
    buf_init(&c->out, 16u << 20);
}

void h2_call_fini(struct h2_call *c)
{
    buf_fini(&c->out);
    free(c->part);
}

void h2_call_send(struct h2_call *c, struct str message)
{
    uint32_t n = htonl((uint32_t)message.n);
    buf_addc(&c->out, 0);
    buf_add(&c->out, &n, sizeof(n));
    buf_adds(&c->out, message);
    if (c->out.full) {
        fail("a request of %zu bytes", message.n);
    }
    if (c->stream >= 0) {
        nghttp2_session_resume_data(c->conn->session, c->stream);
        mark_dirty(c->conn);
    }
}

static nghttp2_nv header(const char *name, const char *value)
{
    union {
        const char *in;
        uint8_t *out;
    } n = {name}, v = {value};
    return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

void h2_call_start(struct h2_call *c, struct h2_conn *conn, const char *path, bool close_after)
{
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", path),
        header(":authority", conn->authority),
        header("te", "trailers"),
        header("content-type", "application/grpc"),
        header("user-agent", "watch-bench"),
    };
    nghttp2_data_provider body = {.source = {.ptr = c}, .read_callback = read_out};
    c->conn = conn;
    c->close_after = close_after;
    c->status = -1;
    c->text[0] = '\0';
    c->stream = nghttp2_submit_request(conn->session, NULL, headers,
                                       sizeof(headers) / sizeof(headers[0]), &body, c);
    if (c->stream < 0) {
        fail("no stream: %s", nghttp2_strerror(c->stream));
    }
    mark_dirty(conn);
}

void h2_call_cancel(struct h2_call *c)
{
    nghttp2_submit_rst_stream(c->conn->session, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_CANCEL);
    mark_dirty(c->conn);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void watch_socket(struct h2_conn *conn, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (conn->blocked ? EPOLLOUT : 0), .data.ptr = conn};
    if (epoll_ctl(conn->loop->epoll, op, conn->fd, &e) != 0) {
        fail("epoll_ctl: %s", strerror(errno));
    }
}

/* True if all was taken. */
static bool write_some(struct h2_conn *conn, const uint8_t *p, size_t n)
{
    ssize_t sent = send(conn->fd, p, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        fail("the server closed a connection: %s", strerror(errno));
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    if (done < n) {
        buf_add(&conn->rest, p + done, n - done);
        conn->blocked = true;
        watch_socket(conn, EPOLL_CTL_MOD);
        return false;
    }
    return true;
}

static void conn_flush(struct h2_conn *conn)
{
    struct h2_loop *l = conn->loop;
    while (!conn->blocked) {
        size_t n = 0;
        while (n <= WRITE_BYTES - FRAME_BYTES - 1024) {
            const uint8_t *frame;
            ssize_t got = nghttp2_session_mem_send(conn->session, &frame);
            if (got < 0) {
                fail("HTTP/2: %s", nghttp2_strerror((int)got));
            }
            if (got == 0) {
                break;
            }
            memcpy(l->write_buf + n, frame, (size_t)got);
            n += (size_t)got;
        }
        if (n == 0 || !write_some(conn, l->write_buf, n)) {
            return;
        }
    }
}

static void conn_unblock(struct h2_conn *conn)
{
    struct buf rest = conn->rest;
    buf_init(&conn->rest, rest.limit);
    conn->blocked = false;
    if (write_some(conn, (const uint8_t *)rest.p, rest.n)) {
        watch_socket(conn, EPOLL_CTL_MOD);
    }
    buf_fini(&rest);
    mark_dirty(conn);
}

static void conn_read(struct h2_conn *conn)
{
    struct h2_loop *l = conn->loop;
    ssize_t got = recv(conn->fd, l->read_buf, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        fail("the server closed a connection%s%s", got < 0 ? ": " : "",
             got < 0 ? strerror(errno) : "");
    }
    l->time = now_ns();
    ssize_t used = nghttp2_session_mem_recv(conn->session, l->read_buf, (size_t)got);
    if (used != got) {
        fail("HTTP/2: %s", used < 0 ? nghttp2_strerror((int)used) : "bytes left over");
    }
    if (nghttp2_session_want_write(conn->session)) {
        mark_dirty(conn);
    }
}

struct h2_conn *h2_connect(struct h2_loop *l, const char *host, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) {
        fail("\"%s\" is no IPv4 address", host);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("socket: %s", strerror(errno));
    }
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return NULL;
    }
    struct h2_conn *conn = mem_zalloc(sizeof(*conn));
    conn->loop = l;
    conn->fd = fd;
    buf_init(&conn->rest, 64u << 20);
    snprintf(conn->authority, sizeof(conn->authority), "%s:%u", host, port);
    if (l->n_conns == l->cap_conns) {
        l->cap_conns = l->cap_conns * 2 + 16;
        l->conns = mem_realloc(l->conns, l->cap_conns * sizeof(struct h2_conn *));
        l->dirty = mem_realloc(l->dirty, l->cap_conns * sizeof(struct h2_conn *));
    }
    l->conns[l->n_conns++] = conn;

    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH,         0          },
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW     },
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE,      FRAME_BYTES},
    };
    if (nghttp2_session_client_new2(&conn->session, l->callbacks, conn, l->option) != 0 ||
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof(settings) / sizeof(settings[0])) != 0 ||
        nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0) {
        fail("no HTTP/2 session");
    }
    watch_socket(conn, EPOLL_CTL_ADD);
    mark_dirty(conn);
    return conn;
}

/* ---- The loop ------------------------------------------------------------------------------- */

struct h2_loop *h2_loop_new(void)
{
    struct h2_loop *l = mem_zalloc(sizeof(*l));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->read_buf = mem_alloc(READ_BYTES);
    l->write_buf = mem_alloc(WRITE_BYTES);
    l->time = now_ns();
    if (l->epoll < 0 || nghttp2_session_callbacks_new(&l->callbacks) != 0 ||
        nghttp2_option_new(&l->option) != 0) {
        fail("no loop: %s", strerror(errno));
    }
    nghttp2_option_set_no_closed_streams(l->option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(l->option, STREAMS_MAX);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(l->callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_header_callback(l->callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(l->callbacks, on_close);
    return l;
}

void h2_loop_free(struct h2_loop *l)
{
    for (size_t i = 0; i < l->n_conns; i++) {
        close(l->conns[i]->fd);
        nghttp2_session_del(l->conns[i]->session);
        buf_fini(&l->conns[i]->rest);
        free(l->conns[i]);
    }
    nghttp2_session_callbacks_del(l->callbacks);
    nghttp2_option_del(l->option);
    close(l->epoll);
    free(l->conns);
    free(l->dirty);
    free(l->read_buf);
    free(l->write_buf);
    free(l);
}

void h2_loop_step(struct h2_loop *l, int64_t until)
{
    for (size_t i = 0; i < l->n_dirty; i++) { /* (1) */
        l->dirty[i]->dirty = false;
        conn_flush(l->dirty[i]);
    }
    l->n_dirty = 0;
    int64_t wait = until - now_ns();
    wait = wait > 0 ? wait : 0;
    struct timespec timeout = {wait / 1000000000, wait % 1000000000};
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &timeout, NULL);
    if (n < 0 && errno != EINTR) {
        fail("epoll: %s", strerror(errno));
    }
    l->time = now_ns();
    for (int i = 0; i < n; i++) {
        struct h2_conn *conn = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0 && conn->blocked) {
            conn_unblock(conn);
        }
        if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            conn_read(conn);
        }
    }
}

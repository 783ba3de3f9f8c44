/* SPDX-License-Identifier: Apache-2.0 */
#include "server/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/mem.h"

#define FIELD "listen"

static enum errc parse_unix(const char *path, struct address *ret, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0) {
        return err_field(err, ERR_INVALID, FIELD, "\"unix:\" needs the path of a socket behind it");
    }
    if (n >= sizeof(un.sun_path)) {
        return err_field(err, ERR_INVALID, FIELD,
                         "the path of a unix socket may be %zu bytes long at most, this one is %zu",
                         sizeof(un.sun_path) - 1, n);
    }
    memcpy(un.sun_path, path, n);
    *ret = (struct address){.len = sizeof(un), .loopback = true};
    memcpy(&ret->sa, &un, sizeof(un));
    return OK;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}

static enum errc resolve(const char *host, const char *port, struct address *ret, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int e = getaddrinfo(host, port, &hints, &found);
    if (e != 0) {
        return err_field(err, ERR_INVALID, FIELD, "cannot resolve the host \"%s\": %s",
                         host != NULL ? host : "*", gai_strerror(e));
    }
    /* A name such as localhost may stand for both families; everybody can reach the older one. */
    struct addrinfo *best = found;
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        if (a->ai_family == AF_INET) {
            best = a;
            break;
        }
    }
    *ret = (struct address){.len = best->ai_addrlen, .loopback = is_loopback(best->ai_addr)};
    memcpy(&ret->sa, best->ai_addr, best->ai_addrlen);
    freeaddrinfo(found);
    return OK;
}

enum errc address_parse(const char *text, struct address *ret, struct err *err)
{
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(text + 5, ret, err);
    }
    const char *colon = strrchr(text, ':');
    const char *host_end = colon;
    const char *host_at = text;
    if (colon != NULL && text[0] == '[' && colon > text + 2 && colon[-1] == ']') {
        host_at = text + 1;
        host_end = colon - 1;
    } else if (colon == NULL || memchr(text, ':', (size_t)(colon - text)) != NULL) {
        return err_field(err, ERR_INVALID, FIELD,
                         "\"%s\" is no address: say HOST:PORT, [IPV6]:PORT or unix:PATH", text);
    }
    uint64_t port;
    if (!str_to_u64(str_of(colon + 1), &port) || port > 65535) {
        return err_field(err, ERR_INVALID, FIELD,
                         "\"%s\" has no port between 0 and 65535 behind its last colon", text);
    }
    CLEANUP(freep) char *host = str_dup((struct str){host_at, (size_t)(host_end - host_at)});
    bool any = host[0] == '\0' || strcmp(host, "*") == 0;
    return resolve(any ? NULL : host, colon + 1, ret, err);
}

bool address_is_unix(const struct address *a)
{
    return a->sa.ss_family == AF_UNIX;
}

const char *address_path(const struct address *a)
{
    return (const char *)&a->sa + offsetof(struct sockaddr_un, sun_path);
}

/* `text` has room for INET6_ADDRSTRLEN. */
static void show_ip(int family, const void *ip, uint16_t port, struct buf *out)
{
    char text[INET6_ADDRSTRLEN] = "?";
    inet_ntop(family, ip, text, sizeof(text));
    buf_printf(out, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
}

void address_show(const struct address *a, struct buf *out)
{
    if (address_is_unix(a)) {
        buf_printf(out, "unix:%s", address_path(a));
    } else if (a->sa.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->sa, sizeof(in6));
        show_ip(AF_INET6, &in6.sin6_addr, ntohs(in6.sin6_port), out);
    } else {
        struct sockaddr_in in;
        memcpy(&in, &a->sa, sizeof(in));
        show_ip(AF_INET, &in.sin_addr, ntohs(in.sin_port), out);
    }
}

void peer_of_socket(int fd, struct peer *ret)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    *ret = (struct peer){0};
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0) {
        return;
    }
    ret->family = sa.ss_family;
    if (sa.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &sa, sizeof(in));
        ret->port = ntohs(in.sin_port);
        memcpy(ret->ip, &in.sin_addr, sizeof(in.sin_addr));
    } else if (sa.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &sa, sizeof(in6));
        ret->port = ntohs(in6.sin6_port);
        memcpy(ret->ip, &in6.sin6_addr, sizeof(in6.sin6_addr));
    }
}

void peer_show(const struct peer *p, struct buf *out)
{
    if (p->family == AF_INET) {
        buf_adds(out, STR("ipv4:"));
        show_ip(AF_INET, p->ip, p->port, out);
    } else if (p->family == AF_INET6) {
        buf_adds(out, STR("ipv6:"));
        show_ip(AF_INET6, p->ip, p->port, out);
    } else if (p->family == AF_UNIX) {
        buf_adds(out, STR("unix:"));
    } else {
        buf_adds(out, STR("unknown"));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on: HOST:PORT, [v6]:PORT or unix:PATH.
 * Plain values. Threads: any. */
#ifndef WATCHD_SERVER_ADDRESS_H
#define WATCHD_SERVER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

struct address {
    struct sockaddr_storage sa;
    socklen_t len;
    bool loopback; /* reachable from this machine only */
};

/* Host names are resolved; an empty host and "*" are every address of the machine. Errors:
 * ERR_INVALID with the field "listen". */
enum errc address_parse(const char *text, struct address *ret, struct err *err) NODISCARD;
bool address_is_unix(const struct address *a);
/* The path of a unix address. Borrowed. */
const char *address_path(const struct address *a);
/* Appends "127.0.0.1:7733", "[::1]:7733" or "unix:PATH". */
void address_show(const struct address *a, struct buf *out);

/* Who is on the other end of a connection, in few bytes. */
struct peer {
    uint16_t family; /* AF_INET, AF_INET6, AF_UNIX; 0: unknown */
    uint16_t port;   /* host order */
    uint8_t ip[16];
};
/* Of a connected socket. */
void peer_of_socket(int fd, struct peer *ret);
/* Appends "ipv4:127.0.0.1:40312", "ipv6:[::1]:40312", "unix:" or "unknown". */
void peer_show(const struct peer *p, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a TCP connection back while several messages are written to it, so that the kernel makes
 * few full segments rather than one for each message, and wakes the peer once; gRPC core writes
 * each message to the socket by itself and has no way to hold them together.
 * A descriptor may be closed by gRPC core at any time, and be another connection's a moment later:
 * to hold that back for a moment is harmless, and so is what is no TCP connection.
 * Threads: any; where two hold one connection, the first to release releases it.
 * See: tcp(7), TCP_CORK. */
#ifndef WATCHD_SERVER_CORK_H
#define WATCHD_SERVER_CORK_H

void cork_hold(int fd);
void cork_release(int fd);

#endif

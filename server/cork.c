/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cork.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void set_cork(int fd, int on)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

void cork_hold(int fd)
{
    set_cork(fd, 1);
}

void cork_release(int fd)
{
    set_cork(fd, 0);
}

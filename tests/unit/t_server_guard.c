/* SPDX-License-Identifier: Apache-2.0 */
/* Who is cut off when it is all connections together that have too much. */
#include <errno.h>
#include <unistd.h>

#include "server/guard.h"
#include "tests/unit/check.h"

#define GUESTS 5
#define MUCH   ((size_t)200 << 20) /* less than one may leave unread; that of five is too much */

struct guest_rig {
    int fd, peer;
    struct visit visit;
};

static void rig_connect(struct guard *g, struct guest_rig *r)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *r = (struct guest_rig){
        .fd = fds[0], .peer = fds[1], .visit = {.fd = fds[0], .bounded = true}
    };
    guard_connected(g, r->fd);
}

static bool is_cut(const struct guest_rig *r)
{
    char byte;
    ssize_t n = recv(r->peer, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == EAGAIN));
    return n == 0;
}

static void rig_fini(struct guard *g, struct guest_rig *r)
{
    guard_leave(g, &r->visit, false, 0);
    close(r->fd);
    close(r->peer);
}

/* Each leaves MUCH unread, the third a byte more. */
static void fill(struct guard *g, struct guest_rig *r)
{
    for (size_t i = 0; i < GUESTS; i++) {
        rig_connect(g, &r[i]);
        guard_answer(g, &r[i].visit, MUCH + (i == 2));
        assert_false(is_cut(&r[i]));
    }
}

static void the_one_that_leaves_most_unread_is_cut_off(void **state)
{
    (void)state;
    struct guard *g = guard_new();
    struct guest_rig r[GUESTS + 1];
    fill(g, r);
    rig_connect(g, &r[GUESTS]);
    guard_answer(g, &r[GUESTS].visit, MUCH / 2);
    for (size_t i = 0; i <= GUESTS; i++) {
        assert_int_equal(is_cut(&r[i]), i == 2);
        rig_fini(g, &r[i]);
    }
    guard_free(g);
}

static void a_socket_that_only_has_the_number_of_a_connection_is_left_alone(void **state)
{
    (void)state;
    struct guard *g = guard_new();
    struct guest_rig r[GUESTS + 1];
    fill(g, r);
    int other[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
    assert_int_equal(dup2(other[0], r[2].fd), r[2].fd); /* closed, which nobody told us of */
    close(other[0]);
    close(r[2].peer);
    r[2].peer = other[1];
    rig_connect(g, &r[GUESTS]);
    guard_answer(g, &r[GUESTS].visit, MUCH / 2);
    for (size_t i = 0; i <= GUESTS; i++) {
        assert_false(is_cut(&r[i])); /* without the one that is gone they have not too much */
        rig_fini(g, &r[i]);
    }
    guard_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_leaves_most_unread_is_cut_off),
        cmocka_unit_test(a_socket_that_only_has_the_number_of_a_connection_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

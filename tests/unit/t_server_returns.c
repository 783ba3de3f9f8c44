/* SPDX-License-Identifier: Apache-2.0 */
/* What came back runs connection by connection, in its order there, each once, and a connection
 * that has several is held back until its last. */
#include "server/returns.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct back {
    struct task task;
    int name;
    int fd;   /* whose state it looks at; 0: none */
    int held; /* out: was it, when the task ran */
};

static int ran[16];
static size_t n_ran;

static int is_corked(int fd)
{
    int on = -1;
    socklen_t n = sizeof(on);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, &n), 0);
    return on;
}

static void run(struct task *t)
{
    struct back *b = CONTAINER(t, struct back, task);
    ran[n_ran++] = b->name;
    if (b->fd != 0) {
        b->held = is_corked(b->fd);
    }
    b->task.next = (struct task *)(void *)&ran; /* as if it were freed */
}

static void assert_ran(const int *names, size_t n)
{
    assert_int_equal(n_ran, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ran[i], names[i]);
    }
    n_ran = 0;
}

static void each_runs_once_in_the_order_of_its_connection(void **state)
{
    (void)state;
    static const int fds[] = {1000, 64, 0, 1000, 64, 0, 1000};
    enum { N = sizeof(fds) / sizeof(fds[0]) };
    struct returns rs;
    struct back back[N];
    returns_init(&rs);
    returns_run(&rs);
    assert_int_equal(n_ran, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N; i++) {
            back[i] = (struct back){.task = {.run = run}, .name = i};
            returns_add(&rs, fds[i], &back[i].task);
        }
        assert_int_equal(n_ran, 0);
        returns_run(&rs);
        assert_ran((const int[]){0, 3, 6, 1, 4, 2, 5}, N);
        returns_run(&rs);
        assert_int_equal(n_ran, 0);
    }
    returns_fini(&rs);
}

static void a_connection_with_several_is_held_until_the_last(void **state)
{
    (void)state;
    struct returns rs;
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd > 0 && other > 0);
    struct back back[3] = {
        {.task = {.run = run}, .name = 0, .fd = fd,    .held = -1},
        {.task = {.run = run}, .name = 1, .fd = other, .held = -1},
        {.task = {.run = run}, .name = 2, .fd = fd,    .held = -1},
    };
    returns_init(&rs);
    for (int i = 0; i < 3; i++) {
        returns_add(&rs, back[i].fd, &back[i].task);
    }
    returns_run(&rs);
    assert_ran((const int[]){0, 2, 1}, 3);
    assert_int_equal(back[0].held, 1);
    assert_int_equal(back[1].held, 0);
    assert_int_equal(back[2].held, 1);
    assert_int_equal(is_corked(fd), 0);
    assert_int_equal(is_corked(other), 0);
    returns_fini(&rs);
    close(fd);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once_in_the_order_of_its_connection),
        cmocka_unit_test(a_connection_with_several_is_held_until_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Ready streams are served connection by connection, each in its turn. */
#include "server/conns.h"
#include "server/stream.h"
#include "tests/unit/check.h"

static struct stream *join(struct conns *cs, int fd)
{
    struct stream *s = calloc(1, sizeof(*s));
    s->conn = conns_join(cs, fd);
    return s;
}

static void leave(struct conns *cs, struct stream *s)
{
    conns_leave(cs, s->conn);
    free(s);
}

static int next_fd(struct conns *cs)
{
    struct conn *c = conns_next(cs);
    return c != NULL ? c->fd : -1;
}

static void each_ready_connection_has_its_turn(void **state)
{
    (void)state;
    static const int fds[] = {3, 63, 64, 200, 1000};
    enum { N = sizeof(fds) / sizeof(fds[0]) };
    struct conns cs;
    struct stream *s[N];
    conns_init(&cs);
    assert_null(conns_next(&cs));
    for (int i = 0; i < N; i++) {
        s[i] = join(&cs, fds[i]);
    }
    assert_null(conns_next(&cs));
    for (int i = 0; i < N; i++) {
        conns_add_ready(&cs, s[i]);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            assert_int_equal(next_fd(&cs), fds[i]);
        }
    }
    conns_remove_ready(&cs, s[2]);
    for (int i = 0; i < N; i++) {
        if (i != 2) {
            assert_int_equal(next_fd(&cs), fds[i]);
        }
    }
    for (int i = 0; i < N; i++) {
        if (i != 2) {
            conns_remove_ready(&cs, s[i]);
        }
        leave(&cs, s[i]);
    }
    assert_null(conns_next(&cs));
    conns_fini(&cs);
}

static void a_connection_s_streams_are_ready_oldest_first(void **state)
{
    (void)state;
    struct conns cs;
    conns_init(&cs);
    struct stream *a = join(&cs, 7), *b = join(&cs, 7), *other = join(&cs, 9);
    assert_ptr_equal(a->conn, b->conn);
    conns_add_ready(&cs, b);
    conns_add_ready(&cs, a);
    struct conn *c = conns_next(&cs);
    assert_int_equal(c->n_ready, 2);
    assert_ptr_equal(TAILQ_FIRST(&c->ready), b);
    conns_remove_ready(&cs, b);
    assert_ptr_equal(TAILQ_FIRST(&conns_next(&cs)->ready), a); /* the only one: again */
    conns_remove_ready(&cs, a);
    assert_null(conns_next(&cs));
    leave(&cs, a);
    conns_add_ready(&cs, b); /* its connection lives as long as one stream */
    assert_int_equal(next_fd(&cs), 7);
    conns_remove_ready(&cs, b);
    leave(&cs, b);
    leave(&cs, other);
    conns_fini(&cs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ready_connection_has_its_turn),
        cmocka_unit_test(a_connection_s_streams_are_ready_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

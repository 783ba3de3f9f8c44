/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "server/address.h"
#include "tests/unit/check.h"

static void addresses_are_shown_as_they_are_meant(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:7733",  "127.0.0.1:7733",  true },
        {"127.9.8.7:1",     "127.9.8.7:1",     true },
        {"[::1]:0",         "[::1]:0",         true },
        {"localhost:80",    "127.0.0.1:80",    true },
        {"0.0.0.0:65535",   "0.0.0.0:65535",   false},
        {"[::]:5",          "[::]:5",          false},
        {":5",              "0.0.0.0:5",       false},
        {"*:5",             "0.0.0.0:5",       false},
        {"192.0.2.1:5",     "192.0.2.1:5",     false},
        {"[2001:db8::1]:5", "[2001:db8::1]:5", false},
        {"unix:/a b",       "unix:/a b",       true },
        {"unix:x",          "unix:x",          true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address a;
        struct err err = {0};
        CLEANUP(buf_fini) struct buf out;
        buf_init(&out, 256);
        assert_ok(address_parse(cases[i].text, &a, &err), &err);
        address_show(&a, &out);
        assert_str(buf_str(&out), cases[i].shown);
        assert_case(a.loopback == cases[i].loopback, cases[i].text);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "7733",
        "localhost",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:x",
        "::1:5",
        "[::1]",
        "[::1]5",
        "[]:5",
        "1.2.3.4:07",
        "unix:",
        "[1.2.3.4:5",
        "a:b:5",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address a;
        struct err err = {0};
        assert_case(address_parse(cases[i], &a, &err) == ERR_INVALID, cases[i]);
        assert_case(strcmp(err.field, "listen") == 0, cases[i]);
    }
    char path[200];
    memset(path, 'x', sizeof(path) - 1);
    memcpy(path, "unix:", 5);
    path[sizeof(path) - 1] = '\0';
    struct address a;
    struct err err = {0};
    assert_int_equal(address_parse(path, &a, &err), ERR_INVALID);
}

static void peers_are_shown_in_grpc_s_words(void **state)
{
    (void)state;
    int pair[2];
    struct peer p;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 256);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    peer_of_socket(pair[0], &p);
    peer_show(&p, &out);
    assert_str(buf_str(&out), "unix:");
    close(pair[0]);
    close(pair[1]);

    buf_clear(&out);
    p = (struct peer){
        .family = AF_INET, .port = 40312, .ip = {127, 0, 0, 1}
    };
    peer_show(&p, &out);
    assert_str(buf_str(&out), "ipv4:127.0.0.1:40312");

    buf_clear(&out);
    p = (struct peer){.family = AF_INET6, .port = 1, .ip = {[15] = 1}};
    peer_show(&p, &out);
    assert_str(buf_str(&out), "ipv6:[::1]:1");

    buf_clear(&out);
    peer_of_socket(-1, &p);
    peer_show(&p, &out);
    assert_str(buf_str(&out), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_shown_as_they_are_meant),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(peers_are_shown_in_grpc_s_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"
#include "tests/unit/check.h"

static enum errc parse(const char *const *argv, struct config *ret, struct err *err)
{
    char *copy[16] = {NULL};
    int n = 0;
    while (argv[n] != NULL) {
        copy[n] = (char *)(uintptr_t)argv[n]; /* only read */
        n++;
    }
    *err = (struct err){0};
    return config_parse(n, copy, ret, err);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL}, &c, &err)

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    static struct config c;
    struct err err;
    const char *const none[] = {NULL};
    assert_ok(parse(none, &c, &err), &err);
    assert_string_equal(c.db, "watchd.db");
    assert_int_equal(c.listen.n, 1);
    assert_string_equal(c.listen.v[0], "127.0.0.1:7733");
    assert_int_equal(c.history_events, 1000000);
    assert_int_equal(c.history_bytes, 1024 * 1024 * 1024);
    assert_int_equal(c.history_age_ms, 0);
    assert_int_equal(c.max_object_bytes, 1024 * 1024);
    assert_int_equal(c.max_watches, 10000);
    assert_int_equal(c.bookmark_ms, 10000);
    assert_int_equal(c.keepalive_ms, 30000);
    assert_int_equal(c.keepalive_timeout_ms, 20000);
    assert_int_equal(c.drain_ms, 5000);
    assert_int_equal(c.log_level, LOG_INFO);
    assert_null(c.token_file);
    assert_null(c.admin_token_file);
}

static void what_others_can_reach_needs_insecure(void **state)
{
    (void)state;
    static struct config c;
    struct err err;
    assert_int_equal(PARSE("--listen", "0.0.0.0:1"), ERR_INVALID);
    assert_non_null(strstr(err.msg, "--insecure"));
    assert_int_equal(PARSE("--listen", "127.0.0.1:1", "--listen", "[::]:1"), ERR_INVALID);
    assert_ok(PARSE("--listen", "0.0.0.0:1", "--insecure"), &err);
    assert_ok(PARSE("--listen", "127.0.0.1:1", "--listen", "unix:/x", "--listen=[::1]:2"), &err);
    assert_int_equal(c.listen.n, 3);
    setenv("WATCHD_LISTEN", "127.0.0.1:5,unix:/y", 1);
    const char *const none[] = {NULL};
    assert_ok(parse(none, &c, &err), &err);
    assert_int_equal(c.listen.n, 2);
    unsetenv("WATCHD_LISTEN");
}

static void mistakes_are_refused_by_name(void **state)
{
    (void)state;
    static struct config c;
    struct err err;
    assert_int_equal(PARSE("--log-level", "loud"), ERR_INVALID);
    assert_string_equal(err.field, "log-level");
    assert_int_equal(PARSE("--db", ""), ERR_INVALID);
    assert_string_equal(err.field, "db");
    assert_int_equal(PARSE("start"), ERR_INVALID);
    assert_non_null(strstr(err.msg, "start"));
    assert_int_equal(PARSE("--max-watches", "0"), ERR_INVALID);
    assert_int_equal(PARSE("--max-object-bytes", "10"), ERR_INVALID);
    assert_int_equal(PARSE("--bookmark-interval", "1ms"), ERR_INVALID);
}

static void help_needs_nothing_else_to_be_right(void **state)
{
    (void)state;
    static struct config c;
    struct err err;
    assert_ok(PARSE("--help", "--listen", "0.0.0.0:1"), &err);
    assert_true(c.help);
    assert_ok(PARSE("--version"), &err);
    assert_true(c.version);
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, 64 * 1024);
    config_help(&out);
    buf_addc(&out, '\0');
    assert_false(out.full);
    assert_non_null(strstr(out.p, "WATCHD_HISTORY_BYTES"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(what_others_can_reach_needs_insecure),
        cmocka_unit_test(mistakes_are_refused_by_name),
        cmocka_unit_test(help_needs_nothing_else_to_be_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

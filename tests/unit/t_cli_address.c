/* SPDX-License-Identifier: Apache-2.0 */
/* The public header comes first and alone: it must need nothing. */
#include "cli/client/watch_client.h"

#include "cli/client/address.h"
#include "tests/unit/check.h"

static void what_is_left_out_is_filled_in(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *target;
    } cases[] = {
        {"127.0.0.1:7733", "127.0.0.1:7733"},
        {"example",        "example:7733"  },
        {"example:80",     "example:80"    },
        {":80",            "127.0.0.1:80"  },
        {"[::1]:80",       "[::1]:80"      },
        {"[::1]",          "[::1]:7733"    },
        {"unix:/run/w",    "unix:/run/w"   },
        {"unix:w",         "unix:w"        },
        {"unix:///run/w",  "unix:/run/w"   },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(freep) char *target = NULL;
        struct err err;
        assert_ok(address_target(cases[i].text, &target, &err), &err);
        assert_str(str_of(target), cases[i].target);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",       "host:",     "host:0",   "host:65536", "host:7x",        "host:-1",
        "::1:80", "[::1",      "[::1]80",  "a b:80",     "http://host:80", "unix:",
        "a,b:1",  "host%zone", "host:080", "\x01:80",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *target = NULL;
        struct err err;
        assert_case(address_target(cases[i], &target, &err) == ERR_INVALID, cases[i]);
        assert_null(target);
        assert_string_equal(err.field, "address");
    }
    char path[300] = "unix:";
    memset(path + 5, 'x', sizeof(path) - 6);
    path[sizeof(path) - 1] = '\0';
    char *target = NULL;
    struct err err;
    assert_int_equal(address_target(path, &target, &err), ERR_INVALID);
}

static void a_client_refuses_addresses_and_tokens_at_once(void **state)
{
    (void)state;
    static const struct watch_client_options cases[] = {
        {.address = "host:"},
        {.token = ""},
        {.token = "a b"},
        {.token = "a\nb"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct watch_client *client = NULL;
        struct watch_error error;
        assert_int_equal(watch_client_new(&cases[i], &client, &error), WATCH_INVALID);
        assert_null(client);
        assert_string_equal(error.reason, "INVALID");
        assert_string_equal(error.field, i == 0 ? "address" : "token");
        assert_false(error.from_server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_is_filled_in),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_client_refuses_addresses_and_tokens_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

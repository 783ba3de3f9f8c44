/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "server/auth.h"
#include "tests/unit/check.h"

/* A file with this content, removed by the caller. */
static void file_make(char path[32], const char *content)
{
    strcpy(path, "/tmp/t_auth-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static enum errc check(const struct auth *a, const char *header, struct caller *ret)
{
    struct err err = {0};
    return auth_check(a, str_of(header), ret, &err);
}

static struct auth *open_with(const char *tokens, const char *admins)
{
    char file[32], admin_file[32];
    struct auth *a = NULL;
    struct err err = {0};
    file_make(file, tokens != NULL ? tokens : "");
    file_make(admin_file, admins != NULL ? admins : "");
    enum errc e =
        auth_open(tokens != NULL ? file : NULL, admins != NULL ? admin_file : NULL, &a, &err);
    unlink(file);
    unlink(admin_file);
    assert_ok(e, &err);
    return a;
}

static void without_files_everybody_is_an_admin(void **state)
{
    (void)state;
    struct auth *a = open_with(NULL, NULL);
    struct caller who;
    assert_int_equal(check(a, "", &who), OK);
    assert_true(who.admin && who.token == -1);
    assert_int_equal(check(a, "Bearer whatever", &who), OK);
    auth_free(a);
}

static void only_exact_tokens_are_known(void **state)
{
    (void)state;
    struct auth *a = open_with("# people\n\n  alpha alice\nbeta\tbob\r\ngamma", NULL);
    struct caller alpha, beta, gamma, none;
    assert_int_equal(check(a, "Bearer alpha", &alpha), OK);
    assert_int_equal(check(a, "bearer  beta", &beta), OK);
    assert_int_equal(check(a, "BEARER gamma", &gamma), OK);
    assert_true(alpha.token != beta.token && beta.token != gamma.token);
    assert_true(alpha.admin);
    static const char *const wrong[] = {
        "",
        "Bearer",
        "Bearer ",
        "alpha",
        "Basic alpha",
        "Bearer alph",
        "Bearer alphaa",
        "Bearer Alpha",
        "Bearer alice",
        "Bearer #",
        "Beareralpha",
        "Bearer alpha ",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_case(check(a, wrong[i], &none) == ERR_UNAUTHENTICATED, wrong[i]);
    }
    auth_free(a);
}

static void admin_tokens_are_ordinary_ones_too(void **state)
{
    (void)state;
    struct auth *a = open_with("user\nboth\n", "root\nboth\n");
    struct caller who;
    assert_int_equal(check(a, "Bearer user", &who), OK);
    assert_false(who.admin);
    assert_int_equal(check(a, "Bearer root", &who), OK);
    assert_true(who.admin);
    assert_int_equal(check(a, "Bearer both", &who), OK);
    assert_true(who.admin);
    assert_int_equal(check(a, "", &who), ERR_UNAUTHENTICATED);
    auth_free(a);
}

static void with_admins_only_the_others_need_no_token(void **state)
{
    (void)state;
    struct auth *a = open_with(NULL, "root\n");
    struct caller who;
    assert_int_equal(check(a, "", &who), OK);
    assert_true(!who.admin && who.token == -1);
    assert_int_equal(check(a, "Bearer root", &who), OK);
    assert_true(who.admin);
    assert_int_equal(check(a, "Bearer guess", &who), ERR_UNAUTHENTICATED);
    auth_free(a);
}

static void unusable_files_are_refused(void **state)
{
    (void)state;
    static const char *const contents[] = {"", "\n\n", "# only this\n", "caf\xc3\xa9\n"};
    struct auth *a = NULL;
    struct err err = {0};
    for (size_t i = 0; i < COUNT(contents); i++) {
        char file[32];
        file_make(file, contents[i]);
        assert_case(auth_open(file, NULL, &a, &err) == ERR_INVALID, contents[i]);
        assert_non_null(strstr(err.msg, file));
        unlink(file);
    }
    assert_int_equal(auth_open("/nowhere/tokens", NULL, &a, &err), ERR_INVALID);
    assert_int_equal(auth_open("/", NULL, &a, &err), ERR_INVALID);
    assert_null(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_files_everybody_is_an_admin),
        cmocka_unit_test(only_exact_tokens_are_known),
        cmocka_unit_test(admin_tokens_are_ordinary_ones_too),
        cmocka_unit_test(with_admins_only_the_others_need_no_token),
        cmocka_unit_test(unusable_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

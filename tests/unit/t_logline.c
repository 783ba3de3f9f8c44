/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/logline.h"
#include "tests/unit/check.h"

/* What `fn` writes to stderr. It runs in a child, so that this process keeps its own. */
static char *stderr_of(void (*fn)(void))
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fd[1], STDERR_FILENO);
        close(fd[0]);
        close(fd[1]);
        fn();
        _exit(0);
    }
    close(fd[1]);
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1024 * 1024);
    char chunk[4096];
    for (ssize_t n; (n = read(fd[0], chunk, sizeof(chunk))) > 0;) {
        buf_add(&b, chunk, (size_t)n);
    }
    close(fd[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return str_dup(buf_str(&b));
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void log_one(void)
{
    log_info("started listen=%s", "127.0.0.1:7733");
}

static void a_line_has_time_level_and_message(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = stderr_of(log_one);
    int year, month, day, hour, minute, second, ms;
    int end = 0;
    int n = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ info started listen=127.0.0.1:7733%n", &year,
                   &month, &day, &hour, &minute, &second, &ms, &end);
    assert_int_equal(n, 7);
    assert_int_equal(strlen(text), end + 1);
    assert_int_equal(text[end], '\n');
}

static void log_control_characters(void)
{
    log_warn("peer=\"a\nb\x1b[31m\x7f\xc2\x9b"
             "1m \xff \xc3\xa9\"");
}

static void what_is_logged_cannot_forge_lines_or_drive_terminals(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = stderr_of(log_control_characters);
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "warn peer=\"a\\nb\\x1b[31m\\x7f\\xc2\\x9b1m \\xff \xc3\xa9\"\n"));
}

static void log_every_level(void)
{
    log_set_level(LOG_WARN);
    log_error("e");
    log_warn("w");
    log_info("i");
    log_debug("d");
}

static void lines_above_the_level_are_left_out(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = stderr_of(log_every_level);
    assert_int_equal(count_lines(text), 2);
    assert_non_null(strstr(text, " error e\n"));
    assert_non_null(strstr(text, " warn w\n"));
}

static void log_too_often(void)
{
    static struct log_site site;
    for (int i = 0; i < 1000; i++) {
        log_line(&site, LOG_WARN, "refused connection %d", i);
    }
    log_info("another");
    site.since_ms -= 10000; /* As if ten seconds had passed. */
    log_info("later");
    log_line(&site, LOG_WARN, "refused connection again");
}

static void a_flood_from_one_place_is_counted_and_told(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = stderr_of(log_too_often);
    assert_int_equal(count_lines(text), 20 + 1 + 1 + 1 + 1);
    assert_non_null(strstr(text, "refused connection 19\n"));
    assert_null(strstr(text, "warn refused connection 20\n"));
    assert_non_null(strstr(text, " info another\n"));
    assert_non_null(strstr(text, " warn 980 more of: refused connection 20\n"));
    assert_non_null(strstr(text, " info later\n"));
    assert_non_null(strstr(text, "refused connection again\n"));
}

static void levels_are_read_by_name(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("error", &level) && level == LOG_ERROR);
    assert_true(log_level_parse("warn", &level) && level == LOG_WARN);
    assert_true(log_level_parse("info", &level) && level == LOG_INFO);
    assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
    assert_false(log_level_parse("INFO", &level));
    assert_false(log_level_parse("", &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_and_message),
        cmocka_unit_test(what_is_logged_cannot_forge_lines_or_drive_terminals),
        cmocka_unit_test(lines_above_the_level_are_left_out),
        cmocka_unit_test(a_flood_from_one_place_is_counted_and_told),
        cmocka_unit_test(levels_are_read_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/metric.h"
#include "tests/unit/check.h"

static char *rendered(void)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, 1024 * 1024);
    metric_render(&b);
    assert_false(b.full);
    return str_dup(buf_str(&b));
}

static void counters_and_gauges_show_their_value(void **state)
{
    (void)state;
    metric_add(M_WRITES, 2);
    metric_add(M_WRITES, 3);
    metric_set(M_HEAD, 97);
    metric_add(M_WATCHES, 1);
    metric_add(M_WATCHES, -1);
    CLEANUP(freep) char *text = rendered();
    assert_int_equal(metric_get(M_WRITES), 5);
    assert_non_null(strstr(text, "# HELP watchd_writes_total Writes answered"));
    assert_non_null(strstr(text, "\n# TYPE watchd_writes_total counter\nwatchd_writes_total 5\n"));
    assert_non_null(strstr(text, "\n# TYPE watchd_head gauge\nwatchd_head 97\n"));
    assert_non_null(strstr(text, "\nwatchd_watches 0\n"));
}

static void a_histogram_counts_what_is_at_or_below_each_bound(void **state)
{
    (void)state;
    static const int64_t us[] = {0, 100, 101, 1000, 60000, 10000000, 10000001};
    int64_t sum = 0;
    for (size_t i = 0; i < COUNT(us); i++) {
        metric_observe_us(M_COMMIT_SECONDS, us[i]);
        sum += us[i];
    }
    assert_int_equal(sum, 20061202);
    assert_int_equal(metric_get(M_COMMIT_SECONDS), COUNT(us));
    CLEANUP(freep) char *text = rendered();
    static const char *const lines[] = {
        "\n# TYPE watchd_commit_seconds histogram\n",
        "\nwatchd_commit_seconds_bucket{le=\"0.0001\"} 2\n",
        "\nwatchd_commit_seconds_bucket{le=\"0.00025\"} 3\n",
        "\nwatchd_commit_seconds_bucket{le=\"0.001\"} 4\n",
        "\nwatchd_commit_seconds_bucket{le=\"0.05\"} 4\n",
        "\nwatchd_commit_seconds_bucket{le=\"0.1\"} 5\n",
        "\nwatchd_commit_seconds_bucket{le=\"10\"} 6\n",
        "\nwatchd_commit_seconds_bucket{le=\"+Inf\"} 7\n",
        "\nwatchd_commit_seconds_sum 20.061202\n",
        "\nwatchd_commit_seconds_count 7\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_case(strstr(text, lines[i]) != NULL, lines[i]);
    }
}

static void every_line_has_the_form_of_the_text_format(void **state)
{
    (void)state;
    CLEANUP(freep) char *text = rendered();
    char *rest = text;
    size_t n = strlen(text);
    assert_int_equal(text[n - 1], '\n');
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0';
         line = strsep(&rest, "\n")) {
        if (*line == '#') {
            assert_case(strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0, line);
            continue;
        }
        char *space = strchr(line, ' ');
        assert_case(space != NULL, line);
        char *end;
        strtod(space + 1, &end);
        assert_case(*end == '\0' && end != space + 1, line);
        assert_case(strncmp(line, "watchd_", 7) == 0, line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_show_their_value),
        cmocka_unit_test(a_histogram_counts_what_is_at_or_below_each_bound),
        cmocka_unit_test(every_line_has_the_form_of_the_text_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

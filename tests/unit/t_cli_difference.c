/* SPDX-License-Identifier: Apache-2.0 */
/* Differences between documents: applied to the one they give the other, and they name what
 * changed. */
#include <string.h>

#include "check.h"
#include "cli/difference.h"
#include "store/model/json.h"

static json_t *json(const char *text)
{
    json_t *v = NULL;
    struct err err;
    assert_ok(json_text_parse(str_of(text), "json", &v, &err), &err);
    return v;
}

static void paths_are_the_shortest_under_which_something_changed(void **state)
{
    (void)state;
    const struct {
        const char *before, *after, *paths;
    } cases[] = {
        {"{}",                           "{}",                              ""                },
        {"{\"a\":1,\"b\":2}",            "{\"b\":2,\"a\":1}",               ""                },
        {"{\"a\":1}",                    "{\"a\":2}",                       ".a"              },
        {"{\"a\":1}",                    "{}",                              ".a"              },
        {"{}",                           "{\"a\":{\"b\":1}}",               ".a"              },
        {"{\"a\":{\"b\":1,\"c\":{}}}",   "{\"a\":{\"b\":2,\"d\":{}}}",      ".a.b, .a.c, .a.d"},
        {"{\"a\":[1,2]}",                "{\"a\":[1,3]}",                   ".a"              },
        {"{\"a\":{\"b\":1}}",            "{\"a\":[]}",                      ".a"              },
        {"[]",                           "{}",                              "."               },
        {"{\"a\":null,\"x\":{\"y\":0}}", "{\"a\":false,\"x\":{\"y\":0.0}}", ".a, .x.y"        },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(buf_fini) struct buf out;
        buf_init(&out, SIZE_MAX);
        json_t *a = json(cases[i].before), *b = json(cases[i].after);
        difference_paths(a, b, &out);
        assert_str(buf_str(&out), cases[i].paths);
        json_decref(a);
        json_decref(b);
    }
}

static void random_lines(struct dice *d, struct buf *out, size_t n, size_t kinds)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "line %zu\n", dice_below(d, kinds));
    }
}

static struct str next_line(struct str *text)
{
    const char *end = memchr(text->p, '\n', text->n);
    assert_non_null(end);
    struct str line = {text->p, (size_t)(end - text->p)};
    *text = (struct str){end + 1, text->n - line.n - 1};
    return line;
}

static void copy_line(struct str *from, struct buf *out)
{
    buf_adds(out, next_line(from));
    buf_addc(out, '\n');
}

/* What `patch` would make of it, strictly: every line of context and every old line must be there,
 * and the numbers of a hunk's head must be right. */
static void patch(struct str before, struct str diff, struct buf *out)
{
    size_t at = 1, new_at = 1;
    (void)next_line(&diff);
    (void)next_line(&diff);
    while (diff.n != 0) {
        size_t from = 0, n = 0, to = 0, m = 0;
        CLEANUP(freep) char *head = str_dup(next_line(&diff));
        assert_int_equal(sscanf(head, "@@ -%zu,%zu +%zu,%zu @@", &from, &n, &to, &m), 4);
        from += n == 0;
        to += m == 0;
        assert_true(from >= at);
        for (; at < from; at++, new_at++) {
            copy_line(&before, out);
        }
        assert_int_equal(new_at, to);
        while (n != 0 || m != 0) {
            struct str line = next_line(&diff);
            struct str text = {line.p + 1, line.n - 1};
            if (line.p[0] != '+') {
                assert_true(n-- > 0 && str_eq(next_line(&before), text));
                at++;
            }
            if (line.p[0] != '-') {
                assert_true(m-- > 0);
                buf_adds(out, text);
                buf_addc(out, '\n');
                new_at++;
            }
        }
    }
    buf_adds(out, before);
}

static void a_difference_applied_to_the_one_text_gives_the_other(void **state)
{
    (void)state;
    struct dice d = {.state = 7};
    for (int i = 0; i < 5000; i++) {
        CLEANUP(buf_fini) struct buf a;
        CLEANUP(buf_fini) struct buf b;
        CLEANUP(buf_fini) struct buf diff;
        CLEANUP(buf_fini) struct buf made;
        buf_init(&a, SIZE_MAX);
        buf_init(&b, SIZE_MAX);
        buf_init(&diff, SIZE_MAX);
        buf_init(&made, SIZE_MAX);
        size_t kinds = 1 + dice_below(&d, 40);
        random_lines(&d, &a, dice_below(&d, 50), kinds);
        if (dice_below(&d, 2) == 0) {
            random_lines(&d, &b, dice_below(&d, 50), kinds);
        } else { /* a few edits */
            struct str rest = buf_str(&a);
            while (rest.n != 0) {
                size_t what = dice_below(&d, 30);
                if (what == 0) {
                    (void)next_line(&rest);
                } else if (what == 1) {
                    buf_adds(&b, STR("new\n"));
                } else {
                    copy_line(&rest, &b);
                }
            }
        }
        bool differ = difference_lines(buf_str(&a), buf_str(&b), "a", "b", &diff);
        assert_int_equal(differ, !str_eq(buf_str(&a), buf_str(&b)));
        if (differ) {
            patch(buf_str(&a), buf_str(&diff), &made);
            assert_true(str_eq(buf_str(&made), buf_str(&b)));
        } else {
            assert_int_equal(diff.n, 0);
        }
    }
}

static void a_small_change_is_a_small_hunk(void **state)
{
    (void)state;
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out, SIZE_MAX);
    assert_true(difference_lines(STR("a\nb\nc\nd\ne\nf\ng\nh\n"), STR("a\nb\nc\nd\nX\nf\ng\nh\n"),
                                 "old", "new", &out));
    assert_str(buf_str(&out),
               "--- old\n+++ new\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_the_shortest_under_which_something_changed),
        cmocka_unit_test(a_difference_applied_to_the_one_text_gives_the_other),
        cmocka_unit_test(a_small_change_is_a_small_hunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What peers may send that is no message of ours, or one that is made to cost us. */
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/wire_random.h"

#define SERVER_BUDGET ((size_t)8 * 1024 * 1024) /* for a message of 1 MiB */
#define MEGABYTE      ((size_t)1024 * 1024)

/* Times what honest input of a megabyte costs. Attacks cost less than that, and hundreds of times
 * as much without the check. */
#define DEARER_MAX 50

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What it costs to read a megabyte of small honest messages. */
static double honest_s(void)
{
    static double cost;
    struct err err;
    const struct str message = STR("\x0a\x1a\x0a\x07objects\x12\x07"
                                   "default\x1a\x06"
                                   "abcdef");
    double begun = cpu_s();
    for (size_t n = 0; cost == 0 && n < MEGABYTE; n += message.n) {
        struct arena a;
        struct wire_get_request m;
        arena_init(&a, SERVER_BUDGET);
        assert_int_equal(wire_read_get_request(&a, message, &m, &err), OK);
        arena_fini(&a);
    }
    cost = cost == 0 ? cpu_s() - begun : cost;
    return cost;
}

static long peak_kb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* `unit` over and over, about 1 MiB. */
static struct buf repeated(struct str unit)
{
    struct buf b;
    buf_init(&b, MEGABYTE);
    for (size_t i = 0; i < MEGABYTE / unit.n; i++) {
        buf_adds(&b, unit);
    }
    return b;
}

typedef enum errc read_fn(struct arena *a, struct str in, struct err *err);

static enum errc read_get(struct arena *a, struct str in, struct err *err)
{
    struct wire_get_request m;
    return wire_read_get_request(a, in, &m, err);
}

static enum errc read_list(struct arena *a, struct str in, struct err *err)
{
    struct wire_list_request m;
    return wire_read_list_request(a, in, &m, err);
}

static enum errc read_put(struct arena *a, struct str in, struct err *err)
{
    struct wire_write_request m;
    return wire_read_put_request(a, in, &m, err);
}

static enum errc read_patch(struct arena *a, struct str in, struct err *err)
{
    struct wire_write_request m;
    return wire_read_patch_request(a, in, &m, err);
}

static enum errc read_delete(struct arena *a, struct str in, struct err *err)
{
    struct wire_write_request m;
    return wire_read_delete_request(a, in, &m, err);
}

static enum errc read_subscribe(struct arena *a, struct str in, struct err *err)
{
    struct wire_subscribe_request m;
    return wire_read_subscribe_request(a, in, &m, err);
}

static enum errc read_response(struct arena *a, struct str in, struct err *err)
{
    struct wire_subscribe_response m;
    return wire_read_subscribe_response(a, in, &m, err);
}

static enum errc read_reflection(struct arena *a, struct str in, struct err *err)
{
    struct buf out;
    buf_init(&out, 4 * MEGABYTE);
    enum errc code = wire_reflect(a, in, &out, err);
    buf_fini(&out);
    return code;
}

/* Reads as the server does. The field at fault is in err->field, "" when there is none. */
static enum errc tried(read_fn *fn, struct str in, struct err *err)
{
    struct arena a;
    arena_init(&a, SERVER_BUDGET);
    *err = (struct err){0};
    double begun = cpu_s();
    enum errc code = fn(&a, in, err);
    double cost = cpu_s() - begun;
    assert_true(cost < DEARER_MAX * honest_s());
    arena_fini(&a);
    assert_int_equal(err->code, code);
    return code;
}

static void what_costs_much_more_than_its_bytes_is_refused_within_the_budget(void **state)
{
    (void)state;
    static const struct {
        read_fn *fn;
        struct str unit;
        const char *what;
    } rows[] = {
        {read_put,       {"\x78\x01", 2}, "unknown integers"   },
        {read_put,       {"\x7a\x00", 2}, "unknown empty texts"},
        {read_list,      {"\x78\x01", 2}, "unknown integers"   },
        {read_subscribe, {"\x12\x00", 2}, "empty selections"   },
        {read_response,  {"\x2a\x00", 2}, "empty events"       },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf in = repeated(rows[i].unit);
        struct err err;
        long before = peak_kb();
        assert_int_equal(tried(rows[i].fn, buf_str(&in), &err), ERR_TOO_LARGE);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        if (peak_kb() - before > 2 * (long)SERVER_BUDGET / 1024) {
            print_error("%s took %ld KiB\n", rows[i].what, peak_kb() - before);
            fail();
        }
#else
        (void)before;
#endif
        buf_fini(&in);
    }
}

static void a_message_that_may_be_there_once_is_refused_when_it_comes_twice(void **state)
{
    (void)state;
    static const struct {
        read_fn *fn;
        struct str unit;
        const char *field;
    } rows[] = {
        {read_get,        {"\x0a\x03\x0a\x01x", 5}, "key"                      },
        {read_put,        {"\x0a\x00", 2},          "key"                      },
        {read_delete,     {"\x12\x02\x08\x01", 4},  "precondition"             },
        {read_list,       {"\x0a\x00", 2},          "selection"                },
        {read_subscribe,  {"\x1a\x00", 2},          "from_snapshot"            },
        {read_response,   {"\x12\x00", 2},          "started"                  },
        {read_reflection, {"\x2a\x00", 2},          "file_containing_extension"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf in = repeated(rows[i].unit);
        struct err err;
        assert_int_equal(tried(rows[i].fn, buf_str(&in), &err), ERR_INVALID);
        assert_string_equal(err.field, rows[i].field);
        buf_fini(&in);
    }
}

static void a_text_given_often_costs_no_more_than_its_bytes(void **state)
{
    (void)state;
    struct buf unit = repeated(STR("x"));
    /* PutRequest.json, 16 times 64 KiB: the last one counts. */
    struct buf in;
    buf_init(&in, BUF_LIMIT);
    for (int i = 0; i < 16; i++) {
        buf_addc(&in, 0x12);
        buf_varint(&in, 65536);
        buf_add(&in, unit.p, 65536);
    }
    struct err err;
    assert_int_equal(tried(read_put, buf_str(&in), &err), OK);
    buf_fini(&in);
    buf_fini(&unit);
}

static void deep_nesting_in_an_unknown_field_is_not_followed(void **state)
{
    (void)state;
    /* Field 15 in field 15 in …, ten thousand deep. */
    enum { DEEP = 10000 };
    struct buf in;
    struct buf more;
    buf_init(&in, BUF_LIMIT);
    buf_init(&more, BUF_LIMIT);
    for (int i = 0; i < DEEP; i++) {
        buf_clear(&more);
        buf_addc(&more, 0x7a);
        buf_varint(&more, in.n);
        buf_adds(&more, buf_str(&in));
        struct buf swap = in;
        in = more;
        more = swap;
    }
    struct err err;
    assert_int_equal(tried(read_put, buf_str(&in), &err), OK);
    assert_int_equal(tried(read_subscribe, buf_str(&in), &err), OK);
    buf_fini(&in);
    buf_fini(&more);
}

static void texts_must_be_utf8_without_nul(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\0",               1 },
        {"a\0b",             3 },
        {"\x80",             1 },
        {"\xc0\x80",         2 },
        {"\xc1\xbf",         2 },
        {"\xe0\x9f\xbf",     3 },
        {"\xed\xa0\x80",     3 },
        {"\xf0\x8f\xbf\xbf", 4 },
        {"\xf4\x90\x80\x80", 4 },
        {"\xf5\x80\x80\x80", 4 },
        {"\xe2\x82",         2 },
        {"\xff",             1 },
        {"12345678\0",       9 },
        {"1234567\0",        8 },
        {"\0001234567",      8 },
        {"12345678123\xc3",  12},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        /* GetRequest.key.name */
        char in[64] = {0x0a, (char)(bad[i].n + 2), 0x1a, (char)bad[i].n};
        memcpy(in + 4, bad[i].bytes, bad[i].n);
        struct err err;
        assert_int_equal(tried(read_get, (struct str){in, bad[i].n + 4}, &err), ERR_INVALID);
        assert_string_equal(err.field, "key.name");
    }
    static const char *const good[] = {"",
                                       "12345678",
                                       "1234567\xc3\xa4",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\x7f\x01"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t n = strlen(good[i]);
        char in[64] = {0x0a, (char)(n + 2), 0x1a, (char)n};
        memcpy(in + 4, good[i], n);
        struct err err;
        assert_int_equal(tried(read_get, (struct str){in, n + 4}, &err), OK);
    }
}

static void bytes_may_be_anything(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(tried(read_subscribe, STR("\x2a\x03\xff\0\x80"), &err), OK);
}

static void assert_refused(read_fn *fn, struct str in, const char *field, const char *says)
{
    struct err err;
    assert_int_equal(tried(fn, in, &err), ERR_INVALID);
    assert_string_equal(err.field, field);
    assert_non_null(strstr(err.msg, says));
}

static void the_field_at_fault_is_named_by_its_path(void **state)
{
    (void)state;
    assert_refused(read_put, STR("\x18\x07"), "mode", "7");
    assert_refused(read_put, STR("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "mode", "-1");
    assert_refused(read_put, STR("\x20\x80\x80\x80\x80\x10"), "scope", "4294967296");
    assert_refused(read_patch, STR("\x18\x09"), "type", "9");
    assert_refused(read_list, STR("\x10\x80\x80\x80\x80\x10"), "limit", "too large");
    assert_refused(read_put, STR("\x08\x01"), "key", "another type");
    assert_refused(read_put, STR("\x10\x01"), "json", "another type");
    assert_refused(read_put, STR("\x1a\x01\x01"), "mode", "another type");
    assert_refused(read_put, STR("\x0a\x02\x0a\x05"), "key", "not a protobuf message");
    assert_refused(read_subscribe, STR("\x12\x00\x12\x00\x12\x03\x2a\x01\xff"),
                   "selections[2].label_selector", "UTF-8");
    assert_refused(read_response, STR("\x2a\x02\x08\x09"), "events[0].type", "9");
    assert_refused(read_response, STR("\x2a\x00\x2a\x05\x22\x03\x2a\x01\xff"),
                   "events[1].previous.json", "UTF-8");
}

static void bytes_that_are_no_fields_are_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        {"\x00\x01",                                         2 }, /* field 0 */
        {"\x0b\x0c",                                         2 }, /* a group */
        {"\x0e",                                             1 }, /* wire type 6 */
        {"\x7f",                                             1 }, /* wire type 7 */
        {"\x0a",                                             1 }, /* no length */
        {"\x0a\x05xx",                                       4 }, /* cut off */
        {"\x79\x01\x02\x03",                                 4 }, /* a cut off fixed64 */
        {"\x7d\x01\x02\x03",                                 4 }, /* a cut off fixed32 */
        {"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",     11}, /* 65 bits */
        {"\x78\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12}, /* 11 bytes */
        {"\xfa\x80\x80\x80\x80\x00\x00",                     7 }, /* an overlong tag */
        {"\x7a\x80\x80\x80\x80\x80\x00",                     7 }, /* an overlong length */
        {"\x7a\xff\xff\xff\xff\x0f",                         6 }, /* 4 GiB of nothing */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",         10}, /* a tag of 64 bits */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err;
        assert_int_equal(tried(read_put, rows[i], &err), ERR_INVALID);
        assert_int_equal(tried(read_subscribe, rows[i], &err), ERR_INVALID);
    }
}

static void unknown_fields_of_newer_peers_are_passed_over(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(tried(read_put,
                           STR("\xa0\x06\x01\xa2\x06\x02hi\xa1\x06"
                               "12345678\xa5\x06"
                               "1234"),
                           &err),
                     OK);
}

static struct buf sample_subscribe(struct rnd *r)
{
    struct wire_subscribe_request m = {
        .client_id = rnd_text(r, 30),
        .n_selections = 3,
        .selections = rnd_selections(r, 3),
        .start = WIRE_START_RESUME,
        .resume = rnd_bytes(r, 40),
        .send_previous = true,
        .bookmark_interval_ms = 1000,
        .duration_ms = 1 << 20,
    };
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    wire_write_subscribe_request(&m, &out);
    return out;
}

static void a_message_cut_off_anywhere_is_read_or_refused(void **state)
{
    (void)state;
    struct rnd r;
    rnd_init(&r, 4);
    struct buf whole = sample_subscribe(&r);
    for (size_t n = 0; n < whole.n; n++) {
        /* On the heap, in its exact size, so that a sanitizer sees what is read behind it. */
        char *cut = malloc(n + (n == 0));
        assert_non_null(cut);
        memcpy(cut, whole.p, n);
        struct err err;
        enum errc code = tried(read_subscribe, (struct str){cut, n}, &err);
        assert_true(code == OK || code == ERR_INVALID);
        free(cut);
    }
    buf_fini(&whole);
    rnd_fini(&r);
}

static void a_message_with_bytes_changed_is_read_or_refused(void **state)
{
    (void)state;
    static read_fn *const readers[] = {read_get,    read_list,      read_put,      read_patch,
                                       read_delete, read_subscribe, read_response, read_reflection};
    struct rnd r;
    rnd_init(&r, 5);
    struct buf whole = sample_subscribe(&r);
    char *changed = mem_alloc(whole.n);
    for (int i = 0; i < 20000; i++) {
        memcpy(changed, whole.p, whole.n);
        for (size_t k = rnd_below(&r, 4) + 1; k > 0; k--) {
            changed[rnd_below(&r, whole.n)] = (char)rnd_bits(&r);
        }
        size_t at = rnd_below(&r, 16);
        size_t n = rnd_below(&r, whole.n - at);
        struct err err;
        read_fn *fn = readers[(size_t)i % (sizeof(readers) / sizeof(readers[0]))];
        enum errc code = tried(fn, (struct str){changed + at, n}, &err);
        assert_true(code == OK || code == ERR_INVALID || code == ERR_TOO_LARGE);
    }
    free(changed);
    buf_fini(&whole);
    rnd_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_costs_much_more_than_its_bytes_is_refused_within_the_budget),
        cmocka_unit_test(a_message_that_may_be_there_once_is_refused_when_it_comes_twice),
        cmocka_unit_test(a_text_given_often_costs_no_more_than_its_bytes),
        cmocka_unit_test(deep_nesting_in_an_unknown_field_is_not_followed),
        cmocka_unit_test(texts_must_be_utf8_without_nul),
        cmocka_unit_test(bytes_may_be_anything),
        cmocka_unit_test(the_field_at_fault_is_named_by_its_path),
        cmocka_unit_test(bytes_that_are_no_fields_are_refused),
        cmocka_unit_test(unknown_fields_of_newer_peers_are_passed_over),
        cmocka_unit_test(a_message_cut_off_anywhere_is_read_or_refused),
        cmocka_unit_test(a_message_with_bytes_changed_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

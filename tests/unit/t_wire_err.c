/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire_random.h"

#include <stdio.h>

#include "proto/pb.h"

extern const ProtobufCMessageDescriptor google__rpc__status__descriptor;

static void assert_err(const struct err *got, const struct err *wanted)
{
    assert_int_equal(got->code, wanted->code);
    assert_string_equal(got->field, wanted->field);
    assert_string_equal(got->msg, wanted->msg);
    assert_int_equal(got->requested, wanted->requested);
    assert_int_equal(got->oldest, wanted->oldest);
    assert_int_equal(got->head, wanted->head);
    assert_int_equal(got->retry_ms, wanted->retry_ms);
}

static bool has_versions(enum errc code)
{
    return code == ERR_EXPIRED || code == ERR_FUTURE || code == ERR_FOREIGN;
}

static void every_code_comes_back_with_all_it_carries(void **state)
{
    (void)state;
    struct rnd r;
    rnd_init(&r, 6);
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    for (int i = 0; i < ERRC_COUNT * 50; i++) {
        enum errc code = (enum errc)(i % ERRC_COUNT);
        struct err e;
        char field[200];
        snprintf(field, sizeof(field), "%.*s", STR_ARG(rnd_text(&r, 150)));
        err_field(&e, code, rnd_bool(&r) ? field : "", "no. %d: %.*s", i,
                  STR_ARG(rnd_text(&r, 300)));
        if (has_versions(code)) {
            e.requested = rnd_u64(&r);
            e.oldest = rnd_u64(&r);
            e.head = rnd_u64(&r);
        } else if (code == ERR_CONFLICT) {
            e.requested = rnd_u64(&r);
            e.head = rnd_u64(&r);
        } else if (code == ERR_EXISTS) {
            e.head = rnd_u64(&r);
        }
        e.retry_ms = rnd_bool(&r) ? (int64_t)rnd_below(&r, 60000) : 0;

        buf_clear(&out);
        wire_write_err(&e, &out);
        assert_as_packed(&google__rpc__status__descriptor, buf_str(&out));
        struct err back;
        wire_read_err(err_info(code)->grpc, STR("the call's own"), buf_str(&out), &back);
        assert_err(&back, &e);
    }
    buf_fini(&out);
    rnd_fini(&r);
}

static void the_refusals_of_a_version_carry_zero_as_well(void **state)
{
    (void)state;
    struct err e;
    err_version(&e, ERR_EXPIRED, 0, 41, 97);
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    wire_write_err(&e, &out);
    /* `requested` is there for peers that print what they find. */
    assert_non_null(memmem(out.p, out.n,
                           "\x0a\x09requested\x12\x01"
                           "0",
                           14));
    buf_fini(&out);
}

static void a_peer_without_details_is_judged_by_its_status(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum errc code;
    } rows[] = {
        {0,       OK                 },
        {1,       ERR_CANCELLED      },
        {2,       ERR_OUTCOME_UNKNOWN},
        {3,       ERR_INVALID        },
        {4,       ERR_DEADLINE       },
        {5,       ERR_NOT_FOUND      },
        {6,       ERR_EXISTS         },
        {7,       ERR_DENIED         },
        {8,       ERR_LIMIT          },
        {9,       ERR_CONFLICT       },
        {10,      ERR_CONFLICT       },
        {11,      ERR_EXPIRED        },
        {12,      ERR_UNIMPLEMENTED  },
        {13,      ERR_INTERNAL       },
        {14,      ERR_UNAVAILABLE    },
        {15,      ERR_DATA_LOSS      },
        {16,      ERR_UNAUTHENTICATED},
        {17,      ERR_INTERNAL       },
        {-1,      ERR_INTERNAL       },
        {1 << 30, ERR_INTERNAL       },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e;
        wire_read_err(rows[i].status, STR("as it says"), STR_EMPTY, &e);
        assert_int_equal(e.code, rows[i].code);
        assert_string_equal(e.msg, "as it says");
        assert_string_equal(e.field, "");
        assert_int_equal(e.retry_ms, 0);
    }
}

static void a_call_that_is_cut_off_says_its_reason_before_the_message(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
        enum errc code;
        const char *msg;
        bool given;
    } rows[] = {
        {1,  "UNSUBSCRIBED: ended by Unsubscribe", ERR_UNSUBSCRIBED, "ended by Unsubscribe",       true },
        {8,  "TOO_SLOW: nothing was read",         ERR_TOO_SLOW,     "nothing was read",           true },
        {8,  "LIMIT: too many",                    ERR_LIMIT,        "too many",                   true },
        {11, "EXPIRED: it is gone",                ERR_EXPIRED,      "it is gone",                 true },
        {14, "DRAINING: a: b",                     ERR_DRAINING,     "a: b",                       true },
 /* gRPC's own texts may begin so. */
        {14, "UNAVAILABLE: no route",              ERR_UNAVAILABLE,  "no route",                   false},
        {13, "INTERNAL: a reset",                  ERR_INTERNAL,     "a reset",                    false},
        {1,  "CANCELLED: by the peer",             ERR_CANCELLED,    "by the peer",                false},
 /* Another status, another separator, another word, nothing behind. */
        {14, "TOO_SLOW: nothing was read",         ERR_UNAVAILABLE,  "TOO_SLOW: nothing was read", false},
        {8,  "TOO_SLOW:nothing",                   ERR_LIMIT,        "TOO_SLOW:nothing",           false},
        {8,  "TOO_SLOWLY: x",                      ERR_LIMIT,        "TOO_SLOWLY: x",              false},
        {8,  "TOO_SLOW: ",                         ERR_LIMIT,        "TOO_SLOW: ",                 false},
        {8,  "x TOO_SLOW: y",                      ERR_LIMIT,        "x TOO_SLOW: y",              false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e;
        bool given = wire_read_err(rows[i].status, str_of(rows[i].text), STR_EMPTY, &e);
        assert_int_equal(e.code, rows[i].code);
        assert_string_equal(e.msg, rows[i].msg);
        assert_int_equal(given, rows[i].given);
    }
}

static void a_reason_before_the_message_counts_only_without_details(void **state)
{
    (void)state;
    struct err sent;
    err_set(&sent, ERR_LIMIT, "TOO_SLOW: is what it says");
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    wire_write_err(&sent, &out);
    struct err e;
    assert_true(wire_read_err(8, STR("TOO_SLOW: x"), buf_str(&out), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.msg, sent.msg);
    assert_false(wire_read_err(8, STR("TOO_SLOW: x"), STR("garbage"), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_fini(&out);
}

static void an_error_without_a_message_gets_one(void **state)
{
    (void)state;
    struct err e;
    wire_read_err(14, STR_EMPTY, STR_EMPTY, &e);
    assert_non_null(strstr(e.msg, "14"));
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    struct err room;
    for (size_t n = 0; n < 4; n++) {
        char text[2000];
        memset(text, 'a', n);
        for (size_t i = n; i + 3 <= sizeof(text); i += 3) {
            memcpy(text + i, "\xe2\x82\xac", 3);
        }
        struct err e;
        wire_read_err(13, (struct str){text, sizeof(text) - 8}, STR_EMPTY, &e);
        size_t len = strlen(e.msg);
        assert_true(len > sizeof(room.msg) - 5 && len < sizeof(room.msg));
        assert_memory_equal(e.msg, text, len);
        assert_int_equal((len - n) % 3, 0);
    }
}

static void add_any(struct buf *out, const char *type, struct str value)
{
    size_t any = pb_open(out, 3);
    pb_add_str(out, 1, str_of(type));
    pb_add_str(out, 2, value);
    pb_close(out, any);
}

static void details_that_cannot_be_believed_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        struct str value;
    } rows[] = {
  /* reason EXPIRED, which is no UNAVAILABLE */
        {"type.googleapis.com/google.rpc.ErrorInfo",
         {"\x0a\x07"
          "EXPIRED\x12\x08watch.v1",
          19}                                                                               },
 /* another domain */
        {"type.googleapis.com/google.rpc.ErrorInfo",
         {"\x0a\x08"
          "DRAINING\x12\x08other.v1",
          20}                                                                               },
 /* an unknown reason */
        {"type.googleapis.com/google.rpc.ErrorInfo",
         {"\x0a\x03"
          "XYZ\x12\x08watch.v1",
          15}                                                                               },
 /* cut off */
        {"type.googleapis.com/google.rpc.ErrorInfo",
         {"\x0a\x08"
          "DRAI",
          6}                                                                                },
 /* another type */
        {"type.googleapis.com/google.rpc.Help",
         {"\x0a\x08"
          "DRAINING\x12\x08watch.v1",
          20}                                                                               },
        {"google.rpc.ErrorInfo",
         {"\x0a\x08"
          "DRAINING\x12\x08watch.v1",
          20}                                                                               },
 /* a delay below zero, of a million years, with too many nanoseconds */
        {"type.googleapis.com/google.rpc.RetryInfo",
         {"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13}                       },
        {"type.googleapis.com/google.rpc.RetryInfo",
         {"\x0a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12}                           },
        {"type.googleapis.com/google.rpc.RetryInfo", {"\x0a\x06\x10\xff\xff\xff\xff\x07", 8}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, BUF_LIMIT);
        pb_add_u64(&out, 1, 14);
        pb_add_str(&out, 2, STR("from the details"));
        add_any(&out, rows[i].type, rows[i].value);
        struct err e;
        wire_read_err(14, STR("from the call"), buf_str(&out), &e);
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_string_equal(e.msg, "from the details");
        assert_int_equal(e.retry_ms, 0);
        buf_fini(&out);
    }
}

static void details_of_another_status_are_not_used(void **state)
{
    (void)state;
    struct err sent;
    err_set(&sent, ERR_DRAINING, "going down");
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    wire_write_err(&sent, &out);
    struct err e;
    wire_read_err(13, STR("from the call"), buf_str(&out), &e);
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_string_equal(e.msg, "from the call");
    buf_fini(&out);
}

static void garbage_leaves_status_and_message(void **state)
{
    (void)state;
    struct rnd r;
    rnd_init(&r, 7);
    struct err sent;
    err_version(&sent, ERR_EXPIRED, 3, 41, 97);
    sent.retry_ms = 1500;
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    wire_write_err(&sent, &out);
    char *changed = mem_alloc(out.n);
    for (int i = 0; i < 20000; i++) {
        memcpy(changed, out.p, out.n);
        for (size_t k = rnd_below(&r, 6); k > 0; k--) {
            changed[rnd_below(&r, out.n)] = (char)rnd_bits(&r);
        }
        size_t n = rnd_below(&r, 3) == 0 ? rnd_below(&r, out.n) : out.n;
        struct err e;
        wire_read_err(11, STR("from the call"), (struct str){changed, n}, &e);
        assert_int_equal(err_info(e.code)->grpc, 11);
        assert_true(e.msg[0] != '\0');
    }
    free(changed);
    buf_fini(&out);
    rnd_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_comes_back_with_all_it_carries),
        cmocka_unit_test(the_refusals_of_a_version_carry_zero_as_well),
        cmocka_unit_test(a_peer_without_details_is_judged_by_its_status),
        cmocka_unit_test(a_call_that_is_cut_off_says_its_reason_before_the_message),
        cmocka_unit_test(a_reason_before_the_message_counts_only_without_details),
        cmocka_unit_test(an_error_without_a_message_gets_one),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(details_that_cannot_be_believed_are_passed_over),
        cmocka_unit_test(details_of_another_status_are_not_used),
        cmocka_unit_test(garbage_leaves_status_and_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

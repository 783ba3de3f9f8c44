/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire_random.h"

#include "proto/pb.h"

extern const ProtobufCMessageDescriptor
    grpc__reflection__v1__server_reflection_response__descriptor;

/* Field numbers of the protocol. */
enum {
    ASK_HOST = 1,
    ASK_FILE = 3,
    ASK_SYMBOL = 4,
    ASK_EXTENSION = 5,
    ASK_NUMBERS = 6,
    ASK_LIST = 7
};
enum {
    ANSWER_HOST = 1,
    ANSWER_REQUEST = 2,
    ANSWER_FILES = 4,
    ANSWER_SERVICES = 6,
    ANSWER_ERROR = 7
};

struct answer {
    struct buf bytes;
    struct str kinds[8]; /* by field number; {NULL, 0} when it is not there */
};

static void ask(unsigned number, struct str what, struct answer *ret)
{
    struct buf in;
    buf_init(&in, BUF_LIMIT);
    pb_add_str(&in, ASK_HOST, STR("localhost"));
    pb_add_member_str(&in, number, what);
    struct arena a;
    arena_init(&a, BUDGET);
    struct err err;
    *ret = (struct answer){0};
    buf_init(&ret->bytes, BUF_LIMIT);
    assert_int_equal(wire_reflect(&a, buf_str(&in), &ret->bytes, &err), OK);
    assert_as_packed(&grpc__reflection__v1__server_reflection_response__descriptor,
                     buf_str(&ret->bytes));
    struct pb_field f;
    for (size_t at = 0; at < ret->bytes.n;) {
        assert_true(pb_next(buf_str(&ret->bytes), &at, &f));
        assert_true(f.number < 8);
        ret->kinds[f.number] = f.bytes;
    }
    assert_str(ret->kinds[ANSWER_HOST], STR("localhost"));
    assert_str(ret->kinds[ANSWER_REQUEST], buf_str(&in));
    arena_fini(&a);
    buf_fini(&in);
}

/* The i-th field of that number in a message. */
static bool nth(struct str in, unsigned number, size_t i, struct str *ret)
{
    struct pb_field f;
    for (size_t at = 0; at < in.n;) {
        assert_true(pb_next(in, &at, &f));
        if (f.number == number && i-- == 0) {
            *ret = f.bytes;
            return true;
        }
    }
    return false;
}

static struct str name_of(struct str descriptor)
{
    struct str name = STR_EMPTY;
    assert_true(nth(descriptor, 1, 0, &name));
    return name;
}

static bool has_file(const struct answer *a, struct str name)
{
    struct str file;
    for (size_t i = 0; nth(a->kinds[ANSWER_FILES], 1, i, &file); i++) {
        if (str_eq(name_of(file), name)) {
            return true;
        }
    }
    return false;
}

static size_t count_files(const struct answer *a)
{
    struct str file;
    size_t n = 0;
    while (nth(a->kinds[ANSWER_FILES], 1, n, &file)) {
        n++;
    }
    return n;
}

static void all_services_are_listed(void **state)
{
    (void)state;
    static const char *const names[] = {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "watch.v1.AdminService",
        "watch.v1.ObjectService",
        "watch.v1.WatchService",
    };
    struct answer a;
    ask(ASK_LIST, STR("*"), &a);
    struct str service;
    size_t n = 0;
    for (; nth(a.kinds[ANSWER_SERVICES], 1, n, &service); n++) {
        assert_true(n < sizeof(names) / sizeof(names[0]));
        assert_str(name_of(service), str_of(names[n]));
    }
    assert_int_equal(n, sizeof(names) / sizeof(names[0]));
    buf_fini(&a.bytes);
    /* The argument is of no meaning, so it may be empty as well. */
    ask(ASK_LIST, STR_EMPTY, &a);
    assert_true(a.kinds[ANSWER_SERVICES].n != 0);
    buf_fini(&a.bytes);
}

static void count(void *arg, struct str name)
{
    (void)name;
    (*(int *)arg)++;
}

static void each_service_is_called_back_once(void **state)
{
    (void)state;
    int n = 0;
    wire_each_service(count, &n);
    assert_int_equal(n, 6);
}

static void a_file_comes_first_and_with_all_it_imports(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t files;
        const char *imported;
    } rows[] = {
        {"watch/v1/watch.proto",                     2, "watch/v1/object.proto"         },
        {"watch/v1/object.proto",                    1, NULL                            },
        {"watch/v1/admin.proto",                     1, NULL                            },
        {"google/rpc/status.proto",                  2, "google/protobuf/any.proto"     },
        {"google/rpc/error_details.proto",           2, "google/protobuf/duration.proto"},
        {"google/protobuf/duration.proto",           1, NULL                            },
        {"grpc/health/v1/health.proto",              1, NULL                            },
        {"grpc/reflection/v1/reflection.proto",      1, NULL                            },
        {"grpc/reflection/v1alpha/reflection.proto", 1, NULL                            },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer a;
        struct str first = STR_EMPTY;
        ask(ASK_FILE, str_of(rows[i].name), &a);
        assert_int_equal(count_files(&a), rows[i].files);
        assert_true(nth(a.kinds[ANSWER_FILES], 1, 0, &first));
        assert_str(name_of(first), str_of(rows[i].name));
        assert_true(rows[i].imported == NULL || has_file(&a, str_of(rows[i].imported)));
        buf_fini(&a.bytes);
    }
}

static void assert_found(const char *symbol, const char *file)
{
    struct answer a;
    struct str first = STR_EMPTY;
    ask(ASK_SYMBOL, str_of(symbol), &a);
    assert_true(nth(a.kinds[ANSWER_FILES], 1, 0, &first));
    assert_str(name_of(first), str_of(file));
    buf_fini(&a.bytes);
}

static void symbols_of_every_kind_lead_to_their_file(void **state)
{
    (void)state;
    assert_found("watch.v1.WatchService", "watch/v1/watch.proto");
    assert_found("watch.v1.WatchService.Subscribe", "watch/v1/watch.proto");
    assert_found("watch.v1.ObjectService.Get", "watch/v1/object.proto");
    assert_found("watch.v1.SubscribeRequest", "watch/v1/watch.proto");
    assert_found("watch.v1.Cause", "watch/v1/object.proto");
    assert_found("watch.v1.PutMode", "watch/v1/object.proto");
    assert_found("watch.v1.AdminService.Metrics", "watch/v1/admin.proto");
    assert_found("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto");
    assert_found("google.rpc.ErrorInfo.MetadataEntry", "google/rpc/error_details.proto");
    assert_found("google.protobuf.Any", "google/protobuf/any.proto");
    assert_found("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto");
    assert_found("grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo",
                 "grpc/reflection/v1alpha/reflection.proto");
}

static void what_is_not_there_is_answered_as_an_error(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        struct str what;
        uint64_t status;
    } rows[] = {
        {ASK_FILE,      {"watch/v1/none.proto", 19},          5},
        {ASK_FILE,      {"", 0},                              5},
        {ASK_SYMBOL,    {"watch.v1", 8},                      5},
        {ASK_SYMBOL,    {"watch.v1.WatchService.None", 26},   5},
        {ASK_SYMBOL,    {"", 0},                              5},
        {ASK_EXTENSION, {"\x0a\x0cwatch.v1.Key\x10\x05", 16}, 5},
        {ASK_NUMBERS,   {"watch.v1.Key", 12},                 5},
        {9,             {"from later", 10},                   3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer a;
        struct pb_field code;
        size_t at = 0;
        ask(rows[i].number, rows[i].what, &a);
        assert_true(a.kinds[ANSWER_ERROR].n != 0);
        assert_true(pb_next(a.kinds[ANSWER_ERROR], &at, &code));
        assert_int_equal(code.number, 1);
        assert_int_equal(code.value, rows[i].status);
        assert_int_equal(a.kinds[ANSWER_FILES].n, 0);
        buf_fini(&a.bytes);
    }
}

static void an_answer_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct buf out;
    buf_init(&out, 100);
    struct err err;
    assert_int_equal(wire_reflect(&a, STR("\x3a\x01*"), &out, &err), ERR_TOO_LARGE);
    buf_fini(&out);
    arena_fini(&a);
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct buf out;
    buf_init(&out, BUF_LIMIT);
    struct err err;
    assert_int_equal(wire_reflect(&a, STR("\x1a\x01\xff"), &out, &err), ERR_INVALID);
    assert_string_equal(err.field, "file_by_filename");
    assert_int_equal(out.n, 0);
    buf_fini(&out);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_services_are_listed),
        cmocka_unit_test(each_service_is_called_back_once),
        cmocka_unit_test(a_file_comes_first_and_with_all_it_imports),
        cmocka_unit_test(symbols_of_every_kind_lead_to_their_file),
        cmocka_unit_test(what_is_not_there_is_answered_as_an_error),
        cmocka_unit_test(an_answer_that_does_not_fit_is_an_error),
        cmocka_unit_test(what_is_no_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

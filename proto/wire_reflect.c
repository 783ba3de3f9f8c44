/* SPDX-License-Identifier: Apache-2.0 */
/* Server reflection. Files are answered as protoc made them, each with all it imports, so that a
 * client needs one question. v1 and v1alpha have the same messages.
 * See: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md */
#include "proto/wire_impl.h"

#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/wire_symbols.h"

/* The cases of message_request are its fields' numbers. */
enum { ASK_FILE = 3, ASK_SYMBOL, ASK_EXTENSION, ASK_NUMBERS, ASK_LIST };
enum {
    ANSWER_HOST = 1,
    ANSWER_REQUEST,
    ANSWER_FILES = 4,
    ANSWER_SERVICES = 6,
    ANSWER_ERROR = 7,
};
enum { FILES_FILE = 1 };
enum { SERVICES_SERVICE = 1 };
enum { SERVICE_NAME = 1 };
enum { ERROR_CODE = 1, ERROR_MESSAGE };

static void answer_files(unsigned i, struct buf *out)
{
    size_t opened = pb_open(out, ANSWER_FILES);
    pb_add_member_str(out, FILES_FILE, symbol_file_at(i)->bytes);
    uint64_t others = symbol_file_closure(i) & ~((uint64_t)1 << i);
    for (; others != 0; others &= others - 1) {
        unsigned other = (unsigned)__builtin_ctzll(others);
        pb_add_member_str(out, FILES_FILE, symbol_file_at(other)->bytes);
    }
    pb_close(out, opened);
}

static void answer_error(enum errc code, const char *what, const char *name, struct buf *out)
{
    struct err e;
    err_set(&e, code, "%s \"%s\"", what, name);
    size_t opened = pb_open(out, ANSWER_ERROR);
    pb_add_u64(out, ERROR_CODE, (uint64_t)err_info(code)->grpc);
    pb_add_str(out, ERROR_MESSAGE, str_of(e.msg));
    pb_close(out, opened);
}

static void add_service(void *arg, struct str name)
{
    struct buf *out = arg;
    size_t opened = pb_open(out, SERVICES_SERVICE);
    pb_add_str(out, SERVICE_NAME, name);
    pb_close(out, opened);
}

static void answer_file_named(const char *name, struct buf *out)
{
    unsigned i;
    if (symbol_file_find(str_of(name), &i) != NULL) {
        answer_files(i, out);
    } else {
        answer_error(ERR_NOT_FOUND, "there is no file", name, out);
    }
}

static void answer_file_with(const char *name, struct buf *out)
{
    const struct symbol *s = symbol_find(str_of(name));
    if (s != NULL) {
        answer_files(s->file, out);
    } else {
        answer_error(ERR_NOT_FOUND, "there is no symbol", name, out);
    }
}

static void answer_services(struct buf *out)
{
    size_t opened = pb_open(out, ANSWER_SERVICES);
    wire_each_service(add_service, out);
    pb_close(out, opened);
}

enum errc wire_reflect(struct arena *a, struct str in, struct buf *out, struct err *err)
{
    const Grpc__Reflection__V1__ServerReflectionRequest *m = NULL;
    enum errc code =
        wire_unpack(a, &grpc__reflection__v1__server_reflection_request__descriptor, in, &m, err);
    if (code != OK) {
        return code;
    }
    pb_add_str(out, ANSWER_HOST, str_of(m->host));
    pb_add_member_str(out, ANSWER_REQUEST, in);
    switch ((int)m->message_request_case) {
    case ASK_FILE:
        answer_file_named(m->file_by_filename, out);
        break;
    case ASK_SYMBOL:
        answer_file_with(m->file_containing_symbol, out);
        break;
    case ASK_EXTENSION:
        /* proto3 has no extensions, but of the options, and we have none of those. */
        answer_error(ERR_NOT_FOUND, "there are no extensions of",
                     m->file_containing_extension->containing_type, out);
        break;
    case ASK_NUMBERS:
        answer_error(ERR_NOT_FOUND, "there are no extensions of", m->all_extension_numbers_of_type,
                     out);
        break;
    case ASK_LIST:
        answer_services(out);
        break;
    default:
        answer_error(ERR_INVALID, "nothing is asked that is known to", "reflection", out);
        break;
    }
    if (out->full) {
        return err_set(err, ERR_TOO_LARGE, "the answer of the reflection service is too large");
    }
    return OK;
}

void wire_each_service(void (*fn)(void *arg, struct str name), void *arg)
{
    const struct symbol *s;
    for (size_t i = 0; (s = symbol_at(i)) != NULL; i++) {
        if (s->kind == SYMBOL_SERVICE) {
            fn(arg, s->name);
        }
    }
}

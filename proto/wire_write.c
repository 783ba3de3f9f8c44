/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of Put, Patch and Delete, and their answer, which is one message for all three. */
#include "proto/wire_impl.h"

enum { PRECONDITION_RV = 1, PRECONDITION_UID };
enum { WRITTEN_OBJECT = 1, WRITTEN_RESULT, WRITTEN_UID, WRITTEN_GENERATION };

/* Field numbers; 0: the request has no such field. */
struct write_numbers {
    unsigned json, mode, scope, type, precondition, dry_run, request_id, return_object, patch_scope,
        propagation, ttl_ms, no_ttl, field_manager, generate_name, force;
};
static const struct write_numbers put_numbers = {
    .json = 2,
    .mode = 3,
    .scope = 4,
    .precondition = 5,
    .dry_run = 6,
    .request_id = 7,
    .return_object = 8,
    .ttl_ms = 9,
    .no_ttl = 10,
    .field_manager = 11,
    .generate_name = 12,
};
static const struct write_numbers patch_numbers = {
    .json = 2,
    .type = 3,
    .precondition = 4,
    .dry_run = 5,
    .request_id = 6,
    .return_object = 7,
    .patch_scope = 8,
    .ttl_ms = 9,
    .no_ttl = 10,
    .field_manager = 11,
    .force = 12,
};
static const struct write_numbers delete_numbers = {
    .precondition = 2,
    .dry_run = 3,
    .request_id = 4,
    .return_object = 5,
    .propagation = 6,
    .field_manager = 7,
};

static enum errc precondition_of(const Watch__V1__Precondition *m, struct precondition *ret,
                                 struct err *err)
{
    *ret = (struct precondition){0};
    if (m == NULL) {
        return OK;
    }
    struct str uid = str_of(m->uid);
    if (uid.n > UUID_LEN) {
        return err_field(err, ERR_INVALID, "precondition.uid", "a uid has %d characters, not %zu",
                         UUID_LEN, uid.n);
    }
    ret->rv = m->resource_version;
    if (uid.n != 0) {
        memcpy(ret->uid, uid.p, uid.n);
    }
    return OK;
}

enum errc wire_request_id_of(ProtobufCBinaryData b, struct str *ret, struct err *err)
{
    if (b.len != 0 && b.len != REQUEST_ID_LEN) {
        return err_field(err, ERR_INVALID, "request_id",
                         "a request id is %d random bytes, not %zu; or leave it out",
                         REQUEST_ID_LEN, b.len);
    }
    *ret = wire_bytes_of(b);
    return OK;
}

enum errc wire_put_of(const Watch__V1__PutRequest *m, struct wire_write_request *ret,
                      struct err *err)
{
    *ret = (struct wire_write_request){
        .json = str_of(m->json),
        .mode = (int)m->mode,
        .scope = (int)m->scope,
        .dry_run = m->dry_run,
        .return_object = m->return_object,
        .ttl_ms = m->ttl_ms,
        .no_ttl = m->no_ttl,
        .field_manager = str_of(m->field_manager),
        .generate_name = m->generate_name,
    };
    wire_key_of(m->key, &ret->key);
    enum errc code = precondition_of(m->precondition, &ret->pre, err);
    return code != OK ? code : wire_request_id_of(m->request_id, &ret->request_id, err);
}

enum errc wire_patch_of(const Watch__V1__PatchRequest *m, struct wire_write_request *ret,
                        struct err *err)
{
    *ret = (struct wire_write_request){
        .json = str_of(m->json),
        .type = (int)m->type,
        .patch_scope = (int)m->scope,
        .dry_run = m->dry_run,
        .return_object = m->return_object,
        .ttl_ms = m->ttl_ms,
        .no_ttl = m->no_ttl,
        .field_manager = str_of(m->field_manager),
        .force = m->force,
    };
    wire_key_of(m->key, &ret->key);
    enum errc code = precondition_of(m->precondition, &ret->pre, err);
    return code != OK ? code : wire_request_id_of(m->request_id, &ret->request_id, err);
}

enum errc wire_delete_of(const Watch__V1__DeleteRequest *m, struct wire_write_request *ret,
                         struct err *err)
{
    *ret = (struct wire_write_request){
        .dry_run = m->dry_run,
        .return_object = m->return_object,
        .propagation = (int)m->propagation,
        .field_manager = str_of(m->field_manager),
    };
    wire_key_of(m->key, &ret->key);
    enum errc code = precondition_of(m->precondition, &ret->pre, err);
    return code != OK ? code : wire_request_id_of(m->request_id, &ret->request_id, err);
}

enum errc wire_check_of(const Watch__V1__Check *m, struct wire_write_request *ret, struct err *err)
{
    *ret = (struct wire_write_request){0};
    wire_key_of(m->key, &ret->key);
    return precondition_of(m->precondition, &ret->pre, err);
}

enum errc wire_read_put_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                struct err *err)
{
    const Watch__V1__PutRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__put_request__descriptor, in, &m, err);
    return code != OK ? code : wire_put_of(m, ret, err);
}

enum errc wire_read_patch_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                  struct err *err)
{
    const Watch__V1__PatchRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__patch_request__descriptor, in, &m, err);
    return code != OK ? code : wire_patch_of(m, ret, err);
}

enum errc wire_read_delete_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                   struct err *err)
{
    const Watch__V1__DeleteRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__delete_request__descriptor, in, &m, err);
    return code != OK ? code : wire_delete_of(m, ret, err);
}

static void add_number(struct buf *out, unsigned number, uint64_t v)
{
    if (number != 0) {
        pb_add_u64(out, number, v);
    }
}

static void add_text(struct buf *out, unsigned number, struct str s)
{
    if (number != 0) {
        pb_add_str(out, number, s);
    }
}

/* In the order of the numbers, as every encoder writes them. */
static void write_request(const struct wire_write_request *m, const struct write_numbers *no,
                          struct buf *out)
{
    wire_add_key(out, 1, &m->key);
    add_text(out, no->json, m->json);
    add_number(out, no->mode, (uint64_t)m->mode);
    add_number(out, no->type, (uint64_t)m->type);
    add_number(out, no->scope, (uint64_t)m->scope);
    if (m->pre.rv != 0 || m->pre.uid[0] != '\0') {
        size_t opened = pb_open(out, no->precondition);
        pb_add_u64(out, PRECONDITION_RV, m->pre.rv);
        pb_add_str(out, PRECONDITION_UID, str_of(m->pre.uid));
        pb_close(out, opened);
    }
    pb_add_bool(out, no->dry_run, m->dry_run);
    pb_add_str(out, no->request_id, m->request_id);
    pb_add_bool(out, no->return_object, m->return_object);
    add_number(out, no->propagation, (uint64_t)m->propagation);
    add_number(out, no->patch_scope, (uint64_t)m->patch_scope);
    add_number(out, no->ttl_ms, m->ttl_ms);
    add_number(out, no->no_ttl, m->no_ttl);
    add_text(out, no->field_manager, m->field_manager);
    add_number(out, no->generate_name, m->generate_name);
    add_number(out, no->force, m->force);
}

void wire_write_put_request(const struct wire_write_request *m, struct buf *out)
{
    write_request(m, &put_numbers, out);
}

void wire_write_patch_request(const struct wire_write_request *m, struct buf *out)
{
    write_request(m, &patch_numbers, out);
}

void wire_write_delete_request(const struct wire_write_request *m, struct buf *out)
{
    write_request(m, &delete_numbers, out);
}

enum errc wire_read_write_response(struct arena *a, struct str in, struct wire_write_response *ret,
                                   struct err *err)
{
    const Watch__V1__PutResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__put_response__descriptor, in, &m, err);
    if (code == OK) {
        wire_object_of(m->object, &ret->object);
        ret->result = (enum wire_result)m->result;
        ret->uid = str_of(m->uid);
        ret->generation = m->generation;
    }
    return code;
}

void wire_write_write_response(const struct wire_write_response *m, struct buf *out)
{
    struct wire_doc d = {.size = m->object.json.n, .n_runs = 1};
    d.runs[0] = m->object.json;
    wire_add_object(out, WRITTEN_OBJECT, &m->object.key, m->object.rv, &d);
    pb_add_u64(out, WRITTEN_RESULT, (uint64_t)m->result);
    pb_add_str(out, WRITTEN_UID, m->uid);
    pb_add_u64(out, WRITTEN_GENERATION, m->generation);
}

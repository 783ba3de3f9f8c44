/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of many objects in one call: collections that are deleted, and transactions. */
#include "proto/wire_impl.h"

enum {
    COLLECTION_SELECTION = 1,
    COLLECTION_DRY_RUN,
    COLLECTION_PROPAGATION,
    COLLECTION_LIMIT,
    COLLECTION_CONTINUE,
    COLLECTION_MANAGER,
};
enum { MANY_OUTCOMES = 1, COLLECTED_CONTINUE, TRANSACTED_RV = 2 };
enum { TRANSACT_OPERATIONS = 1, TRANSACT_DRY_RUN, TRANSACT_REQUEST_ID, TRANSACT_RETURN_OBJECTS };
enum { OPERATION_PUT = 1, OPERATION_PATCH, OPERATION_DELETE, OPERATION_CHECK };

/* ---- Outcomes ------------------------------------------------------------------------------ */

void wire_append_outcome(const struct wire_write_response *m, struct buf *out)
{
    size_t opened = pb_open(out, MANY_OUTCOMES);
    wire_write_write_response(m, out); /* the fields of a WriteOutcome */
    pb_close(out, opened);
}

enum errc wire_outcomes_of(struct arena *a, Watch__V1__WriteOutcome *const *v, size_t n,
                           struct wire_write_response **ret, struct err *err)
{
    struct wire_write_response *w = NULL;
    enum errc code = wire_array(a, n, sizeof(*w), &w, err);
    for (size_t i = 0; code == OK && i < n; i++) {
        wire_object_of(v[i]->object, &w[i].object);
        w[i].result = (enum wire_result)v[i]->result;
        w[i].uid = str_of(v[i]->uid);
        w[i].generation = v[i]->generation;
    }
    if (code == OK) {
        *ret = w;
    }
    return code;
}

/* ---- Collections --------------------------------------------------------------------------- */

enum errc wire_read_delete_collection_request(struct arena *a, struct str in,
                                              struct wire_delete_collection_request *ret,
                                              struct err *err)
{
    const Watch__V1__DeleteCollectionRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__delete_collection_request__descriptor, in, &m, err);
    if (code == OK) {
        wire_selection_of(m->selection, &ret->selection);
        ret->dry_run = m->dry_run;
        ret->propagation = (int)m->propagation;
        ret->limit = m->limit;
        ret->continue_token = str_of(m->continue_token);
        ret->field_manager = str_of(m->field_manager);
    }
    return code;
}

void wire_write_delete_collection_request(const struct wire_delete_collection_request *m,
                                          struct buf *out)
{
    wire_add_selection(out, COLLECTION_SELECTION, &m->selection);
    pb_add_bool(out, COLLECTION_DRY_RUN, m->dry_run);
    pb_add_u64(out, COLLECTION_PROPAGATION, (uint64_t)m->propagation);
    pb_add_u64(out, COLLECTION_LIMIT, m->limit);
    pb_add_str(out, COLLECTION_CONTINUE, m->continue_token);
    pb_add_str(out, COLLECTION_MANAGER, m->field_manager);
}

enum errc wire_read_delete_collection_response(struct arena *a, struct str in,
                                               struct wire_delete_collection_response *ret,
                                               struct err *err)
{
    const Watch__V1__DeleteCollectionResponse *m = NULL;
    enum errc code =
        wire_unpack(a, &watch__v1__delete_collection_response__descriptor, in, &m, err);
    struct wire_write_response *outcomes = NULL;
    code = code != OK ? code : wire_outcomes_of(a, m->outcomes, m->n_outcomes, &outcomes, err);
    if (code == OK) {
        *ret = (struct wire_delete_collection_response){
            .outcomes = outcomes,
            .n_outcomes = m->n_outcomes,
            .continue_token = str_of(m->continue_token),
        };
    }
    return code;
}

void wire_append_collection_end(struct str continue_token, struct buf *out)
{
    pb_add_str(out, COLLECTED_CONTINUE, continue_token);
}

/* ---- Transactions -------------------------------------------------------------------------- */

const char *wire_operation_word(enum wire_operation_kind kind)
{
    static const char *const words[] = {"put", "patch", "delete", "check"};
    return words[kind];
}

static enum errc operation_of(const Watch__V1__Operation *m, size_t i, struct wire_operation *ret,
                              struct err *err)
{
    enum errc code = OK;
    switch (m->operation_case) {
    case WATCH__V1__OPERATION__OPERATION_PUT:
        ret->kind = WIRE_OP_PUT;
        code = wire_put_of(m->put, &ret->write, err);
        break;
    case WATCH__V1__OPERATION__OPERATION_PATCH:
        ret->kind = WIRE_OP_PATCH;
        code = wire_patch_of(m->patch, &ret->write, err);
        break;
    case WATCH__V1__OPERATION__OPERATION_DELETE:
        ret->kind = WIRE_OP_DELETE;
        code = wire_delete_of(m->delete_, &ret->write, err);
        break;
    case WATCH__V1__OPERATION__OPERATION_CHECK:
        ret->kind = WIRE_OP_CHECK;
        code = wire_check_of(m->check, &ret->write, err);
        break;
    default:
        (void)err_set(err, ERR_INVALID, "is none of put, patch, delete and check");
        err_within(err, "operations[%zu]", i);
        return err->code;
    }
    if (code != OK) {
        err_within(err, "operations[%zu].%s", i, wire_operation_word(ret->kind));
    }
    return code;
}

enum errc wire_read_transact_request(struct arena *a, struct str in,
                                     struct wire_transact_request *ret, struct err *err)
{
    const Watch__V1__TransactRequest *m = NULL;
    struct wire_operation *v = NULL;
    enum errc code = wire_unpack(a, &watch__v1__transact_request__descriptor, in, &m, err);
    struct str request_id = STR_EMPTY;
    code = code != OK ? code : wire_request_id_of(m->request_id, &request_id, err);
    code = code != OK ? code : wire_array(a, m->n_operations, sizeof(*v), &v, err);
    for (size_t i = 0; code == OK && i < m->n_operations; i++) {
        code = operation_of(m->operations[i], i, &v[i], err);
    }
    if (code == OK) {
        *ret = (struct wire_transact_request){
            .operations = v,
            .n_operations = m->n_operations,
            .dry_run = m->dry_run,
            .request_id = request_id,
            .return_objects = m->return_objects,
        };
    }
    return code;
}

static void add_operation(const struct wire_operation *o, struct buf *out)
{
    static const unsigned numbers[] = {OPERATION_PUT, OPERATION_PATCH, OPERATION_DELETE,
                                       OPERATION_CHECK};
    size_t operation = pb_open(out, TRANSACT_OPERATIONS);
    size_t opened = pb_open(out, numbers[o->kind]);
    switch (o->kind) {
    case WIRE_OP_PUT:
        wire_write_put_request(&o->write, out);
        break;
    case WIRE_OP_PATCH:
        wire_write_patch_request(&o->write, out);
        break;
    case WIRE_OP_DELETE:
        wire_write_delete_request(&o->write, out);
        break;
    case WIRE_OP_CHECK: { /* key and precondition have the same numbers; there is nothing else */
        const struct wire_write_request check = {.key = o->write.key, .pre = o->write.pre};
        wire_write_delete_request(&check, out);
        break;
    }
    }
    pb_close(out, opened);
    pb_close(out, operation);
}

void wire_write_transact_request(const struct wire_transact_request *m, struct buf *out)
{
    for (size_t i = 0; i < m->n_operations; i++) {
        add_operation(&m->operations[i], out);
    }
    pb_add_bool(out, TRANSACT_DRY_RUN, m->dry_run);
    pb_add_str(out, TRANSACT_REQUEST_ID, m->request_id);
    pb_add_bool(out, TRANSACT_RETURN_OBJECTS, m->return_objects);
}

enum errc wire_read_transact_response(struct arena *a, struct str in,
                                      struct wire_transact_response *ret, struct err *err)
{
    const Watch__V1__TransactResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__transact_response__descriptor, in, &m, err);
    struct wire_write_response *outcomes = NULL;
    code = code != OK ? code : wire_outcomes_of(a, m->outcomes, m->n_outcomes, &outcomes, err);
    if (code == OK) {
        *ret = (struct wire_transact_response){outcomes, m->n_outcomes, m->resource_version};
    }
    return code;
}

void wire_append_transaction_end(rv_t rv, struct buf *out)
{
    pb_add_u64(out, TRANSACTED_RV, rv);
}

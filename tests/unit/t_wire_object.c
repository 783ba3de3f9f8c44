/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/wire_fixture.h"

extern const ProtobufCMessageDescriptor watch__v1__get_request__descriptor,
    watch__v1__get_response__descriptor, watch__v1__list_request__descriptor,
    watch__v1__history_request__descriptor, watch__v1__history_response__descriptor,
    watch__v1__list_response__descriptor, watch__v1__put_request__descriptor,
    watch__v1__patch_request__descriptor, watch__v1__delete_request__descriptor,
    watch__v1__put_response__descriptor, watch__v1__patch_response__descriptor,
    watch__v1__delete_response__descriptor, watch__v1__delete_collection_request__descriptor,
    watch__v1__delete_collection_response__descriptor, watch__v1__transact_request__descriptor,
    watch__v1__transact_response__descriptor;

static void get_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_get_request m = {rnd_key(&f->rnd), rnd_u64(&f->rnd), i % 2 == 0};
        struct wire_get_request back;
        wire_write_get_request(&m, &f->out);
        assert_as_packed(&watch__v1__get_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_get_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_key(&back.key, &m.key);
        assert_int_equal(back.rv, m.rv);
        assert_int_equal(back.show_managed_fields, m.show_managed_fields);
    }
}

static void an_empty_request_is_all_defaults(void **state)
{
    struct fixture *f = *state;
    struct wire_get_request get;
    assert_int_equal(wire_read_get_request(&f->arena, STR_EMPTY, &get, &f->err), OK);
    assert_int_equal(get.key.name.n, 0);
    struct wire_write_request put;
    assert_int_equal(wire_read_put_request(&f->arena, STR_EMPTY, &put, &f->err), OK);
    assert_int_equal(put.json.n, 0);
    assert_int_equal(put.mode, WIRE_PUT_ANY);
    assert_int_equal(put.pre.rv, 0);
    assert_string_equal(put.pre.uid, "");
    assert_int_equal(put.request_id.n, 0);
}

static void list_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_list_request m = {rnd_selection(&f->rnd), rnd_u32(&f->rnd),
                                      rnd_text(&f->rnd, 400), rnd_u64(&f->rnd),
                                      (int)rnd_below(&f->rnd, 3)};
        struct wire_list_request back;
        wire_write_list_request(&m, &f->out);
        assert_as_packed(&watch__v1__list_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_list_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_selection(&back.selection, &m.selection);
        assert_int_equal(back.limit, m.limit);
        assert_str(back.continue_token, m.continue_token);
        assert_int_equal(back.rv, m.rv);
        assert_int_equal(back.match, m.match);
    }
}

static struct wire_write_request rnd_write(struct rnd *r)
{
    struct wire_write_request m = {
        .key = rnd_key(r),
        .json = rnd_text(r, 3000),
        .mode = (int)rnd_below(r, 3),
        .scope = (int)rnd_below(r, 5),
        .type = (int)rnd_below(r, 3),
        .patch_scope = (int)rnd_below(r, 3),
        .propagation = (int)rnd_below(r, 2),
        .pre.rv = rnd_bool(r) ? rnd_u64(r) : 0,
        .dry_run = rnd_bool(r),
        .request_id = rnd_bool(r) ? rnd_bytes(r, REQUEST_ID_LEN) : STR_EMPTY,
        .return_object = rnd_bool(r),
        .ttl_ms = rnd_bool(r) ? rnd_u64(r) : 0,
        .no_ttl = rnd_bool(r),
        .field_manager = rnd_text(r, 128),
        .generate_name = rnd_bool(r),
        .force = rnd_bool(r),
    };
    if (rnd_bool(r)) {
        random_uuid(m.pre.uid);
    }
    return m;
}

static void assert_write(const struct wire_write_request *got,
                         const struct wire_write_request *wanted)
{
    assert_key(&got->key, &wanted->key);
    assert_str(got->json, wanted->json);
    assert_int_equal(got->mode, wanted->mode);
    assert_int_equal(got->scope, wanted->scope);
    assert_int_equal(got->type, wanted->type);
    assert_int_equal(got->patch_scope, wanted->patch_scope);
    assert_int_equal(got->propagation, wanted->propagation);
    assert_true(got->ttl_ms == wanted->ttl_ms && got->no_ttl == wanted->no_ttl);
    assert_str(got->field_manager, wanted->field_manager);
    assert_int_equal(got->generate_name, wanted->generate_name);
    assert_int_equal(got->force, wanted->force);
    assert_int_equal(got->pre.rv, wanted->pre.rv);
    assert_string_equal(got->pre.uid, wanted->pre.uid);
    assert_int_equal(got->dry_run, wanted->dry_run);
    assert_str(got->request_id, wanted->request_id);
    assert_int_equal(got->return_object, wanted->return_object);
}

static void put_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_write_request m = rnd_write(&f->rnd);
        struct wire_write_request back;
        wire_write_put_request(&m, &f->out);
        assert_as_packed(&watch__v1__put_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_put_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        m.type = m.patch_scope = m.propagation = 0;
        m.force = false;
        assert_write(&back, &m);
    }
}

static void patch_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_write_request m = rnd_write(&f->rnd);
        struct wire_write_request back;
        wire_write_patch_request(&m, &f->out);
        assert_as_packed(&watch__v1__patch_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_patch_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        m.mode = m.scope = m.propagation = 0;
        m.generate_name = false;
        assert_write(&back, &m);
    }
}

static void delete_requests_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_write_request m = rnd_write(&f->rnd);
        struct wire_write_request back;
        wire_write_delete_request(&m, &f->out);
        assert_as_packed(&watch__v1__delete_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_delete_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        m.mode = m.scope = m.type = m.patch_scope = 0;
        m.json = STR_EMPTY;
        m.ttl_ms = 0;
        m.no_ttl = m.generate_name = m.force = false;
        assert_write(&back, &m);
    }
}

static void write_responses_come_back_and_are_one_message_for_all_three(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_write_response m = {
            .object = {rnd_key(&f->rnd), rnd_u64(&f->rnd), rnd_text(&f->rnd, 3000)},
            .result = (enum wire_result)rnd_below(&f->rnd, 5),
            .uid = rnd_text(&f->rnd, 36),
            .generation = rnd_u64(&f->rnd),
        };
        struct wire_write_response back;
        wire_write_write_response(&m, &f->out);
        assert_as_packed(&watch__v1__put_response__descriptor, buf_str(&f->out));
        assert_as_packed(&watch__v1__patch_response__descriptor, buf_str(&f->out));
        assert_as_packed(&watch__v1__delete_response__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_write_response(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_object(&back.object, &m.object);
        assert_int_equal(back.result, m.result);
        assert_str(back.uid, m.uid);
        assert_int_equal(back.generation, m.generation);
    }
}

/* A stored object, and what is to be seen of it. */
static struct object rnd_object(struct rnd *r, struct wire_object *ret_seen)
{
    struct str body = rnd_text(r, 2000);
    size_t splice = rnd_below(r, body.n + 1);
    struct object o = {
        .splice = (uint32_t)splice,
        .rv = rnd_u64(r),
        .generation = rnd_u64(r),
        .key = rnd_key(r),
        .body = body,
    };
    /* The text's halves must be UTF-8 each, as those of real documents are. */
    while (o.splice > 0 && o.splice < body.n && (body.p[o.splice] & 0xc0) == 0x80) {
        o.splice--;
    }
    char version[SPLICE_MAX];
    size_t n = splice_text(o.rv, o.generation, version);
    char *json = arena_alloc(&r->texts, body.n + n);
    assert_non_null(json);
    memcpy(json, body.p, o.splice);
    memcpy(json + o.splice, version, n);
    memcpy(json + o.splice + n, body.p + o.splice, body.n - o.splice);
    *ret_seen = (struct wire_object){
        o.key, o.rv, {json, body.n + n}
    };
    return o;
}

static void a_stored_object_is_answered_with_its_version_spliced_in(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_object seen;
        struct object o = rnd_object(&f->rnd, &seen);
        struct wire_get_response back;
        wire_write_get_response(&o, STR_EMPTY, &f->out);
        assert_as_packed(&watch__v1__get_response__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_get_response(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_object(&back.object, &seen);
    }
}

static void managed_fields_stand_in_the_metadata_behind_the_version(void **state)
{
    struct fixture *f = *state;
    struct object o = {
        .key = {STR("jobs"), STR("ci"), STR("a")},
        .rv = 7,
        .generation = 2,
        .splice = 13,
        .body = STR("{\"metadata\":{\"x\":1}}"),
    };
    struct wire_get_response back;
    wire_write_get_response(&o, STR("[{}]"), &f->out);
    assert_as_packed(&watch__v1__get_response__descriptor, buf_str(&f->out));
    assert_int_equal(wire_read_get_response(&f->arena, buf_str(&f->out), &back, &f->err), OK);
    struct str expected = STR("{\"metadata\":{\"resourceVersion\":\"7\",\"generation\":2,"
                              "\"managedFields\":[{}],\"x\":1}}");
    assert_true(str_eq(back.object.json, expected));
}

static void a_list_written_in_pieces_is_one_response(void **state)
{
    struct fixture *f = *state;
    enum { OBJECTS = 20 };
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_object seen[OBJECTS];
        size_t n = rnd_below(&f->rnd, OBJECTS + 1);
        rv_t rv = rnd_u64(&f->rnd);
        struct str token = rnd_text(&f->rnd, 300);
        uint64_t remaining = rnd_u64(&f->rnd);
        bool end_first = rnd_bool(&f->rnd);
        if (end_first) {
            wire_append_list_end(rv, token, remaining, &f->out);
        }
        for (size_t k = 0; k < n; k++) {
            struct object o = rnd_object(&f->rnd, &seen[k]);
            wire_append_list_object(&o, &f->out);
        }
        if (!end_first) {
            wire_append_list_end(rv, token, remaining, &f->out);
        }
        struct wire_list_response back;
        assert_int_equal(wire_read_list_response(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_int_equal(back.rv, rv);
        assert_str(back.continue_token, token);
        assert_int_equal(back.remaining, remaining);
        assert_int_equal(back.n_objects, n);
        for (size_t k = 0; k < n; k++) {
            assert_object(&back.objects[k], &seen[k]);
        }
    }
}

static void one_piece_of_a_list_is_what_protobuf_packs(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_object seen;
        struct object o = rnd_object(&f->rnd, &seen);
        wire_append_list_object(&o, &f->out);
        assert_as_packed(&watch__v1__list_response__descriptor, buf_str(&f->out));
    }
}

static void a_history_written_in_pieces_is_one_response(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_history_request m = {rnd_key(&f->rnd), rnd_u64(&f->rnd), rnd_u32(&f->rnd),
                                         rnd_bool(&f->rnd)};
        struct wire_history_request back;
        wire_write_history_request(&m, &f->out);
        assert_as_packed(&watch__v1__history_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_history_request(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_key(&back.key, &m.key);
        assert_int_equal(back.at_most, m.at_most);
        assert_int_equal(back.limit, m.limit);
        assert_int_equal(back.omit, m.omit);

        again(f);
        struct wire_object seen;
        struct object o = rnd_object(&f->rnd, &seen);
        const struct event ev = {.rv = o.rv,
                                 .prev_rv = rnd_u64(&f->rnd),
                                 .generation = o.generation,
                                 .cause = (enum cause)rnd_below(&f->rnd, 5),
                                 .splice = o.splice,
                                 .time = (wall_ms_t)(rnd_u64(&f->rnd) >> 1),
                                 .key = o.key,
                                 .body = o.body};
        wire_append_revision(&ev, false, &f->out);
        wire_append_revision(&ev, true, &f->out);
        wire_append_history_end(7, 5, &f->out);
        assert_as_packed(&watch__v1__history_response__descriptor, buf_str(&f->out));
        struct wire_history_response r;
        assert_int_equal(wire_read_history_response(&f->arena, buf_str(&f->out), &r, &f->err), OK);
        assert_int_equal(r.n, 2);
        assert_int_equal(r.next, 7);
        assert_int_equal(r.floor, 5);
        assert_object(&r.revisions[0].object, &seen);
        seen.json = STR_EMPTY;
        assert_object(&r.revisions[1].object, &seen);
        assert_int_equal(r.revisions[1].cause, ev.cause);
        assert_int_equal(r.revisions[1].time, ev.time);
        assert_int_equal(r.revisions[1].generation, ev.generation);
        assert_int_equal(r.revisions[1].previous_rv, ev.prev_rv);
        assert_str(r.revisions[1].manager, STR("unknown"));
    }
}

static void a_document_of_a_megabyte_passes_both_ways(void **state)
{
    struct fixture *f = *state;
    struct wire_write_request m = {.key.name = STR("big")};
    char *json = mem_alloc(OBJECT_MAX_BYTES);
    memset(json, 'x', OBJECT_MAX_BYTES);
    m.json = (struct str){json, OBJECT_MAX_BYTES};
    wire_write_put_request(&m, &f->out);
    /* One copy of the document, and little else. */
    arena_fini(&f->arena);
    arena_init(&f->arena, OBJECT_MAX_BYTES + (size_t)16 * 1024);
    struct wire_write_request back;
    assert_int_equal(wire_read_put_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
    assert_str(back.json, m.json);
    free(json);
}

static void a_request_id_of_another_length_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    static const size_t lengths[] = {1, 15, 17, 400};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++, again(f)) {
        struct wire_write_request m = {.request_id = rnd_bytes(&f->rnd, lengths[i])};
        struct wire_write_request back;
        wire_write_put_request(&m, &f->out);
        assert_int_equal(wire_read_put_request(&f->arena, buf_str(&f->out), &back, &f->err),
                         ERR_INVALID);
        assert_string_equal(f->err.field, "request_id");
    }
}

static void a_uid_that_is_too_long_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    /* Precondition (field 2 of DeleteRequest) with a uid (field 2) of 37 characters. */
    struct str in = STR("\x12\x27\x12\x25"
                        "0123456789012345678901234567890123456");
    struct wire_write_request back;
    assert_int_equal(wire_read_delete_request(&f->arena, in, &back, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "precondition.uid");
}

static void what_does_not_fit_the_buffer_leaves_it_marked_full(void **state)
{
    struct fixture *f = *state;
    struct wire_object seen;
    struct object o = rnd_object(&f->rnd, &seen);
    wire_write_get_response(&o, STR_EMPTY, &f->out);
    size_t n = f->out.n;
    struct buf small;
    buf_init(&small, n - 1);
    wire_write_get_response(&o, STR_EMPTY, &small);
    assert_true(small.full);
    buf_fini(&small);
    buf_init(&small, n);
    wire_write_get_response(&o, STR_EMPTY, &small);
    assert_false(small.full);
    buf_fini(&small);
}

static void collections_to_delete_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_delete_collection_request m = {
            rnd_selection(&f->rnd), rnd_bool(&f->rnd),      (int)rnd_below(&f->rnd, 2),
            rnd_u32(&f->rnd),       rnd_text(&f->rnd, 400), rnd_text(&f->rnd, 128)};
        struct wire_delete_collection_request back;
        wire_write_delete_collection_request(&m, &f->out);
        assert_as_packed(&watch__v1__delete_collection_request__descriptor, buf_str(&f->out));
        assert_int_equal(
            wire_read_delete_collection_request(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_selection(&back.selection, &m.selection);
        assert_int_equal(back.dry_run, m.dry_run);
        assert_int_equal(back.propagation, m.propagation);
        assert_int_equal(back.limit, m.limit);
        assert_str(back.continue_token, m.continue_token);
        assert_str(back.field_manager, m.field_manager);
    }
}

static void transactions_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_operation ops[4] = {0};
        struct wire_transact_request m = {
            .operations = ops,
            .n_operations = rnd_below(&f->rnd, 5),
            .dry_run = rnd_bool(&f->rnd),
            .request_id = rnd_bool(&f->rnd) ? rnd_bytes(&f->rnd, REQUEST_ID_LEN) : STR_EMPTY,
            .return_objects = rnd_bool(&f->rnd),
        };
        for (size_t k = 0; k < m.n_operations; k++) {
            ops[k].kind = (enum wire_operation_kind)rnd_below(&f->rnd, 4);
            ops[k].write.key = rnd_key(&f->rnd);
            ops[k].write.pre.rv = rnd_bool(&f->rnd) ? rnd_u64(&f->rnd) : 0;
            if (ops[k].kind == WIRE_OP_PUT || ops[k].kind == WIRE_OP_PATCH) {
                ops[k].write.json = rnd_text(&f->rnd, 300);
                ops[k].write.ttl_ms = rnd_u64(&f->rnd);
            }
        }
        struct wire_transact_request back;
        wire_write_transact_request(&m, &f->out);
        assert_as_packed(&watch__v1__transact_request__descriptor, buf_str(&f->out));
        assert_int_equal(wire_read_transact_request(&f->arena, buf_str(&f->out), &back, &f->err),
                         OK);
        assert_int_equal(back.n_operations, m.n_operations);
        assert_int_equal(back.dry_run, m.dry_run);
        assert_int_equal(back.return_objects, m.return_objects);
        assert_str(back.request_id, m.request_id);
        for (size_t k = 0; k < m.n_operations; k++) {
            assert_int_equal(back.operations[k].kind, ops[k].kind);
            assert_key(&back.operations[k].write.key, &ops[k].write.key);
            assert_int_equal(back.operations[k].write.pre.rv, ops[k].write.pre.rv);
            assert_str(back.operations[k].write.json, ops[k].write.json);
            assert_int_equal(back.operations[k].write.ttl_ms, ops[k].write.ttl_ms);
        }
        buf_clear(&f->out);
        struct wire_write_response outcome = {
            .object = {.key = rnd_key(&f->rnd), .rv = 3},
              .result = WIRE_RESULT_UPDATED
        };
        wire_append_outcome(&outcome, &f->out);
        wire_append_transaction_end(97, &f->out);
        assert_as_packed(&watch__v1__transact_response__descriptor, buf_str(&f->out));
        struct wire_transact_response done;
        assert_int_equal(wire_read_transact_response(&f->arena, buf_str(&f->out), &done, &f->err),
                         OK);
        assert_int_equal(done.n_outcomes, 1);
        assert_int_equal(done.rv, 97);
    }
}

static void deleted_collections_come_back(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++, again(f)) {
        struct wire_write_response m[4] = {0};
        size_t n = rnd_below(&f->rnd, 5);
        struct str token = rnd_text(&f->rnd, 100);
        for (size_t k = 0; k < n; k++) {
            m[k].object.key = rnd_key(&f->rnd);
            m[k].object.rv = rnd_u64(&f->rnd);
            m[k].result = WIRE_RESULT_DELETED;
            m[k].uid = rnd_text(&f->rnd, 36);
            m[k].generation = rnd_u64(&f->rnd);
            wire_append_outcome(&m[k], &f->out);
        }
        wire_append_collection_end(token, &f->out);
        assert_as_packed(&watch__v1__delete_collection_response__descriptor, buf_str(&f->out));
        struct wire_delete_collection_response back;
        assert_int_equal(
            wire_read_delete_collection_response(&f->arena, buf_str(&f->out), &back, &f->err), OK);
        assert_int_equal(back.n_outcomes, n);
        assert_str(back.continue_token, token);
        for (size_t k = 0; k < n; k++) {
            assert_key(&back.outcomes[k].object.key, &m[k].object.key);
            assert_int_equal(back.outcomes[k].object.rv, m[k].object.rv);
            assert_int_equal(back.outcomes[k].result, WIRE_RESULT_DELETED);
            assert_str(back.outcomes[k].uid, m[k].uid);
            assert_int_equal(back.outcomes[k].generation, m[k].generation);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(get_requests_come_back),
        TEST(an_empty_request_is_all_defaults),
        TEST(list_requests_come_back),
        TEST(put_requests_come_back),
        TEST(patch_requests_come_back),
        TEST(delete_requests_come_back),
        TEST(write_responses_come_back_and_are_one_message_for_all_three),
        TEST(a_stored_object_is_answered_with_its_version_spliced_in),
        TEST(managed_fields_stand_in_the_metadata_behind_the_version),
        TEST(a_list_written_in_pieces_is_one_response),
        TEST(a_history_written_in_pieces_is_one_response),
        TEST(one_piece_of_a_list_is_what_protobuf_packs),
        TEST(a_document_of_a_megabyte_passes_both_ways),
        TEST(a_request_id_of_another_length_is_refused_by_name),
        TEST(a_uid_that_is_too_long_is_refused_by_name),
        TEST(what_does_not_fit_the_buffer_leaves_it_marked_full),
        TEST(collections_to_delete_come_back),
        TEST(deleted_collections_come_back),
        TEST(transactions_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

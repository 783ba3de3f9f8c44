/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of many objects in one call: collections that are deleted, and transactions. */
#include "proto/wire_impl.h"

enum {
    COLLECTION_SELECTION = 1,
    COLLECTION_DRY_RUN,
    COLLECTION_PROPAGATION,
    COLLECTION_LIMIT,
    COLLECTION_CONTINUE,
};
enum { MANY_OUTCOMES = 1, COLLECTED_CONTINUE };

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

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire_impl.h"

enum { KEY_RESOURCE = 1, KEY_NAMESPACE, KEY_NAME };
enum {
    SELECTION_RESOURCE = 1,
    SELECTION_NAMESPACE,
    SELECTION_ALL_NAMESPACES,
    SELECTION_NAME,
    SELECTION_LABEL_SELECTOR,
};
enum { PRECONDITION_RV = 1, PRECONDITION_UID };
enum { GET_KEY = 1 };
enum { GOT_OBJECT = 1 };
enum { LIST_SELECTION = 1, LIST_LIMIT, LIST_CONTINUE };
enum { LISTED_RV = 1, LISTED_OBJECTS, LISTED_CONTINUE };
enum { WRITTEN_OBJECT = 1, WRITTEN_RESULT, WRITTEN_UID, WRITTEN_GENERATION };

/* The field numbers of what PutRequest, PatchRequest and DeleteRequest have in common. */
struct write_numbers {
    unsigned json, mode, scope; /* 0: it has none */
    unsigned precondition, dry_run, request_id, return_object;
};
static const struct write_numbers put_numbers = {2, 3, 4, 5, 6, 7, 8};
static const struct write_numbers patch_numbers = {2, 0, 0, 4, 5, 6, 7};
static const struct write_numbers delete_numbers = {0, 0, 0, 2, 3, 4, 5};

void wire_key_of(const Watch__V1__Key *m, struct key *ret)
{
    *ret = (struct key){0};
    if (m != NULL) {
        *ret = (struct key){str_of(m->resource), str_of(m->namespace_), str_of(m->name)};
    }
}

void wire_object_of(const Watch__V1__Object *m, struct wire_object *ret)
{
    *ret = (struct wire_object){0};
    if (m != NULL) {
        ret->key = (struct key){str_of(m->resource), str_of(m->namespace_), str_of(m->name)};
        ret->rv = m->resource_version;
        ret->json = str_of(m->json);
    }
}

void wire_selection_of(const Watch__V1__Selection *m, struct selection *ret)
{
    *ret = (struct selection){0};
    if (m != NULL) {
        ret->resource = str_of(m->resource);
        ret->ns = str_of(m->namespace_);
        ret->all_namespaces = m->all_namespaces;
        ret->name = str_of(m->name);
        ret->label_selector = str_of(m->label_selector);
    }
}

enum errc wire_selections_of(struct arena *a, Watch__V1__Selection *const *v, size_t n,
                             struct selection **ret, struct err *err)
{
    struct selection *s = NULL;
    enum errc code = wire_array(a, n, sizeof(*s), &s, err);
    for (size_t i = 0; code == OK && i < n; i++) {
        wire_selection_of(v[i], &s[i]);
    }
    if (code == OK) {
        *ret = s;
    }
    return code;
}

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

static enum errc request_id_of(ProtobufCBinaryData b, struct str *ret, struct err *err)
{
    if (b.len != 0 && b.len != REQUEST_ID_LEN) {
        return err_field(err, ERR_INVALID, "request_id",
                         "a request id is %d random bytes, not %zu; or leave it out",
                         REQUEST_ID_LEN, b.len);
    }
    *ret = wire_bytes_of(b);
    return OK;
}

static void add_key(struct buf *out, unsigned number, const struct key *k)
{
    size_t opened = pb_open(out, number);
    pb_add_str(out, KEY_RESOURCE, k->resource);
    pb_add_str(out, KEY_NAMESPACE, k->ns);
    pb_add_str(out, KEY_NAME, k->name);
    pb_close(out, opened);
}

void wire_add_selection(struct buf *out, unsigned number, const struct selection *s)
{
    size_t opened = pb_open(out, number);
    pb_add_str(out, SELECTION_RESOURCE, s->resource);
    pb_add_str(out, SELECTION_NAMESPACE, s->ns);
    pb_add_bool(out, SELECTION_ALL_NAMESPACES, s->all_namespaces);
    pb_add_str(out, SELECTION_NAME, s->name);
    pb_add_str(out, SELECTION_LABEL_SELECTOR, s->label_selector);
    pb_close(out, opened);
}

enum errc wire_read_get_request(struct arena *a, struct str in, struct wire_get_request *ret,
                                struct err *err)
{
    const Watch__V1__GetRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__get_request__descriptor, in, &m, err);
    if (code == OK) {
        wire_key_of(m->key, &ret->key);
    }
    return code;
}

void wire_write_get_request(const struct wire_get_request *m, struct buf *out)
{
    add_key(out, GET_KEY, &m->key);
}

enum errc wire_read_get_response(struct arena *a, struct str in, struct wire_get_response *ret,
                                 struct err *err)
{
    const Watch__V1__GetResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__get_response__descriptor, in, &m, err);
    if (code == OK) {
        wire_object_of(m->object, &ret->object);
    }
    return code;
}

static void add_stored_object(struct buf *out, unsigned number, const struct object *o)
{
    struct wire_doc d;
    wire_doc_body(&d, o->body, o->splice, o->rv, o->generation);
    wire_add_object(out, number, &o->key, o->rv, &d);
}

void wire_write_get_response(const struct object *o, struct buf *out)
{
    add_stored_object(out, GOT_OBJECT, o);
}

enum errc wire_read_list_request(struct arena *a, struct str in, struct wire_list_request *ret,
                                 struct err *err)
{
    const Watch__V1__ListRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__list_request__descriptor, in, &m, err);
    if (code == OK) {
        wire_selection_of(m->selection, &ret->selection);
        ret->limit = m->limit;
        ret->continue_token = str_of(m->continue_token);
    }
    return code;
}

void wire_write_list_request(const struct wire_list_request *m, struct buf *out)
{
    wire_add_selection(out, LIST_SELECTION, &m->selection);
    pb_add_u64(out, LIST_LIMIT, m->limit);
    pb_add_str(out, LIST_CONTINUE, m->continue_token);
}

void wire_append_list_object(const struct object *o, struct buf *out)
{
    add_stored_object(out, LISTED_OBJECTS, o);
}

void wire_append_list_end(rv_t rv, struct str continue_token, struct buf *out)
{
    pb_add_u64(out, LISTED_RV, rv);
    pb_add_str(out, LISTED_CONTINUE, continue_token);
}

enum errc wire_read_list_response(struct arena *a, struct str in, struct wire_list_response *ret,
                                  struct err *err)
{
    const Watch__V1__ListResponse *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__list_response__descriptor, in, &m, err);
    if (code != OK) {
        return code;
    }
    struct wire_object *objects = NULL;
    code = wire_array(a, m->n_objects, sizeof(*objects), &objects, err);
    if (code != OK) {
        return code;
    }
    for (size_t i = 0; i < m->n_objects; i++) {
        wire_object_of(m->objects[i], &objects[i]);
    }
    *ret = (struct wire_list_response){
        .rv = m->resource_version,
        .objects = objects,
        .n_objects = m->n_objects,
        .continue_token = str_of(m->continue_token),
    };
    return OK;
}

enum errc wire_read_put_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                struct err *err)
{
    const Watch__V1__PutRequest *m = NULL;
    struct wire_write_request r = {0};
    enum errc code = wire_unpack(a, &watch__v1__put_request__descriptor, in, &m, err);
    code = code != OK ? code : precondition_of(m->precondition, &r.pre, err);
    code = code != OK ? code : request_id_of(m->request_id, &r.request_id, err);
    if (code == OK) {
        wire_key_of(m->key, &r.key);
        r.json = str_of(m->json);
        r.mode = (int)m->mode;
        r.scope = (int)m->scope;
        r.dry_run = m->dry_run;
        r.return_object = m->return_object;
        *ret = r;
    }
    return code;
}

enum errc wire_read_patch_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                  struct err *err)
{
    const Watch__V1__PatchRequest *m = NULL;
    struct wire_write_request r = {0};
    enum errc code = wire_unpack(a, &watch__v1__patch_request__descriptor, in, &m, err);
    code = code != OK ? code : precondition_of(m->precondition, &r.pre, err);
    code = code != OK ? code : request_id_of(m->request_id, &r.request_id, err);
    if (code == OK) {
        wire_key_of(m->key, &r.key);
        r.json = str_of(m->json);
        r.dry_run = m->dry_run;
        r.return_object = m->return_object;
        *ret = r;
    }
    return code;
}

enum errc wire_read_delete_request(struct arena *a, struct str in, struct wire_write_request *ret,
                                   struct err *err)
{
    const Watch__V1__DeleteRequest *m = NULL;
    struct wire_write_request r = {0};
    enum errc code = wire_unpack(a, &watch__v1__delete_request__descriptor, in, &m, err);
    code = code != OK ? code : precondition_of(m->precondition, &r.pre, err);
    code = code != OK ? code : request_id_of(m->request_id, &r.request_id, err);
    if (code == OK) {
        wire_key_of(m->key, &r.key);
        r.dry_run = m->dry_run;
        r.return_object = m->return_object;
        *ret = r;
    }
    return code;
}

static void write_request(const struct wire_write_request *m, const struct write_numbers *no,
                          struct buf *out)
{
    add_key(out, 1, &m->key);
    if (no->json != 0) {
        pb_add_str(out, no->json, m->json);
    }
    if (no->mode != 0) {
        pb_add_u64(out, no->mode, (uint64_t)m->mode);
        pb_add_u64(out, no->scope, (uint64_t)m->scope);
    }
    if (m->pre.rv != 0 || m->pre.uid[0] != '\0') {
        size_t opened = pb_open(out, no->precondition);
        pb_add_u64(out, PRECONDITION_RV, m->pre.rv);
        pb_add_str(out, PRECONDITION_UID, str_of(m->pre.uid));
        pb_close(out, opened);
    }
    pb_add_bool(out, no->dry_run, m->dry_run);
    pb_add_str(out, no->request_id, m->request_id);
    pb_add_bool(out, no->return_object, m->return_object);
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

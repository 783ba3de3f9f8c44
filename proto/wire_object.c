/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire_impl.h"

enum { KEY_RESOURCE = 1, KEY_NAMESPACE, KEY_NAME };
enum {
    SELECTION_RESOURCE = 1,
    SELECTION_NAMESPACE,
    SELECTION_ALL_NAMESPACES,
    SELECTION_NAME,
    SELECTION_LABEL_SELECTOR,
    SELECTION_FIELD_SELECTOR,
};
enum { GET_KEY = 1, GET_RV, GET_MANAGED };
enum { GOT_OBJECT = 1 };
enum { LIST_SELECTION = 1, LIST_LIMIT, LIST_CONTINUE, LIST_RV, LIST_MATCH };
enum { LISTED_RV = 1, LISTED_OBJECTS, LISTED_CONTINUE, LISTED_REMAINING };

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
        ret->field_selector = str_of(m->field_selector);
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

void wire_add_key(struct buf *out, unsigned number, const struct key *k)
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
    pb_add_str(out, SELECTION_FIELD_SELECTOR, s->field_selector);
    pb_close(out, opened);
}

enum errc wire_read_get_request(struct arena *a, struct str in, struct wire_get_request *ret,
                                struct err *err)
{
    const Watch__V1__GetRequest *m = NULL;
    enum errc code = wire_unpack(a, &watch__v1__get_request__descriptor, in, &m, err);
    if (code == OK) {
        wire_key_of(m->key, &ret->key);
        ret->rv = m->resource_version;
        ret->show_managed_fields = m->show_managed_fields;
    }
    return code;
}

void wire_write_get_request(const struct wire_get_request *m, struct buf *out)
{
    wire_add_key(out, GET_KEY, &m->key);
    pb_add_u64(out, GET_RV, m->rv);
    pb_add_bool(out, GET_MANAGED, m->show_managed_fields);
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

void wire_write_get_response(const struct object *o, struct str managed_fields, struct buf *out)
{
    struct wire_doc d;
    wire_doc_body(&d, o->body, o->splice, o->rv, o->generation);
    CLEANUP(buf_fini) struct buf member;
    buf_init(&member, SIZE_MAX);
    if (managed_fields.n != 0) {
        buf_adds(&member, STR("\"managedFields\":"));
        buf_adds(&member, managed_fields);
        buf_addc(&member, ',');
        wire_doc_insert(&d, buf_str(&member));
    }
    wire_add_object(out, GOT_OBJECT, &o->key, o->rv, &d);
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
        ret->rv = m->resource_version;
        ret->match = (int)m->version_match;
    }
    return code;
}

void wire_write_list_request(const struct wire_list_request *m, struct buf *out)
{
    wire_add_selection(out, LIST_SELECTION, &m->selection);
    pb_add_u64(out, LIST_LIMIT, m->limit);
    pb_add_str(out, LIST_CONTINUE, m->continue_token);
    pb_add_u64(out, LIST_RV, m->rv);
    pb_add_u64(out, LIST_MATCH, (uint64_t)m->match);
}

void wire_append_list_object(const struct object *o, struct buf *out)
{
    add_stored_object(out, LISTED_OBJECTS, o);
}

void wire_append_list_end(rv_t rv, struct str continue_token, uint64_t remaining, struct buf *out)
{
    pb_add_u64(out, LISTED_RV, rv);
    pb_add_str(out, LISTED_CONTINUE, continue_token);
    pb_add_u64(out, LISTED_REMAINING, remaining);
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
        .remaining = m->remaining_count,
    };
    return OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes of objects. */
#include <stdlib.h>

#include "cli/client/error.h"
#include "cli/client/reply.h"
#include "cli/client/unary.h"
#include "store/base/random.h"

void reply_object(struct arena *a, const struct wire_object *o, struct watch_object *ret)
{
    ret->resource = reply_text(a, o->key.resource);
    ret->ns = reply_text(a, o->key.ns);
    ret->name = reply_text(a, o->key.name);
    ret->rv = o->rv;
    ret->json = reply_text(a, o->json);
    ret->json_len = *ret->json != '\0' ? o->json.n : 0;
}

void reply_written(struct arena *a, const struct wire_write_response *w, struct watch_written *ret)
{
    reply_object(a, &w->object, &ret->object);
    ret->result = (enum watch_result)w->result;
    ret->uid = reply_text(a, w->uid);
    ret->generation = w->generation;
}

static enum watch_code get(struct watch_client *c, const struct wire_get_request *request,
                           struct watch_object *ret, struct watch_error *error)
{
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_get_request(request, &out);
    struct wire_get_response response;
    struct reply reply = reply_to(c, WIRE_GET, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_get_response(&c->reply, reply.text, &response, &reply.err));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    reply_object(&c->reply, &response.object, ret);
    return WATCH_OK;
}

enum watch_code watch_get(struct watch_client *c, const char *resource, const char *ns,
                          const char *name, struct watch_object *ret, struct watch_error *error)
{
    return watch_get_at(c, resource, ns, name, 0, ret, error);
}

enum watch_code watch_get_at(struct watch_client *c, const char *resource, const char *ns,
                             const char *name, uint64_t rv, struct watch_object *ret,
                             struct watch_error *error)
{
    struct wire_get_request request = {
        .key = {str_of(resource), str_of(ns), str_of(name)},
          .rv = rv
    };
    return get(c, &request, ret, error);
}

enum watch_code watch_get_managed(struct watch_client *c, const char *resource, const char *ns,
                                  const char *name, struct watch_object *ret,
                                  struct watch_error *error)
{
    struct wire_get_request request = {
        .key = {str_of(resource), str_of(ns), str_of(name)},
          .show_managed_fields = true
    };
    return get(c, &request, ret, error);
}

struct selection client_selection(const struct watch_selection *v)
{
    return (struct selection){.resource = str_of(v->resource),
                              .ns = str_of(v->ns),
                              .all_namespaces = v->all_namespaces != 0,
                              .name = str_of(v->name),
                              .label_selector = str_of(v->label_selector),
                              .field_selector = str_of(v->field_selector)};
}

enum watch_code watch_list(struct watch_client *c, const struct watch_selection *v, uint32_t limit,
                           const char *next, struct watch_page *ret, struct watch_error *error)
{
    return watch_list_at(c, v, 0, limit, next, ret, error);
}

enum watch_code watch_list_at(struct watch_client *c, const struct watch_selection *v, uint64_t rv,
                              uint32_t limit, const char *next, struct watch_page *ret,
                              struct watch_error *error)
{
    struct wire_list_request request = {
        .selection = client_selection(v), .limit = limit, .continue_token = str_of(next)};
    if (rv != 0 && request.continue_token.n == 0) {
        request.rv = rv;
        request.match = WIRE_MATCH_EXACT;
    }
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    wire_write_list_request(&request, &out);
    struct wire_list_response response;
    struct reply reply = reply_to(c, WIRE_LIST, false, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, wire_read_list_response(&c->reply, reply.text, &response, &reply.err));
    }
    struct watch_object *objects = NULL;
    if (reply.err.code == OK) {
        objects = reply_array(&reply, &c->reply, response.n_objects, sizeof(*objects));
    }
    if (reply.err.code != OK) {
        return error_show(&reply.err, reply.from_server, error);
    }
    for (size_t i = 0; i < response.n_objects; i++) {
        reply_object(&c->reply, &response.objects[i], &objects[i]);
    }
    *ret = (struct watch_page){.rv = response.rv,
                               .objects = objects,
                               .n = response.n_objects,
                               .remaining = response.remaining,
                               .next = reply_text(&c->reply, response.continue_token)};
    return WATCH_OK;
}

/* ---- Writes -------------------------------------------------------------------------------- */

static const char *const methods[] = {
    [WATCH_PUT] = WIRE_PUT,
    [WATCH_PATCH] = WIRE_PATCH,
    [WATCH_DELETE] = WIRE_DELETE,
};

enum errc client_write(const struct watch_write *w, struct wire_write_request *ret, struct err *err)
{
    *ret = (struct wire_write_request){
        .key = {.resource = str_of(w->resource), .ns = str_of(w->ns), .name = str_of(w->name)},
        .json = {w->json,        w->json != NULL ? w->json_len : 0},
        .mode = (int)w->mode,
        .scope = (int)w->scope,
        .type = (int)w->patch_type,
        .patch_scope = (int)w->patch_scope,
        .field_manager = str_of(w->field_manager),
        .force = w->force != 0,
        .generate_name = w->generate_name != 0,
        .ttl_ms = w->ttl_ms,
        .propagation = w->orphan ? WIRE_PROPAGATE_ORPHAN : WIRE_PROPAGATE_BACKGROUND,
        .no_ttl = w->no_ttl != 0,
        .pre = {.rv = w->if_rv                        },
    };
    struct str uid = str_of(w->if_uid);
    if (uid.n > UUID_LEN) {
        return err_field(err, ERR_INVALID, "if_uid", "a uid has at most %d characters", UUID_LEN);
    }
    if (uid.n != 0) {
        memcpy(ret->pre.uid, uid.p, uid.n);
    }
    return OK;
}

/* Encodes the write with a fresh request id, which every repetition of it then carries. */
static enum errc write_request(const struct watch_write *w, struct buf *out, struct err *err)
{
    char id[REQUEST_ID_LEN];
    random_bytes(id, sizeof(id));
    struct wire_write_request request;
    if (client_write(w, &request, err) != OK) {
        return err->code;
    }
    request.dry_run = w->dry_run != 0;
    request.request_id = (struct str){id, sizeof(id)};
    request.return_object = w->want_object != 0;
    switch (w->verb) {
    case WATCH_PUT:
        wire_write_put_request(&request, out);
        break;
    case WATCH_PATCH:
        wire_write_patch_request(&request, out);
        break;
    case WATCH_DELETE:
        wire_write_delete_request(&request, out);
        break;
    default:
        return err_field(err, ERR_INVALID, "verb", "there is no such verb");
    }
    return out->full ? err_field(err, ERR_TOO_LARGE, "json", "the document is far too large") : OK;
}

static enum errc show_written(struct arena *a, struct str text, struct watch_written *ret,
                              struct err *err)
{
    struct wire_write_response response;
    enum errc rc = wire_read_write_response(a, text, &response, err);
    if (rc == OK) {
        reply_written(a, &response, ret);
    }
    return rc;
}

enum watch_code watch_write(struct watch_client *c, const struct watch_write *w,
                            struct watch_written *ret, struct watch_error *error)
{
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    struct err err;
    if (write_request(w, &out, &err) != OK) {
        buf_fini(&out);
        return error_show(&err, false, error);
    }
    struct reply reply = reply_to(c, methods[w->verb], true, &out);
    if (reply.err.code == OK) {
        reply_read(&reply, show_written(&c->reply, reply.text, ret, &reply.err));
    }
    return reply.err.code != OK ? error_show(&reply.err, reply.from_server, error) : WATCH_OK;
}

struct started_write {
    struct watch_client *client;
    watch_write_fn *fn;
    void *arg;
};

static void write_done(void *arg, struct str response, const struct err *err, bool from_server)
{
    CLEANUP(freep) struct started_write *s = arg;
    s->client->writes--;
    struct arena memory;
    arena_init(&memory, client_budget(response.n));
    struct watch_written written = {0};
    struct watch_error error;
    struct err bad;
    if (err == NULL && show_written(&memory, response, &written, &bad) != OK) {
        bad.code = ERR_INTERNAL;
        err = &bad;
        from_server = false;
    }
    if (err != NULL) {
        (void)error_show(err, from_server, &error);
        s->fn(s->arg, NULL, &error);
    } else {
        s->fn(s->arg, &written, NULL);
    }
    arena_fini(&memory);
}

void watch_write_start(struct watch_client *c, const struct watch_write *w, int64_t give_up_ms,
                       watch_write_fn *fn, void *arg)
{
    struct started_write *s = mem_zalloc(sizeof(*s));
    *s = (struct started_write){.client = c, .fn = fn, .arg = arg};
    c->writes++;
    struct buf out;
    buf_init(&out, CLIENT_REPLY_MAX);
    struct err err;
    if (write_request(w, &out, &err) != OK) {
        buf_fini(&out);
        write_done(s, STR_EMPTY, &err, false);
        return;
    }
    struct unary_spec spec = {.method = methods[w->verb],
                              .write = true,
                              .patient = true,
                              .give_up_ms = give_up_ms > 0 ? give_up_ms : 0,
                              .attempt_ms = c->timeout_ms,
                              .done = write_done,
                              .drop = free,
                              .arg = s};
    (void)unary_start(c, &spec, &out);
}

size_t watch_writes_in_flight(const struct watch_client *c)
{
    return c->writes;
}

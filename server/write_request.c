/* SPDX-License-Identifier: Apache-2.0 */
#include "server/write_request.h"

#include <stdio.h>

#include "store/model/json.h"
#include "store/model/json_patch.h"
#include "store/model/metadata.h"
#include "store/model/name.h"

enum errc request_key(struct key *k, struct err *err)
{
    if (k->resource.n == 0) {
        k->resource = STR(RESOURCE_DEFAULT);
    }
    if (k->ns.n == 0) {
        k->ns = STR(NAMESPACE_DEFAULT);
    }
    if (str_eq(k->resource, STR(RESOURCE_ALL))) {
        return err_field(err, ERR_INVALID, "key.resource",
                         "\"all\" stands for every resource, but one object is meant here");
    }
    return name_check_key(k, err);
}

void request_id_take(struct str id, struct write *w)
{
    w->has_request_id = id.n == REQUEST_ID_LEN;
    if (w->has_request_id) {
        memcpy(w->request_id, id.p, REQUEST_ID_LEN);
    }
}

enum errc request_manager(struct str name, struct err *err)
{
    if (str_starts(name, STR(MANAGER_OWN_PREFIX))) {
        return err_field(err, ERR_INVALID, "field_manager",
                         "begins with \"" MANAGER_OWN_PREFIX
                         "\", which stands for the server itself; choose another name");
    }
    return name.n != 0 ? manager_check(name, err) : OK;
}

#define TTL_MAX_MS (UINT64_C(100) * 366 * 24 * 3600 * 1000)

/* What all writes have. */
static enum errc take_common(struct write_request *r, const struct wire_write_request *req,
                             struct err *err)
{
    struct write *w = &r->write;
    w->key = req->key;
    w->pre = req->pre;
    w->dry_run = req->dry_run;
    w->field_manager = req->field_manager;
    w->orphan = req->propagation == WIRE_PROPAGATE_ORPHAN;
    w->ttl_ms = req->ttl_ms;
    w->no_ttl = req->no_ttl;
    if (req->ttl_ms > TTL_MAX_MS) {
        return err_field(err, ERR_INVALID, "ttl_ms", "is more than a hundred years");
    }
    if (req->ttl_ms != 0 && req->no_ttl) {
        return err_field(err, ERR_INVALID, "no_ttl", "and ttl_ms exclude each other");
    }
    r->return_object = req->return_object;
    request_id_take(req->request_id, w);
    return request_manager(w->field_manager, err);
}

/* What the document demands and what the request demands are one precondition. */
static enum errc merge_precondition(struct precondition *pre, const struct precondition *doc,
                                    struct err *err)
{
    if (doc->rv != 0) {
        if (pre->rv != 0 && pre->rv != doc->rv) {
            return err_field(err, ERR_INVALID, "precondition.resource_version",
                             "differs from metadata.resourceVersion in the document");
        }
        pre->rv = doc->rv;
    }
    if (doc->uid[0] != '\0') {
        if (pre->uid[0] != '\0' && strcmp(pre->uid, doc->uid) != 0) {
            return err_field(err, ERR_INVALID, "precondition.uid",
                             "differs from metadata.uid in the document");
        }
        memcpy(pre->uid, doc->uid, sizeof(pre->uid));
    }
    return OK;
}

/* What the name is to begin with, where the request or the document leaves the rest to us. */
static struct str name_base(const struct write_request *r, const struct wire_write_request *req,
                            const char **ret_field)
{
    const json_t *metadata = json_object_get(r->json, "metadata");
    const json_t *name = json_object_get(metadata, "name");
    const json_t *base = json_object_get(metadata, "generateName");
    *ret_field = "key.name";
    if (req->key.name.n != 0) {
        return req->generate_name ? req->key.name : STR_EMPTY;
    }
    if (!req->generate_name && name != NULL && !json_is_null(name)) {
        return STR_EMPTY;
    }
    *ret_field = "metadata.generateName";
    return (struct str){json_string_value(base), json_string_length(base)};
}

/* The key of a put, and how it comes to its name. */
static enum errc put_key(struct write_request *r, const struct wire_write_request *req,
                         struct err *err)
{
    struct write *w = &r->write;
    const char *field = NULL;
    struct str base = name_base(r, req, &field);
    if (base.n == 0) {
        if (req->generate_name) {
            return err_field(
                err, ERR_INVALID, "key.name",
                "must be what the name is to begin with, or metadata.generateName in the "
                "document");
        }
        return request_key(&w->key, err);
    }
    char example[NAME_GENERATED_MAX];
    w->key.name = name_generate(base, "bbbbb", example);
    if (request_key(&w->key, err) != OK) {
        if (strcmp(err->field, "key.name") == 0) {
            snprintf(err->field, sizeof(err->field), "%s", field);
        }
        return err->code;
    }
    if (req->mode == WIRE_PUT_UPDATE || req->scope == WIRE_SCOPE_STATUS) {
        return err_field(err, ERR_INVALID, req->mode == WIRE_PUT_UPDATE ? "mode" : "scope",
                         "is for an object that exists, but this one is to be given a name");
    }
    w->key.name = STR_EMPTY;
    w->generate = base;
    w->mode = WRITE_CREATE;
    return OK;
}

static enum errc parse_json(struct write_request *r, struct str text, size_t limit, struct err *err)
{
    if (text.n > limit) {
        return err_field(err, ERR_TOO_LARGE, "json",
                         "the document has %zu bytes; at most %zu are taken", text.n, limit);
    }
    return json_text_parse(text, "json", &r->json, err);
}

/* The tree waits in the writer's queue, and counts there for what it takes. */
static void send_tree(struct write_request *r, enum write_verb verb)
{
    r->write.verb = verb;
    r->write.json = r->json;
    r->write.bytes += json_tree_bytes(r->json);
}

/* A whole object whose draft the writer makes. */
static enum errc send_object(struct write_request *r, enum write_verb verb, struct err *err)
{
    struct precondition in_document = {0};
    enum errc rc = metadata_expectations(json_object_get(r->json, "metadata"), &in_document.rv,
                                         in_document.uid, sizeof(in_document.uid), err);
    if (r->write.mode == WRITE_CREATE) {
        in_document.uid[0] = '\0';
    }
    if (rc == OK) {
        rc = merge_precondition(&r->write.pre, &in_document, err);
    }
    send_tree(r, verb);
    return rc;
}

/* What a manager wants of the object. */
static enum errc apply_tree(struct write_request *r, const struct wire_write_request *req,
                            struct err *err)
{
    struct write *w = &r->write;
    enum document_form form;
    if (manager_check(w->field_manager, err) != OK || document_form_of(r->json, &form, err) != OK) {
        return err->code;
    }
    const json_t *metadata = json_object_get(r->json, "metadata");
    if (form != DOCUMENT_WHOLE && json_object_size(r->json) != 0) {
        return err_field(err, ERR_INVALID, "json",
                         "must be an object with metadata, apiVersion and kind, or only spec and "
                         "status: put what is applied into a member \"spec\"");
    }
    if (metadata != NULL && !json_is_object(metadata) && !json_is_null(metadata)) {
        return err_field(err, ERR_INVALID, "metadata", "must be an object");
    }
    if (req->patch_scope == WIRE_PATCH_SCOPE_KEEP_STATUS) {
        return err_field(err, ERR_INVALID, "scope",
                         "an apply leaves what it does not name: leave out the status");
    }
    w->force = req->force;
    enum errc rc = metadata_check_identity(&w->key, metadata, err);
    return rc == OK ? send_object(r, WRITE_APPLY, err) : rc;
}

static enum errc put_draft(struct write_request *r, struct str text, struct store *store,
                           size_t limit, struct err *err)
{
    struct write *w = &r->write;
    struct precondition in_document = {0};
    CLEANUP(resource_definition_unrefp)
    struct resource_definition *definition = store_definition(store, w->key.resource);
    const struct draft_rules rules = {.limit_bytes = limit, .definition = definition};
    if (draft_new(&w->key, r->json, &rules, &r->draft, &in_document, err) != OK) {
        return err->code;
    }
    json_decrefp(&r->json);
    if (w->mode == WRITE_CREATE) {
        in_document.uid[0] = '\0'; /* As Kubernetes does: a copy is given its own. */
    }
    w->verb = WRITE_PUT;
    w->draft = r->draft;
    w->text = text;
    w->bytes += draft_size(r->draft);
    return merge_precondition(&w->pre, &in_document, err);
}

static enum errc put_whole(struct write_request *r, struct str text, struct store *store,
                           size_t limit, struct err *err)
{
    /* A draft holds the name. */
    return r->write.generate.n != 0 ? send_object(r, WRITE_PUT, err)
                                    : put_draft(r, text, store, limit, err);
}

enum errc write_request_put(struct write_request *r, const struct wire_write_request *req,
                            struct store *store, size_t limit, struct err *err)
{
    static const enum write_mode modes[] = {
        [WIRE_PUT_ANY] = WRITE_ANY,
        [WIRE_PUT_CREATE] = WRITE_CREATE,
        [WIRE_PUT_UPDATE] = WRITE_UPDATE,
    };
    struct write *w = &r->write;
    enum document_form form;
    if (take_common(r, req, err) != OK || parse_json(r, req->json, limit, err) != OK ||
        document_form_of(r->json, &form, err) != OK) {
        return err->code;
    }
    w->mode = modes[req->mode];
    if (put_key(r, req, err) != OK) {
        return err->code;
    }
    switch ((enum wire_put_scope)req->scope) {
    case WIRE_SCOPE_STATUS:
        if (form != DOCUMENT_WHOLE) {
            return err_field(err, ERR_INVALID, "json",
                             "must be an object with a status; put the new status into a member "
                             "\"status\"");
        }
        if (w->mode == WRITE_CREATE) {
            return err_field(err, ERR_INVALID, "mode", "a status alone makes no object");
        }
        w->scope = WRITE_SCOPE_STATUS;
        return send_object(r, WRITE_PUT, err);
    case WIRE_SCOPE_SPEC:
        send_tree(r, WRITE_SPEC);
        return OK;
    case WIRE_SCOPE_WHOLE:
        return put_whole(r, req->json, store, limit, err);
    case WIRE_SCOPE_AUTO:
    case WIRE_SCOPE_KEEP_STATUS:
        break;
    }
    if (form == DOCUMENT_SPEC) {
        send_tree(r, WRITE_SPEC);
        return OK;
    }
    if (req->scope == WIRE_SCOPE_KEEP_STATUS) {
        w->scope = WRITE_SCOPE_KEEP_STATUS;
        return send_object(r, WRITE_PUT, err);
    }
    return put_whole(r, req->json, store, limit, err);
}

enum errc write_request_patch(struct write_request *r, const struct wire_write_request *req,
                              struct store *store, size_t limit, struct err *err)
{
    (void)store;
    static const enum write_scope scopes[] = {
        [WIRE_PATCH_SCOPE_WHOLE] = WRITE_SCOPE_WHOLE,
        [WIRE_PATCH_SCOPE_STATUS] = WRITE_SCOPE_STATUS,
        [WIRE_PATCH_SCOPE_KEEP_STATUS] = WRITE_SCOPE_KEEP_STATUS,
    };
    if (take_common(r, req, err) != OK || request_key(&r->write.key, err) != OK ||
        parse_json(r, req->json, limit, err) != OK) {
        return err->code;
    }
    if (req->force && req->type != WIRE_PATCH_APPLY) {
        return err_field(err, ERR_INVALID, "force",
                         "is for an apply only: other patches win anyway");
    }
    r->write.scope = scopes[req->patch_scope];
    switch ((enum wire_patch_type)req->type) {
    case WIRE_PATCH_MERGE:
        send_tree(r, WRITE_PATCH);
        return json_is_object(r->json)
                   ? OK
                   : err_field(err, ERR_INVALID, "json", "a merge patch must be a JSON object");
    case WIRE_PATCH_JSON:
        send_tree(r, WRITE_JSON_PATCH);
        return json_patch_check(r->json, "json", err);
    case WIRE_PATCH_APPLY:
        return apply_tree(r, req, err);
    }
    return err_field(err, ERR_INVALID, "type", "is none that is known");
}

enum errc write_request_delete(struct write_request *r, const struct wire_write_request *req,
                               struct store *store, size_t limit, struct err *err)
{
    (void)store;
    (void)limit;
    r->write.verb = WRITE_DELETE;
    enum errc rc = take_common(r, req, err);
    return rc == OK ? request_key(&r->write.key, err) : rc;
}

void write_request_fini(struct write_request *r)
{
    draft_free(r->draft);
    json_decrefp(&r->json);
    object_unref(TAKE(r->write.object));
    conflicts_free(TAKE(r->write.conflicts));
}

const struct conflicts *write_request_conflicts(const struct write *w)
{
    /* After a commit that failed the error is another one. */
    return w->err.code == ERR_CONFLICT ? w->conflicts : NULL;
}

enum wire_result write_request_result(enum write_result r)
{
    switch (r) {
    case WRITE_CREATED:
        return WIRE_RESULT_CREATED;
    case WRITE_UPDATED:
        return WIRE_RESULT_UPDATED;
    case WRITE_UNCHANGED:
        return WIRE_RESULT_UNCHANGED;
    case WRITE_DELETED:
        return WIRE_RESULT_DELETED;
    }
    return WIRE_RESULT_NONE;
}

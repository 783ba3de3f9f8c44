/* SPDX-License-Identifier: Apache-2.0 */
/* A write makes a draft of the next state. A whole object brings its draft along; all others are
 * made over the tree of the object as it is (make_document), and drafted here.
 *
 * (1) An object whose deletion has begun has finalizers. The write that takes the last one deletes
 *     it: its event then shows the state before, as every deletion's. See: Kubernetes' registry
 *     Store.Update and deleteWithoutFinalizers. What leaves is not held by a definition that came
 *     after it.
 * (2) A draft was judged by the definition that there was when it was made. If that is not the one
 *     that counts now, the document is judged again. */
#include "store/apply.h"

#include <assert.h>
#include <inttypes.h>

#include "store/model/json_patch.h"
#include "store/model/metadata.h"
#include "store/model/patch.h"

static enum errc not_found(const struct key *k, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found", STR_ARG(k->resource),
                   STR_ARG(k->name));
}

static enum errc exists(const struct object *cur, struct err *err)
{
    struct str since = object_deletion(cur);
    if (since.n == 0) {
        (void)err_set(err, ERR_EXISTS, "%.*s \"%.*s\" already exists (at version %" PRIu64 ")",
                      STR_ARG(cur->key.resource), STR_ARG(cur->key.name), cur->rv);
    } else {
        (void)err_set(
            err, ERR_EXISTS,
            "%.*s \"%.*s\" still exists (at version %" PRIu64
            "): it is being deleted since %.*s and goes when its finalizers are done; try "
            "again then",
            STR_ARG(cur->key.resource), STR_ARG(cur->key.name), cur->rv, STR_ARG(since));
    }
    err->head = cur->rv;
    return ERR_EXISTS;
}

static enum errc unreadable(const struct key *k, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "the stored document of %.*s \"%.*s\" is unreadable",
                   STR_ARG(k->resource), STR_ARG(k->name));
}

static enum errc check_precondition(const struct write *w, const struct precondition *pre,
                                    const struct object *cur, struct err *err)
{
    const struct key *k = &w->key;
    if (pre->rv == 0 && pre->uid[0] == '\0') {
        return OK;
    }
    if (w->mode == WRITE_CREATE && cur == NULL) {
        return err_field(err, ERR_INVALID,
                         pre->rv != 0 ? "metadata.resourceVersion" : "metadata.uid",
                         "must not be set for an object that is to be created");
    }
    if (cur == NULL) {
        return not_found(k, err);
    }
    struct str uid = object_uid(cur);
    if (pre->uid[0] != '\0' && !str_eq(str_of(pre->uid), uid)) {
        (void)err_field(err, ERR_CONFLICT, "metadata.uid",
                        "%.*s \"%.*s\" is another object of that name: its uid is %.*s, not %s",
                        STR_ARG(k->resource), STR_ARG(k->name), STR_ARG(uid), pre->uid);
        err->head = cur->rv;
        err->requested = pre->rv;
        return ERR_CONFLICT;
    }
    if (pre->rv != 0 && pre->rv != cur->rv) {
        (void)err_field(err, ERR_CONFLICT, "metadata.resourceVersion",
                        "%.*s \"%.*s\" is at version %" PRIu64 ", not %" PRIu64
                        "; get it again and apply the change to what is there",
                        STR_ARG(k->resource), STR_ARG(k->name), cur->rv, pre->rv);
        err->head = cur->rv;
        err->requested = pre->rv;
        return ERR_CONFLICT;
    }
    return OK;
}

/* ---- The next state -------------------------------------------------------------------------- */

/* What becomes of an object whose deletion has begun (1). */
static enum errc check_finalizers(const struct draft *d, const struct object *cur, bool *ret_last,
                                  struct err *err)
{
    CLEANUP(json_decrefp) json_t *was = object_tree(cur);
    const json_t *before = json_object_get(json_object_get(was, "metadata"), "finalizers");
    *ret_last = draft_finalizers(d) == NULL;
    return metadata_check_no_new_finalizers(before, draft_finalizers(d), err);
}

static enum errc finish(const struct draft *d, const struct object *cur,
                        const struct apply_env *env, enum write_result *ret_result,
                        struct object **ret_next, struct err *err)
{
    if (cur != NULL && object_deletion(cur).n != 0) {
        bool last = false;
        enum errc rc = check_finalizers(d, cur, &last, err);
        if (rc != OK || last) {
            *ret_result = WRITE_DELETED;
            return rc;
        }
    }
    struct object *next = NULL;
    draft_finish(d, cur, env->uid, env->now, &next);
    *ret_result = cur == NULL ? WRITE_CREATED : next != NULL ? WRITE_UPDATED : WRITE_UNCHANGED;
    *ret_next = next;
    return OK;
}

static void apply_delete(const struct object *cur, const struct apply_env *env,
                         enum write_result *ret_result, struct object **ret_next)
{
    if (!object_has_finalizers(cur)) {
        assert(object_deletion(cur).n == 0); /* (1) */
        *ret_result = WRITE_DELETED;
    } else if (object_deletion(cur).n != 0) {
        *ret_result = WRITE_UNCHANGED;
    } else {
        *ret_result = WRITE_UPDATED;
        *ret_next = object_begin_deletion(cur, env->now);
    }
}

/* ---- Over the tree of the object as it is ---------------------------------------------------- */

/* `doc` with the status of `from` (NULL: without). A new reference. */
static json_t *with_status(const json_t *doc, const json_t *from)
{
    json_t *result = json_copy(json_mutable(doc));
    json_t *status = json_object_get(from, "status");
    if (status != NULL) {
        json_object_set_nocheck(result, "status", status);
    } else {
        json_object_del(result, "status");
    }
    return result;
}

/* The operations see the object as clients do, version and generation included, and may test them.
 * A version that they leave as it is is no precondition that could fail. */
static enum errc patch_json(const struct write *w, const struct object *cur, size_t limit,
                            json_t **ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    object_render(cur->body, cur->splice, cur->rv, cur->generation, &text);
    if (json_text_parse(buf_str(&text), "body", ret, NULL) != OK) {
        return unreadable(&w->key, err);
    }
    return json_patch_apply(ret, w->json, limit, "json", err);
}

/* What is applied: of the status as a subresource nothing but that. A new reference. */
static json_t *configuration(const struct write *w)
{
    json_t *all = json_mutable(w->json);
    if (w->scope != WRITE_SCOPE_STATUS) {
        return json_incref(all);
    }
    json_t *status = json_object_get(all, "status");
    json_t *config = json_object();
    if (status != NULL) {
        json_object_set_nocheck(config, "status", status);
    }
    return config;
}

/* The document that w makes of cur, which is `was` (NULL: there is no object), its scope not looked
 * at. */
static enum errc make_document(const struct write *w, const struct object *cur, const json_t *was,
                               const struct apply_env *env, json_t **ret, struct err *err)
{
    switch (w->verb) {
    case WRITE_PUT:
        if (w->json == NULL) { /* (2) */
            return json_text_parse(w->text, "json", ret, err);
        }
        *ret = json_incref(json_mutable(w->json));
        return OK;
    case WRITE_SPEC:
        *ret = was != NULL ? json_copy(json_mutable(was)) : json_object();
        /* Trees are only read once they are made, so they may be shared. */
        json_object_set_nocheck(*ret, "spec", json_mutable(w->json));
        return OK;
    case WRITE_PATCH:
        *ret = patch_merge(was, w->json);
        return OK;
    case WRITE_JSON_PATCH:
        return patch_json(w, cur, env->rules.limit_bytes, ret, err);
    case WRITE_APPLY: {
        CLEANUP(json_decrefp) json_t *config = configuration(w);
        return ownership_apply(
            &(struct applying){
                .doc = was,
                .config = config,
                .schema = apply_schema(env),
                .manager = w->field_manager,
                .status = w->scope == WRITE_SCOPE_STATUS,
                .force = w->force,
                .now = env->now,
                .max_bytes = OWNERS_MAX_BYTES(env->rules.limit_bytes),
            },
            env->managed, ret, env->ret_conflicts, err);
    }
    case WRITE_DELETE:
    case WRITE_CHECK:
    case WRITE_TXN:
        break;
    }
    return err_set(err, ERR_INTERNAL, "unknown verb %d", (int)w->verb);
}

/* What `doc` demands of cur, all else but status aside: for a write of the status alone. */
static enum errc check_demands(const struct write *w, const json_t *doc, const struct object *cur,
                               struct err *err)
{
    if (!json_is_object(doc)) {
        return err_field(err, ERR_INVALID, "json", "must be a JSON object");
    }
    const json_t *metadata = json_object_get(doc, "metadata");
    struct precondition pre = {0};
    enum errc rc = metadata_check_identity(&w->key, metadata, err);
    if (rc == OK) {
        rc = metadata_expectations(metadata, &pre.rv, pre.uid, sizeof(pre.uid), err);
    }
    return rc == OK ? check_precondition(w, &pre, cur, err) : rc;
}

static enum errc apply_tree(const struct write *w, const struct object *cur,
                            const struct apply_env *env, enum write_result *ret_result,
                            struct object **ret_next, struct err *err)
{
    struct draft_rules rules = env->rules;
    if (cur != NULL && object_deletion(cur).n != 0) {
        rules.definition = NULL; /* (1) */
    }
    CLEANUP(json_decrefp) json_t *was = cur != NULL ? object_tree(cur) : NULL;
    if (cur != NULL && was == NULL) {
        return unreadable(&w->key, err);
    }
    CLEANUP(json_decrefp) json_t *made = NULL;
    CLEANUP(json_decrefp) json_t *doc = NULL;
    enum errc rc = make_document(w, cur, was, env, &made, err);
    if (rc == OK && w->scope == WRITE_SCOPE_STATUS) {
        rc = check_demands(w, made, cur, err);
    }
    if (rc != OK) {
        return rc;
    }
    if (w->scope == WRITE_SCOPE_STATUS) {
        doc = with_status(was, made);
    } else if (w->scope == WRITE_SCOPE_KEEP_STATUS && was != NULL && json_is_object(made)) {
        doc = with_status(made, was);
    } else {
        doc = json_incref(made);
    }
    CLEANUP(draft_freep) struct draft *d = NULL;
    struct precondition pre = {0};
    rc = draft_new(&w->key, doc, &rules, &d, &pre, err);
    if (w->mode == WRITE_CREATE) {
        pre.uid[0] = '\0'; /* As Kubernetes does: a copy of another object is given its own. */
    }
    if (rc == OK) {
        rc = check_precondition(w, &pre, cur, err);
    }
    return rc == OK ? finish(d, cur, env, ret_result, ret_next, err) : rc;
}

static bool is_declared(const struct key *k, const struct apply_env *env)
{
    return env->rules.definition != NULL || str_eq(k->resource, STR(RESOURCE_RESOURCES));
}

static enum errc refuse_undeclared(const struct key *k, struct err *err)
{
    return err_field(err, ERR_INVALID, "key.resource",
                     "\"%.*s\" is not declared, and this server takes only objects of declared "
                     "resources; declare it first: put " RESOURCE_RESOURCES "/%.*s",
                     STR_ARG(k->resource), STR_ARG(k->resource));
}

enum errc apply_write(const struct write *w, const struct object *cur, const struct apply_env *env,
                      enum write_result *ret_result, struct object **ret_next, struct err *err)
{
    *ret_next = NULL;
    bool put = w->verb == WRITE_PUT || w->verb == WRITE_SPEC;
    if (put && w->mode == WRITE_CREATE && cur != NULL) {
        return exists(cur, err);
    }
    bool absent = w->verb == WRITE_CHECK && w->pre.rv == 0 && w->pre.uid[0] == '\0';
    if (absent && cur != NULL) {
        return exists(cur, err);
    }
    bool creates = (put || w->verb == WRITE_APPLY) && w->mode != WRITE_UPDATE &&
                   w->scope != WRITE_SCOPE_STATUS;
    if (cur == NULL && !absent && !creates) {
        return not_found(&w->key, err);
    }
    enum errc rc = check_precondition(w, &w->pre, cur, err);
    if (rc != OK) {
        return rc;
    }
    if (w->verb == WRITE_DELETE) {
        apply_delete(cur, env, ret_result, ret_next);
        return OK;
    }
    if (w->verb == WRITE_CHECK) {
        *ret_result = WRITE_UNCHANGED;
        return OK;
    }
    bool leaving = cur != NULL && object_deletion(cur).n != 0;
    if (env->declared_only && !leaving && !is_declared(&w->key, env)) {
        return refuse_undeclared(&w->key, err);
    }
    bool drafted =
        w->draft != NULL && draft_definition(w->draft) == env->rules.definition; /* (2) */
    return drafted ? finish(w->draft, cur, env, ret_result, ret_next, err)
                   : apply_tree(w, cur, env, ret_result, ret_next, err);
}

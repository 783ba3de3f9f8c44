/* SPDX-License-Identifier: Apache-2.0 */
#include "store/apply.h"

#include <inttypes.h>

#include "store/model/patch.h"

static enum errc not_found(const struct key *k, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found", STR_ARG(k->resource),
                   STR_ARG(k->name));
}

static enum errc check_precondition(const struct key *k, const struct precondition *pre,
                                    const struct object *cur, struct err *err)
{
    if (pre->rv == 0 && pre->uid[0] == '\0') {
        return OK;
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

static void finish(const struct draft *d, const struct object *cur, const struct apply_env *env,
                   enum write_result *ret_result, struct object **ret_next)
{
    struct object *next = NULL;
    draft_finish(d, cur, env->uid, env->now, &next);
    *ret_result = cur == NULL ? WRITE_CREATED : next != NULL ? WRITE_UPDATED : WRITE_UNCHANGED;
    *ret_next = next;
}

/* The way over the tree of the current object, for writes of a part of it. */
static enum errc finish_tree(const struct key *k, const json_t *doc, const struct object *cur,
                             const struct apply_env *env, enum write_result *ret_result,
                             struct object **ret_next, struct err *err)
{
    CLEANUP(draft_freep) struct draft *d = NULL;
    struct precondition pre = {0};
    enum errc rc = draft_new(k, doc, env->object_bytes, &d, &pre, err);
    if (rc == OK) {
        rc = check_precondition(k, &pre, cur, err);
    }
    if (rc == OK) {
        finish(d, cur, env, ret_result, ret_next);
    }
    return rc;
}

static enum errc apply_spec(const struct write *w, const struct object *cur,
                            const struct apply_env *env, enum write_result *ret_result,
                            struct object **ret_next, struct err *err)
{
    CLEANUP(json_decrefp) json_t *doc = cur != NULL ? object_tree(cur) : json_object();
    /* The tree is ours alone and the spec is only read, on this thread. */
    json_t *spec = json_deep_copy(w->json);
    if (doc == NULL || spec == NULL || json_object_set_new(doc, "spec", spec) != 0) {
        return err_set(err, ERR_DATA_LOSS, "the stored document of %.*s \"%.*s\" is unreadable",
                       STR_ARG(w->key.resource), STR_ARG(w->key.name));
    }
    return finish_tree(&w->key, doc, cur, env, ret_result, ret_next, err);
}

static enum errc apply_patch(const struct write *w, const struct object *cur,
                             const struct apply_env *env, enum write_result *ret_result,
                             struct object **ret_next, struct err *err)
{
    CLEANUP(json_decrefp) json_t *was = object_tree(cur);
    if (was == NULL) {
        return err_set(err, ERR_DATA_LOSS, "the stored document of %.*s \"%.*s\" is unreadable",
                       STR_ARG(w->key.resource), STR_ARG(w->key.name));
    }
    CLEANUP(json_decrefp) json_t *doc = patch_merge(was, w->json);
    return finish_tree(&w->key, doc, cur, env, ret_result, ret_next, err);
}

enum errc apply_write(const struct write *w, const struct object *cur, const struct apply_env *env,
                      enum write_result *ret_result, struct object **ret_next, struct err *err)
{
    *ret_next = NULL;
    bool put = w->verb == WRITE_PUT || w->verb == WRITE_SPEC;
    if (put && w->mode == WRITE_CREATE && cur != NULL) {
        (void)err_set(err, ERR_EXISTS, "%.*s \"%.*s\" already exists (at version %" PRIu64 ")",
                      STR_ARG(w->key.resource), STR_ARG(w->key.name), cur->rv);
        err->head = cur->rv;
        return ERR_EXISTS;
    }
    if (cur == NULL && (!put || w->mode == WRITE_UPDATE)) {
        return not_found(&w->key, err);
    }
    enum errc rc = check_precondition(&w->key, &w->pre, cur, err);
    if (rc != OK) {
        return rc;
    }
    switch (w->verb) {
    case WRITE_PUT:
        finish(w->draft, cur, env, ret_result, ret_next);
        return OK;
    case WRITE_SPEC:
        return apply_spec(w, cur, env, ret_result, ret_next, err);
    case WRITE_PATCH:
        return apply_patch(w, cur, env, ret_result, ret_next, err);
    case WRITE_DELETE:
        *ret_result = WRITE_DELETED;
        return OK;
    }
    return err_set(err, ERR_INTERNAL, "unknown verb %d", (int)w->verb);
}

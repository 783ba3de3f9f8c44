/* SPDX-License-Identifier: Apache-2.0 */
#include "store/owners.h"

enum errc owners_read(struct batch *b, const struct write *w, const struct object *cur, row_t row,
                      struct owners *ret, struct err *err)
{
    *ret = (struct owners){.managed = {.n = 0}};
    buf_init(&ret->text, SIZE_MAX);
    if (cur == NULL || w->verb == WRITE_DELETE || w->verb == WRITE_CHECK) {
        return OK;
    }
    enum errc rc = batch_owners(b, &cur->key, row, &ret->text, err);
    struct err why = {0};
    if (rc == OK && managed_read(buf_str(&ret->text), &ret->managed, &why) != OK) {
        return err_set(err, ERR_DATA_LOSS, "the stored owners of %.*s \"%.*s\" are unreadable: %s",
                       STR_ARG(cur->key.resource), STR_ARG(cur->key.name), why.msg);
    }
    return rc;
}

void owners_fini(struct owners *o)
{
    buf_fini(&o->text);
    managed_fini(&o->managed);
}

static void take_over(const struct write *w, const struct object *was, const struct object *is,
                      const struct apply_env *env, struct managed *m)
{
    CLEANUP(json_decrefp) json_t *before = object_tree(was);
    CLEANUP(json_decrefp) json_t *after = object_tree(is);
    struct str name = w->field_manager.n != 0 ? w->field_manager : STR(MANAGER_UNKNOWN);
    ownership_update(before, after, apply_schema(env), name, w->scope == WRITE_SCOPE_STATUS,
                     env->now, OWNERS_MAX_BYTES(env->rules.limit_bytes), m);
}

void owners_write(struct batch *b, const struct write *w, const struct object *was,
                  struct object *is, row_t row, const struct apply_env *env, struct owners *o)
{
    if (is == NULL || w->result == WRITE_DELETED) {
        return; /* They go with the object. */
    }
    if (w->verb != WRITE_APPLY) {
        if (o->text.n == 0 || was == is) {
            return;
        }
        take_over(w, was, is, env, &o->managed);
    }
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    managed_write(&o->managed, &text);
    if (!str_eq(buf_str(&text), buf_str(&o->text))) {
        batch_set_owners(b, w, is, row, buf_str(&text));
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/ownership.h"

#include <stdlib.h>

#include "store/model/merge.h"

/* ---- Conflicts ----------------------------------------------------------------------------- */

#define CONFLICT_OVERHEAD 48 /* what an answer adds to the two texts */

void conflicts_free(struct conflicts *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].field);
        free(c->v[i].manager);
    }
    free(c->v);
    free(c);
}

struct conflicts *conflicts_copy(const struct conflicts *c)
{
    if (c == NULL) {
        return NULL;
    }
    struct conflicts *copy = mem_dup(c, sizeof(*c));
    copy->v = mem_dup(c->v, c->n * sizeof(*c->v));
    for (size_t i = 0; i < c->n; i++) {
        copy->v[i].field = mem_strdup(c->v[i].field);
        copy->v[i].manager = mem_strdup(c->v[i].manager);
    }
    return copy;
}

static void conflicts_freep(struct conflicts **c)
{
    conflicts_free(*c);
    *c = NULL;
}

struct adding {
    struct conflicts *to;
    const struct manager *manager;
};

static void add_conflict(void *arg, struct str field)
{
    const struct adding *a = arg;
    struct conflicts *c = a->to;
    c->bytes += field.n + strlen(a->manager->name) + CONFLICT_OVERHEAD;
    if (c->n != 0 && c->bytes > CONFLICTS_MAX_BYTES) {
        c->more++;
        return;
    }
    c->v = mem_realloc(c->v, (c->n + 1) * sizeof(*c->v));
    c->v[c->n++] = (struct conflict){
        .field = str_dup(field),
        .manager = mem_strdup(a->manager->name),
        .applies = a->manager->applies,
    };
}

static enum errc refuse(const struct conflicts *c, struct err *err)
{
    size_t n = c->n + c->more;
    return err_field(err, ERR_CONFLICT, c->v[0].field,
                     "applying has %zu conflict%s: %s belongs to \"%s\"%s; leave out what belongs "
                     "to others, apply their values, or force to take the fields over",
                     n, n == 1 ? "" : "s", c->v[0].field, c->v[0].manager,
                     n == 1 ? "" : ", and so on");
}

/* ---- Sets ---------------------------------------------------------------------------------- */

/* In place: of `s` what is among `all`, the fields of the document as its schema is now. What was a
 * field of a map or list that now is one value makes an owner of that value. */
static void fit(struct fields *s, const struct fields *all)
{
    for (size_t i = 0; i < s->n; i++) {
        struct fields *below = &s->v[i];
        struct str name = {below->step.p + 2, below->step.n - 2};
        const struct fields *there = fields_find(all, below->step.p[0], name);
        if (there != NULL && there->n == 0 && there->here) {
            below->here = true;
        } else if (there != NULL) {
            fit(below, there);
        }
    }
}

static void fit_all(struct managed *m, const struct fields *all)
{
    for (size_t i = 0; i < m->n; i++) {
        fit(m->v[i].set, all);
        fields_keep(m->v[i].set, all);
    }
}

/* What `mine` owns and nobody else, and does not want any more. New. */
static struct fields *given_up(const struct managed *m, const struct manager *mine,
                               const struct fields *wanted)
{
    struct fields *gone = fields_copy(mine->set);
    fields_minus(gone, wanted);
    for (size_t i = 0; i < m->n; i++) {
        if (&m->v[i] != mine) {
            fields_minus(gone, m->v[i].set);
        }
    }
    return gone;
}

/* All but `mine` lose what was changed and what is not there any more; what they lose is added to
 * `lost`, unless that is NULL. */
static void take_over(struct managed *m, const struct manager *mine, const struct fields *changes,
                      const struct fields *left, struct conflicts *lost)
{
    for (size_t i = 0; i < m->n; i++) {
        if (&m->v[i] == mine) {
            continue;
        }
        struct fields *set = m->v[i].set;
        CLEANUP(fields_freep) struct fields *loses = lost != NULL ? fields_copy(set) : NULL;
        fields_minus(set, changes);
        fields_keep(set, left);
        if (lost != NULL) {
            fields_minus(loses, set);
            fields_each(loses, add_conflict, &(struct adding){lost, &m->v[i]});
        }
    }
}

/* ---- The two ways to write ----------------------------------------------------------------- */

/* The document that `part` is the owned part of: the rest is as applied, or else as it was. */
static json_t *complete(const struct applying *a, json_t *part)
{
    static const char *const rest[] = {"apiVersion", "kind"};
    json_t *doc = json_object();
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        json_t *v = json_object_get(a->config, rest[i]);
        v = v == NULL || json_is_null(v) ? json_object_get(a->doc, rest[i]) : v;
        json_object_set(doc, rest[i], v);
    }
    json_object_update(doc, part);
    return doc;
}

static enum errc settle(struct managed *m, const struct applying *a, struct err *err)
{
    return managed_settle(m, a->max_bytes)
               ? OK
               : err_field(
                     err, ERR_LIMIT, "field_manager",
                     "would be too much: the object has %zu managers; at most %d may apply to "
                     "one, and what they own may take %zu bytes; let one apply nothing to "
                     "give it up",
                     m->n, MANAGERS_APPLYING, a->max_bytes);
}

enum errc ownership_apply(const struct applying *a, struct managed *m, json_t **ret,
                          struct conflicts **ret_conflicts, struct err *err)
{
    CLEANUP(json_decrefp) json_t *part = owned_part(a->doc);
    CLEANUP(json_decrefp) json_t *config = owned_part(a->config);
    enum errc code = merge_check(config, a->schema, err);
    if (code != OK) {
        return code;
    }
    CLEANUP(fields_freep) struct fields *before = owned_fields(part, a->schema);
    CLEANUP(fields_freep) struct fields *wanted = owned_fields(config, a->schema);
    char now[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(a->now, now);
    fit_all(m, before);
    if (m->n == 0 && a->doc != NULL) {
        struct manager *all = managed_have(m, STR(MANAGER_BEFORE), false, false);
        fields_join(all->set, before);
        memcpy(all->time, now, sizeof(now));
    }
    struct manager *mine = managed_have(m, a->manager, true, a->status);
    CLEANUP(fields_freep) struct fields *gone = given_up(m, mine, wanted);
    CLEANUP(json_decrefp) json_t *merged = merge_config(part, config, a->schema);
    CLEANUP(json_decrefp) json_t *left = merge_remove(merged, gone, a->schema);
    CLEANUP(fields_freep) struct fields *changes = owned_changes(part, left, a->schema);
    CLEANUP(fields_freep) struct fields *after = owned_fields(left, a->schema);

    CLEANUP(conflicts_freep) struct conflicts *lost = mem_zalloc(sizeof(*lost));
    take_over(m, mine, changes, after, lost);
    if (lost->n != 0 && !a->force) {
        code = refuse(lost, err);
        *ret_conflicts = TAKE(lost);
        return code;
    }
    if (!fields_is_empty(changes) || !fields_equal(mine->set, wanted)) {
        memcpy(mine->time, now, sizeof(now));
    }
    fields_free(mine->set);
    mine->set = TAKE(wanted);
    code = settle(m, a, err);
    if (code == OK) {
        *ret = complete(a, left);
    }
    return code;
}

void ownership_update(const json_t *was, const json_t *is, const struct schema *schema,
                      struct str manager, bool status, wall_ms_t now, size_t max_bytes,
                      struct managed *m)
{
    CLEANUP(json_decrefp) json_t *part = owned_part(was);
    CLEANUP(json_decrefp) json_t *next = owned_part(is);
    CLEANUP(fields_freep) struct fields *before = owned_fields(part, schema);
    CLEANUP(fields_freep) struct fields *after = owned_fields(next, schema);
    CLEANUP(fields_freep) struct fields *changes = owned_changes(part, next, schema);
    fit_all(m, before);
    struct manager *mine = managed_have(m, manager, false, status);
    take_over(m, mine, changes, after, NULL);
    if (!fields_is_empty(changes)) {
        clock_rfc3339(now, mine->time);
        fields_join(mine->set, changes);
    }
    fields_keep(mine->set, after);
    (void)managed_settle(m, max_bytes);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of server-side apply: a document as a flat list of paths with texts, owners as
 * lists of paths, everything searched from one end to the other. It knows the schema of its test:
 * spec.items is keyed by "id", spec.tags a set, spec.whole one value. */
#ifndef WATCHD_TESTS_UNIT_FLAT_H
#define WATCHD_TESTS_UNIT_FLAT_H

#include "tests/unit/json_random.h"

#define PATHS_MAX 400
#define PATH_MAX_ 96

/* ---- Flat documents ------------------------------------------------------------------------- */

struct flat_path {
    char path[PATH_MAX_];
    char *value; /* "{", "k" and "v" for what has parts */
    bool key;    /* of an item */
};
struct flat {
    struct flat_path v[PATHS_MAX];
    size_t n;
};

PRINTF_LIKE(2, 3) static inline void path_print(char ret[PATH_MAX_], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(ret, PATH_MAX_, fmt, args);
    va_end(args);
    assert_true(n >= 0 && n < PATH_MAX_);
}

static inline void flat_fini(struct flat *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->v[i].value);
    }
    f->n = 0;
}

static inline struct flat_path *flat_find(struct flat *f, const char *path)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].path, path) == 0) {
            return &f->v[i];
        }
    }
    return NULL;
}

static inline void flat_set(struct flat *f, const char *path, const char *value, bool key)
{
    struct flat_path *at = flat_find(f, path);
    if (at == NULL) {
        assert_true(f->n < PATHS_MAX);
        at = &f->v[f->n++];
        path_print(at->path, "%s", path);
    } else {
        free(at->value);
    }
    at->value = mem_strdup(value);
    at->key = key;
}

static inline bool is_below(const char *path, const char *above)
{
    size_t n = strlen(above);
    return strncmp(path, above, n) == 0 && (path[n] == '.' || path[n] == '[');
}

static inline void flat_del(struct flat *f, const char *path, bool itself)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (is_below(f->v[i].path, path) || (itself && strcmp(f->v[i].path, path) == 0)) {
            free(f->v[i].value);
        } else {
            f->v[n++] = f->v[i];
        }
    }
    f->n = n;
}

static inline bool is_set(const json_t *list)
{
    bool ok = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        ok = ok && (json_is_string(a) || json_is_integer(a));
        for (size_t j = 0; j < i; j++) {
            ok = ok && !json_equal(a, json_array_get(list, j));
        }
    }
    return ok;
}

static inline bool is_keyed(const json_t *list, const char *key)
{
    bool ok = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_object_get(json_array_get(list, i), key);
        ok = ok && a != NULL;
        for (size_t j = 0; j < i; j++) {
            ok = ok && !json_equal(a, json_object_get(json_array_get(list, j), key));
        }
    }
    return ok;
}

static inline void flatten(struct flat *f, const json_t *v, const char *path, bool key)
{
    char below[PATH_MAX_];
    bool owners = strcmp(path, "metadata.ownerReferences") == 0;
    const char *by = owners ? "uid" : "id";
    if (json_is_object(v) && strcmp(path, "spec.whole") != 0) {
        const char *name;
        json_t *member;
        flat_set(f, path, "{", key);
        json_object_foreach(json_mutable(v), name, member)
        {
            path_print(below, "%s.%s", path, name);
            size_t n = strlen(path);
            bool is_key = n != 0 && path[n - 1] == ']' &&
                          strcmp(name, strncmp(path, "meta", 4) == 0 ? "uid" : "id") == 0;
            flatten(f, member, below, is_key);
        }
        return;
    }
    bool set = strcmp(path, "spec.tags") == 0 || strcmp(path, "metadata.finalizers") == 0;
    if (json_is_array(v) && (owners || strcmp(path, "spec.items") == 0) && is_keyed(v, by)) {
        flat_set(f, path, "k", key);
        for (size_t i = 0; i < json_array_size(v); i++) {
            const json_t *item = json_array_get(v, i);
            CLEANUP(freep) char *id = text_of(json_object_get(item, by));
            path_print(below, "%s[%s=%s]", path, by, id);
            flatten(f, item, below, false);
        }
    } else if (json_is_array(v) && set && is_set(v)) {
        flat_set(f, path, "v", key);
        for (size_t i = 0; i < json_array_size(v); i++) {
            CLEANUP(freep) char *text = text_of(json_array_get(v, i));
            path_print(below, "%s[=%s]", path, text);
            flat_set(f, below, text, false);
        }
    } else {
        CLEANUP(freep) char *text = text_of(v);
        flat_set(f, path, text, key);
    }
}

static inline void flatten_doc(struct flat *f, const json_t *doc)
{
    const char *name;
    json_t *member;
    f->n = 0;
    json_object_foreach(json_mutable(doc), name, member)
    {
        if (strcmp(name, "kind") != 0) {
            flatten(f, member, name, false);
        }
    }
    struct flat_path *metadata = flat_find(f, "metadata");
    if (metadata != NULL) {
        free(metadata->value);
        f->n--;
        memmove(metadata, metadata + 1,
                (size_t)(&f->v[f->n] - metadata) * sizeof(*metadata)); /* still from the top down */
    }
}

/* ---- The model ------------------------------------------------------------------------------ */

struct owner {
    char name[8];
    bool applies;
    char owned[PATHS_MAX][PATH_MAX_];
    size_t n;
};
struct model {
    struct flat doc;
    bool exists;
    struct owner owners[12];
    size_t n;
};

static inline bool owns(const struct owner *o, const char *path)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->owned[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static inline void own(struct owner *o, const char *path)
{
    if (!owns(o, path)) {
        path_print(o->owned[o->n++], "%s", path);
    }
}

static inline struct owner *owner_of(struct model *m, const char *name, bool applies)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->owners[i].name, name) == 0 && m->owners[i].applies == applies) {
            return &m->owners[i];
        }
    }
    struct owner *o = &m->owners[m->n++];
    o->n = 0;
    o->applies = applies;
    snprintf(o->name, sizeof(o->name), "%s", name);
    return o;
}

static inline bool changed(struct flat *was, struct flat *is, const char *path)
{
    const struct flat_path *a = flat_find(was, path);
    const struct flat_path *b = flat_find(is, path);
    return b != NULL && (a == NULL || strcmp(a->value, b->value) != 0);
}

/* How many fields others lose when `was` becomes `is`; takes them away. */
static inline size_t lose(struct model *m, const struct owner *mine, struct flat *was,
                          struct flat *is)
{
    size_t lost = 0;
    for (size_t i = 0; i < m->n; i++) {
        struct owner *o = &m->owners[i];
        size_t n = 0;
        for (size_t j = 0; j < o->n && o != mine; j++) {
            if (changed(was, is, o->owned[j]) || flat_find(is, o->owned[j]) == NULL) {
                lost++;
            } else {
                memmove(o->owned[n++], o->owned[j], PATH_MAX_);
            }
        }
        o->n = o != mine ? n : o->n;
    }
    return lost;
}

static inline void forget_idle(struct model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->owners[i].n != 0) {
            m->owners[n++] = m->owners[i];
        }
    }
    m->n = n;
}

static inline bool has_children(struct flat *f, const char *path, bool count_keys)
{
    for (size_t i = 0; i < f->n; i++) {
        if (is_below(f->v[i].path, path) && (count_keys || !f->v[i].key)) {
            return true;
        }
    }
    return false;
}

/* Deepest first. */
static inline void remove_given_up(struct model *m, struct owner *mine, struct flat *config,
                                   struct flat *doc)
{
    for (size_t len = PATH_MAX_; len > 0; len--) {
        for (size_t i = 0; i < mine->n; i++) {
            const char *path = mine->owned[i];
            struct flat_path *at = flat_find(doc, path);
            bool keep = strlen(path) != len || at == NULL || at->key || flat_find(config, path);
            for (size_t j = 0; j < m->n; j++) {
                keep = keep || (&m->owners[j] != mine && owns(&m->owners[j], path));
            }
            if (!keep && !has_children(doc, path, path[strlen(path) - 1] != ']')) {
                flat_del(doc, path, true);
            }
        }
    }
}

/* The number of conflicts; 0: it is done. */
static inline size_t model_apply(struct model *m, const char *name, const json_t *config_doc,
                                 bool force)
{
    static struct flat config, doc;
    static struct model before;
    flatten_doc(&config, config_doc);
    doc.n = 0;
    for (size_t i = 0; i < m->doc.n; i++) {
        flat_set(&doc, m->doc.v[i].path, m->doc.v[i].value, m->doc.v[i].key);
    }
    before = *m;
    if (m->n == 0 && m->exists) {
        struct owner *all = owner_of(m, "before", false);
        for (size_t i = 0; i < doc.n; i++) {
            own(all, doc.v[i].path);
        }
    }
    struct owner *mine = owner_of(m, name, true);
    for (size_t i = 0; i < config.n; i++) {
        const struct flat_path *p = &config.v[i];
        const struct flat_path *old = flat_find(&doc, p->path);
        if (old != NULL && strcmp(old->value, p->value) != 0) {
            flat_del(&doc, p->path, false);
        }
        flat_set(&doc, p->path, p->value, p->key);
    }
    remove_given_up(m, mine, &config, &doc);
    size_t conflicts = lose(m, mine, &m->doc, &doc);
    if (conflicts != 0 && !force) {
        *m = before;
        flat_fini(&doc);
        flat_fini(&config);
        return conflicts;
    }
    mine->n = 0;
    for (size_t i = 0; i < config.n; i++) {
        own(mine, config.v[i].path);
    }
    flat_fini(&config);
    flat_fini(&m->doc);
    m->doc = doc;
    doc.n = 0;
    m->exists = true;
    forget_idle(m);
    return 0;
}

static inline void model_update(struct model *m, const char *name, const json_t *is_doc)
{
    static struct flat is;
    flatten_doc(&is, is_doc);
    struct owner *mine = owner_of(m, name, false);
    lose(m, mine, &m->doc, &is);
    for (size_t i = 0; i < is.n; i++) {
        if (changed(&m->doc, &is, is.v[i].path)) {
            own(mine, is.v[i].path);
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < mine->n; i++) {
        if (flat_find(&is, mine->owned[i]) != NULL) {
            memmove(mine->owned[n++], mine->owned[i], PATH_MAX_);
        }
    }
    mine->n = n;
    flat_fini(&m->doc);
    m->doc = is;
    is.n = 0;
    m->exists = true;
    forget_idle(m);
}

#endif

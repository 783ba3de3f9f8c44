/* SPDX-License-Identifier: Apache-2.0 */
/* (1) In a scope the empty string means "every"; no resource, namespace or name is empty.
 * (2) Keys in an index are valid names, so ASCII: "\xff" lies behind all of them. */
#include "store/model/selection.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

struct selections {
    size_t n;
    struct scope *scopes;
    struct selection *shown;
    struct buf *texts; /* what the strings of the i-th point into */
    uint64_t hash;
};

/* A view of bytes just added, good until the buffer grows: hence the size known beforehand. */
static struct str keep(struct buf *texts, struct str s)
{
    if (s.n == 0) {
        return STR_EMPTY;
    }
    char *at = buf_grow(texts, s.n);
    memcpy(at, s.p, s.n);
    return (struct str){at, s.n};
}

static void field_of(char *field, size_t size, size_t i, bool single, const char *member)
{
    if (single) {
        snprintf(field, size, "selection.%s", member);
    } else {
        snprintf(field, size, "selections[%zu].%s", i, member);
    }
}

/* Only by what could be a name, as indices of names rely on that; nothing has another name. */
static void narrow(struct scope *c)
{
    struct str name = field_selector_name(c->fields);
    struct str ns = field_selector_namespace(c->fields);
    if (c->name.n == 0 && name.n != 0 && name_check_name(name, "", NULL) == OK) {
        c->name = name;
    }
    if (c->ns.n == 0 && ns.n != 0 && name_check_namespace(ns, "", NULL) == OK) {
        c->ns = ns;
    }
    c->by_fields = field_selector_wants_more(c->fields) ||
                   (name.n != 0 && !str_eq(name, c->name)) || (ns.n != 0 && !str_eq(ns, c->ns));
}

static enum errc compile(struct selections *s, size_t i, const struct selection *in, bool single,
                         struct err *err)
{
    char field[64];
    struct str resource = in->resource.n != 0 ? in->resource : STR(RESOURCE_DEFAULT);
    struct str ns = in->ns.n != 0 ? in->ns : STR(NAMESPACE_DEFAULT);
    bool every_resource = str_eq(resource, STR(RESOURCE_ALL));
    if (!every_resource) {
        field_of(field, sizeof(field), i, single, "resource");
        if (name_check_resource(resource, field, err) != OK) {
            return ERR_INVALID;
        }
    }
    field_of(field, sizeof(field), i, single, "namespace");
    if (in->all_namespaces && in->ns.n != 0) {
        return err_field(err, ERR_INVALID, field, "cannot be given together with all namespaces");
    }
    if (name_check_namespace(ns, field, err) != OK) {
        return ERR_INVALID;
    }
    field_of(field, sizeof(field), i, single, "name");
    if (in->name.n != 0 && name_check_name(in->name, field, err) != OK) {
        return ERR_INVALID;
    }
    field_of(field, sizeof(field), i, single, "label_selector");
    struct scope *c = &s->scopes[i];
    if (selector_parse(in->label_selector, field, &c->labels, err) != OK) {
        return ERR_INVALID;
    }
    field_of(field, sizeof(field), i, single, "field_selector");
    if (field_selector_parse(in->field_selector, field, &c->fields, err) != OK) {
        return ERR_INVALID;
    }

    struct buf *texts = &s->texts[i];
    buf_init(texts, resource.n + ns.n + in->name.n);
    (void)buf_grow(texts, texts->limit); /* keep() must not move what it gave out. */
    buf_clear(texts);
    c->resource = every_resource ? STR_EMPTY : keep(texts, resource);
    c->ns = in->all_namespaces ? STR_EMPTY : keep(texts, ns);
    c->name = keep(texts, in->name);
    s->shown[i] = (struct selection){
        .resource = every_resource ? STR(RESOURCE_ALL) : c->resource,
        .ns = c->ns,
        .all_namespaces = in->all_namespaces,
        .name = c->name,
        .label_selector = selector_text(c->labels),
        .field_selector = field_selector_text(c->fields),
    };
    narrow(c);
    return OK;
}

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A union does not change with the order of its parts, nor when one is repeated. */
static uint64_t hash_all(const struct selections *s)
{
    uint64_t hashes[SELECTIONS_MAX];
    for (size_t i = 0; i < s->n; i++) {
        const struct scope *c = &s->scopes[i];
        struct str labels = selector_text(c->labels);
        struct str fields = field_selector_text(c->fields);
        uint64_t parts[] = {XXH3_64bits(c->resource.p, c->resource.n),
                            XXH3_64bits(c->ns.p, c->ns.n), XXH3_64bits(c->name.p, c->name.n),
                            XXH3_64bits(labels.p, labels.n), XXH3_64bits(fields.p, fields.n)};
        hashes[i] = XXH3_64bits(parts, sizeof(parts));
    }
    qsort(hashes, s->n, sizeof(hashes[0]), u64_cmp);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (n == 0 || hashes[n - 1] != hashes[i]) {
            hashes[n++] = hashes[i];
        }
    }
    return XXH3_64bits(hashes, n * sizeof(hashes[0]));
}

static void selections_freep(struct selections **s)
{
    selections_free(*s);
    *s = NULL;
}

enum errc selections_new(const struct selection *v, size_t n, bool single, struct selections **ret,
                         struct err *err)
{
    static const struct selection usual = {0};
    if (n > SELECTIONS_MAX) {
        return err_field(err, ERR_LIMIT, "selections", "are %zu, more than %d", n, SELECTIONS_MAX);
    }
    if (n == 0) {
        v = &usual;
        n = 1;
    }
    CLEANUP(selections_freep) struct selections *s = mem_zalloc(sizeof(*s));
    s->n = n;
    s->scopes = mem_zalloc(n * sizeof(*s->scopes));
    s->shown = mem_zalloc(n * sizeof(*s->shown));
    s->texts = mem_zalloc(n * sizeof(*s->texts));
    for (size_t i = 0; i < n; i++) {
        enum errc code = compile(s, i, &v[i], single, err);
        if (code != OK) {
            return code;
        }
    }
    s->hash = hash_all(s);
    *ret = TAKE(s);
    return OK;
}

void selections_free(struct selections *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        selector_free(s->scopes[i].labels);
        field_selector_free(s->scopes[i].fields);
        buf_fini(&s->texts[i]);
    }
    free(s->scopes);
    free(s->shown);
    free(s->texts);
    free(s);
}

size_t selections_count(const struct selections *s)
{
    return s->n;
}

const struct scope *selections_at(const struct selections *s, size_t i)
{
    return &s->scopes[i];
}

void selections_show(const struct selections *s, size_t i, struct selection *ret)
{
    *ret = s->shown[i];
}

uint64_t selections_hash(const struct selections *s)
{
    return s->hash;
}

static bool covers(struct str wanted, struct str s)
{
    return wanted.n == 0 || str_eq(wanted, s); /* (1) */
}

bool scope_covers(const struct scope *s, const struct key *k)
{
    return covers(s->name, k->name) && covers(s->ns, k->ns) && covers(s->resource, k->resource);
}

bool selections_next(const struct selections *s, const struct key *k, struct str labels, size_t *i)
{
    for (; *i < s->n; ++*i) {
        if (scope_covers(&s->scopes[*i], k) && selector_match(s->scopes[*i].labels, labels)) {
            return true;
        }
    }
    return false;
}

bool selections_match(const struct selections *s, const struct subject *f, struct str labels)
{
    for (size_t i = 0; selections_next(s, &f->key, labels, &i); i++) {
        if (!s->scopes[i].by_fields || field_selector_match(s->scopes[i].fields, f)) {
            return true;
        }
    }
    return false;
}

uint64_t selections_cover(const struct selections *s, const struct key *k)
{
    _Static_assert(SELECTIONS_MAX <= 64, "a bit for each");
    uint64_t cover = 0;
    for (size_t i = 0; i < s->n; i++) {
        cover |= scope_covers(&s->scopes[i], k) ? UINT64_C(1) << i : 0;
    }
    return cover;
}

bool selections_match_labels(const struct selections *s, uint64_t cover, struct str labels)
{
    for (size_t i = 0; i < s->n; i++) {
        if ((cover >> i & 1) != 0 && selector_match(s->scopes[i].labels, labels)) {
            return true;
        }
    }
    return false;
}

/* The part of the key that comes next when parts[0 … i] stay as they are and all else is smallest:
 * what the scope fixes, or "". */
static void fill_smallest(const struct str wanted[3], size_t i, struct str parts[3])
{
    for (; i < 3; i++) {
        parts[i] = wanted[i];
    }
}

static bool scope_seek(const struct scope *s, const struct key *k, struct key *ret)
{
    const struct str wanted[3] = {s->resource, s->ns, s->name};
    struct str parts[3] = {k->resource, k->ns, k->name};
    size_t free_part = 3; /* the last part that the scope leaves open */
    for (size_t i = 0; i < 3; i++) {
        if (wanted[i].n == 0) {
            free_part = i;
            continue;
        }
        int c = str_cmp(wanted[i], parts[i]);
        if (c == 0) {
            continue;
        }
        if (c > 0) {
            fill_smallest(wanted, i, parts);
        } else if (free_part == 3) {
            return false;
        } else {
            /* The open part has to grow; behind all keys that share it is as near as we can tell.
             */
            parts[free_part + 1] = STR("\xff"); /* (2) */
            for (size_t j = free_part + 2; j < 3; j++) {
                parts[j] = STR_EMPTY;
            }
        }
        break;
    }
    *ret = (struct key){.resource = parts[0], .ns = parts[1], .name = parts[2]};
    return true;
}

bool selections_seek(const struct selections *s, const struct key *k, struct key *ret)
{
    bool found = false;
    struct key nearest = *k;
    for (size_t i = 0; i < s->n; i++) {
        struct key candidate;
        if (scope_seek(&s->scopes[i], k, &candidate) &&
            (!found || key_cmp(&candidate, &nearest) < 0)) {
            nearest = candidate;
            found = true;
        }
    }
    if (found) {
        *ret = nearest;
    }
    return found;
}

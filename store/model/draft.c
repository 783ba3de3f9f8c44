/* SPDX-License-Identifier: Apache-2.0 */
/* (1) text = head + tail. The object's body is head, uid, `",` ▲ the times, tail: see object.h.
 *     Nothing but these joints is added later, so the size is bounded from the start.
 * (2) The hashes do not depend on uid, times, version, or the order of members. Two documents with
 *     different hashes are different; with equal ones they are compared. */
#include "store/model/draft.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/model/metadata.h"

#define API_VERSION_MAX_LEN 253
#define TEXT_USUAL          1024

struct draft {
    struct buf text; /* (1) */
    size_t head_len;
    struct buf labels;                      /* canonical */
    json_t *finalizers;                     /* see draft_finalizers */
    struct resource_definition *definition; /* a reference, or NULL */
    char *names;                            /* what key points into */
    struct key key;
    uint64_t hash; /* (2) */
    uint64_t spec_hash;
};

static const struct str uid_end = {"\",", 2};

enum errc document_form_of(const json_t *doc, enum document_form *ret, struct err *err)
{
    if (!json_is_object(doc)) {
        return err_field(err, ERR_INVALID, "json", "must be a JSON object, not %s",
                         json_is_array(doc) ? "an array" : "a scalar");
    }
    size_t n = json_object_size(doc);
    size_t bare = (size_t)(json_object_get(doc, "spec") != NULL) +
                  (size_t)(json_object_get(doc, "status") != NULL);
    bool whole =
        json_is_object(json_object_get(doc, "metadata")) ||
        (json_object_get(doc, "apiVersion") != NULL && json_object_get(doc, "kind") != NULL) ||
        (n != 0 && n == bare);
    *ret = whole ? DOCUMENT_WHOLE : DOCUMENT_SPEC;
    return OK;
}

static bool is_type_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A member like apiVersion or kind: *ret is its text, or the default where it is absent. */
static enum errc type_member(const json_t *doc, const char *name, const char *inner, struct str def,
                             struct str *ret, struct err *err)
{
    const json_t *v = json_object_get(doc, name);
    if (v == NULL || json_is_null(v)) {
        *ret = def;
        return OK;
    }
    struct str s = {json_string_value(v), json_string_length(v)};
    bool ok = json_is_string(v) && s.n != 0 && s.n <= API_VERSION_MAX_LEN && is_type_char(s.p[0]) &&
              is_type_char(s.p[s.n - 1]);
    for (size_t i = 0; ok && i < s.n; i++) {
        ok = is_type_char(s.p[i]) || (s.p[i] != '\0' && strchr(inner, s.p[i]) != NULL);
    }
    if (!ok) {
        return err_field(err, ERR_INVALID, name,
                         "must be a string of 1 to %d letters and digits, with any of \"%s\" in "
                         "between",
                         API_VERSION_MAX_LEN, inner);
    }
    *ret = s;
    return OK;
}

static void add_member(struct buf *out, struct str name, const json_t *value)
{
    buf_addc(out, ',');
    json_text_string(name, out);
    buf_addc(out, ':');
    json_text_write(value, out);
}

static bool is_special(struct str name)
{
    return str_eq(name, STR("apiVersion")) || str_eq(name, STR("kind")) ||
           str_eq(name, STR("metadata"));
}

static void write_head(struct draft *d, struct str api_version, struct str kind)
{
    buf_adds(&d->text, STR("{\"apiVersion\":"));
    json_text_string(api_version, &d->text);
    buf_adds(&d->text, STR(",\"kind\":"));
    json_text_string(kind, &d->text);
    buf_adds(&d->text, STR(",\"metadata\":{\"name\":"));
    json_text_string(d->key.name, &d->text);
    buf_adds(&d->text, STR(",\"namespace\":"));
    json_text_string(d->key.ns, &d->text);
    buf_adds(&d->text, STR(",\"uid\":\""));
    d->head_len = d->text.n;
}

/* Writes the tail and, of what goes into it, makes the hashes. */
static void write_tail(struct draft *d, const json_t *doc, struct str api_version, struct str kind)
{
    CLEANUP(json_decrefp) json_t *user = metadata_of_user(json_object_get(doc, "metadata"));
    json_t *finalizers = json_object_get(user, "finalizers");
    if (json_array_size(finalizers) != 0) {
        d->finalizers = json_incref(finalizers);
    }
    for (void *it = json_object_iter(user); it != NULL; it = json_object_iter_next(user, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        add_member(&d->text, name, json_object_iter_value(it));
    }
    buf_addc(&d->text, '}');

    CLEANUP(json_decrefp) json_t *spec = json_object();
    json_object_set_new_nocheck(spec, "apiVersion", json_stringn(api_version.p, api_version.n));
    json_object_set_new_nocheck(spec, "kind", json_stringn(kind.p, kind.n));
    json_t *all = json_mutable(doc);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        json_t *value = json_object_iter_value(it);
        if (is_special(name)) {
            continue;
        }
        add_member(&d->text, name, value);
        if (!str_eq(name, STR("status"))) {
            json_object_setn_nocheck(spec, name.p, name.n, value);
        }
    }
    buf_addc(&d->text, '}');

    const json_t *status = json_object_get(doc, "status");
    uint64_t parts[] = {json_hash(spec), json_hash(user), status != NULL,
                        status != NULL ? json_hash(status) : 0};
    d->spec_hash = parts[0];
    d->hash = XXH3_64bits(parts, sizeof(parts));
}

size_t draft_size(const struct draft *d)
{
    return d->text.n + UUID_LEN + uid_end.n + OBJECT_TIMES_MAX;
}

const struct resource_definition *draft_definition(const struct draft *d)
{
    return d->definition;
}

const json_t *draft_finalizers(const struct draft *d)
{
    return d->finalizers;
}

static enum errc check_document(const struct key *key, const json_t *doc, struct buf *ret_labels,
                                struct precondition *ret_pre, struct err *err)
{
    if (!json_is_object(doc)) {
        return err_field(err, ERR_INVALID, "json", "must be a JSON object");
    }
    if (json_depth(doc) > JSON_DEPTH_MAX) {
        return err_field(err, ERR_INVALID, "json", "nests deeper than %d levels", JSON_DEPTH_MAX);
    }
    const json_t *metadata = json_object_get(doc, "metadata");
    if (metadata != NULL && !json_is_object(metadata) && !json_is_null(metadata)) {
        return err_field(err, ERR_INVALID, "metadata", "must be an object");
    }
    enum errc code = metadata_check(key, metadata, ret_labels, err);
    if (code == OK && ret_pre != NULL) {
        code =
            metadata_expectations(metadata, &ret_pre->rv, ret_pre->uid, sizeof(ret_pre->uid), err);
    }
    return code;
}

/* What the rules make of a document that was checked: a new reference. */
static enum errc shape(const struct key *key, const json_t *doc, const struct draft_rules *rules,
                       json_t **ret, struct err *err)
{
    enum errc code = OK;
    if (str_eq(key->resource, STR(RESOURCE_RESOURCES))) {
        CLEANUP(resource_definition_unrefp) struct resource_definition *made = NULL;
        code = resource_check_no_namespace(key, err);
        code = code == OK ? resource_definition_new(key->name, doc, &made, err) : code;
    } else if (rules->definition != NULL) {
        return resource_definition_shape(rules->definition, key, doc, rules->limit_bytes, ret, err);
    }
    *ret = code == OK ? json_incref(json_mutable(doc)) : NULL;
    return code;
}

/* Writes the text of a document in its final shape. */
static enum errc write_text(struct draft *d, const json_t *doc, struct err *err)
{
    char default_kind[RESOURCE_MAX_LEN + 1];
    name_kind_of_resource(d->key.resource, default_kind);
    struct str api_version = STR(API_VERSION_DEFAULT);
    struct str kind = str_of(default_kind);
    if (d->definition != NULL) {
        api_version = d->definition->api_version;
        kind = d->definition->kind;
    }
    if (type_member(doc, "apiVersion", "-._/", api_version, &api_version, err) != OK ||
        type_member(doc, "kind", "-._", kind, &kind, err) != OK) {
        return ERR_INVALID;
    }
    write_head(d, api_version, kind);
    write_tail(d, doc, api_version, kind);
    return OK;
}

enum errc draft_new(const struct key *key, const json_t *doc, const struct draft_rules *rules,
                    struct draft **ret, struct precondition *ret_pre, struct err *err)
{
    CLEANUP(draft_freep) struct draft *d = mem_zalloc(sizeof(*d));
    CLEANUP(json_decrefp) json_t *shaped = NULL;
    struct precondition pre = {0};
    buf_init(&d->text, SIZE_MAX); /* As large as the tree makes it; measured below. */
    buf_init(&d->labels, SIZE_MAX);
    (void)buf_grow(&d->text, TEXT_USUAL); /* One allocation for most. */
    buf_clear(&d->text);
    d->names = mem_alloc(key_len(key));
    d->key = key_copy_to(key, d->names);
    if (rules->definition != NULL) {
        d->definition = resource_definition_ref(rules->definition);
    }
    enum errc code = check_document(key, doc, &d->labels, ret_pre != NULL ? &pre : NULL, err);
    if (code == OK) {
        code = shape(key, doc, rules, &shaped, err);
    }
    if (code == OK) {
        code = write_text(d, shaped, err);
    }
    if (code != OK) {
        return code;
    }
    size_t size = draft_size(d) + SPLICE_MAX;
    if (size > rules->limit_bytes || size > UINT32_MAX) {
        return err_field(err, ERR_TOO_LARGE, "json",
                         "is %zu bytes with what the server adds, more than the limit of %zu", size,
                         rules->limit_bytes);
    }
    if (ret_pre != NULL) {
        *ret_pre = pre;
    }
    *ret = TAKE(d);
    return OK;
}

void draft_free(struct draft *d)
{
    if (d == NULL) {
        return;
    }
    buf_fini(&d->text);
    buf_fini(&d->labels);
    json_decref(d->finalizers);
    resource_definition_unref(d->definition);
    free(d->names);
    free(d);
}

void draft_freep(struct draft **d)
{
    draft_free(*d);
    *d = NULL;
}

/* The order of members is no difference to users, so it is none to us. */
static bool same_document(const struct object *cur, struct str body)
{
    if (str_eq(cur->body, body)) {
        return true;
    }
    CLEANUP(json_decrefp) json_t *before = object_tree(cur);
    CLEANUP(json_decrefp) json_t *after = NULL;
    enum errc code = json_text_parse(body, "body", &after, NULL);
    assert(code == OK);
    return json_equal(before, after) == 1;
}

void draft_finish(const struct draft *d, const struct object *cur, const char *uid, wall_ms_t now,
                  struct object **ret)
{
    assert(cur == NULL || key_eq(&cur->key, &d->key));
    struct str id = cur != NULL ? object_uid(cur) : str_of(uid);
    assert(id.n == UUID_LEN);

    CLEANUP(buf_fini) struct buf body;
    buf_init(&body, draft_size(d));
    (void)buf_grow(&body, draft_size(d)); /* One allocation. */
    buf_clear(&body);
    buf_add(&body, d->text.p, d->head_len);
    buf_adds(&body, id);
    buf_adds(&body, uid_end);
    uint32_t splice = (uint32_t)body.n;
    if (cur != NULL) {
        buf_adds(&body, object_times(cur));
    } else {
        char created[CLOCK_RFC3339_LEN + 1];
        clock_rfc3339(now, created);
        buf_adds(&body, STR("\"creationTimestamp\":\""));
        buf_adds(&body, (struct str){created, CLOCK_RFC3339_LEN});
        buf_addc(&body, '"');
    }
    buf_add(&body, d->text.p + d->head_len, d->text.n - d->head_len);
    assert(!body.full); /* (1) */

    if (cur != NULL && cur->hash == d->hash && same_document(cur, buf_str(&body))) {
        *ret = NULL; /* (2) */
        return;
    }
    uint64_t generation = cur == NULL                      ? 1
                          : cur->spec_hash == d->spec_hash ? cur->generation
                                                           : cur->generation + 1;
    *ret = object_new(&d->key, buf_str(&d->labels), buf_str(&body), splice, generation, d->hash,
                      d->spec_hash);
}

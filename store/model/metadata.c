/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/metadata.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/model/labels.h"
#include "store/model/object.h"

#define FIELD_MAX 160

/* Ours to set: in a request their values are ignored, as what was read is sent back with changes;
 * but not their types, which tell a mistake. */
static const struct server_set {
    struct str name;
    json_type type;
    const char *type_name;
} server_set[] = {
    {STR("uid"),                        JSON_STRING,  "a string"  },
    {STR("resourceVersion"),            JSON_STRING,  "a string"  },
    {STR("generation"),                 JSON_INTEGER, "an integer"},
    {STR("creationTimestamp"),          JSON_STRING,  "a string"  },
    {STR("selfLink"),                   JSON_STRING,  "a string"  },
    {STR("deletionTimestamp"),          JSON_STRING,  "a string"  },
    {STR("deletionGracePeriodSeconds"), JSON_INTEGER, "an integer"},
    {STR("managedFields"),              JSON_ARRAY,   "an array"  },
};
/* The key's: they are stored in front. */
static const struct str identity[] = {STR("name"), STR("namespace")};
/* Stored before the others, in this order. */
static const struct str well_known[] = {STR("labels"), STR("annotations"), STR("ownerReferences"),
                                        STR("finalizers")};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_one_of(struct str name, const struct str *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(name, words[i])) {
            return true;
        }
    }
    return false;
}

static struct str str_of_json(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

/* A member of metadata; NULL when it is absent or null. */
static const json_t *member(const json_t *metadata, const char *name)
{
    const json_t *v = json_object_get(metadata, name);
    return json_is_null(v) ? NULL : v;
}

static bool is_server_set(struct str name)
{
    for (size_t i = 0; i < COUNT(server_set); i++) {
        if (str_eq(name, server_set[i].name)) {
            return true;
        }
    }
    return false;
}

static bool has_server_set(const json_t *metadata)
{
    json_t *all = json_mutable(metadata);
    void *it = json_object_iter(all);
    while (it != NULL &&
           !is_server_set((struct str){json_object_iter_key(it), json_object_iter_key_len(it)})) {
        it = json_object_iter_next(all, it);
    }
    return it != NULL;
}

static enum errc check_server_set(const json_t *metadata, struct err *err)
{
    if (!has_server_set(metadata)) { /* the usual case, without a look for each */
        return OK;
    }
    for (size_t i = 0; i < COUNT(server_set); i++) {
        const json_t *v = member(metadata, server_set[i].name.p);
        if (v != NULL && json_typeof(v) != server_set[i].type) {
            char field[FIELD_MAX];
            snprintf(field, sizeof(field), "metadata.%s", server_set[i].name.p);
            return err_field(
                err, ERR_INVALID, field,
                "must be %s; the server sets it, so leave it out or send what was read",
                server_set[i].type_name);
        }
    }
    return OK;
}

static enum errc check_identity(const json_t *v, struct str expected, const char *field,
                                struct err *err)
{
    if (v == NULL) {
        return OK;
    }
    if (!json_is_string(v)) {
        return err_field(err, ERR_INVALID, field, "must be a string");
    }
    if (!str_eq(str_of_json(v), expected)) {
        return err_field(err, ERR_INVALID, field,
                         "is \"%.80s\" in the document, but the request is for \"%.*s\"",
                         json_string_value(v), STR_ARG(expected));
    }
    return OK;
}

/* Kubernetes compares annotation keys without regard to case. */
static enum errc check_annotation_key(struct str key, const char *field, struct err *err)
{
    char lower[NAME_MAX_LEN + 1 + 64];
    if (key.n > sizeof(lower)) {
        return err_field(err, ERR_INVALID, field, "the key is %zu bytes long", key.n);
    }
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return name_check_qualified((struct str){lower, key.n}, field, err);
}

static enum errc check_annotations(const json_t *v, struct err *err)
{
    if (v == NULL) {
        return OK;
    }
    if (!json_is_object(v)) {
        return err_field(err, ERR_INVALID, "metadata.annotations", "must be an object of strings");
    }
    size_t total = 0;
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        struct str key = {json_object_iter_key(it), json_object_iter_key_len(it)};
        const json_t *value = json_object_iter_value(it);
        char field[FIELD_MAX];
        snprintf(field, sizeof(field), "metadata.annotations[\"%.*s\"]", STR_ARG(key));
        if (check_annotation_key(key, field, err) != OK) {
            return ERR_INVALID;
        }
        if (!json_is_string(value)) {
            return err_field(err, ERR_INVALID, field, "must be a string");
        }
        total += key.n + json_string_length(value);
    }
    if (total > ANNOTATIONS_MAX_BYTES) {
        return err_field(err, ERR_TOO_LARGE, "metadata.annotations",
                         "are %zu bytes together, more than %d", total, ANNOTATIONS_MAX_BYTES);
    }
    return OK;
}

static enum errc check_finalizers(const json_t *v, struct err *err)
{
    if (v == NULL) {
        return OK;
    }
    if (!json_is_array(v)) {
        return err_field(err, ERR_INVALID, "metadata.finalizers", "must be an array of strings");
    }
    /* A set, since the array may be as long as a request. */
    CLEANUP(json_decrefp) json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *value = json_array_get(v, i);
        struct str name = str_of_json(value);
        char field[FIELD_MAX];
        snprintf(field, sizeof(field), "metadata.finalizers[%zu]", i);
        if (!json_is_string(value)) {
            return err_field(err, ERR_INVALID, field, "must be a string");
        }
        if (name_check_qualified(name, field, err) != OK) {
            return ERR_INVALID;
        }
        if (json_object_getn(seen, name.p, name.n) != NULL) {
            return err_field(err, ERR_INVALID, field, "\"%.*s\" is there twice", STR_ARG(name));
        }
        json_object_setn_new_nocheck(seen, name.p, name.n, json_true());
    }
    return OK;
}

static enum errc check_owner(const json_t *owner, size_t i, struct err *err)
{
    static const char *const strings[] = {"apiVersion", "kind", "name", "uid"};
    static const char *const booleans[] = {"controller", "blockOwnerDeletion"};
    char field[FIELD_MAX];
    if (!json_is_object(owner)) {
        snprintf(field, sizeof(field), "metadata.ownerReferences[%zu]", i);
        return err_field(err, ERR_INVALID, field, "must be an object");
    }
    for (size_t j = 0; j < COUNT(strings); j++) {
        if (json_string_length(json_object_get(owner, strings[j])) == 0) {
            snprintf(field, sizeof(field), "metadata.ownerReferences[%zu].%s", i, strings[j]);
            return err_field(err, ERR_INVALID, field, "must be a string and not empty");
        }
    }
    for (size_t j = 0; j < COUNT(booleans); j++) {
        const json_t *v = member(owner, booleans[j]);
        if (v != NULL && !json_is_boolean(v)) {
            snprintf(field, sizeof(field), "metadata.ownerReferences[%zu].%s", i, booleans[j]);
            return err_field(err, ERR_INVALID, field, "must be true or false");
        }
    }
    return OK;
}

static enum errc check_owners(const json_t *v, struct err *err)
{
    if (v == NULL) {
        return OK;
    }
    if (!json_is_array(v)) {
        return err_field(err, ERR_INVALID, "metadata.ownerReferences",
                         "must be an array of objects");
    }
    if (json_array_size(v) > METADATA_OWNERS_MAX) {
        return err_field(err, ERR_INVALID, "metadata.ownerReferences",
                         "has %zu owners; at most %d are taken", json_array_size(v),
                         METADATA_OWNERS_MAX);
    }
    bool has_controller = false;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *owner = json_array_get(v, i);
        if (check_owner(owner, i, err) != OK) {
            return ERR_INVALID;
        }
        bool controller = json_is_true(json_object_get(owner, "controller"));
        if (controller && has_controller) {
            char field[FIELD_MAX];
            snprintf(field, sizeof(field), "metadata.ownerReferences[%zu].controller", i);
            return err_field(err, ERR_INVALID, field, "only one owner can be the controller");
        }
        has_controller |= controller;
    }
    return OK;
}

enum errc metadata_check_identity(const struct key *key, const json_t *metadata, struct err *err)
{
    enum errc code = check_identity(member(metadata, "name"), key->name, "metadata.name", err);
    if (code == OK) {
        code = check_identity(member(metadata, "namespace"), key->ns, "metadata.namespace", err);
    }
    return code;
}

enum errc metadata_check_no_new_finalizers(const json_t *before, const json_t *after,
                                           struct err *err)
{
    CLEANUP(json_decrefp) json_t *known = json_object();
    for (size_t i = 0; i < json_array_size(before); i++) {
        struct str name = str_of_json(json_array_get(before, i));
        json_object_setn_new_nocheck(known, name.p, name.n, json_true());
    }
    for (size_t i = 0; i < json_array_size(after); i++) {
        struct str name = str_of_json(json_array_get(after, i));
        if (json_object_getn(known, name.p, name.n) == NULL) {
            char field[FIELD_MAX];
            snprintf(field, sizeof(field), "metadata.finalizers[%zu]", i);
            return err_field(err, ERR_INVALID, field,
                             "\"%.*s\" cannot be added: the object is being deleted",
                             STR_ARG(name));
        }
    }
    return OK;
}

enum errc metadata_check(const struct key *key, const json_t *metadata, struct buf *ret_labels,
                         struct err *err)
{
    const json_t *generate_name = member(metadata, "generateName");
    if (generate_name != NULL && !json_is_string(generate_name)) {
        return err_field(err, ERR_INVALID, "metadata.generateName", "must be a string");
    }
    enum errc code = metadata_check_identity(key, metadata, err);
    if (code == OK) {
        code = check_server_set(metadata, err);
    }
    if (code == OK) {
        code = labels_from_json(member(metadata, "labels"), ret_labels, err);
    }
    if (code == OK) {
        code = check_annotations(member(metadata, "annotations"), err);
    }
    if (code == OK) {
        code = check_owners(member(metadata, "ownerReferences"), err);
    }
    if (code == OK) {
        code = check_finalizers(member(metadata, "finalizers"), err);
    }
    return code;
}

enum errc metadata_expectations(const json_t *metadata, rv_t *ret_rv, char *ret_uid,
                                size_t uid_size, struct err *err)
{
    const json_t *version = member(metadata, "resourceVersion");
    const json_t *uid = member(metadata, "uid");
    rv_t rv = 0;
    bool version_ok = version == NULL ||
                      (json_is_string(version) &&
                       (json_string_length(version) == 0 || str_to_u64(str_of_json(version), &rv)));
    if (!version_ok) {
        return err_field(err, ERR_INVALID, "metadata.resourceVersion",
                         "must be a decimal number in a string, as it was read");
    }
    size_t n = json_string_length(uid);
    if (uid != NULL && (!json_is_string(uid) || (n != 0 && n != uid_size - 1))) {
        return err_field(err, ERR_INVALID, "metadata.uid", "must be a UUID in a string");
    }
    *ret_rv = rv;
    memcpy(ret_uid, n != 0 ? json_string_value(uid) : "", n + 1);
    return OK;
}

json_t *metadata_of_user(const json_t *metadata)
{
    json_t *user = json_object();
    for (size_t i = 0; i < COUNT(well_known); i++) {
        const json_t *v = member(metadata, well_known[i].p);
        if (v != NULL) {
            json_object_setn_nocheck(user, well_known[i].p, well_known[i].n, json_mutable(v));
        }
    }
    json_t *all = json_mutable(metadata);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        struct str name = {json_object_iter_key(it), json_object_iter_key_len(it)};
        json_t *value = json_object_iter_value(it);
        /* Setting one of the well-known again keeps its place. */
        if (!json_is_null(value) && !is_one_of(name, identity, COUNT(identity)) &&
            !is_server_set(name)) {
            json_object_setn_nocheck(user, name.p, name.n, value);
        }
    }
    return user;
}

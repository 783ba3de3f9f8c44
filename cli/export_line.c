/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_line.h"

#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/document.h"
#include "store/model/json.h"

#define LINE_MAX_BYTES ((size_t)128 << 20)

static void append_member(const char *name, const char *text, struct buf *out)
{
    buf_printf(out, ",\"%s\":", name);
    json_text_string(str_of(text), out);
}

enum errc export_line(const struct watch_object *o, struct buf *out, bool *ret_owned,
                      struct err *err)
{
    static const char *const by_server[] = {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "ownerReferences",
    };
    CLEANUP(json_decrefp) json_t *v = NULL;
    enum errc rc = json_text_parse((struct str){o->json, o->json_len}, "object", &v, err);
    if (rc != OK) {
        return rc;
    }
    json_t *metadata = json_object_get(v, "metadata");
    *ret_owned = json_array_size(json_object_get(metadata, "ownerReferences")) > 0;
    for (size_t i = 0; i < sizeof(by_server) / sizeof(by_server[0]); i++) {
        (void)json_object_del(metadata, by_server[i]);
    }
    buf_adds(out, STR("{\"op\":\"put\""));
    append_member("resource", o->resource, out);
    append_member("namespace", o->ns, out);
    append_member("name", o->name, out);
    buf_adds(out, STR(",\"object\":"));
    json_text_write(v, out);
    buf_adds(out, STR("}\n"));
    return OK;
}

void import_line_fini(struct import_line *l)
{
    free(TAKE(l->resource));
    free(TAKE(l->ns));
    free(TAKE(l->name));
    free(TAKE(l->kind));
    free(TAKE(l->api_version));
    free(l->if_uid);
    buf_fini(&l->json);
}

/* A member that must be text where it is there. *ret is "" where it is not. */
static enum errc text_member(const json_t *line, const char *name, const char **ret,
                             struct err *err)
{
    const json_t *v = json_object_get(line, name);
    *ret = "";
    if (v == NULL || json_is_null(v)) {
        return OK;
    }
    if (!json_is_string(v)) {
        return err_field(err, ERR_INVALID, name, "%s must be a string", name);
    }
    *ret = json_string_value(v);
    return OK;
}

/* "12" or 12. */
static enum errc version_member(const json_t *line, uint64_t *ret, struct err *err)
{
    static const char name[] = "resourceVersion";
    const json_t *v = json_object_get(line, name);
    bool ok = v == NULL || json_is_null(v);
    if (json_is_string(v)) {
        ok = str_to_u64(str_of(json_string_value(v)), ret) && *ret != 0;
    } else if (json_is_integer(v)) {
        ok = json_integer_value(v) > 0;
        *ret = (uint64_t)json_integer_value(v);
    }
    return ok ? OK : err_field(err, ERR_INVALID, name, "%s must be a version, 1 or more", name);
}

static const struct op_kind {
    const char *word;
    enum watch_verb verb;
    enum watch_put_mode mode;
    const char *body; /* the member that holds the document; NULL: none */
    bool import;      /* known there, too */
} op_kinds[] = {
    {"put",    WATCH_PUT,    WATCH_PUT_ANY,    "object", true },
    {"delete", WATCH_DELETE, WATCH_PUT_ANY,    NULL,     true },
    {"create", WATCH_PUT,    WATCH_PUT_CREATE, "object", false},
    {"update", WATCH_PUT,    WATCH_PUT_UPDATE, "object", false},
    {"patch",  WATCH_PATCH,  WATCH_PUT_ANY,    "patch",  false},
    {"check",  WATCH_CHECK,  WATCH_PUT_ANY,    NULL,     false},
};

static const struct op_kind *op_kind_of(const char *word, bool import)
{
    for (size_t i = 0; i < sizeof(op_kinds) / sizeof(op_kinds[0]); i++) {
        if (strcmp(op_kinds[i].word, word) == 0 && (op_kinds[i].import || !import)) {
            return &op_kinds[i];
        }
    }
    return NULL;
}

/* Of a transaction: a misspelt demand would be none. */
static enum errc op_members_known(json_t *line, const struct op_kind *kind, struct err *err)
{
    static const char *const known[] = {"op",   "resource",        "namespace",
                                        "name", "resourceVersion", "uid"};
    const char *name;
    json_t *v;
    json_object_foreach(line, name, v)
    {
        bool ok = (kind->body != NULL && strcmp(name, kind->body) == 0) ||
                  (kind->verb == WATCH_DELETE && strcmp(name, "cascade") == 0);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !ok; i++) {
            ok = strcmp(name, known[i]) == 0;
        }
        if (!ok) {
            return err_field(err, ERR_INVALID, name,
                             "\"%.40s\" is not known here; a %s has op, resource, namespace, "
                             "name, resourceVersion, uid%s%s",
                             name, kind->word,
                             kind->body != NULL           ? ", "
                             : kind->verb == WATCH_DELETE ? ", cascade"
                                                          : "",
                             kind->body != NULL ? kind->body : "");
        }
    }
    return OK;
}

static enum errc op_demands(const json_t *line, struct import_line *ret, struct err *err)
{
    const char *uid;
    const char *cascade;
    if (version_member(line, &ret->if_rv, err) != OK || text_member(line, "uid", &uid, err) != OK ||
        text_member(line, "cascade", &cascade, err) != OK) {
        return err->code;
    }
    ret->orphan = strcmp(cascade, "orphan") == 0;
    if (!ret->orphan && *cascade != '\0' && strcmp(cascade, "background") != 0) {
        return err_field(err, ERR_INVALID, "cascade",
                         "cascade must be \"background\" or \"orphan\", not \"%.40s\"", cascade);
    }
    ret->if_uid = *uid != '\0' ? mem_strdup(uid) : NULL;
    return OK;
}

static enum errc op_line(json_t *line, bool import, struct import_line *ret, struct err *err)
{
    const char *op;
    const char *resource;
    const char *ns;
    const char *name;
    if (text_member(line, "op", &op, err) != OK ||
        text_member(line, "resource", &resource, err) != OK ||
        text_member(line, "namespace", &ns, err) != OK ||
        text_member(line, "name", &name, err) != OK) {
        return err->code;
    }
    const struct op_kind *kind = op_kind_of(op, import);
    if (kind == NULL) {
        return err_field(err, ERR_INVALID, "op",
                         "op must be %s\"put\" or \"delete\", not \"%.40s\"",
                         import ? "" : "\"create\", \"update\", \"patch\", \"check\", ", op);
    }
    if (!import && op_members_known(line, kind, err) != OK) {
        return err->code;
    }
    const json_t *object = json_object_get(line, kind->body != NULL ? kind->body : "object");
    ret->patch_type =
        kind->verb == WATCH_PATCH && json_is_array(object) ? WATCH_PATCH_JSON : WATCH_PATCH_MERGE;
    if (kind->body != NULL && !json_is_object(object) && ret->patch_type == WATCH_PATCH_MERGE) {
        return err_field(err, ERR_INVALID, kind->body, "%s must be a JSON object", kind->body);
    }
    if (!import && op_demands(line, ret, err) != OK) {
        return err->code;
    }
    struct identity identity;
    document_identity(object, &identity);
    name = *name != '\0' ? name : identity.name;
    ns = *ns != '\0' ? ns : identity.ns;
    if (*name == '\0' && !import && kind->verb == WATCH_PUT && kind->mode != WATCH_PUT_UPDATE) {
        ret->generate_name = *identity.generate_name != '\0';
        name = identity.generate_name;
    }
    if (*name == '\0') {
        return err_field(err, ERR_INVALID, "name", "name is missing");
    }
    ret->verb = kind->verb;
    ret->mode = kind->mode;
    ret->resource = mem_strdup(resource);
    ret->ns = mem_strdup(ns);
    ret->name = mem_strdup(name);
    if (kind->body != NULL) {
        json_text_write(object, &ret->json);
    }
    return OK;
}

static enum errc object_line(const json_t *line, struct import_line *ret, struct err *err)
{
    struct identity identity;
    document_identity(line, &identity);
    if (*identity.name == '\0') {
        return err_field(err, ERR_INVALID, "metadata.name",
                         "metadata.name is missing; a line is a whole object, or has \"op\"");
    }
    char resource[ARGS_RESOURCE_MAX] = "";
    if (*identity.kind != '\0') {
        resource_of_kind(identity.api_version, identity.kind, resource);
        ret->kind = mem_strdup(identity.kind);
        ret->api_version = mem_strdup(identity.api_version);
    }
    ret->verb = WATCH_PUT;
    ret->resource = mem_strdup(resource);
    ret->ns = mem_strdup(identity.ns);
    ret->name = mem_strdup(identity.name);
    json_text_write(line, &ret->json);
    return OK;
}

/* What json_text_parse says of a text that is named elsewhere and has one line. */
static void reword(struct err *err)
{
    static const char place[] = "(line 1, ";
    static const char *const predicates[] = {"is no valid JSON", "nests deeper"};
    char msg[sizeof(err->msg)];
    char *at = NULL;
    for (char *next = err->msg; (next = strstr(next, place)) != NULL; next++) {
        at = next; /* the last one: what comes before may be quoted */
    }
    if (at != NULL) {
        char *rest = at + sizeof(place) - 1;
        memmove(at + 1, rest, strlen(rest) + 1);
    }
    memcpy(msg, err->msg, sizeof(msg));
    for (size_t i = 0; i < sizeof(predicates) / sizeof(predicates[0]); i++) {
        if (strncmp(msg, predicates[i], strlen(predicates[i])) == 0) {
            (void)err_set(err, ERR_INVALID, "it %s", msg);
        }
    }
}

static enum errc line_of(json_t *line, bool import, struct import_line *ret, struct err *err)
{
    CLEANUP(import_line_fini) struct import_line l = {0};
    buf_init(&l.json, LINE_MAX_BYTES);
    enum errc rc = json_object_get(line, "op") != NULL ? op_line(line, import, &l, err)
                                                       : object_line(line, &l, err);
    if (rc == OK) {
        *ret = l;
        memset(&l, 0, sizeof(l));
    }
    return rc;
}

enum errc import_line_read(struct str text, struct import_line *ret, struct err *err)
{
    CLEANUP(json_decrefp) json_t *line = NULL;
    if (json_text_parse(text, "", &line, err) != OK) {
        reword(err);
        return err->code;
    }
    if (!json_is_object(line)) {
        return err_set(err, ERR_INVALID, "a line must be a JSON object");
    }
    return line_of(line, true, ret, err);
}

enum errc operation_read(json_t *document, struct import_line *ret, struct err *err)
{
    return line_of(document, false, ret, err);
}

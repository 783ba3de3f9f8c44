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

enum errc export_line(const struct watch_object *o, struct buf *out, struct err *err)
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
    };
    CLEANUP(json_decrefp) json_t *v = NULL;
    enum errc rc = json_text_parse((struct str){o->json, o->json_len}, "object", &v, err);
    if (rc != OK) {
        return rc;
    }
    json_t *metadata = json_object_get(v, "metadata");
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

static enum errc op_line(const json_t *line, struct import_line *ret, struct err *err)
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
    const json_t *object = json_object_get(line, "object");
    bool put = strcmp(op, "put") == 0;
    if (!put && strcmp(op, "delete") != 0) {
        return err_field(err, ERR_INVALID, "op", "op must be \"put\" or \"delete\", not \"%.40s\"",
                         op);
    }
    if (put && !json_is_object(object)) {
        return err_field(err, ERR_INVALID, "object", "object must be a JSON object");
    }
    struct identity identity;
    document_identity(object, &identity);
    name = *name != '\0' ? name : identity.name;
    ns = *ns != '\0' ? ns : identity.ns;
    if (*name == '\0') {
        return err_field(err, ERR_INVALID, "name", "name is missing");
    }
    ret->verb = put ? WATCH_PUT : WATCH_DELETE;
    ret->resource = mem_strdup(resource);
    ret->ns = mem_strdup(ns);
    ret->name = mem_strdup(name);
    if (put) {
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
    CLEANUP(import_line_fini) struct import_line l = {0};
    buf_init(&l.json, LINE_MAX_BYTES);
    enum errc rc =
        json_object_get(line, "op") != NULL ? op_line(line, &l, err) : object_line(line, &l, err);
    if (rc == OK) {
        *ret = l;
        memset(&l, 0, sizeof(l));
    }
    return rc;
}

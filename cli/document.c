/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/text.h"
#include "cli/yaml.h"
#include "store/model/json.h"

void documents_fini(struct documents *d)
{
    for (size_t i = 0; i < d->n; i++) {
        json_decref(d->v[i]);
    }
    free(d->v);
    *d = (struct documents){.arrays = d->arrays};
}

/* All of *from go behind those of *to. */
static void documents_move(struct documents *from, struct documents *to)
{
    to->v = mem_realloc(to->v, (to->n + from->n) * sizeof(*to->v));
    memcpy(to->v + to->n, from->v, from->n * sizeof(*to->v));
    to->n += from->n;
    from->n = 0;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

void document_identity(const json_t *document, struct identity *ret)
{
    const json_t *metadata = json_object_get(document, "metadata");
    *ret = (struct identity){.api_version = text_of(document, "apiVersion"),
                             .kind = text_of(document, "kind"),
                             .ns = text_of(metadata, "namespace"),
                             .name = text_of(metadata, "name"),
                             .generate_name = text_of(metadata, "generateName")};
}

static const char *type_name(const json_t *v)
{
    return json_is_array(v)     ? "an array"
           : json_is_object(v)  ? "an object"
           : json_is_string(v)  ? "a string"
           : json_is_number(v)  ? "a number"
           : json_is_boolean(v) ? "a boolean"
                                : "null";
}

static enum errc add_one(struct documents *d, const char *label, json_t *v, struct err *err)
{
    if (d->arrays ? !json_is_array(v) : !json_is_object(v)) {
        return err_field(err, ERR_INVALID, label, "a JSON %s is wanted, not %s",
                         d->arrays ? "array" : "object", type_name(v));
    }
    d->v = mem_realloc(d->v, (d->n + 1) * sizeof(*d->v));
    d->v[d->n++] = json_incref(v);
    return OK;
}

struct collector {
    struct documents *documents;
    const char *label;
};

static enum errc collect(void *arg, json_t *v, struct err *err)
{
    struct collector *c = arg;
    const json_t *items = json_object_get(v, "items");
    if (strcmp(text_of(v, "kind"), "List") != 0 || !json_is_array(items)) {
        return add_one(c->documents, c->label, v, err);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        enum errc rc = add_one(c->documents, c->label, json_array_get(items, i), err);
        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

static enum errc from_json(struct str text, struct collector *c, struct err *err)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    enum errc rc = json_text_parse(text, c->label, &v, err);
    return rc == OK ? collect(c, v, err) : rc;
}

enum errc documents_from_text(const char *text, const char *label, struct documents *ret,
                              struct err *err)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    enum errc rc = json_text_parse(str_of(text), label, &v, err);
    return rc == OK ? add_one(ret, label, v, err) : rc;
}

static bool begins_as_json(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (strchr(" \t\r\n", text.p[i]) == NULL) {
            return text.p[i] == '{' || text.p[i] == '[';
        }
    }
    return false;
}

enum errc documents_from_bytes(struct str text, const char *label, bool only_json,
                               struct documents *ret, struct err *err)
{
    struct collector c = {ret, label};
    text = text_without_bom(text);
    if (only_json) {
        return from_json(text, &c, err);
    }
    struct err json_err = {0};
    if (begins_as_json(text)) {
        if (from_json(text, &c, &json_err) == OK) {
            return OK;
        }
        documents_fini(ret);
    }
    enum errc rc = yaml_read(text, label, collect, &c, err);
    if (rc != OK && json_err.code != OK) {
        /* It began as JSON, so that is what its writer wants to hear about. */
        *err = json_err;
        return err->code;
    }
    return rc;
}

enum errc file_read(const char *path, size_t limit, struct buf *ret, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot read %s: %s", path, strerror(errno));
    }
    char piece[65536];
    ssize_t n;
    while ((n = read(fd, piece, sizeof(piece))) > 0 && ret->n <= limit) {
        buf_add(ret, piece, (size_t)n);
    }
    int why = errno;
    if (!is_stdin) {
        (void)close(fd);
    }
    if (n < 0) {
        return err_set(err, ERR_NOT_FOUND, "cannot read %s: %s", path, strerror(why));
    }
    if (ret->full || ret->n > limit) {
        return err_set(err, ERR_TOO_LARGE, "%s is larger than %zu MiB", path, limit >> 20);
    }
    return OK;
}

enum errc documents_from_file(const char *path, struct documents *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, DOCUMENT_BYTES_MAX + 65536);
    enum errc rc = file_read(path, DOCUMENT_BYTES_MAX, &text, err);
    if (rc != OK) {
        return rc;
    }
    CLEANUP(documents_fini) struct documents found = {.arrays = ret->arrays};
    size_t n = strlen(path);
    bool only_json = n > 5 && strcmp(path + n - 5, ".json") == 0;
    const char *label = strcmp(path, "-") == 0 ? "stdin" : path;
    rc = documents_from_bytes(buf_str(&text), label, only_json, &found, err);
    if (rc == OK && found.n == 0) {
        return err_field(err, ERR_INVALID, label, "%s holds no document", label);
    }
    if (rc == OK) {
        documents_move(&found, ret);
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 * (1) An anchor is known only when its node is complete, so no node can contain itself.
 * (2) A node's weight is the number of nodes it stands for when all aliases are written out. The
 * sum of all weights is bounded, so that an alias costs as much as what it repeats. (3) Aliased
 * values are shared, never changed. */
#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

#include "cli/yaml.h"
#include "store/model/json.h"

struct anchor {
    struct anchor *next;
    char *name;
    json_t *value;
    size_t weight;
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one at hand */
    bool has_event;
    const char *label;
    struct anchor *anchors; /* of this document, the newest first */
    size_t weight;          /* (2) */
    size_t depth;
};

static enum errc reader_fail(struct reader *r, yaml_mark_t at, struct err *err, const char *what)
{
    return err_field(err, ERR_INVALID, r->label, "%s: line %zu, column %zu: %s", r->label,
                     at.line + 1, at.column + 1, what);
}

static enum errc reader_next(struct reader *r, struct err *err)
{
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        const char *problem = r->parser.problem != NULL ? r->parser.problem : "this is no YAML";
        return reader_fail(r, r->parser.problem_mark, err, problem);
    }
    r->has_event = true;
    return OK;
}

static void anchors_clear(struct reader *r)
{
    while (r->anchors != NULL) {
        struct anchor *a = r->anchors;
        r->anchors = a->next;
        free(a->name);
        json_decref(a->value);
        free(a);
    }
}

static void anchor_set(struct reader *r, char *name, json_t *value, size_t weight)
{
    if (name == NULL) {
        return;
    }
    struct anchor *a = mem_alloc(sizeof(*a));
    *a = (struct anchor){r->anchors, name, json_incref(value), weight};
    r->anchors = a;
}

static char *anchor_name(const yaml_char_t *name)
{
    return name != NULL ? mem_strdup((const char *)name) : NULL;
}

static enum errc count(struct reader *r, size_t weight, struct err *err)
{
    r->weight += weight;
    if (r->weight > YAML_NODES_MAX) {
        return reader_fail(r, r->event.start_mark, err,
                           "too many values, those repeated by aliases included");
    }
    return OK;
}

#define CORE "tag:yaml.org,2002:"

static bool tag_is(const yaml_char_t *tag, const char *name)
{
    return strcmp((const char *)tag, name) == 0;
}

/* A scalar with a tag, or one in quotes. */
static enum errc tagged_scalar(struct reader *r, struct str text, const yaml_char_t *tag,
                               json_t **ret, struct err *err)
{
    if (tag == NULL || tag_is(tag, "!") || tag_is(tag, CORE "str")) {
        *ret = json_stringn(text.p, text.n);
        return *ret != NULL ? OK : reader_fail(r, r->event.start_mark, err, "this is not UTF-8");
    }
    const char *why = "the value is not what its tag says";
    json_t *v = yaml_plain_scalar(text, &why);
    bool fits = v != NULL && ((tag_is(tag, CORE "int") && json_is_integer(v)) ||
                              (tag_is(tag, CORE "float") && json_is_number(v)) ||
                              (tag_is(tag, CORE "bool") && json_is_boolean(v)) ||
                              (tag_is(tag, CORE "null") && json_is_null(v)));
    if (fits && tag_is(tag, CORE "float") && json_is_integer(v)) {
        double d = (double)json_integer_value(v);
        json_decref(v);
        v = json_real(d);
    }
    if (fits) {
        *ret = v;
        return OK;
    }
    json_decref(v);
    bool known = strncmp((const char *)tag, CORE, strlen(CORE)) == 0;
    return reader_fail(r, r->event.start_mark, err, known ? why : "there is no such tag in JSON");
}

static enum errc read_scalar(struct reader *r, json_t **ret, struct err *err)
{
    struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
    if (text.n != 0 && memchr(text.p, '\0', text.n) != NULL) {
        return reader_fail(r, r->event.start_mark, err, "a string must not contain NUL");
    }
    bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const yaml_char_t *tag = r->event.data.scalar.tag;
    if (!plain || tag != NULL) {
        return tagged_scalar(r, text, tag, ret, err);
    }
    const char *why = "this is not UTF-8";
    *ret = yaml_plain_scalar(text, &why);
    return *ret != NULL ? OK : reader_fail(r, r->event.start_mark, err, why);
}

static enum errc read_alias(struct reader *r, json_t **ret, struct err *err)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    for (const struct anchor *a = r->anchors; a != NULL; a = a->next) {
        if (strcmp(a->name, name) == 0) {
            *ret = json_incref(a->value);
            return count(r, a->weight, err);
        }
    }
    return reader_fail(r, r->event.start_mark, err,
                       "there is no complete value with this anchor before it");
}

static enum errc read_node(struct reader *r, json_t **ret, struct err *err);

static enum errc read_sequence(struct reader *r, json_t *list, struct err *err)
{
    for (;;) {
        enum errc rc = reader_next(r, err);
        if (rc != OK || r->event.type == YAML_SEQUENCE_END_EVENT) {
            return rc;
        }
        json_t *item = NULL;
        rc = read_node(r, &item, err);
        if (rc != OK) {
            return rc;
        }
        json_array_append_new(list, item);
    }
}

/* Puts the key's text into *ret (new). */
static enum errc read_key(struct reader *r, char **ret, struct err *err)
{
    if (r->event.type != YAML_SCALAR_EVENT) {
        return reader_fail(r, r->event.start_mark, err, "a key must be a plain or quoted text");
    }
    const char *text = (const char *)r->event.data.scalar.value;
    if (strlen(text) != r->event.data.scalar.length) {
        return reader_fail(r, r->event.start_mark, err, "a key must not contain NUL");
    }
    if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(text, "<<") == 0) {
        return reader_fail(r, r->event.start_mark, err,
                           "YAML 1.2 has no merge keys (<<); write the members out");
    }
    *ret = mem_strdup(text);
    return OK;
}

static enum errc read_mapping(struct reader *r, json_t *object, struct err *err)
{
    for (;;) {
        enum errc rc = reader_next(r, err);
        if (rc != OK || r->event.type == YAML_MAPPING_END_EVENT) {
            return rc;
        }
        CLEANUP(freep) char *key = NULL;
        rc = read_key(r, &key, err);
        if (rc != OK) {
            return rc;
        }
        if (json_object_get(object, key) != NULL) {
            CLEANUP(freep) char *what = mem_printf("the key \"%.200s\" is there twice", key);
            return reader_fail(r, r->event.start_mark, err, what);
        }
        json_t *value = NULL;
        rc = reader_next(r, err);
        rc = rc == OK ? read_node(r, &value, err) : rc;
        if (rc != OK) {
            return rc;
        }
        if (json_object_set_new(object, key, value) != 0) {
            return reader_fail(r, r->event.start_mark, err, "this is not UTF-8");
        }
    }
}

/* A collection, whose opening event is at hand. */
static enum errc read_collection(struct reader *r, bool mapping, json_t **ret, struct err *err)
{
    const yaml_char_t *tag =
        mapping ? r->event.data.mapping_start.tag : r->event.data.sequence_start.tag;
    if (tag != NULL && !tag_is(tag, mapping ? CORE "map" : CORE "seq")) {
        return reader_fail(r, r->event.start_mark, err, "there is no such tag in JSON");
    }
    if (r->depth == YAML_DEPTH_MAX) {
        return reader_fail(r, r->event.start_mark, err, "this is nested too deep");
    }
    CLEANUP(json_decrefp) json_t *v = mapping ? json_object() : json_array();
    r->depth++;
    enum errc rc = mapping ? read_mapping(r, v, err) : read_sequence(r, v, err);
    r->depth--;
    if (rc == OK) {
        *ret = TAKE(v);
    }
    return rc;
}

/* The node whose first event is at hand; afterwards its last one is. *ret is a new reference. */
static enum errc read_node(struct reader *r, json_t **ret, struct err *err)
{
    size_t before = r->weight;
    enum errc rc = count(r, 1, err);
    if (rc != OK) {
        return rc;
    }
    CLEANUP(freep) char *anchor = NULL;
    CLEANUP(json_decrefp) json_t *v = NULL;
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        rc = read_alias(r, &v, err);
        break;
    case YAML_SCALAR_EVENT:
        anchor = anchor_name(r->event.data.scalar.anchor);
        rc = read_scalar(r, &v, err);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = anchor_name(r->event.data.sequence_start.anchor);
        rc = read_collection(r, false, &v, err);
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = anchor_name(r->event.data.mapping_start.anchor);
        rc = read_collection(r, true, &v, err);
        break;
    default:
        rc = reader_fail(r, r->event.start_mark, err, "a value was expected here");
        break;
    }
    if (rc != OK) {
        return rc;
    }
    anchor_set(r, TAKE(anchor), v, r->weight - before); /* (1) */
    *ret = TAKE(v);
    return OK;
}

static bool is_empty_document(const struct reader *r)
{
    return r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0 &&
           r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static enum errc read_document(struct reader *r, yaml_document_fn *fn, void *arg, struct err *err)
{
    enum errc rc = reader_next(r, err);
    if (rc != OK) {
        return rc;
    }
    bool empty = is_empty_document(r);
    CLEANUP(json_decrefp) json_t *v = NULL;
    rc = read_node(r, &v, err);
    if (rc == OK) {
        rc = reader_next(r, err); /* the document's end */
    }
    anchors_clear(r);
    return rc == OK && !empty ? fn(arg, v, err) : rc;
}

static enum errc read_stream(struct reader *r, yaml_document_fn *fn, void *arg, struct err *err)
{
    for (;;) {
        enum errc rc = reader_next(r, err);
        if (rc != OK || r->event.type == YAML_STREAM_END_EVENT) {
            return rc;
        }
        if (r->event.type == YAML_DOCUMENT_START_EVENT) {
            rc = read_document(r, fn, arg, err);
        }
        if (rc != OK) {
            return rc;
        }
    }
}

enum errc yaml_read(struct str text, const char *label, yaml_document_fn *fn, void *arg,
                    struct err *err)
{
    struct reader r = {.label = label};
    if (!yaml_parser_initialize(&r.parser)) {
        return err_set(err, ERR_INTERNAL, "no YAML parser");
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n != 0 ? text.p : ""),
                                 text.n);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    enum errc rc = read_stream(&r, fn, arg, err);
    if (r.has_event) {
        yaml_event_delete(&r.event);
    }
    anchors_clear(&r);
    yaml_parser_delete(&r.parser);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A set of fields of a document, as a trie. A field is a path of steps:
 *
 *   f:name          the member of a map
 *   k:{"uid":"1"}   the item of a list that is a map, by its keys
 *   v:"blue"        the item of a list that is a set, by its value
 *
 * Its text is Kubernetes' fieldsV1, {"f:spec":{".":{},"f:color":{}}}: a step below which there is
 * nothing is a field of the set; one below which there is something is one iff it has ".". Steps
 * are in bytewise order, so that equal sets have equal texts.
 * A struct fields is one step with what is below; a set is the root, whose step is empty. No step
 * is without use: what is neither in the set nor above something that is, goes away.
 * Pure; a set belongs to one thread at a time. */
#ifndef WATCHD_MODEL_FIELDS_H
#define WATCHD_MODEL_FIELDS_H

#include "store/model/json.h"

/* Steps of a path. What nests deeper is one value to whoever makes a set; so the text of a set,
 * and a document that shows it, stay within JSON_DEPTH_MAX. */
#define FIELDS_DEPTH_MAX 56

struct fields {
    struct str step;  /* allocated */
    bool here;        /* the path that ends here is in the set */
    struct fields *v; /* below, sorted by step */
    size_t n, cap;
};

struct fields *fields_new(void);
void fields_free(struct fields *s); /* NULL is fine. */
void fields_freep(struct fields **s);
struct fields *fields_copy(const struct fields *s);

/* Making a set from the top: adds a step below `at`, which has none like it; borrowed until the
 * next one is added there. Once all are there, fields_settle(at) puts them in order and drops those
 * without use. */
struct fields *fields_add(struct fields *at, char kind, struct str name);
void fields_settle(struct fields *at);

bool fields_is_empty(const struct fields *s);
bool fields_equal(const struct fields *a, const struct fields *b);
/* The step of this kind and name below `at`, or NULL. */
const struct fields *fields_find(const struct fields *at, char kind, struct str name);

/* In place: `s` with all of `other`, without what is in `other`, with only what is in both. */
void fields_join(struct fields *s, const struct fields *other);
void fields_minus(struct fields *s, const struct fields *other);
void fields_keep(struct fields *s, const struct fields *other);

/* The set as JSON. */
void fields_write(const struct fields *s, struct buf *out);
/* The set that `v` says. *ret is new. Errors: ERR_INVALID with the given field. */
enum errc fields_read(const json_t *v, const char *field, struct fields **ret,
                      struct err *err) NODISCARD;

/* Calls fn with the path of each field in order, as a person writes it:
 * spec.ports[name="web"].port, metadata.finalizers[="a/b"], metadata.labels["a b"]. Paths are cut
 * at FIELDS_PATH_MAX bytes. */
#define FIELDS_PATH_MAX 1024
void fields_each(const struct fields *s, void (*fn)(void *arg, struct str path), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A draft: a checked document on its way to become an object. Parsing, checking and writing the
 * text happen once, when the request comes in; what only the writer knows (uid, creation time) is
 * put in later by draft_finish, which only joins texts.
 * Pure functions; a draft is immutable after it was made. */
#ifndef WATCHD_MODEL_DRAFT_H
#define WATCHD_MODEL_DRAFT_H

#include "store/model/json.h"
#include "store/model/object.h"
#include "store/model/resource_definition.h"

/* How a document given to `put` is understood (DESIGN's "bare JSON"). */
enum document_form {
    DOCUMENT_WHOLE, /* has `metadata` (an object), or apiVersion and kind, or only spec/status */
    DOCUMENT_SPEC,  /* any other JSON object: it is the new spec */
};
/* Errors: ERR_INVALID for arrays and scalars. */
enum errc document_form_of(const json_t *doc, enum document_form *ret, struct err *err) NODISCARD;

/* What a request demands of the object as it is. */
struct precondition {
    rv_t rv;                /* 0: any */
    char uid[UUID_LEN + 1]; /* "": any */
};

struct draft;

struct draft_rules {
    size_t limit_bytes;                     /* of the text, with what the server adds */
    struct resource_definition *definition; /* of the resource; NULL: it has none */
};

/* Checks a whole document against its key and makes a draft of it. Identity in the document may be
 * absent, and must equal the key's where present. Members of metadata that the server sets (uid,
 * resourceVersion, generation, creationTimestamp, …) are left out of the draft;
 * resourceVersion and uid are given back as a precondition (null and "" mean none).
 * apiVersion and kind are filled in where absent; null counts as absent there, and everywhere
 * directly in metadata. `doc` is borrowed.
 * ret_pre may be NULL: then both are ignored.
 * The resource's definition judges the document, its defaults are filled in, and it tells
 * apiVersion and kind where they are absent. A document of the resource `resources` must itself be
 * a definition. Errors: ERR_INVALID or ERR_TOO_LARGE with the field ("metadata.labels[\"a b\"]").
 */
enum errc draft_new(const struct key *key, const json_t *doc, const struct draft_rules *rules,
                    struct draft **ret, struct precondition *ret_pre, struct err *err) NODISCARD;
void draft_free(struct draft *d); /* NULL is fine. */
void draft_freep(struct draft **d);
/* Bytes of the text at most, for queue accounting. */
size_t draft_size(const struct draft *d);
/* What it was judged by, or NULL. Borrowed. */
const struct resource_definition *draft_definition(const struct draft *d);
/* The array metadata.finalizers; NULL if there is none or it is empty. Borrowed. */
const json_t *draft_finalizers(const struct draft *d);

/* The next version of an object: `cur` (NULL: it is created, with this uid and time) replaced by
 * the draft. *ret is a new object, or NULL when it would equal `cur` (a no-op; the order of
 * members is no difference). The generation follows the rule in object.h; a deletion that has begun
 * goes on. */
void draft_finish(const struct draft *d, const struct object *cur, const char *uid, wall_ms_t now,
                  struct object **ret);

#endif

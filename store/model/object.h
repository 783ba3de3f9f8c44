/* SPDX-License-Identifier: Apache-2.0 */
/* An object: one version of one JSON document, immutable and counted.
 *
 * The stored body is the whole document without what changes with every write:
 *
 *   {"apiVersion":"…","kind":"…","metadata":{"name":"…","namespace":"…","uid":"…",▲
 *    "creationTimestamp":"…"[,"deletionTimestamp":"…"][,"labels":{…}][,"annotations":{…}]
 *    [,…]}[,"spec":…][,…]}
 *
 * `splice` is the offset of ▲, where `"resourceVersion":"97","generation":2,` goes on output; so
 * text is made once and never re-serialised.
 * Pure functions; reference counts are atomic. */
#ifndef WATCHD_MODEL_OBJECT_H
#define WATCHD_MODEL_OBJECT_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/err.h"
#include "store/base/random.h"
#include "store/model/name.h"

#define OBJECT_MAX_BYTES      (1024 * 1024) /* default limit of a document */
#define ANNOTATIONS_MAX_BYTES (256 * 1024)  /* keys and values together, as in Kubernetes */
#define API_VERSION_DEFAULT   "watch/v1"

struct object {
    _Atomic int refs;
    uint32_t splice;     /* offset in body where version and generation belong */
    rv_t rv;             /* version that wrote it; 0 while it is not committed */
    uint64_t generation; /* 1 at creation; +1 when anything outside metadata and status changes, and
                            when the deletion begins */
    uint64_t hash;       /* of all the user gave: equal documents, equal hashes */
    uint64_t spec_hash;  /* json_hash of all outside metadata and status */
    struct key key;
    struct str labels; /* canonical */
    struct str body;   /* as above */
};

/* A new object with room for copies of all strings (one allocation); rv is 0. */
struct object *object_new(const struct key *key, struct str labels, struct str body,
                          uint32_t splice, uint64_t generation, uint64_t hash, uint64_t spec_hash);
/* The same, but the caller writes the body's bytes, through *ret_body, before anyone sees it. */
struct object *object_new_unwritten(const struct key *key, struct str labels, size_t body_n,
                                    uint32_t splice, uint64_t generation, uint64_t hash,
                                    uint64_t spec_hash, char **ret_body);
struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL is fine. */
void object_unrefp(struct object **o);

/* The uid and the creation time in the body. Borrowed. */
struct str object_uid(const struct object *o);
struct str object_created(const struct object *o);
/* When its deletion began; empty if it did not. Borrowed. */
struct str object_deletion(const struct object *o);
/* Both times as they lie in the body, behind `splice`. Borrowed. */
struct str object_times(const struct object *o);
#define OBJECT_TIMES_MAX (2 * CLOCK_RFC3339_LEN + 45)

/* Does it have finalizers, so that its deletion waits? */
bool object_has_finalizers(const struct object *o);
/* A new object: o with its deletion begun at `now`; rv is 0. */
struct object *object_begin_deletion(const struct object *o, wall_ms_t now);

/* The text that goes in at `splice`; without a version if rv is 0. */
#define SPLICE_MAX 80
size_t splice_text(rv_t rv, uint64_t generation, char ret[SPLICE_MAX]);
/* Appends the document as clients see it. `body` and `splice` as stored. */
void object_render(struct str body, uint32_t splice, rv_t rv, uint64_t generation, struct buf *out);

/* The stored body as a tree, without version and generation. New reference, never NULL: a body that
 * is no JSON is a fault of ours. */
json_t *object_tree(const struct object *o);

#endif

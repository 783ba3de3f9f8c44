/* SPDX-License-Identifier: Apache-2.0 */
/* What is one value and what has parts, for those who merge documents and keep owners of fields.
 * Unless a schema says otherwise, a map has its members for parts, and all else is one value, lists
 * too. A list may be declared a set of scalars, or a map whose items are known by some of their
 * members; one that is not what it is declared to be (an item without its keys, two alike) or too
 * large for that is one value.
 * Pure. See: schema.h. */
#ifndef WATCHD_MODEL_SHAPE_H
#define WATCHD_MODEL_SHAPE_H

#include "store/model/schema.h"

enum shape_kind {
    SHAPE_PLAIN,  /* a map has members, all else is one value */
    SHAPE_ATOMIC, /* one value, even if it is a map */
    SHAPE_SET,
    SHAPE_KEYED, /* a list that is a map */
};

/* What is declared about one place and the places below it. A value; borrows. */
struct shape {
    enum shape_kind kind;
    const struct str *keys; /* SHAPE_KEYED: the members that tell items apart */
    size_t n_keys;
    const struct schema *schema; /* NULL: nothing is declared */
    bool metadata;               /* it is metadata, whose lists are declared by us */
};

/* Of a member of a whole document whose schema is this (NULL: there is none). */
struct shape shape_top(const struct schema *schema, struct str member);
/* Of a member of a map; of the items of a list. */
struct shape shape_member(const struct shape *s, struct str name);
struct shape shape_item(const struct shape *s);
/* Is this member one of the keys by which items of such a list are known? */
bool shape_is_key(const struct shape *s, struct str name);

/* Bytes that the names of all items of a list may have. A default that is one of their keys is in
 * the name of each item, so a small list can have very long ones. */
#define PARTS_NAMES_MAX ((size_t)32 * 1024 * 1024)

/* Why a list is not what it is declared to be. */
enum parts_fault {
    PARTS_NO_KEY,    /* an item lacks the key parts.key, or it is no scalar there */
    PARTS_NO_SCALAR, /* of a set */
    PARTS_TWICE,
    PARTS_TOO_LARGE, /* PARTS_NAMES_MAX */
};

/* A value with its parts. */
struct part {
    struct str name; /* of a member: its name; else what stands behind k: or v:; see fields.h */
    const json_t *value;
};
struct parts {
    char kind;      /* 'f', 'k' or 'v'; 0: it is one value, without parts */
    struct part *v; /* in the order of the value */
    size_t n;
    size_t bad; /* of a list that is not what it is declared to be: the item at fault */
    enum parts_fault fault;
    struct str key;      /* borrowed from the shape */
    const json_t *map;   /* 'f' */
    struct part **found; /* others: by name */
    char *texts;         /* of the names of others */
};

/* The parts of `value` (NULL: there is none), `depth` steps below the top. They borrow from it.
 * Every parts_of is followed by parts_fini. */
void parts_of(const json_t *value, const struct shape *s, int depth, struct parts *ret);
void parts_fini(struct parts *p);
/* The value of the part; NULL if there is none. */
const json_t *parts_find(const struct parts *p, struct str name);
/* Of a part of a value of this shape. */
struct shape parts_shape(const struct parts *p, const struct shape *s, struct str name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Selections: which objects a list or a watch is about. One watch may have several; their union is
 * one ordered stream. Compiled selections are immutable; matching may run on any thread. */
#ifndef WATCHD_MODEL_SELECTION_H
#define WATCHD_MODEL_SELECTION_H

#include "store/model/field_selector.h"
#include "store/model/name.h"
#include "store/model/selector.h"

#define SELECTIONS_MAX 64 /* of one watch */

/* One selection as it is asked for. Borrowed. */
struct selection {
    struct str resource; /* "all": every resource; "": the default */
    struct str ns;       /* "": the default, unless all_namespaces */
    bool all_namespaces;
    struct str name;           /* "": any */
    struct str label_selector; /* "": any */
    struct str field_selector; /* "": any */
};

/* One selection compiled. Owned by its struct selections. A field selector that demands one name or
 * namespace narrows the scope, and is judged only if it demands more than that. */
struct scope {
    struct str resource; /* "" every */
    struct str ns;       /* "" every */
    struct str name;     /* "" every */
    struct selector *labels;
    struct field_selector *fields;
    bool by_fields; /* `fields` must be judged */
};

struct selections;

/* *ret is new; n == 0 is the default resource and namespace. `field` names the argument in errors:
 * "selections[2].label_selector"; with single, "selection.label_selector".
 * Errors: ERR_INVALID, ERR_LIMIT. */
enum errc selections_new(const struct selection *v, size_t n, bool single, struct selections **ret,
                         struct err *err) NODISCARD;
void selections_free(struct selections *s); /* NULL is fine. */
size_t selections_count(const struct selections *s);
const struct scope *selections_at(const struct selections *s, size_t i);
/* The i-th in canonical words, to be shown and compared. Borrowed. */
void selections_show(const struct selections *s, size_t i, struct selection *ret);
/* The same for all in one text, for tokens that must belong to the same selection: a hash. */
uint64_t selections_hash(const struct selections *s);

bool scope_covers(const struct scope *s, const struct key *k);
/* The first of them, from *i on, which selects an object with this key and these labels if its
 * fields are right, too. False if there is none; *i is moved to it. */
bool selections_next(const struct selections *s, const struct key *k, struct str labels, size_t *i);
/* Does any of them select this version of an object? */
bool selections_match(const struct selections *s, const struct subject *f, struct str labels);
/* The same but for the fields, in two steps, so that equal labels need be judged only once: the
 * scopes that cover a key, as a set of bits, and whether the labels match one of them. */
uint64_t selections_cover(const struct selections *s, const struct key *k);
bool selections_match_labels(const struct selections *s, uint64_t cover, struct str labels);
/* Where to go on in an index in key order: no key in [k, *ret) could be selected, by resource,
 * namespace and name only. *ret is k iff k itself could be; else it lies ahead and need not be a
 * valid key: look up the first key at or behind it and ask again. False if nothing >= k could be
 * selected. *ret borrows from s and k. */
bool selections_seek(const struct selections *s, const struct key *k, struct key *ret);

#endif

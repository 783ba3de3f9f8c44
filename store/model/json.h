/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text in and out, strictly, over jansson's tree.
 * In: UTF-8; duplicate keys, integers outside int64, more than 64 levels, NUL in strings and
 * anything after the value are refused, naming the place. Out: the members' order as read, no
 * spaces, reals in the shortest form that reads back equal (0.42 stays 0.42; 1.0 stays 1.0).
 * Pure functions. See: RFC 8259, RFC 7493 (I-JSON). */
#ifndef WATCHD_MODEL_JSON_H
#define WATCHD_MODEL_JSON_H

#include <jansson.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

#define JSON_DEPTH_MAX 64

/* *ret is a new reference. Errors: ERR_INVALID with the given field (what `text` is called) and
 * line and column, or the path of a duplicate key. */
enum errc json_text_parse(struct str text, const char *field, json_t **ret,
                          struct err *err) NODISCARD;
/* Appends the value. */
void json_text_write(const json_t *v, struct buf *out);
/* Appends a string in quotes, escaped. */
void json_text_string(struct str s, struct buf *out);

/* A hash of the value which does not depend on the order of members: equal values have equal
 * hashes. 1 and 1.0 are different values. */
uint64_t json_hash(const json_t *v);

/* For CLEANUP there is jansson's own json_decrefp. */

/* For jansson's functions that read a value, or count a reference, and yet take no const. */
static inline json_t *json_mutable(const json_t *v)
{
    return (json_t *)(uintptr_t)v;
}

/* How many levels of arrays and objects the value has; a scalar has none. Stops counting above
 * JSON_DEPTH_MAX. */
int json_depth(const json_t *v);

/* About how much memory the tree takes: many times its text when it is made of many small values. */
size_t json_tree_bytes(const json_t *v);

#endif

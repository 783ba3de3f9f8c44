/* SPDX-License-Identifier: Apache-2.0 */
/* Names: the syntax of what identifies objects and of label keys and values.
 * Pure functions. Errors are ERR_INVALID with `field` set to what the caller passes.
 * See: RFC 1123; Kubernetes' "Object Names and IDs" and "Labels and Selectors". */
#ifndef WATCHD_MODEL_NAME_H
#define WATCHD_MODEL_NAME_H

#include "store/base/bytes.h"
#include "store/base/err.h"

#define RESOURCE_DEFAULT  "objects"
#define RESOURCE_ALL      "all" /* reserved: every resource */
#define NAMESPACE_DEFAULT "default"

#define NAME_MAX_LEN      253
#define NAMESPACE_MAX_LEN 63
#define RESOURCE_MAX_LEN  63

/* What identifies an object. Borrowed. */
struct key {
    struct str resource; /* plural noun: "objects" */
    struct str ns;
    struct str name;
};

#define KEY_MAX_LEN (RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN)

/* Bytes of its three texts. */
size_t key_len(const struct key *k);
/* The key whose texts, as long as those of k, stand one behind the other at `texts`. */
struct key key_at(const struct key *k, const char *texts);
/* Copies its texts to `room`, which has key_len(k) bytes and from which the copy borrows. */
struct key key_copy_to(const struct key *k, char *room);

/* By resource, then namespace, then name, each bytewise: the order of lists and snapshots. */
int key_cmp(const struct key *a, const struct key *b);
bool key_eq(const struct key *a, const struct key *b);

/* Plural noun: DNS-1123 label (starts with a letter), not "all". */
enum errc name_check_resource(struct str s, const char *field, struct err *err) NODISCARD;
/* DNS-1123 label, at most 63. */
enum errc name_check_namespace(struct str s, const char *field, struct err *err) NODISCARD;
/* DNS-1123 subdomain, at most 253; ':' is allowed inside as well. */
enum errc name_check_name(struct str s, const char *field, struct err *err) NODISCARD;
/* Fields: "key.resource", "key.namespace", "key.name". */
enum errc name_check_key(const struct key *k, struct err *err) NODISCARD;
/* [subdomain/]name: label and annotation keys, finalizers. */
enum errc name_check_qualified(struct str s, const char *field, struct err *err) NODISCARD;
enum errc name_check_label_value(struct str s, const char *field, struct err *err) NODISCARD;
/* A client id: 1 to 253 printable ASCII characters without spaces. */
enum errc name_check_client_id(struct str s, const char *field, struct err *err) NODISCARD;

/* A name that the server completes: `base`, cut to leave room, and five characters, as Kubernetes
 * makes them. */
#define NAME_SUFFIX_LEN      5
#define NAME_SUFFIX_ALPHABET "bcdfghjklmnpqrstvwxz2456789"
#define NAME_GENERATED_MAX   63
struct str name_generate(struct str base, const char suffix[NAME_SUFFIX_LEN],
                         char ret[NAME_GENERATED_MAX]);

/* The kind of an object that brings none: the resource's singular, capitalised ("jobs" → "Job",
 * "policies" → "Policy", "classes" → "Class", "cron-jobs" → "CronJob"). */
void name_kind_of_resource(struct str resource, char ret[RESOURCE_MAX_LEN + 1]);

#endif

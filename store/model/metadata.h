/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a document: which members users set, and the rules for them.
 * Pure functions. See: Kubernetes' metav1.ObjectMeta and its validation. */
#ifndef WATCHD_MODEL_METADATA_H
#define WATCHD_MODEL_METADATA_H

#include "store/model/json.h"
#include "store/model/name.h"

#define METADATA_OWNERS_MAX 256 /* each is looked for whenever one of them goes */

/* Checks `metadata` (NULL: there is none) of an object with this key and appends its labels in
 * canonical text. Of the members that the server sets only the type is looked at; uid and
 * resourceVersion are judged by metadata_expectations. null counts as absent.
 * Errors: ERR_INVALID, ERR_TOO_LARGE (annotations) with the field, "metadata.finalizers[2]". */
enum errc metadata_check(const struct key *key, const json_t *metadata, struct buf *ret_labels,
                         struct err *err) NODISCARD;

/* Only that name and namespace, where `metadata` has them, are the key's. Errors: ERR_INVALID. */
enum errc metadata_check_identity(const struct key *key, const json_t *metadata,
                                  struct err *err) NODISCARD;

/* Of an object whose deletion has begun: does `after` name no finalizer that `before` does not?
 * Both are checked arrays, or NULL for none. Errors: ERR_INVALID, "metadata.finalizers[1]". */
enum errc metadata_check_no_new_finalizers(const json_t *before, const json_t *after,
                                           struct err *err) NODISCARD;

/* The version and the uid that `metadata` (may be NULL) expects the object to have; 0 and "" if
 * none. Errors: ERR_INVALID with field "metadata.resourceVersion" or "metadata.uid". */
enum errc metadata_expectations(const json_t *metadata, rv_t *ret_rv, char *ret_uid,
                                size_t uid_size, struct err *err) NODISCARD;

/* The members that users set, in the order in which they are stored: labels, annotations,
 * ownerReferences, finalizers, then the others as they came, without nulls. New reference. */
json_t *metadata_of_user(const json_t *metadata);

#endif

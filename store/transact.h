/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: several writes of one batch, all of them or none, one version after the other, so
 * that a reader who stops only at the last one sees all or nothing.
 * Each operation has a request id of its own, made from the transaction's id and its key (of a
 * generated name: how that begins), which is stored with its event; so what was answered is
 * remembered, and found again after a restart, as for single writes. Threads: the writer's. */
#ifndef WATCHD_TRANSACT_H
#define WATCHD_TRANSACT_H

#include "store/batch.h"

/* Judges the operations in their order, each on what the batch leaves so far; of a dry run nothing
 * stays. Returns t->err.code; failing, nothing was added and t->err names the operation.
 * Errors: those of its operations; ERR_TOO_LARGE. */
enum errc transact(struct batch *b, struct write *t) NODISCARD;

/* Answers t as it was answered before; false if it never was. */
bool transact_repeat(struct store *s, struct requests *requests, struct write *t);
/* Of what it is about: the objects, in their order. */
uint64_t transact_hash(const struct write *t);

#endif

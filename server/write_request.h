/* SPDX-License-Identifier: Apache-2.0 */
/* A write on its way from a request to the store. Everything about it that does not need the object
 * as it is, is checked here, before the writer sees it.
 * Threads: one at a time; while the store has the write nobody touches it. */
#ifndef WATCHD_SERVER_WRITE_REQUEST_H
#define WATCHD_SERVER_WRITE_REQUEST_H

#include "proto/wire.h"
#include "store/store.h"

struct write_request {
    struct write write; /* borrows from the rest, and from the wire's arena */
    struct draft *draft;
    json_t *json;
    bool return_object;
};

/* The key as it is meant, its defaults filled in, checked. */
enum errc request_key(struct key *k, struct err *err) NODISCARD;

/* Who writes: empty, or a name that a client may use. Errors: ERR_INVALID with the field
 * field_manager. */
enum errc request_manager(struct str name, struct err *err) NODISCARD;

/* Empty: it has none. Its length was checked as it was read. */
void request_id_take(struct str id, struct write *w);

/* Fills *r, which is cleared before. write.done, arg and what else is counted in write.bytes are
 * the caller's. limit: bytes of one document; store: tells how resources are defined. Errors:
 * ERR_INVALID, ERR_TOO_LARGE. */
typedef enum errc write_request_fn(struct write_request *r, const struct wire_write_request *req,
                                   struct store *store, size_t limit, struct err *err);
write_request_fn write_request_put NODISCARD;
write_request_fn write_request_patch NODISCARD;
write_request_fn write_request_delete NODISCARD;
void write_request_fini(struct write_request *r);

/* The conflicts for which it was refused; NULL if it was not. Borrowed. */
const struct conflicts *write_request_conflicts(const struct write *w);
enum wire_result write_request_result(enum write_result r);

#endif

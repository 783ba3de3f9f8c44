/* SPDX-License-Identifier: Apache-2.0 */
/* A blocking call and what it hands out. */
#ifndef WATCHD_CLIENT_REPLY_H
#define WATCHD_CLIENT_REPLY_H

#include "cli/client/client.h"

struct reply {
    struct str text; /* of the answer, in the client's reply arena */
    struct err err;  /* code OK: text is there */
    bool from_server;
};

/* Sends `request` (taken) and waits. */
struct reply reply_to(struct watch_client *c, const char *method, bool write, struct buf *request);
/* Takes the result of decoding; reply->err was filled by it. */
void reply_read(struct reply *r, enum errc rc);
/* Memory for n things of this size, to show what the answer says. NULL, with the reply's error set,
 * when an answer was made to want more than its budget. */
void *reply_array(struct reply *r, struct arena *a, size_t n, size_t size);
/* A copy with a NUL behind it; "" for want of memory. */
const char *reply_text(struct arena *a, struct str s);
/* What the caller is shown of an object and of a write; texts live in the arena (objects.c). */
void reply_object(struct arena *a, const struct wire_object *o, struct watch_object *ret);
void reply_written(struct arena *a, const struct wire_write_response *w, struct watch_written *ret);
/* The caller's write on the wire, without request_id, dry_run and return_object; borrows. Errors:
 * ERR_INVALID. */
enum errc client_write(const struct watch_write *w, struct wire_write_request *ret,
                       struct err *err) NODISCARD;
/* The caller's selection on the wire; borrows. */
struct selection client_selection(const struct watch_selection *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The services' handlers, one file each; methods.c has the table. See struct method.
 * Threads: the I/O thread. */
#ifndef WATCHD_SERVER_SERVICES_H
#define WATCHD_SERVER_SERVICES_H

#include "server/call.h"

/* svc_object.c */
void object_get(struct call *c, struct str in);
void object_list(struct call *c, struct str in);

/* svc_history.c */
void object_history(struct call *c, struct str in);

/* svc_write.c */
void object_put(struct call *c, struct str in);
void object_patch(struct call *c, struct str in);
void object_delete(struct call *c, struct str in);

/* svc_collection.c */
void object_delete_collection(struct call *c, struct str in);

/* svc_transact.c */
void object_transact(struct call *c, struct str in);

/* svc_watch.c */
void watch_subscribe(struct call *c, struct str in);
void watch_unsubscribe(struct call *c, struct str in);
void watch_request_bookmark(struct call *c, struct str in);
void watch_list(struct call *c, struct str in);

/* svc_admin.c */
void admin_status(struct call *c, struct str in);
void admin_compact(struct call *c, struct str in);
void admin_metrics(struct call *c, struct str in);

/* svc_health.c */
void health_check(struct call *c, struct str in);
void health_watch(struct call *c, struct str in);
struct health *health_new(void);
/* From now on everything is NOT_SERVING, and who watches is told, then ended. */
void health_drain(struct health *h);
void health_free(struct health *h); /* NULL is fine. */

/* svc_reflection.c */
void reflection_info(struct call *c, struct str in);

#endif

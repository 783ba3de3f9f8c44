/* SPDX-License-Identifier: Apache-2.0 */
/* The table of resources that are defined: what the objects of the resource `resources` say,
 * compiled. It shows what is published: the writer changes it with the events that it publishes,
 * before the head moves, so whoever learnt of a definition finds it here.
 * Threads: any; a definition, once found, never changes. */
#ifndef WATCHD_DEFINITIONS_H
#define WATCHD_DEFINITIONS_H

#include "store/engine.h"
#include "store/model/resource_definition.h"

struct definitions;

struct definitions *definitions_new(void);
void definitions_free(struct definitions *t); /* NULL is fine. */

/* A new reference, or NULL: the resource is not defined. Costs next to nothing where none is. */
struct resource_definition *definitions_find(struct definitions *t, struct str resource);

/* `resources` is this object now (NULL: there is none of that name). An object that is no
 * definition, as another version of this program may have written, counts as none, with a line in
 * the server's log. */
void definitions_set(struct definitions *t, struct str resource, const struct object *o);
/* What events bring; others than those of `resources` are passed over. On the writer. */
void definitions_committed(struct definitions *t, const struct change *changes, size_t n);

#endif

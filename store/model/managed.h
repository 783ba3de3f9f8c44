/* SPDX-License-Identifier: Apache-2.0 */
/* The managers of an object: who owns which of its fields. One who applies owns what they applied,
 * and takes it away by not applying it any more; one who writes in another way owns what they
 * changed. The same name doing both is two managers, and so is the same name that writes the object
 * as a whole and its status as a subresource.
 *
 * The text is a JSON array, metadata.managedFields as Kubernetes shows it:
 *   [{"manager":"ci","operation":"Apply","time":"…","fieldsType":"FieldsV1","fieldsV1":{…}}, …]
 * with "subresource":"status" behind the time of whom that is about, in the order (operation, time,
 * name, subresource), each set canonical: the same managers, the same text.
 * Pure; a struct managed belongs to one thread at a time. */
#ifndef WATCHD_MODEL_MANAGED_H
#define WATCHD_MODEL_MANAGED_H

#include "store/base/clock.h"
#include "store/model/fields.h"

#define MANAGER_MAX_LEN   128 /* bytes of a name */
#define MANAGERS_APPLYING 64  /* of one object */
#define MANAGERS_UPDATING                                                  \
    10 /* of one object; more are joined, oldest first, as Kubernetes does \
        */
#define MANAGER_UNKNOWN "unknown"            /* a write that names nobody */
#define MANAGER_ANCIENT "ancient-changes"    /* those that were joined */
#define MANAGER_BEFORE  "before-first-apply" /* all that was there then */

struct manager {
    char *name;
    bool applies;                     /* operation Apply; else Update */
    bool status;                      /* by the status as a subresource */
    char time[CLOCK_RFC3339_LEN + 1]; /* when what it owns last changed by what it did */
    struct fields *set;
};

struct managed {
    struct manager *v;
    size_t n;
};

/* A manager's name: 1 to MANAGER_MAX_LEN bytes without control characters. Errors: ERR_INVALID with
 * field "field_manager". */
enum errc manager_check(struct str name, struct err *err) NODISCARD;

/* What `text` says; "": nobody. *ret is new. Errors: ERR_INVALID with field "managedFields". */
enum errc managed_read(struct str text, struct managed *ret, struct err *err) NODISCARD;
void managed_write(const struct managed *m, struct buf *out);
void managed_fini(struct managed *m);

/* The manager, or NULL. Borrowed until the next change. */
struct manager *managed_find(const struct managed *m, struct str name, bool applies, bool status);
/* The manager, made with an empty set if there is none. */
struct manager *managed_have(struct managed *m, struct str name, bool applies, bool status);
/* Forgets those who own nothing, joins what is too much (`max_bytes` bounds the text), and puts
 * the rest in order. Those who apply are never joined: false if they alone are too much. */
bool managed_settle(struct managed *m, size_t max_bytes);

#endif

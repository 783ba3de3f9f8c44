/* SPDX-License-Identifier: Apache-2.0 */
/* Dependents: which objects name which owners in their metadata.ownerReferences, by the owners'
 * uid, and those of them that are to be looked at, since an owner may be gone. Objects without
 * owners are not in it. What is in it is a hint: whoever acts on it looks at the objects
 * themselves. Nothing of it is stored: a job of the bulk reader finds the dependents again after
 * each start. Owned by the store. Threads: any. */
#ifndef WATCHD_DEPENDENTS_H
#define WATCHD_DEPENDENTS_H

#include <jansson.h>

#include "store/engine.h"

struct dependents;
struct store;

struct dependents *dependents_new(void);
void dependents_free(struct dependents *d); /* NULL is fine. */

/* What a commit did to owners and dependents. On the writer. */
void dependents_committed(struct dependents *d, const struct commit *c);
/* An object of the scan; one that is known already is left as it is. */
void dependents_found(struct dependents *d, const struct key *k, struct str body);
/* Is every dependent known? ERR_UNAVAILABLE while the scan goes on; ERR_DATA_LOSS if it met an
 * object that cannot be read: those behind it are known once they are written again. */
void dependents_scanned(struct dependents *d, enum errc outcome);
enum errc dependents_known(struct dependents *d);

/* Takes the first ones to be looked at, at most max; new keys, to be freed with
 * dependents_keys_fini. What happens to their owners from now on makes them due again. */
size_t dependents_due(struct dependents *d, struct key *ret, size_t max);
bool dependents_any_due(struct dependents *d);
/* They were looked at in vain, and are due again. */
void dependents_put_back(struct dependents *d, const struct key *keys, size_t n);
/* Those that name the owner, at most max. Returns how many. */
size_t dependents_of(struct dependents *d, struct str uid, struct key *ret, size_t max);
void dependents_keys_fini(struct key *keys, size_t n);

/* The owners that a stored body names: a new array of {…,"uid":…}, or NULL if it names none. */
json_t *owner_references(struct str body);

/* The job that finds all dependents; frees itself. *ret is NULL if there is none to be done. */
struct read_job;
struct read_job *dependents_scan_job(struct store *s);

#endif

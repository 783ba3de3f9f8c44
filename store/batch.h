/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: what goes into one commit. It shows each object as the writes before left it, staged
 * above what is committed, and keeps the changes in the order of their versions.
 * Owned by the writer; its thread only. */
#ifndef WATCHD_BATCH_H
#define WATCHD_BATCH_H

#include "store/base/arena.h"
#include "store/store_impl.h"

#define BATCH_WRITES 512

struct staged;

struct batch {
    struct store *store;
    struct write *writes[BATCH_WRITES];
    size_t n_writes;
    struct write *repeats[BATCH_WRITES]; /* of request ids within the batch: [i] repeats this one */
    uint64_t id_heads[BATCH_WRITES];     /* how the request ids begin, for a quick look */
    struct change changes[BATCH_WRITES];
    struct object *was[BATCH_WRITES]; /* what a change borrows from: references */
    struct object *is[BATCH_WRITES];
    size_t n_changes;
    bool defines;              /* objects of `resources` are among the changes */
    struct aside *asides;      /* in the order of their writes */
    struct str *asides_before; /* what was known before each; see batch_owners */
    size_t n_asides, cap_asides;
    int64_t expire_ms;      /* what has a deadline up to this may expire in this batch */
    struct staged *overlay; /* by key */
    struct arena arena;     /* texts of the changes and asides */
};

void batch_init(struct batch *b, struct store *s);
void batch_fini(struct batch *b);

/* The object as the batch leaves it so far, as a new reference, or NULL; and its row, 0 if it has
 * none yet. Errors: ERR_DATA_LOSS and those of reading. */
enum errc batch_current(struct batch *b, const struct key *k, struct object **ret, row_t *ret_row,
                        struct err *err) NODISCARD;

/* The definition of a resource as the batch leaves it so far, as a new reference, or NULL. */
enum errc batch_definition(struct batch *b, struct str resource, struct resource_definition **ret,
                           struct err *err) NODISCARD;

/* Adds the change from `was` to `is` (either may be NULL, not both) that w makes, and gives it its
 * version, which is returned. Takes both references. */
rv_t batch_change(struct batch *b, const struct write *w, struct object *was, struct object *is,
                  row_t row);

/* Appends the owners of an object as the batch leaves them so far; nothing if it has none.
 * Errors: ERR_DATA_LOSS and those of reading. */
enum errc batch_owners(struct batch *b, const struct key *k, row_t row, struct buf *out,
                       struct err *err) NODISCARD;
/* Sets the owners of an object that the batch leaves as `now`. */
void batch_set_owners(struct batch *b, const struct write *w, struct object *now, row_t row,
                      struct str owners);

/* Sets the deadline (0: none) of an object that the batch leaves as `now`. */
void batch_set_deadline(struct batch *b, const struct key *k, struct object *now, row_t row,
                        int64_t deadline_ms);
/* Does the batch set the deadline of an object of that key? */
bool batch_has_deadline(const struct batch *b, const struct key *k);

/* The changes from the one numbered `first` on are one transaction. */
void batch_tie(struct batch *b, size_t first);
/* How far the batch is; and takes back what came later, each of another object. */
struct batch_mark {
    size_t changes, asides;
};
struct batch_mark batch_mark(const struct batch *b);
void batch_undo(struct batch *b, struct batch_mark mark);

#endif

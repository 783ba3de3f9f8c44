/* SPDX-License-Identifier: Apache-2.0 */
/* Interest: by which keys the idle watchers of a watch set are indexed, in a form which the writer
 * can ask as it publishes: may this event concern one of them? "No" is certain; "yes" is wrong for
 * few keys, how few depends on how many are added: 2 in 100,000 events at 5,000 keys.
 *
 * A watcher is known by (resource, namespace, name), each exact or any. Which of them are exact is
 * the shape of the key, so an event has one key of each shape.
 *
 * A part of a watch set; zero it. Threads: interest_add and interest_drop the set's owner's, all
 * else any. All that is added is seen by who publishes a version that was not the head afterwards:
 * the owner adds, then reads the head; the writer stores the head, then asks; in one order for all.
 */
#ifndef WATCHD_INTEREST_H
#define WATCHD_INTEREST_H

#include <stdatomic.h>

#include "store/model/selection.h"

#define INTEREST_SHAPES    8
#define INTEREST_KEY_MAX   (RESOURCE_MAX_LEN + NAMESPACE_MAX_LEN + NAME_MAX_LEN + 4)
#define INTEREST_SLOT_BITS 19

struct interest_key {
    uint64_t hash; /* of text */
    unsigned shape;
    size_t n;
    char text[INTEREST_KEY_MAX]; /* the same for one key only, of all shapes */
};

struct interest {
    _Atomic unsigned shapes;          /* a bit for each with keys */
    size_t of_shape[INTEREST_SHAPES]; /* the owner's: keys added and not dropped */
    /* How many keys hash to it; one that was full once stays so, since who was counted is not
     * known. */
    _Atomic uint8_t slots[1u << INTEREST_SLOT_BITS];
};

void interest_key_of_scope(const struct scope *s, struct interest_key *ret);
/* shape < INTEREST_SHAPES */
void interest_key_of(unsigned shape, const struct key *k, struct interest_key *ret);

/* Each distinct key once, until it is dropped. */
void interest_add(struct interest *i, const struct interest_key *k);
void interest_drop(struct interest *i, uint64_t hash, unsigned shape);

/* A bit for each shape of which there are keys. */
unsigned interest_shapes(const struct interest *i);
bool interest_may_have(const struct interest *i, const struct interest_key *k);

#endif

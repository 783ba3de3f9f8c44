/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of requests: what was answered to which request id, for ten minutes and at most
 * REQUESTS_MAX of them, so that a repeat (its first answer was lost on the way) writes nothing.
 * Owned by the writer; its thread only. */
#ifndef WATCHD_REQUESTS_H
#define WATCHD_REQUESTS_H

#include "store/store.h"

#define REQUESTS_KEEP_MS (10 * 60 * 1000)
#define REQUESTS_MAX     (256 * 1024)

struct requests;

/* What was asked: a delete may be answered as other writes are (it waits for finalizers), and any
 * other may be answered DELETED (it took the last of them). */
enum asked { ASKED_UNKNOWN, ASKED_DELETE, ASKED_OTHER };

struct answer {
    enum asked asked;
    enum write_result result;
    rv_t rv; /* as in struct write */
    uint64_t generation;
    uint64_t key_hash;            /* of the key: an id used again for another object is an error */
    char suffix[NAME_SUFFIX_LEN]; /* of the name, should it be a generated one */
};

struct requests *requests_new(void);
void requests_free(struct requests *r); /* NULL is fine. */
/* NULL if it is not known. Borrowed until the next call. */
const struct answer *requests_find(struct requests *r, const uint8_t id[REQUEST_ID_LEN]);
/* Remembers; forgets what is older than REQUESTS_KEEP_MS or too much. */
void requests_keep(struct requests *r, const uint8_t id[REQUEST_ID_LEN],
                   const struct answer *answer, mono_ms_t now);
uint64_t requests_key_hash(const struct key *k);
/* The end of a name, for answer.suffix. */
void requests_suffix(const struct key *k, char ret[NAME_SUFFIX_LEN]);
/* The id of one object's part of a transaction. */
void requests_derive(const uint8_t id[REQUEST_ID_LEN], const struct key *k,
                     uint8_t ret[REQUEST_ID_LEN]);

/* What was answered to the write that made this event, as far as that can be told from it. */
struct answer requests_answer_of(const struct event *ev);

#endif

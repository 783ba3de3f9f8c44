/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a temporary folder for tests: the real engine, a codec that tests can read back, and
 * calls that wait. Threads: the test's own. */
#ifndef WATCHD_TESTS_STORE_FIXTURE_H
#define WATCHD_TESTS_STORE_FIXTURE_H

#include "store/store.h"
#include "store/watch.h"

struct fixture {
    char dir[64];
    char path[96];
    struct store_options opt; /* without engine; codec: NULL, or made from fixture_codec */
    const char *vfs;          /* NULL: the default */
    size_t fold_events;       /* 0: the default */
    /* Changes the engine before the store gets it. NULL: it stays as it is. */
    void (*adapt)(struct engine *e);
    struct store *store;
};

/* A new folder; then fixture_open. */
void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* How often a property is tried: n times, with WATCH_LONG=1 fifty times as often. */
unsigned fixture_rounds(unsigned n);

/* Waits for the answer; w->object is released unless keep. */
enum errc fixture_write(struct fixture *f, struct write *w);
/* Puts a whole document, {"metadata":{"labels":…},"spec":…}; labels and spec as JSON text. */
enum errc fixture_put(struct fixture *f, const char *resource, const char *ns, const char *name,
                      const char *labels, const char *spec, rv_t *ret_rv);
/* One operation of a transaction; doc: a whole document to put, NULL: delete or (check) only look.
 */
struct fixture_op {
    const char *resource, *ns, *name;
    const char *doc;
    bool check;
    rv_t if_rv;               /* 0: any */
    enum write_result result; /* out */
    rv_t rv;                  /* out */
};
/* id: NULL for none. *ret_err is the answer's. */
enum errc fixture_txn(struct fixture *f, struct fixture_op *ops, size_t n, const uint8_t *id,
                      bool dry_run, rv_t *ret_rv, struct err *ret_err);
enum errc fixture_delete(struct fixture *f, const char *resource, const char *ns, const char *name,
                         rv_t *ret_rv);
enum errc fixture_get(struct fixture *f, const char *resource, const char *ns, const char *name,
                      struct object **ret);
/* Who owns its fields, as text; new. NULL: there is no such object. */
char *fixture_owners(struct fixture *f, const char *resource, const char *ns, const char *name);
/* As of version `at`; 0: now. */
enum errc fixture_get_at(struct fixture *f, const struct key *key, rv_t at, struct object **ret,
                         struct err *ret_err);
rv_t fixture_compact(struct fixture *f, rv_t upto, enum errc *ret_rc);

/* ---- Events as the fixture's codec writes them ------------------------------------------------
 */

extern const struct codec fixture_codec;

struct seen {
    enum event_form form;
    enum cause cause;
    rv_t rv;
    rv_t prev_rv;   /* 0 unless previous objects were asked for */
    char key[400];  /* "resource/ns/name" */
    char *body;     /* as rendered; of FORM_LEFT the previous one */
    char *previous; /* NULL if there is none */
};
void seen_fini(struct seen *s);

/* ---- A watch that is pulled by the test --------------------------------------------------------
 */

struct test_watch {
    struct watcher *watcher;
    struct selections *sel; /* a copy of its own */
    struct selection spec[4];
    size_t n_spec;
    bool previous;
    bool parked;
    size_t bytes, events; /* of the last batch */
    uint8_t position[POSITION_MAX];
    size_t position_len;
};

/* Pulls one batch of a watch which is not parked; calls fn for each event. Returns the batch's
 * kind. */
enum watch_batch_kind test_watch_pull(struct test_watch *t,
                                      void (*fn)(void *arg, const struct seen *s), void *arg,
                                      rv_t *ret_synced, enum errc *ret_rc, struct err *err);
enum errc test_watch_open(struct watch_set *set, struct test_watch *t, enum watch_start start,
                          rv_t since, struct err *err);
void test_watch_fini(struct test_watch *t);
/* Kick of a set that nobody waits for. */
void test_kick(void *arg);

#endif

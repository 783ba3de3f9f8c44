/* SPDX-License-Identifier: Apache-2.0 */
/* The scan for dependents: after a start, all objects as of one version, in short steps of the
 * bulk reader. What is written meanwhile, the writer tells itself. */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "store/base/logline.h"
#include "store/dependents.h"
#include "store/view.h"

#define RETRY_MS 20

struct scan_job {
    struct read_job job;
    struct store *store;
    struct selections *all;
    struct view_walk walk;
    struct pin pin;
    bool begun;
};

static void scan_free(struct scan_job *j)
{
    if (j->begun) {
        view_walk_fini(&j->walk);
        store_unpin(j->store, &j->pin);
    }
    selections_free(j->all);
    free(j);
}

static bool take_object(void *arg, const struct object *o)
{
    struct store *s = arg;
    dependents_found(s->dependents, &o->key, o->body);
    return true;
}

static bool scan_step(struct read_job *job, struct engine_reader *r)
{
    struct scan_job *j = (struct scan_job *)job;
    struct store *s = j->store;
    struct err err;
    if (!j->begun) {
        rv_t rv = store_pin_head(s, &j->pin);
        view_walk_init(&j->walk, s, j->all, rv, NULL);
        j->begun = true;
    }
    enum errc rc = view_step(&j->walk, r, take_object, s, &err);
    if (rc == ERR_UNAVAILABLE) {
        /* The storage is failing, for other reads too. */
        (void)nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000 * 1000}, NULL);
    }
    if (rc == ERR_EXPIRED || rc == ERR_UNAVAILABLE) {
        view_walk_fini(&j->walk); /* again, from the beginning, as it is now */
        store_unpin(s, &j->pin);
        j->begun = false;
        return false;
    }
    if (rc == OK && !j->walk.end) {
        return false;
    }
    if (rc != OK) {
        log_error("not all owner references are known, since an object cannot be read: %s",
                  err.msg);
    }
    dependents_scanned(s->dependents, rc);
    writer_wake(s->writer);
    scan_free(j);
    return true;
}

static void scan_refuse(struct read_job *job, const struct err *err)
{
    (void)err;
    scan_free((struct scan_job *)job);
}

struct read_job *dependents_scan_job(struct store *s)
{
    const struct selection every = {.resource = STR(RESOURCE_ALL), .all_namespaces = true};
    struct scan_job *j = mem_zalloc(sizeof *j);
    struct err err;
    j->job.step = scan_step;
    j->job.refuse = scan_refuse;
    j->store = s;
    enum errc rc = selections_new(&every, 1, true, &j->all, &err);
    assert(rc == OK);
    return &j->job;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Gets: the newest version by the reader's point reads, which go first; an older one by a job. */
#include <stdlib.h>

#include "store/store_impl.h"
#include "store/view.h"

struct get_job {
    struct read_job job;
    struct store *store;
    struct get *get;
};

static void get_finish(struct get_job *j)
{
    struct get *g = j->get;
    reader_answered(j->store->reader, 1);
    free(j);
    g->done(g);
}

static bool get_step(struct read_job *job, struct engine_reader *r)
{
    struct get_job *j = (struct get_job *)job;
    struct store *s = j->store;
    struct get *g = j->get;
    if (atomic_load(&s->loaded) == LOAD_RUNNING) {
        return false; /* an older version needs the kept versions */
    }
    enum errc rc = view_check(s, r, g->at, &g->err);
    rc = rc == OK ? store_check_loaded(s, &g->err) : rc;
    rc = rc == OK ? view_get(s, r, &g->key, g->at, &g->object, &g->err) : rc;
    if (rc == OK) {
        g->err.code = OK; /* a detour on the way to the answer may have left its mark */
    }
    get_finish(j);
    return true;
}

static void get_refuse(struct read_job *job, const struct err *err)
{
    struct get_job *j = (struct get_job *)job;
    j->get->err = *err;
    get_finish(j);
}

enum errc store_get(struct store *s, struct get *g, struct err *err)
{
    if (g->at != 0 && g->owners != NULL) {
        return err_field(err, ERR_INVALID, "show_managed_fields",
                         "is of an object as it is now: owners have no versions");
    }
    if (reader_ask(s->reader, err) != OK) {
        return ERR_LIMIT;
    }
    g->err.code = OK;
    g->object = NULL;
    if (g->at == 0) {
        reader_submit_get(s->reader, g);
        return OK;
    }
    struct get_job *j = mem_zalloc(sizeof *j);
    j->job.step = get_step;
    j->job.refuse = get_refuse;
    j->store = s;
    j->get = g;
    reader_submit(s->reader, &j->job);
    return OK;
}

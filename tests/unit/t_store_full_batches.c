/* SPDX-License-Identifier: Apache-2.0 */
/* Compaction while every batch is as full as it can be. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "store_fixture.h"

#define WRITES  60000
#define OBJECTS 300
#define KEEP    8000

struct load {
    struct store *store;
    uint64_t most; /* events in the history at any answer; the writer's until all are done */
    atomic_size_t left;
};

static void done(struct write *w)
{
    struct load *l = w->arg;
    struct store_facts facts;
    store_facts(l->store, &facts);
    l->most = facts.history_events > l->most ? facts.history_events : l->most;
    assert(w->err.code == OK);
    object_unref(TAKE(w->object));
    atomic_fetch_sub(&l->left, 1);
}

static void the_history_stays_within_its_limit_however_much_is_written_at_once(void **state)
{
    (void)state;
    struct fixture f = {0};
    fixture_init(&f);
    f.opt.history_events = KEEP;
    fixture_open(&f);
    struct load l = {.store = f.store, .left = WRITES};
    struct write *writes = mem_zalloc(WRITES * sizeof(*writes));
    char(*names)[16] = mem_alloc(OBJECTS * sizeof(*names));
    json_t **specs = mem_alloc(WRITES * sizeof(*specs));
    for (size_t i = 0; i < WRITES; i++) {
        struct write *w = &writes[i];
        snprintf(names[i % OBJECTS], sizeof(*names), "n%zu", i % OBJECTS);
        specs[i] = json_pack("{s:I}", "v", (json_int_t)i);
        w->key = (struct key){STR("jobs"), STR("default"), str_of(names[i % OBJECTS])};
        w->verb = WRITE_SPEC;
        w->json = specs[i];
        w->bytes = 20;
        w->done = done;
        w->arg = &l;
    }
    for (size_t i = 0; i < WRITES; i++) {
        struct err err;
        assert_int_equal(store_submit(f.store, &writes[i], &err), OK);
    }
    while (atomic_load(&l.left) != 0) {
        usleep(1000);
    }
    /* An eighth, and what one batch or two may add before it is seen. */
    assert_in_range(l.most, KEEP, KEEP + KEEP / 8 + 2 * 512);
    for (size_t i = 0; i < WRITES; i++) {
        json_decref(specs[i]);
    }
    free(specs);
    free(names);
    free(writes);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_history_stays_within_its_limit_however_much_is_written_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

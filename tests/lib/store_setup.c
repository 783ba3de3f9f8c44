/* SPDX-License-Identifier: Apache-2.0 */
#include "store_setup.h"

#include <stdlib.h>

int fixture_setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    fixture_init(f);
    fixture_open(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_fini(*state);
    free(*state);
    return 0;
}

void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

char *fixture_text(struct fixture *f, const char *name)
{
    CLEANUP(object_unrefp) struct object *o = NULL;
    if (fixture_get(f, "jobs", "default", name, &o) != OK) {
        return NULL;
    }
    struct buf b;
    buf_init(&b, SIZE_MAX);
    object_render(o->body, o->splice, o->rv, o->generation, &b);
    buf_addc(&b, '\0');
    return b.p;
}

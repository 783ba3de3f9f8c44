/* SPDX-License-Identifier: Apache-2.0 */
/* What watchers must see: the history as it was written and acknowledged, and what the selections
 * of the test select of it, judged by other means than the store's. */
#ifndef WATCHD_TESTS_UNIT_WATCH_MODEL_H
#define WATCHD_TESTS_UNIT_WATCH_MODEL_H

#include "store_fixture.h"
#include "tests/unit/check.h"

#define KEYS   40
#define EVENTS 200000

struct version {
    bool there;
    rv_t rv;
    char labels[64]; /* canonical */
    char spec[600];
    int phase; /* of `phases`, in the spec */
    uint64_t generation;
};

struct model_event {
    rv_t rv;
    rv_t txn_end;
    int key;
    struct version before, after;
};

struct model {
    struct model_event *events; /* [i] has rv i + 1 */
    size_t n;
    struct version now[KEYS];
};

static struct model model;

static void key_names(int key, const char **resource, const char **ns, char name[16])
{
    static const char *const resources[] = {"jobs", "objects", "flags"};
    static const char *const spaces[] = {"default", "a", "ab"};
    *resource = resources[key % 3];
    *ns = spaces[(key / 3) % 3];
    snprintf(name, 16, "n%02d", key / 9);
}

static void key_text(int key, char ret[64])
{
    const char *resource = NULL, *ns = NULL;
    char name[16];
    key_names(key, &resource, &ns, name);
    snprintf(ret, 64, "%s/%s/%s", resource, ns, name);
}

static const char *const phases[] = {NULL, "run", "done", "3"};

/* The field selectors used here, and what they mean. */
static const char *const field_selectors[] = {
    "spec.phase=run",
    "spec.phase!=run",
    "spec.phase in (done,3),spec.phase!=3",
    "spec.phase=",
    "spec.phase!=",
    "metadata.name=n00",
    "metadata.name=n03,metadata.namespace=a",
    "metadata.namespace=ab,spec.phase=done",
    "metadata.name!=n03,spec.phase notin (run,done)",
    "metadata.labels.app=x",
    "metadata.generation=1",
    "metadata.resourceVersion=7,kind=Job",
};

static bool fields_match(struct str selector, const char *ns, const char *name,
                         const struct version *v)
{
    const char *phase = phases[v->phase] != NULL ? phases[v->phase] : "";
    bool run = strcmp(phase, "run") == 0;
    bool done = strcmp(phase, "done") == 0;
    for (int i = 0; i < 12; i++) {
        if (!str_eq(selector, str_of(field_selectors[i]))) {
            continue;
        }
        const bool means[] = {
            run,
            !run,
            done,
            *phase == '\0',
            *phase != '\0',
            strcmp(name, "n00") == 0,
            strcmp(name, "n03") == 0 && strcmp(ns, "a") == 0,
            strcmp(ns, "ab") == 0 && done,
            strcmp(name, "n03") != 0 && !run && !done,
            strstr(v->labels, "app=x") != NULL,
            v->generation == 1,
            false,
        };
        return means[i];
    }
    return selector.n == 0;
}

static bool matches(const struct test_watch *t, int key, const struct version *v)
{
    const char *resource = NULL, *ns = NULL;
    char name[16];
    key_names(key, &resource, &ns, name);
    for (size_t i = 0; v->there && i < t->n_spec; i++) {
        const struct selection *s = &t->spec[i];
        bool ok = (str_eq(s->resource, STR("all")) || str_eq(s->resource, str_of(resource))) &&
                  (s->all_namespaces || str_eq(s->ns, str_of(ns))) &&
                  (s->name.n == 0 || str_eq(s->name, str_of(name)));
        /* The selectors used here are plain enough to be judged by text. */
        if (ok && s->label_selector.n != 0) {
            ok = strstr(v->labels, s->label_selector.p) != NULL;
        }
        ok = ok && fields_match(s->field_selector, ns, name, v);
        if (ok) {
            return true;
        }
    }
    return false;
}

static void model_add(int key, rv_t rv, const struct version *after)
{
    assert_int_equal(rv, model.n + 1);
    assert_true(model.n < EVENTS);
    struct model_event *e = &model.events[model.n++];
    e->rv = rv;
    e->txn_end = rv;
    e->key = key;
    e->before = model.now[key];
    e->after = *after;
    e->after.rv = rv;
    e->after.generation =
        e->before.there ? e->before.generation + (strcmp(e->before.spec, after->spec) != 0) : 1;
    model.now[key] = e->after;
}

#endif

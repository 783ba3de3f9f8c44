/* SPDX-License-Identifier: Apache-2.0 */
/* Reads against a model: random sequences of puts, deletions, transactions, compactions and
 * restarts with lists under way between them. Every list, of any selection, at any version from the
 * floor to the head, in pages of any size, with tokens that are used before and after restarts;
 * every get at a version; and every history must be what the model says. The model is a table of
 * the state after each version, made of what was written and acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_pages.h"

#define KEYS      24
#define EVENTS    3000
#define OPEN      6 /* lists under way */
#define SEQUENCES 40
#define OPS       120

struct version {
    rv_t rv; /* 0: not there */
    int label, value;
};

struct model_event {
    int key;
    bool txn_inside; /* not the end of its transaction */
};

struct model {
    rv_t head;
    struct model_event events[EVENTS + 1];  /* [rv] */
    struct version state[EVENTS + 1][KEYS]; /* after rv */
};

/* A list under way: pages of one version. */
struct running {
    bool on;
    int sel;
    rv_t rv;
    int seen; /* keys below are told */
    bool counted;
    char token[PAGE_TOKEN];
};

static struct model *model;
static struct fixture fix;
static unsigned seed;

static unsigned roll(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* Keys in the order of (resource, namespace, name). */
static void key_of(int key, char resource[16], char ns[16], char name[16])
{
    static const char *const resources[] = {"flags", "jobs"};
    static const char *const spaces[] = {"a", "ab", "default"};
    snprintf(resource, 16, "%s", resources[key / 12]);
    snprintf(ns, 16, "%s", spaces[key / 4 % 3]);
    snprintf(name, 16, "n%d", key % 4);
}

static const struct {
    struct selection sel;
    int resource, ns, name, label; /* -1: any; label 2: none of them */
} choices[] = {
    {{.resource = STR("all"), .all_namespaces = true},                                     -1, -1, -1, -1},
    {{.resource = STR("jobs"), .all_namespaces = true},                                    1,  -1, -1, -1},
    {{.resource = STR("jobs"), .ns = STR("default")},                                      1,  2,  -1, -1},
    {{.resource = STR("flags"), .ns = STR("a")},                                           0,  0,  -1, -1},
    {{.resource = STR("all"), .ns = STR("ab")},                                            -1, 1,  -1, -1},
    {{.resource = STR("all"), .all_namespaces = true, .name = STR("n2")},                  -1, -1, 2,  -1},
    {{.resource = STR("all"), .all_namespaces = true, .label_selector = STR("l=0")},       -1, -1, -1, 0 },
    {{.resource = STR("jobs"), .all_namespaces = true, .label_selector = STR("l=1")},      1,  -1, -1, 1 },
    {{.resource = STR("jobs"), .ns = STR("a"), .label_selector = STR("!l")},               1,  0,  -1, 2 },
    {{.resource = STR("all"), .all_namespaces = true, .field_selector = STR(".spec.v=7")},
     -1,
     -1,
     -1,
     -7                                                                                                  },
};
#define CHOICES ((int)(sizeof choices / sizeof choices[0]))

static bool selects(int sel, int key, const struct version *v)
{
    if (v->rv == 0 || (choices[sel].resource >= 0 && choices[sel].resource != key / 12) ||
        (choices[sel].ns >= 0 && choices[sel].ns != key / 4 % 3) ||
        (choices[sel].name >= 0 && choices[sel].name != key % 4)) {
        return false;
    }
    return choices[sel].label == -7 ? v->value == 7
                                    : choices[sel].label < 0 || choices[sel].label == v->label;
}

static int first_from(int sel, int from, rv_t rv)
{
    while (from < KEYS && !selects(sel, from, &model->state[rv][from])) {
        from++;
    }
    return from;
}

/* ---- Writes -----------------------------------------------------------------------------------
 */

static void learn(rv_t rv, int key, bool there, int label, int value, bool inside)
{
    assert_int_equal(rv, model->head + 1);
    model->head = rv;
    memcpy(model->state[rv], model->state[rv - 1], sizeof model->state[rv]);
    model->state[rv][key] = (struct version){there ? rv : 0, label, value};
    model->events[rv] = (struct model_event){key, inside};
}

static void label_text(int label, char ret[16])
{
    snprintf(ret, 16, label == 2 ? "{}" : "{\"l\":\"%d\"}", label);
}

static void write_one(void)
{
    char resource[16], ns[16], name[16], labels[16], spec[32];
    int key = (int)roll(KEYS), label = (int)roll(3), value = (int)roll(12);
    const struct version *now = &model->state[model->head][key];
    key_of(key, resource, ns, name);
    rv_t rv = 0;
    if (roll(4) == 0) {
        enum errc rc = fixture_delete(&fix, resource, ns, name, &rv);
        assert_int_equal(rc, now->rv != 0 ? OK : ERR_NOT_FOUND);
        if (rc == OK) {
            learn(rv, key, false, 0, 0, false);
        }
        return;
    }
    label_text(label, labels);
    snprintf(spec, sizeof spec, "{\"v\":%d}", value);
    assert_int_equal(fixture_put(&fix, resource, ns, name, labels, spec, &rv), OK);
    if (now->rv == 0 || now->label != label || now->value != value) {
        learn(rv, key, true, label, value, false);
    } else {
        assert_int_equal(rv, now->rv);
    }
}

static void write_txn(void)
{
    struct fixture_op ops[3] = {0};
    char names[3][3][16], docs[3][80];
    int keys[3], from = (int)roll(KEYS), n = 2 + (int)roll(2);
    for (int i = 0; i < n; i++) {
        keys[i] = (from + 7 * i) % KEYS;
        key_of(keys[i], names[i][0], names[i][1], names[i][2]);
        /* A value of its own, so that every operation is an event. */
        snprintf(docs[i], sizeof docs[i], "{\"metadata\":{},\"spec\":{\"v\":%d}}",
                 1000 + (int)model->head + i);
        ops[i] = (struct fixture_op){
            .resource = names[i][0], .ns = names[i][1], .name = names[i][2], .doc = docs[i]};
    }
    rv_t end = 0;
    struct err err;
    assert_int_equal(fixture_txn(&fix, ops, (size_t)n, NULL, false, &end, &err), OK);
    int value = 1000 + (int)model->head;
    for (int i = 0; i < n; i++) {
        learn(ops[i].rv, keys[i], true, 2, value + i, i + 1 < n);
    }
    assert_int_equal(end, model->head);
}

/* ---- Reads ------------------------------------------------------------------------------------
 */

/* A page against the model, from r->seen on. Returns whether it was the last one. */
static bool check_page(struct running *r, const struct page *p, size_t limit)
{
    int key = r->seen;
    assert_int_equal(p->list.rv, r->rv);
    assert_true(p->n <= limit);
    for (size_t i = 0; i < p->n; i++, key++) {
        key = first_from(r->sel, key, r->rv);
        assert_true(key < KEYS);
        char resource[16], ns[16], name[16], want[64];
        key_of(key, resource, ns, name);
        snprintf(want, sizeof want, "%s/%s/%s", resource, ns, name);
        assert_string_equal(p->keys[i], want);
        const struct version *v = &model->state[r->rv][key];
        assert_int_equal(p->rvs[i], v->rv);
        snprintf(want, sizeof want, "\"spec\":{\"v\":%d}", v->value);
        assert_non_null(strstr(p->bodies[i], want));
    }
    size_t left = 0;
    for (int k = first_from(r->sel, key, r->rv); k < KEYS; k = first_from(r->sel, k + 1, r->rv)) {
        left++;
    }
    assert_int_equal(p->list.more, left != 0);
    assert_true(p->n == limit || left == 0);
    assert_int_equal(p->list.remaining, r->counted ? left : 0);
    r->seen = key;
    return left == 0;
}

static void page_on(struct running *r)
{
    struct page p;
    size_t limit = 1 + roll(5);
    rv_t floor = store_floor(fix.store);
    enum errc rc = list_page(&fix, &choices[r->sel].sel, limit, r->token, &p);
    if (rc == ERR_EXPIRED) {
        /* Only a version that is gone; the token that came goes on at the newest one. */
        assert_true(r->rv < floor || r->rv < store_floor(fix.store));
        assert_string_not_equal(r->token, "");
        assert_int_equal(list_page(&fix, &choices[r->sel].sel, limit, r->token, &p), OK);
        r->rv = model->head;
        r->counted = false;
    } else {
        assert_int_equal(rc, OK);
    }
    r->on = !check_page(r, &p, limit);
}

static void list_start(struct running *r)
{
    struct page p;
    size_t limit = 1 + roll(8);
    rv_t floor = store_floor(fix.store);
    *r = (struct running){.on = true, .sel = (int)roll(CHOICES), .rv = model->head};
    bool exact = roll(2) == 0 && model->head > 0;
    if (exact) {
        r->rv = 1 + roll((unsigned)model->head + 2);
    }
    enum errc rc = list_page_at(&fix, &choices[r->sel].sel, limit, exact ? LIST_EXACT : LIST_NEWEST,
                                r->rv, r->token, &p);
    enum errc want = r->rv > model->head                        ? ERR_FUTURE
                     : r->rv < floor                            ? ERR_EXPIRED
                     : model->events[r->rv].txn_inside && exact ? ERR_INVALID
                                                                : OK;
    if (exact && want == OK && r->rv < store_floor(fix.store)) {
        want = rc; /* compacted meanwhile */
    }
    assert_int_equal(rc, want);
    r->counted = !exact && choices[r->sel].name < 0 && choices[r->sel].label == -1;
    r->on = rc == OK && !check_page(r, &p, limit);
}

static void check_get(void)
{
    char resource[16], ns[16], name[16];
    int key = (int)roll(KEYS);
    rv_t floor = store_floor(fix.store);
    rv_t at = floor + roll((unsigned)(model->head - floor) + 1);
    if (at == 0 || (model->events[at].txn_inside && at != floor)) {
        return;
    }
    key_of(key, resource, ns, name);
    struct key k = {str_of(resource), str_of(ns), str_of(name)};
    struct object *o = NULL;
    struct err err;
    enum errc rc = fixture_get_at(&fix, &k, at, &o, &err);
    const struct version *v = &model->state[at][key];
    assert_int_equal(rc, v->rv != 0 ? OK : ERR_NOT_FOUND);
    assert_int_equal(o != NULL ? o->rv : 0, v->rv);
    object_unref(o);
}

struct told {
    struct history history;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
    int key;
    rv_t next; /* the next event the model has; 0: none */
    bool base; /* the state without an event was told */
    size_t n;
};

/* The last event of a key at or below rv, and above the floor. */
static rv_t event_below(int key, rv_t rv, rv_t floor)
{
    while (rv > floor && model->events[rv].key != key) {
        rv--;
    }
    return rv > floor ? rv : 0;
}

static void told_revision(struct history *h, const struct event *ev)
{
    struct told *t = h->arg;
    t->n++;
    if (ev->cause == 0) {
        t->base = true;
        t->next = ev->rv;
        return;
    }
    if (ev->rv != t->next) { /* not on the test's thread: told when it is over */
        t->key = -1;
        return;
    }
    t->next = event_below(t->key, ev->rv - 1, 0);
}

static void told_done(struct history *h)
{
    struct told *t = h->arg;
    pthread_mutex_lock(&t->mu);
    t->done = true;
    pthread_cond_signal(&t->cond);
    pthread_mutex_unlock(&t->mu);
}

static void check_history(void)
{
    char resource[16], ns[16], name[16];
    int key = (int)roll(KEYS);
    size_t limit = roll(4);
    key_of(key, resource, ns, name);
    struct told t = {.key = key, .next = event_below(key, model->head, 0)};
    bool any = event_below(key, model->head, store_floor(fix.store)) != 0 ||
               model->state[model->head][key].rv != 0;
    pthread_mutex_init(&t.mu, NULL);
    pthread_cond_init(&t.cond, NULL);
    t.history = (struct history){
        .key = {str_of(resource), str_of(ns), str_of(name)},
        .limit = limit,
        .max_bytes = 1 << 20,
        .revision = told_revision,
        .done = told_done,
        .arg = &t,
    };
    do {
        t.done = false;
        t.history.at_most = t.history.next;
        assert_int_equal(store_history(fix.store, &t.history, &t.history.err), OK);
        pthread_mutex_lock(&t.mu);
        while (!t.done) {
            pthread_cond_wait(&t.cond, &t.mu);
        }
        pthread_mutex_unlock(&t.mu);
        assert_int_equal(t.history.err.code, any ? OK : ERR_NOT_FOUND);
    } while (any && t.history.next != 0);
    assert_true(t.key == key); /* else an event was left out or told twice */
    rv_t floor = store_floor(fix.store);
    assert_true(event_below(key, t.next != 0 && !t.base ? t.next : 0, floor) == 0);
    /* At the floor the object was there if and only if its state was told. */
    assert_true(!any || t.base == (model->state[floor][key].rv != 0));
    assert_true(!t.base || t.next == model->state[floor][key].rv);
}

/* ---- Sequences --------------------------------------------------------------------------------
 */

static void sequence(unsigned number)
{
    struct running lists[OPEN] = {0};
    seed = number * 7919u + 17u;
    memset(model, 0, sizeof *model);
    fixture_init(&fix);
    fixture_open(&fix);
    for (int i = 0; i < OPS; i++) {
        unsigned what = roll(100);
        struct running *r = &lists[roll(OPEN)];
        if (what < 40) {
            write_one();
        } else if (what < 45) {
            write_txn();
        } else if (what < 75) {
            if (r->on) {
                page_on(r);
            } else {
                list_start(r);
            }
        } else if (what < 85) {
            check_get();
        } else if (what < 93) {
            check_history();
        } else if (what < 96 && model->head > 0) {
            enum errc rc = OK;
            (void)fixture_compact(&fix, 1 + roll((unsigned)model->head), &rc);
            assert_int_equal(rc, OK);
        } else {
            fixture_close(&fix);
            fixture_open(&fix);
            assert_int_equal(store_head(fix.store), model->head);
        }
    }
    fixture_close(&fix);
    fixture_fini(&fix);
}

static void every_read_shows_what_the_model_says(void **state)
{
    (void)state;
    model = mem_zalloc(sizeof *model);
    for (unsigned i = 0; i < fixture_rounds(SEQUENCES); i++) {
        print_message("sequence %u\n", i);
        sequence(i);
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_read_shows_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

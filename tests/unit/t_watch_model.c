/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers against a model: random writes, random selections, starts, resumes, compactions and
 * restarts; every watcher must see exactly what the model's history says, in order, each once. The
 * model is made of what was written and acknowledged, not of what the store tells. */
#include <unistd.h>

#include "tests/unit/watch_model.h"

#define WATCHES 12

/* ---- One watch and what it must see ------------------------------------------------------- */

struct checked {
    struct test_watch t;
    bool open;
    int set;
    bool in_snapshot;
    rv_t snapshot_rv;   /* known when SYNCED comes */
    char last_key[400]; /* of the snapshot */
    int given[KEYS];    /* snapshot: how often a key came */
    rv_t given_rv[KEYS];
    rv_t at;     /* everything at or below was seen */
    bool oldest; /* nothing was seen: it may begin at a later floor */
    struct store *store;
    size_t seen;
};

static int key_of(const char *text)
{
    for (int k = 0; k < KEYS; k++) {
        char t[64];
        key_text(k, t);
        if (strcmp(t, text) == 0) {
            return k;
        }
    }
    fail_msg("unknown key %s", text);
    return -1;
}

static void assert_holds(const char *json, const struct version *v, rv_t shown_rv)
{
    char rv[48];
    snprintf(rv, sizeof rv, "\"resourceVersion\":\"%llu\"", (unsigned long long)shown_rv);
    if (strstr(json, v->spec) == NULL || strstr(json, rv) == NULL) {
        fail_msg("%s does not hold %s at %s", json, v->spec, rv);
    }
}

static int key_order(const char *a, const char *b)
{
    /* By resource, namespace, name: '/' must sort below everything. */
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int x = *a == '/' ? 0 : *a == '\0' ? -1 : (unsigned char)*a;
    int y = *b == '/' ? 0 : *b == '\0' ? -1 : (unsigned char)*b;
    return x - y;
}

static void see_snapshot(struct checked *c, const struct seen *s)
{
    int key = key_of(s->key);
    assert_int_equal(s->form, FORM_SNAPSHOT);
    assert_true(c->last_key[0] == '\0' || key_order(c->last_key, s->key) < 0);
    snprintf(c->last_key, sizeof c->last_key, "%s", s->key);
    c->given[key]++;
    c->given_rv[key] = s->rv;
    assert_true(s->rv >= 1 && s->rv <= model.n);
    assert_holds(s->body, &model.events[s->rv - 1].after, s->rv);
}

static void see_event(struct checked *c, const struct seen *s)
{
    size_t i = c->at; /* index of the event after `at` */
    const struct model_event *e = NULL;
    bool before = false, after = false;
    for (; i < model.n; i++) {
        e = &model.events[i];
        before = matches(&c->t, e->key, &e->before);
        after = matches(&c->t, e->key, &e->after);
        if (before || after) {
            break;
        }
    }
    assert_true(i < model.n);
    if (e->rv != s->rv) {
        fail_msg("expected version %llu after %llu, got %llu", (unsigned long long)e->rv,
                 (unsigned long long)c->at, (unsigned long long)s->rv);
    }
    char key[64];
    key_text(e->key, key);
    assert_string_equal(s->key, key);
    enum event_form form = FORM_PLAIN;
    if (e->before.there && e->after.there && before != after) {
        form = after ? FORM_ENTERED : FORM_LEFT;
    }
    assert_int_equal(s->form, form);
    enum cause cause = !e->before.there  ? CAUSE_CREATED
                       : !e->after.there ? CAUSE_DELETED
                                         : CAUSE_UPDATED;
    assert_int_equal(s->cause, cause);
    bool old = form == FORM_LEFT || cause == CAUSE_DELETED;
    assert_holds(s->body, old ? &e->before : &e->after, s->rv);
    if (c->t.previous && e->before.there) {
        assert_int_equal(s->prev_rv, e->before.rv);
        assert_non_null(s->previous);
        assert_holds(s->previous, &e->before, e->before.rv);
    } else {
        assert_null(s->previous);
    }
    c->at = s->rv;
}

/* What has no event yet, and is beyond rv, may have begun at what was the floor by then. */
static void begin_later(struct checked *c, rv_t rv)
{
    rv_t floor = store_floor(c->store);
    c->at = c->oldest && c->seen == 0 && c->at < floor && floor <= rv ? floor : c->at;
}

static void see(void *arg, const struct seen *s)
{
    struct checked *c = arg;
    begin_later(c, s->rv - 1);
    c->seen++;
    if (c->in_snapshot) {
        see_snapshot(c, s);
    } else {
        see_event(c, s);
    }
}

static void check_synced(struct checked *c, rv_t rv)
{
    struct version state[KEYS] = {0};
    assert_true(rv <= model.n);
    for (size_t i = 0; i < rv; i++) {
        state[model.events[i].key] = model.events[i].after;
    }
    for (int k = 0; k < KEYS; k++) {
        bool want = matches(&c->t, k, &state[k]);
        if (c->given[k] != (want ? 1 : 0) || (want && c->given_rv[k] != state[k].rv)) {
            char key[64];
            key_text(k, key);
            fail_msg("snapshot at %llu gave %s %d times (at %llu), wanted %d (at %llu)",
                     (unsigned long long)rv, key, c->given[k], (unsigned long long)c->given_rv[k],
                     want, (unsigned long long)state[k].rv);
        }
    }
    c->in_snapshot = false;
    c->at = rv;
}

static bool is_end(rv_t rv)
{
    return rv == 0 || model.events[rv - 1].txn_end == rv;
}

/* A batch holds whole transactions, and more bytes than it should only in a single one. */
static void check_batch(const struct checked *c, rv_t before, rv_t after)
{
    if (c->t.events == 0 && before == after) {
        return; /* it may have begun within one */
    }
    assert_true(is_end(after));
    if (c->t.bytes > WATCH_BATCH_BYTES && c->t.events > 1) {
        size_t i = before;
        while (!matches(&c->t, model.events[i].key, &model.events[i].before) &&
               !matches(&c->t, model.events[i].key, &model.events[i].after)) {
            i++;
        }
        assert_true(model.events[i].txn_end >= c->at);
    }
}

static void pull(struct checked *c, bool *ret_ended)
{
    rv_t start = c->at;
    bool in_snapshot = c->in_snapshot;
    struct err err = {0};
    enum errc rc = OK;
    rv_t synced = 0;
    enum watch_batch_kind kind = test_watch_pull(&c->t, see, c, &synced, &rc, &err);
    *ret_ended = rc != OK;
    if (rc != OK && rc != ERR_EXPIRED) {
        fail_msg("the watch ended with %d: %s", rc, err.msg);
    }
    if (rc != OK) {
        return;
    }
    if (kind == BATCH_SYNCED) {
        check_synced(c, synced);
        assert_true(is_end(synced));
    }
    rv_t rv = watcher_rv(c->t.watcher);
    if (!in_snapshot) {
        check_batch(c, start, rv);
    } else {
        assert_true(c->t.events <= 1 || c->t.bytes <= WATCH_BATCH_BYTES);
    }
    if (!c->in_snapshot) {
        /* A bookmark would say rv: nothing that matches may lie in (at, rv]. */
        assert_true(rv >= c->at);
        begin_later(c, rv);
        for (size_t i = c->at; i < rv; i++) {
            const struct model_event *e = &model.events[i];
            assert_false(matches(&c->t, e->key, &e->before) || matches(&c->t, e->key, &e->after));
        }
        c->at = rv;
    }
}

/* ---- Random doings ------------------------------------------------------------------------ */

static unsigned long long seed;

static unsigned rnd(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % below);
}

static const char *const label_json[] = {"{}", "{\"app\":\"x\"}", "{\"app\":\"y\"}",
                                         "{\"app\":\"x\",\"tier\":\"1\"}"};
static const char *const label_text[] = {"", "app=x", "app=y", "app=x,tier=1"};

/* Several keys at once, at times so much that no batch holds it; at times with a demand that fails,
 * after which nothing is changed. */
static void random_txn(struct fixture *f)
{
    struct fixture_op ops[KEYS] = {0};
    struct version after[KEYS] = {0};
    int keys[KEYS];
    char names[KEYS][16];
    char *docs[KEYS] = {NULL};
    size_t n = 1 + rnd(KEYS);
    int first = (int)rnd(KEYS);
    size_t pad = rnd(3) == 0 ? 1 + rnd(6000) : 1;
    bool fails = rnd(5) == 0;
    for (size_t i = 0; i < n; i++) {
        struct fixture_op *o = &ops[i];
        keys[i] = (first + (int)i * 3) % KEYS; /* 3 and KEYS have no divisor in common */
        key_names(keys[i], &o->resource, &o->ns, names[i]);
        o->name = names[i];
        const struct version *now = &model.now[keys[i]];
        unsigned what = rnd(10);
        if (what < 2 && now->there) {
            continue; /* a deletion */
        }
        if (what == 2 && now->there) {
            o->check = true;
            o->if_rv = now->rv;
            after[i] = *now;
            continue;
        }
        unsigned l = rnd(4);
        after[i].there = true;
        snprintf(after[i].labels, sizeof after[i].labels, "%s", label_text[l]);
        snprintf(after[i].spec, sizeof after[i].spec, "{\"v\":%u}", rnd(100000));
        docs[i] = mem_printf("{\"metadata\":{\"labels\":%s,\"annotations\":{\"p\":\"%0*d\"}},"
                             "\"spec\":%s}",
                             label_json[l], (int)pad, 0, after[i].spec);
        o->doc = docs[i];
    }
    if (fails) {
        ops[n - 1].if_rv = model.n + 1000;
    }
    rv_t rv = 0;
    struct err err = {0};
    enum errc rc = fixture_txn(f, ops, n, NULL, false, &rv, &err);
    if (fails) {
        assert_true(rc == ERR_CONFLICT || rc == ERR_NOT_FOUND);
        char field[40];
        snprintf(field, sizeof field, "operations[%zu].", n - 1);
        assert_true(strncmp(err.field, field, strlen(field)) == 0);
        assert_int_equal(store_head(f->store), model.n);
    } else {
        assert_int_equal(rc, OK);
        rv_t start = model.n;
        for (size_t i = 0; i < n; i++) {
            if (ops[i].result == WRITE_UNCHANGED) {
                assert_int_equal(ops[i].rv, model.now[keys[i]].rv);
            } else {
                model_add(keys[i], ops[i].rv, &after[i]);
            }
        }
        for (rv_t r = start; r < model.n; r++) {
            model.events[r].txn_end = model.n;
        }
        assert_int_equal(rv, model.n);
    }
    for (size_t i = 0; i < n; i++) {
        free(docs[i]);
    }
}

static void random_write(struct fixture *f)
{
    int key = (int)rnd(KEYS);
    const char *resource = NULL, *ns = NULL;
    char name[16];
    key_names(key, &resource, &ns, name);
    rv_t rv = 0;
    if (rnd(4) == 0) {
        enum errc rc = fixture_delete(f, resource, ns, name, &rv);
        if (!model.now[key].there) {
            assert_int_equal(rc, ERR_NOT_FOUND);
            return;
        }
        assert_int_equal(rc, OK);
        struct version gone = {0};
        model_add(key, rv, &gone);
        return;
    }
    struct version v = {.there = true};
    unsigned l = rnd(4);
    snprintf(v.labels, sizeof v.labels, "%s", label_text[l]);
    char pad[400];
    memset(pad, 'p', sizeof pad);
    pad[rnd(sizeof pad - 1)] = '\0';
    pad[sizeof pad - 1] = '\0';
    /* Sometimes only the labels change. */
    if (model.now[key].there && rnd(4) == 0) {
        v.phase = model.now[key].phase;
        memcpy(v.spec, model.now[key].spec, sizeof v.spec);
    } else {
        v.phase = (int)rnd(4);
        char phase[32] = "";
        if (v.phase != 0) {
            const char *quote = v.phase == 3 ? "" : "\"";
            snprintf(phase, sizeof phase, "\"phase\":%s%s%s,", quote, phases[v.phase], quote);
        }
        snprintf(v.spec, sizeof v.spec, "{\"v\":%u,%s\"pad\":\"%s\"}", rnd(100000), phase, pad);
    }
    assert_int_equal(fixture_put(f, resource, ns, name, label_json[l], v.spec, &rv), OK);
    if (rv > model.n) {
        model_add(key, rv, &v);
    } else {
        assert_int_equal(rv, model.now[key].rv); /* the same again: a no-op */
        assert_string_equal(v.spec, model.now[key].spec);
    }
}

static void choose_selections(struct checked *c)
{
    static const char *const resources[] = {"jobs", "objects", "flags", "all"};
    static const char *const spaces[] = {"default", "a", "ab"};
    static const char *const selectors[] = {"", "", "app=x", "app=y", "tier=1"};
    static const char *const names[] = {"", "", "n00", "n03"};
    c->t.n_spec = 1 + rnd(3);
    for (size_t i = 0; i < c->t.n_spec; i++) {
        c->t.spec[i] = (struct selection){
            .resource = str_of(resources[rnd(4)]),
            .ns = str_of(spaces[rnd(3)]),
            .all_namespaces = rnd(2) == 0,
            .name = str_of(names[rnd(4)]),
            .label_selector = str_of(selectors[rnd(5)]),
            .field_selector = str_of(rnd(2) == 0 ? field_selectors[rnd(12)] : ""),
        };
        if (c->t.spec[i].all_namespaces) {
            c->t.spec[i].ns = STR_EMPTY;
        }
    }
    c->t.previous = rnd(2) == 0;
}

static void open_watch(struct fixture *f, struct watch_set *set, struct checked *c, bool resume)
{
    struct err err = {0};
    if (resume) {
        enum errc rc = test_watch_open(set, &c->t, START_RESUME, 0, &err);
        assert_true(rc == OK || rc == ERR_EXPIRED);
        c->open = rc == OK;
        c->oldest = false;
        c->store = f->store; /* it may have been opened again */
        return;
    }
    test_watch_fini(&c->t);
    memset(c, 0, sizeof *c);
    c->store = f->store;
    choose_selections(c);
    enum watch_start start = (enum watch_start)(rnd(3) == 0 ? START_SNAPSHOT : rnd(5));
    start = start == START_RESUME ? START_SNAPSHOT : start;
    rv_t head = store_head(f->store), floor = store_floor(f->store);
    assert_int_equal(head, model.n);
    c->in_snapshot = start == START_SNAPSHOT;
    c->at = start == START_SINCE ? floor + rnd((unsigned)(head - floor) + 1) : head;
    enum errc rc = test_watch_open(set, &c->t, start, c->at, &err);
    if (rc == ERR_EXPIRED) {
        /* Compaction by the limit goes on beside us, and may have come between. */
        assert_true(start == START_SINCE && c->at < store_floor(f->store));
        return;
    }
    assert_int_equal(rc, OK);
    c->oldest = start == START_OLDEST;
    if (start == START_OLDEST) {
        c->at = watcher_rv(c->t.watcher);
        assert_true(is_end(c->at) && c->at >= floor);
    }
    c->open = true;
}

static void turn_and_pull(struct fixture *f, struct watch_set *set, int budget)
{
    watch_set_turn(set);
    struct test_watch *t = NULL;
    while (budget-- > 0 && (t = watch_set_ready(set)) != NULL) {
        struct checked *c = (struct checked *)t;
        bool ended = false;
        do {
            pull(c, &ended);
        } while (!ended && !t->parked && rnd(4) != 0);
        if (ended) {
            watcher_close(TAKE(t->watcher));
            c->open = false;
        } else if (!t->parked) {
            /* Left in the middle: resumes elsewhere, from its position. */
            watcher_close(TAKE(t->watcher));
            open_watch(f, set, c, true);
        }
    }
}

static void drain(struct watch_set **sets, struct checked *watches, struct fixture *f)
{
    for (int quiet = 0; quiet < 20;) {
        bool all_idle = true;
        for (int s = 0; s < 2; s++) {
            turn_and_pull(f, sets[s], 1000);
        }
        for (int i = 0; i < WATCHES; i++) {
            const struct checked *c = &watches[i];
            bool idle = !c->in_snapshot && c->t.parked;
            all_idle &= !c->open || (idle && watcher_rv(c->t.watcher) == store_head(f->store));
        }
        quiet = all_idle ? quiet + 1 : 0;
        usleep(all_idle ? 10 : 200);
    }
    for (int i = 0; i < WATCHES; i++) {
        struct checked *c = &watches[i];
        for (size_t e = c->open ? c->at : model.n; e < model.n; e++) {
            assert_false(matches(&c->t, model.events[e].key, &model.events[e].before) ||
                         matches(&c->t, model.events[e].key, &model.events[e].after));
        }
    }
}

static void close_all(struct watch_set **sets, struct checked *watches)
{
    for (int i = 0; i < WATCHES; i++) {
        watcher_close(TAKE(watches[i].t.watcher));
    }
    for (int s = 0; s < 2; s++) {
        watch_set_free(TAKE(sets[s]));
    }
}

static void open_sets(struct fixture *f, struct watch_set **sets)
{
    fixture_open(f);
    for (int s = 0; s < 2; s++) {
        sets[s] = watch_set_new(f->store, test_kick, NULL);
    }
}

static void run(unsigned long long start_seed, int steps, size_t log_bytes, int64_t history)
{
    struct fixture f;
    struct watch_set *sets[2] = {NULL, NULL};
    struct checked watches[WATCHES];
    memset(watches, 0, sizeof watches);
    seed = start_seed;
    model.events = mem_zalloc(EVENTS * sizeof *model.events);
    model.n = 0;
    memset(model.now, 0, sizeof model.now);
    fixture_init(&f);
    f.fold_events = start_seed % 2 != 0 ? 5 : 0;
    f.opt.load_events = start_seed % 2 != 0 ? 9 : 0;
    f.opt.log_bytes = log_bytes;
    f.opt.history_events = history;
    open_sets(&f, sets);
    size_t seen = 0;
    for (int step = 0; step < steps; step++) {
        unsigned what = rnd(100);
        if (what < 3) {
            random_txn(&f);
        } else if (what < 60) {
            random_write(&f);
        } else if (what < 85) {
            turn_and_pull(&f, sets[rnd(2)], 1 + (int)rnd(6));
        } else if (what < 97) {
            struct checked *c = &watches[rnd(WATCHES)];
            bool resume = c->open && rnd(2) == 0;
            seen += c->seen;
            c->seen = 0;
            watcher_close(TAKE(c->t.watcher));
            open_watch(&f, sets[rnd(2)], c, resume);
        } else if (what == 97 && model.n > 0) {
            rv_t floor = store_floor(f.store);
            enum errc rc = OK;
            (void)fixture_compact(&f, floor + rnd((unsigned)(model.n - floor) + 1), &rc);
            assert_int_equal(rc, OK);
            assert_true(is_end(store_floor(f.store)));
        } else if (what == 98 && rnd(4) == 0) {
            drain(sets, watches, &f);
        } else if (what == 99 && rnd(6) == 0) {
            close_all(sets, watches);
            fixture_close(&f);
            open_sets(&f, sets);
            assert_int_equal(store_head(f.store), model.n);
            for (int i = 0; i < WATCHES; i++) {
                if (watches[i].open) {
                    open_watch(&f, sets[rnd(2)], &watches[i], true);
                }
            }
        }
    }
    drain(sets, watches, &f);
    for (int i = 0; i < WATCHES; i++) {
        seen += watches[i].seen;
    }
    assert_true(seen > (size_t)steps / 4); /* the test did see something */
    close_all(sets, watches);
    for (int i = 0; i < WATCHES; i++) {
        test_watch_fini(&watches[i].t);
    }
    fixture_fini(&f);
    free(model.events);
}

static void watchers_see_exactly_the_models_history(void **state)
{
    (void)state;
    for (unsigned long long s = 1; s <= fixture_rounds(4); s++) {
        run(s * 7919 + s / 2, 3000, 0, 0);
    }
}

static void watchers_behind_a_small_log_read_history_without_a_seam(void **state)
{
    (void)state;
    for (unsigned long long s = 1; s <= fixture_rounds(4); s++) {
        run(s * 104729 + s / 2, 3000, 4096, 0);
    }
}

static void watchers_survive_a_short_history_or_expire_honestly(void **state)
{
    (void)state;
    for (unsigned long long s = 1; s <= fixture_rounds(4); s++) {
        run(s * 1299709 + s / 2, 3000, 4096, 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchers_see_exactly_the_models_history),
        cmocka_unit_test(watchers_behind_a_small_log_read_history_without_a_seam),
        cmocka_unit_test(watchers_survive_a_short_history_or_expire_honestly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

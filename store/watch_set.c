/* SPDX-License-Identifier: Apache-2.0 */
/* A watch set: the idle watchers of one thread, indexed by what can concern them, so that an event
 * costs as much as it has watchers, not as there are watchers. An event of which the set's interest
 * (interest.h) says that it concerns none of them does not even wake the thread; the set stays
 * behind until its next turn, whatever brings that about.
 *
 *   bucket: (resource, namespace, name), each exact or "" for any: an event looks up at most eight
 *     └─ group: equal label and field selectors, judged once per event; the latter for all buckets
 *          together
 *          └─ nodes: the idle watchers
 *
 * Invariants:
 *   (1) every event <= at was shown to the index, or to the watcher by its own pulls;
 *   (2) an idle watcher has pulled everything that matches at or below `at`;
 *   (3) `at` never passes the store's head, and never stands within a transaction;
 *   (4) an event above `at` that a bucket can match has the set kicked, or is about to: either its
 *       bucket was in the interest before the head was stored, and the writer, which stores the
 *       head and then asks, finds it; or it came later, and its watcher, which is at `at`, finds
 *       the head above that, and kicks. Watchers that are not idle need no kick: they are parked
 *       before they sleep, or the reader kicks with what they wait for;
 *   (5) a kick comes long before the log would no longer reach back to `at`. */
#include <assert.h>
#include <stdlib.h>
#include <time.h>
#include <uthash.h>

#include "store/watch_impl.h"

#define LAG_PART 4 /* of the log may be unseen by a set that has no other reason for a turn */

struct idle_group {
    LIST_ENTRY(idle_group) link;
    struct idle_bucket *bucket;
    struct selector *labels;   /* its own */
    struct verdicts *verdicts; /* its own reference; NULL: no field selector to be judged */
    LIST_HEAD(node_list, idle_node) nodes;
};

struct idle_bucket {
    UT_hash_handle hh;
    unsigned shape; /* of its key, see interest.h */
    uint64_t hash;
    LIST_HEAD(, idle_group) groups;
    size_t key_len;
    char key[];
};

static struct idle_bucket *bucket_find(const struct watch_set *set, const struct interest_key *k)
{
    struct idle_bucket *b = NULL;
    HASH_FIND_BYHASHVALUE(hh, set->buckets, k->text, k->n, (unsigned)k->hash, b);
    return b;
}

static struct idle_bucket *bucket_make(struct watch_set *set, const struct scope *s)
{
    struct interest_key k;
    interest_key_of_scope(s, &k);
    struct idle_bucket *b = bucket_find(set, &k);
    if (b == NULL) {
        b = mem_zalloc(sizeof *b + k.n);
        b->shape = k.shape;
        b->hash = k.hash;
        b->key_len = k.n;
        memcpy(b->key, k.text, k.n);
        LIST_INIT(&b->groups);
        HASH_ADD_BYHASHVALUE(hh, set->buckets, key, k.n, (unsigned)k.hash, b);
        interest_add(&set->interest, &k);
    }
    return b;
}

static struct idle_group *group_make(struct watch_set *set, const struct scope *s,
                                     const struct verdicts *verdicts)
{
    struct idle_bucket *b = bucket_make(set, s);
    struct idle_group *g = NULL;
    struct str text = selector_text(s->labels);
    LIST_FOREACH(g, &b->groups, link)
    {
        if (g->verdicts == verdicts && str_eq(selector_text(g->labels), text)) {
            return g;
        }
    }
    g = mem_zalloc(sizeof *g);
    g->bucket = b;
    struct err err;
    enum errc rc = selector_parse(text, "", &g->labels, &err);
    assert(rc == OK); /* its own canonical text */
    g->verdicts = verdicts_ref(&set->verdicts, s);
    LIST_INIT(&g->nodes);
    LIST_INSERT_HEAD(&b->groups, g, link);
    return g;
}

static void group_free_if_empty(struct watch_set *set, struct idle_group *g)
{
    if (!LIST_EMPTY(&g->nodes)) {
        return;
    }
    struct idle_bucket *b = g->bucket;
    LIST_REMOVE(g, link);
    selector_free(g->labels);
    verdicts_unref(&set->verdicts, g->verdicts);
    free(g);
    if (LIST_EMPTY(&b->groups)) {
        HASH_DELETE(hh, set->buckets, b);
        interest_drop(&set->interest, b->hash, b->shape);
        free(b);
    }
}

void watch_set_park(struct watcher *w)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct idle_group *g =
            group_make(w->set, selections_at(w->selections, i), w->nodes[i].verdicts);
        w->nodes[i].group = g;
        LIST_INSERT_HEAD(&g->nodes, &w->nodes[i], link);
    }
    w->state = WATCHER_IDLE;
    if (store_head(w->set->store) > w->set->at) { /* (4): not before it is in the interest */
        watch_set_kick(w->set);
    }
}

/* Takes the watcher out of the index. `keep` is a group that must live on although it is empty. */
static void unpark(struct watcher *w, const struct idle_group *keep)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct idle_group *g = w->nodes[i].group;
        LIST_REMOVE(&w->nodes[i], link);
        w->nodes[i].group = NULL;
        if (g != keep) {
            group_free_if_empty(w->set, g);
        }
    }
}

void watch_set_unpark(struct watcher *w)
{
    unpark(w, NULL);
}

void watch_set_make_ready(struct watcher *w)
{
    w->state = WATCHER_READY;
    TAILQ_INSERT_TAIL(&w->set->ready, w, ready);
}

/* Frees the group. True if other groups may be gone, too: of watchers with several scopes. */
static bool wake_group(struct watch_set *set, struct idle_group *g, rv_t cursor)
{
    struct idle_node *node = NULL;
    bool others = false;
    while ((node = LIST_FIRST(&g->nodes)) != NULL) {
        struct watcher *w = node->watcher;
        others = others || w->n_nodes > 1;
        unpark(w, g);
        w->cursor = cursor;
        watch_set_make_ready(w);
    }
    group_free_if_empty(set, g);
    return others;
}

static bool group_selects(struct watch_set *set, const struct idle_group *g, const struct event *ev,
                          enum side side)
{
    struct str labels;
    return event_side(ev, side, &labels) && selector_match(g->labels, labels) &&
           verdicts_match(&set->verdicts, g->verdicts, ev, side);
}

/* Wakes the idle watchers that the event may concern; they have pulled everything <= `before`. */
static void show(struct watch_set *set, const struct event *ev, rv_t before)
{
    unsigned shapes = interest_shapes(&set->interest);
    for (unsigned shape = 0; shape < INTEREST_SHAPES; shape++) {
        struct interest_key k;
        if ((shapes & 1u << shape) == 0) {
            continue;
        }
        interest_key_of(shape, &ev->key, &k);
        struct idle_bucket *b = bucket_find(set, &k);
        struct idle_group *g = b != NULL ? LIST_FIRST(&b->groups) : NULL;
        while (g != NULL) {
            struct idle_group *next = LIST_NEXT(g, link);
            bool concerned =
                group_selects(set, g, ev, SIDE_NOW) || group_selects(set, g, ev, SIDE_BEFORE);
            if (concerned && wake_group(set, g, before)) {
                b = bucket_find(set, &k);
                next = b != NULL ? LIST_FIRST(&b->groups) : NULL;
            }
            g = next;
        }
    }
}

static void wake_all(struct watch_set *set)
{
    struct idle_bucket *b = NULL;
    while ((b = set->buckets) != NULL) {
        (void)wake_group(set, LIST_FIRST(&b->groups), set->at);
    }
}

/* Shows the index every event in (at, head]. */
static void advance(struct watch_set *set, rv_t head)
{
    struct log *log = set->store->log;
    rv_t before = set->at; /* the end of the transaction before the one that is shown */
    while (set->at < head) {
        if (set->buckets == NULL) {
            set->at = head;
            return;
        }
        struct segment *s = log_find(log, set->at);
        if (s == NULL) {
            /* More was committed between two turns than the log holds: the idle read it from
             * history. */
            assert(!log_reaches(log, set->at));
            wake_all(set);
            set->at = head;
            return;
        }
        for (size_t i = segment_after(s, set->at); i < segment_count(s); i++) {
            const struct event *ev = segment_event(s, i);
            if (ev->rv > head) { /* (3) */
                break;
            }
            show(set, ev, before);
            set->at = ev->rv;
            before = event_ends_txn(ev) ? ev->rv : before;
        }
        segment_unref(s);
    }
}

void watch_set_turn(struct watch_set *set)
{
    atomic_store(&set->eager, false);
    atomic_store(&set->kicked, false); /* before looking, so that nothing is missed */
    struct chunk_list arrived = STAILQ_HEAD_INITIALIZER(arrived);
    pthread_mutex_lock(&set->mu);
    STAILQ_CONCAT(&arrived, &set->arrived);
    pthread_mutex_unlock(&set->mu);
    /* After taking the chunks: what they have read is at or below this head. */
    advance(set, store_head(set->store));
    struct chunk *c = NULL;
    while ((c = STAILQ_FIRST(&arrived)) != NULL) {
        STAILQ_REMOVE_HEAD(&arrived, arrived);
        watcher_arrived(c->watcher, c);
    }
}

void watch_set_rearm(struct watch_set *set)
{
    atomic_store(&set->eager, true); /* first: who finds the other cleared finds this one set */
    atomic_store(&set->kicked, false);
}

void watch_set_read_ahead(struct watch_set *set, bool allowed)
{
    set->no_ahead = !allowed;
}

rv_t watch_set_at(const struct watch_set *set)
{
    return set->at;
}

void *watch_set_ready(struct watch_set *set)
{
    struct watcher *w = TAILQ_FIRST(&set->ready);
    if (w == NULL) {
        return NULL;
    }
    TAILQ_REMOVE(&set->ready, w, ready);
    w->state = WATCHER_OUT;
    return w->owner;
}

void watch_set_kick(struct watch_set *set)
{
    if (!atomic_exchange(&set->kicked, true)) {
        set->kick(set->arg);
    }
}

void watch_sets_kick(struct store *s)
{
    pthread_mutex_lock(&s->mu);
    for (struct watch_set *set = s->sets; set != NULL; set = set->next) {
        watch_set_kick(set);
    }
    pthread_mutex_unlock(&s->mu);
}

/* Must the set take a turn whatever was published? Or will it anyway? */
static bool kick_for_any(struct watch_set *set, size_t bytes)
{
    set->unseen += bytes;
    if (atomic_load(&set->kicked)) { /* before `eager`; see watch_set_rearm */
        set->unseen = 0;
        return true;
    }
    if (atomic_load(&set->eager) || set->unseen > set->store->opt.log_bytes / LAG_PART) { /* (5) */
        set->unseen = 0;
        watch_set_kick(set);
        return true;
    }
    return false;
}

/* Kicks those of the waiting sets that the event may concern. Returns how many. */
static size_t kick_for(struct store *s, const struct event *ev, unsigned shapes)
{
    size_t n = 0;
    for (unsigned shape = 0; shape < INTEREST_SHAPES; shape++) {
        struct interest_key k;
        if ((shapes & 1u << shape) == 0) {
            continue;
        }
        interest_key_of(shape, &ev->key, &k);
        for (struct watch_set *set = s->sets; set != NULL; set = set->next) {
            if (!set->settled && interest_may_have(&set->interest, &k)) {
                set->settled = true;
                set->unseen = 0;
                watch_set_kick(set);
                n++;
            }
        }
    }
    return n;
}

void watch_sets_published(struct store *s, const struct event *const *events, size_t n,
                          size_t bytes)
{
    size_t open = 0;
    unsigned shapes = 0;
    pthread_mutex_lock(&s->mu);
    for (struct watch_set *set = s->sets; set != NULL; set = set->next) {
        unsigned of_set = interest_shapes(&set->interest);
        set->settled = kick_for_any(set, bytes) || of_set == 0;
        open += !set->settled;
        shapes |= set->settled ? 0 : of_set;
    }
    for (size_t i = 0; i < n && open != 0; i++) {
        open -= kick_for(s, events[i], shapes);
    }
    pthread_mutex_unlock(&s->mu);
}

struct watch_set *watch_set_new(struct store *s, void (*kick)(void *arg), void *arg)
{
    struct watch_set *set = mem_zalloc(sizeof *set);
    set->store = s;
    set->kick = kick;
    set->arg = arg;
    TAILQ_INIT(&set->ready);
    STAILQ_INIT(&set->arrived);
    pthread_mutex_init(&set->mu, NULL);
    pthread_mutex_lock(&s->mu);
    set->next = s->sets;
    s->sets = set;
    pthread_mutex_unlock(&s->mu);
    set->at = store_head(s);
    return set;
}

void watch_set_free(struct watch_set *set)
{
    if (set == NULL) {
        return;
    }
    struct store *s = set->store;
    pthread_mutex_lock(&s->mu);
    struct watch_set **at = &s->sets;
    while (*at != set) {
        at = &(*at)->next;
    }
    *at = set->next;
    pthread_mutex_unlock(&s->mu);
    for (;;) {
        watch_set_turn(set); /* frees closed watchers with their chunks */
        pthread_mutex_lock(&set->mu);
        bool done = set->reading == 0 && STAILQ_EMPTY(&set->arrived);
        pthread_mutex_unlock(&set->mu);
        if (done) {
            break;
        }
        struct timespec pause = {.tv_nsec = 1000 * 1000};
        nanosleep(&pause, NULL);
    }
    assert(TAILQ_EMPTY(&set->ready) && set->buckets == NULL);
    verdict_table_fini(&set->verdicts);
    pthread_mutex_destroy(&set->mu);
    free(set);
}

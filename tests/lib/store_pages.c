/* SPDX-License-Identifier: Apache-2.0 */
#include "store_pages.h"

#include <assert.h>
#include <stdio.h>

static void page_item(struct list *l, const struct object *o)
{
    struct page *p = l->arg;
    assert(p->n < PAGE_ITEMS);
    size_t i = p->n++;
    snprintf(p->names[i], sizeof p->names[i], "%.*s", STR_ARG(o->key.name));
    snprintf(p->keys[i], sizeof p->keys[i], "%.*s/%.*s/%.*s", STR_ARG(o->key.resource),
             STR_ARG(o->key.ns), STR_ARG(o->key.name));
    CLEANUP(buf_fini) struct buf text;
    buf_init(&text, SIZE_MAX);
    object_render(o->body, o->splice, o->rv, o->generation, &text);
    snprintf(p->bodies[i], sizeof p->bodies[i], "%.*s", STR_ARG(buf_str(&text)));
    p->rvs[i] = o->rv;
}

static void page_done(struct list *l)
{
    struct page *p = l->arg;
    pthread_mutex_lock(&p->mu);
    p->done = true;
    pthread_cond_signal(&p->cond);
    pthread_mutex_unlock(&p->mu);
}

enum errc list_page(struct fixture *f, const struct selection *sel, size_t limit,
                    char token[PAGE_TOKEN], struct page *p)
{
    return list_page_at(f, sel, limit, LIST_NEWEST, 0, token, p);
}

enum errc list_page_at(struct fixture *f, const struct selection *sel, size_t limit,
                       enum list_match match, rv_t at, char token[PAGE_TOKEN], struct page *p)
{
    struct selections *s = NULL;
    struct err err = {0};
    uint8_t bytes[POSITION_MAX];
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->cond, NULL);
    enum errc rc = selections_new(sel, 1, true, &s, &err);
    assert(rc == OK);
    p->list = (struct list){.selections = s,
                            .match = match,
                            .at = at,
                            .limit = limit,
                            .max_bytes = 1 << 20,
                            .item = page_item,
                            .done = page_done,
                            .arg = p};
    if (token[0] != '\0') {
        rc = list_token_read(f->store, str_of(token), bytes, &p->list, &p->list.err);
    }
    rc = rc == OK ? store_list(f->store, &p->list, &p->list.err) : rc;
    if (rc == OK) {
        pthread_mutex_lock(&p->mu);
        while (!p->done) {
            pthread_cond_wait(&p->cond, &p->mu);
        }
        pthread_mutex_unlock(&p->mu);
        rc = p->list.err.code;
    }
    token[0] = '\0';
    if ((rc == OK && p->list.more) || (rc == ERR_EXPIRED && p->list.after.in_snapshot)) {
        CLEANUP(buf_fini) struct buf b;
        buf_init(&b, CONTINUE_TOKEN_MAX);
        list_token_write(f->store, &p->list, &b);
        assert(!b.full);
        memcpy(token, b.p, b.n);
        token[b.n] = '\0';
    }
    selections_free(s);
    return rc;
}

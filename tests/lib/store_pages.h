/* SPDX-License-Identifier: Apache-2.0 */
/* Lists for tests of the store: a page at a time, waited for. Threads: the test's own. */
#ifndef WATCHD_TESTS_STORE_PAGES_H
#define WATCHD_TESTS_STORE_PAGES_H

#include <pthread.h>

#include "store/continue.h"
#include "store_fixture.h"

#define PAGE_TOKEN (CONTINUE_TOKEN_MAX + 1)
#define PAGE_ITEMS 64

struct page {
    struct list list;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
    size_t n;
    char names[PAGE_ITEMS][32];
    char keys[PAGE_ITEMS][96];     /* "resource/ns/name" */
    char bodies[PAGE_ITEMS][1024]; /* as clients see them, cut off if longer */
    rv_t rvs[PAGE_ITEMS];
};

/* One page after `token` ("": the first), which it replaces by the next one's, "" at the end; after
 * ERR_EXPIRED by the one to go on with, if there is one. */
enum errc list_page(struct fixture *f, const struct selection *sel, size_t limit,
                    char token[PAGE_TOKEN], struct page *p);
/* With the first page at a version. */
enum errc list_page_at(struct fixture *f, const struct selection *sel, size_t limit,
                       enum list_match match, rv_t at, char token[PAGE_TOKEN], struct page *p);

#endif

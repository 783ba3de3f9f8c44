/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/reply.h"

#include <stdlib.h>

#include "cli/client/unary.h"

struct blocking {
    bool done;
    char *response;
    size_t n;
    struct err err;
    bool from_server;
};

static void blocking_done(void *arg, struct str response, const struct err *err, bool from_server)
{
    struct blocking *b = arg;
    b->done = true;
    b->from_server = from_server;
    if (err != NULL) {
        b->err = *err;
        return;
    }
    b->n = response.n;
    b->response = mem_dup(response.p != NULL ? response.p : "", response.n);
}

struct reply reply_to(struct watch_client *c, const char *method, bool write, struct buf *request)
{
    struct blocking b = {0};
    struct unary_spec spec = {.method = method,
                              .write = write,
                              .give_up_ms = c->timeout_ms,
                              .attempt_ms = c->timeout_ms,
                              .done = blocking_done,
                              .arg = &b};
    struct unary *u = unary_start(c, &spec, request);
    struct reply r = {0};
    while (!b.done) {
        if (atomic_load(&c->interrupted)) {
            unary_cancel(u);
            err_set(&r.err, ERR_CANCELLED, "interrupted");
            return r;
        }
        (void)client_pump(c, client_now() + CLIENT_SLICE_MS);
    }
    r.err = b.err;
    r.from_server = b.from_server;
    if (b.err.code == OK) {
        /* What the last call handed out ends here, after its texts may have served as arguments. */
        arena_fini(&c->reply);
        arena_init(&c->reply, client_budget(b.n) + b.n);
        char *copy = arena_alloc(&c->reply, b.n);
        memcpy(copy, b.response, b.n);
        free(b.response);
        r.text = (struct str){copy, b.n};
    }
    return r;
}

void reply_read(struct reply *r, enum errc rc)
{
    if (rc != OK) {
        /* A peer that answers nonsense is a fault of the peer, not of the request. */
        r->err.code = ERR_INTERNAL;
        r->from_server = false;
    }
}

void *reply_array(struct reply *r, struct arena *a, size_t n, size_t size)
{
    void *v = arena_alloc(a, n * size + 1);
    if (v == NULL) {
        reply_read(r, err_set(&r->err, ERR_INTERNAL,
                              "the server's answer has more parts than an "
                              "answer of its size can have"));
    }
    return v;
}

const char *reply_text(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);
    if (copy == NULL) {
        /* Only an answer made to exhaust its budget gets here. */
        return "";
    }
    if (s.n != 0) {
        memcpy(copy, s.p, s.n);
    }
    copy[s.n] = '\0';
    return copy;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Every document differs from the one before under its key by a number in its spec, so that no
 * put is a no-op; all else stays, as in the usual edit. (2) In an open loop a put is timed from
 * when it was due, also when all clients were busy then. */
#include "putter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS 100 /* app=a-00 … a-99, so that one selects 1 % */

static void doc_init(struct putter *p, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char head[] =
        "{\"metadata\":{\"name\":\"o-00000000\",\"labels\":{\"app\":\"a-00\"}},"
        "\"spec\":{\"seq\":1000000000000,\"data\":\"";
    static const char tail[] = "\"}}";
    if (size < sizeof(head) + sizeof(tail)) {
        fail("an object has at least %zu bytes", sizeof(head) + sizeof(tail));
    }
    p->doc_n = size;
    p->doc = mem_alloc(size + 1);
    memcpy(p->doc, head, sizeof(head) - 1);
    for (size_t i = sizeof(head) - 1; i < size; i++) {
        p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
        p->doc[i] = letters[p->seed >> 58];
    }
    memcpy(p->doc + size - (sizeof(tail) - 1), tail, sizeof(tail));
    p->name_at = (size_t)(strstr(p->doc, "o-") - p->doc) + 2;
    p->label_at = (size_t)(strstr(p->doc, "a-00") - p->doc) + 2;
    p->seq_at = (size_t)(strstr(p->doc, "1000000000000") - p->doc) + 1;
}

static void set_digits(char *at, size_t digits, uint64_t value)
{
    for (size_t i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

static uint64_t pick_key(struct putter *p)
{
    if (!p->random_keys) {
        return p->next_key++ % p->keys;
    }
    p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
    return (p->seed >> 24) % p->keys;
}

static void issue(struct client *c, int64_t due)
{
    struct putter *p = c->putter;
    c->key = pick_key(p);
    c->due = due;
    c->answered = false;
    set_digits(p->doc + p->name_at, KEY_DIGITS, c->key);
    set_digits(p->doc + p->label_at, 2, c->key % LABELS);
    set_digits(p->doc + p->seq_at, 12, p->b->seq++); /* (1) */
    buf_clear(&p->message);
    p->b->target->put(&p->message, c->key, (struct str){p->doc, p->doc_n});
    p->issued++;
    p->left--;
    if (p->on_issue != NULL) {
        p->on_issue(p->arg, c->key, due);
    }
    h2_call_send(&c->call, buf_str(&p->message));
    h2_call_start(&c->call, c->conn, p->b->target->put_path, true);
}

static bool may_issue(const struct putter *p)
{
    return p->running && p->left > 0;
}

void client_over(struct client *c)
{
    struct putter *p = c->putter;
    p->over++;
    if (p->interval == 0 && may_issue(p)) {
        issue(c, now_ns());
        return;
    }
    c->next_idle = p->idle;
    p->idle = c;
}

static void on_message(struct h2_call *call, struct str message)
{
    struct client *c = CONTAINER_OF(call, struct client, call);
    if (!c->putter->b->target->put_answer(message, &c->rv)) {
        fail("a put was answered with what is no answer");
    }
    c->answered = true;
}

static void on_end(struct h2_call *call, int status, const char *text)
{
    struct client *c = CONTAINER_OF(call, struct client, call);
    struct putter *p = c->putter;
    if (status != 0 || !c->answered) {
        fail("a put failed: status %d, %s", status, text);
    }
    hist_add(p->latency, h2_loop_time(p->b->loop) - c->due);
    p->last_rv = c->rv > p->last_rv ? c->rv : p->last_rv;
    if (p->on_answer == NULL || p->on_answer(p->arg, c)) {
        client_over(c);
    }
}

static const struct h2_call_ops ops = {on_message, on_end};

void putter_init(struct putter *p, struct bench *b, size_t clients, size_t conns, int64_t rate)
{
    *p = (struct putter){
        .b = b,
        .n = clients,
        .keys = (uint64_t)b->objects,
        .random_keys = b->random_keys,
        .seed = 88172645463325252u,
        .interval = rate > 0 ? SECOND / rate : 0,
    };
    conns = conns == 0 || conns > clients ? clients : conns;
    buf_init(&p->message, 16u << 20);
    doc_init(p, (size_t)b->body);
    p->latency = mem_zalloc(sizeof(*p->latency));
    p->clients = mem_zalloc(clients * sizeof(*p->clients));
    for (size_t i = 0; i < clients; i++) {
        struct client *c = &p->clients[i];
        h2_call_init(&c->call, &ops);
        c->putter = p;
        c->conn = i < conns ? bench_connect(b) : p->clients[i % conns].conn;
        c->next_idle = p->idle;
        p->idle = c;
    }
}

void putter_fini(struct putter *p)
{
    for (size_t i = 0; i < p->n; i++) {
        h2_call_fini(&p->clients[i].call);
    }
    free(p->clients);
    free(p->latency);
    free(p->doc);
    buf_fini(&p->message);
}

int64_t putter_tick(struct putter *p)
{
    if (!may_issue(p)) {
        return INT64_MAX;
    }
    int64_t now = now_ns();
    while (p->idle != NULL && may_issue(p) && (p->interval == 0 || p->next_due <= now)) {
        struct client *c = p->idle;
        p->idle = c->next_idle;
        issue(c, p->interval == 0 ? now : p->next_due); /* (2) */
        p->next_due += p->interval;
    }
    return p->interval == 0 || p->idle == NULL ? INT64_MAX : p->next_due;
}

void putter_start(struct putter *p, uint64_t puts)
{
    p->left = puts;
    p->running = true;
    p->next_due = now_ns();
    p->b->putter = p;
}

void putter_stop(struct putter *p)
{
    p->running = false;
}

bool putter_idle(void *arg)
{
    struct putter *p = arg;
    return p->over == p->issued && !may_issue(p);
}

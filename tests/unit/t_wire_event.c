/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/delta.h"
#include "tests/unit/wire_random.h"

extern const ProtobufCMessageDescriptor watch__v1__subscribe_response__descriptor;

/* An event, and the two documents it is about, put together the plain way. */
struct sample {
    struct event ev;
    struct str older;
    struct buf delta;
};

static uint32_t rnd_splice(struct rnd *r, struct str body)
{
    size_t at = rnd_below(r, 4) == 0 ? body.n : rnd_below(r, body.n + 1);
    while (at > 0 && at < body.n && (body.p[at] & 0xc0) == 0x80) {
        at--;
    }
    return (uint32_t)at;
}

/* The older text: the newer one with something in it replaced, or another text altogether. */
static struct str rnd_older(struct rnd *r, struct str newer)
{
    if (rnd_below(r, 5) == 0) {
        return rnd_text(r, 500);
    }
    if (rnd_below(r, 5) == 0) {
        return newer;
    }
    size_t head = rnd_splice(r, newer);
    size_t tail_at = head + rnd_splice(r, (struct str){newer.p + head, newer.n - head});
    struct str middle = rnd_text(r, 300);
    char *p = arena_alloc(&r->texts, newer.n + middle.n + 1);
    assert_non_null(p);
    memcpy(p, newer.p, head);
    memcpy(p + head, middle.p, middle.n);
    memcpy(p + head + middle.n, newer.p + tail_at, newer.n - tail_at);
    return (struct str){p, head + middle.n + newer.n - tail_at};
}

static void sample_make(struct sample *s, struct rnd *r, enum cause cause)
{
    struct str body = rnd_text(r, 1500);
    s->older = rnd_older(r, body);
    buf_init(&s->delta, BUF_LIMIT);
    delta_make(body, s->older, &s->delta);
    s->ev = (struct event){
        .rv = rnd_u64(r) | 2,
        .prev_rv = cause == CAUSE_CREATED ? 0 : rnd_u64(r) | 1,
        .generation = rnd_u64(r),
        .prev_generation = rnd_u64(r),
        .cause = cause,
        .splice = rnd_splice(r, body),
        .prev_splice = rnd_splice(r, s->older),
        .key = rnd_key(r),
        .body = body,
        .delta = buf_str(&s->delta),
    };
}

static struct str spliced(struct rnd *r, struct str body, uint32_t splice, rv_t rv,
                          uint64_t generation)
{
    char version[SPLICE_MAX];
    size_t n = splice_text(rv, generation, version);
    char *p = arena_alloc(&r->texts, body.n + n);
    assert_non_null(p);
    memcpy(p, body.p, splice);
    memcpy(p + splice, version, n);
    memcpy(p + splice + n, body.p + splice, body.n - splice);
    return (struct str){p, body.n + n};
}

/* What the header promises for this form. */
static struct wire_event wanted_of(struct rnd *r, const struct sample *s, enum event_form form,
                                   bool previous)
{
    const struct event *ev = &s->ev;
    struct wire_event w = {.object.key = ev->key, .object.rv = ev->rv};
    w.object.json = spliced(r, ev->body, ev->splice, ev->rv, ev->generation);
    switch (form) {
    case FORM_PLAIN:
        w.type = ev->cause == CAUSE_CREATED   ? WIRE_ADDED
                 : ev->cause == CAUSE_UPDATED ? WIRE_MODIFIED
                                              : WIRE_DELETED;
        w.cause = (enum wire_cause)ev->cause;
        break;
    case FORM_ENTERED:
        w.type = WIRE_ADDED;
        w.cause = WIRE_CAUSE_ENTERED;
        break;
    case FORM_LEFT:
        w.type = WIRE_DELETED;
        w.cause = WIRE_CAUSE_LEFT;
        w.object.json = spliced(r, s->older, ev->prev_splice, ev->rv, ev->prev_generation);
        break;
    case FORM_SNAPSHOT:
        w.type = WIRE_ADDED;
        w.cause = WIRE_CAUSE_NONE;
        break;
    }
    w.has_previous = previous && ev->prev_rv != 0 && form != FORM_SNAPSHOT;
    if (w.has_previous) {
        w.previous.key = ev->key;
        w.previous.rv = ev->prev_rv;
        w.previous.json = spliced(r, s->older, ev->prev_splice, ev->prev_rv, ev->prev_generation);
    }
    return w;
}

static void assert_event(const struct wire_event *got, const struct wire_event *wanted)
{
    assert_int_equal(got->type, wanted->type);
    assert_int_equal(got->cause, wanted->cause);
    assert_object(&got->object, &wanted->object);
    assert_int_equal(got->has_previous, wanted->has_previous);
    assert_object(&got->previous, &wanted->previous);
}

/* Writes to memory of exactly the size said, so that one byte more is a fault. */
static struct str written(struct rnd *r, const struct event *ev, enum event_form form,
                          bool previous)
{
    size_t n = wire_event_size(ev, form, previous);
    assert_true(n <= wire_event_bound(ev, previous));
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    assert_ptr_equal(wire_event_write(ev, form, previous, bytes), bytes + n);
    char *p = arena_alloc(&r->texts, n);
    assert_non_null(p);
    memcpy(p, bytes, n);
    free(bytes);
    return (struct str){p, n};
}

static void each_form_with_each_cause_shows_what_it_should(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4 * 4 * 2 * 100; i++) {
        struct rnd r;
        rnd_init(&r, i);
        enum cause cause = (enum cause)(CAUSE_CREATED + i % 4);
        enum event_form form = (enum event_form)(i / 4 % 4);
        bool previous = i / 16 % 2 != 0;
        struct sample s;
        sample_make(&s, &r, cause);
        if (form == FORM_LEFT && s.ev.prev_rv == 0) {
            s.ev.prev_rv = 1; /* what leaves was there */
        }
        struct str bytes = written(&r, &s.ev, form, previous);
        assert_as_packed(&watch__v1__subscribe_response__descriptor, bytes);

        struct arena a;
        arena_init(&a, BUDGET);
        struct wire_subscribe_response back;
        struct err err;
        assert_int_equal(wire_read_subscribe_response(&a, bytes, &back, &err), OK);
        assert_int_equal(back.n_events, 1);
        assert_int_equal(back.signal, WIRE_SIGNAL_NONE);
        struct wire_event wanted = wanted_of(&r, &s, form, previous);
        assert_event(&back.events[0], &wanted);
        arena_fini(&a);
        buf_fini(&s.delta);
        rnd_fini(&r);
    }
}

static void events_and_heads_make_a_response_in_any_concatenation(void **state)
{
    (void)state;
    enum { EVENTS = 12 };
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct rnd r;
        rnd_init(&r, i);
        struct sample s[EVENTS];
        struct wire_event wanted[EVENTS];
        struct buf out;
        buf_init(&out, BUF_LIMIT);
        size_t n = rnd_below(&r, EVENTS + 1);
        size_t head_at = rnd_below(&r, n + 1);
        struct str position = rnd_bytes(&r, rnd_below(&r, 200));
        for (size_t k = 0; k <= n; k++) {
            if (k == head_at) {
                wire_append_position(position, &out);
            }
            if (k < n) {
                enum event_form form = (enum event_form)rnd_below(&r, 4);
                sample_make(&s[k], &r, CAUSE_UPDATED);
                wanted[k] = wanted_of(&r, &s[k], form, true);
                buf_adds(&out, written(&r, &s[k].ev, form, true));
                buf_fini(&s[k].delta);
            }
        }
        struct arena a;
        arena_init(&a, BUDGET);
        struct wire_subscribe_response back;
        struct err err;
        assert_int_equal(wire_read_subscribe_response(&a, buf_str(&out), &back, &err), OK);
        assert_str(back.position, position);
        assert_int_equal(back.n_events, n);
        for (size_t k = 0; k < n; k++) {
            assert_event(&back.events[k], &wanted[k]);
        }
        arena_fini(&a);
        buf_fini(&out);
        rnd_fini(&r);
    }
}

static struct event real_event(struct buf *delta, struct str older, struct str newer)
{
    delta_make(newer, older, delta);
    size_t splice = (size_t)((const char *)memmem(newer.p, newer.n, "\"creation", 9) - newer.p);
    return (struct event){
        .rv = 97,
        .prev_rv = 41,
        .generation = 3,
        .prev_generation = 2,
        .cause = CAUSE_UPDATED,
        .splice = (uint32_t)splice,
        .prev_splice = (uint32_t)splice,
        .key = {STR("jobs"), STR("default"), STR("j1")},
        .body = newer,
        .delta = buf_str(delta),
    };
}

static void what_leaves_is_shown_as_it_was_with_the_version_of_its_leaving(void **state)
{
    (void)state;
    struct str older = STR("{\"metadata\":{\"name\":\"j1\",\"creationTimestamp\":\"T\","
                           "\"labels\":{\"app\":\"web\"}},\"spec\":{\"n\":1}}");
    struct str newer = STR("{\"metadata\":{\"name\":\"j1\",\"creationTimestamp\":\"T\","
                           "\"labels\":{\"app\":\"db\"}},\"spec\":{\"n\":1}}");
    struct rnd r;
    rnd_init(&r, 1);
    struct buf delta;
    buf_init(&delta, BUF_LIMIT);
    struct event ev = real_event(&delta, older, newer);
    struct str bytes = written(&r, &ev, FORM_LEFT, true);
    struct arena a;
    arena_init(&a, BUDGET);
    struct wire_subscribe_response back;
    struct err err;
    assert_int_equal(wire_read_subscribe_response(&a, bytes, &back, &err), OK);
    assert_str(
        back.events[0].object.json,
        STR("{\"metadata\":{\"name\":\"j1\",\"resourceVersion\":\"97\",\"generation\":2,"
            "\"creationTimestamp\":\"T\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"n\":1}}"));
    assert_int_equal(back.events[0].object.rv, 97);
    assert_str(
        back.events[0].previous.json,
        STR("{\"metadata\":{\"name\":\"j1\",\"resourceVersion\":\"41\",\"generation\":2,"
            "\"creationTimestamp\":\"T\",\"labels\":{\"app\":\"web\"}},\"spec\":{\"n\":1}}"));
    assert_int_equal(back.events[0].previous.rv, 41);
    arena_fini(&a);
    buf_fini(&delta);
    rnd_fini(&r);
}

static void an_event_of_a_megabyte_is_written_whole(void **state)
{
    (void)state;
    char *older = mem_alloc(OBJECT_MAX_BYTES);
    char *newer = mem_alloc(OBJECT_MAX_BYTES);
    memset(older, 'x', OBJECT_MAX_BYTES);
    memset(newer, 'x', OBJECT_MAX_BYTES);
    older[OBJECT_MAX_BYTES / 2] = 'o';
    newer[OBJECT_MAX_BYTES / 2] = 'n';
    struct sample s = {
        .older = {older, OBJECT_MAX_BYTES}
    };
    buf_init(&s.delta, BUF_LIMIT);
    delta_make((struct str){newer, OBJECT_MAX_BYTES}, s.older, &s.delta);
    s.ev = (struct event){
        .rv = 2,
        .prev_rv = 1,
        .generation = 2,
        .prev_generation = 1,
        .cause = CAUSE_UPDATED,
        .splice = 100,
        .prev_splice = OBJECT_MAX_BYTES,
        .key = {STR("objects"), STR("default"), STR("big")},
        .body = {newer,              OBJECT_MAX_BYTES                       },
        .delta = buf_str(&s.delta),
    };
    struct rnd r;
    rnd_init(&r, 1);
    struct str bytes = written(&r, &s.ev, FORM_PLAIN, true);
    struct arena a;
    arena_init(&a, BUDGET);
    struct wire_subscribe_response back;
    struct err err;
    assert_int_equal(wire_read_subscribe_response(&a, bytes, &back, &err), OK);
    struct wire_event wanted = wanted_of(&r, &s, FORM_PLAIN, true);
    assert_event(&back.events[0], &wanted);
    arena_fini(&a);
    rnd_fini(&r);
    buf_fini(&s.delta);
    free(older);
    free(newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_with_each_cause_shows_what_it_should),
        cmocka_unit_test(events_and_heads_make_a_response_in_any_concatenation),
        cmocka_unit_test(what_leaves_is_shown_as_it_was_with_the_version_of_its_leaving),
        cmocka_unit_test(an_event_of_a_megabyte_is_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/object.h"

#include <assert.h>
#include <stdlib.h>

#include "store/model/json.h"

static struct str put(char **at, struct str s)
{
    if (s.n != 0) {
        memcpy(*at, s.p, s.n);
    }
    struct str copy = {*at, s.n};
    *at += s.n;
    return copy;
}

struct object *object_new_unwritten(const struct key *key, struct str labels, size_t body_n,
                                    uint32_t splice, uint64_t generation, uint64_t hash,
                                    uint64_t spec_hash, char **ret_body)
{
    assert(splice <= body_n);
    size_t n = key->resource.n + key->ns.n + key->name.n + labels.n + body_n;
    struct object *o = mem_alloc(sizeof(*o) + n);
    *o = (struct object){
        .splice = splice, .generation = generation, .hash = hash, .spec_hash = spec_hash};
    atomic_init(&o->refs, 1);
    char *at = (char *)(o + 1);
    o->key.resource = put(&at, key->resource);
    o->key.ns = put(&at, key->ns);
    o->key.name = put(&at, key->name);
    o->labels = put(&at, labels);
    o->body = (struct str){at, body_n};
    *ret_body = at;
    return o;
}

struct object *object_new(const struct key *key, struct str labels, struct str body,
                          uint32_t splice, uint64_t generation, uint64_t hash, uint64_t spec_hash)
{
    char *at = NULL;
    struct object *o =
        object_new_unwritten(key, labels, body.n, splice, generation, hash, spec_hash, &at);
    (void)put(&at, body);
    return o;
}

struct object *object_ref(struct object *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void object_unref(struct object *o)
{
    if (o == NULL) {
        return;
    }
    int before = atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        free(o);
    }
}

void object_unrefp(struct object **o)
{
    object_unref(*o);
    *o = NULL;
}

struct str object_uid(const struct object *o)
{
    /* …,"uid":"…",▲ */
    if (o->splice < UUID_LEN + 2) {
        return STR_EMPTY;
    }
    return (struct str){o->body.p + o->splice - UUID_LEN - 2, UUID_LEN};
}

/* The time in rest, which begins with `before`, or nothing. */
static struct str time_behind(struct str rest, struct str before)
{
    /* One more for the quote at the end. */
    if (!str_starts(rest, before) || rest.n <= before.n + CLOCK_RFC3339_LEN) {
        return STR_EMPTY;
    }
    return (struct str){rest.p + before.n, CLOCK_RFC3339_LEN};
}

struct str object_created(const struct object *o)
{
    struct str rest = {o->body.p + o->splice, o->body.n - o->splice};
    return time_behind(rest, STR("\"creationTimestamp\":\""));
}

/* Users cannot set a member of this name, so what lies there is ours. */
#define DELETION_BEGIN ",\"deletionTimestamp\":\""

struct str object_deletion(const struct object *o)
{
    struct str created = object_created(o);
    if (created.n == 0) {
        return STR_EMPTY;
    }
    const char *behind = created.p + created.n + 1;
    struct str rest = {behind, (size_t)(o->body.p + o->body.n - behind)};
    return time_behind(rest, STR(DELETION_BEGIN));
}

struct str object_times(const struct object *o)
{
    struct str last = object_deletion(o);
    last = last.n != 0 ? last : object_created(o);
    const char *begin = o->body.p + o->splice;
    return (struct str){begin, last.n != 0 ? (size_t)(last.p + last.n + 1 - begin) : 0};
}

bool object_has_finalizers(const struct object *o)
{
    /* Nearly no object has any, and then the word does not occur outside of strings. */
    static const struct str word = {"\"finalizers\":", 13};
    if (memmem(o->body.p, o->body.n, word.p, word.n) == NULL) {
        return false;
    }
    CLEANUP(json_decrefp) json_t *tree = object_tree(o);
    const json_t *metadata = json_object_get(tree, "metadata");
    return json_array_size(json_object_get(metadata, "finalizers")) != 0;
}

struct object *object_begin_deletion(const struct object *o, wall_ms_t now)
{
    char time[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(now, time);
    struct str times = object_times(o);
    size_t at = (size_t)(times.p + times.n - o->body.p);
    CLEANUP(buf_fini) struct buf body;
    buf_init(&body, SIZE_MAX);
    buf_add(&body, o->body.p, at);
    buf_adds(&body, STR(DELETION_BEGIN));
    buf_adds(&body, (struct str){time, CLOCK_RFC3339_LEN});
    buf_addc(&body, '"');
    buf_add(&body, o->body.p + at, o->body.n - at);
    return object_new(&o->key, o->labels, buf_str(&body), o->splice, o->generation + 1, o->hash,
                      o->spec_hash);
}

static char *put_u64(char *at, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n != 0) {
        *at++ = digits[--n];
    }
    return at;
}

static char *put_literal(char *at, struct str s)
{
    memcpy(at, s.p, s.n);
    return at + s.n;
}

size_t splice_text(rv_t rv, uint64_t generation, char ret[SPLICE_MAX])
{
    /* Every event and every object read passes here, so no printf. */
    char *at = ret;
    if (rv != 0) {
        at = put_literal(at, STR("\"resourceVersion\":\""));
        at = put_u64(at, rv);
        at = put_literal(at, STR("\","));
    }
    at = put_literal(at, STR("\"generation\":"));
    at = put_u64(at, generation);
    *at++ = ',';
    return (size_t)(at - ret);
}

void object_render(struct str body, uint32_t splice, rv_t rv, uint64_t generation, struct buf *out)
{
    assert(splice <= body.n);
    char text[SPLICE_MAX];
    size_t n = splice_text(rv, generation, text);
    buf_add(out, body.p, splice);
    buf_add(out, text, n);
    buf_add(out, body.p + splice, body.n - splice);
}

json_t *object_tree(const struct object *o)
{
    json_t *tree = NULL;
    enum errc code = json_text_parse(o->body, "body", &tree, NULL);
    assert(code == OK); /* It is our own text, and its checksum was right. */
    return tree;
}

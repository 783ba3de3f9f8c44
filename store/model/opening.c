/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/opening.h"

#include <endian.h>

#include "store/base/clock.h"
#include "store/model/labels.h"

/* {"apiVersion":"A","kind":"K","metadata":{"name":"N","namespace":"S","uid":"U",▲
 * "creationTimestamp":"T"[,"labels":{"k":"v",…}]: none of these texts can need an escape. */
#define BEGIN         "{\"apiVersion\":\""
#define KIND          "\",\"kind\":\""
#define NAME          "\",\"metadata\":{\"name\":\""
#define NAMESPACE     "\",\"namespace\":\""
#define UID           "\",\"uid\":\""
#define UID_END       "\","
#define CREATED       "\"creationTimestamp\":\""
#define LABELS        ",\"labels\":{"
#define PAIR_QUOTES   5 /* "k":"v" */

#define FIXED_SIZE(s) (sizeof(s) - 1)
#define BEFORE_SPLICE                                                                  \
    (FIXED_SIZE(BEGIN) + FIXED_SIZE(KIND) + FIXED_SIZE(NAME) + FIXED_SIZE(NAMESPACE) + \
     FIXED_SIZE(UID) + UUID_LEN + FIXED_SIZE(UID_END))
#define BEHIND_SPLICE (FIXED_SIZE(CREATED) + CLOCK_RFC3339_LEN + 1)

/* Inlined, with a size that the compiler knows. */
#define PUT(at, literal) (memcpy((at), (literal), FIXED_SIZE(literal)), (at) + FIXED_SIZE(literal))

static char *put(char *at, struct str s)
{
    if (s.n != 0) {
        memcpy(at, s.p, s.n);
    }
    return at + s.n;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* Four bytes as eight digits, all at once: each byte of x becomes one. */
static void put_hex(char *at, const uint8_t *bytes)
{
    uint32_t v;
    memcpy(&v, bytes, sizeof(v));
    uint64_t x = be32toh(v);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    x = htobe64(x + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10));
    memcpy(at, &x, sizeof(x));
}

static char *put_uid(char *at, const uint8_t uid[OPENING_UID_BYTES])
{
    char middle[16]; /* xxxx-xxxx-xxxx-xxxx without the dashes */
    put_hex(at, uid);
    put_hex(middle, uid + 4);
    put_hex(middle + 8, uid + 8);
    for (size_t i = 0; i < 4; i++) {
        at[8 + 5 * i] = '-';
        memcpy(at + 9 + 5 * i, middle + 4 * i, 4);
    }
    put_hex(at + 28, uid + 12);
    return at + UUID_LEN;
}

/* Of what is no such text it makes anything: who asks compares what comes back. */
static void uid_of(const char *text, uint8_t ret[OPENING_UID_BYTES])
{
    size_t byte = 0;
    for (size_t i = 0; i < UUID_LEN; i += is_dash(i) ? 1 : 2) {
        if (!is_dash(i)) {
            unsigned v = 0;
            for (size_t k = i; k < i + 2; k++) {
                unsigned c = (unsigned char)text[k];
                v = v << 4 | ((c >= 'a' ? c - 'a' + 10 : c - '0') & 15);
            }
            ret[byte++] = (uint8_t)v;
        }
    }
}

/* ---- Labels ---------------------------------------------------------------------------------- */

static size_t labels_size(struct str labels)
{
    size_t n = 0, at = 0;
    struct str key, value;
    while (labels_next(labels, &at, &key, &value)) {
        n += key.n + value.n + PAIR_QUOTES + 1; /* a comma, or the brace at the end */
    }
    return n != 0 ? FIXED_SIZE(LABELS) + n : 0;
}

static char *put_labels(char *at, struct str labels)
{
    size_t from = 0;
    struct str key, value;
    at = PUT(at, LABELS);
    while (labels_next(labels, &from, &key, &value)) {
        *at++ = '"';
        at = put(at, key);
        at = PUT(at, "\":\"");
        at = put(at, value);
        at = PUT(at, "\",");
    }
    at[-1] = '}';
    return at;
}

/* ---- The whole ------------------------------------------------------------------------------- */

uint32_t opening_splice(const struct opening *o)
{
    return (uint32_t)(BEFORE_SPLICE + o->api_version.n + o->kind.n + o->key.name.n + o->key.ns.n);
}

size_t opening_size(const struct opening *o)
{
    return opening_splice(o) + BEHIND_SPLICE + (o->labels.n != 0 ? labels_size(o->labels) : 0);
}

char *opening_write(const struct opening *o, char *at)
{
    at = PUT(at, BEGIN);
    at = put(at, o->api_version);
    at = PUT(at, KIND);
    at = put(at, o->kind);
    at = PUT(at, NAME);
    at = put(at, o->key.name);
    at = PUT(at, NAMESPACE);
    at = put(at, o->key.ns);
    at = PUT(at, UID);
    at = put_uid(at, o->uid);
    at = PUT(at, UID_END);
    at = PUT(at, CREATED);
    char time[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(o->created * 1000, time);
    memcpy(at, time, CLOCK_RFC3339_LEN);
    at += CLOCK_RFC3339_LEN;
    *at++ = '"';
    return o->labels.n != 0 ? put_labels(at, o->labels) : at;
}

/* Takes a text in quotes off the front of *rest, and what stands before it. */
static bool take_quoted(struct str *rest, struct str before, struct str *ret)
{
    if (!str_starts(*rest, before)) {
        return false;
    }
    const char *p = rest->p + before.n;
    const char *end = memchr(p, '"', rest->n - before.n);
    if (end == NULL) {
        return false;
    }
    *ret = (struct str){p, (size_t)(end - p)};
    *rest = (struct str){end, rest->n - (size_t)(end - rest->p)};
    return true;
}

static bool is_opening(const struct opening *o, struct str body, size_t *ret_n)
{
    size_t n = opening_size(o);
    if (n > body.n) {
        return false;
    }
    CLEANUP(freep) char *text = mem_alloc(n);
    (void)opening_write(o, text);
    *ret_n = n;
    return memcmp(text, body.p, n) == 0;
}

/* Reads the facts where they should be; what they make is compared. */
bool opening_find(const struct key *key, struct str labels, struct str body, uint32_t splice,
                  struct opening *ret, size_t *ret_n)
{
    struct opening o = {.key = *key};
    struct str rest = body;
    if (!take_quoted(&rest, STR(BEGIN), &o.api_version) ||
        !take_quoted(&rest, STR(KIND), &o.kind) || opening_splice(&o) != splice ||
        body.n < splice + BEHIND_SPLICE) {
        return false;
    }
    uid_of(body.p + splice - FIXED_SIZE(UID_END) - UUID_LEN, o.uid);
    if (!clock_of_rfc3339(body.p + splice + FIXED_SIZE(CREATED), &o.created)) {
        return false;
    }
    size_t behind = splice + BEHIND_SPLICE;
    if (str_starts((struct str){body.p + behind, body.n - behind}, STR(LABELS))) {
        o.labels = labels;
    }
    bool found = is_opening(&o, body, ret_n);
    if (!found && o.labels.n != 0) {
        o.labels = STR_EMPTY;
        found = is_opening(&o, body, ret_n);
    }
    *ret = o;
    return found;
}

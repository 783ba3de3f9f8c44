/* SPDX-License-Identifier: Apache-2.0 */
/* Not usual, and left to jansson: escapes by number (\u0041), integers of more than 18 digits,
 * reals of more than 60 characters or out of range, keys twice in an object, and every mistake. */
#include "store/model/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/model/json.h"

#define INTEGER_DIGITS 18
#define NUMBER_MAX     60

struct reader {
    const unsigned char *p, *end;
    struct buf scratch; /* a string with escapes */
    int depth;
};

static json_t *read_value(struct reader *r);

static bool at_digit(const struct reader *r)
{
    return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static bool at(const struct reader *r, char c)
{
    return r->p < r->end && *r->p == (unsigned char)c;
}

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) {
        r->p++;
    }
}

static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (!at(r, c)) {
        return false;
    }
    r->p++;
    return true;
}

/* Goes on to the quote, or to an escape. False: neither comes. */
static bool skip_plain(struct reader *r)
{
    for (;;) {
        const unsigned char *end = r->end;
        const unsigned char *p = r->p + json_plain(r->p, (size_t)(end - r->p));
        r->p = p;
        if (p == end) {
            return false;
        }
        unsigned char c = *p;
        if (c == '"' || c == '\\') {
            return true;
        }
        if (c < 0x20) {
            return false;
        }
        size_t n = utf8_len((const char *)p, (size_t)(end - p));
        if (n == 0) {
            return false;
        }
        r->p += n;
    }
}

static bool read_escape(struct reader *r)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    r->p++;
    const char *letter = r->p < r->end && *r->p != 0 ? strchr(letters, *r->p) : NULL;
    if (letter == NULL) {
        return false;
    }
    buf_addc(&r->scratch, meant[letter - letters]);
    r->p++;
    return true;
}

/* *ret is valid until the next string. */
static bool read_string(struct reader *r, struct str *ret)
{
    if (!take(r, '"')) {
        return false;
    }
    const unsigned char *from = r->p;
    if (!skip_plain(r)) {
        return false;
    }
    if (*r->p == '"') {
        *ret = (struct str){(const char *)from, (size_t)(r->p - from)};
        r->p++;
        return true;
    }
    buf_clear(&r->scratch);
    for (;;) {
        buf_add(&r->scratch, from, (size_t)(r->p - from));
        if (*r->p == '"') {
            break;
        }
        if (!read_escape(r)) {
            return false;
        }
        from = r->p;
        if (!skip_plain(r)) {
            return false;
        }
    }
    r->p++;
    *ret = buf_str(&r->scratch);
    return true;
}

static bool skip_digits(struct reader *r)
{
    const unsigned char *from = r->p;
    while (at_digit(r)) {
        r->p++;
    }
    return r->p > from;
}

static json_t *make_real(const unsigned char *from, size_t n)
{
    char text[NUMBER_MAX + 1];
    if (n > NUMBER_MAX) {
        return NULL;
    }
    memcpy(text, from, n);
    text[n] = '\0';
    double v = strtod(text, NULL);
    return isfinite(v) ? json_real(v) : NULL;
}

static json_t *make_integer(const unsigned char *from, size_t n)
{
    bool negative = *from == '-';
    json_int_t v = 0;
    if (n - negative > INTEGER_DIGITS) {
        return NULL;
    }
    for (size_t i = negative; i < n; i++) {
        v = v * 10 + (from[i] - '0');
    }
    return json_integer(negative ? -v : v);
}

static json_t *read_number(struct reader *r)
{
    const unsigned char *from = r->p;
    bool real = false;
    r->p += at(r, '-');
    if (at(r, '0')) {
        r->p++;
    } else if (!skip_digits(r)) {
        return NULL;
    }
    if (at(r, '.')) {
        real = true;
        r->p++;
        if (!skip_digits(r)) {
            return NULL;
        }
    }
    if (at(r, 'e') || at(r, 'E')) {
        real = true;
        r->p++;
        r->p += at(r, '+') || at(r, '-');
        if (!skip_digits(r)) {
            return NULL;
        }
    }
    size_t n = (size_t)(r->p - from);
    return real ? make_real(from, n) : make_integer(from, n);
}

static bool read_members(struct reader *r, json_t *object)
{
    if (take(r, '}')) {
        return true;
    }
    do {
        struct str key;
        if (!read_string(r, &key) || json_object_getn(object, key.p, key.n) != NULL) {
            return false;
        }
        CLEANUP(buf_fini) struct buf kept; /* an escaped key is overwritten by what follows */
        buf_init(&kept, SIZE_MAX);
        if (key.p == r->scratch.p) {
            buf_adds(&kept, key);
            key = buf_str(&kept);
        }
        json_t *value = take(r, ':') ? read_value(r) : NULL;
        if (value == NULL ||
            json_object_setn_new_nocheck(object, key.n != 0 ? key.p : "", key.n, value) != 0) {
            return false;
        }
    } while (take(r, ','));
    return take(r, '}');
}

static bool read_elements(struct reader *r, json_t *array)
{
    if (take(r, ']')) {
        return true;
    }
    do {
        json_t *value = read_value(r);
        if (value == NULL || json_array_append_new(array, value) != 0) {
            return false;
        }
    } while (take(r, ','));
    return take(r, ']');
}

static json_t *read_container(struct reader *r)
{
    bool object = *r->p == '{';
    if (r->depth == JSON_DEPTH_MAX) {
        return NULL;
    }
    r->p++;
    r->depth++;
    CLEANUP(json_decrefp) json_t *v = object ? json_object() : json_array();
    if (!(object ? read_members(r, v) : read_elements(r, v))) {
        return NULL;
    }
    r->depth--;
    return TAKE(v);
}

static json_t *read_word(struct reader *r, struct str word, json_t *value)
{
    if ((size_t)(r->end - r->p) < word.n || memcmp(r->p, word.p, word.n) != 0) {
        return NULL;
    }
    r->p += word.n;
    return value;
}

static json_t *read_value(struct reader *r)
{
    struct str s;
    skip_space(r);
    if (r->p == r->end) {
        return NULL;
    }
    switch (*r->p) {
    case '{':
    case '[':
        return read_container(r);
    case '"':
        return read_string(r, &s) ? json_stringn_nocheck(s.n != 0 ? s.p : "", s.n) : NULL;
    case 't':
        return read_word(r, STR("true"), json_true());
    case 'f':
        return read_word(r, STR("false"), json_false());
    case 'n':
        return read_word(r, STR("null"), json_null());
    default:
        return read_number(r);
    }
}

json_t *json_read(struct str text)
{
    if (text.n == 0) {
        return NULL; /* there may be no place, to which nothing can be added */
    }
    struct reader r = {.p = (const unsigned char *)text.p,
                       .end = (const unsigned char *)text.p + text.n};
    buf_init(&r.scratch, text.n + 1);
    CLEANUP(json_decrefp) json_t *v = read_value(&r);
    skip_space(&r);
    bool whole = v != NULL && r.p == r.end;
    buf_fini(&r.scratch);
    return whole ? TAKE(v) : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* (1) jansson recurses as deep as the text nests, and so do we over its tree: the depth is checked
 *     before it reads.
 * (2) What jansson refuses it names by line and column only. Then the text is walked once more, up
 *     to that place, to tell the path of the member at fault; that text is well-formed so far. */
#include "store/model/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "store/model/json_read.h"

#define PATH_MAX_BYTES 120

/* One open array or object. */
struct level {
    bool object;
    size_t index;   /* of the element, in an array */
    struct str key; /* the last one read, in an object; still escaped */
    bool key_next;  /* a string read now is a key */
};

/* A walk over the tokens that matter for nesting: brackets, commas, colons, strings. */
struct walk {
    struct level levels[JSON_DEPTH_MAX];
    size_t depth;
    size_t deepest; /* offset where the text goes below JSON_DEPTH_MAX; SIZE_MAX: it does not */
};

/* The offset behind the string that begins at `at`. */
static size_t string_end(struct str text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++) {
        if (text.p[at] == '\\') {
            at++;
        }
    }
    return at < text.n ? at + 1 : text.n;
}

static void walk_open(struct walk *w, bool object, size_t at)
{
    if (w->depth == JSON_DEPTH_MAX) {
        w->deepest = at;
        return;
    }
    w->levels[w->depth++] = (struct level){.object = object, .key_next = object};
}

/* Walks text[0 … upto), which need not be JSON. */
static void walk_text(struct walk *w, struct str text, size_t upto)
{
    w->depth = 0;
    w->deepest = SIZE_MAX;
    for (size_t at = 0; at < upto && w->deepest == SIZE_MAX;) {
        struct level *top = w->depth != 0 ? &w->levels[w->depth - 1] : NULL;
        size_t next = at + 1;
        switch (text.p[at]) {
        case '"':
            next = string_end(text, at);
            if (top != NULL && top->key_next) {
                size_t end = next - 1 > at ? next - 1 : next;
                top->key = (struct str){text.p + at + 1, end - at - 1};
                top->key_next = false;
            }
            break;
        case '{':
        case '[':
            walk_open(w, text.p[at] == '{', at);
            break;
        case '}':
        case ']':
            w->depth -= w->depth != 0;
            break;
        case ',':
            if (top != NULL) {
                top->index++;
                top->key_next = top->object;
            }
            break;
        default:
            break;
        }
        at = next;
    }
}

static bool is_plain_key(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '_' && c != '-') {
            return false;
        }
    }
    return s.n != 0;
}

/* "spec.containers[2].name", for the first n levels. */
static void path_text(const struct walk *w, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct level *l = &w->levels[i];
        if (!l->object) {
            buf_printf(out, "[%zu]", l->index);
        } else if (is_plain_key(l->key)) {
            buf_printf(out, "%s%.*s", out->n != 0 ? "." : "", STR_ARG(l->key));
        } else if (!l->key_next) {
            buf_printf(out, "[\"%.*s\"]", STR_ARG(l->key));
        }
    }
}

static void position_of(struct str text, size_t offset, int *ret_line, int *ret_column)
{
    *ret_line = 1;
    *ret_column = 1;
    for (size_t i = 0; i < offset && i < text.n; i++) {
        if (text.p[i] == '\n') {
            ++*ret_line;
            *ret_column = 1;
        } else {
            *ret_column += ((unsigned char)text.p[i] & 0xc0) != 0x80;
        }
    }
}

static enum errc refuse(struct str text, const char *field, const json_error_t *e, struct err *err)
{
    size_t upto = e->position < 0 ? 0 : (size_t)e->position;
    upto = upto > text.n ? text.n : upto;
    /* The bracket that should not be there closes nothing. */
    upto -= upto != 0 && (text.p[upto - 1] == ']' || text.p[upto - 1] == '}');
    struct walk w;
    walk_text(&w, text, upto); /* (2) */
    CLEANUP(buf_fini) struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    enum json_error_code code = json_error_code(e);
    size_t levels = w.depth;
    if (code == json_error_duplicate_key && levels != 0) {
        levels--; /* The object that has the key twice. */
    }
    path_text(&w, levels, &path);
    const char *in = path.n != 0 ? " in " : "";
    /* jansson quotes what it read last: "… near '\"a\"'". */
    if (code == json_error_duplicate_key && w.depth != 0) {
        struct str key = w.levels[w.depth - 1].key;
        return err_field(err, ERR_INVALID, field,
                         "duplicate key \"%.*s\"%s%.*s (line %d, column %d)",
                         key.n > PATH_MAX_BYTES ? PATH_MAX_BYTES : (int)key.n,
                         key.n != 0 ? key.p : "", in, STR_ARG(buf_str(&path)), e->line, e->column);
    }
    if (code == json_error_numeric_overflow) {
        return err_field(err, ERR_INVALID, field,
                         "%s%s%.*s (line %d, column %d): integers must fit 64 bits with a sign, "
                         "reals a double",
                         e->text, in, STR_ARG(buf_str(&path)), e->line, e->column);
    }
    if (code == json_error_null_character || code == json_error_null_byte_in_key) {
        return err_field(err, ERR_INVALID, field,
                         "a string with the character NUL (\\u0000)%s%.*s (line %d, column %d) is "
                         "not allowed",
                         in, STR_ARG(buf_str(&path)), e->line, e->column);
    }
    return err_field(err, ERR_INVALID, field, "is no valid JSON%s%.*s: %s (line %d, column %d)", in,
                     STR_ARG(buf_str(&path)), e->text, e->line, e->column);
}

enum errc json_text_parse(struct str text, const char *field, json_t **ret, struct err *err)
{
    json_t *usual = json_read(text);
    if (usual != NULL) {
        *ret = usual;
        return OK;
    }
    struct walk w;
    walk_text(&w, text, text.n);
    if (w.deepest != SIZE_MAX) { /* (1) */
        int line;
        int column;
        position_of(text, w.deepest, &line, &column);
        return err_field(err, ERR_INVALID, field,
                         "nests deeper than %d levels (line %d, column %d)", JSON_DEPTH_MAX, line,
                         column);
    }
    json_error_t e;
    json_t *v =
        json_loadb(text.n != 0 ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (v == NULL) {
        return refuse(text, field, &e, err);
    }
    *ret = v;
    return OK;
}

void json_text_string(struct str s, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    static const bool escaped[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};
    buf_addc(out, '"');
    size_t done = 0;
    for (size_t i = 0; i < s.n; i++) {
        i += json_plain((const unsigned char *)s.p + i, s.n - i);
        while (i < s.n && (unsigned char)s.p[i] >= 0x80) {
            i++;
        }
        if (i == s.n) {
            break;
        }
        unsigned char c = (unsigned char)s.p[i];
        if (!escaped[c]) {
            continue;
        }
        buf_add(out, s.p + done, i - done);
        done = i + 1;
        const char *letter = c == '\b'   ? "b"
                             : c == '\f' ? "f"
                             : c == '\n' ? "n"
                             : c == '\r' ? "r"
                             : c == '\t' ? "t"
                                         : NULL;
        if (letter != NULL) {
            buf_add(out, (const char[]){'\\', *letter}, 2);
        } else if (c >= 0x20) {
            buf_add(out, (const char[]){'\\', (char)c}, 2);
        } else {
            buf_add(out, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        }
    }
    if (done < s.n) {
        buf_add(out, s.p + done, s.n - done);
    }
    buf_addc(out, '"');
}

/* The shortest digits that read back equal, marked as a real by '.' or an exponent. Fifteen digits
 * always suffice for what was written with fifteen or fewer, unless the number is subnormal. */
static void write_real(double v, struct buf *out)
{
    char text[40];
    int digits = fabs(v) < DBL_MIN ? 1 : 15;
    do {
        snprintf(text, sizeof(text), "%.*g", digits, v);
    } while (strtod(text, NULL) != v && ++digits <= 17);
    size_t mantissa = strcspn(text, "e");
    buf_add(out, text, mantissa);
    if (text[mantissa] == 'e') {
        /* C writes "e+05" and "e-05". */
        const char *exponent = text + mantissa + 2;
        buf_adds(out, text[mantissa + 1] == '-' ? STR("e-") : STR("e"));
        buf_adds(out, str_of(exponent + strspn(exponent, "0")));
    } else if (memchr(text, '.', mantissa) == NULL) {
        buf_adds(out, STR(".0"));
    }
}

static void write_object(json_t *object, struct buf *out)
{
    buf_addc(out, '{');
    bool first = true;
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        if (!first) {
            buf_addc(out, ',');
        }
        first = false;
        json_text_string((struct str){json_object_iter_key(it), json_object_iter_key_len(it)}, out);
        buf_addc(out, ':');
        json_text_write(json_object_iter_value(it), out);
    }
    buf_addc(out, '}');
}

static void write_array(const json_t *array, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i != 0) {
            buf_addc(out, ',');
        }
        json_text_write(json_array_get(array, i), out);
    }
    buf_addc(out, ']');
}

void json_text_write(const json_t *v, struct buf *out)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        write_object(json_mutable(v), out);
        return;
    case JSON_ARRAY:
        write_array(v, out);
        return;
    case JSON_STRING:
        json_text_string((struct str){json_string_value(v), json_string_length(v)}, out);
        return;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(v));
        return;
    case JSON_REAL:
        write_real(json_real_value(v), out);
        return;
    case JSON_TRUE:
        buf_adds(out, STR("true"));
        return;
    case JSON_FALSE:
        buf_adds(out, STR("false"));
        return;
    case JSON_NULL:
        buf_adds(out, STR("null"));
        return;
    }
}

/* The type is part of every hash, so that 1, 1.0, "1" and [1] differ. */
static uint64_t hash_bytes(json_type type, const void *p, size_t n)
{
    return XXH3_64bits_withSeed(p, n, (XXH64_hash_t)type + 1);
}

uint64_t json_hash(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        json_t *object = json_mutable(v);
        /* A sum does not depend on the order; each member's key and value are mixed before. */
        uint64_t parts[2] = {0, json_object_size(v)};
        for (void *it = json_object_iter(object); it != NULL;
             it = json_object_iter_next(object, it)) {
            uint64_t member[2] = {
                hash_bytes(JSON_STRING, json_object_iter_key(it), json_object_iter_key_len(it)),
                json_hash(json_object_iter_value(it))};
            parts[0] += hash_bytes(JSON_OBJECT, member, sizeof(member));
        }
        return hash_bytes(JSON_OBJECT, parts, sizeof(parts));
    }
    case JSON_ARRAY: {
        uint64_t parts[2] = {0, json_array_size(v)};
        for (size_t i = 0; i < json_array_size(v); i++) {
            uint64_t step[2] = {parts[0], json_hash(json_array_get(v, i))};
            parts[0] = hash_bytes(JSON_ARRAY, step, sizeof(step));
        }
        return hash_bytes(JSON_ARRAY, parts, sizeof(parts));
    }
    case JSON_STRING:
        return hash_bytes(JSON_STRING, json_string_value(v), json_string_length(v));
    case JSON_INTEGER: {
        int64_t i = json_integer_value(v);
        return hash_bytes(JSON_INTEGER, &i, sizeof(i));
    }
    case JSON_REAL: {
        double d = json_real_value(v) + 0.0; /* -0.0 equals 0.0 */
        return hash_bytes(JSON_REAL, &d, sizeof(d));
    }
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return hash_bytes(json_typeof(v), NULL, 0);
}

static int depth_below(const json_t *v, int above)
{
    if ((!json_is_object(v) && !json_is_array(v)) || above > JSON_DEPTH_MAX) {
        return above;
    }
    int deepest = above + 1;
    json_t *value = json_mutable(v);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v) && deepest <= JSON_DEPTH_MAX; i++) {
            int d = depth_below(json_array_get(v, i), above + 1);
            deepest = d > deepest ? d : deepest;
        }
        return deepest;
    }
    for (void *it = json_object_iter(value); it != NULL && deepest <= JSON_DEPTH_MAX;
         it = json_object_iter_next(value, it)) {
        int d = depth_below(json_object_iter_value(it), above + 1);
        deepest = d > deepest ? d : deepest;
    }
    return deepest;
}

int json_depth(const json_t *v)
{
    return depth_below(v, 0);
}

size_t json_tree_bytes(const json_t *v)
{
    enum { SCALAR = 32, CONTAINER = 128, MEMBER = 80, ELEMENT = 8 }; /* malloc's share included */
    size_t n = json_is_object(v) || json_is_array(v) ? CONTAINER : SCALAR;
    size_t i = 0;
    json_t *element = NULL;
    const char *key = NULL;
    if (json_is_string(v)) {
        n += json_string_length(v);
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, element)
        {
            n += ELEMENT + json_tree_bytes(element);
        }
    } else if (json_is_object(v)) {
        json_object_foreach(json_mutable(v), key, element)
        {
            n += MEMBER + strlen(key) + json_tree_bytes(element);
        }
    }
    return n;
}

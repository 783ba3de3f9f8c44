/* SPDX-License-Identifier: Apache-2.0 */
/* (1) A text that json_text_write wrote has no spaces and one spelling for each string. So a key is
 *     found by comparing bytes with the key's own spelling, and the end of a value by counting
 *     brackets outside strings. */
#include "store/model/json_path.h"

#include <stdlib.h>

#include "store/model/json.h"

struct step {
    struct str key;    /* as it is; empty for an element */
    struct str quoted; /* as it is spelt in JSON, quotes included; STR_EMPTY: an element */
    size_t index;      /* of an element */
};

struct json_path {
    struct buf texts; /* what the strings of the steps point into; the canonical text is first */
    size_t text_len;
    size_t n; /* at most JSON_DEPTH_MAX: no document is deeper */
    struct step steps[];
};

/* ---- Reading -------------------------------------------------------------------------------- */

struct path_reader {
    struct str text;
    size_t at;
    struct json_path *path;
    struct buf *keys; /* raw, one after the other */
    const char *field;
    struct err *err;
};

/* The next character, or NUL at the end. */
static char next(const struct path_reader *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : '\0';
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Ends a key that is written without quotes. */
static bool ends_key(char c)
{
    return is_control(c) || strchr(" .[]{}()=!,<>'\"*?\\", c) != NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum errc expected(struct path_reader *r, const char *what)
{
    if (r->at >= r->text.n) {
        return err_field(r->err, ERR_INVALID, r->field, "ends where %s was expected", what);
    }
    size_t len = utf8_len(r->text.p + r->at, r->text.n - r->at);
    return err_field(r->err, ERR_INVALID, r->field, "has \"%.*s\" at offset %zu, expected %s",
                     len != 0 ? (int)len : 1, r->text.p + r->at, r->at, what);
}

/* Adds the character at r->at to the key. */
static enum errc take_char(struct path_reader *r)
{
    size_t len = utf8_len(r->text.p + r->at, r->text.n - r->at);
    if (len == 0 || is_control(next(r))) {
        return err_field(r->err, ERR_INVALID, r->field,
                         "has a byte at offset %zu that is no UTF-8 or a control character", r->at);
    }
    buf_add(r->keys, r->text.p + r->at, len);
    if (r->keys->full) {
        return err_field(r->err, ERR_INVALID, r->field, "has a path of more than %d bytes",
                         JSON_PATH_MAX_LEN);
    }
    r->at += len;
    return OK;
}

static enum errc read_plain_key(struct path_reader *r)
{
    size_t begin = r->keys->n;
    while (r->at < r->text.n && (next(r) == '\\' || !ends_key(next(r)))) {
        r->at += next(r) == '\\';
        if (r->at == r->text.n) {
            return expected(r, "a character after '\\'");
        }
        if (take_char(r) != OK) {
            return ERR_INVALID;
        }
    }
    return r->keys->n != begin ? OK : expected(r, "a member's name");
}

static enum errc read_quoted_key(struct path_reader *r)
{
    char quote = next(r);
    r->at++;
    while (next(r) != quote) {
        if (next(r) == '\\') {
            r->at++;
            if (next(r) != '\\' && next(r) != '\'' && next(r) != '"') {
                return expected(r, "a quote or '\\' after '\\'");
            }
        }
        if (r->at >= r->text.n) {
            return expected(r, "the closing quote");
        }
        if (take_char(r) != OK) {
            return ERR_INVALID;
        }
    }
    r->at++;
    return OK;
}

static enum errc read_index(struct path_reader *r, size_t *ret)
{
    size_t index = 0;
    for (int digits = 0; is_digit(next(r)); digits++) {
        if (digits == 9) {
            return expected(r, "an index of at most 9 digits");
        }
        index = index * 10 + (size_t)(next(r) - '0');
        r->at++;
    }
    *ret = index;
    return OK;
}

/* One step; the first one may come without its dot. */
static enum errc read_step(struct path_reader *r)
{
    if (r->path->n == JSON_DEPTH_MAX) {
        return err_field(r->err, ERR_INVALID, r->field, "has more than %d steps", JSON_DEPTH_MAX);
    }
    struct step *s = &r->path->steps[r->path->n++];
    size_t begin = r->keys->n;
    bool element = false;
    enum errc code = OK;
    if (next(r) != '[') {
        r->at += next(r) == '.';
        code = read_plain_key(r);
    } else {
        r->at++;
        element = is_digit(next(r));
        if (element) {
            code = read_index(r, &s->index);
        } else if (next(r) == '\'' || next(r) == '"') {
            code = read_quoted_key(r);
        } else {
            code = expected(r, "an index or a quoted key");
        }
        if (code == OK && next(r) != ']') {
            code = expected(r, "']'");
        }
        r->at++;
    }
    s->key = (struct str){element ? NULL : r->keys->p, r->keys->n - begin};
    return code;
}

static enum errc read_steps(struct path_reader *r)
{
    bool braces = next(r) == '{';
    r->at += braces;
    /* "$" is the document itself where a step follows; else it is a key's first letter. */
    bool root = next(r) == '$' && r->at + 1 < r->text.n &&
                (r->text.p[r->at + 1] == '.' || r->text.p[r->at + 1] == '[');
    r->at += root;
    do {
        if (read_step(r) != OK) {
            return ERR_INVALID;
        }
    } while (next(r) == '.' || next(r) == '[');
    if (braces && next(r) != '}') {
        return expected(r, "'}', '.' or '['");
    }
    r->at += braces;
    return OK;
}

static bool is_plain(struct str key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' &&
            c != '-') {
            return false;
        }
    }
    return key.n != 0;
}

static void write_step(const struct step *s, struct buf *out)
{
    if (s->key.p == NULL) {
        buf_printf(out, "[%zu]", s->index);
        return;
    }
    if (is_plain(s->key)) {
        buf_adds(out, out->n != 0 ? STR(".") : STR_EMPTY);
        buf_adds(out, s->key);
        return;
    }
    buf_adds(out, STR("['"));
    for (size_t i = 0; i < s->key.n; i++) {
        if (s->key.p[i] == '\'' || s->key.p[i] == '\\') {
            buf_addc(out, '\\');
        }
        buf_addc(out, s->key.p[i]);
    }
    buf_adds(out, STR("']"));
}

/* Copies all texts to where they stay. The keys lie one after the other in `keys`. */
static void settle(struct json_path *p, const struct buf *keys)
{
    struct buf *t = &p->texts;
    buf_init(t, 5 * keys->n + 16 * p->n); /* each byte raw, twice in quotes, twice as canonical */
    (void)buf_grow(t, t->limit);
    buf_clear(t); /* It does not move any more. */
    const char *raw = keys->p;
    for (size_t i = 0; i < p->n; i++) {
        struct step *s = &p->steps[i];
        if (s->key.p != NULL) {
            s->key.p = raw != NULL ? raw : "";
            raw += s->key.n;
        }
        write_step(s, t);
    }
    p->text_len = t->n;
    for (size_t i = 0; i < p->n; i++) {
        struct step *s = &p->steps[i];
        if (s->key.p == NULL) {
            continue;
        }
        size_t at = t->n;
        buf_adds(t, s->key);
        size_t quoted = t->n;
        json_text_string(s->key, t);
        s->key.p = t->p + at;
        s->quoted = (struct str){t->p + quoted, t->n - quoted};
    }
}

enum errc json_path_read(struct str text, size_t *at, const char *field, struct json_path **ret,
                         struct err *err)
{
    CLEANUP(json_path_freep)
    struct json_path *p = mem_zalloc(sizeof(*p) + JSON_DEPTH_MAX * sizeof(struct step));
    CLEANUP(buf_fini) struct buf keys;
    buf_init(&keys, JSON_PATH_MAX_LEN);
    buf_addc(&keys, ' '); /* So that it has an address, however empty the keys are. */
    buf_clear(&keys);
    struct path_reader r = {
        .text = text, .at = *at, .path = p, .keys = &keys, .field = field, .err = err};
    if (read_steps(&r) != OK) {
        return ERR_INVALID;
    }
    settle(p, &keys);
    if (p->text_len > JSON_PATH_MAX_LEN) {
        return err_field(err, ERR_INVALID, field,
                         "has a path that is longer than %d bytes when written out",
                         JSON_PATH_MAX_LEN);
    }
    *at = r.at;
    p = mem_realloc(p, sizeof(*p) + p->n * sizeof(struct step));
    *ret = TAKE(p);
    return OK;
}

enum errc json_path_parse(struct str text, const char *field, struct json_path **ret,
                          struct err *err)
{
    size_t at = 0;
    CLEANUP(json_path_freep) struct json_path *p = NULL;
    if (json_path_read(text, &at, field, &p, err) != OK) {
        return ERR_INVALID;
    }
    if (at != text.n) {
        struct path_reader r = {.text = text, .at = at, .field = field, .err = err};
        return expected(&r, "'.', '[' or the end");
    }
    *ret = TAKE(p);
    return OK;
}

void json_path_free(struct json_path *p)
{
    if (p != NULL) {
        buf_fini(&p->texts);
        free(p);
    }
}

void json_path_freep(struct json_path **p)
{
    json_path_free(*p);
    *p = NULL;
}

struct str json_path_text(const struct json_path *p)
{
    return (struct str){p->texts.p, p->text_len};
}

/* ---- Looking up ----------------------------------------------------------------------------- */

const json_t *json_path_get(const struct json_path *p, const json_t *doc)
{
    for (size_t i = 0; i < p->n && doc != NULL; i++) {
        const struct step *s = &p->steps[i];
        /* Both give NULL for a value of another type. */
        doc = s->key.p == NULL ? json_array_get(doc, s->index)
                               : json_object_getn(doc, s->key.p, s->key.n);
    }
    return doc;
}

/* Offset behind the string that begins at `at`. */
static size_t skip_string(struct str text, size_t at)
{
    size_t begin = at + 1;
    while (begin < text.n) {
        const char *quote = memchr(text.p + begin, '"', text.n - begin);
        if (quote == NULL) {
            break;
        }
        size_t end = (size_t)(quote - text.p);
        size_t escapes = end;
        while (escapes > begin && text.p[escapes - 1] == '\\') {
            escapes--;
        }
        if ((end - escapes) % 2 == 0) {
            return end + 1;
        }
        begin = end + 1;
    }
    return text.n;
}

/* Offset behind the value that begins at `at`; see (1). */
static size_t skip_value(struct str text, size_t at)
{
    size_t open = 0;
    while (at < text.n) {
        switch (text.p[at]) {
        case '"':
            at = skip_string(text, at);
            break;
        case '{':
        case '[':
            open++;
            at++;
            break;
        case '}':
        case ']':
            if (open == 0) {
                return at;
            }
            open--;
            at++;
            break;
        case ',':
            if (open == 0) {
                return at;
            }
            at++;
            continue;
        default:
            at++;
            continue;
        }
        if (open == 0) {
            return at;
        }
    }
    return text.n;
}

/* The offset of the member's value in the object at `at`, or SIZE_MAX. */
static size_t find_member(struct str text, size_t at, struct str quoted)
{
    if (at >= text.n || text.p[at] != '{') {
        return SIZE_MAX;
    }
    do {
        at++;
        struct str rest = {text.p + at, text.n - at};
        bool found =
            rest.n > quoted.n && rest.p[quoted.n] == ':' && memcmp(rest.p, quoted.p, quoted.n) == 0;
        if (found) {
            return at + quoted.n + 1;
        }
        if (rest.n == 0 || rest.p[0] != '"') {
            return SIZE_MAX;
        }
        at = skip_value(text, skip_string(text, at) + 1);
    } while (at < text.n && text.p[at] == ',');
    return SIZE_MAX;
}

static size_t find_element(struct str text, size_t at, size_t index)
{
    if (at >= text.n || text.p[at] != '[' || at + 1 >= text.n || text.p[at + 1] == ']') {
        return SIZE_MAX;
    }
    at++;
    while (index-- != 0) {
        at = skip_value(text, at);
        if (at >= text.n || text.p[at] != ',') {
            return SIZE_MAX;
        }
        at++;
    }
    return at;
}

bool json_path_scan(const struct json_path *p, struct str text, struct str *ret)
{
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct step *s = &p->steps[i];
        at = s->key.p == NULL ? find_element(text, at, s->index) : find_member(text, at, s->quoted);
        if (at == SIZE_MAX) {
            return false;
        }
    }
    size_t end = skip_value(text, at);
    if (end <= at) {
        return false;
    }
    *ret = (struct str){text.p + at, end - at};
    return true;
}

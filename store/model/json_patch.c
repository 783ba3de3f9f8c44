/* SPDX-License-Identifier: Apache-2.0 */
/* (1) Work is bounded by the size of patch and document: what is added, tested and removed is paid
 *     for by the patch or by what was there; copies have a budget in bytes; moving a value deeper
 *     and shifting an array's elements, which a short operation can do again and again, have one as
 *     well.
 * (2) No value is ever deeper in the document than JSON_DEPTH_MAX, so recursion is bounded. */
#include "store/model/json_patch.h"

#include <math.h>
#include <stdio.h>

#include "store/model/json_pointer.h"

#define WORK_MAX ((size_t)16 * 1024 * 1024) /* of values moved, in bytes */
#define SHOWN    80                         /* bytes of a word or value in an error */

enum op { OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST };

static const struct {
    const char *name;
    bool from;
    bool value;
} ops[] = {
    {"add",     false, true }, /* in the order of enum op */
    {"remove",  false, false},
    {"replace", false, true },
    {"move",    true,  false},
    {"copy",    true,  false},
    {"test",    false, true },
};

struct operation {
    enum op op;
    struct str path;
    struct str from;
    const json_t *value;
};

struct patcher {
    json_t *doc;
    size_t copy_left;   /* bytes */
    size_t work_left;   /* bytes */
    struct buf scratch; /* json_pointer_find's */
    const char *field;
    size_t index; /* of the operation */
    struct err *err;
};

/* ---- Reading -------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static enum errc
refuse(struct patcher *p, enum errc code, const char *member, const char *fmt, ...)
{
    char field[160];
    char msg[360];
    va_list args;
    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);
    snprintf(field, sizeof(field), "%s[%zu]%s%s", p->field, p->index, *member != '\0' ? "." : "",
             member);
    return err_field(p->err, code, field, "%s", msg);
}

static struct str str_of_json(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

static enum errc read_pointer(struct patcher *p, const json_t *op, const char *member,
                              struct str *ret)
{
    const json_t *v = json_object_get(op, member);
    if (!json_is_string(v)) {
        return refuse(p, ERR_INVALID, member, "%s: wants a JSON pointer, a string",
                      v == NULL ? "is missing" : "is no string");
    }
    struct str s = str_of_json(v);
    struct err inner;
    if (json_pointer_check(s, &inner) != OK) {
        return refuse(p, ERR_INVALID, member, "%s", inner.msg);
    }
    *ret = s;
    return OK;
}

static enum errc read_operation(struct patcher *p, const json_t *v, struct operation *ret)
{
    if (!json_is_object(v)) {
        return refuse(p, ERR_INVALID, "", "must be an object with op and path");
    }
    const json_t *name = json_object_get(v, "op");
    struct str s = str_of_json(name);
    size_t op = 0;
    while (op < sizeof(ops) / sizeof(ops[0]) && !str_eq(s, str_of(ops[op].name))) {
        op++;
    }
    if (op == sizeof(ops) / sizeof(ops[0])) {
        return refuse(p, ERR_INVALID, "op",
                      "must be add, remove, replace, move, copy or test, not \"%.*s\"",
                      s.n > SHOWN ? SHOWN : (int)s.n, s.n != 0 ? s.p : "");
    }
    struct operation o = {.op = (enum op)op, .value = json_object_get(v, "value")};
    if (read_pointer(p, v, "path", &o.path) != OK ||
        (ops[op].from && read_pointer(p, v, "from", &o.from) != OK)) {
        return ERR_INVALID;
    }
    if (ops[op].value && o.value == NULL) {
        return refuse(p, ERR_INVALID, "value", "is missing: \"%s\" wants one", ops[op].name);
    }
    *ret = o;
    return OK;
}

enum errc json_patch_check(const json_t *patch, const char *field, struct err *err)
{
    if (!json_is_array(patch)) {
        return err_field(err, ERR_INVALID, field, "must be an array of operations (RFC 6902)");
    }
    if (json_array_size(patch) > JSON_PATCH_MAX_OPS) {
        return err_field(err, ERR_TOO_LARGE, field, "has %zu operations, more than %d",
                         json_array_size(patch), JSON_PATCH_MAX_OPS);
    }
    struct patcher p = {.field = field, .err = err};
    for (; p.index < json_array_size(patch); p.index++) {
        struct operation o;
        if (read_operation(&p, json_array_get(patch, p.index), &o) != OK) {
            return ERR_INVALID;
        }
    }
    return OK;
}

/* ---- Values --------------------------------------------------------------------------------- */

/* Takes what the value's text has at least, in bytes, from *left. */
static bool spend(const json_t *v, size_t *left)
{
    size_t n = 2 + json_string_length(v);
    if (n > *left) {
        return false;
    }
    *left -= n;
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!spend(json_array_get(v, i), left)) {
            return false;
        }
    }
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        size_t key = json_object_iter_key_len(it) + 3;
        if (key > *left) {
            return false;
        }
        *left -= key;
        if (!spend(json_object_iter_value(it), left)) {
            return false;
        }
    }
    return true;
}

static bool number_equal(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        return json_integer_value(a) == json_integer_value(b);
    }
    if (json_is_real(a) && json_is_real(b)) {
        return json_real_value(a) == json_real_value(b);
    }
    double real = json_real_value(json_is_real(a) ? a : b);
    json_int_t integer = json_integer_value(json_is_real(a) ? b : a);
    /* 2^63 is a double, but no int64. */
    return real == floor(real) && real >= -0x1p63 && real < 0x1p63 && (json_int_t)real == integer;
}

/* Costs no more than b has members and elements. */
static bool value_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        return number_equal(a, b);
    }
    if (json_typeof(a) != json_typeof(b) || json_array_size(a) != json_array_size(b) ||
        json_object_size(a) != json_object_size(b)) {
        return false;
    }
    if (json_is_string(a)) {
        return str_eq(str_of_json(a), str_of_json(b));
    }
    for (size_t i = 0; i < json_array_size(b); i++) {
        if (!value_equal(json_array_get(a, i), json_array_get(b, i))) {
            return false;
        }
    }
    json_t *object = json_mutable(b);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        const json_t *other =
            json_object_getn(a, json_object_iter_key(it), json_object_iter_key_len(it));
        if (other == NULL || !value_equal(other, json_object_iter_value(it))) {
            return false;
        }
    }
    return true;
}

/* ---- Operations ----------------------------------------------------------------------------- */

static enum errc find(struct patcher *p, struct str pointer, const char *member, bool must_exist,
                      struct json_place *ret)
{
    struct err inner;
    enum errc code = json_pointer_find(p->doc, pointer, must_exist, &p->scratch, ret, &inner);
    return code == OK ? OK : refuse(p, code, member, "%s", inner.msg);
}

static enum errc check_depth(struct patcher *p, struct str pointer, const json_t *value)
{
    if (json_pointer_steps(pointer) + (size_t)json_depth(value) > JSON_DEPTH_MAX) {
        return refuse(p, ERR_INVALID, "path", "would nest deeper than %d levels", JSON_DEPTH_MAX);
    }
    return OK;
}

static enum errc too_much(struct patcher *p)
{
    return refuse(p, ERR_TOO_LARGE, "",
                  "moves too much in all; send fewer operations, or the object as a whole");
}

/* Pays for the array's elements behind the place, which are shifted, eight bytes each. */
static enum errc pay_shift(struct patcher *p, const struct json_place *at)
{
    size_t n = (json_array_size(at->parent) - at->index) / 8;
    if (n > p->work_left) {
        return too_much(p);
    }
    p->work_left -= n;
    return OK;
}

/* Takes the value. */
static enum errc add(struct patcher *p, struct str pointer, json_t *value)
{
    CLEANUP(json_decrefp) json_t *v = value;
    struct json_place at;
    enum errc code = find(p, pointer, "path", false, &at);
    if (code != OK) {
        return code;
    }
    if (at.parent == NULL) {
        json_decref(p->doc);
        p->doc = TAKE(v);
    } else if (json_is_object(at.parent)) {
        json_object_setn_new_nocheck(at.parent, at.token.p, at.token.n, TAKE(v));
    } else {
        code = pay_shift(p, &at);
        if (code == OK) {
            json_array_insert_new(at.parent, at.index, TAKE(v));
        }
    }
    return code;
}

static enum errc take_out(struct patcher *p, const struct json_place *at)
{
    if (json_is_object(at->parent)) {
        json_object_deln(at->parent, at->token.p, at->token.n);
        return OK;
    }
    enum errc code = pay_shift(p, at);
    if (code == OK) {
        json_array_remove(at->parent, at->index);
    }
    return code;
}

static enum errc do_add(struct patcher *p, const struct operation *o)
{
    enum errc code = check_depth(p, o->path, o->value);
    return code == OK ? add(p, o->path, json_deep_copy(o->value)) : code;
}

static enum errc do_remove(struct patcher *p, const struct operation *o)
{
    struct json_place at;
    enum errc code = find(p, o->path, "path", true, &at);
    if (code == OK && at.parent == NULL) {
        return refuse(p, ERR_INVALID, "path", "the whole document cannot be removed");
    }
    return code == OK ? take_out(p, &at) : code;
}

static enum errc do_replace(struct patcher *p, const struct operation *o)
{
    struct json_place at;
    enum errc code = find(p, o->path, "path", true, &at);
    if (code == OK) {
        code = check_depth(p, o->path, o->value);
    }
    if (code != OK) {
        return code;
    }
    if (json_is_array(at.parent)) {
        json_array_set_new(at.parent, at.index, json_deep_copy(o->value));
        return OK;
    }
    return add(p, o->path, json_deep_copy(o->value));
}

static enum errc do_move(struct patcher *p, const struct operation *o)
{
    struct json_place at;
    enum errc code = find(p, o->from, "from", true, &at);
    if (code != OK || str_eq(o->from, o->path)) {
        return code;
    }
    if (str_starts(o->path, o->from) && o->path.p[o->from.n] == '/') {
        return refuse(p, ERR_INVALID, "path", "a value cannot be moved into itself");
    }
    if (json_pointer_steps(o->path) > json_pointer_steps(o->from)) {
        if (!spend(at.value, &p->work_left)) {
            return too_much(p);
        }
        code = check_depth(p, o->path, at.value);
    }
    CLEANUP(json_decrefp) json_t *value = json_incref(at.value);
    if (code == OK) {
        code = take_out(p, &at);
    }
    return code == OK ? add(p, o->path, TAKE(value)) : code;
}

static enum errc do_copy(struct patcher *p, const struct operation *o)
{
    struct json_place at;
    enum errc code = find(p, o->from, "from", true, &at);
    if (code != OK) {
        return code;
    }
    if (!spend(at.value, &p->copy_left)) {
        return refuse(p, ERR_TOO_LARGE, "from",
                      "the patch copies more than an object may be large in all");
    }
    code = check_depth(p, o->path, at.value);
    return code == OK ? add(p, o->path, json_deep_copy(at.value)) : code;
}

/* What is in a document, in a few words. */
static void describe(const json_t *v, struct buf *out)
{
    if (json_is_array(v) || json_is_object(v)) {
        buf_adds(out, json_is_array(v) ? STR("another array") : STR("another object"));
        return;
    }
    json_text_write(v, out);
    if (out->full) {
        buf_clear(out);
        buf_adds(out, STR("another string"));
    }
}

static enum errc do_test(struct patcher *p, const struct operation *o)
{
    struct json_place at;
    enum errc code = find(p, o->path, "path", true, &at);
    if (code != OK || value_equal(at.value, o->value)) {
        return code;
    }
    CLEANUP(buf_fini) struct buf is;
    buf_init(&is, SHOWN);
    describe(at.value, &is);
    return refuse(p, ERR_INVALID, "value", "the test failed: at \"%.*s\" is %.*s",
                  o->path.n > SHOWN ? SHOWN : (int)o->path.n, o->path.n != 0 ? o->path.p : "",
                  STR_ARG(buf_str(&is)));
}

enum errc json_patch_apply(json_t **doc, const json_t *patch, size_t limit_bytes, const char *field,
                           struct err *err)
{
    static enum errc (*const run[])(struct patcher * p, const struct operation *o) = {
        [OP_ADD] = do_add,   [OP_REMOVE] = do_remove, [OP_REPLACE] = do_replace,
        [OP_MOVE] = do_move, [OP_COPY] = do_copy,     [OP_TEST] = do_test,
    };
    CLEANUP(json_decrefp) json_t *taken = TAKE(*doc);
    enum errc code = json_patch_check(patch, field, err);
    if (code != OK) {
        return code;
    }
    struct patcher p = {.doc = TAKE(taken),
                        .copy_left = limit_bytes,
                        .work_left = WORK_MAX,
                        .field = field,
                        .err = err};
    buf_init(&p.scratch, SIZE_MAX);
    for (; code == OK && p.index < json_array_size(patch); p.index++) {
        struct operation o;
        code = read_operation(&p, json_array_get(patch, p.index), &o);
        if (code == OK) {
            code = run[o.op](&p, &o);
        }
    }
    buf_fini(&p.scratch);
    taken = p.doc;
    if (code == OK) {
        *doc = TAKE(taken);
    }
    return code;
}

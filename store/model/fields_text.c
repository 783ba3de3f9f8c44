/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of fields as text: to be stored, and to be read by people. */
#include <stdio.h>

#include "store/model/fields.h"

#define FIELD_MAX 160

void fields_write(const struct fields *s, struct buf *out)
{
    buf_addc(out, '{');
    if (s->here && s->n != 0) {
        buf_adds(out, STR("\".\":{}"));
    }
    for (size_t i = 0; i < s->n; i++) {
        if (i != 0 || s->here) {
            buf_addc(out, ',');
        }
        json_text_string(s->v[i].step, out);
        buf_addc(out, ':');
        fields_write(&s->v[i], out);
    }
    buf_addc(out, '}');
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* The text that a step's name has is the one that we would write. */
static bool is_canonical(struct str text, const json_t *v)
{
    CLEANUP(buf_fini) struct buf again;
    buf_init(&again, text.n);
    json_text_write(v, &again);
    return !again.full && str_eq(buf_str(&again), text);
}

static bool is_scalar(const json_t *v)
{
    return !json_is_object(v) && !json_is_array(v) && !json_is_null(v);
}

static bool are_keys(const json_t *v)
{
    const char *before = NULL;
    const char *key;
    json_t *value;
    bool ok = json_is_object(v) && json_object_size(v) != 0;
    json_object_foreach(json_mutable(v), key, value)
    {
        ok = ok && is_scalar(value) && (before == NULL || str_cmp(str_of(before), str_of(key)) < 0);
        before = key;
    }
    return ok;
}

static bool is_step(struct str step)
{
    if (step.n < 2 || step.p[1] != ':') {
        return false;
    }
    if (step.p[0] == 'f') {
        return true;
    }
    struct str name = {step.p + 2, step.n - 2};
    CLEANUP(json_decrefp) json_t *v = NULL;
    if ((step.p[0] != 'k' && step.p[0] != 'v') || json_text_parse(name, "step", &v, NULL) != OK) {
        return false;
    }
    return (step.p[0] == 'k' ? are_keys(v) : is_scalar(v)) && is_canonical(name, v);
}

static enum errc refuse(const char *field, struct str step, const char *why, struct err *err)
{
    return err_field(err, ERR_INVALID, field, "is no set of fields: \"%.*s\" %s",
                     step.n < 100 ? (int)step.n : 100, step.n != 0 ? step.p : "", why);
}

static enum errc read_below(struct fields *at, const json_t *v, int depth, const char *field,
                            struct err *err)
{
    if (!json_is_object(v)) {
        return refuse(field, at->step, "must hold an object", err);
    }
    if (depth > FIELDS_DEPTH_MAX) {
        return refuse(field, at->step, "is too deep", err);
    }
    json_t *all = json_mutable(v);
    for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
        struct str step = {json_object_iter_key(it), json_object_iter_key_len(it)};
        const json_t *value = json_object_iter_value(it);
        if (str_eq(step, STR("."))) {
            if (depth == 0 || !json_is_object(value) || json_object_size(value) != 0) {
                return refuse(field, step, "must hold an empty object, and not at the top", err);
            }
            at->here = true;
            continue;
        }
        if (!is_step(step)) {
            return refuse(field, step, "is none of \".\", f:name, k:keys, v:value", err);
        }
        struct str name = {step.p + 2, step.n - 2};
        enum errc code = read_below(fields_add(at, step.p[0], name), value, depth + 1, field, err);
        if (code != OK) {
            return code;
        }
    }
    at->here |= depth != 0 && at->n == 0;
    fields_settle(at);
    return OK;
}

enum errc fields_read(const json_t *v, const char *field, struct fields **ret, struct err *err)
{
    CLEANUP(fields_freep) struct fields *s = fields_new();
    enum errc code = read_below(s, v, 0, field, err);
    if (code == OK) {
        *ret = TAKE(s);
    }
    return code;
}

/* ---- For people ---------------------------------------------------------------------------- */

static bool is_plain(struct str s)
{
    bool plain = s.n != 0;
    for (size_t i = 0; i < s.n && plain; i++) {
        char c = s.p[i];
        plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                c == '_' || c == '-';
    }
    return plain;
}

/* k:{"name":"web","port":80} is [name="web",port=80]. */
static void add_keys(struct str keys, struct buf *out)
{
    CLEANUP(json_decrefp) json_t *v = NULL;
    if (json_text_parse(keys, "keys", &v, NULL) != OK) {
        return;
    }
    char before = '[';
    const char *key;
    json_t *value;
    json_object_foreach(v, key, value)
    {
        buf_addc(out, before);
        buf_adds(out, str_of(key));
        buf_addc(out, '=');
        json_text_write(value, out);
        before = ',';
    }
    buf_addc(out, ']');
}

static void add_step(struct str step, struct buf *out)
{
    struct str name = {step.p + 2, step.n - 2};
    if (step.p[0] == 'k') {
        add_keys(name, out);
    } else if (step.p[0] == 'v') {
        buf_adds(out, STR("[="));
        buf_adds(out, name);
        buf_addc(out, ']');
    } else if (is_plain(name)) {
        buf_adds(out, out->n != 0 ? STR(".") : STR(""));
        buf_adds(out, name);
    } else {
        buf_addc(out, '[');
        json_text_string(name, out);
        buf_addc(out, ']');
    }
}

static void visit(const struct fields *s, struct buf *path, void (*fn)(void *arg, struct str path),
                  void *arg)
{
    size_t n = path->n;
    bool full = path->full;
    if (s->step.n != 0) {
        add_step(s->step, path);
    }
    if (s->here) {
        fn(arg, buf_str(path));
    }
    for (size_t i = 0; i < s->n; i++) {
        visit(&s->v[i], path, fn, arg);
    }
    path->n = n;
    path->full = full;
}

void fields_each(const struct fields *s, void (*fn)(void *arg, struct str path), void *arg)
{
    CLEANUP(buf_fini) struct buf path;
    buf_init(&path, FIELDS_PATH_MAX);
    visit(s, &path, fn, arg);
}

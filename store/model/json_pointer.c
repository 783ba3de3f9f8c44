/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/json_pointer.h"

#define SHOWN 80 /* bytes of a pointer in an error */

static int shown(struct str s)
{
    return s.n > SHOWN ? SHOWN : (int)s.n;
}

enum errc json_pointer_check(struct str pointer, struct err *err)
{
    if (pointer.n != 0 && pointer.p[0] != '/') {
        return err_set(err, ERR_INVALID,
                       "\"%.*s\" is no JSON pointer: it must be empty or begin with '/'",
                       shown(pointer), pointer.p);
    }
    for (size_t i = 0; i < pointer.n; i++) {
        char next = i + 1 < pointer.n ? pointer.p[i + 1] : '\0';
        if (pointer.p[i] == '~' && next != '0' && next != '1') {
            return err_set(err, ERR_INVALID,
                           "\"%.*s\" is no JSON pointer: in a key '~' is written \"~0\", and '/' "
                           "\"~1\"",
                           shown(pointer), pointer.p);
        }
    }
    return OK;
}

size_t json_pointer_steps(struct str pointer)
{
    size_t n = 0;
    for (size_t i = 0; i < pointer.n; i++) {
        n += pointer.p[i] == '/';
    }
    return n;
}

/* The next step, unescaped; *at is left behind it. */
static struct str next_token(struct str pointer, size_t *at, struct buf *scratch)
{
    size_t begin = *at + 1;
    size_t end = begin;
    bool escaped = false;
    while (end < pointer.n && pointer.p[end] != '/') {
        escaped = escaped || pointer.p[end] == '~';
        end++;
    }
    *at = end;
    if (!escaped) {
        return (struct str){pointer.p + begin, end - begin};
    }
    buf_clear(scratch);
    for (size_t i = begin; i < end; i++) {
        bool tilde = pointer.p[i] == '~';
        i += tilde;
        buf_addc(scratch, !tilde ? pointer.p[i] : pointer.p[i] == '0' ? '~' : '/');
    }
    return buf_str(scratch);
}

/* One step down from `from`, which is at `there`. */
static enum errc step(json_t *from, struct str token, struct str there, struct json_place *ret,
                      struct err *err)
{
    struct json_place at = {.parent = from, .token = token};
    if (json_is_object(from)) {
        at.value = json_object_getn(from, token.p, token.n);
    } else if (!json_is_array(from)) {
        return err_set(err, ERR_INVALID, "what is at \"%.*s\" is neither an object nor an array",
                       shown(there), there.p);
    } else if (str_eq(token, STR("-"))) {
        at.index = json_array_size(from);
    } else {
        uint64_t index;
        if (!str_to_u64(token, &index)) {
            return err_set(err, ERR_INVALID, "\"%.*s\" is no index of the array at \"%.*s\"",
                           shown(token), token.p, shown(there), there.p);
        }
        if (index > json_array_size(from)) {
            return err_set(err, ERR_INVALID, "the array at \"%.*s\" has only %zu elements",
                           shown(there), there.p, json_array_size(from));
        }
        at.index = (size_t)index;
        at.value = json_array_get(from, at.index);
    }
    *ret = at;
    return OK;
}

enum errc json_pointer_find(json_t *doc, struct str pointer, bool must_exist, struct buf *scratch,
                            struct json_place *ret, struct err *err)
{
    struct json_place place = {.value = doc};
    size_t at = 0;
    while (at < pointer.n && place.value != NULL) {
        struct str there = {pointer.p, at};
        struct str token = next_token(pointer, &at, scratch);
        enum errc code = step(place.value, token, there, &place, err);
        if (code != OK) {
            return code;
        }
    }
    if (place.value == NULL && (must_exist || at < pointer.n)) {
        struct str there = {pointer.p, at};
        return err_set(err, ERR_INVALID, "there is nothing at \"%.*s\"", shown(there), there.p);
    }
    *ret = place;
    return OK;
}

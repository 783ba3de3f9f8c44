/* SPDX-License-Identifier: Apache-2.0 */
/* Random JSON values, and short ways to read and show them. */
#ifndef WATCHD_TESTS_UNIT_JSON_RANDOM_H
#define WATCHD_TESTS_UNIT_JSON_RANDOM_H

#include "store/model/json.h"
#include "tests/unit/check.h"

static inline json_t *json_of(const char *text)
{
    json_t *v = NULL;
    struct err err = {0};
    check_ok(json_text_parse(str_of(text), "json", &v, &err), &err, __FILE__, __LINE__);
    return v;
}

/* New, NUL-terminated. */
static inline char *text_of(const json_t *v)
{
    CLEANUP(buf_fini) struct buf b;
    buf_init(&b, (size_t)64 * 1024 * 1024);
    json_text_write(v, &b);
    assert_false(b.full);
    return str_dup(buf_str(&b));
}

static inline json_t *random_string(struct dice *d)
{
    static const char *const pieces[] = {
        "a",
        "Z",
        "0",
        " ",
        "\"",
        "\\",
        "/",
        "\n",
        "\t",
        "\x01",
        "\x1f",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xe2\x80\xa8",
        "b",
        "<",
        "{",
        "]",
    };
    char text[128] = "";
    size_t n = dice_below(d, 12);
    for (size_t i = 0; i < n; i++) {
        strcat(text, pieces[dice_below(d, COUNT(pieces))]);
    }
    return json_string(text);
}

static inline json_t *random_scalar(struct dice *d)
{
    switch (dice_below(d, 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(dice_below(d, 2) != 0);
    case 2:
        return json_integer((json_int_t)(dice_next(d) >> dice_below(d, 64)));
    case 3:
        return json_integer(-(json_int_t)(dice_next(d) >> (1 + dice_below(d, 63))));
    case 4:
        return json_real((double)dice_below(d, 100000) / 100.0);
    case 5: {
        uint64_t bits = dice_next(d);
        double v;
        memcpy(&v, &bits, sizeof(v));
        json_t *real = json_real(v); /* NULL for what JSON cannot say. */
        return real != NULL ? real : json_real(0.5);
    }
    default:
        return random_string(d);
    }
}

static inline json_t *random_json(struct dice *d, int levels)
{
    size_t kind = levels == 0 ? 2 : dice_below(d, 4);
    if (kind >= 2) {
        return random_scalar(d);
    }
    json_t *v = kind == 0 ? json_array() : json_object();
    size_t n = dice_below(d, 6);
    for (size_t i = 0; i < n; i++) {
        json_t *child = random_json(d, levels - 1);
        if (kind == 0) {
            json_array_append_new(v, child);
        } else {
            CLEANUP(json_decrefp) json_t *key = random_string(d);
            json_object_set_new(v, json_string_value(key), child);
        }
    }
    return v;
}

/* The same value with the members of all objects in another order. */
static inline json_t *shuffled(const json_t *v, struct dice *d)
{
    if (json_is_array(v)) {
        json_t *copy = json_array();
        for (size_t i = 0; i < json_array_size(v); i++) {
            json_array_append_new(copy, shuffled(json_array_get(v, i), d));
        }
        return copy;
    }
    if (!json_is_object(v)) {
        return json_deep_copy(v);
    }
    size_t n = json_object_size(v);
    CLEANUP(freep) const char **keys = mem_alloc(n * sizeof(*keys));
    size_t i = 0;
    json_t *object = json_mutable(v);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        size_t j = dice_below(d, i + 1);
        keys[i] = keys[j];
        keys[j] = json_object_iter_key(it);
        i++;
    }
    json_t *copy = json_object();
    for (i = 0; i < n; i++) {
        json_object_set_new(copy, keys[i], shuffled(json_object_get(v, keys[i]), d));
    }
    return copy;
}

#endif

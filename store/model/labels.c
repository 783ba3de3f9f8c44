/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/labels.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/model/json.h"
#include "store/model/name.h"

struct pair {
    struct str key;
    struct str value;
};

static int pair_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static enum errc pair_check(const struct pair *p, const json_t *value, struct err *err)
{
    char field[160];
    snprintf(field, sizeof(field), "metadata.labels[\"%.*s\"]", STR_ARG(p->key));
    if (name_check_qualified(p->key, field, err) != OK) {
        return ERR_INVALID;
    }
    if (!json_is_string(value)) {
        return err_field(err, ERR_INVALID, field, "must be a string");
    }
    return name_check_label_value(p->value, field, err);
}

enum errc labels_from_json(const json_t *labels, struct buf *out, struct err *err)
{
    if (labels == NULL || json_is_null(labels)) {
        return OK;
    }
    if (!json_is_object(labels)) {
        return err_field(err, ERR_INVALID, "metadata.labels", "must be an object of strings");
    }
    size_t n = json_object_size(labels);
    CLEANUP(freep) struct pair *pairs = mem_alloc(n * sizeof(*pairs));
    size_t i = 0;
    json_t *object = json_mutable(labels);
    for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it)) {
        const json_t *value = json_object_iter_value(it);
        pairs[i].key = (struct str){json_object_iter_key(it), json_object_iter_key_len(it)};
        pairs[i].value = (struct str){json_string_value(value), json_string_length(value)};
        if (pair_check(&pairs[i], value, err) != OK) {
            return ERR_INVALID;
        }
        i++;
    }
    qsort(pairs, n, sizeof(*pairs), pair_cmp);
    for (i = 0; i < n; i++) {
        if (i != 0) {
            buf_addc(out, ',');
        }
        buf_adds(out, pairs[i].key);
        buf_addc(out, '=');
        buf_adds(out, pairs[i].value);
    }
    return OK;
}

bool labels_next(struct str labels, size_t *at, struct str *ret_key, struct str *ret_value)
{
    if (*at >= labels.n) {
        return false;
    }
    const char *p = labels.p + *at;
    size_t n = labels.n - *at;
    const char *equals = memchr(p, '=', n);
    if (equals == NULL) {
        return false;
    }
    const char *value = equals + 1;
    size_t rest = n - (size_t)(value - p);
    const char *comma = memchr(value, ',', rest);
    *ret_key = (struct str){p, (size_t)(equals - p)};
    *ret_value = (struct str){value, comma != NULL ? (size_t)(comma - value) : rest};
    *at += (size_t)(value - p) + ret_value->n + 1;
    return true;
}

bool labels_get(struct str labels, struct str key, struct str *ret_value)
{
    struct str k;
    struct str v;
    for (size_t at = 0; labels_next(labels, &at, &k, &v);) {
        int c = str_cmp(k, key);
        if (c >= 0) {
            if (c == 0) {
                *ret_value = v;
            }
            return c == 0;
        }
    }
    return false;
}

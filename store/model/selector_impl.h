/* SPDX-License-Identifier: Apache-2.0 */
/* A selector's inside, shared by its parser and the rest. */
#ifndef WATCHD_MODEL_SELECTOR_IMPL_H
#define WATCHD_MODEL_SELECTOR_IMPL_H

#include "store/model/selector.h"

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS, OP_GREATER, OP_LESS };

struct requirement {
    struct str key;
    enum op op;
    int64_t number;     /* OP_GREATER, OP_LESS */
    struct str *values; /* OP_IN, OP_NOT_IN: sorted */
    size_t n_values;
};

struct selector {
    struct requirement *v;
    size_t n;
    char *source;
    char *text;
    size_t text_len;
};

/* Reads `text` into s->v and s->n, in the order given, checking keys and values. The strings
 * borrow from `text`. Errors: ERR_INVALID. */
enum errc selector_read(struct str text, const char *field, struct selector *s,
                        struct err *err) NODISCARD;

/* What Go's ParseInt takes, of what can be a label's value: digits. */
bool selector_number(struct str s, int64_t *ret);

#endif

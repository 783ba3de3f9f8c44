/* SPDX-License-Identifier: Apache-2.0 */
/* A field selector's inside, shared by its parser and the rest. */
#ifndef WATCHD_MODEL_FIELD_SELECTOR_IMPL_H
#define WATCHD_MODEL_FIELD_SELECTOR_IMPL_H

#include "store/model/field_selector.h"
#include "store/model/json_path.h"

/* Where a field is found. All but the first are outside the stored body, or known without it. */
enum field_place { IN_BODY, IN_NAME, IN_NAMESPACE, IN_VERSION, IN_GENERATION };

struct field_value {
    struct str spelt; /* as in a JSON string, without the quotes; first, for terms_have */
    struct str raw;
};

struct field_requirement {
    struct json_path *path;
    enum field_place place;
    bool negated;               /* none of the values, instead of one of them */
    struct field_value *values; /* at least one; sorted by `spelt` */
    size_t n_values;
};

struct field_selector {
    struct field_requirement *v;
    size_t n;
    struct buf texts; /* what the values point into; never grows beyond what it was born with */
    char *text;
    size_t text_len;
};

/* Reads `text` into s->v, s->n and s->texts, in the order given. Errors: ERR_INVALID. */
enum errc field_selector_read(struct str text, const char *field, struct field_selector *s,
                              struct err *err) NODISCARD;

#endif

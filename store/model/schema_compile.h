/* SPDX-License-Identifier: Apache-2.0 */
/* What schema.c and schema_keyword.c share while a schema is compiled. */
#ifndef WATCHD_MODEL_SCHEMA_COMPILE_H
#define WATCHD_MODEL_SCHEMA_COMPILE_H

#include "store/model/schema_impl.h"

struct schema_compiler {
    struct schema_path path;
    size_t nodes, patterns, pattern_steps;
    uint64_t budget; /* for checking defaults */
    struct err *err;
};

/* Fills the error with the place where the compiler is. */
#define REFUSE(c, ...) err_field((c)->err, ERR_INVALID, (c)->path.text, __VA_ARGS__)

struct schema_keyword {
    const char *name;
    enum errc (*read)(struct schema_compiler *c, struct schema *s, const json_t *v);
    unsigned types; /* that it says something about */
};
#define SCHEMA_BIT(type) (1U << (type))

/* NULL: there is none of that name. */
const struct schema_keyword *schema_keyword_find(struct str name);
/* A schema within the one being compiled; v stays alive with that. *ret is new. */
enum errc schema_compile(struct schema_compiler *c, const json_t *v, struct schema **ret) NODISCARD;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors, as Kubernetes writes them:
 *   k=v  k==v  k!=v  k in (a,b)  k notin (a,b)  k  !k  k>5  k<5      joined by commas (AND)
 * `!=` and `notin` also match objects without the key; `>` and `<` want integers on both sides.
 * The empty selector matches everything. Immutable after parsing; matching may run on any thread.
 * See: Kubernetes' labels.Parse and labels.Requirement. */
#ifndef WATCHD_MODEL_SELECTOR_H
#define WATCHD_MODEL_SELECTOR_H

#include "store/base/bytes.h"
#include "store/base/err.h"

#define SELECTOR_MAX_LEN          4096
#define SELECTOR_MAX_REQUIREMENTS 64

struct selector;

/* *ret is new. Errors: ERR_INVALID with the given field; says the offset and what was expected. */
enum errc selector_parse(struct str text, const char *field, struct selector **ret,
                         struct err *err) NODISCARD;
void selector_free(struct selector *s); /* NULL is fine. */
void selector_freep(struct selector **s);

/* `labels` is canonical text (labels.h). */
bool selector_match(const struct selector *s, struct str labels);
bool selector_is_empty(const struct selector *s);
/* The canonical text: requirements sorted, one spelling each; equal for equal selectors. Borrowed
 * from the selector. */
struct str selector_text(const struct selector *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Field selectors: Kubernetes' `=`, `==` and `!=`, and the sets of label selectors, on any scalar
 * of the document that clients see:
 *   metadata.name=web  status.phase!=Running  spec.tier in (a,b)  spec.tier notin (a,b)
 * joined by commas (AND). The path is a JSON path (json_path.h).
 *   - A string is compared as it is; a number, true, false and null by their JSON text: `=3`
 * matches 3 and "3", not 3.0.
 *   - What is absent counts as "": `=` with a value does not match it, `!=` does; so "a=" selects
 *     what has no `a`, or an empty one. This is Kubernetes' rule for fields (that for labels, where
 *     "a=" wants the label to be there, is another).
 *   - An array or object equals no value, not even "".
 *   - In a value `\` goes before `,` `=` `\`, as in Kubernetes, and may go before `(` `)` and a
 *     space: spaces around a value count only with it. In a set `)` needs it. Any other use of `\`
 *     is refused, and so are control characters.
 * Empty terms ("a=b,,") are skipped, as Kubernetes does. The empty selector matches everything.
 * Immutable after parsing; matching may run on any thread.
 * See: Kubernetes' fields.ParseSelector and fields.Selector. */
#ifndef WATCHD_MODEL_FIELD_SELECTOR_H
#define WATCHD_MODEL_FIELD_SELECTOR_H

#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/model/name.h"

#define FIELD_SELECTOR_MAX_LEN          4096
#define FIELD_SELECTOR_MAX_REQUIREMENTS 32

struct field_selector;

/* *ret is new. Errors: ERR_INVALID with the given field; says the offset and what was expected. */
enum errc field_selector_parse(struct str text, const char *field, struct field_selector **ret,
                               struct err *err) NODISCARD;
void field_selector_free(struct field_selector *s); /* NULL is fine. */
void field_selector_freep(struct field_selector **s);

/* One version of an object: its stored body (object.h) and what goes in on output. Borrowed. */
struct subject {
    struct key key;
    rv_t rv;
    uint64_t generation;
    struct str body;
};

bool field_selector_match(const struct field_selector *s, const struct subject *f);
bool field_selector_is_empty(const struct field_selector *s);
/* Does matching look into the body? If not, `body` may be empty. */
bool field_selector_needs_body(const struct field_selector *s);
/* The only name (namespace) it lets pass, where it demands one by `=`; else empty. Borrowed; need
 * not be a valid name. */
struct str field_selector_name(const struct field_selector *s);
struct str field_selector_namespace(const struct field_selector *s);
/* Does it demand anything but these two? */
bool field_selector_wants_more(const struct field_selector *s);
/* The canonical text: requirements sorted, one spelling each; equal for equal selectors. Borrowed
 * from the selector. */
struct str field_selector_text(const struct field_selector *s);

#endif

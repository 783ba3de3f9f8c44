/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions for the `pattern` of a schema: the syntax of RE2 (so that the patterns of
 * Kubernetes' definitions mean here what they mean there), matched in time that grows with the text
 * times the expression, never faster, whatever both are. The C library's own are no choice for text
 * from strangers: what they keep grows with what they are shown, and \d is a "d" to them.
 *
 *   x  .  [a-z]  [^a-z]  [[:alpha:]]  \d \D \w \W \s \S  \n \t \r \f \v \xHH  \.  (x)  (?:x)  x|y
 *   x*  x+  x?  x{3}  x{3,}  x{3,5}  ^  $  \A  \z  \b  \B
 *
 * A trailing ? (lazy) is no difference, since only whether there is a match is told. Characters are
 * those of UTF-8. Pure; a compiled one never changes. See: RE2's syntax page. */
#ifndef WATCHD_MODEL_REGEX_H
#define WATCHD_MODEL_REGEX_H

#include "store/base/bytes.h"
#include "store/base/err.h"

#define REGEX_PATTERN_MAX 2048 /* bytes */
#define REGEX_REPEAT_MAX  1000 /* of x{n,m}, as in RE2 */
#define REGEX_STEPS_MAX   8192 /* instructions that it may become */

struct regex;

/* *ret is new. Errors: ERR_INVALID with this field; the message names what is not understood, and
 * where. */
enum errc regex_new(struct str pattern, const char *field, struct regex **ret,
                    struct err *err) NODISCARD;
void regex_free(struct regex *r); /* NULL is fine. */
void regex_freep(struct regex **r);
/* The pattern. Borrowed. */
struct str regex_text(const struct regex *r);
/* Instructions that it became, a few bytes each. */
size_t regex_steps(const struct regex *r);

enum regex_answer { REGEX_NO, REGEX_YES, REGEX_TOO_COSTLY };
/* Is there a match anywhere in the text? What it costs is taken from *budget (1 is some
 * nanoseconds); REGEX_TOO_COSTLY when that does not suffice. */
enum regex_answer regex_search(const struct regex *r, struct str text, uint64_t *budget);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The core schema's table of plain scalars. See: YAML 1.2.2, 10.3.2. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cli/yaml.h"

static bool one_of(struct str s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_eq(s, str_of(*words))) {
            return true;
        }
    }
    return false;
}

static bool all_of(struct str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL) {
            return false;
        }
    }
    return s.n > 0;
}

static struct str behind(struct str s, size_t n)
{
    return (struct str){s.p + n, s.n - n};
}

static json_t *integer(struct str digits, int base, const char **ret_why)
{
    CLEANUP(freep) char *text = str_dup(digits);
    errno = 0;
    long long v = strtoll(text, NULL, base);
    if (errno != 0) {
        *ret_why = "the integer does not fit into 64 bits; write it in quotes to keep it as text";
        return NULL;
    }
    return json_integer(v);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(struct str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    size_t whole = 0;
    size_t fraction = 0;
    for (; i < s.n && isdigit((unsigned char)s.p[i]); i++) {
        whole++;
    }
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && isdigit((unsigned char)s.p[i]); i++) {
            fraction++;
        }
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t exponent = 0;
        for (; i < s.n && isdigit((unsigned char)s.p[i]); i++) {
            exponent++;
        }
        return exponent > 0 && i == s.n;
    }
    return i == s.n;
}

static json_t *real(struct str s, const char **ret_why)
{
    CLEANUP(freep) char *text = str_dup(s);
    double v = strtod(text, NULL);
    if (!isfinite(v)) {
        *ret_why = "the number is too large for JSON; write it in quotes to keep it as text";
        return NULL;
    }
    return json_real(v);
}

json_t *yaml_plain_scalar(struct str s, const char **ret_why)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const specials[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                           "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                           ".NaN",  ".NAN",  NULL};
    if (one_of(s, nulls)) {
        return json_null();
    }
    if (one_of(s, trues)) {
        return json_true();
    }
    if (one_of(s, falses)) {
        return json_false();
    }
    if (one_of(s, specials)) {
        *ret_why = "JSON has no infinity and no NaN; write it in quotes to keep it as text";
        return NULL;
    }
    bool sign = s.p[0] == '-' || s.p[0] == '+';
    if (all_of(behind(s, sign), "0123456789")) {
        return integer(s, 10, ret_why);
    }
    if (str_starts(s, STR("0o")) && all_of(behind(s, 2), "01234567")) {
        return integer(behind(s, 2), 8, ret_why);
    }
    if (str_starts(s, STR("0x")) && all_of(behind(s, 2), "0123456789abcdefABCDEF")) {
        return integer(behind(s, 2), 16, ret_why);
    }
    if (is_real(s)) {
        return real(s, ret_why);
    }
    return json_stringn(s.p, s.n);
}

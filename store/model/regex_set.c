/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of characters. */
#include <stdlib.h>

#include "store/model/regex_impl.h"

#define CHAR_MAX_CODE UINT32_C(0x10ffff)
#define RANGES_MAX    UINT16_MAX

static enum errc add_range(struct regex_parser *p, uint32_t lo, uint32_t hi)
{
    if (p->n_ranges == RANGES_MAX) {
        return regex_refuse(p, p->at, "too many characters in brackets");
    }
    p->ranges[p->n_ranges++] = (struct range){lo, hi};
    return OK;
}

static int by_lo(const void *a, const void *b)
{
    const struct range *x = a;
    const struct range *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Makes of the ranges from `first` on a sorted set, or what is not in it. */
static enum errc finish_set(struct regex_parser *p, size_t first, bool negated)
{
    struct range *set = p->ranges + first;
    size_t n = p->n_ranges - first;
    qsort(set, n, sizeof(*set), by_lo);
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        if (to != 0 && set[i].lo <= set[to - 1].hi + 1) {
            set[to - 1].hi = set[i].hi > set[to - 1].hi ? set[i].hi : set[to - 1].hi;
        } else {
            set[to++] = set[i];
        }
    }
    p->n_ranges = first + to;
    if (!negated) {
        return OK;
    }
    /* The gaps take the place of the ranges; there may be one more of them. */
    uint32_t from = 0;
    size_t gaps = 0;
    for (size_t i = 0; i < to; i++) {
        struct range r = set[i];
        if (r.lo > from) {
            set[gaps++] = (struct range){from, r.lo - 1};
        }
        from = r.hi + 1;
    }
    p->n_ranges = first + gaps;
    return from <= CHAR_MAX_CODE ? add_range(p, from, CHAR_MAX_CODE) : OK;
}

struct named_set {
    const char *name;
    const char *pairs; /* first and last, first and last, … */
};
static const struct named_set posix_sets[] = {
    {"alnum",  "09AZaz"  },
    {"alpha",  "AZaz"    },
    {"digit",  "09"      },
    {"lower",  "az"      },
    {"upper",  "AZ"      },
    {"space",  "\t\r  "  },
    {"blank",  "\t\t  "  },
    {"punct",  "!/:@[`{~"},
    {"xdigit", "09AFaf"  },
    {"word",   "09AZaz__"},
    {"graph",  "!~"      },
    {"print",  " ~"      },
};
static const struct named_set letter_sets[] = {
    {"d", "09"        },
    {"w", "09AZaz__"  },
    {"s", "\t\n\f\r  "},
};

/* The ranges of a named set, or of what is not in it. */
static enum errc add_named(struct regex_parser *p, const struct named_set *s, bool negated)
{
    size_t first = p->n_ranges;
    for (const char *c = s->pairs; *c != '\0'; c += 2) {
        if (add_range(p, (uint8_t)c[0], (uint8_t)c[1]) != OK) {
            return ERR_INVALID;
        }
    }
    return finish_set(p, first, negated);
}

/* \d and its like, at p->at; NULL if it is none of them. */
static const struct named_set *letter_set(const struct regex_parser *p, bool *negated)
{
    if (regex_peek(p) != '\\' || p->at + 1 >= p->text.n) {
        return NULL;
    }
    char c = p->text.p[p->at + 1];
    *negated = c >= 'A' && c <= 'Z';
    char lower = (char)(*negated ? c - 'A' + 'a' : c);
    for (size_t i = 0; i < sizeof(letter_sets) / sizeof(letter_sets[0]); i++) {
        if (letter_sets[i].name[0] == lower) {
            return &letter_sets[i];
        }
    }
    return NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

uint32_t regex_decode(struct str s, size_t at, size_t *ret_n)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = utf8_len(s.p + at, s.n - at);
    *ret_n = n;
    uint32_t c = n != 0 ? (uint8_t)s.p[at] & masks[n] : 0;
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | ((uint8_t)s.p[at + i] & 0x3f);
    }
    return c;
}

/* One character as it stands or escaped; a backslash before a letter that names a set is not here.
 */
static enum errc one_char(struct regex_parser *p, uint32_t *ret)
{
    static const char letters[] = "n\nt\tr\rf\fv\va\a";
    size_t begin = p->at;
    if (!regex_take(p, "\\")) {
        size_t n;
        *ret = regex_decode(p->text, p->at, &n);
        p->at += n;
        return n != 0 ? OK : regex_refuse(p, begin, "is not UTF-8");
    }
    char c = regex_peek(p);
    if (c == 'x') {
        int high = p->at + 1 < p->text.n ? hex_digit(p->text.p[p->at + 1]) : -1;
        int low = p->at + 2 < p->text.n ? hex_digit(p->text.p[p->at + 2]) : -1;
        if (high < 0 || low < 0) {
            return regex_refuse(p, begin, "\\x wants two hexadecimal digits");
        }
        p->at += 3;
        *ret = (uint32_t)(high * 16 + low);
        return OK;
    }
    for (const char *l = letters; *l != '\0'; l += 2) {
        if (c == l[0]) {
            p->at++;
            *ret = (uint8_t)l[1];
            return OK;
        }
    }
    bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter || c == '\0' || (unsigned char)c > 0x7f) {
        return regex_refuse(p, begin, "this escape is not known");
    }
    p->at++;
    *ret = (uint8_t)c;
    return OK;
}

/* [:alpha:] and [:^alpha:], behind "[:". */
static enum errc posix_set(struct regex_parser *p)
{
    size_t begin = p->at - 2;
    bool negated = regex_take(p, "^");
    for (size_t i = 0; i < sizeof(posix_sets) / sizeof(posix_sets[0]); i++) {
        size_t n = strlen(posix_sets[i].name);
        struct str rest = {p->text.p + p->at, p->text.n - p->at};
        if (rest.n >= n + 2 && memcmp(rest.p, posix_sets[i].name, n) == 0 && rest.p[n] == ':' &&
            rest.p[n + 1] == ']') {
            p->at += n + 2;
            return add_named(p, &posix_sets[i], negated);
        }
    }
    return regex_refuse(p, begin, "there is no such set of characters");
}

/* One item in brackets: a named set, a character, or a range of them. */
static enum errc bracket_item(struct regex_parser *p)
{
    size_t begin = p->at;
    if (regex_take(p, "[:")) {
        return posix_set(p);
    }
    bool negated;
    const struct named_set *s = letter_set(p, &negated);
    if (s != NULL) {
        p->at += 2;
        return add_named(p, s, negated);
    }
    uint32_t lo;
    if (one_char(p, &lo) != OK) {
        return ERR_INVALID;
    }
    uint32_t hi = lo;
    bool range = regex_peek(p) == '-' && p->at + 1 < p->text.n && p->text.p[p->at + 1] != ']';
    if (range) {
        p->at++;
        if (one_char(p, &hi) != OK) {
            return ERR_INVALID;
        }
        if (hi < lo) {
            return regex_refuse(p, begin, "the range goes backwards");
        }
    }
    return add_range(p, lo, hi);
}

enum errc regex_read_bracket(struct regex_parser *p)
{
    size_t begin = p->at - 1;
    size_t first = p->n_ranges;
    bool negated = regex_take(p, "^");
    bool any = false;
    while (p->at < p->text.n && (regex_peek(p) != ']' || !any)) {
        any = true;
        if (bracket_item(p) != OK) {
            return ERR_INVALID;
        }
    }
    if (!regex_take(p, "]")) {
        return regex_refuse(p, begin, "the bracket is not closed");
    }
    return finish_set(p, first, negated);
}

enum errc regex_read_set(struct regex_parser *p)
{
    size_t first = p->n_ranges;
    bool negated;
    const struct named_set *s = letter_set(p, &negated);
    if (s != NULL) {
        p->at += 2;
        return add_named(p, s, negated);
    }
    if (regex_take(p, ".")) {
        return add_range(p, '\n', '\n') == OK ? finish_set(p, first, true) : ERR_INVALID;
    }
    uint32_t c = 0;
    return one_char(p, &c) == OK ? add_range(p, c, c) : ERR_INVALID;
}

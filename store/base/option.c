/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/base/clock.h"

#define WORDS_MAX 64

/* Pieces of lists that came by comma. They live as long as the process, as argv does. */
struct piece {
    struct piece *next;
    char text[];
};
static struct piece *pieces;

static const char *piece_new(const char *s, size_t n)
{
    struct piece *p = mem_alloc(sizeof(*p) + n + 1);
    memcpy(p->text, s, n);
    p->text[n] = '\0';
    p->next = pieces;
    pieces = p;
    return p->text;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (adjacent letters may swap), or 99 for long words. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    size_t d[MAX + 1][MAX + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > MAX || m > MAX) {
        return 99;
    }
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = min_size(best, min_size(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = min_size(best, d[i - 2][j - 2] + 1);
            }
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest_word(const char *s, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t best = min_size(2, strlen(s) - (*s != '\0')) + 1; /* Some letter must be the same. */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(s, words[i]);
        if (d < best) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}

static bool flag_parse(const char *s, bool *ret)
{
    bool yes = strcmp(s, "1") == 0 || strcmp(s, "true") == 0;
    bool no = strcmp(s, "0") == 0 || strcmp(s, "false") == 0;
    *ret = yes;
    return yes || no;
}

static bool int_parse(const char *s, int64_t *ret)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    bool digit = (*s >= '0' && *s <= '9') || (*s == '-' && s[1] >= '0' && s[1] <= '9');
    *ret = v;
    return digit && *end == '\0' && errno == 0;
}

static bool bytes_parse(const char *s, int64_t *ret)
{
    static const char letters[] = "KMGT";
    size_t digits = strspn(s, "0123456789");
    int64_t v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_add_overflow(v, (int64_t)(s[i] - '0'), &v)) {
            return false;
        }
    }
    const char *unit = s + digits;
    if (*unit != '\0') {
        const char *letter = strchr(letters, *unit & ~0x20); /* k is K */
        if (letter == NULL || unit[1] != '\0') {
            return false;
        }
        for (const char *l = letters; l <= letter; l++) {
            if (__builtin_mul_overflow(v, (int64_t)1024, &v)) {
                return false;
            }
        }
    }
    *ret = v;
    return digits != 0;
}

/* A bound in the unit that the option is given in. */
static const char *show_bound(const struct option *o, int64_t v, char *ret, size_t n)
{
    static const char *const bytes_units[] = {"", "K", "M", "G", "T"};
    static const struct {
        const char *name;
        int64_t ms;
    } time_units[] = {
        {"d",  86400000},
        {"h",  3600000 },
        {"m",  60000   },
        {"s",  1000    },
        {"ms", 1       }
    };
    size_t i = 0;
    if (o->kind == OPTION_BYTES) {
        while (v != 0 && v % 1024 == 0 && i < 4) {
            v /= 1024;
            i++;
        }
        snprintf(ret, n, "%" PRId64 "%s", v, bytes_units[i]);
    } else if (o->kind == OPTION_DURATION && v != 0) {
        while (v % time_units[i].ms != 0) {
            i++;
        }
        snprintf(ret, n, "%" PRId64 "%s", v / time_units[i].ms, time_units[i].name);
    } else {
        snprintf(ret, n, "%" PRId64, v);
    }
    return ret;
}

/* `shown` is how the user gave it: "--listen", "-l" or "WATCHD_LISTEN". */
static enum errc number_set(const struct option *o, const char *text, const char *shown,
                            int64_t *ret, struct err *err)
{
    int64_t v;
    bool ok = o->kind == OPTION_INT     ? int_parse(text, &v)
              : o->kind == OPTION_BYTES ? bytes_parse(text, &v)
                                        : duration_parse(text, &v);
    if (!ok) {
        const char *wants = o->kind == OPTION_INT     ? "a whole number"
                            : o->kind == OPTION_BYTES ? "a size like 512, 64K, 16M or 2G"
                                                      : "a duration like 250ms, 90s, 5m or 1h30m";
        return err_field(err, ERR_INVALID, shown, "%s wants %s, not \"%s\"", shown, wants, text);
    }
    bool bounded = o->min != 0 || o->max != 0;
    int64_t min = bounded ? o->min : 0;
    int64_t max = bounded ? o->max : INT64_MAX;
    if (v < min || v > max) {
        char low[32];
        char high[32];
        show_bound(o, min, low, sizeof(low));
        show_bound(o, max, high, sizeof(high));
        if (max == INT64_MAX) {
            return err_field(err, ERR_INVALID, shown, "%s must be at least %s, not %s", shown, low,
                             text);
        }
        return err_field(err, ERR_INVALID, shown, "%s must be between %s and %s, not %s", shown,
                         low, high, text);
    }
    *ret = v;
    return OK;
}

static enum errc list_add(struct option_list *list, const char *text, const char *shown,
                          struct err *err)
{
    if (list->n == OPTION_LIST_MAX) {
        return err_field(err, ERR_INVALID, shown, "%s may be given %d times at most", shown,
                         OPTION_LIST_MAX);
    }
    list->v[list->n++] = text;
    return OK;
}

static enum errc list_split(struct option_list *list, const char *text, const char *shown,
                            struct err *err)
{
    list->n = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        if (n != 0 && list_add(list, piece_new(text, n), shown, err) != OK) {
            return ERR_INVALID;
        }
        text += n + (text[n] == ',');
    }
    return OK;
}

static enum errc value_set(const struct option *o, void *target, const char *text,
                           const char *shown, bool by_comma, struct err *err)
{
    void *at = (char *)target + o->offset;
    switch (o->kind) {
    case OPTION_FLAG:
        if (!flag_parse(text, at)) {
            return err_field(err, ERR_INVALID, shown, "%s wants true or false, not \"%s\"", shown,
                             text);
        }
        return OK;
    case OPTION_STRING:
        *(const char **)at = text;
        return OK;
    case OPTION_LIST:
        return by_comma ? list_split(at, text, shown, err) : list_add(at, text, shown, err);
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return number_set(o, text, shown, at, err);
    }
    return err_field(err, ERR_INTERNAL, shown, "unknown kind of option");
}

static void value_clear(const struct option *o, void *target)
{
    void *at = (char *)target + o->offset;
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)at = false;
        return;
    case OPTION_STRING:
        *(const char **)at = NULL;
        return;
    case OPTION_LIST:
        ((struct option_list *)at)->n = 0;
        return;
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_DURATION:
        *(int64_t *)at = 0;
        return;
    }
}

static enum errc options_preset(const struct option *table, size_t n, void *target, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct option *o = &table[i];
        value_clear(o, target);
        const char *text = o->env != NULL ? getenv(o->env) : NULL;
        const char *shown = o->env;
        if (text == NULL || *text == '\0') {
            text = o->def;
            shown = o->name;
        }
        if (text != NULL && value_set(o, target, text, shown, true, err) != OK) {
            return ERR_INVALID;
        }
    }
    return OK;
}

/* The state of one pass over argv. */
struct parse {
    const struct option *table;
    size_t n;
    int argc;
    char *const *argv;
    int at; /* the next word of argv */
    void *target;
    bool *seen; /* which lists had their first value on the command line */
};

static enum errc unknown_option(const struct parse *p, struct str given, struct err *err)
{
    char word[64];
    snprintf(word, sizeof(word), "%.*s", STR_ARG(given));
    if (word[1] != '-') {
        bool number = word[1] >= '0' && word[1] <= '9';
        return err_field(err, ERR_INVALID, word, "unknown option %s%s", word,
                         number ? "; put \"--\" before a negative number" : "; see --help");
    }
    const char *names[WORDS_MAX];
    size_t n = min_size(p->n, WORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        names[i] = p->table[i].name;
    }
    const char *nearest = nearest_word(word + 2, names, n);
    if (nearest != NULL) {
        return err_field(err, ERR_INVALID, word, "unknown option %s; did you mean --%s?", word,
                         nearest);
    }
    return err_field(err, ERR_INVALID, word, "unknown option %s; see --help", word);
}

/* `attached` is the value in the same word (--name=VALUE, -nVALUE), or NULL. */
static enum errc option_take(struct parse *p, size_t i, const char *shown, const char *attached,
                             struct err *err)
{
    const struct option *o = &p->table[i];
    if (o->kind == OPTION_FLAG) {
        return value_set(o, p->target, attached != NULL ? attached : "true", shown, false, err);
    }
    if (attached == NULL) {
        if (p->at == p->argc) {
            return err_field(err, ERR_INVALID, shown, "%s wants a value: %s", shown,
                             o->value != NULL ? o->value : "VALUE");
        }
        attached = p->argv[p->at++];
    }
    if (o->kind == OPTION_LIST && !p->seen[i]) {
        value_clear(o, p->target);
        p->seen[i] = true;
    }
    return value_set(o, p->target, attached, shown, false, err);
}

static enum errc long_option(struct parse *p, const char *word, struct err *err)
{
    size_t len = strcspn(word, "=");
    struct str name = {word + 2, len - 2};
    for (size_t i = 0; i < p->n; i++) {
        if (str_eq(name, str_of(p->table[i].name))) {
            char shown[64];
            snprintf(shown, sizeof(shown), "--%s", p->table[i].name);
            return option_take(p, i, shown, word[len] == '=' ? word + len + 1 : NULL, err);
        }
    }
    return unknown_option(p, (struct str){word, len}, err);
}

/* "-A", "-n NAME", "-nNAME", "-An NAME". */
static enum errc letter_options(struct parse *p, const char *word, struct err *err)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        const char shown[] = {'-', *c, '\0'};
        size_t i = 0;
        while (i < p->n && p->table[i].letter != *c) {
            i++;
        }
        if (i == p->n) {
            return unknown_option(p, str_of(c == word + 1 ? word : shown), err);
        }
        bool flag = p->table[i].kind == OPTION_FLAG;
        if (option_take(p, i, shown, flag || c[1] == '\0' ? NULL : c + 1, err) != OK) {
            return ERR_INVALID;
        }
        if (!flag) {
            break;
        }
    }
    return OK;
}

enum errc options_parse(const struct option *table, size_t n, int argc, char *const *argv,
                        bool interspersed, void *target, const char **ret_words, size_t words_max,
                        size_t *ret_n_words, struct err *err)
{
    CLEANUP(freep) bool *seen = mem_zalloc(n * sizeof(*seen));
    struct parse p = {
        .table = table, .n = n, .argc = argc, .argv = argv, .target = target, .seen = seen};
    if (options_preset(table, n, target, err) != OK) {
        return ERR_INVALID;
    }
    size_t n_words = 0;
    bool options_end = false;
    while (p.at < argc) {
        const char *word = argv[p.at];
        bool is_option = !options_end && word[0] == '-' && word[1] != '\0';
        if (!is_option && !interspersed) {
            break;
        }
        p.at++;
        if (!is_option) {
            if (n_words == words_max) {
                return err_field(err, ERR_INVALID, word, "unexpected argument \"%s\"", word);
            }
            ret_words[n_words++] = word;
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
        } else if ((word[1] == '-' ? long_option : letter_options)(&p, word, err) != OK) {
            return ERR_INVALID;
        }
    }
    for (; p.at < argc; p.at++) {
        if (n_words < words_max && ret_words != NULL) {
            ret_words[n_words] = argv[p.at];
        }
        n_words++;
    }
    *ret_n_words = n_words;
    return OK;
}

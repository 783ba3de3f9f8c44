/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table says an option's name, environment variable, default and help; parsing,
 * checking and --help come from it. The command line wins over the environment, that over the
 * default. Threads: at start only. */
#ifndef WATCHD_BASE_OPTION_H
#define WATCHD_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

enum option_kind {
    OPTION_FLAG,     /* bool: present or not; in the environment 1, true, 0, false */
    OPTION_STRING,   /* const char * (borrowed from argv or the environment) */
    OPTION_LIST,     /* struct option_list: may be given more than once; environment: by comma */
    OPTION_INT,      /* int64_t, between min and max */
    OPTION_BYTES,    /* int64_t: 512, 64K, 16M, 2G (powers of 1,024) */
    OPTION_DURATION, /* int64_t, ms: see duration_parse */
};

#define OPTION_LIST_MAX 64
struct option_list {
    const char *v[OPTION_LIST_MAX];
    size_t n;
};

struct option {
    const char *name; /* "listen": given as --listen VALUE or --listen=VALUE */
    char letter;      /* 'n' for -n VALUE; 0: none */
    const char *env;  /* "WATCHD_LISTEN"; NULL: none */
    enum option_kind kind;
    size_t offset;     /* of the value in the target struct */
    const char *value; /* what --help calls the value: "HOST:PORT" */
    const char *def;   /* text of the default; NULL: zero */
    int64_t min, max;  /* for INT, BYTES, DURATION; both 0: any that is >= 0 */
    const char *help;  /* one sentence */
};

/* Fills `target` from defaults, environment and argv[0 … argc-1] (no program's name in front).
 * Without `interspersed` it stops at the first word that is no option: *ret_n_words says how many
 * are left at the end of argv, and ret_words may be NULL. With it, options and words may mix, and
 * the words are collected in ret_words (borrowed); more than words_max are refused. "--" ends the
 * options; "-" is a word; a word like "-5" is an option and refused, so negative numbers need "--".
 * Single letters may be joined (-An NAME, -AnNAME). An empty environment variable counts as unset.
 * Errors: ERR_INVALID, naming the option in `field`, with a suggestion for a near miss. */
enum errc options_parse(const struct option *table, size_t n, int argc, char *const *argv,
                        bool interspersed, void *target, const char **ret_words, size_t words_max,
                        size_t *ret_n_words, struct err *err) NODISCARD;

/* Appends the table as --help shows it: option, help, default, environment variable. */
void options_help(const struct option *table, size_t n, struct buf *out);

/* The entry of `words` nearest to s (Damerau-Levenshtein distance <= 2), or NULL. */
const char *nearest_word(const char *s, const char *const *words, size_t n);

#endif

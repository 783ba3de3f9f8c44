/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages, from the same texts and tables as --help; in man(7), which man and mandoc read.
 * Threads: any.
 * See: https://mandoc.bsd.lv/man/man.7.html */
#ifndef WATCHD_BASE_MAN_H
#define WATCHD_BASE_MAN_H

#include "store/base/option.h"

/* "WATCHCTL(1)", and its section NAME. */
void man_begin(const char *name, int section, const char *summary, struct buf *out);
void man_section(const char *title, struct buf *out);
void man_subsection(const char *title, struct buf *out);
/* Words, which are filled anew; an empty line begins a paragraph. */
void man_text(const char *text, struct buf *out);
/* Lines that stay as they are, each behind `prefix`, which is bold. */
void man_lines(const char *text, const char *prefix, struct buf *out);
void man_options(const struct option *table, size_t n, struct buf *out);
/* The variables that those options can come from. */
void man_environment(const struct option *table, size_t n, struct buf *out);

#endif

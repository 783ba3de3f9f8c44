/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing of a text is left for roff to see as its own: (1) a line never begins with one of its
 * control characters, (2) what it would draw otherwise than as typed is named, (3) and so is what
 * is not ASCII. */
#include "store/base/man.h"

#include <ctype.h>
#include <string.h>

#define SOURCE_COLUMNS 60

/* The code point at *at, and *at moves on; bytes that are no UTF-8 count as themselves. */
static uint32_t next_char(struct str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[(*at)++];
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t code = more == 3 ? c & 0x07u : more == 2 ? c & 0x0fu : more == 1 ? c & 0x1fu : c;
    for (; more > 0 && *at < s.n; more--) {
        code = code << 6 | ((unsigned char)s.p[(*at)++] & 0x3fu);
    }
    return code;
}

static void escape(struct str s, struct buf *out)
{
    static const char *const named[128] = {
        ['\\'] = "\\e",  ['-'] = "\\-",   ['\''] = "\\(aq",
        ['`'] = "\\(ga", ['^'] = "\\(ha", ['~'] = "\\(ti",
    };
    if (s.n > 0 && (s.p[0] == '.' || s.p[0] == '\'')) { /* (1) */
        buf_adds(out, STR("\\&"));
    }
    for (size_t at = 0; at < s.n;) {
        uint32_t c = next_char(s, &at);
        if (c >= 128) { /* (3) */
            buf_printf(out, "\\[u%04X]", (unsigned)c);
        } else if (named[c] != NULL) { /* (2) */
            buf_adds(out, str_of(named[c]));
        } else {
            buf_addc(out, (char)c);
        }
    }
}

/* The line at *text, which moves behind it. */
static struct str next_line(const char **text)
{
    struct str line = {*text, strcspn(*text, "\n")};
    *text += line.n + ((*text)[line.n] == '\n');
    return line;
}

/* An argument of a macro, quoted. */
static void heading(const char *macro, const char *title, struct buf *out)
{
    buf_printf(out, "%s \"", macro);
    escape(str_of(title), out);
    buf_adds(out, STR("\"\n"));
}

static void bold(const char *text, struct buf *out)
{
    buf_adds(out, STR("\\fB"));
    escape(str_of(text), out);
    buf_adds(out, STR("\\fR"));
}

void man_begin(const char *name, int section, const char *summary, struct buf *out)
{
    buf_adds(out, STR(".\\\" Made from the tables that --help comes from.\n.TH "));
    for (const char *c = name; *c != '\0'; c++) {
        buf_addc(out, (char)toupper((unsigned char)*c));
    }
    buf_printf(out, " %d %s \"watchd %s\"\n", section, WATCHD_DATE, WATCHD_VERSION);
    man_section("NAME", out);
    buf_printf(out, "%s \\- ", name);
    escape(str_of(summary), out);
    buf_addc(out, '\n');
}

void man_section(const char *title, struct buf *out)
{
    heading(".SH", title, out);
}

void man_subsection(const char *title, struct buf *out)
{
    heading(".SS", title, out);
}

/* The words of a line, which roff fills; a source line ends with a sentence, or before it is long.
 */
static void words(struct str line, size_t *column, struct buf *out)
{
    for (size_t at = 0; at < line.n;) {
        const char *space = memchr(line.p + at, ' ', line.n - at);
        struct str word = {line.p + at,
                           space != NULL ? (size_t)(space - line.p) - at : line.n - at};
        at += word.n + 1;
        if (word.n == 0) {
            continue;
        }
        if (*column > 0) {
            buf_addc(out, *column > SOURCE_COLUMNS ? '\n' : ' ');
        }
        *column = *column > SOURCE_COLUMNS ? 0 : *column;
        size_t before = out->n;
        escape(word, out);
        *column += out->n - before;
        if (strchr(".!?", word.p[word.n - 1]) != NULL) {
            buf_addc(out, '\n');
            *column = 0;
        }
    }
}

void man_text(const char *text, struct buf *out)
{
    size_t column = 0;
    while (text != NULL && *text != '\0') {
        struct str line = next_line(&text);
        if (line.n == 0) {
            buf_adds(out, column > 0 ? STR("\n.PP\n") : STR(".PP\n"));
            column = 0;
        }
        words(line, &column, out);
    }
    if (column > 0) {
        buf_addc(out, '\n');
    }
}

void man_lines(const char *text, const char *prefix, struct buf *out)
{
    buf_adds(out, STR(".nf\n"));
    while (text != NULL && *text != '\0') {
        struct str line = next_line(&text);
        if (*prefix != '\0') {
            bold(prefix, out);
            buf_addc(out, ' ');
        }
        escape(line, out);
        buf_addc(out, '\n');
    }
    buf_adds(out, STR(".fi\n"));
}

void man_options(const struct option *table, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct option *o = &table[i];
        buf_adds(out, STR(".TP\n"));
        if (o->letter != 0) {
            char letter[] = {'-', o->letter, '\0'};
            bold(letter, out);
            buf_adds(out, STR(", "));
        }
        buf_adds(out, STR("\\fB\\-\\-"));
        escape(str_of(o->name), out);
        buf_adds(out, STR("\\fR"));
        if (o->kind != OPTION_FLAG) {
            buf_adds(out, STR(" \\fI"));
            escape(str_of(o->value != NULL ? o->value : "VALUE"), out);
            buf_adds(out, STR("\\fR"));
        }
        buf_addc(out, '\n');
        man_text(o->help, out);
        if (o->def != NULL && *o->def != '\0' && o->kind != OPTION_FLAG) {
            buf_adds(out, STR("Default: "));
            escape(str_of(o->def), out);
            buf_adds(out, STR(".\n"));
        }
    }
}

void man_environment(const struct option *table, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].env != NULL) {
            buf_adds(out, STR(".TP\n"));
            bold(table[i].env, out);
            buf_adds(out, STR("\nThe same as \\fB\\-\\-"));
            escape(str_of(table[i].name), out);
            buf_adds(out, STR("\\fR, which wins over it.\n"));
        }
    }
}

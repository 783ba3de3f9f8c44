/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/option.h"

#define HELP_COLUMNS 100
#define HELP_LEFT    34 /* longest left side that shares its line with the help */

/* "  -n, --namespace NAME" */
static void help_left(const struct option *o, struct buf *out)
{
    if (o->letter != 0) {
        buf_printf(out, "  -%c, --%s", o->letter, o->name);
    } else {
        buf_printf(out, "      --%s", o->name);
    }
    if (o->kind != OPTION_FLAG) {
        buf_printf(out, " %s", o->value != NULL ? o->value : "VALUE");
    }
}

static void help_right(const struct option *o, struct buf *out)
{
    bool shows_default = o->def != NULL && *o->def != '\0' && o->kind != OPTION_FLAG;
    buf_adds(out, str_of(o->help));
    if (shows_default && o->env != NULL) {
        buf_printf(out, " [default: %s; env: %s]", o->def, o->env);
    } else if (shows_default) {
        buf_printf(out, " [default: %s]", o->def);
    } else if (o->env != NULL) {
        buf_printf(out, " [env: %s]", o->env);
    }
}

/* Appends the words of `text`, broken before the last column; further lines begin at `indent`. */
static void wrap(struct str text, size_t indent, struct buf *out)
{
    size_t column = indent;
    for (size_t at = 0; at < text.n;) {
        const char *space = memchr(text.p + at, ' ', text.n - at);
        size_t len = space != NULL ? (size_t)(space - (text.p + at)) : text.n - at;
        if (column > indent && column + 1 + len > HELP_COLUMNS) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_addc(out, ' ');
            column++;
        }
        buf_add(out, text.p + at, len);
        column += len;
        at += len + 1;
    }
}

void options_help(const struct option *table, size_t n, struct buf *out)
{
    CLEANUP(buf_fini) struct buf left;
    CLEANUP(buf_fini) struct buf right;
    buf_init(&left, 1024);
    buf_init(&right, 16384);
    size_t widest = 0;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&left);
        help_left(&table[i], &left);
        widest = left.n > widest && left.n <= HELP_LEFT ? left.n : widest;
    }
    size_t indent = widest + 2;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&left);
        buf_clear(&right);
        help_left(&table[i], &left);
        help_right(&table[i], &right);
        buf_adds(out, buf_str(&left));
        bool own_line = left.n > widest;
        buf_printf(out, "%s%*s", own_line ? "\n" : "", (int)(own_line ? indent : indent - left.n),
                   "");
        wrap(buf_str(&right), indent, out);
        buf_addc(out, '\n');
    }
}

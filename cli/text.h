/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for people: escaped, shortened, indented. Pure. */
#ifndef WATCHD_CLI_TEXT_H
#define WATCHD_CLI_TEXT_H

#include "store/base/bytes.h"
#include "store/base/clock.h"

/* Appends s with everything that could steer a terminal written as an escape: control characters
 * (C0 as \n, \t or \u001b; DEL and C1), marks that turn the direction of writing, bytes that are
 * not UTF-8 (\xff). */
void text_escape(struct str s, struct buf *out);
/* The same for JSON text, which stays the same JSON: only what JSON allows to stand as it is. */
void text_escape_json(struct str s, struct buf *out);
/* At most n characters, the last one "…" if something was left out. */
void text_shorten(struct str s, size_t n, struct buf *out);
/* s behind a byte order mark, where it begins with one. */
struct str text_without_bom(struct str s);
/* Characters in s: what it takes on the screen, roughly. */
size_t text_width(struct str s);

/* Valid JSON text over several lines, indented by four; numbers and strings stay as they are. */
void text_indent_json(struct str json, struct buf *out);

/* "45s", "3m20s", "15m", "5h", "2d3h", "45d", "3y", as kubectl shows ages. */
#define TEXT_AGE_MAX 32
void text_age(int64_t ms, char ret[TEXT_AGE_MAX]);
/* The age of an RFC 3339 time; "<unknown>" where it is none. */
void text_age_of(struct str time, wall_ms_t now, char ret[TEXT_AGE_MAX]);
/* "1.5 GiB" */
#define TEXT_BYTES_MAX 32
void text_bytes(uint64_t n, char ret[TEXT_BYTES_MAX]);

#endif

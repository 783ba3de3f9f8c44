/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define INDENT 4

static uint32_t code_point(const char *p, size_t n)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)p[0] & masks[n];
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | ((uint8_t)p[i] & 0x3f);
    }
    return c;
}

static bool steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x2028 ||
           c == 0x2029 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0xfeff;
}

void text_escape(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_len(s.p + i, s.n - i);
        if (n == 0) {
            buf_printf(out, "\\x%02x", (unsigned)(uint8_t)s.p[i]);
            i++;
            continue;
        }
        uint32_t c = code_point(s.p + i, n);
        if (c == '\n' || c == '\t' || c == '\r') {
            buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        } else if (steers(c)) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_add(out, s.p + i, n);
        }
        i += n;
    }
}

void text_escape_json(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_len(s.p + i, s.n - i);
        n = n != 0 ? n : 1;
        uint32_t c = code_point(s.p + i, n);
        /* Below 0x20 only white space between members can stand in JSON, and it may stay. */
        if (n > 1 ? steers(c) : c == 0x7f) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_add(out, s.p + i, n);
        }
        i += n;
    }
}

struct str text_without_bom(struct str s)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t n = sizeof(bom) - 1;
    return s.n >= n && memcmp(s.p, bom, n) == 0 ? (struct str){s.p + n, s.n - n} : s;
}

size_t text_width(struct str s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.n; width++) {
        size_t n = utf8_len(s.p + i, s.n - i);
        i += n != 0 ? n : 1;
    }
    return width;
}

void text_shorten(struct str s, size_t n, struct buf *out)
{
    size_t end = 0;
    size_t at = 0;
    for (size_t width = 0; at < s.n; width++) {
        if (width + 1 == n) {
            end = at;
        }
        if (width == n) {
            buf_add(out, s.p, end);
            buf_adds(out, STR("…"));
            return;
        }
        size_t len = utf8_len(s.p + at, s.n - at);
        at += len != 0 ? len : 1;
    }
    buf_adds(out, s);
}

static void new_line(size_t depth, struct buf *out)
{
    buf_printf(out, "\n%*s", (int)(depth * INDENT), "");
}

/* Works on the text alone, so that no number is read and written again. */
void text_indent_json(struct str json, struct buf *out)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (in_string) {
            buf_addc(out, c);
            if (c == '\\' && i + 1 < json.n) {
                buf_addc(out, json.p[++i]);
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '{' || c == '[') {
            buf_addc(out, c);
            size_t next = i + 1;
            while (next < json.n && strchr(" \t\r\n", json.p[next]) != NULL) {
                next++;
            }
            if (next < json.n && (json.p[next] == '}' || json.p[next] == ']')) {
                buf_addc(out, json.p[next]);
                i = next;
            } else {
                new_line(++depth, out);
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            new_line(depth, out);
            buf_addc(out, c);
        } else if (c == ',') {
            buf_addc(out, c);
            new_line(depth, out);
        } else if (c == ':') {
            buf_adds(out, STR(": "));
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            in_string = c == '"';
            buf_addc(out, c);
        }
    }
}

void text_age(int64_t ms, char ret[TEXT_AGE_MAX])
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    int64_t m = s / 60;
    int64_t h = m / 60;
    int64_t d = h / 24;
    if (s < 120) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "s", s);
    } else if (m < 10 && s % 60 != 0) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "m%" PRId64 "s", m, s % 60);
    } else if (m < 180) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "m", m);
    } else if (h < 8 && m % 60 != 0) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "h%" PRId64 "m", h, m % 60);
    } else if (h < 48) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "h", h);
    } else if (d < 8 && h % 24 != 0) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "d%" PRId64 "h", d, h % 24);
    } else if (d < 730) {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "d", d);
    } else {
        snprintf(ret, TEXT_AGE_MAX, "%" PRId64 "y", d / 365);
    }
}

void text_age_of(struct str time, wall_ms_t now, char ret[TEXT_AGE_MAX])
{
    char text[CLOCK_RFC3339_LEN + 1];
    struct tm tm = {0};
    if (time.n != CLOCK_RFC3339_LEN) {
        snprintf(ret, TEXT_AGE_MAX, "<unknown>");
        return;
    }
    memcpy(text, time.p, time.n);
    text[time.n] = '\0';
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL || *end != '\0') {
        snprintf(ret, TEXT_AGE_MAX, "<unknown>");
        return;
    }
    text_age(now - (wall_ms_t)timegm(&tm) * 1000, ret);
}

void text_bytes(uint64_t n, char ret[TEXT_BYTES_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n;
    size_t u = 0;
    while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1024;
        u++;
    }
    snprintf(ret, TEXT_BYTES_MAX, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

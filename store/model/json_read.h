/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the JSON texts that are usual, many times as fast as jansson does, into the same tree. What
 * is not usual, or not right, is left to jansson, which also knows the words for what is wrong. */
#ifndef WATCHD_MODEL_JSON_READ_H
#define WATCHD_MODEL_JSON_READ_H

#include <jansson.h>

#include "store/base/bytes.h"

/* A new reference; NULL: ask jansson. A tree is never other than jansson would make it with
 * JSON_REJECT_DUPLICATES and JSON_DECODE_ANY, and nests at most JSON_DEPTH_MAX levels. */
json_t *json_read(struct str text);

/* The length of the run at p of bytes that stand for themselves in a JSON string: printable ASCII
 * but for the quote and the backslash. Most of a document is such; it is gone through eight at
 * once. See: "Bit Twiddling Hacks", a byte less than n, a byte equal to n. */
static inline size_t json_plain(const unsigned char *p, size_t n)
{
    const uint64_t each = UINT64_C(0x0101010101010101), high = each * 0x80;
    size_t i = 0;
    for (; n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t x;
        memcpy(&x, p + i, sizeof(x));
        uint64_t quote = x ^ each * '"', backslash = x ^ each * '\\';
        if (((x | (x - each * 0x20) | ((quote - each) & ~quote) |
              ((backslash - each) & ~backslash)) &
             high) != 0) {
            break;
        }
    }
    while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') {
        i++;
    }
    return i;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Binary form, integers big-endian:
 *   version 1 | flags | store id 16 | epoch 4 | epoch random 8 | rv 8
 *   within a snapshot also: selection 8 | 3 × (length 1 | text): resource, namespace, name
 * A checksum byte in front catches truncated or mistyped tokens. */
#include "store/position.h"

#include <assert.h>
#include <stdio.h>

#define POSITION_VERSION 1
#define FLAG_SNAPSHOT    1
#define FIXED_LEN        (1 + 1 + 1 + 16 + 4 + 8 + 8)

static uint8_t *put_int(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
    return at + bytes;
}

static uint64_t get_int(const uint8_t *at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        v = (v << 8) | at[i];
    }
    return v;
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0x5a;
    for (size_t i = 0; i < n; i++) {
        sum = sum * 31 + p[i];
    }
    return (uint8_t)(sum ^ (sum >> 8) ^ (sum >> 16));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void uuid_to_bytes(const char *text, uint8_t ret[16])
{
    size_t n = 0;
    for (const char *c = text; *c != '\0' && n < 32; c++) {
        int d = hex_digit(*c);
        if (d >= 0) {
            ret[n / 2] = (uint8_t)((n % 2 == 0) ? d << 4 : ret[n / 2] | d);
            n++;
        }
    }
    assert(n == 32);
}

void uuid_to_text(const uint8_t v[16], char ret[UUID_LEN + 1])
{
    char *at = ret;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        static const char digits[] = "0123456789abcdef";
        *at++ = digits[v[i] >> 4];
        *at++ = digits[v[i] & 15];
    }
    *at = '\0';
}

static uint8_t *put_text(uint8_t *at, struct str s)
{
    assert(s.n <= UINT8_MAX);
    *at++ = (uint8_t)s.n;
    if (s.n != 0) {
        memcpy(at, s.p, s.n);
    }
    return at + s.n;
}

static bool get_text(struct str in, size_t *at, struct str *ret)
{
    if (*at >= in.n) {
        return false;
    }
    size_t n = (uint8_t)in.p[(*at)++];
    if (n > in.n - *at) {
        return false;
    }
    *ret = (struct str){in.p + *at, n};
    *at += n;
    return true;
}

size_t position_encode(const struct position *p, uint8_t ret[POSITION_MAX])
{
    uint8_t *at = ret + 1;
    *at++ = POSITION_VERSION;
    *at++ = p->in_snapshot ? FLAG_SNAPSHOT : 0;
    uuid_to_bytes(p->store_id, at);
    at += 16;
    at = put_int(at, p->epoch, 4);
    at = put_int(at, p->epoch_random, 8);
    at = put_int(at, p->rv, 8);
    if (p->in_snapshot) {
        at = put_int(at, p->selection, 8);
        at = put_text(at, p->last.resource);
        at = put_text(at, p->last.ns);
        at = put_text(at, p->last.name);
    }
    size_t n = (size_t)(at - ret);
    ret[0] = checksum(ret + 1, n - 1);
    return n;
}

enum errc position_decode(struct str in, const char *field, struct position *ret, struct err *err)
{
    const uint8_t *p = (const uint8_t *)in.p;
    struct position pos = {0};
    if (in.n < FIXED_LEN || in.n > POSITION_MAX || p[0] != checksum(p + 1, in.n - 1)) {
        return err_field(err, ERR_INVALID, field,
                         "is no position of a watch or list; send one back as it was received");
    }
    if (p[1] != POSITION_VERSION) {
        return err_field(err, ERR_INVALID, field,
                         "was made by another version of the server (form %d, known is %d)", p[1],
                         POSITION_VERSION);
    }
    pos.in_snapshot = (p[2] & FLAG_SNAPSHOT) != 0;
    uuid_to_text(p + 3, pos.store_id);
    pos.epoch = (uint32_t)get_int(p + 19, 4);
    pos.epoch_random = get_int(p + 23, 8);
    pos.rv = get_int(p + 31, 8);
    size_t at = FIXED_LEN;
    if (pos.in_snapshot) {
        bool ok = in.n >= at + 8;
        if (ok) {
            pos.selection = get_int(p + at, 8);
            at += 8;
            ok = get_text(in, &at, &pos.last.resource) && get_text(in, &at, &pos.last.ns) &&
                 get_text(in, &at, &pos.last.name) && pos.last.resource.n <= RESOURCE_MAX_LEN &&
                 pos.last.ns.n <= NAMESPACE_MAX_LEN && pos.last.name.n <= NAME_MAX_LEN;
        }
        if (!ok) {
            return err_field(err, ERR_INVALID, field, "is cut off");
        }
    }
    if (at != in.n) {
        return err_field(err, ERR_INVALID, field, "has bytes too many");
    }
    *ret = pos;
    return OK;
}

enum errc position_check(const struct position *p, const struct engine_identity *id, rv_t floor,
                         rv_t head, struct err *err)
{
    if (strcmp(p->store_id, id->store_id) != 0) {
        (void)err_version(err, ERR_FOREIGN, p->rv, floor, head);
        snprintf(err->msg, sizeof err->msg,
                 "the position belongs to store %s, this is store %s; begin again with a snapshot",
                 p->store_id, id->store_id);
        return ERR_FOREIGN;
    }
    /* What both histories share, up to the restore, may be resumed from either. */
    bool same = p->epoch == id->epoch && p->epoch_random == id->epoch_random;
    if (!same && !(p->epoch < id->epoch && p->rv <= id->prior_head)) {
        (void)err_version(err, ERR_FOREIGN, p->rv, floor, head);
        snprintf(err->msg, sizeof err->msg,
                 "the position is of epoch %u of this store, which a restore has replaced by epoch "
                 "%u; begin again with a snapshot",
                 p->epoch, id->epoch);
        return ERR_FOREIGN;
    }
    return OK;
}

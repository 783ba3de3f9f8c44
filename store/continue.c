/* SPDX-License-Identifier: Apache-2.0 */
/* As bytes, before base64url without padding:
 *   form 1 | store id 16 | nonce 12 | sealed: total 8, position … | tag 16 | checksum 4
 * AES-256-GCM; form and store id are authenticated with it. The checksum tells a token that was
 * spoilt from one of another store, whose tag cannot be checked here.
 * See: NIST SP 800-38D; 96 random bits of nonce are good for 2^32 tokens of one key. */
#include "store/continue.h"

#include <assert.h>
#include <openssl/evp.h>
#include <xxhash.h>

#define FORM         2
#define HEAD_LEN     17 /* form and store id */
#define NONCE_LEN    12
#define TOTAL_LEN    8
#define TAG_LEN      16
#define CHECKSUM_LEN 4
#define SEALED_MAX   (TOTAL_LEN + POSITION_MAX)
#define TOKEN_MIN    (HEAD_LEN + NONCE_LEN + TOTAL_LEN + TAG_LEN + CHECKSUM_LEN)
#define TOKEN_MAX    (TOKEN_MIN + POSITION_MAX)

static enum errc refuse(struct err *err)
{
    return err_field(err, ERR_INVALID, "continue_token",
                     "is no continue token; send one back as it was received");
}

static void checksum(const uint8_t *p, size_t n, uint8_t ret[CHECKSUM_LEN])
{
    uint64_t sum = XXH3_64bits(p, n);
    for (size_t i = 0; i < CHECKSUM_LEN; i++) {
        ret[i] = (uint8_t)(sum >> (8 * i));
    }
}

static void ctx_freep(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
    *c = NULL;
}

/* Seals `text` in place; the tag goes behind it. */
static void seal(const uint8_t *secret, const uint8_t *head, const uint8_t *nonce, uint8_t *text,
                 size_t n)
{
    CLEANUP(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;
    int ok = EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, secret, nonce);
    ok &= EVP_EncryptUpdate(c, NULL, &len, head, HEAD_LEN);
    ok &= EVP_EncryptUpdate(c, text, &len, text, (int)n);
    ok &= EVP_EncryptFinal_ex(c, text + n, &len);
    ok &= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_LEN, text + n);
    assert(ok == 1); /* fails for lack of memory only */
}

static bool unseal(const uint8_t *secret, const uint8_t *head, const uint8_t *nonce, uint8_t *text,
                   size_t n, uint8_t *ret)
{
    CLEANUP(ctx_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len = 0;
    return EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, secret, nonce) == 1 &&
           EVP_DecryptUpdate(c, NULL, &len, head, HEAD_LEN) == 1 &&
           EVP_DecryptUpdate(c, ret, &len, text, (int)n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_LEN, text + n) == 1 &&
           EVP_DecryptFinal_ex(c, ret + n, &len) == 1;
}

/* ---- Base64url --------------------------------------------------------------------------------
 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void to_text(const uint8_t *p, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        v |= i + 2 < n ? p[i + 2] : 0;
        size_t chars = n - i >= 3 ? 4 : n - i + 1;
        for (size_t c = 0; c < chars; c++) {
            buf_addc(out, digits[(v >> (18 - 6 * c)) & 63]);
        }
    }
}

/* Only what to_text writes is taken: bits that stand for nothing must be 0. */
static bool from_text(struct str in, uint8_t ret[TOKEN_MAX], size_t *ret_n)
{
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < in.n; i++) {
        const char *d = in.p[i] != '\0' ? strchr(digits, in.p[i]) : NULL;
        if (d == NULL || n == TOKEN_MAX) {
            return false;
        }
        bits = (bits << 6) | (uint32_t)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            ret[n++] = (uint8_t)(bits >> have);
        }
    }
    *ret_n = n;
    return have < 6 && (bits & ((1u << have) - 1)) == 0;
}

/* ---- Tokens -----------------------------------------------------------------------------------
 */

void continue_write(const uint8_t secret[ENGINE_SECRET_LEN], const struct position *at,
                    uint64_t total, struct buf *out)
{
    uint8_t token[TOKEN_MAX];
    uint8_t *nonce = token + HEAD_LEN;
    uint8_t *text = nonce + NONCE_LEN;
    token[0] = FORM;
    uuid_to_bytes(at->store_id, token + 1);
    random_bytes(nonce, NONCE_LEN);
    for (size_t i = 0; i < TOTAL_LEN; i++) {
        text[i] = (uint8_t)(total >> (8 * i));
    }
    size_t n = TOTAL_LEN + position_encode(at, text + TOTAL_LEN);
    seal(secret, token, nonce, text, n);
    size_t all = (size_t)(text - token) + n + TAG_LEN;
    checksum(token, all, token + all);
    to_text(token, all + CHECKSUM_LEN, out);
}

enum errc continue_read(const uint8_t secret[ENGINE_SECRET_LEN], const char store_id[UUID_LEN + 1],
                        struct str in, uint8_t bytes[POSITION_MAX], struct position *ret,
                        uint64_t *ret_total, struct err *err)
{
    uint8_t token[TOKEN_MAX], sum[CHECKSUM_LEN], plain[SEALED_MAX];
    size_t all = 0;
    if (!from_text(in, token, &all) || all < TOKEN_MIN || token[0] != FORM) {
        return refuse(err);
    }
    all -= CHECKSUM_LEN;
    checksum(token, all, sum);
    if (memcmp(sum, token + all, CHECKSUM_LEN) != 0) {
        return refuse(err);
    }
    char of[UUID_LEN + 1];
    uuid_to_text(token + 1, of);
    if (strcmp(of, store_id) != 0) {
        *ret = (struct position){.in_snapshot = true};
        memcpy(ret->store_id, of, sizeof of);
        *ret_total = 0;
        return OK;
    }
    uint8_t *nonce = token + HEAD_LEN;
    uint8_t *text = nonce + NONCE_LEN;
    size_t n = all - TAG_LEN - (size_t)(text - token);
    if (!unseal(secret, token, nonce, text, n, plain)) {
        return refuse(err);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < TOTAL_LEN; i++) {
        total |= (uint64_t)plain[i] << (8 * i);
    }
    n -= TOTAL_LEN;
    memcpy(bytes, plain + TOTAL_LEN, n);
    enum errc rc =
        position_decode((struct str){(const char *)bytes, n}, "continue_token", ret, err);
    if (rc == OK) {
        *ret_total = total;
    }
    return rc;
}

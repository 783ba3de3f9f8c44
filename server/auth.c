/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/logline.h"
#include "store/base/mem.h"

#define FILE_MAX   (1024 * 1024)
#define TOKEN_MAX  4096
#define TOKENS_MAX 10000

struct token {
    char *text; /* owned */
    size_t n;
    bool admin;
};

struct auth {
    struct token *tokens;
    size_t n;
    bool closed;     /* ordinary calls need a token */
    bool has_admins; /* admin calls need an admin token */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The time it takes depends on the lengths only. */
static bool same_secret(struct str given, struct str secret)
{
    volatile unsigned char differs = given.n == secret.n ? 0 : 1;
    for (size_t i = 0; i < given.n; i++) {
        differs = (unsigned char)(differs | (given.p[i] ^ secret.p[i % secret.n]));
    }
    return differs == 0;
}

static enum errc add_token(struct auth *a, struct str text, bool admin, const char *path, int line,
                           struct err *err)
{
    if (text.n > TOKEN_MAX) {
        return err_set(err, ERR_INVALID, "%s:%d: a token may be %d bytes long at most", path, line,
                       TOKEN_MAX);
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x21 || text.p[i] > 0x7e) {
            return err_set(err, ERR_INVALID, "%s:%d: a token is made of printable ASCII characters",
                           path, line);
        }
    }
    for (size_t i = 0; i < a->n; i++) {
        if (str_eq((struct str){a->tokens[i].text, a->tokens[i].n}, text)) {
            a->tokens[i].admin = a->tokens[i].admin || admin;
            return OK;
        }
    }
    if (a->n == TOKENS_MAX) {
        return err_set(err, ERR_INVALID, "%s:%d: more than %d tokens", path, line, TOKENS_MAX);
    }
    a->tokens = mem_realloc(a->tokens, (a->n + 1) * sizeof(*a->tokens));
    a->tokens[a->n] = (struct token){.text = str_dup(text), .n = text.n, .admin = admin};
    a->n++;
    return OK;
}

static enum errc parse_file(struct auth *a, struct str content, bool admin, const char *path,
                            struct err *err)
{
    int line = 0;
    size_t found = 0;
    while (content.n > 0) {
        const char *nl = memchr(content.p, '\n', content.n);
        size_t n = nl != NULL ? (size_t)(nl - content.p) : content.n;
        struct str s = {content.p, n};
        line++;
        content.p += nl != NULL ? n + 1 : n;
        content.n -= nl != NULL ? n + 1 : n;
        while (s.n > 0 && is_space(s.p[0])) {
            s.p++;
            s.n--;
        }
        if (s.n == 0 || s.p[0] == '#') {
            continue;
        }
        size_t end = 0;
        while (end < s.n && !is_space(s.p[end])) {
            end++;
        }
        s.n = end;
        if (add_token(a, s, admin, path, line, err) != OK) {
            return err->code;
        }
        found++;
    }
    if (found == 0) {
        return err_set(err, ERR_INVALID,
                       "%s: there is no token in it; write one per line, for instance from "
                       "\"openssl rand -hex 32\"",
                       path);
    }
    return OK;
}

static enum errc read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INVALID, "%s: this is no regular file", path);
    }
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        log_warn("others may read this token file; run chmod 600 on it file=%s", path);
    }
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set(err, ERR_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(errno));
        }
        if (n == 0) {
            break;
        }
        buf_add(out, chunk, (size_t)n);
    }
    if (out->full) {
        return err_set(err, ERR_INVALID, "%s: a token file may be 1 MiB large at most", path);
    }
    return OK;
}

static enum errc load_file(struct auth *a, const char *path, bool admin, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, errno == EACCES ? ERR_DENIED : ERR_INVALID,
                       "%s: the token file cannot be opened: %s", path, strerror(errno));
    }
    CLEANUP(buf_fini) struct buf content;
    buf_init(&content, FILE_MAX);
    enum errc e = read_all(fd, path, &content, err);
    close(fd);
    return e == OK ? parse_file(a, buf_str(&content), admin, path, err) : e;
}

enum errc auth_open(const char *token_file, const char *admin_token_file, struct auth **ret,
                    struct err *err)
{
    struct auth *a = mem_zalloc(sizeof(*a));
    a->closed = token_file != NULL;
    a->has_admins = admin_token_file != NULL;
    if ((a->closed && load_file(a, token_file, false, err) != OK) ||
        (a->has_admins && load_file(a, admin_token_file, true, err) != OK)) {
        auth_free(a);
        return err->code;
    }
    *ret = a;
    return OK;
}

void auth_free(struct auth *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->n; i++) {
        explicit_bzero(a->tokens[i].text, a->tokens[i].n);
        free(a->tokens[i].text);
    }
    free(a->tokens);
    free(a);
}

static struct str bearer_of(struct str header)
{
    static const char scheme[] = "bearer";
    size_t n = sizeof(scheme) - 1;
    if (header.n <= n || strncasecmp(header.p, scheme, n) != 0 || header.p[n] != ' ') {
        return STR_EMPTY;
    }
    while (n < header.n && header.p[n] == ' ') {
        n++;
    }
    return (struct str){header.p + n, header.n - n};
}

enum errc auth_check(const struct auth *a, struct str header, struct caller *ret, struct err *err)
{
    struct str given = bearer_of(header);
    int found = -1;
    /* All are compared, so that the time does not tell which one it was. */
    for (size_t i = 0; i < a->n && given.n > 0; i++) {
        struct str secret = {a->tokens[i].text, a->tokens[i].n};
        if (same_secret(given, secret)) {
            found = (int)i;
        }
    }
    if (found < 0 && (a->closed || given.n > 0) && a->n > 0) {
        return err_set(err, ERR_UNAUTHENTICATED, "%s",
                       given.n > 0 ? "this bearer token is not known here"
                                   : "a bearer token is needed: send the header "
                                     "\"authorization: Bearer TOKEN\"");
    }
    *ret = (struct caller){.token = found,
                           .admin = !a->has_admins || (found >= 0 && a->tokens[found].admin)};
    return OK;
}

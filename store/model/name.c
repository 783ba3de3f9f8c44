/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model/name.h"

#define QUALIFIED_NAME_MAX_LEN 63
#define LABEL_VALUE_MAX_LEN    63
#define CLIENT_ID_MAX_LEN      253

/* How much of a refused name a message quotes. */
#define QUOTE_MAX 80

size_t key_len(const struct key *k)
{
    return k->resource.n + k->ns.n + k->name.n;
}

struct key key_at(const struct key *k, const char *texts)
{
    const char *ns = texts + k->resource.n;
    return (struct key){
        {texts,        k->resource.n},
        {ns,           k->ns.n      },
        {ns + k->ns.n, k->name.n    }
    };
}

struct key key_copy_to(const struct key *k, char *room)
{
    const struct str texts[] = {k->resource, k->ns, k->name};
    char *at = room;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].n != 0) {
            memcpy(at, texts[i].p, texts[i].n);
        }
        at += texts[i].n;
    }
    return key_at(k, room);
}

int key_cmp(const struct key *a, const struct key *b)
{
    int c = str_cmp(a->resource, b->resource);
    c = c != 0 ? c : str_cmp(a->ns, b->ns);
    return c != 0 ? c : str_cmp(a->name, b->name);
}

bool key_eq(const struct key *a, const struct key *b)
{
    /* Names differ most often. */
    return str_eq(a->name, b->name) && str_eq(a->ns, b->ns) && str_eq(a->resource, b->resource);
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower_alnum(char c)
{
    return is_lower(c) || is_digit(c);
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || is_upper(c);
}

/* Lower-case letters and digits, with '-' and the characters of `inner` in between. */
static bool is_dns_label(struct str s, const char *inner)
{
    if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1])) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!is_lower_alnum(c) && c != '-' && (c == '\0' || strchr(inner, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool is_subdomain(struct str s, const char *inner)
{
    while (true) {
        const char *dot = s.n != 0 ? memchr(s.p, '.', s.n) : NULL;
        size_t n = dot != NULL ? (size_t)(dot - s.p) : s.n;
        if (!is_dns_label((struct str){s.p, n}, inner)) {
            return false;
        }
        if (dot == NULL) {
            return true;
        }
        s = (struct str){dot + 1, s.n - n - 1};
    }
}

/* Letters and digits, with '-', '_' and '.' in between. */
static bool is_word(struct str s)
{
    if (s.n == 0 || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1])) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!is_alnum(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return true;
}

static enum errc refuse(struct str s, const char *field, const char *why, struct err *err)
{
    bool cut = s.n > QUOTE_MAX;
    return err_field(err, ERR_INVALID, field, "\"%.*s%s\" %s", cut ? QUOTE_MAX : (int)s.n,
                     s.n != 0 ? s.p : "", cut ? "…" : "", why);
}

static enum errc check_length(struct str s, size_t max, const char *field, struct err *err)
{
    if (s.n == 0) {
        return err_field(err, ERR_INVALID, field, "must not be empty");
    }
    if (s.n > max) {
        return err_field(err, ERR_INVALID, field, "is %zu bytes long, more than %zu", s.n, max);
    }
    return OK;
}

enum errc name_check_resource(struct str s, const char *field, struct err *err)
{
    if (check_length(s, RESOURCE_MAX_LEN, field, err) != OK) {
        return ERR_INVALID;
    }
    if (!is_dns_label(s, "") || !is_lower(s.p[0])) {
        return refuse(s, field,
                      "is no resource: lower-case letters, digits and '-', beginning with a letter "
                      "and ending with a letter or digit",
                      err);
    }
    if (str_eq(s, STR(RESOURCE_ALL))) {
        return refuse(s, field, "means every resource and names none", err);
    }
    return OK;
}

enum errc name_check_namespace(struct str s, const char *field, struct err *err)
{
    if (check_length(s, NAMESPACE_MAX_LEN, field, err) != OK) {
        return ERR_INVALID;
    }
    if (!is_dns_label(s, "")) {
        return refuse(s, field,
                      "is no namespace: lower-case letters, digits and '-', beginning and ending "
                      "with a letter or digit",
                      err);
    }
    return OK;
}

enum errc name_check_name(struct str s, const char *field, struct err *err)
{
    if (check_length(s, NAME_MAX_LEN, field, err) != OK) {
        return ERR_INVALID;
    }
    if (!is_subdomain(s, ":")) {
        return refuse(s, field,
                      "is no name: lower-case letters, digits, '-', '.' and ':', beginning and "
                      "ending with a letter or digit, also beside each '.'",
                      err);
    }
    return OK;
}

enum errc name_check_key(const struct key *k, struct err *err)
{
    if (name_check_resource(k->resource, "key.resource", err) != OK ||
        name_check_namespace(k->ns, "key.namespace", err) != OK) {
        return ERR_INVALID;
    }
    return name_check_name(k->name, "key.name", err);
}

enum errc name_check_qualified(struct str s, const char *field, struct err *err)
{
    const char *slash = s.n != 0 ? memchr(s.p, '/', s.n) : NULL;
    struct str name = s;
    if (s.n == 0) {
        return err_field(err, ERR_INVALID, field, "must not be empty");
    }
    if (slash != NULL) {
        struct str prefix = {s.p, (size_t)(slash - s.p)};
        name = (struct str){slash + 1, s.n - prefix.n - 1};
        if (prefix.n > NAME_MAX_LEN || !is_subdomain(prefix, "")) {
            return refuse(s, field,
                          "must have a DNS name of at most 253 lower-case characters before '/'",
                          err);
        }
    }
    if (name.n > QUALIFIED_NAME_MAX_LEN || !is_word(name)) {
        return refuse(s, field,
                      "must be letters, digits, '-', '_' and '.', at most 63, beginning and ending "
                      "with a letter or digit; a DNS name and '/' may go before",
                      err);
    }
    return OK;
}

enum errc name_check_label_value(struct str s, const char *field, struct err *err)
{
    if (s.n > LABEL_VALUE_MAX_LEN || (s.n != 0 && !is_word(s))) {
        return refuse(s, field,
                      "is no label value: empty, or letters, digits, '-', '_' and '.', at most 63, "
                      "beginning and ending with a letter or digit",
                      err);
    }
    return OK;
}

enum errc name_check_client_id(struct str s, const char *field, struct err *err)
{
    if (check_length(s, CLIENT_ID_MAX_LEN, field, err) != OK) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~') {
            return refuse(s, field, "must be printable ASCII without spaces", err);
        }
    }
    return OK;
}

struct str name_generate(struct str base, const char suffix[NAME_SUFFIX_LEN],
                         char ret[NAME_GENERATED_MAX])
{
    size_t room = NAME_GENERATED_MAX - NAME_SUFFIX_LEN;
    size_t n = base.n < room ? base.n : room;
    if (n != 0) {
        memcpy(ret, base.p, n);
    }
    memcpy(ret + n, suffix, NAME_SUFFIX_LEN);
    return (struct str){ret, n + NAME_SUFFIX_LEN};
}

static bool ends_with(struct str s, const char *tail)
{
    size_t n = strlen(tail);
    return s.n > n && memcmp(s.p + s.n - n, tail, n) == 0;
}

void name_kind_of_resource(struct str resource, char ret[RESOURCE_MAX_LEN + 1])
{
    /* English plurals, the first that fits; "ies" only behind two letters or more ("ties"). */
    static const struct {
        const char *plural;
        const char *singular;
    } endings[] = {
        {"sses",  "ss"  },
        {"tuses", "tus" },
        {"iases", "ias" },
        {"xes",   "x"   },
        {"shes",  "sh"  },
        {"aches", "ache"},
        {"ches",  "ch"  },
        {"ies",   "y"   },
        {"ss",    "ss"  },
        {"us",    "us"  },
        {"is",    "is"  },
        {"s",     ""    },
    };
    size_t n = resource.n < RESOURCE_MAX_LEN ? resource.n : RESOURCE_MAX_LEN;
    resource.n = n;
    const char *singular = "";
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        bool short_ies = strcmp(endings[i].plural, "ies") == 0 && n < 5;
        if (!short_ies && ends_with(resource, endings[i].plural)) {
            n -= strlen(endings[i].plural);
            singular = endings[i].singular;
            break;
        }
    }
    char word[RESOURCE_MAX_LEN + 1];
    memcpy(word, resource.p, n);
    memcpy(word + n, singular, strlen(singular) + 1);
    size_t to = 0;
    bool capital = true;
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '-') {
            capital = true;
            continue;
        }
        ret[to++] = (char)(capital && is_lower(*c) ? *c - 'a' + 'A' : *c);
        capital = false;
    }
    ret[to] = '\0';
}

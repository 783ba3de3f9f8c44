/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <ctype.h>
#include <string.h>

#include "store/base/bytes.h"
#include "store/model/object.h"

static enum errc take_apart(const char *word, struct target *ret, struct err *err)
{
    size_t n = strlen(word);
    if (n >= sizeof(ret->memory)) {
        return err_set(err, ERR_INVALID, "\"%.40s…\" is too long for RESOURCE/NAME", word);
    }
    const char *slash = strchr(word, '/');
    if (strchr(slash + 1, '/') != NULL) {
        return err_set(err, ERR_INVALID, "\"%s\" has more than one slash; write RESOURCE/NAME",
                       word);
    }
    if (slash == word || slash[1] == '\0') {
        return err_set(err, ERR_INVALID, "\"%s\" lacks the %s; write RESOURCE/NAME", word,
                       slash == word ? "resource" : "name");
    }
    memcpy(ret->memory, word, n + 1);
    ret->memory[slash - word] = '\0';
    ret->resource = ret->memory;
    ret->name = ret->memory + (slash - word) + 1;
    return OK;
}

enum errc target_read(const char *const *words, size_t n, enum target_rule rule, struct target *ret,
                      struct err *err)
{
    ret->resource = "";
    ret->name = "";
    ret->definition = NULL;
    for (size_t i = 0; i < n; i++) {
        if (words[i][0] == '\0') {
            return err_set(err, ERR_INVALID, "a name must not be empty");
        }
    }
    if (n == 0) {
        return OK;
    }
    bool apart = strchr(words[0], '/') != NULL;
    if (n > 2 || (n == 2 && (apart || strchr(words[1], '/') != NULL))) {
        return err_set(err, ERR_INVALID, "\"%s\" is one word too many; write RESOURCE/NAME",
                       words[apart || n > 2 ? n - 1 : 1]);
    }
    if (apart) {
        return take_apart(words[0], ret, err);
    }
    if (n == 2) {
        ret->resource = words[0];
        ret->name = words[1];
    } else if (rule == TARGET_ONE_WORD_IS_RESOURCE) {
        ret->resource = words[0];
    } else {
        ret->name = words[0];
    }
    return OK;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s);
    size_t m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

void resource_of_kind(const char *api_version, const char *kind, char ret[ARGS_RESOURCE_MAX])
{
    bool ours = strcmp(api_version, API_VERSION_DEFAULT) == 0;
    size_t n = 0;
    for (const char *c = kind; *c != '\0' && n + 6 < ARGS_RESOURCE_MAX; c++) {
        if (ours && c != kind && isupper((unsigned char)*c) && islower((unsigned char)c[-1])) {
            ret[n++] = '-';
        }
        ret[n++] = (char)tolower((unsigned char)*c);
    }
    ret[n] = '\0';
    if (n > 1 && ret[n - 1] == 'y' && strchr("aeiou", ret[n - 2]) == NULL) {
        memcpy(ret + n - 1, "ies", 4);
    } else if (ends_with(ret, "endpoints")) {
        return;
    } else if (ends_with(ret, "s") || ends_with(ret, "x") || ends_with(ret, "ch") ||
               ends_with(ret, "sh")) {
        memcpy(ret + n, "es", 3);
    } else {
        memcpy(ret + n, "s", 2);
    }
}

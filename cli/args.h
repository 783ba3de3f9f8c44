/* SPDX-License-Identifier: Apache-2.0 */
/* What the words of a command name: an object, a resource, or both. Pure.
 *
 *   RESOURCE/NAME and RESOURCE NAME work everywhere; of a single word it depends on the command
 *   whether it is a RESOURCE (get, watch, export) or a NAME of the default resource (all others).
 */
#ifndef WATCHD_CLI_ARGS_H
#define WATCHD_CLI_ARGS_H

#include "store/base/err.h"

struct resource_definition;

struct target {
    const char *resource; /* "" when none was named */
    const char *name;     /* "" when none was named */
    char memory[1024];    /* of RESOURCE/NAME, taken apart */
    const struct resource_definition
        *definition; /* of the resource, where that was asked; or NULL */
};

enum target_rule {
    TARGET_ONE_WORD_IS_RESOURCE,
    TARGET_ONE_WORD_IS_NAME,
};

/* `words` are borrowed by *ret, at most two. No words: both "". Errors: ERR_INVALID; the message is
 * a whole sentence. */
enum errc target_read(const char *const *words, size_t n, enum target_rule rule, struct target *ret,
                      struct err *err) NODISCARD;

/* The resource of the objects of a kind, where nothing else tells: the plural that Kubernetes
 * guesses, "NetworkPolicy" → "networkpolicies"; of our own apiVersion with the hyphens that the
 * server took out, "BatchJob" → "batch-jobs". */
#define ARGS_RESOURCE_MAX 128
void resource_of_kind(const char *api_version, const char *kind, char ret[ARGS_RESOURCE_MAX]);

#endif

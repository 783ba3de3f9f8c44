/* SPDX-License-Identifier: Apache-2.0 */
/* What a word for a resource means: its name, or what its definition calls it. */
#ifndef WATCHD_CLI_RESOURCE_H
#define WATCHD_CLI_RESOURCE_H

#include "cli/args.h"
#include "cli/cli.h"
#include "cli/export_line.h"
#include "store/model/resource_definition.h"

/* The definitions that there are. */
struct catalog {
    struct resource_definition **v; /* references */
    size_t n;
    bool loaded;
};
void catalog_fini(struct catalog *c);
/* Asks the server, once. What this version does not understand is left out. Returns 0 or an exit
 * code. */
int catalog_load(const struct cli *cli, struct catalog *c);

/* Replaces a singular, a kind or a short name in `target` by the name of the resource, and notes
 * its definition. A name as it is comes first, and a word that nothing is called stays: it is a
 * resource that is not declared. Where the resource is not namespaced, the options of namespaces
 * are dropped. What target then holds is cli's. Returns 0 or an exit code. */
int resource_resolve(struct cli *cli, struct target *target);
/* The same without a word about a failure, which changes nothing: *error tells it. */
enum watch_code resource_try(struct cli *cli, struct target *target, struct watch_error *error);

/* The resource of a document that names only its kind: as a definition tells, else the plural that
 * Kubernetes guesses. */
void resource_of_document(const struct catalog *c, const char *api_version, const char *kind,
                          char ret[ARGS_RESOURCE_MAX]);
/* The same for a line of an import or a transaction; loads the catalog where it is needed. Returns
 * 0 or an exit code. */
int resource_of_line(const struct cli *cli, struct catalog *c, struct import_line *l);

#endif

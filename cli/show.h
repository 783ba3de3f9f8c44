/* SPDX-License-Identifier: Apache-2.0 */
/* Objects on stdout: as JSON, YAML, a name, or cells of a table. */
#ifndef WATCHD_CLI_SHOW_H
#define WATCHD_CLI_SHOW_H

#include "cli/client/watch_client.h"
#include "cli/table.h"
#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/err.h"

/* Writes out the buffer and empties it. */
void show_out(struct buf *out);
/* The document over several lines. On a terminal nothing in it can steer that. */
void show_json(const struct watch_object *o);
/* Errors: ERR_INTERNAL. */
enum errc show_yaml(const struct watch_object *o, struct err *err) NODISCARD;
/* RESOURCE/NAME */
void show_name(const struct watch_object *o);
/* Appends JSON to be shown, escaped if stdout is a terminal. */
void show_append_json(struct str json, struct buf *out);

/* What a table shows of an object besides its names. */
struct glance {
    char version[24];
    char age[32];
    struct buf summary; /* the spec, shortened */
};
void glance_init(struct glance *g);
void glance_fini(struct glance *g);
void glance_at(struct glance *g, const struct watch_object *o, wall_ms_t now);

#endif

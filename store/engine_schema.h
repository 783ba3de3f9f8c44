/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the SQLite engine: how a file is made, recognised, and brought from an older
 * version to ours, and what it says about itself. Private to the SQLite engine.
 * Threads: the one that opens the engine. */
#ifndef WATCHD_ENGINE_SCHEMA_H
#define WATCHD_ENGINE_SCHEMA_H

#include <sqlite3.h>

#include "store/engine.h"

#define SCHEMA_APPLICATION_ID 0x57415443 /* "WATC" */
#define SCHEMA_VERSION        2
#define SCHEMA_FIRST          2 /* older ones were never released: such files are refused */

/* Versions are gapless within an epoch; between two epochs those in (prior_head, base] are
 * missing, and rightly so. */
struct epoch {
    rv_t base;
    rv_t prior_head;
};

struct epochs {
    struct epoch *v; /* oldest first; at least one */
    size_t n;
};

/* The version that must follow rv. */
static inline rv_t epochs_next(const struct epochs *epochs, rv_t rv)
{
    for (size_t i = epochs->n; i-- > 0;) {
        if (rv >= epochs->v[i].prior_head && rv <= epochs->v[i].base) {
            return epochs->v[i].base + 1;
        }
    }
    return rv + 1;
}

/* Before SQLite touches a file: is it ours? An empty file is ours to fill. Closes what it opens, so
 * SQLite must not have the file open in this process.
 * Errors: ERR_INVALID, ERR_DENIED, ERR_UNAVAILABLE. */
enum errc schema_recognise(const char *path, struct err *err) NODISCARD;

/* Makes the tables of an empty file or brings those of an older version to ours, each step in one
 * transaction; then WAL. Errors: ERR_INVALID: not ours, or newer or older than this program
 * knows. */
enum errc schema_prepare(sqlite3 *db, struct err *err) NODISCARD;

struct schema_facts {
    struct engine_identity identity;
    uint8_t secret[ENGINE_SECRET_LEN];
    struct epochs epochs; /* new; free with epochs_fini */
    int64_t run_ms;
    bool clean; /* the last stop was a clean one */
};

enum errc schema_read(sqlite3 *db, struct schema_facts *ret, struct err *err) NODISCARD;
void epochs_fini(struct epochs *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Our errors as the public header shows them. Pure. */
#ifndef WATCHD_CLIENT_ERROR_H
#define WATCHD_CLIENT_ERROR_H

#include "cli/client/watch_client.h"
#include "store/base/err.h"

/* Fills *ret (NULL is fine) and returns the code. */
enum watch_code error_show(const struct err *err, bool from_server, struct watch_error *ret);

#endif

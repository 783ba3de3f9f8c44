/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of servers as people write them. Pure. */
#ifndef WATCHD_CLIENT_ADDRESS_H
#define WATCHD_CLIENT_ADDRESS_H

#include "store/base/err.h"

#define ADDRESS_PORT_DEFAULT 7733

/* "HOST", "HOST:PORT", "[V6]:PORT", ":PORT" or "unix:PATH" as a target for gRPC, with what is left
 * out filled in. *ret is new. Errors: ERR_INVALID with field "address". */
enum errc address_target(const char *text, char **ret, struct err *err) NODISCARD;

#endif

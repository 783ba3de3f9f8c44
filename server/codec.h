/* SPDX-License-Identifier: Apache-2.0 */
/* The codec that the store is given: events in the wire's form, in memory that gRPC core can send
 * without a copy. Threads: any. */
#ifndef WATCHD_SERVER_CODEC_H
#define WATCHD_SERVER_CODEC_H

#include <grpc/slice.h>

#include "store/codec.h"

extern const struct codec codec_wire;

/* A part of a block that codec_wire made, as a slice which holds the memory by itself. */
grpc_slice codec_slice(const struct blob *b, size_t at, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness: unpredictable bytes from the kernel (getrandom), buffered per thread. Threads: any.
 */
#ifndef WATCHD_BASE_RANDOM_H
#define WATCHD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *p, size_t n);
/* Uniform in [0, below); below > 0. */
uint64_t random_below(uint64_t below);

/* A random UUID (RFC 9562, version 4) in text. */
#define UUID_LEN 36
void random_uuid(char ret[UUID_LEN + 1]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator below malloc: mimalloc, which replaces it by being linked, or the C library's. */
#ifndef WATCHD_SERVER_ALLOCATOR_H
#define WATCHD_SERVER_ALLOCATOR_H

/* Gives memory that was freed back to the system, as far as it is the calling thread's. Takes
 * milliseconds. Threads: any. */
void allocator_trim(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/allocator.h"

#ifdef WATCH_MIMALLOC
#include <stdbool.h>

#include <mimalloc.h>

void allocator_trim(void)
{
    mi_collect(true);
}
#else
#include <malloc.h>

void allocator_trim(void)
{
    malloc_trim(0);
}
#endif

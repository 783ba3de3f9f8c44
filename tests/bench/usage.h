/* SPDX-License-Identifier: Apache-2.0 */
/* What the server, the driver and the rest of the machine have used so far, from /proc.
 * Threads: any. */
#ifndef WATCHD_BENCH_USAGE_H
#define WATCHD_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
    int64_t time;         /* ns */
    int64_t server_cpu;   /* ns */
    int64_t driver_cpu;   /* ns */
    int64_t machine_cpu;  /* ns of all processes, to a hundredth of a second */
    uint64_t write_bytes; /* that the server made dirty */
};

struct memory {
    uint64_t rss, anonymous, peak; /* bytes */
};

void usage_take(pid_t server, struct usage *ret);
void memory_take(pid_t server, struct memory *ret);

#endif

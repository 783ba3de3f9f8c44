/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) {
        fail("the server's CPU clock is gone");
    }
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* The number behind `name` in a file of /proc with a "name: number" on each line; 0 without it. */
static uint64_t proc_number(pid_t pid, const char *file, const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        fail("%s cannot be read", path);
    }
    size_t n = strlen(name);
    unsigned long long value = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, n) == 0 && line[n] == ':') {
            sscanf(line + n + 1, "%llu", &value);
            break;
        }
    }
    fclose(f);
    return value;
}

/* User, nice, system and stolen time; interrupts are left out, since the network's are ours. */
static int64_t machine_ns(void)
{
    unsigned long long v[8] = {0};
    FILE *f = fopen("/proc/stat", "re");
    if (f != NULL) {
        if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
                   &v[4], &v[5], &v[6], &v[7]) != 8) {
            v[0] = 0;
        }
        fclose(f);
    }
    return (int64_t)(v[0] + v[1] + v[2] + v[7]) * (SECOND / sysconf(_SC_CLK_TCK));
}

void usage_take(pid_t server, struct usage *ret)
{
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock) != 0) {
        fail("there is no process %d", (int)server);
    }
    *ret = (struct usage){
        .time = now_ns(),
        .server_cpu = clock_ns(clock),
        .driver_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        .machine_cpu = machine_ns(),
        .write_bytes = proc_number(server, "io", "write_bytes"),
    };
}

void memory_take(pid_t server, struct memory *ret)
{
    *ret = (struct memory){
        .rss = proc_number(server, "status", "VmRSS") * 1024,
        .anonymous = proc_number(server, "status", "RssAnon") * 1024,
        .peak = proc_number(server, "status", "VmHWM") * 1024,
    };
}

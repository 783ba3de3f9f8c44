/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>

static const char *separator;

void report_begin(void)
{
    putchar('{');
    separator = "";
}

void report_number(const char *name, double value)
{
    printf("%s\"%s\": %.10g", separator, name, value);
    separator = ", ";
}

void report_hist(const char *name, const struct hist *h)
{
    static const struct {
        const char *suffix;
        double q;
    } rows[] = {
        {"p50", 0.50},
        {"p99", 0.99},
        {"max", 1.0 }
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char full[64];
        snprintf(full, sizeof(full), "%s_%s_ms", name, rows[i].suffix);
        report_number(full, hist_ms(h, rows[i].q));
    }
}

void report_usage(const struct bench *b, const struct usage *from, const struct usage *to)
{
    double t = (double)(to->time - from->time);
    double server = (double)(to->server_cpu - from->server_cpu);
    double driver = (double)(to->driver_cpu - from->driver_cpu);
    double others = (double)(to->machine_cpu - from->machine_cpu) - server - driver;
    struct memory m;
    memory_take((pid_t)b->pid, &m);
    report_number("seconds", t / 1e9);
    report_number("server_cpu", server / t);
    report_number("driver_cpu", driver / t);
    report_number("others", others > 0 ? others / t : 0);
    report_number("write_bytes", (double)(to->write_bytes - from->write_bytes));
    report_number("rss", (double)m.rss);
    report_number("rss_anon", (double)m.anonymous);
    report_number("rss_peak", (double)m.peak);
}

void report_end(void)
{
    printf("}\n");
}

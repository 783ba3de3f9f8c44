/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a run, as one JSON object on stdout. Threads: one. */
#ifndef WATCHD_BENCH_REPORT_H
#define WATCHD_BENCH_REPORT_H

#include <stdint.h>

#include "bench.h"
#include "hist.h"
#include "usage.h"

void report_begin(void);
void report_number(const char *name, double value);
/* NAME_p50_ms, NAME_p99_ms, NAME_max_ms. */
void report_hist(const char *name, const struct hist *h);
/* CPU in cores, bytes written, memory; what the rest of the machine did meanwhile as `others`. */
void report_usage(const struct bench *b, const struct usage *from, const struct usage *to);
void report_end(void);

#endif

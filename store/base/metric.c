/* SPDX-License-Identifier: Apache-2.0 */
#include "store/base/metric.h"

#include <inttypes.h>

enum metric_kind { COUNTER, GAUGE, HISTOGRAM };

static const struct {
    enum metric_kind kind;
    const char *name;
    const char *help;
} infos[METRIC_COUNT] = {
#define METRIC_INFO(id, kind, name, help) [id] = {kind, name, help},
    METRIC_TABLE(METRIC_INFO)
#undef METRIC_INFO
};

/* Upper bounds of the buckets, and what `le` says for each; the last bucket is "+Inf". */
static const struct {
    int64_t us;
    const char *le;
} bounds[] = {
    {100,      "0.0001" },
    {250,      "0.00025"},
    {500,      "0.0005" },
    {1000,     "0.001"  },
    {2500,     "0.0025" },
    {5000,     "0.005"  },
    {10000,    "0.01"   },
    {25000,    "0.025"  },
    {50000,    "0.05"   },
    {100000,   "0.1"    },
    {250000,   "0.25"   },
    {500000,   "0.5"    },
    {1000000,  "1"      },
    {2500000,  "2.5"    },
    {5000000,  "5"      },
    {10000000, "10"     },
};
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

/* A histogram's value is its sum in microseconds. */
static _Atomic int64_t values[METRIC_COUNT];
static _Atomic int64_t buckets[METRIC_COUNT][N_BOUNDS + 1];

void metric_add(enum metric m, int64_t v)
{
    atomic_fetch_add_explicit(&values[m], v, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t v)
{
    atomic_store_explicit(&values[m], v, memory_order_relaxed);
}

void metric_observe_us(enum metric m, int64_t us)
{
    us = us < 0 ? 0 : us;
    size_t i = 0;
    while (i < N_BOUNDS && us > bounds[i].us) {
        i++;
    }
    atomic_fetch_add_explicit(&buckets[m][i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&values[m], us, memory_order_relaxed);
}

static int64_t histogram_count(enum metric m)
{
    int64_t n = 0;
    for (size_t i = 0; i <= N_BOUNDS; i++) {
        n += atomic_load_explicit(&buckets[m][i], memory_order_relaxed);
    }
    return n;
}

int64_t metric_get(enum metric m)
{
    if (infos[m].kind == HISTOGRAM) {
        return histogram_count(m);
    }
    return atomic_load_explicit(&values[m], memory_order_relaxed);
}

static void render_histogram(enum metric m, struct buf *out)
{
    const char *name = infos[m].name;
    int64_t n = 0;
    for (size_t i = 0; i < N_BOUNDS; i++) {
        n += atomic_load_explicit(&buckets[m][i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{le=\"%s\"} %" PRId64 "\n", name, bounds[i].le, n);
    }
    n += atomic_load_explicit(&buckets[m][N_BOUNDS], memory_order_relaxed);
    int64_t us = atomic_load_explicit(&values[m], memory_order_relaxed);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", name, n);
    buf_printf(out, "%s_sum %" PRId64 ".%06" PRId64 "\n", name, us / 1000000, us % 1000000);
    buf_printf(out, "%s_count %" PRId64 "\n", name, n);
}

void metric_render(struct buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    for (int i = 0; i < METRIC_COUNT; i++) {
        enum metric m = (enum metric)i;
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", infos[m].name, infos[m].help, infos[m].name,
                   kinds[infos[m].kind]);
        if (infos[m].kind == HISTOGRAM) {
            render_histogram(m, out);
        } else {
            buf_printf(out, "%s %" PRId64 "\n", infos[m].name, metric_get(m));
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: one table of counters, gauges and histograms, shown as Prometheus text.
 * Threads: any; updates are relaxed atomics. */
#ifndef WATCHD_BASE_METRIC_H
#define WATCHD_BASE_METRIC_H

#include <stdint.h>

#include "store/base/bytes.h"

/* X(id, kind, name, help). Histograms are of seconds, recorded in microseconds. Counters' names end
 * in _total. See: https://prometheus.io/docs/practices/naming */
#define METRIC_TABLE(X)                                                                            \
    X(M_WRITES, COUNTER, "watchd_writes_total", "Writes answered, refused ones included.")         \
    X(M_WRITES_FAILED, COUNTER, "watchd_writes_failed_total",                                      \
      "Writes refused for a fault of the storage.")                                                \
    X(M_WRITES_NOOP, COUNTER, "watchd_writes_noop_total", "Writes that changed nothing.")          \
    X(M_EVENTS, COUNTER, "watchd_events_total", "Events committed.")                               \
    X(M_COMMITS, COUNTER, "watchd_commits_total", "Transactions committed.")                       \
    X(M_COMMIT_SECONDS, HISTOGRAM, "watchd_commit_seconds", "Time of one commit, fsync included.") \
    X(M_COMMIT_FAILURES, COUNTER, "watchd_commit_failures_total", "Transactions that failed.")     \
    X(M_RECOVERIES, COUNTER, "watchd_recoveries_total", "Times the writer reopened the storage.")  \
    X(M_WRITE_QUEUE_BYTES, GAUGE, "watchd_write_queue_bytes", "Bytes waiting for the writer.")     \
    X(M_HEAD, GAUGE, "watchd_head", "The last published resource version.")                        \
    X(M_FLOOR, GAUGE, "watchd_floor", "The oldest resource version that can be resumed from.")     \
    X(M_FILE_BYTES, GAUGE, "watchd_file_bytes", "Bytes of the database and the files beside it.")  \
    X(M_OBJECTS, GAUGE, "watchd_objects", "Objects stored.")                                       \
    X(M_HISTORY_EVENTS, GAUGE, "watchd_history_events", "Events kept.")                            \
    X(M_HISTORY_BYTES, GAUGE, "watchd_history_bytes", "Bytes of the events kept.")                 \
    X(M_COMPACTED, COUNTER, "watchd_compacted_events_total", "Events removed by compaction.")      \
    X(M_LOG_BYTES, GAUGE, "watchd_log_bytes", "Bytes of events held in memory.")                   \
    X(M_WATCHES, GAUGE, "watchd_watches", "Watches open.")                                         \
    X(M_WATCHES_ENDED, COUNTER, "watchd_watches_ended_total", "Watches ended, for any reason.")    \
    X(M_WATCHES_EXPIRED, COUNTER, "watchd_watches_expired_total", "Watches ended with EXPIRED.")   \
    X(M_WATCHES_TOO_SLOW, COUNTER, "watchd_watches_too_slow_total", "Watches ended TOO_SLOW.")     \
    X(M_MESSAGES_SENT, COUNTER, "watchd_watch_messages_total", "Messages sent on watches.")        \
    X(M_EVENTS_SENT, COUNTER, "watchd_watch_events_total", "Events sent on watches.")              \
    X(M_BOOKMARKS_SENT, COUNTER, "watchd_watch_bookmarks_total", "Bookmarks sent.")                \
    X(M_FIELDS_JUDGED, COUNTER, "watchd_field_selections_total",                                   \
      "Times a distinct field selector was judged for idle or live watches.")                      \
    X(M_PINNED_BYTES, GAUGE, "watchd_pinned_bytes", "Bytes held for clients to read them.")        \
    X(M_CALLS, COUNTER, "watchd_calls_total", "Calls received.")                                   \
    X(M_CALLS_FAILED, COUNTER, "watchd_calls_failed_total", "Calls answered with an error.")       \
    X(M_CONNECTIONS_CUT, COUNTER, "watchd_connections_cut_total",                                  \
      "Connections cut off that had too much open, or cancelled too much.")                        \
    X(M_CONNECTIONS, GAUGE, "watchd_connections", "Connections accepted and not yet closed.")      \
    X(M_UNAUTHENTICATED, COUNTER, "watchd_unauthenticated_total", "Calls with no valid token.")

enum metric {
#define METRIC_ENUM(id, kind, name, help) id,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

void metric_add(enum metric m, int64_t v); /* counters and gauges */
void metric_set(enum metric m, int64_t v); /* gauges */
void metric_observe_us(enum metric m, int64_t us);
int64_t metric_get(enum metric m);

/* Appends all of them in the Prometheus text format 0.0.4. */
void metric_render(struct buf *out);

#endif

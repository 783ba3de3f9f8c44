/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: the watches of a client. A stream outlives its attempts; each attempt is one call, which
 * belongs to the client until its batches are back.
 *
 *   WAITING (link, retry_at) → OPENING ──first response──► LIVE
 *      ▲                          │ refused, cut off, late    │ cut off
 *      └──────────────────────────┴───────────────────────────┘      a final status → ENDED
 *
 * Public functions are in watch_client.h; these are the client's doors. */
#ifndef WATCHD_CLIENT_STREAM_H
#define WATCHD_CLIENT_STREAM_H

#include "cli/client/client.h"

void stream_tick(struct watch_client *c, mono_ms_t now);
bool stream_wants_link(const struct watch_client *c);
/* An attempt to connect failed: the streams that wait for it tell it. */
void stream_link_failed(struct watch_client *c, const struct err *err);
void stream_close_all(struct watch_client *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"
#include "server/call.h"
#include "server/services.h"

/* Every slot costs every call: gRPC core goes through all that is outstanding in a queue to find
 * what was completed. A call that finds none waits for the next to be posted, a moment later. */
const struct method methods[] = {
    {WIRE_GET,                METHOD_UNARY,     ACCESS_TOKEN, 16, object_get              },
    {WIRE_PUT,                METHOD_UNARY,     ACCESS_TOKEN, 16, object_put              },
    {WIRE_PATCH,              METHOD_UNARY,     ACCESS_TOKEN, 8,  object_patch            },
    {WIRE_DELETE,             METHOD_UNARY,     ACCESS_TOKEN, 8,  object_delete           },
    {WIRE_LIST,               METHOD_UNARY,     ACCESS_TOKEN, 4,  object_list             },
    {WIRE_DELETE_COLLECTION,  METHOD_UNARY,     ACCESS_TOKEN, 2,  object_delete_collection},
    {WIRE_TRANSACT,           METHOD_UNARY,     ACCESS_TOKEN, 4,  object_transact         },
    {WIRE_HISTORY,            METHOD_UNARY,     ACCESS_TOKEN, 2,  object_history          },
    {WIRE_SUBSCRIBE,          METHOD_SUBSCRIBE, ACCESS_TOKEN, 16, watch_subscribe         },
    {WIRE_UNSUBSCRIBE,        METHOD_UNARY,     ACCESS_TOKEN, 4,  watch_unsubscribe       },
    {WIRE_REQUEST_BOOKMARK,   METHOD_UNARY,     ACCESS_TOKEN, 4,  watch_request_bookmark  },
    {WIRE_LIST_SUBSCRIPTIONS, METHOD_UNARY,     ACCESS_TOKEN, 2,  watch_list              },
    {WIRE_STATUS,             METHOD_UNARY,     ACCESS_ADMIN, 2,  admin_status            },
    {WIRE_COMPACT,            METHOD_UNARY,     ACCESS_ADMIN, 2,  admin_compact           },
    {WIRE_METRICS,            METHOD_UNARY,     ACCESS_ADMIN, 2,  admin_metrics           },
    {WIRE_HEALTH_CHECK,       METHOD_UNARY,     ACCESS_ALL,   4,  health_check            },
    {WIRE_HEALTH_WATCH,       METHOD_STREAM,    ACCESS_ALL,   2,  health_watch            },
    {WIRE_REFLECTION_V1,      METHOD_BIDI,      ACCESS_TOKEN, 2,  reflection_info         },
    {WIRE_REFLECTION_V1ALPHA, METHOD_BIDI,      ACCESS_TOKEN, 2,  reflection_info         },
};
const size_t methods_n = sizeof(methods) / sizeof(methods[0]);

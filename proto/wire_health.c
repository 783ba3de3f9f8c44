/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire_impl.h"

#include "grpc/health/v1/health.pb-c.h"

enum { HEALTH_STATUS = 1 };

_Static_assert((int)WIRE_HEALTH_SERVING ==
                       GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING &&
                   (int)WIRE_HEALTH_NOT_SERVING ==
                       GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING &&
                   (int)WIRE_HEALTH_UNKNOWN ==
                       GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
               "our numbers are those on the wire");

enum errc wire_read_health_request(struct arena *a, struct str in, struct str *ret_service,
                                   struct err *err)
{
    const Grpc__Health__V1__HealthCheckRequest *m = NULL;
    enum errc code =
        wire_unpack(a, &grpc__health__v1__health_check_request__descriptor, in, &m, err);
    if (code == OK) {
        *ret_service = str_of(m->service);
    }
    return code;
}

void wire_write_health_response(enum wire_health status, struct buf *out)
{
    pb_add_u64(out, HEALTH_STATUS, (uint64_t)status);
}

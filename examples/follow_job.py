#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Follows a long job to its end, whatever happens to the server meanwhile.

    follow_job.py NAME [ADDRESS]

Every response of a watch carries a position. After a cut this client asks for what comes after the
last one; nothing is shown twice and nothing is missed. Needs python3-grpcio, python3-protobuf and
protobuf-compiler; job.sh is a job to follow."""
import json
import os
import subprocess
import sys
import tempfile
import time

import grpc

PROTOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "proto")


def messages():
    """The message classes, made by protoc from the protos."""
    out = tempfile.mkdtemp()
    subprocess.run(["protoc", "-I", PROTOS, "--python_out", out, "watch/v1/object.proto",
                    "watch/v1/watch.proto"], check=True)
    sys.path.insert(0, out)
    from watch.v1 import object_pb2, watch_pb2
    return object_pb2, watch_pb2


def follow(name, address):
    object_pb2, watch_pb2 = messages()
    channel = grpc.insecure_channel(address, options=[("grpc.max_reconnect_backoff_ms", 1000)])
    subscribe = channel.unary_stream(
        "/watch.v1.WatchService/Subscribe",
        request_serializer=watch_pb2.SubscribeRequest.SerializeToString,
        response_deserializer=watch_pb2.SubscribeResponse.FromString)
    request = watch_pb2.SubscribeRequest(
        selections=[object_pb2.Selection(resource="jobs", name=name)],
        from_snapshot=watch_pb2.FromSnapshot())
    while True:
        try:
            for response in subscribe(request, wait_for_ready=True):
                for event in response.events:
                    if event.type == watch_pb2.EVENT_TYPE_DELETED:
                        print(f"{name} was deleted")
                        return 1
                    status = json.loads(event.object.json).get("status", {})
                    print(f"{event.object.resource_version}: {status.get('phase')} "
                          f"{status.get('done')}/{status.get('of')}", flush=True)
                    if status.get("phase") in ("succeeded", "failed"):
                        return 0 if status["phase"] == "succeeded" else 1
                # Setting `resume` unsets `from_snapshot`: they are one choice.
                request.resume = response.position
        except grpc.RpcError as err:
            if err.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN,
                                  grpc.StatusCode.INTERNAL):
                print(f"{err.code().name}: {err.details()}", file=sys.stderr)
                return 1
            print(f"cut off ({err.details()}), going on", file=sys.stderr)
            time.sleep(0.2)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        sys.exit(follow(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:7733"))
    except KeyboardInterrupt:
        sys.exit(130)

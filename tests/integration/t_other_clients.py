#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that are not ours: Python with generated messages, @grpc/grpc-js, and `buf curl` by reflection
over v1, list, put and watch."""
import json
import os
import re
import subprocess
import sys
import threading

from watchtest import *

LIB = os.path.join(SRC, "tests", "lib")


def node_modules():
    done = subprocess.run([os.path.join(LIB, "node_modules.sh")], capture_output=True, text=True,
                          check=False)
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    eq(done.returncode, 0, done.stderr)
    return os.path.join(done.stdout.strip(), "node_modules")


@test
def python_with_generated_messages(t):
    server = Server(t).start()
    subprocess.run(["protoc", "-I", os.path.join(SRC, "proto"), "--python_out", t.dir,
                    "watch/v1/object.proto", "watch/v1/watch.proto"], check=True)
    script = t.file("client.py", '''
import sys
import grpc
from watch.v1 import object_pb2, watch_pb2

channel = grpc.insecure_channel(sys.argv[1])
def method(name, answer, many=False):
    make = channel.unary_stream if many else channel.unary_unary
    return make("/watch.v1." + name, request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=answer.FromString)
put = method("ObjectService/Put", object_pb2.PutResponse)
list_ = method("ObjectService/List", object_pb2.ListResponse)
subscribe = method("WatchService/Subscribe", watch_pb2.SubscribeResponse, True)
key = object_pb2.Key(name="from-python")
stream = subscribe(watch_pb2.SubscribeRequest())
print(put(object_pb2.PutRequest(key=key, json='{"n":1}', scope="PUT_SCOPE_AUTO")).object.resource_version)
print([o.name for o in list_(object_pb2.ListRequest()).objects])
for message in stream:
    for event in message.events:
        print(event.type, event.object.name, event.object.resource_version)
        sys.exit(0)
''')
    done = subprocess.run([sys.executable, script, server.address], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": t.dir}, timeout=60 * SLOW)
    eq((done.returncode, done.stderr), (0, ""))
    eq(done.stdout, "1\n['from-python']\n1 from-python 1\n")


@test
def grpc_js(t):
    modules = node_modules()
    server = Server(t).start()
    server.client().put("before", {"n": 0})
    done = subprocess.run(["node", os.path.join(SRC, "tests", "integration", "node", "client.js"),
                           server.address, os.path.join(SRC, "proto")], capture_output=True, text=True,
                          env={**os.environ, "NODE_PATH": modules}, timeout=60 * SLOW)
    eq((done.returncode, done.stderr), (0, ""), done.stdout)
    eq([json.loads(line) for line in done.stdout.splitlines()], [
        {"put": "WRITE_RESULT_CREATED", "rv": "2", "spec": {"by": "grpc-js"}},
        {"list": ["before", "from-node"], "rv": "2"},
        {"head": "2"},
        {"error": "NOT_FOUND", "details": 1},
        {"started": "2", "headers": True},
        {"event": "EVENT_TYPE_ADDED", "name": "before", "rv": "1"},
        {"event": "EVENT_TYPE_ADDED", "name": "from-node", "rv": "2"},
        {"synced": "2"},
        {"event": "EVENT_TYPE_MODIFIED", "name": "from-node", "rv": "3"},
        {"event": "EVENT_TYPE_DELETED", "name": "from-node", "rv": "4"},
        {"end": "CANCELLED"},
    ])


@test
def buf_curl_by_reflection(t):
    buf = os.path.join(node_modules(), ".bin", "buf")
    server = Server(t).start()
    env = {**os.environ, "HOME": t.dir, "BUF_CACHE_DIR": t.path("cache")}

    def curl(*args, code=0):
        done = subprocess.run([buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", *args],
                              capture_output=True, text=True, env=env, timeout=60 * SLOW)
        assert (done.returncode == 0) == (code == 0), f"{args}: {done}"
        return done

    url = f"http://{server.address}"
    services = curl("--list-services", url).stdout.split()
    for service in SERVICES:
        if "reflection" not in service:
            assert service in services, services
    methods = curl("--list-methods", url).stdout
    for method in ("ObjectService/Put", "WatchService/Subscribe", "AdminService/Status"):
        assert "watch.v1." + method in methods, methods
    put = json.loads(curl("-d", json.dumps({"key": {"name": "from-buf"}, "json": '{"n":1}',
                                            "scope": "PUT_SCOPE_AUTO"}),
                          url + "/watch.v1.ObjectService/Put").stdout)
    eq((put["result"], put["object"]["resourceVersion"]), ("WRITE_RESULT_CREATED", "1"))
    listed = json.loads(curl("-d", "{}", url + "/watch.v1.ObjectService/List").stdout)
    eq([o["name"] for o in listed["objects"]], ["from-buf"])
    error = curl("-d", '{"key":{"name":"missing"}}', url + "/watch.v1.ObjectService/Get", code=1)
    assert "not_found" in error.stderr and "ErrorInfo" in error.stderr, error.stderr

    watch = subprocess.Popen([buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d",
                              '{"selections":[{"resource":"objects"}],"durationMs":"3000"}',
                              url + "/watch.v1.WatchService/Subscribe"], stdout=subprocess.PIPE, text=True,
                             env=env)
    text = []
    reader = threading.Thread(target=lambda: text.extend(watch.stdout), daemon=True)
    reader.start()
    wait_until("buf shows the state at once", lambda: "synced" in "".join(text), 20)
    server.client().put("live", {"n": 2})
    wait_until("buf shows the event at once", lambda: '"live"' in "".join(text), 10)
    eq(watch.wait(30 * SLOW), 0, "exit of buf curl")
    reader.join()
    types = re.findall(r"EVENT_TYPE_\w+", "".join(text))
    eq(types, ["EVENT_TYPE_ADDED", "EVENT_TYPE_ADDED"])


@test
def reflection_v1alpha_says_the_same(t):
    server = Server(t).start()
    client = server.client()
    for version in ("v1", "v1alpha"):
        request = pb[f"grpc.reflection.{version}.ServerReflectionRequest"]
        answer = pb[f"grpc.reflection.{version}.ServerReflectionResponse"]
        call = client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
        answers = list(call(iter([request(list_services=""),
                                  request(file_containing_symbol="watch.v1.SubscribeRequest"),
                                  request(file_by_filename="watch/v1/admin.proto"),
                                  request(file_containing_symbol="watch.v1.ObjectService.Put"),
                                  request(file_containing_symbol="no.Such")]), timeout=10 * SLOW))
        eq(len(answers), 5)
        eq(sorted(s.name for s in answers[0].list_services_response.service), sorted(SERVICES))
        for a in answers[1:4]:
            assert a.file_descriptor_response.file_descriptor_proto, f"{version}: {a}"
        eq(answers[4].error_response.error_code, 5, f"{version}: {answers[4]}")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""The messages of proto/watch/v1, made at run time, and a client over plain gRPC channels."""
import json
import os
import queue
import subprocess
import tempfile
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["SRC", "pb", "Client", "WatchError", "Silence", "Stream", "dumps", "request_for", "SERVICES"]

SRC = os.environ.get("WATCH_SRC") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", "..", ".."))

# Where protoc finds Google's own protos; Debian puts them into /usr/include.
PROTOS = ["watch/v1/object.proto", "watch/v1/watch.proto", "watch/v1/admin.proto",
          "google/rpc/status.proto", "google/rpc/error_details.proto",
          "grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
          "grpc/reflection/v1alpha/reflection.proto"]


class Messages:
    """pb.PutRequest, pb.SubscribeResponse, …; others as pb["google.rpc.ErrorInfo"]."""

    def __init__(self):
        with tempfile.NamedTemporaryFile(suffix=".ds") as out:
            subprocess.run(["protoc", "-I", os.path.join(SRC, "proto"), "-I", "/usr/include",
                            "--include_imports", "--descriptor_set_out", out.name, *PROTOS],
                           check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(out.read()).file
        pool = descriptor_pool.DescriptorPool()
        for file in files:
            pool.Add(file)
        factory = message_factory.MessageFactory(pool)
        self._classes = {}
        for file in files:
            prefix = file.package + "." if file.package else ""
            for message in file.message_type:
                name = prefix + message.name
                self._classes[name] = factory.GetPrototype(pool.FindMessageTypeByName(name))

    def __getattr__(self, name):
        try:
            return self._classes["watch.v1." + name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name):
        return self._classes[name]


pb = Messages()

METHODS = {
    "Get": ("ObjectService", "Get"), "List": ("ObjectService", "List"),
    "Put": ("ObjectService", "Put"), "Patch": ("ObjectService", "Patch"),
    "Delete": ("ObjectService", "Delete"),
    "DeleteCollection": ("ObjectService", "DeleteCollection"),
    "Transact": ("ObjectService", "Transact"), "History": ("ObjectService", "History"),
    "Subscribe": ("WatchService", "Subscribe"), "Unsubscribe": ("WatchService", "Unsubscribe"),
    "RequestBookmark": ("WatchService", "RequestBookmark"),
    "ListSubscriptions": ("WatchService", "ListSubscriptions"),
    "Status": ("AdminService", "Status"), "Compact": ("AdminService", "Compact"),
    "Metrics": ("AdminService", "Metrics"),
}
SERVICES = ["watch.v1.ObjectService", "watch.v1.WatchService", "watch.v1.AdminService",
            "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"]


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Silence(AssertionError):
    """Nothing came, which is no other fault."""


class WatchError(Exception):
    """A call's status with our details taken apart."""

    def __init__(self, rpc):
        self.code = rpc.code().name
        self.message = rpc.details() or ""
        self.reason = ""
        self.metadata = {}
        self.fields = []
        self.descriptions = []  # one for each of the fields
        self.retry_s = None
        for key, value in rpc.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._take(value)
        super().__init__(f"{self.code} {self.reason}: {self.message}")

    def _take(self, raw):
        status = pb["google.rpc.Status"].FromString(raw)
        self.status = status
        for detail in status.details:
            kind = detail.type_url.rsplit("/", 1)[-1]
            body = pb[kind].FromString(detail.value)
            if kind == "google.rpc.ErrorInfo":
                self.reason = body.reason
                self.domain = body.domain
                self.metadata = dict(body.metadata)
            elif kind == "google.rpc.BadRequest":
                self.fields = [v.field for v in body.field_violations]
                self.descriptions = [v.description for v in body.field_violations]
            elif kind == "google.rpc.RetryInfo":
                self.retry_s = body.retry_delay.seconds + body.retry_delay.nanos / 1e9


def selection(sel):
    """A Selection from a message, a Sel, a resource's name, or a dict."""
    if isinstance(sel, pb.Selection):
        return sel
    if hasattr(sel, "message"):
        return sel.message()
    if isinstance(sel, str):
        return pb.Selection(resource=sel, all_namespaces=sel == "all")
    return pb.Selection(**sel)


def request_for(selections=(), start=None, previous=False, bookmark_ms=0, duration_ms=0,
                client_id=""):
    """A SubscribeRequest; start is None, "snapshot", "now", "oldest", a version, or a position."""
    req = pb.SubscribeRequest(client_id=client_id, selections=[selection(s) for s in selections],
                              send_previous=previous, bookmark_interval_ms=bookmark_ms,
                              duration_ms=duration_ms)
    if isinstance(start, bytes):
        req.resume = start
    elif isinstance(start, int):
        req.since = start
    elif start is not None:
        getattr(req, "from_" + start).SetInParent()
    return req


class Client:
    """One connection of its own."""

    def __init__(self, target, token=None, options=()):
        self.target = target
        self.metadata = [("authorization", "Bearer " + token)] if token else []
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 1000),
            ("grpc.max_reconnect_backoff_ms", 200), ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1), *options])
        self._calls = {}
        for name, (service, method) in METHODS.items():
            make = self.channel.unary_stream if name == "Subscribe" else self.channel.unary_unary
            self._calls[name] = make(f"/watch.v1.{service}/{method}",
                                     request_serializer=lambda m: m.SerializeToString(),
                                     response_deserializer=self._reader(name))

    @staticmethod
    def _reader(name):
        return getattr(pb, name + "Response").FromString

    def close(self):
        self.channel.close()

    def call(self, name, request=None, timeout=10, wait=False, **fields):
        """Sends pb.<name>Request and returns the response. Raises WatchError."""
        request = request if request is not None else getattr(pb, name + "Request")(**fields)
        try:
            return self._calls[name](request, timeout=timeout, wait_for_ready=wait,
                                     metadata=self.metadata)
        except grpc.RpcError as err:
            raise WatchError(err) from None

    def raw(self, path, request=b"", timeout=10, stream=False, metadata=()):
        """A call in bytes, for what no message describes."""
        make = self.channel.unary_stream if stream else self.channel.unary_unary
        try:
            call = make(path)(request, timeout=timeout, metadata=[*self.metadata, *metadata])
            return list(call) if stream else call
        except grpc.RpcError as err:
            raise WatchError(err) from None

    def put(self, name, doc, resource="", namespace="", timeout=10, wait=False, **fields):
        """Puts a document: a whole object if it has metadata, else the spec of one."""
        if not isinstance(doc, str):
            doc = dumps(doc)
        return self.call("Put", pb.PutRequest(
            key=pb.Key(resource=resource, namespace=namespace, name=name), json=doc,
            **{"scope": 2, **fields}), timeout=timeout, wait=wait)

    def delete(self, name, resource="", namespace="", timeout=10, **fields):
        return self.call("Delete", pb.DeleteRequest(
            key=pb.Key(resource=resource, namespace=namespace, name=name), **fields),
            timeout=timeout)

    def patch(self, name, patch, resource="", namespace="", timeout=10, **fields):
        if not isinstance(patch, str):
            patch = dumps(patch)
        return self.call("Patch", pb.PatchRequest(
            key=pb.Key(resource=resource, namespace=namespace, name=name), json=patch, **fields),
            timeout=timeout)

    def get(self, name, resource="", namespace="", timeout=10, **fields):
        return self.call("Get", pb.GetRequest(
            key=pb.Key(resource=resource, namespace=namespace, name=name), **fields),
            timeout=timeout).object

    def page(self, sel="all", limit=0, token="", timeout=30, **fields):
        """One page of a list, as the server answers it."""
        return self.call("List", pb.ListRequest(selection=selection(sel), limit=limit,
                                                continue_token=token, **fields), timeout=timeout)

    def list(self, sel="all", limit=0, timeout=30, **fields):
        """All pages; returns (version, objects). fields: resource_version, version_match."""
        token, objects, version = "", [], None
        while True:
            page = self.page(sel, limit, token, timeout, **({} if token else fields))
            if version is not None and page.resource_version != version:
                raise AssertionError(f"pages show versions {version} and {page.resource_version}")
            version = page.resource_version
            objects.extend(page.objects)
            token = page.continue_token
            if not token:
                return version, objects

    def status(self, timeout=10):
        return self.call("Status", timeout=timeout)

    def metrics(self):
        return self.call("Metrics").text

    def head(self):
        return self.status().head

    def subscriptions(self, client_id=""):
        return list(self.call("ListSubscriptions", client_id=client_id).subscriptions)

    def open(self, request, timeout=None, wait=True):
        """The bare call of a subscription: nothing is read before the caller iterates."""
        return self._calls["Subscribe"](request, timeout=timeout, wait_for_ready=wait,
                                        metadata=self.metadata)

    def watch(self, *selections, **kw):
        return Stream(self, request_for(selections, **kw))


class Stream:
    """A subscription read by a thread of its own, for tests that look at single messages."""

    END = object()

    def __init__(self, client, request):
        self._queue = queue.Queue()
        self._held = []      # events of a message not yet taken
        self.messages = []   # all of them
        self.position = b""
        self.error = None    # the WatchError at the end, or None after OK
        self.call = client.open(request)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for message in self.call:
                self._queue.put(message)
        except grpc.RpcError as err:
            self.error = WatchError(err)
        self._queue.put(self.END)

    def message(self, timeout=10):
        """The next message, or None at the end. Raises Silence."""
        try:
            message = self._queue.get(timeout=timeout)
        except queue.Empty:
            raise Silence(f"nothing came within {timeout} s") from None
        if message is self.END:
            self._queue.put(self.END)
            return None
        self.messages.append(message)
        self.position = message.position
        return message

    def started(self, timeout=10):
        message = self.message(timeout)
        assert message is not None, f"ended at once: {self.error}"
        assert message.WhichOneof("signal") == "started", f"first message is {message}"
        return message.started

    def next(self, timeout=10):
        """The next item, one by one: an Event, a Synced, a Bookmark, a Started; None at the end."""
        while not self._held:
            message = self.message(timeout)
            if message is None:
                return None
            signal = message.WhichOneof("signal")
            assert not (signal and message.events), "a signal and events in one message"
            self._held = [getattr(message, signal)] if signal else list(message.events)
        return self._held.pop(0)

    def event(self, timeout=10):
        """The next event; other signals but SYNCED are passed over."""
        while True:
            item = self.next(timeout)
            if item is None:
                raise AssertionError(f"ended: {self.error}")
            if isinstance(item, pb.Event):
                return item
            if isinstance(item, pb.Synced):
                raise AssertionError("SYNCED, not an event")

    def until_synced(self, timeout=10):
        """The events of the snapshot and its version."""
        events = []
        while True:
            item = self.next(timeout)
            if item is None:
                raise AssertionError(f"ended: {self.error}")
            if isinstance(item, pb.Event):
                events.append(item)
            elif isinstance(item, pb.Synced):
                return events, item.resource_version

    def until_end(self, timeout=10):
        """Everything up to the end, which must come in time: (items, WatchError or None)."""
        items = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            item = self.next(timeout)
            if item is None:
                return items, self.error
            items.append(item)
        raise AssertionError(f"it goes on and on: {len(items)} items in {timeout} s")

    def silent(self, seconds):
        """No event within that time; bookmarks may come."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return
            try:
                item = self.next(left)
            except Silence:
                return
            assert item is not None, f"ended: {self.error}"
            assert not isinstance(item, (pb.Event, pb.Synced)), f"unexpected: {item}"

    def cancel(self):
        self.call.cancel()
        self._thread.join(10)

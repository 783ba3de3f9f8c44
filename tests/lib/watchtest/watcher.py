# SPDX-License-Identifier: Apache-2.0
"""Watchers that follow for the whole of a test, resume by themselves, and record what they were sent;
and the check of such a record against a timeline."""
import json
import threading
import time

import grpc

from .api import Client, WatchError, request_for
from .server import SLOW
from .timeline import ADDED, DELETED, MODIFIED, Mismatch, key_of

__all__ = ["Watcher", "Record", "check_record", "record_of_lines"]

TYPES = {1: ADDED, 2: MODIFIED, 3: DELETED}
FINAL = ("EXPIRED", "FUTURE", "FOREIGN", "UNSUBSCRIBED", "INVALID")


class Record:
    """What a watch was sent, over all its streams: ("event", type, rv, key, json, cause, previous),
    ("synced", rv), ("bookmark", rv), ("cut", reason)."""

    def __init__(self):
        self.items = []
        self.rv = 0          # everything at or below it was sent, by bookmarks too
        self.synced = None

    def event(self, kind, rv, key, text, cause=None, previous=None):
        self.items.append(("event", kind, rv, key, text, cause, previous))
        if self.synced is not None:
            self.rv = max(self.rv, rv)

    def take_synced(self, rv):
        self.items.append(("synced", rv))
        self.synced = rv
        self.rv = max(self.rv, rv)

    def take_bookmark(self, rv):
        self.items.append(("bookmark", rv))
        self.rv = max(self.rv, rv)

    def events(self):
        return [item[1:] for item in self.items if item[0] == "event"]

    def cuts(self):
        return sum(item[0] == "cut" for item in self.items)


class Watcher(threading.Thread):
    """A client of the API. start: as request_for takes it; after that it resumes by position."""

    def __init__(self, t, target, *sels, start="snapshot", previous=False, bookmark_ms=200,
                 client_id="", name=""):
        super().__init__(daemon=True)
        self.sels, self.previous = list(sels), previous
        self.start_at, self.bookmark_ms, self.client_id = start, bookmark_ms, client_id
        self.label = name or " + ".join(map(repr, sels))
        self.record = Record()
        if start != "snapshot":
            # Without a snapshot the stream is in order from its first event.
            self.record.synced = start if isinstance(start, int) else 0
        self.position = None
        self.final = None      # the WatchError that ended it for good
        self.mid_snapshot = 0  # streams cut within a snapshot
        self.started = []      # Started messages
        self.begun_in_snapshot = False
        self.client = Client(target)
        self._call = None
        self._stopping = threading.Event()
        t.cleanup(self.stop)
        self.start()

    def run(self):
        while not self._stopping.is_set():
            request = request_for(self.sels, self.start_at if self.position is None
                                  else self.position, self.previous, self.bookmark_ms,
                                  client_id=self.client_id)
            try:
                self._call = self.client.open(request)
                for message in self._call:
                    self.take(message)
                reason = "OK"
            except grpc.RpcError as rpc:
                err = WatchError(rpc)
                reason = err.reason or err.code
                if reason in FINAL or err.code in ("INVALID_ARGUMENT", "OUT_OF_RANGE", "DATA_LOSS"):
                    if not self._stopping.is_set():
                        self.final = err
                    return
            except Exception as err:
                self.final = err
                raise  # fails the test, also where nobody asks how this watcher ended
            if self.record.synced is None and self.record.items:
                self.mid_snapshot += 1
            self.record.items.append(("cut", reason))
            time.sleep(0.005)

    def take(self, message):
        signal = message.WhichOneof("signal")
        record = self.record
        if signal == "started":
            self.started.append(message.started)
        elif signal == "synced":
            record.take_synced(message.synced.resource_version)
        elif signal == "bookmark":
            record.take_bookmark(message.bookmark.resource_version)
        for event in message.events:
            previous = None
            if self.previous:
                previous = event.previous.json if event.HasField("previous") else ""
            obj = event.object
            if obj.resource_version == 0:
                raise Mismatch(f"an event without a version: {event}")
            record.event(TYPES[event.type], obj.resource_version, key_of(obj), obj.json,
                         event.cause, previous)
        if not message.position:
            raise Mismatch(f"a response without a position: {message}")
        self.position = message.position

    def wait_rv(self, rv, timeout=30):
        """Until everything at or below a version was sent."""
        end = time.monotonic() + timeout * SLOW
        while self.record.rv < rv:
            if self.final is not None:
                raise AssertionError(f"{self.label} ended: {self.final}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.label} stands at {self.record.rv}, not {rv}; "
                                     f"last: {self.record.items[-3:]}")
            time.sleep(0.005)
        if self.final is not None:
            raise AssertionError(f"{self.label} ended: {self.final}")

    def stop(self):
        self._stopping.set()
        while self.is_alive():
            if self._call is not None:
                self._call.cancel()
            self.join(0.05)
        self.client.close()

    def check(self, timeline):
        check_record(self.record, self.sels, timeline, self.label, self.previous,
                     self.start_at if isinstance(self.start_at, int) else
                     timeline.base if self.start_at == "oldest" else None)


def record_of_lines(lines, since=None):
    """The record of a `watchctl watch -o json`; without --since it needs --bookmarks, for SYNCED."""
    record = Record()
    record.synced = since
    for line in lines:
        kind, obj = line["type"], line["object"]
        rv = int(obj["metadata"]["resourceVersion"])
        if kind == "SYNCED":
            record.take_synced(rv)
        elif kind == "BOOKMARK":
            record.take_bookmark(rv)
        else:
            meta = obj["metadata"]
            record.event(kind, rv, (line["resource"], meta["namespace"], meta["name"]), obj)
    return record


def same(got, want):
    """Two documents: text or already parsed; equal texts need no parsing."""
    if got == want:
        return True
    got = json.loads(got) if isinstance(got, str) else got
    want = json.loads(want) if isinstance(want, str) else want
    return got == want


def check_record(record, sels, timeline, label, previous=False, since=None):
    """Every matching event once, in order, with the right type, content, cause and previous; the snapshot
    equal to the state at its version; bookmarks never ahead of what was sent. since: None for a watch
    which began with a snapshot."""
    items = [item for item in record.items if item[0] != "cut"]
    events, synced_at = [], None
    bookmark = 0
    for item in items:
        if item[0] == "synced":
            if since is not None or synced_at is not None:
                raise Mismatch(f"{label}: an unexpected SYNCED({item[1]})")
            synced_at, since_rv = len(events), item[1]
        elif item[0] == "bookmark":
            if since is None and synced_at is None:
                raise Mismatch(f"{label}: a bookmark within the snapshot")
            if item[1] < bookmark:
                raise Mismatch(f"{label}: bookmarks go back from {bookmark} to {item[1]}")
            last = events[-1][1] if len(events) > (synced_at or 0) else 0
            if item[1] < last:
                raise Mismatch(f"{label}: bookmark {item[1]} after event {last}")
            bookmark = item[1]
        else:
            if item[2] <= bookmark and (since is not None or synced_at is not None):
                raise Mismatch(f"{label}: event {item[2]} after bookmark {bookmark}")
            events.append(item[1:])
    if since is None:
        if synced_at is None:
            raise Mismatch(f"{label}: no SYNCED among {len(items)} messages")
        want = timeline.snapshot(sels, since_rv)
        compare(label + f", snapshot at {since_rv}", events[:synced_at], want, False)
        events = events[synced_at:]
    else:
        since_rv = since
    upto = max([record.rv, since_rv] + [event[1] for event in events[-1:]])
    if upto > timeline.head:
        raise Mismatch(f"{label}: was told of version {upto}, but the head is {timeline.head}")
    compare(label, events, timeline.suffix(sels, since_rv, upto), previous)


def compare(label, got, want, previous):
    for i, (kind, rv, key, text, cause, before) in enumerate(want):
        if i >= len(got):
            raise Mismatch(f"{label}: {len(want) - i} events are missing, the first is {kind} {key} "
                           f"at {rv}; it got {len(got)} of {len(want)}")
        have = got[i]
        if have[:3] != (kind, rv, key):
            raise Mismatch(f"{label}: event {i} is {have[0]} {have[2]} at {have[1]}, not {kind} {key} "
                           f"at {rv}")
        if not same(have[3], text):
            raise Mismatch(f"{label}: {kind} {key} at {rv} shows {have[3]}, not {text}")
        if have[4] is not None and have[4] != cause:
            raise Mismatch(f"{label}: {kind} {key} at {rv} has cause {have[4]}, not {cause}")
        if previous and not same(have[5] or "null", before or "null"):
            raise Mismatch(f"{label}: {kind} {key} at {rv} has previous {have[5]}, not {before}")
    if len(got) > len(want):
        extra = got[len(want)]
        raise Mismatch(f"{label}: {len(got) - len(want)} events too many, the first is {extra[0]} "
                       f"{extra[2]} at {extra[1]}")

# SPDX-License-Identifier: Apache-2.0
"""Writers and their journal: the oracle.

Each writer owns its keys and has at most one unanswered write per key; each value is unique. An entry
is `acked` (it happened, at this version), `no` (it certainly did not), or `maybe`: the answer was
lost. A maybe happened at most once, after the entry before it and before the entry behind it of the
same key; nothing else may be said of it.
"""
import os
import threading
import time

from .api import WatchError, dumps, pb

__all__ = ["Entry", "Journal", "Writer", "COLORS", "start_writers", "keys_for"]

COLORS = ("red", "green", "blue", "")


class Entry:
    __slots__ = ("key", "op", "value", "labels", "pad", "state", "rv", "result")

    def __init__(self, key, op, value=None, labels=None, pad=0):
        self.key = key          # (resource, namespace, name)
        self.op = op            # "put" or "delete"
        self.value = value      # unique
        self.labels = labels    # of the object, {} for none
        self.pad = pad          # bytes of padding in the spec
        self.state = "maybe"
        self.rv = 0             # of an acked write
        self.result = 0

    def spec(self):
        return {"value": self.value, "pad": "x" * self.pad}

    def document(self):
        metadata = {"labels": self.labels} if self.labels else {}
        return {"metadata": metadata, "spec": self.spec()}

    def __repr__(self):
        return f"<{self.op} {'/'.join(self.key)} {self.value} {self.state} rv={self.rv}>"


class Journal:
    def __init__(self):
        self.lock = threading.Lock()
        self.keys = {}       # key -> [Entry], in the order of sending
        self.acked = 0
        self.maybes = 0      # answers that were lost and never learnt

    def sent(self, entry):
        """Before the request leaves."""
        with self.lock:
            self.keys.setdefault(entry.key, []).append(entry)

    def known(self, entry, state, rv=0, result=0):
        entry.state, entry.rv, entry.result = state, rv, result
        with self.lock:
            self.acked += state == "acked"

    def entries(self):
        return [entry for entries in self.keys.values() for entry in entries]


def keys_for(writer, n, resources=("objects", "jobs"), namespaces=("default", "blue")):
    """n keys nobody else owns, spread over resources and namespaces."""
    return [(resources[i % len(resources)], namespaces[(i // len(resources)) % len(namespaces)],
             f"w{writer}-{i}") for i in range(n)]


class Writer(threading.Thread):
    """Writes at full speed until stop(). Lost answers: half of them are asked for again with the same
    request id until they are known, the others stay maybe."""

    def __init__(self, journal, client, keys, rng, pads=(0, 100, 700), pause=0, deletes=0.15,
                 name=""):
        super().__init__(daemon=True)
        self.journal, self.client, self.keys, self.rng = journal, client, keys, rng
        self.pads, self.pause, self.deletes = pads, pause, deletes
        self.label = name or keys[0][2]
        self.count = 0
        self.error = None
        self._stop_event = threading.Event()

    def run(self):
        try:
            while not self._stop_event.is_set():
                self.write()
                if self.pause:
                    time.sleep(self.pause)
        except Exception as err:
            self.error = err
            raise  # fails the test, also where nobody asks how this writer ended

    def stop(self):
        self._stop_event.set()

    def done(self, timeout=60):
        self.stop()
        self.join(timeout)
        assert not self.is_alive(), f"writer {self.label} hangs"
        if self.error:
            raise self.error

    def write(self, key=None, labels=None, op=None):
        """One write of a key of ours."""
        key = key or self.rng.choice(self.keys)
        self.count += 1
        if op == "delete" or (op is None and self.rng.random() < self.deletes):
            entry = Entry(key, "delete")
        else:
            if labels is None:
                color = self.rng.choice(COLORS)
                labels = {"color": color, "owner": self.label} if color else {}
            entry = Entry(key, "put", f"{self.label}.{self.count}", labels,
                          self.rng.choice(self.pads))
        self.journal.sent(entry)
        self._send(entry)
        return entry

    def _send(self, entry):
        request_id = os.urandom(16)
        again = self.rng.random() < 0.5
        while True:
            try:
                self._call(entry, request_id)
                return
            except WatchError as err:
                if err.code == "NOT_FOUND" and entry.op == "delete":
                    self.journal.known(entry, "no")
                    return
                if err.code not in ("UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED", "CANCELLED",
                                    "INTERNAL"):
                    raise
                if err.code == "INTERNAL" and "RST_STREAM" not in err.message:
                    raise
            if self._stop_event.is_set() or not again:
                with self.journal.lock:
                    self.journal.maybes += 1
                # The server is gone: no need to spin until it is back.
                time.sleep(0.002)
                return
            time.sleep(0.005)

    def _call(self, entry, request_id):
        resource, namespace, name = entry.key
        key = pb.Key(resource=resource, namespace=namespace, name=name)
        if entry.op == "delete":
            answer = self.client.call("Delete", key=key, request_id=request_id, timeout=20)
        else:
            answer = self.client.call("Put", key=key, json=dumps(entry.document()),
                                      request_id=request_id, timeout=20)
        assert answer.result in (1, 2, 4), f"{entry}: {answer}"
        assert answer.object.resource_version > 0, f"{entry}: {answer}"
        self.journal.known(entry, "acked", answer.object.resource_version, answer.result)


def start_writers(t, journal, client_of, n, keys_each=5, **kw):
    """n running writers; client_of() makes a client for each."""
    import random
    writers = [Writer(journal, client_of(), keys_for(i, keys_each),
                      random.Random(t.random.random()), name=f"w{i}", **kw) for i in range(n)]
    for writer in writers:
        writer.start()
    return writers

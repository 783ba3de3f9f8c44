#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Over losses of power and files that fail, a transaction is there whole or not at all, and is if it was
acknowledged; and so is a time to live, which a heartbeat moves without an event."""
import json
import os
import threading
import time

from watchtest import *

LOST = ("UNAVAILABLE", "UNKNOWN", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "RESOURCE_EXHAUSTED")


def key(name):
    return pb.Key(resource="objects", namespace="default", name=name)


class Transactor(threading.Thread):
    """Transactions one after the other, repeated until they are answered: all of its objects get the same
    number, and a mark comes with an odd one and goes with an even one."""

    def __init__(self, t, server, label):
        super().__init__(daemon=True)
        self.label, self.names = label, [f"{label}-{k}" for k in "abcd"]
        self.client = server.client()
        self.sent = self.acked = 0
        self.repeated = 0
        self.error = None
        self._stopping = threading.Event()
        t.cleanup(self.stop)
        self.start()

    def run(self):
        try:
            while not self._stopping.is_set():
                self.sent += 1
                self.transact(self.sent)
        except Exception as err:
            self.error = err

    def transact(self, n):
        pad = "x" * (n * 37 % 900)
        ops = [pb.Operation(put=pb.PutRequest(key=key(name), json=dumps({"n": n, "pad": pad}), scope=2))
               for name in self.names]
        mark = key(f"{self.label}-mark")
        ops.insert(n % 5, pb.Operation(put=pb.PutRequest(key=mark, json="{}", scope=2, mode=1)) if n % 2
                   else pb.Operation(delete=pb.DeleteRequest(key=mark)))
        request = pb.TransactRequest(operations=ops, request_id=os.urandom(16))
        while True:
            try:
                self.client.call("Transact", request, timeout=20 * SLOW)
                self.acked = n
                return
            except WatchError as err:
                if err.code not in LOST:
                    raise
            if self._stopping.is_set():
                return
            self.repeated += 1
            time.sleep(0.01)

    def stop(self):
        self._stopping.set()
        self.join(60 * SLOW)

    def check(self, client):
        """At any time."""
        acked = self.acked
        _, objects = client.list("objects")
        sent = self.sent
        have = {o.name: json.loads(o.json)["spec"].get("n") for o in objects
                if o.name.rpartition("-")[0] == self.label}
        mark = have.pop(f"{self.label}-mark", "none") != "none"
        if not have and not mark and not acked:
            return
        numbers = set(have.values())
        assert sorted(have) == self.names and len(numbers) == 1, f"half a transaction: {have}"
        n = numbers.pop()
        eq(mark, n % 2 == 1, f"the mark at {n}")
        assert acked <= n <= sent, f"{self.label} is at {n}, {acked} was acknowledged, {sent} sent"
        if self.error:
            raise self.error


def check_events(client, transactors):
    """Of each transaction all events come in one message, one after the other, and only once."""
    head = client.head()
    stream = client.open(request_for([Sel("objects")], "oldest"), timeout=60 * SLOW)
    done = {x.label: 0 for x in transactors}
    for message in stream:
        seen = {}
        for event in message.events:
            o = event.object
            label = o.name.rpartition("-")[0]
            if label in done:
                n = json.loads(o.json)["spec"].get("n", 0)  # 0: the mark
                seen.setdefault(label, []).append((o.resource_version, o.name, n))
        for label, events in seen.items():
            assert len(events) % 5 == 0, f"half a transaction: {events}"
            for i in range(0, len(events), 5):
                one = events[i:i + 5]
                done[label] += 1
                eq([rv for rv, _, _ in one], list(range(one[0][0], one[0][0] + 5)), "versions")
                eq({n for _, _, n in one}, {0, done[label]}, f"numbers of {label}: {one}")
        if message.WhichOneof("signal") == "bookmark" or any(
                e.object.resource_version >= head for e in message.events):
            break
    stream.cancel()
    for x in transactors:
        assert done[x.label] >= x.acked, f"{x.label}: {done[x.label]} of {x.acked}"


class Deadlines:
    """Objects whose last acknowledged time to live is so long, or so short, that nothing else explains
    what becomes of them."""

    SHORT, LONG = 700, 3_600_000

    def __init__(self):
        self.n, self.stay, self.go = 0, set(), set()

    def round(self, client):
        """Each way once; an object whose last word was not acknowledged does not count."""
        self.n += 1
        kept, spared, short, both = (f"{what}-{self.n}" for what in ("kept", "spared", "short", "both"))
        steps = [
            ([kept], self.stay, [lambda: client.put(kept, {}, ttl_ms=self.SHORT),
                                 lambda: client.put(kept, {}, ttl_ms=self.LONG)]),
            ([spared], self.stay, [lambda: client.put(spared, {}, ttl_ms=self.SHORT),
                                   lambda: client.put(spared, {}, no_ttl=True)]),
            ([short], self.go, [lambda: client.put(short, {}, ttl_ms=self.LONG),
                                lambda: client.put(short, {}, ttl_ms=self.SHORT)]),
            ([f"{both}-1", f"{both}-2"], self.go, [lambda: client.call("Transact", pb.TransactRequest(
                operations=[pb.Operation(put=pb.PutRequest(key=key(f"{both}-{i}"), json="{}", scope=2,
                                                           ttl_ms=self.SHORT)) for i in (1, 2)]))]),
        ]
        for names, where, calls in steps:
            try:
                for call in calls:
                    call()
                where.update(names)
            except WatchError as err:
                if err.code not in LOST:
                    raise

    def check(self, client):
        def names():
            return {o.name for o in client.list("objects")[1]}

        wait_until("what was to expire is gone", lambda: not self.go & names(), 20)
        time.sleep(self.SHORT / 1000 * 2)
        eq(self.stay - names(), set(), "expired although their time to live was made longer")


def answers(client):
    try:
        return client.status(timeout=5 * SLOW)
    except WatchError as err:
        assert err.code in LOST, err
        return False


def work(t, server, rounds_n, fail):
    """fail(deadlines) is one round."""
    transactors = [Transactor(t, server, f"t{i}") for i in range(3)]
    deadlines, client = Deadlines(), server.client()
    for _ in range(rounds_n):
        time.sleep(t.random.uniform(0.02, 0.3) * SLOW)
        deadlines.round(client)
        fail(deadlines)
        wait_until("it answers", lambda: answers(client), 30)
        for transactor in transactors:
            transactor.check(client)
    for transactor in transactors:
        transactor.stop()
        transactor.check(client)
        assert transactor.acked > rounds_n, f"{transactor.label} came to {transactor.acked} only"
    check_events(client, transactors)
    deadlines.check(client)
    assert min(len(deadlines.stay), len(deadlines.go)) > rounds_n / 4
    t.note(f"{sum(x.acked for x in transactors)} transactions, {sum(x.repeated for x in transactors)} "
           f"repeated; {len(deadlines.stay)} objects stay, {len(deadlines.go)} went")
    assert any(x.repeated for x in transactors), "nothing ever failed: this shows nothing"
    return transactors, deadlines


@test
def over_losses_of_power(t):
    server = Server(t)
    die = PowerLoss(t, server, operations=2000)
    server.start()
    transactors, _ = work(t, server, rounds(20, long=300, short=5), lambda _: die())
    server.restart()
    for transactor in transactors:
        transactor.check(server.client())


@test
def over_files_that_fail(t):
    for fault, ops in (("ioerr", "write,sync"), ("fsync", "sync"), ("full", "write"), ("short", "write")):
        server = Server(t, name=fault)
        faults = Faults(t, server, fault, ops)
        server.start()
        client = server.client()

        def fail(deadlines):
            with faults:
                time.sleep(t.random.uniform(0.01, 0.15) * SLOW)
                try:
                    client.put("during", {"n": deadlines.n}, timeout=1)
                except WatchError as err:
                    assert err.code in LOST, err
            wait_until("it writes again", lambda: writes(client))

        t.note(fault)
        transactors, deadlines = work(t, server, rounds(8, long=60, short=3), fail)
        # What is in the file is what was said.
        server.restart()
        for transactor in transactors:
            transactor.check(server.client())
        deadlines.check(server.client())


def writes(client):
    try:
        client.put("after", {"t": time.monotonic()}, timeout=1)
        return True
    except WatchError as err:
        assert err.code in LOST, err
        return False


if __name__ == "__main__":
    main()

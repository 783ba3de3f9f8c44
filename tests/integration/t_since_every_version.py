#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every version from below the floor to above the head: EXPIRED, exactly the suffix, silence then live,
FUTURE. Before and after compaction, before and after a restart."""
import random

from watchtest import *

RED = Sel("all", labels="color=red", match=lambda labels: labels.get("color") == "red")
SELECTIONS = [[Sel("all")], [RED], [Sel("jobs", "blue"), Sel("objects", "default", "w0-0")]]


def refusal(server, start):
    """The status of a subscription that must be refused at once."""
    stream = server.client().watch(Sel("all"), start=start)
    items, error = stream.until_end(5)
    assert error is not None and not any(isinstance(i, pb.Event) for i in items), f"{start}: {items}"
    return error


def check_refusal(error, reason, requested, oldest, head):
    eq((error.code, error.reason), ("OUT_OF_RANGE", reason), error.message)
    eq(error.metadata, {"requested": str(requested), "oldest": str(oldest), "head": str(head)}, reason)


class Oracle:
    """What happened, as a watcher of everything saw it and the journal allows it."""

    def __init__(self, t, server):
        self.server, self.journal = server, Journal()
        self.full = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True, name="oracle")
        self.writer = Writer(self.journal, server.client(), keys_for(0, 6), random.Random(1), name="w0")

    def timeline(self):
        self.full.wait_rv(self.server.client().head())
        timeline = Timeline.from_events(self.full.record.events())
        timeline.check_journal(self.journal)
        return timeline

    def live(self):
        """One more change, which all selections see; its version."""
        return self.writer.write(("jobs", "blue", "w0-3"), {"color": "red"}, "put").rv


def every_version(t, server, oracle):
    """Holds the streams of all versions against the timeline, then those of one more change."""
    status = server.client().status()
    floor, head = status.floor, status.head
    for requested in range(max(0, floor - 3), floor):
        check_refusal(refusal(server, requested), "EXPIRED", requested, floor, head)
    for requested in (head + 1, head + 2, head + 1000, 2 ** 63, 2 ** 64 - 1):
        check_refusal(refusal(server, requested), "FUTURE", requested, floor, head)
    for sels in SELECTIONS:
        timeline = oracle.timeline()
        head = timeline.head
        watchers = [Watcher(t, server.unix, *sels, start=since, previous=True, bookmark_ms=100)
                    for since in range(floor, head + 1)]
        oldest = Watcher(t, server.unix, *sels, start="oldest", previous=True, bookmark_ms=100)
        for watcher in watchers + [oldest]:
            watcher.wait_rv(head)
        eq(watchers[-1].record.events(), [], "a watch since the head")
        for watcher in watchers:
            watcher.check(timeline)
        eq([e[1] for e in oldest.record.events()], [e[1] for e in timeline.suffix(sels, floor)],
           "a watch from the oldest")
        version = oracle.live()
        for watcher in watchers:
            watcher.wait_rv(version)
        timeline = oracle.timeline()
        for watcher in watchers:
            watcher.check(timeline)
            watcher.stop()
        oldest.stop()


@test
def every_version_gives_its_answer(t):
    server = Server(t).start()
    oracle = Oracle(t, server)
    for step in range(4):
        for _ in range(rounds(60, long=300, short=20)):
            oracle.writer.write()
        oracle.live()
        every_version(t, server, oracle)
        if step == 1:
            # The oracle's watcher resumes over the restart like everybody else.
            server.restart()
        status = server.client().status()
        floor, head = status.floor, status.head
        upto = {0: floor + 1, 1: (floor + head) // 2, 2: head - 1}.get(step, head)
        oracle.timeline()  # it has seen all that is compacted now
        answer = server.client().call("Compact", resource_version=upto)
        eq(answer.floor, min(upto, head - 1), f"floor after compaction to {upto} of {head}")
        eq(server.client().status().floor, answer.floor, "floor in status")
        every_version(t, server, oracle)
    server.restart()
    every_version(t, server, oracle)


@test
def an_empty_store_has_one_version(t):
    server = Server(t).start()
    status = server.client().status()
    eq(status.head, status.floor, "head and floor of a new store")
    stream = server.client().watch(Sel("all"), start=status.head, bookmark_ms=50)
    eq(stream.started().head, status.head)
    stream.silent(0.3)
    rv = server.client().put("first", {"a": 1}).object.resource_version
    eq(rv, status.head + 1, "the first version")
    eq(stream.event().object.resource_version, rv)
    check_refusal(refusal(server, rv + 1), "FUTURE", rv + 1, status.floor, rv)


@test
def a_compaction_beyond_the_head_is_refused(t):
    server = Server(t).start()
    client = server.client()
    rv = client.put("a", {"a": 1}).object.resource_version
    try:
        client.call("Compact", resource_version=rv + 1)
    except WatchError as err:
        eq((err.code, err.reason), ("OUT_OF_RANGE", "FUTURE"))
    else:
        raise AssertionError("compacted the future")
    eq(client.call("Compact", resource_version=0).floor, rv - 1, "the newest event stays")
    eq(client.call("Compact", resource_version=0).removed, 0, "a second compaction")


@test
def a_position_of_another_history_is_foreign(t):
    server = Server(t).start()
    other = Server(t, name="other").start()
    for s in (server, other):
        for i in range(5):
            s.client().put(f"a{i}", {"a": i})
    stream = server.client().watch(Sel("all"))
    stream.until_synced()
    position = stream.position
    error = refusal(other, position)
    eq((error.code, error.reason), ("OUT_OF_RANGE", "FOREIGN"), error.message)
    snapshot = server.client().watch(Sel("all"))
    snapshot.started()
    middle = snapshot.message().position
    error = refusal(other, middle)
    eq((error.code, error.reason), ("OUT_OF_RANGE", "FOREIGN"), error.message)
    for bad in (b"x", position[:-1], position + b"\0", b"\xff" * 40, position[:5]):
        error = refusal(server, bad)
        eq((error.code, error.fields), ("INVALID_ARGUMENT", ["resume"]), f"{bad!r}: {error.message}")


@test
def a_match_behind_many_others_comes_though_nothing_follows_it(t):
    """More is passed over than one look takes in; no commit and no bookmark comes to help."""
    server = Server(t, "--bookmark-interval", "60s").start()
    client = server.client()
    since = client.head()
    for i in range(300):
        client.put(f"n{i % 10}", {"i": i}, resource="others")
    wanted = client.put("wanted", {}, resource="jobs").object.resource_version
    stream = server.client().watch(Sel("jobs"), start=since)
    eq(stream.event(20).object.resource_version, wanted, "the one match")


@test
def replays_go_on_with_the_least_memory_for_clients(t):
    """What is read ahead is more than the limit; it must not keep everybody waiting."""
    server = Server(t, "--max-pinned-bytes", "64K").start()
    client = server.client()
    since = client.head()
    pad = "x" * 20_000
    versions = [client.put(f"n{i}", {"pad": pad}).object.resource_version for i in range(200)]
    server.stop()
    server.start()  # nothing is in memory
    streams = [server.client().watch(Sel("objects"), start=since) for _ in range(3)]
    for stream in streams:
        eq([stream.event(60).object.resource_version for _ in versions], versions, "all, in order")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Writers at full speed, watchers of many kinds, and a server that dies again and again.

Used by the tests of kill -9 and of power loss: they differ only in how the server dies."""
import time

from .cli import Cli, CliWatch
from .journal import Journal, Writer, start_writers
from .server import SLOW, Server, wait_until
from .timeline import Sel, Timeline
from .watcher import Watcher, check_record, record_of_lines

__all__ = ["Churn"]


def color(name):
    return Sel("all", labels=f"color={name}", match=lambda labels: labels.get("color") == name)


NOT_RED = Sel("all", labels="color notin (red)", match=lambda labels: labels.get("color") != "red")
PAIR = [Sel("jobs", "blue"),
        Sel("objects", labels="color=green", match=lambda labels: labels.get("color") == "green")]


class Follower:
    """A `watchctl watch` process and what it must show."""

    def __init__(self, t, cli, sel, since=None):
        self.sel, self.since = sel, since
        words = ["--since", since] if since is not None else ["--bookmarks"]
        self.watch = CliWatch(t, cli, *sel.words(), *words)

    def record(self):
        return record_of_lines(list(self.watch.lines), self.since)

    def check(self, timeline):
        """Waits for the last event it must show, then holds all against the timeline."""
        def last():
            record = self.record()
            if record.synced is None:
                return False
            want = timeline.suffix([self.sel], self.since if self.since is not None
                                   else record.synced)
            events = record.events()
            return not want or (events and events[-1][1] >= want[-1][1])

        try:
            wait_until(f"the last event of watchctl watch {self.sel}", last, 30, 0.2)
        except AssertionError:
            if self.watch.process.poll() is not None:
                raise AssertionError(f"watchctl watch {self.sel} ended with "
                                     f"{self.watch.process.poll()}: "
                                     f"{self.watch.notices[-5:]}") from None
            if self.record().synced is None:
                raise
        record = self.record()
        record.rv = timeline.head
        check_record(record, [self.sel], timeline, f"watchctl watch {self.sel}", False, self.since)


class Churn:
    def __init__(self, t, bulk=1500, writers=6, server=None):
        self.t = t
        self.server = server or Server(t)
        self.server.start()
        self.journal = Journal()
        self.client = self.server.client()
        self.snapshots = []     # watchers opened just before a death
        self.bulk(bulk)
        unix = self.server.unix
        self.full = Watcher(t, unix, Sel("all"), start="oldest", previous=True, name="everything")
        self.watchers = [
            self.full,
            Watcher(t, unix, Sel("objects", "default")),
            Watcher(t, self.server.address, color("red"), previous=True),
            Watcher(t, unix, Sel("objects", "default", "w0-0"), bookmark_ms=50),
            Watcher(t, self.server.address, *PAIR, previous=True),
            Watcher(t, unix, NOT_RED, start=0, bookmark_ms=1000),
        ]
        cli, tcp = Cli(unix), Cli(self.server.address)
        self.followers = [Follower(t, cli, Sel("all")), Follower(t, tcp, color("red"), 0),
                          Follower(t, cli, Sel("objects", "default", "w0-0"), 0)]
        self.writers = start_writers(t, self.journal, self.server.client, writers)

    def bulk(self, n):
        """Objects enough for snapshots to take a while, put through the journal like all others."""
        keys = [("bulk", "default", f"b{i:05}") for i in range(n)]
        writers = [Writer(self.journal, self.server.client(), keys[i::8], self.t.random,
                          pads=(900,), name=f"bulk{i}") for i in range(8)]

        def load(writer):
            for key in writer.keys:
                writer.write(key, {}, "put")

        import threading
        threads = [threading.Thread(target=load, args=(w,), daemon=True) for w in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run(self, rounds, die):
        """die() ends the server, and it is started again, at a random moment of each round."""
        rng = self.t.random
        for i in range(rounds):
            if i % 3 == 0:
                # Its snapshot is long, and the end comes while it is under way.
                self.snapshots.append(Watcher(self.t, self.server.unix, Sel("all"),
                                              name=f"snapshot of round {i}"))
                time.sleep(rng.uniform(0.001, 0.08) * SLOW)
            else:
                time.sleep(rng.choice((rng.uniform(0, 0.05), rng.uniform(0.05, 0.4))) * SLOW)
            die()
            for writer in self.writers:
                if writer.error:
                    raise writer.error
            if len(self.snapshots) > 12:
                self.retire()

    def retire(self):
        """Old snapshot watchers are checked at the end; their streams need not go on for ever."""
        for watcher in self.snapshots[:-4]:
            if watcher.is_alive() and watcher.record.synced is not None:
                watcher.stop()

    def finish(self):
        """Stops the writers, lets everyone catch up, and checks all of it."""
        for writer in self.writers:
            writer.done()
        head = self.client.call("Status", timeout=20, wait=True).head
        for watcher in self.watchers + [w for w in self.snapshots if w.is_alive()]:
            watcher.wait_rv(head)
        timeline = Timeline.from_events(self.full.record.events())
        if timeline.head != head:
            raise AssertionError(f"the head is {head}, the last event is {timeline.head}")
        timeline.check_journal(self.journal)
        for watcher in self.watchers + self.snapshots:
            if watcher.final:
                raise AssertionError(f"{watcher.label} ended: {watcher.final}")
            if watcher.record.synced is not None:
                watcher.check(timeline)
        for follower in self.followers:
            follower.check(timeline)
        self.check_store(timeline, head)
        return timeline

    def check_store(self, timeline, head):
        version, objects = self.client.list(Sel("all"), limit=500)
        states = timeline.states(head)
        want = [(key, state.rv, state.json) for key, state in sorted(states.items())]
        got = [((o.resource, o.namespace, o.name), o.resource_version, o.json) for o in objects]
        if (version, got) != (head, want):
            raise AssertionError(f"the list at {version} has {len(got)} objects, not the {len(want)} "
                                 f"at {head}, or they differ")
        fresh = Watcher(self.t, self.server.unix, Sel("all"), start="oldest", previous=True,
                        name="replay from the disk")
        fresh.wait_rv(head)
        fresh.check(timeline)

    def report(self):
        cuts = sum(w.record.cuts() for w in self.watchers)
        middle = sum(w.mid_snapshot for w in self.snapshots)
        self.t.note(f"{self.server.kills} deaths, {self.journal.acked} acknowledged, "
                    f"{self.journal.maybes} unknown, {self.full.record.rv} versions, {cuts} streams "
                    f"cut, {middle} within a snapshot")
        return middle

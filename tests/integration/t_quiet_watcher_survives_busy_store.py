#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A watcher of one quiet name stays resumable while events of others pass by the hundred thousand and
are compacted: its bookmarks move along."""
import json
import random
import socket
import struct
import threading
import time

from watchtest import *

N = rounds(100_000, long=1_000_000, short=15_000)
KEEP = 5_000
CUT_N = rounds(20_000, long=400_000, short=10_000)


def load(t, cli, n, tag):
    """n changes of a thousand names, as fast as watchctl imports."""
    path = t.path(f"load-{tag}.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        for i in range(n):
            file.write(json.dumps({"op": "put", "resource": "objects", "namespace": "default",
                                   "name": f"busy-{i % 1000}", "object": {"spec": {"n": f"{tag}{i}"}}}))
            file.write("\n")
    begin = time.monotonic()
    done = cli.ok("import", path, timeout=600)
    t.note(f"{n} changes in {time.monotonic() - begin:.1f} s: {done.out.strip() or done.err.strip()}")


@test
def a_quiet_watcher_never_expires(t):
    server = Server(t, "--history-events", KEEP).start()
    cli = Cli(server.unix)
    client = server.client()
    client.put("quiet", {"n": 1})
    name = Sel("objects", "default", "quiet")
    label = Sel("all", labels="app=quiet", match=lambda labels: labels.get("app") == "quiet")
    streams = [client.watch(sel, bookmark_ms=500) for sel in (name, label, Sel("quiets", "default"))]
    for stream in streams:
        stream.until_synced()
    fast = CliWatch(t, cli, "objects/quiet", "--bookmarks")
    fast.wait_lines(2)
    begin = client.head()
    load(t, cli, N, "a")
    head = client.head()
    assert head >= begin + N, f"{head} after {N} changes"
    floor = wait_until("history is compacted", lambda: (
        client.status().floor >= head - 2 * KEEP and client.status().floor), 60)
    for stream in streams:
        bookmarks, end = 0, time.monotonic() + 30 * SLOW
        while True:
            item = stream.next(20 * SLOW)
            assert time.monotonic() < end, f"bookmarks stand still at {item.resource_version}"
            assert isinstance(item, pb.Bookmark), f"a quiet watcher got {item}; {stream.error}"
            bookmarks += 1
            if item.resource_version >= head:
                break
        assert bookmarks >= 2, "bookmarks did not move while the store was busy"
        eq([m for m in stream.messages if m.events][1:], [], "events of others")

    # The positions are those of the bookmarks, so all resume, also after the server was killed.
    positions = [stream.position for stream in streams]
    wait_until("watchctl has a bookmark that is still kept", lambda: any(
        line["type"] == "BOOKMARK" and int(line["object"]["metadata"]["resourceVersion"]) >= head
        for line in fast.lines), 90)
    server.restart()
    client = server.client()
    again = [client.watch(sel, start=position, bookmark_ms=500)
             for sel, position in zip((name, label, Sel("quiets", "default")), positions)]
    for stream in again:
        stream.started()
    client.put("quiet", {"metadata": {"labels": {"app": "quiet"}}, "spec": {"n": 2}})
    client.put("quiet", {"n": 3}, resource="quiets")
    eq([stream.event().object.name for stream in again], ["quiet"] * 3)
    wait_until("watchctl shows the change", lambda: any(
        line["type"] == "MODIFIED" for line in fast.lines), 30)
    eq(fast.process.poll(), None, "watchctl's exit")
    _, error = client.watch(name, start=begin).until_end()
    eq(error.reason, "EXPIRED", "while a bare version of long ago is gone")
    assert int(error.metadata["oldest"]) >= floor


class Relay:
    """Connections to a server that can be reset all at once."""

    def __init__(self, t, server):
        self.target = server.unix_path
        self.pairs, self.lock = [], threading.Lock()
        self.listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self.listener.getsockname()[1]}"
        t.cleanup(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            with self.lock:
                self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pipe, args=(a, b), daemon=True).start()

    @staticmethod
    def _pipe(a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for near, far in pairs:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for s in (near, far):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                s.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


@test
def a_quiet_watch_that_is_cut_resumes_however_short_the_history(t):
    """The history is written anew many times between two of the bookmarks that come by the clock."""
    server = Server(t, "--history-events", 1000).start()
    client, relay = server.client(), Relay(t, server)
    client.put("quiet", {"n": 1})
    sels = [Sel("objects", "default", "quiet"), Sel("quiets", "default"),
            Sel("all", labels="app=quiet", match=lambda labels: labels.get("app") == "quiet")]
    watchers = [Watcher(t, target, sel, bookmark_ms=0)
                for sel in sels for target in (server.unix, relay.address)]
    shown = CliWatch(t, Cli(relay.address), "objects/quiet")
    shown.wait_lines(1)
    for watcher in watchers:
        watcher.wait_rv(client.head())
    begin = client.head()
    busy = threading.Thread(target=load, args=(t, Cli(server.unix), CUT_N, "a"), daemon=True)
    busy.start()
    cuts = 0
    while busy.is_alive():
        time.sleep(random.uniform(0, 0.1))
        if random.random() < 0.3:
            relay.cut()
        else:
            random.choice(watchers)._call.cancel()
        cuts += 1
    busy.join()
    head = client.head()
    assert head >= begin + CUT_N, f"{head} after {CUT_N} changes"
    wait_until("history is compacted", lambda: client.status().floor >= head - 2000, 30)
    client.put("quiet", {"metadata": {"labels": {"app": "quiet"}}, "spec": {"n": 2}})
    client.put("quiet", {"n": 3}, resource="quiets")
    for watcher in watchers:
        try:
            wait_until("it shows the change", lambda: watcher.final or any(
                e[1] > head for e in watcher.record.events()), 30)
        except AssertionError as err:
            raise AssertionError(f"{watcher.label}: {err}") from None
        assert watcher.final is None, f"{watcher.label}: {watcher.final}"
        eq(len([e for e in watcher.record.events() if e[1] > head]), 1, watcher.label)
    wait_until("watchctl shows the change", lambda: len(shown.lines) >= 2 or shown.process.poll(), 30)
    eq((shown.process.poll(), [line["type"] for line in shown.lines]), (None, ["ADDED", "MODIFIED"]),
       f"{shown.notices[-5:]}")
    t.note(f"{cuts} cuts, {sum(w.record.cuts() for w in watchers)} streams ended")


@test
def a_quiet_watch_resumes_after_a_restart_however_short_the_history(t):
    """The server that starts knows of no watch, yet leaves its clients the time to come back."""
    server = Server(t, "--history-events", 200).start()
    client = server.client()
    client.put("quiet", {"n": 1})
    load(t, Cli(server.unix), 1000, "before")
    stream = client.watch(Sel("objects", "default", "quiet"))
    stream.until_synced()
    for n in range(2, 12):
        server.kill()
        begin = time.monotonic()
        server.start()
        load(t, Cli(server.unix), 1000, "after")
        stream = server.client().watch(Sel("objects", "default", "quiet"), start=stream.position)
        try:
            stream.started()
            client.put("quiet", {"n": n}, wait=True)
            eq(stream.event().object.json.count(f'"n":{n}'), 1, "the change that it shows")
        except AssertionError:
            if time.monotonic() - begin < 2:
                raise
            t.note(f"too busy: {stream.error}")
            stream = server.client().watch(Sel("objects", "default", "quiet"))
            stream.until_synced()
            continue
        wait_until("the history is as short as it is to be", lambda: (
            client.status().history_events <= 225), 20)
        return
    raise AssertionError("the machine was too busy to see anything")


@test
def quiet_watches_get_no_more_bookmarks_than_they_need(t):
    server = Server(t, "--history-events", 1000, "--bookmark-interval", "1h").start()
    client = server.client()
    streams = [client.watch(Sel("objects", "default", f"quiet-{i}")) for i in range(20)]
    for stream in streams:
        stream.until_synced()
    cli = Cli(server.unix)
    load(t, cli, 700, "few")
    for stream in streams:
        stream.silent(0.2)
    load(t, cli, 9300, "many")
    head = client.head()
    for stream in streams:
        got = [stream.next(10 * SLOW)]
        while got[-1].resource_version < head - 1000:
            got.append(stream.next(10 * SLOW))
        assert all(isinstance(item, pb.Bookmark) for item in got), got
        assert len(got) <= 40, f"{len(got)} bookmarks for 10,000 changes of others"
    eq(client.call("Compact").floor, head - 1)
    for stream in streams:
        while stream.next(10 * SLOW).resource_version < head:
            pass
        stream.silent(0.1)


@test
def bookmarks_come_as_asked_for(t):
    server = Server(t, "--bookmark-interval", "1h").start()
    client = server.client()
    client.put("a", {"n": 1})
    often = client.watch("all", bookmark_ms=100)
    often.until_synced()
    begin = time.monotonic()
    for _ in range(10):
        assert isinstance(often.next(2 * SLOW), pb.Bookmark)
    took = time.monotonic() - begin
    assert 0.5 < took < 4 * SLOW, f"10 bookmarks in {took:.2f} s at one per 100 ms"
    default = client.watch("all")
    subscription = default.started().subscription_id
    default.until_synced()
    default.silent(1)
    eq([m.WhichOneof("signal") for m in default.messages], ["started", None, "synced"],
       "no bookmark unasked")
    client.call("RequestBookmark", subscription_id=subscription)
    eq(default.next(5 * SLOW).resource_version, client.head(), "a bookmark on request")
    try:
        client.call("RequestBookmark", subscription_id="none")
    except WatchError as err:
        eq(err.code, "NOT_FOUND")
    else:
        raise AssertionError("a bookmark for nobody")


@test
def bookmarks_come_in_an_empty_store(t):
    client = Server(t).start().client()
    often = client.watch("all", bookmark_ms=100)
    often.until_synced()
    for _ in range(3):
        eq(often.next(2 * SLOW).resource_version, 0)


@test
def bookmarks_come_by_themselves_while_others_write(t):
    server = Server(t, "--bookmark-interval", "300ms").start()
    client = server.client()
    quiet = client.watch(Sel("nothing"))
    quiet.until_synced()
    for _ in range(5):
        rv = client.put("a", {"t": time.monotonic()}).object.resource_version
        end = time.monotonic() + 10 * SLOW
        while quiet.next(5 * SLOW).resource_version < rv:
            assert time.monotonic() < end, "bookmarks stand still"


@test
def a_duration_ends_with_a_bookmark_and_ok(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", {"n": 1})
    begin = time.monotonic()
    items, error = client.watch("all", duration_ms=400).until_end(10 * SLOW)
    eq(error, None, "the status")
    assert 0.3 < time.monotonic() - begin < 3 * SLOW
    eq([type(i).__name__ for i in items], ["Started", "Event", "Synced", "Bookmark"])
    eq(items[-1].resource_version, client.head())


@test
def what_is_told_of_a_watch_that_no_write_concerned_is_as_of_the_present(t):
    client = Server(t).start().client()
    stream = client.watch(Sel("objects", "default", "quiet"), bookmark_ms=300)
    stream.until_synced()
    for i in range(20):
        client.put(f"other-{i}", {"n": i})
    head = client.head()
    eq([s.resource_version for s in client.subscriptions()], [head], "of the list of subscriptions")
    client.put("another", {"n": 1})
    head += 1
    for _ in range(2):  # one may have been on its way
        rv = stream.next().resource_version
    eq(rv, head, "of a bookmark by its timer")
    asked = client.watch(Sel("objects", "default", "quiet"), bookmark_ms=600_000)
    subscription = asked.started().subscription_id
    asked.until_synced()
    client.put("another", {"n": 2})
    client.call("RequestBookmark", subscription_id=subscription)
    eq(asked.next().resource_version, head + 1, "of a bookmark that was asked for")


if __name__ == "__main__":
    main()

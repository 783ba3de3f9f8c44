#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A watcher of one quiet name stays resumable while events of others pass by the hundred thousand and
are compacted: its bookmarks move along."""
import json
import time

from watchtest import *

N = rounds(100_000, long=1_000_000, short=15_000)
KEEP = 5_000


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


if __name__ == "__main__":
    main()

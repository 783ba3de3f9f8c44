#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, most started before the server, across restarts: each gets every event once."""
import threading
import time

from watchtest import *

N = rounds(100, long=400, short=25)


@test
def clients_started_before_the_server_follow_over_restarts(t):
    server = Server(t)
    server.start()      # to learn the port
    server.kill()
    watchers = [Watcher(t, server.unix if i % 2 else server.address, Sel("all"), bookmark_ms=500,
                        name=f"client {i}") for i in range(N)]
    cli = [CliWatch(t, Cli(server.address if i % 2 else server.unix), "all", "-A", "--bookmarks")
           for i in range(6)]
    time.sleep(0.7)
    eq([w.process.poll() for w in cli], [None] * 6, "watchctl waits for a server")
    server.start()
    journal = Journal()
    full = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True, name="oracle")
    writers = start_writers(t, journal, server.client, 2, pause=0.005)
    for _ in range(rounds(4, long=20, short=2)):
        time.sleep(1)
        server.restart()
    for writer in writers:
        writer.done()
    head = server.client().call("Status", timeout=30, wait=True).head
    for watcher in [full] + watchers:
        watcher.wait_rv(head, 60)
    timeline = Timeline.from_events(full.record.events())
    timeline.check_journal(journal)
    for watcher in watchers:
        watcher.check(timeline)
    for watch in cli:
        wait_until("watchctl has caught up", lambda: watch.lines and int(
            watch.lines[-1]["object"]["metadata"]["resourceVersion"]) >= head, 60)
        check_record(record_of_lines(watch.lines), [Sel("all")], timeline, "watchctl")
        assert watch.notices, "watchctl says on stderr that it reconnects"
    t.note(f"{N} clients, {head} versions, {server.kills - 1} restarts")


@test
def streams_share_a_connection(t):
    """A thousand streams over four connections, all of different selections."""
    server = Server(t).start()
    n = rounds(1000, long=4000, short=200)
    clients = [server.client() for _ in range(4)]
    calls = [clients[i % 4].open(request_for([Sel("objects", "default", f"o{i}")], "now"))
             for i in range(n)]
    for call in calls:
        eq(next(call).WhichOneof("signal"), "started")
    client = server.client()
    eq(client.status().watches, n)
    for i in range(n):
        client.put(f"o{i}", {"i": i})
    for i, call in enumerate(calls):
        events = []
        while not events:  # a bookmark may come first
            events = next(call).events
        eq([e.object.name for e in events], [f"o{i}"], "its own object only")
    begin = time.monotonic()
    for c in clients:
        c.close()
    wait_until("all are gone", lambda: client.status().watches == 0, 10)
    t.note(f"{n} streams gone {time.monotonic() - begin:.2f} s after their connections were closed")


@test
def the_limit_on_watches_is_told(t):
    server = Server(t, "--max-watches", 5).start()
    client = server.client()
    streams = [client.watch("all") for _ in range(5)]
    for stream in streams:
        stream.started()
    items, error = client.watch("all").until_end()
    eq((items, error.code, error.reason), ([], "RESOURCE_EXHAUSTED", "LIMIT"), error.message)
    streams[0].cancel()
    wait_until("there is room", lambda: client.status().watches == 4)
    client.watch("all").started()


@test
def connections_come_and_go(t):
    """Connections are opened and dropped from many threads at once while events flow; the server ends up
    as it was."""
    server = Server(t).start()
    client = server.client()
    client.put("a", {"n": 0})
    before = server.fds()
    stopping, failures, opened = threading.Event(), [], []

    def churn():
        try:
            while not stopping.is_set():
                c = server.client()
                stream = c.watch("all")
                stream.started(30 * SLOW)
                c.close()
                opened.append(1)
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=churn, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + rounds(4, long=60, short=3)
    n = 0
    while time.monotonic() < end:
        n += 1
        client.put("a", {"n": n})
    stopping.set()
    join_all(threads)
    assert not failures, failures[:3]
    wait_until("all watches are gone", lambda: client.status().watches == 0, 10)
    wait_until("all descriptors are closed", lambda: server.fds() <= before + 1, 10)
    t.note(f"{len(opened)} connections")


if __name__ == "__main__":
    main()

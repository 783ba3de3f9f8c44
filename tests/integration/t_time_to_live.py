#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An object with a time to live expires on the store's own clock: never early, also over kills of the
server, and late by a second and the time the server was down at most."""
import contextlib
import sqlite3
import threading
import time

from watchtest import *


@test
def expiry_is_an_ordinary_deletion_that_says_its_cause(t):
    client = Server(t).start().client()
    stream = client.watch("all", start="now")
    stream.started()
    began = time.monotonic()
    client.put("a", {"n": 1}, ttl_ms=700)
    eq(stream.event().type, 1)
    event = stream.event(timeout=10 * SLOW)
    took = time.monotonic() - began
    eq((event.type, event.cause, event.object.name, event.object.resource_version), (3, 4, "a", 2))
    assert 0.7 <= took <= 1.7 + SLOW, took
    client.put("a", {"n": 1}, ttl_ms=60000)
    client.patch("a", {}, no_ttl=True)
    eq(client.head(), 3)


@test
def heartbeats_keep_it_alive_without_a_version(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1}, ttl_ms=2000)
    for _ in range(8):
        time.sleep(0.3)  # far less than it may live, since the machine may be busy
        eq(client.put("a", {"n": 1}, ttl_ms=2000).result, 3)
    eq(client.head(), 1)
    wait_until("expiry", lambda: client.head() == 2, timeout=5 * SLOW)


@test
def bad_times_are_refused(t):
    client = Server(t).start().client()
    for fields, field in (({"ttl_ms": 1 << 62}, "ttl_ms"), ({"ttl_ms": 5, "no_ttl": True}, "no_ttl")):
        try:
            client.put("a", {}, **fields)
        except WatchError as err:
            eq((err.code, err.fields), ("INVALID_ARGUMENT", [field]))
        else:
            raise AssertionError("it was taken")
    eq(client.head(), 0)


@test
def never_early_and_hardly_late_over_kills(t):
    """Each object notes how long the server was up since its write; its expiry must find it older than
    its time to live, and not much older."""
    server = Server(t).start()
    client = server.client()
    up = [time.monotonic()]          # up[0]: since when; the sum of the times before in gone
    gone = [0.0]

    def running():
        return gone[0] + time.monotonic() - up[0]

    n = 120
    written, kills = {}, 0
    for i in range(n):
        ttl = t.random.randrange(300, 6000)
        written[f"o{i}"] = (running(), ttl / 1000)
        client.put(f"o{i}", {"i": i}, ttl_ms=ttl)
    stream = client.watch("all", start=0)  # the first ones may expire before the last are written
    stream.started()
    seen, causes = {}, set()
    deadline = time.monotonic() + 60 * SLOW
    next_kill = time.monotonic() + 0.7
    while len(seen) < n and time.monotonic() < deadline:
        try:
            event = stream.event(timeout=0.1)
            if event.type == 3:
                seen.setdefault(event.object.name, running())
                causes.add(event.cause)
        except Silence:
            pass
        if time.monotonic() > next_kill and kills < 4:
            server.kill()
            gone[0] += time.monotonic() - up[0]
            time.sleep(0.5)
            up[0] = time.monotonic()  # its clock runs before it listens
            server.start()
            kills += 1
            client = server.client()
            resume = client.watch("all", start=0)
            resume.started()
            stream = resume
            next_kill = time.monotonic() + 1.3
    eq((len(seen), causes), (n, {4}), "expired")
    for name, at in seen.items():
        began, ttl = written[name]
        assert at - began >= ttl - 0.001, f"{name} lived {at - began:.3f} s of {ttl:.3f} s"
    eq(client.head(), 2 * n, "each once")


@test
def kills_several_times_a_second_do_not_stop_the_clock(t):
    server = Server(t).start()
    began = time.monotonic()
    server.client().put("a", {"n": 1}, ttl_ms=1200)
    up = time.monotonic()
    ran = 0
    for _ in range(60):
        time.sleep(0.15 * SLOW)
        ran += time.monotonic() - up
        server.kill()
        up = time.monotonic()  # its clock runs before it listens
        server.start()
        if server.client().head() == 2:
            break
    assert time.monotonic() - began >= 1.2
    eq(server.client().head(), 2, f"expired after {ran:.1f} s")
    assert ran <= 3 * 1.2 * SLOW + 1, f"at least half of each run counts, but it ran {ran:.1f} s"
    t.note(f"ran {ran:.1f} s until 1.2 s had passed")


@test
def what_cannot_be_read_at_its_deadline_is_tried_again(t):
    server = Server(t).start()
    server.client().put("a", {"n": 1}, ttl_ms=300)
    server.client().put("b", {"n": 1}, ttl_ms=400)
    server.stop()

    def alter(old, new):
        with contextlib.closing(sqlite3.connect(server.db, timeout=10)) as db:
            db.execute("UPDATE events SET texts = cast(replace(texts, ?, ?) AS BLOB) WHERE rv = 1", (old, new))
            db.commit()

    alter('"n":1', '"n":7')
    server.start()
    client = server.client()
    wait_until("the other one expires", lambda: client.head() == 3, timeout=10 * SLOW)
    wait_until("it is told", lambda: "due to expire but cannot be read" in server.log(), timeout=10 * SLOW)
    time.sleep(1.5)
    eq((client.head(), server.log().count("cannot be read; it is tried")), (3, 1), "once, and it stays")
    alter('"n":7', '"n":1')
    wait_until("it expires, too", lambda: client.head() == 4, timeout=20 * SLOW)


@test
def finalizers_hold_it_and_the_history_says_who_marked_it(t):
    client = Server(t).start().client()
    stream = client.watch("all", start="now")
    stream.started()
    client.put("a", {"metadata": {"finalizers": ["x.io/y"]}, "spec": {}}, ttl_ms=200)
    stream.event()
    event = stream.event(timeout=10 * SLOW)
    eq((event.type, event.cause), (2, 7), "MODIFIED, expiring")
    client.patch("a", {"metadata": {"finalizers": None}}, field_manager="cleaner")
    event = stream.event()
    eq((event.type, event.cause), (3, 3), "DELETED, by a write")
    revisions = client.call("History", key=pb.Key(name="a")).revisions
    eq([(r.cause, r.field_manager) for r in revisions],
       [(3, "cleaner"), (7, "watchd:expiry"), (1, "unknown")])
    client.put("b", {}, ttl_ms=100)
    eq((stream.event().type, stream.event(timeout=10 * SLOW).cause), (1, 4))
    eq(client.call("History", key=pb.Key(name="b")).revisions[0].field_manager, "watchd:expiry")


@test
def thousands_at_once_do_not_hold_up_writers(t):
    client = Server(t).start().client()
    n = rounds(6000, short=1500)
    threads = []

    def fill(k):
        c = Client(client.target)
        for i in range(k, n, 8):
            c.put(f"o{i}", {"i": i}, ttl_ms=max(1, int((until - time.monotonic()) * 1000)))
        c.close()

    until = time.monotonic() + 6 * SLOW
    for k in range(8):
        threads.append(threading.Thread(target=fill, args=(k,), daemon=True))
        threads[-1].start()
    join_all(threads)
    slowest = 0
    for i in range(100000):
        began = time.monotonic()
        client.put("mine", {"i": i})
        slowest = max(slowest, time.monotonic() - began)
        if i % 50 == 0 and client.status().objects == 1:
            break
    eq(client.status().objects, 1)
    assert slowest < 1.0 * SLOW, slowest
    t.note(f"slowest write {slowest * 1000:.0f} ms")


@test
def watchctl_sets_and_removes_it(t):
    server = Server(t).start()
    cli, client = Cli(server.address), server.client()
    cli.ok("put", "a", "{}", "--ttl", "500ms")
    cli.ok("put", "b", "{}", "--ttl", "500ms")
    cli.ok("patch", "b", "{}", "--no-ttl")
    wait_until("expiry", lambda: client.head() == 3, timeout=5 * SLOW)
    time.sleep(0.3)
    eq([o.name for o in client.list()[1]], ["b"])
    eq(cli.ok("history", "a").out.splitlines()[1].split()[2:4], ["expired", "watchd:expiry"])
    eq(cli.run("put", "c", "{}", "--ttl", "5s", "--no-ttl").code, 2)
    eq(cli.run("put", "c", "{}", "--ttl", "0").code, 2, "what was computed to be nothing is not for ever")


if __name__ == "__main__":
    main()

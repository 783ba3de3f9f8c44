#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An object with a time to live expires on the store's own clock: never early, also over kills of the
server, and late by a second and the time the server was down at most."""
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
        except AssertionError:
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
    for thread in threads:
        thread.join(60 * SLOW)
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
    eq(cli.run("put", "c", "{}", "--ttl", "5s", "--no-ttl").code, 2)
    eq(cli.run("put", "c", "{}", "--ttl", "0").code, 2, "what was computed to be nothing is not for ever")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""History, file and memory stay within their limits under churn; the objects do not suffer."""
import json
import time

from watchtest import *


def churn(t, cli, n, names, pad, tag):
    path = t.path(f"churn-{tag}.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        for i in range(n):
            file.write(json.dumps({"op": "put", "resource": "objects", "namespace": "default",
                                   "name": f"o{i % names}", "object": {"spec": {"n": f"{tag}-{i}",
                                                                                "pad": "x" * pad}}}) + "\n")
    cli.ok("import", path, timeout=300)


@test
def the_number_of_events_is_bounded(t):
    keep = 2000
    server = Server(t, "--history-events", keep).start()
    cli, client = Cli(server.unix), server.client()
    sizes, memory = [], []
    for step in range(rounds(5, long=15, short=3)):
        churn(t, cli, 8000, 200, 500, step)
        status = wait_until("history is within its limit", lambda: (
            client.status().history_events <= keep * 1.3 and client.status()), 30)
        assert status.history_events >= keep * 0.5, f"only {status.history_events} events are kept"
        eq(status.objects, 200)
        sizes.append(server.file_bytes())
        memory.append(server.rss())
    t.note(f"file {[s // 1000 for s in sizes]} kB, resident {[m // 1_000_000 for m in memory]} MB")
    assert sizes[-1] < sizes[0] * 1.5 + 4_000_000, f"the file grows: {sizes}"
    status = client.status()
    stream = client.watch(Sel("all"), start=status.floor)
    stream.started()
    eq(stream.event().object.resource_version, status.floor + 1, "the floor can be resumed from")
    floor = status.floor
    server.restart()
    status = server.client().status()
    assert status.floor >= floor and status.history_events <= keep * 1.3
    _, objects = server.client().list("all")
    eq(len(objects), 200)


@test
def the_bytes_of_history_are_bounded(t):
    server = Server(t, "--history-bytes", "4M", "--log-bytes", "4M").start()
    client = server.client()
    memory = []
    for _ in range(rounds(4, long=12, short=3)):
        # Every change differs all over, so that differences save nothing.
        for i in range(150):
            client.put(f"o{i % 20}", {"pad": t.random.randbytes(20_000).hex()})
        wait_until("history is within its limit",
                   lambda: client.status().history_bytes <= 6_000_000, 30)
        memory.append(server.rss())
    size = server.file_bytes()
    status = client.status()
    t.note(f"history {status.history_bytes / 1e6:.1f} MB, file {size / 1e6:.1f} MB, resident "
           f"{[m // 1_000_000 for m in memory]} MB")
    assert size < 25_000_000, f"the file has {size} bytes"
    assert memory[-1] < memory[0] + 40_000_000 * SLOW, f"memory grows: {memory}"


@test
def created_and_deleted_objects_leave_nothing(t):
    server = Server(t, "--history-events", 1000).start()
    client = server.client()
    for i in range(rounds(3000, long=30_000, short=1500)):
        client.put(f"o{i}", {"i": i})
        client.delete(f"o{i}")
    wait_until("history is within its limit", lambda: client.status().history_events <= 1300, 30)
    eq(client.status().objects, 0)
    eq(client.list("all")[1], [])
    eq(client.watch("all").until_synced()[0], [])
    assert server.file_bytes() < 10_000_000


@test
def too_many_resources_are_refused(t):
    server = Server(t).start()
    client = server.client()
    limit = 1024
    for i in range(limit):
        client.put("x", {"n": 1}, resource=f"r{i}s")
    try:
        client.put("x", {"n": 1}, resource="onemores")
    except WatchError as err:
        eq((err.code, err.reason), ("RESOURCE_EXHAUSTED", "LIMIT"), err.message)
    else:
        raise AssertionError("resource 1,025 was taken")
    client.put("y", {"n": 1}, resource="r5s")
    eq(client.head(), limit + 1)


@test
def history_by_age_counts_running_time(t):
    began = time.monotonic()
    server = Server(t, "--history-age", "2s").start()
    client = server.client()

    def young(what, down=0):
        floor = client.status().floor
        if time.monotonic() - began - down < 1.9:  # on a busy machine they may be old already
            eq(floor, 0, what)
        else:
            t.note(f"too slow to see: {what}")

    for i in range(50):
        client.put("a", {"i": i})
    young("young events are kept")
    server.kill()
    time.sleep(2.5)
    server.start()
    client = server.client()
    young("time without the server does not count", down=2.5)
    wait_until("old events go", lambda: client.put("a", {"t": time.monotonic()}) and
               client.status().floor >= 40, 30, 0.2)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A server to which nothing happens uses next to no CPU and memory, and does not write."""
import os
import time

from watchtest import *


def written(server):
    with open(f"/proc/{server.pid}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("write_bytes"))


@test
def an_idle_server_sleeps(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", {"n": 1})
    streams = [client.open(request_for([Sel("objects", "default", f"o{i}")])) for i in range(200)]
    for stream in streams:
        next(stream), next(stream)
    time.sleep(2)
    cpu, disk, begin = server.cpu_s(), written(server), time.monotonic()
    time.sleep(rounds(4, long=20, short=3))
    used = (server.cpu_s() - cpu) / (time.monotonic() - begin)
    t.note(f"200 idle watches: {used * 100:.2f} % of a core, {server.rss() / 1e6:.0f} MB resident, "
           f"{len(os.listdir(f'/proc/{server.pid}/task'))} threads")
    assert used < 0.05 * SLOW, f"an idle server uses {used * 100:.1f} % of a core"
    assert written(server) - disk < 100_000, "an idle server writes"
    assert server.rss() < 120_000_000 * SLOW
    for stream in streams:
        stream.cancel()


if __name__ == "__main__":
    main()

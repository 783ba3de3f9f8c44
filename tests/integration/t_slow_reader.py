#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that does not read while 100 MB of events pass: others see no delay, the server's memory
stays flat, and on reading again it gets everything, or one honest EXPIRED."""
import signal
import threading
import time

from watchtest import *

SECONDS = rounds(10, long=30, short=5)
BYTES = rounds(100, long=200, short=30) * 1_000_000
PAD = 60_000
WARM = 50_000_000 // PAD  # changes after which the log in memory, SQLite's and the allocator's caches are full


class Latency:
    """put → event of another object, twenty times a second; the worst is kept."""

    def __init__(self, t, server):
        self.client, self.watch_client = server.client(), server.client()
        self.stream = self.watch_client.watch(Sel("pings"), start="now")
        self.stream.started()
        self.times, self.error = [], None
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        t.cleanup(self.stop)

    def _run(self):
        try:
            n = 0
            while not self._stop.is_set():
                begin = time.monotonic()
                self.client.put("ping", {"n": n}, resource="pings", timeout=30)
                self.stream.event(30)
                self.times.append(time.monotonic() - begin)
                n += 1
                time.sleep(0.05)
        except Exception as err:
            self.error = err

    def stop(self):
        self._stop.set()
        self.thread.join(40)
        if self.error:
            raise self.error
        return sorted(self.times)


def pour(server, n, first=0):
    """n changes of PAD bytes each; returns the versions."""
    client = server.client()
    pad = "x" * PAD
    return [client.put(f"big-{i % 50}", {"i": i, "pad": pad}).object.resource_version
            for i in range(first, first + n)]


@test
def a_client_that_does_not_read_harms_nobody(t):
    server = Server(t, "--log-bytes", "8M", "--keepalive-time", "2s", "--keepalive-timeout", "4s").start()
    client = server.client()
    n = BYTES // PAD
    pour(server, WARM)
    slow = [server.client() for _ in range(4)]
    calls = [c.open(request_for([Sel("objects")], "now", previous=i % 2 == 1, client_id=f"slow{i}"),
                    timeout=200 * SLOW)
             for i, c in enumerate(slow)]
    since = [next(call).started.head for call in calls]
    before = server.rss()
    latency = Latency(t, server)
    begin = time.monotonic()
    peak = before
    versions = []
    while len(versions) < n:
        versions += pour(server, 50, WARM + len(versions))
        peak = max(peak, server.rss())
    time.sleep(max(0, SECONDS - (time.monotonic() - begin)))
    peak = max(peak, server.rss())
    stalled = {s.client_id: s for s in client.subscriptions() if s.client_id.startswith("slow")}
    eq(sorted(stalled), [f"slow{i}" for i in range(4)], "they answer pings, so they are kept")
    assert all(s.stalled_ms > 1000 for s in stalled.values()), stalled
    times = latency.stop()
    t.note(f"{len(versions) * PAD / 1e6:.0f} MB while 4 clients slept: resident {before / 1e6:.0f} -> "
           f"{peak / 1e6:.0f} MB, put to event p50 {times[len(times) // 2] * 1e3:.1f} ms, "
           f"worst {times[-1] * 1e3:.1f} ms")
    # A sanitizer keeps freed memory for a while.
    assert peak - before < 32_000_000 * SLOW, f"memory grew from {before} to {peak}"
    assert times[-1] < 1 * SLOW, f"others waited {times[-1]:.2f} s"
    for i, (call, first) in enumerate(zip(calls, since)):
        got = []
        for message in call:
            got += [e.object.resource_version for e in message.events]
            if got and got[-1] >= versions[-1]:
                break
        want = [v for v in versions if v > first]
        eq(got, want, f"what sleeper {i} gets on waking up")
        call.cancel()


@test
def a_client_that_slept_too_long_is_told_so(t):
    server = Server(t, "--log-bytes", "4M", "--history-bytes", "6M").start()
    client = server.client()
    pour(server, 50)
    call = server.client().open(request_for([Sel("all")], "now"), timeout=40 * SLOW)
    next(call)
    n = rounds(600, short=300)
    versions = pour(server, n, 50)
    wait_until("compaction", lambda: client.status().floor > versions[n // 2], 30)
    got, error = [], None
    try:
        for message in call:
            got += [e.object.resource_version for e in message.events]
    except Exception as rpc:
        error = WatchError(rpc)
    eq(got, versions[:len(got)], "what came before the end, without a gap")
    eq((error.code, error.reason), ("OUT_OF_RANGE", "EXPIRED"), error.message)
    meta = {k: int(v) for k, v in error.metadata.items()}
    eq(meta["requested"], got[-1] if got else versions[0] - 1, "the version it would go on from")
    assert meta["requested"] < meta["oldest"] <= meta["head"], meta
    assert meta["head"] >= versions[-1]


@test
def a_watch_that_is_over_ends_though_nobody_reads(t):
    """Its client's own limit, some seconds for what is on its way, then it is cut off."""
    server = Server(t).start()
    client = server.client()
    call = server.client().open(request_for([Sel("objects")], "now", duration_ms=1000),
                                timeout=60 * SLOW)
    next(call)
    pour(server, 30_000_000 // PAD)
    time.sleep(1)
    eq(client.status().watches, 1, "it is over, and its end cannot be sent")
    wait_until("it has ended", lambda: client.status().watches == 0, 15)
    error = None
    try:
        for _ in call:
            pass
    except Exception as rpc:
        error = WatchError(rpc)
    eq(error.code, "RESOURCE_EXHAUSTED", error.message)  # cut off: without details
    assert error.message.startswith("TOO_SLOW"), error.message


@test
def a_stopped_client_is_cut_off_and_goes_on_later(t):
    server = Server(t, "--keepalive-time", "1s", "--keepalive-timeout", "1s").start()
    client = server.client()
    journal = Journal()
    writer = Writer(journal, client, keys_for(0, 5), t.random, pads=(2000,), name="w0")
    cli = Cli(server.address)
    watches = [CliWatch(t, cli, "all", "-A", "--since", 0),
               CliWatch(t, Cli(server.unix), "all", "-A", "--since", 0)]
    wait_until("both are listed", lambda: len(client.subscriptions()) == 2)
    for _ in range(50):
        writer.write()
    head = client.head()
    for watch in watches:
        wait_until("it follows", lambda: watch.lines and int(
            watch.lines[-1]["object"]["metadata"]["resourceVersion"]) == head)
        watch.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    wait_until("the stopped clients are cut off", lambda: not client.subscriptions(), 15, 0.1)
    t.note(f"cut off {time.monotonic() - begin:.1f} s after they were stopped (1 s + 1 s)")
    for _ in range(rounds(500, short=100)):
        writer.write()
    head = client.head()
    for watch in watches:
        watch.process.send_signal(signal.SIGCONT)
    full = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True)
    full.wait_rv(head)
    timeline = Timeline.from_events(full.record.events())
    timeline.check_journal(journal)
    for watch in watches:
        wait_until("it has caught up", lambda: int(
            watch.lines[-1]["object"]["metadata"]["resourceVersion"]) >= head, 30)
        record = record_of_lines(watch.lines, 0)
        check_record(record, [Sel("all")], timeline, "watchctl", False, 0)


if __name__ == "__main__":
    main()

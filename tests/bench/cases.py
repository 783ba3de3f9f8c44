# SPDX-License-Identifier: Apache-2.0
"""What is measured. A case is one row of the table: a function that starts a server of the given
kind and returns its figures. Sizes come from one of two tables, full or short."""
import dataclasses
import signal
import time
from typing import Callable

import machine

FULL = {
    "duration": "4s", "warmup": "1s",
    "put": [(1, 0), (16, 0), (128, 0), (1000, 0), (1000, 10)],
    "load": [500, 1000, 2000, 5000, 10000, 15000, 20000],
    "put_objects": 10_000,
    "fanout": [(n, conns, flight) for n in (100, 1000, 5000) for conns in (10, 100)
               for flight in (4, 64)],
    "latency": [(1, 1, 100), (100, 10, 100), (1000, 100, 20), (1000, 100, 50), (5000, 100, 4)],
    "latency_duration": "8s",
    "big": 1_000_000, "replays": [100_000, 1_000_000], "replay_limit": "30s",
    "beside": [0, 1, 10], "beside_duration": "10s",
    "idle": 10_000, "idle_duration": "65s",
    "list": 100_000,
    "scaling": [1_000, 10_000, 100_000, 1_000_000],
}
SHORT = {
    "duration": "1s", "warmup": "300ms",
    "put": [(1, 0), (128, 0), (1000, 10)],
    "load": [500, 2000],
    "put_objects": 1_000,
    "fanout": [(100, 10, 4), (1000, 10, 64)],
    "latency": [(1, 1, 100), (100, 10, 100)],
    "latency_duration": "1s",
    "big": 20_000, "replays": [10_000, 20_000], "replay_limit": "5s",
    "beside": [0, 1], "beside_duration": "2s",
    "idle": 1_000, "idle_duration": "2s",
    "list": 10_000,
    "scaling": [1_000, 10_000],
}

LONG = "600s"  # a limit for what only prepares


@dataclasses.dataclass
class Case:
    workload: str
    name: str
    body: Callable  # (bench, target) -> figures
    x: float = 0    # where a plot puts it
    series: str = ""


def thousands(n):
    return f"{n:,}".replace(",", " ")


def _measure(bench, server, workload, **options):
    quiet = bench.quiet(server)
    figures = server.drive(workload, **options)
    figures["before"] = quiet
    return figures


def put(size):
    def body(clients, conns):
        def run(bench, target):
            with bench.fresh(target) as s:
                s.drive("fill", objects=size["put_objects"], limit=LONG)
                return _measure(bench, s, "put", clients=clients, conns=conns, random=True,
                                objects=size["put_objects"], duration=size["duration"],
                                warmup=size["warmup"])
        return run
    for clients, conns in size["put"]:
        where = f"over {conns} connections" if conns else "a connection each"
        yield Case("put", f"{thousands(clients)} clients, {where}" if clients > 1 else "1 client",
                   body(clients, conns))


def load(size):
    def body(rate):
        def run(bench, target):
            with bench.fresh(target) as s:
                s.drive("fill", objects=size["put_objects"], limit=LONG)
                return _measure(bench, s, "put", clients=1000, conns=16, rate=rate, random=True,
                                objects=size["put_objects"], duration=size["duration"],
                                warmup=size["warmup"])
        return run
    for rate in size["load"]:
        yield Case("load", f"{thousands(rate)} puts/s", body(rate), rate)


def fanout(size):
    def body(watchers, conns, flight, streams=0):
        def run(bench, target):
            if streams and target != "etcd":
                return None
            with bench.fresh(target) as s:
                return _measure(bench, s, "fanout", watchers=watchers, watch_conns=conns,
                                streams=streams, clients=flight, conns=4,
                                duration=size["duration"], warmup=size["warmup"])
        return run
    for watchers, conns, flight in size["fanout"]:
        yield Case("fanout",
                   f"{thousands(watchers)} watchers over {conns} connections, {flight} in flight",
                   body(watchers, conns, flight), watchers,
                   f"{conns} connections, {flight} in flight")
    for watchers in dict.fromkeys(f[0] for f in size["fanout"]):
        yield Case("fanout",
                   f"{thousands(watchers)} watchers on 10 streams (etcd only), 4 in flight",
                   body(watchers, 10, 4, 10), watchers, "10 streams, 4 in flight")


def latency(size):
    def body(watchers, conns, rate):
        def run(bench, target):
            with bench.fresh(target) as s:
                return _measure(bench, s, "fanout", watchers=watchers, watch_conns=conns, rate=rate,
                                clients=256, conns=4, objects=4096, warmup=size["warmup"],
                                duration=size["latency_duration"])
        return run
    for watchers, conns, rate in size["latency"]:
        yield Case("latency",
                   f"{thousands(watchers)} watcher{'s' if watchers > 1 else ''} over {conns} "
                   f"connection{'s' if conns > 1 else ''}, {rate} puts/s",
                   body(watchers, conns, rate))


def unmatched(size):
    def body(watchers):
        def run(bench, target):
            with bench.fresh(target) as s:
                s.drive("fill", objects=size["put_objects"], limit=LONG)
                return _measure(bench, s, "put", clients=16, random=True, watchers=watchers,
                                others=True, watch_conns=100, objects=size["put_objects"],
                                duration=size["duration"], warmup=size["warmup"])
        return run
    for watchers in (0, size["idle"]):
        yield Case("unmatched", f"16 clients, {thousands(watchers)} watchers of other names",
                   body(watchers))


def idle(size):
    def body(streams):
        def run(bench, target):
            if streams and target != "etcd":
                return None
            with bench.fresh(target) as s:
                return _measure(bench, s, "idle", watchers=size["idle"], streams=streams,
                                others=True, watch_conns=100, duration=size["idle_duration"])
        return run
    n = thousands(size["idle"])
    yield Case("idle", f"{n} watches, a stream each, 100 connections", body(0))
    yield Case("idle", f"{n} watches on 100 streams (etcd only)", body(100))


def lists(size):
    def body(selector):
        def run(bench, target):
            if selector and target == "etcd":
                return None
            with bench.fresh(target) as s:
                s.drive("fill", objects=size["list"], limit=LONG)
                return _measure(bench, s, "list", selector=selector, duration=size["duration"],
                                limit=LONG)
        return run
    n = thousands(size["list"])
    yield Case("list", f"1 % of {n} objects, by a label selector (etcd has none)",
               body("app=a-17"))
    yield Case("list", f"all {n} objects", body(None))


def scaling(size):
    def body(objects):
        def run(bench, target):
            with bench.fresh(target) as s:
                s.drive("fill", objects=objects, limit=LONG)
                return _measure(bench, s, "put", clients=16, random=True, objects=objects,
                                duration=size["duration"], warmup=size["warmup"])
        return run
    for objects in size["scaling"]:
        yield Case("scaling", f"16 clients, {thousands(objects)} objects", body(objects), objects)


def replay(size):
    def body(events):
        def run(bench, target):
            with bench.big(target) as s:
                figures = _measure(bench, s, "replay", watchers=1, watch_conns=1, clients=0,
                                   events=events, limit=size["replay_limit"])
                figures["complete"] = figures["replays"]
                return figures
        return run
    for events in size["replays"]:
        yield Case("replay",
                   f"the first {thousands(events)} of {thousands(size['big'])} events, one watcher",
                   body(events), events)


def restart(size):
    def first_put(bench, s):
        bench.quiet_machine()
        s.start()
        figures = s.drive("first_put", begun=s.begun_ns, limit="300s")
        time.sleep(2)
        now = s.drive("status")
        figures["rss_settled"], figures["anon_settled"] = now["rss"], now["rss_anon"]
        return figures

    def warm(bench, target):
        with bench.big(target, started=False) as s:
            return first_put(bench, s)

    def cold(bench, target):
        with bench.big(target, started=False) as s:
            return first_put(bench, s) if machine.drop_caches() else None

    def killed(bench, target):
        with bench.big(target) as s:
            s.drive("put", clients=16, random=True, objects=size["big"], duration="2s",
                    warmup="100ms")
            s.stop(signal.SIGKILL)
            return first_put(bench, s)
    n = f"{thousands(size['big'])} objects and events"
    yield Case("restart", f"warm, {n}", warm)
    yield Case("restart", f"cold page cache, {n}", cold)
    yield Case("restart", f"after kill -9 under load, {n}", killed)


def disk(size):
    def once(bench, target):
        bench.big(target, started=False)
        return bench.big_figures[target]

    def again(bench, target):
        with bench.fresh(target) as s:
            s.drive("fill", objects=size["list"], limit=LONG)
            s.stop()
            before = s.disk_bytes()
            figures = s.start().wait_ready().drive("fill", objects=size["list"], limit=LONG)
            s.stop()
            figures["disk_per_event"] = (s.disk_bytes() - before) / figures["puts"]
            figures["rss_filled"] = figures["rss"]
            return figures
    yield Case("disk", f"{thousands(size['big'])} objects, each put once", once)
    yield Case("disk", f"{thousands(size['list'])} objects there, each put once more", again)


def replay_while_writing(size):
    def body(watchers):
        def run(bench, target):
            with bench.big(target) as s:
                return _measure(bench, s, "replay", watchers=watchers, watch_conns=watchers,
                                clients=16, random=True, objects=size["big"], events=size["big"],
                                duration=size["beside_duration"], warmup=size["warmup"])
        return run
    for watchers in size["beside"]:
        yield Case("replay_while_writing",
                   f"16 clients, {watchers} watcher{'' if watchers == 1 else 's'} replaying "
                   f"{thousands(size['big'])} events", body(watchers))


# The last ones share one big store; what writes into it comes last.
WORKLOADS = {
    "put": put, "load": load, "fanout": fanout, "latency": latency, "unmatched": unmatched,
    "idle": idle, "list": lists, "scaling": scaling, "disk": disk, "replay": replay,
    "restart": restart, "replay_while_writing": replay_while_writing,
}

# SPDX-License-Identifier: Apache-2.0
"""Runs workloads against the servers in turn; see run.sh."""
import argparse
import datetime
import json
import os
import shutil
import sys
import tempfile
import time

import cases
import machine
import plot
import servers
import table


class Bench:
    """The servers' data, in one temporary folder, and what was measured so far."""

    def __init__(self, size, folder, wait):
        self.size = size
        self.folder = folder
        self.wait = wait
        self.kinds = servers.available()
        self.big_servers, self.big_figures = {}, {}

    def fresh(self, target):
        """A server on an empty store, ready."""
        data = os.path.join(self.folder, f"{target}-fresh")
        shutil.rmtree(data, ignore_errors=True)
        server = self.kinds[target](data).start()
        try:
            return server.wait_ready()
        except BaseException:
            server.stop()
            raise

    def big(self, target, started=True):
        """The server of the big store, which is filled at first use."""
        if target not in self.big_servers:
            server = self.kinds[target](os.path.join(self.folder, f"{target}-big"))
            with server.start().wait_ready() as s:
                empty = s.disk_bytes()
                figures = s.drive("fill", objects=self.size["big"], limit=cases.LONG)
            # Stopped, so that a write-ahead log is as small as it gets.
            figures["disk_per_event"] = (server.disk_bytes() - empty) / figures["puts"]
            figures["rss_filled"] = figures["rss"]
            self.big_servers[target], self.big_figures[target] = server, figures
        server = self.big_servers[target]
        if started:
            try:
                server.start().wait_ready()
            except BaseException:
                server.stop()
                raise
        return server

    def quiet(self, server):
        return machine.wait_quiet(server.process.pid, self.wait)

    def quiet_machine(self):
        return machine.wait_quiet(os.getpid(), self.wait)


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(bench, chosen, targets, repeat):
    """One result for each case, target and repetition."""
    results = []
    for workload in chosen:
        for case in cases.WORKLOADS[workload](bench.size):
            for turn in range(repeat):
                # Who begins changes, so that neither always finds the other's traces.
                for target in targets if turn % 2 == 0 else reversed(targets):
                    result = {"workload": workload, "case": case.name, "x": case.x,
                              "series": case.series, "target": target, "turn": turn}
                    begun = time.monotonic()
                    try:
                        result["figures"] = case.body(bench, target)
                    except servers.DriverFailed as e:
                        result["failed"] = str(e)
                        say(f"{workload}: {case.name}: {target}: {e}")
                    if result.get("figures") is None and "failed" not in result:
                        continue
                    results.append(result)
                    say(f"{workload}: {case.name}: {target} "
                        f"({time.monotonic() - begun:.0f} s)")
    return results


def main():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Measures watchd and etcd side by side.",
        epilog="workloads: " + " ".join(cases.WORKLOADS))
    parser.add_argument("workload", nargs="*", help="default: all")
    parser.add_argument("--short", action="store_true", help="small sizes, once")
    parser.add_argument("--repeat", type=int, help="times each case is run (3; short: 1)")
    parser.add_argument("--only", choices=["watchd", "etcd"], help="one server only")
    parser.add_argument("--wait", type=float, default=60,
                        help="seconds to wait for a quiet machine before each run (60)")
    parser.add_argument("--out", default="build/bench", help="folder of the results")
    parser.add_argument("--table", metavar="FILE", help="only print the table of these results")
    args = parser.parse_args()

    if args.table:
        with open(args.table, encoding="utf-8") as f:
            print(table.markdown(json.load(f)))
        return 0
    unknown = [w for w in args.workload if w not in cases.WORKLOADS]
    if unknown:
        parser.error(f"no workload {unknown[0]}; there are {' '.join(cases.WORKLOADS)}")
    folder = tempfile.mkdtemp(prefix="watch-bench-")
    try:
        bench = Bench(cases.SHORT if args.short else cases.FULL, folder, args.wait)
        targets = [t for t in bench.kinds if args.only in (None, t)]
        if "etcd" not in bench.kinds:
            say("etcd is not installed (etcd-server): only watchd is measured")
        chosen = [w for w in cases.WORKLOADS if not args.workload or w in args.workload]
        report = {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": machine.describe(folder),
            "versions": {t: bench.kinds[t].version() for t in targets},
            "short": args.short,
            "results": measure(bench, chosen, targets,
                               args.repeat or (1 if args.short else 3)),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "results.json"), "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
    text = table.markdown(report)
    with open(os.path.join(args.out, "table.md"), "w", encoding="utf-8") as f:
        f.write(text + "\n")
    plot.write_all(report, args.out)
    print(text)
    return 1 if any("failed" in r for r in report["results"]) else 0


if __name__ == "__main__":
    sys.exit(main())

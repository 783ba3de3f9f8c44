# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown: a table for each workload, medians, watchd beside etcd with the ratio."""
import statistics

DISTURBED = 0.2   # cores that others used
SATURATED = 0.5   # cores that the driver used: perhaps it, not the server, was measured


def number(v):
    if v >= 1e6:
        return f"{v / 1e6:.2f} M"
    if v >= 1e4:
        return f"{v / 1e3:.1f} k"
    if v >= 100:
        return f"{v:.0f}"
    if v >= 10:
        return f"{v:.1f}"
    if v >= 0.1 or v == 0:
        return f"{v:.2f}"
    return f"{v:.4f}"


def size(v):
    for unit, n in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(v) >= n:
            return f"{v / n:.3g} {unit}" if v / n < 1000 else f"{v / n:.0f} {unit}"
    return f"{v:.0f} B"


# By workload: (figure, title, how it is shown).
COLUMNS = {
    "put": [("puts_per_s", "puts/s", number), ("put_p50_ms", "p50 ms", number),
            ("put_p99_ms", "p99 ms", number), ("server_us_per_put", "server µs CPU/put", number),
            ("written_per_put", "written/put", size), ("rss", "memory", size)],
    "fanout": [("events_per_s", "events/s", number),
               ("server_us_per_event", "server µs CPU/event", number),
               ("events_per_message", "events/message", number),
               ("puts_per_s", "puts/s", number), ("event_p99_ms", "put→event p99 ms", number),
               ("rss", "memory", size)],
    "latency": [("event_p50_ms", "put→event p50 ms", number),
                ("event_p99_ms", "put→event p99 ms", number),
                ("put_p99_ms", "put p99 ms", number), ("server_cpu", "server cores", number)],
    "idle": [("bytes_per_watch", "memory/watch", size), ("server_cpu", "server cores", number),
             ("open_per_s", "opened/s", number)],
    "list": [("list_p50_ms", "p50 ms", number), ("list_p99_ms", "p99 ms", number),
             ("server_ms_per_list", "server ms CPU", number), ("objects", "objects", number)],
    "disk": [("disk_per_event", "on disk/event", size), ("written_per_put", "written/put", size),
             ("puts_per_s", "puts/s", number), ("server_us_per_put", "server µs CPU/put", number),
             ("rss_filled", "memory then", size)],
    "replay": [("events_per_s", "events/s", number),
               ("server_us_per_event", "server µs CPU/event", number),
               ("complete", "to its end", number),
               ("rss_peak", "memory peak", size)],
    "restart": [("first_put_ms", "first put after ms", number),
                ("rss_settled", "memory then", size), ("anon_settled", "of it anonymous", size)],
    "replay_while_writing": [("puts_per_s", "puts/s", number), ("put_p99_ms", "put p99 ms", number),
                             ("events_per_s", "replayed events/s", number),
                             ("rss_peak", "memory peak", size)],
}
COLUMNS["load"] = COLUMNS["unmatched"] = COLUMNS["scaling"] = COLUMNS["put"]


def median(results, workload, case, target, figure):
    values = [r["figures"][figure] for r in results
              if r["workload"] == workload and r["case"] == case and r["target"] == target
              and figure in r.get("figures", {})]
    return statistics.median(values) if values else None


def cell(results, workload, case, targets, figure, show):
    values = [median(results, workload, case, t, figure) for t in targets]
    text = " / ".join("–" if v is None else show(v) for v in values)
    if len(values) == 2 and None not in values and values[1] > 0:
        text += f" ({values[0] / values[1]:.2f})"
    return text


def _rows(results, workload, targets):
    mine = [r for r in results if r["workload"] == workload]
    for case in dict.fromkeys(r["case"] for r in mine):
        runs = [r for r in mine if r["case"] == case]
        figures = [r["figures"] for r in runs if "figures" in r]
        marks = ""
        for target in targets:
            others = median(results, workload, case, target, "others")
            if others is not None and others > DISTURBED:
                marks = " ~"
        driver = max((f.get("driver_cpu", 0) for f in figures), default=0)
        if driver > SATURATED:
            marks += " !"
        cells = [cell(results, workload, case, targets, figure, show)
                 for figure, _, show in COLUMNS[workload]]
        shown = cell(results, workload, case, targets, "driver_cpu", number).split(" (")[0]
        yield [case + marks] + cells + [shown]
        for r in runs:
            if "failed" in r:
                yield [f"{case}: {r['target']} failed: {r['failed']}"] + [""] * (len(cells) + 1)


def markdown(report):
    results = report["results"]
    targets = list(report["versions"])
    lines = [f"{report['date']}. {report['machine']}. " +
             ", ".join(report["versions"].values()) + ".", ""]
    if report["short"]:
        lines += ["**Short form: sizes too small to compare.**", ""]
    lines += [f"Medians, {' / '.join(targets)}" +
              (" (ratio)" if len(targets) == 2 else "") +
              "; 512-byte objects; every put synced to disk on both. `~`: others used more than "
              f"{DISTURBED} cores meanwhile. `!`: the driver used more than {SATURATED} cores.", ""]
    for workload in dict.fromkeys(r["workload"] for r in results):
        titles = ["case"] + [c[1] for c in COLUMNS[workload]] + ["driver cores"]
        lines += [f"### {workload}", "", "| " + " | ".join(titles) + " |",
                  "|" + "---|" * len(titles)]
        lines += ["| " + " | ".join(row) + " |" for row in _rows(results, workload, targets)]
        lines.append("")
    return "\n".join(lines)

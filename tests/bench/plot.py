# SPDX-License-Identifier: Apache-2.0
"""Results as SVG: lines on two logarithmic axes."""
import html
import math
import os

import table

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 230, 40, 60
COLOURS = {"watchd": "#1f6fb4", "etcd": "#c8502d"}
DASHES = ["", "6 3", "2 3", "10 3 2 3", "14 4"]


def _ticks(low, high):
    """1, 2, 5 × 10^n between the two."""
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            v = digit * 10**exponent
            if low * 0.999 <= v <= high * 1.001:
                yield v


def _label(v):
    if v >= 1e6:
        return f"{v / 1e6:g} M"
    if v >= 1e3:
        return f"{v / 1e3:g} k"
    return f"{v:g}"


def chart(title, x_title, y_title, lines):
    """`lines`: (name, colour, dash, [(x, y)]); x and y above 0."""
    points = [p for line in lines for p in line[3]]
    if len({p[0] for p in points}) < 2:
        return None
    x0, x1 = min(p[0] for p in points), max(p[0] for p in points)
    y0, y1 = min(p[1] for p in points) / 1.3, max(p[1] for p in points) * 1.3

    def at(x, y):
        across = (math.log(x) - math.log(x0)) / (math.log(x1) - math.log(x0))
        up = (math.log(y) - math.log(y0)) / (math.log(y1) - math.log(y0))
        return (LEFT + across * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM))

    def text(x, y, words, anchor="middle", extra=""):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>'
                f"{html.escape(words)}</text>")

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12" fill="#222">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           text(LEFT, 22, title, "start", 'font-size="15" font-weight="bold"'),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, x_title),
           text(18, (TOP + HEIGHT - BOTTOM) / 2, y_title, "middle",
                f'transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.1f})"')]
    for v in sorted({p[0] for p in points}):
        x, y = at(v, y0)
        out.append(f'<path d="M{x:.1f} {TOP}V{y:.1f}" stroke="#ddd"/>' + text(x, y + 16, _label(v)))
    for v in _ticks(y0, y1):
        x, y = at(x0, v)
        out.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>' +
                   text(x - 6, y + 4, _label(v), "end"))
    for i, (name, colour, dash, line) in enumerate(lines):
        spots = [at(x, y) for x, y in sorted(line)]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        style = f'stroke="{colour}" stroke-width="2" fill="none" stroke-dasharray="{dash}"'
        out.append(f'<path d="{path}" {style}/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        y = TOP + 10 + 18 * i
        out.append(f'<path d="M{WIDTH - RIGHT + 12} {y}h28" {style}/>' +
                   text(WIDTH - RIGHT + 46, y + 4, name, "start"))
    return "\n".join(out + ["</svg>", ""])


def _line(results, workload, target, figure, series):
    chosen = {(r["case"], r["x"]) for r in results
              if r["workload"] == workload and r["target"] == target and r["series"] == series}
    line = [(x, table.median(results, workload, case, target, figure)) for case, x in chosen]
    return [(x, y) for x, y in line if y]


def _latency(results, targets):
    for target in targets:
        for dash, (figure, name) in zip(DASHES, (("put_p50_ms", "p50"), ("put_p99_ms", "p99"))):
            yield (f"{target} {name}", COLOURS[target], dash,
                   _line(results, "load", target, figure, ""))


def _throughput(results, targets):
    names = dict.fromkeys(r["series"] for r in results if r["workload"] == "fanout")
    for target in targets:
        for dash, series in zip(DASHES, names):
            yield (f"{target}, {series}", COLOURS[target], dash,
                   _line(results, "fanout", target, "events_per_s", series))


def write_all(report, folder):
    results, targets = report["results"], list(report["versions"])
    for name, title, x, y, lines in (
            ("latency.svg", "Latency of durable puts", "puts per second", "ms",
             _latency(results, targets)),
            ("throughput.svg", "Events delivered", "watchers, a stream each", "events per second",
             _throughput(results, targets))):
        text = chart(title, x, y, [line for line in lines if line[3]])
        if text:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)

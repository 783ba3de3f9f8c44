# SPDX-License-Identifier: Apache-2.0
"""The machine that is measured on: what it is, and whether it is quiet."""
import os
import platform
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _busy():
    """Seconds of CPU that all processes have used; interrupts are left out."""
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[7]) / TICKS


def _used(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        v = f.read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / TICKS


def wait_quiet(pid, limit, threshold=0.10):
    """Waits until others than `pid` have used less than `threshold` cores for a second; after
    `limit` seconds it goes on regardless. The cores they used in the last second."""
    end = time.monotonic() + limit
    while True:
        busy, used, begun = _busy(), _used(pid), time.monotonic()
        time.sleep(1)
        t = time.monotonic() - begun
        others = max(0.0, (_busy() - busy) - (_used(pid) - used)) / t
        if others < threshold or time.monotonic() >= end:
            return others


def drop_caches():
    """Forgets the page cache, as after a boot. False without the right to."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3\n")
        return True
    except OSError:
        return False


def _mount(path):
    best = ("?", "")
    with open("/proc/mounts", encoding="utf-8") as f:
        for line in f:
            _, where, kind = line.split()[:3]
            if (path + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best[1]):
                best = (kind, where)
    return best[0]


def describe(folder):
    """One line: processors, memory, kernel, file system of the data."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release()}, "
            f"data on {_mount(os.path.realpath(folder))}")

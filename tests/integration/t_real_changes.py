#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""4,500 real changes go in through `watchctl import` while watchers follow with and without selectors
and the server is killed: what they rebuild is what the store holds and how the data ends."""
import json
import lzma
import os
import time

from watchtest import *

DATA = os.environ.get("WATCH_DATA") or os.path.join(SRC, "..", "shared", "data",
                                                    "kube-prometheus-history.jsonl.xz")
SET_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp")


def grafana(labels):
    return labels.get("app.kubernetes.io/name") == "grafana"


def not_kube(labels):
    return labels.get("app.kubernetes.io/part-of") != "kube-prometheus"


SELECTIONS = [
    [Sel("all")],
    [Sel("all", labels="app.kubernetes.io/name=grafana", match=grafana)],
    [Sel("all", "monitoring", labels="app.kubernetes.io/part-of!=kube-prometheus", match=not_kube)],
    [Sel("configmaps", "monitoring"), Sel("services"), Sel("deployments", "default")],
    [Sel("deployments", "monitoring", "grafana")],
]


def content(doc):
    """A document without what the server sets."""
    doc = json.loads(doc) if isinstance(doc, str) else json.loads(json.dumps(doc))
    meta = doc["metadata"]
    for member in SET_BY_SERVER:
        meta.pop(member, None)
    meta["namespace"] = meta.get("namespace") or "default"
    return doc


class Data:
    """The file as a journal: per key the contents it must go through, None for absent."""

    def __init__(self, path):
        self.lives, self.end, self.lines = {}, {}, []
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                self.lines.append(line)
                change = json.loads(line)
                key = (change["resource"], change["namespace"] or "default", change["name"])
                now = content(change["object"]) if change["op"] == "put" else None
                life = self.lives.setdefault(key, [])
                if (life[-1] if life else None) != now:
                    life.append(now)
                self.end[key] = now
        self.end = {key: doc for key, doc in self.end.items() if doc is not None}


def rebuild(events):
    """The objects that a watch leaves behind, and on the way each key's contents in order."""
    now, lives = {}, {}
    for kind, _, key, doc, *_ in events:
        if kind == "DELETED":
            now.pop(key)
            lives.setdefault(key, []).append(None)
        else:
            now[key] = content(doc)
            lives.setdefault(key, []).append(now[key])
    return now, lives


def same_objects(got, want, what):
    for key in want.keys() | got.keys():
        assert got.get(key) == want.get(key), f"{what}: {key} is {got.get(key)}, not {want.get(key)}"


@test
def the_watchers_rebuild_what_the_data_says(t):
    if not os.path.exists(DATA):
        raise Skip("the recorded changes (../shared/data beside the repository) are not here")
    data = Data(DATA)
    if SHORT:
        data.lines = data.lines[:1500]
        raw = t.file("part.jsonl", "".join(data.lines))
        with lzma.open(t.path("part.xz"), "wt", encoding="utf-8") as file:
            file.writelines(data.lines)
        data = Data(t.path("part.xz"))
    raw = t.file("changes.jsonl", "".join(data.lines))
    server = Server(t).start()
    watchers = [Watcher(t, server.unix, *sels, previous=i % 2 == 0) for i, sels in enumerate(SELECTIONS)]
    full = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True, name="oracle")
    cli = Cli(server.unix)
    follower = CliWatch(t, cli, "all", "-A", "--bookmarks")
    picker = CliWatch(t, cli, *SELECTIONS[1][0].words(), "--since", 0)
    begin = time.monotonic()
    load = cli.start("import", raw)
    kills = 0
    while load.poll() is None and kills < 8:
        time.sleep(t.random.uniform(0.05, 0.25) * SLOW)
        if load.poll() is None:
            server.restart()
            kills += 1
            watchers.append(Watcher(t, server.unix, *SELECTIONS[kills % len(SELECTIONS)]))
    out, err = load.communicate(timeout=120 * SLOW)
    eq(load.returncode, 0, f"exit of import, which said {out!r} {err!r}")
    t.note(f"{len(data.lines)} changes in {time.monotonic() - begin:.1f} s with {kills} kills; "
           f"import said: {(out.strip() or err.strip()).splitlines()[-1:]}")
    assert kills >= 2, "the import was over before the server could be killed"
    head = server.client().head()
    for watcher in watchers + [full]:
        watcher.wait_rv(head)
    timeline = Timeline.from_events(full.record.events())
    for watcher in watchers:
        watcher.check(timeline)

    # The data is the journal: each key went through the contents of the file, each once, in order.
    now, lives = rebuild(full.record.events())
    for key in data.lives:
        assert lives.get(key) == data.lives[key], \
            f"{key} went through {len(lives.get(key, []))} contents, not {len(data.lives[key])}"
    eq(set(lives), set(data.lives), "keys")
    eq(head, sum(len(life) for life in data.lives.values()), "versions used")
    same_objects(now, data.end, "rebuilt by the full watcher against the data's end")

    _, objects = server.client().list("all", limit=50)
    stored = {(o.resource, o.namespace, o.name): content(o.json) for o in objects}
    same_objects(stored, data.end, "the store against the data's end")
    for watcher in watchers:
        want = {key: doc for key, doc in stored.items() if any(
            sel.matches(key, doc["metadata"].get("labels") or {}) for sel in watcher.sels)}
        same_objects(rebuild(watcher.record.events())[0], want, watcher.label)
        listed = [server.client().list(sel)[1] for sel in watcher.sels]
        same_objects({(o.resource, o.namespace, o.name): content(o.json) for part in listed
                      for o in part}, want, f"list of {watcher.label}")
    for watch, sels, since in ((follower, SELECTIONS[0], None), (picker, SELECTIONS[1], 0)):
        want = len(timeline.suffix(sels, since)) if since is not None else 0
        wait_until("watchctl has caught up", lambda: len(watch.lines) >= want and (
            since is not None or int(watch.lines[-1]["object"]["metadata"]["resourceVersion"]) >= head), 30)
        check_record(record_of_lines(watch.lines, since), sels, timeline, "watchctl", False, since)

    # And out again: an export of the store is an import that ends the same.
    exported = cli.ok("export", "-A", "all")
    other = Server(t, name="other").start()
    path = t.file("exported.jsonl", exported.out)
    Cli(other.unix).ok("import", path)
    _, objects = other.client().list("all")
    same_objects({(o.resource, o.namespace, o.name): content(o.json) for o in objects}, data.end,
                 "export and import again")


if __name__ == "__main__":
    main()

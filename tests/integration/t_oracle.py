#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The harness' own oracle: each kind of fault, planted into a right record, is found."""
import json
import random

from watchtest import *

RED = Sel("all", labels="color=red", match=lambda labels: labels.get("color") == "red")
EVERYTHING = Sel("all")


def doc(key, rv, generation, entry, uid):
    meta = {"name": key[2], "namespace": key[1], "uid": uid, "creationTimestamp": "2024-01-01T00:00:00Z",
            "resourceVersion": str(rv), "generation": generation}
    if entry.labels:
        meta["labels"] = entry.labels
    return dumps({"apiVersion": "watch/v1", "kind": "Object", "metadata": meta, "spec": entry.spec()})


class Model:
    """A perfect server: applies a random journal, some of whose answers are lost."""

    def __init__(self, seed, n=300):
        rng = random.Random(seed)
        self.journal = Journal()
        self.events, now, rv = [], {}, 0
        for i in range(n):
            key = ("objects", "default", f"k{rng.randrange(6)}")
            entry = Entry(key, "put", f"v{i}", rng.choice([{}, {"color": "red"}, {"color": "blue"}]))
            if rng.random() < 0.2:
                entry = Entry(key, "delete")
            self.journal.sent(entry)
            if entry.op == "delete" and key not in now:
                self.journal.known(entry, "no")
                continue
            lost = rng.random() < 0.15
            if lost and rng.random() < 0.5:
                continue  # it never arrived: stays maybe
            rv += 1
            before = now.get(key)
            previous = before[0] if before else ""
            if entry.op == "delete":
                self.events.append(("DELETED", rv, key, dumps(with_version(before[0], rv)), 3, previous))
                del now[key]
            else:
                generation = before[1] + 1 if before else 1
                uid = before[2] if before else f"uid{rv}"
                text = doc(key, rv, generation, entry, uid)
                self.events.append(("MODIFIED" if before else "ADDED", rv, key, text,
                                    2 if before else 1, previous))
                now[key] = (text, generation, uid)
            if not lost:
                self.journal.known(entry, "acked", rv, 4 if entry.op == "delete" else 2 if before else 1)

    def timeline(self, events=None):
        line = Timeline.from_events(self.events if events is None else events)
        line.check_journal(self.journal)
        return line


def refused(what, fn):
    try:
        fn()
    except Mismatch:
        return
    raise AssertionError(f"not noticed: {what}")


@test
def a_right_history_passes(t):
    for seed in range(20):
        Model(seed).timeline()


@test
def a_wrong_history_is_found(t):
    for seed in range(20):
        model = Model(seed)
        rng = random.Random(seed)
        events = model.events
        i = rng.randrange(1, len(events) - 1)
        refused("an event left out", lambda: model.timeline(events[:i] + events[i + 1:]))
        refused("an event twice", lambda: model.timeline(events[:i] + events[i:i + 1] + events[i:]))
        refused("two events swapped",
                lambda: model.timeline(events[:i] + [events[i + 1], events[i]] + events[i + 2:]))
        acked = [e for e in model.journal.entries() if e.state == "acked"]
        refused("the last acknowledged write lost",
                lambda: model.timeline(events[:max(e.rv for e in acked) - 1]))
        wrong = list(events)
        j = next(k for k in range(i, len(wrong)) if wrong[k][5])
        wrong[j] = wrong[j][:5] + (wrong[j][5].replace('"value":"v', '"value":"w'),)
        refused("a wrong previous object", lambda: model.timeline(wrong))
        wrong = list(events)
        j = next(k for k in range(len(wrong)) if wrong[k][0] != "DELETED")
        wrong[j] = wrong[j][:3] + (wrong[j][3].replace('"value":"v', '"value":"w'),) + wrong[j][4:]
        refused("wrong content", lambda: model.timeline(wrong))


@test
def a_maybe_happens_at_most_once_and_in_its_place(t):
    key = ("objects", "default", "k")
    for case in ("never", "once", "twice", "late"):
        model = Model(0, 0)
        entries = [Entry(key, "put", v, {}) for v in ("a", "b", "c")]
        for entry in entries:
            model.journal.sent(entry)
        order = {"never": [0, 2], "once": [0, 1, 2], "twice": [0, 1, 2, 1], "late": [0, 2, 1]}[case]
        events = []
        for rv, which in enumerate(order, 1):
            previous = events[-1][3] if events else ""
            events.append(("MODIFIED" if events else "ADDED", rv, key,
                           doc(key, rv, rv, entries[which], "u"), 2 if events else 1, previous))
        model.journal.known(entries[0], "acked", 1, 1)
        model.journal.known(entries[2], "acked", order.index(2) + 1, 2)
        if case in ("never", "once"):
            model.timeline(events)
        else:
            refused(f"a maybe {case}", lambda: model.timeline(events))


def perfect(line, sel, version, bookmarks):
    record = Record()
    for event in line.snapshot([sel], version):
        record.event(*event)
    record.take_synced(version)
    for event in line.suffix([sel], version):
        record.event(*event)
        if event[1] % 7 == 0 and bookmarks:
            record.take_bookmark(event[1])
    record.take_bookmark(line.head)
    return record


@test
def a_wrong_record_of_a_watch_is_found(t):
    for seed in range(20):
        model = Model(seed)
        line = model.timeline()
        rng = random.Random(seed)
        version = rng.randrange(20, 100)

        def check(items, sel, previous=True):
            record = Record()
            record.items, record.rv, record.synced = items, line.head, version
            check_record(record, [sel], line, "planted", previous)

        for sel in (EVERYTHING, RED):
            good = perfect(line, sel, version, True).items
            check(good, sel)
            places = [k for k, item in enumerate(good) if item[0] == "event"]
            i = rng.choice(places)
            live = [k for k in places if k > good.index(("synced", version))]
            j = rng.choice(live[:-1])
            k = live[live.index(j) + 1]
            refused("skipped", lambda: check(good[:i] + good[i + 1:], sel))
            refused("twice", lambda: check(good[:i] + [good[i]] + good[i:], sel))
            swapped = list(good)
            swapped[j], swapped[k] = good[k], good[j]
            refused("swapped", lambda: check(swapped, sel))
            refused("a bookmark ahead", lambda: check(good[:j] + [("bookmark", good[j][2])] + good[j:], sel))
            refused("a bookmark behind",
                    lambda: check(good[:j + 1] + [("bookmark", good[j][2] - 1)] + good[j + 1:], sel))
            refused("no SYNCED", lambda: check([x for x in good if x[0] != "synced"], sel))
            refused("SYNCED at another version", lambda: check(
                [("synced", x[1] - 15) if x[0] == "synced" else x for x in good], sel))
            item = good[j]
            kind = "ADDED" if item[1] != "ADDED" else "MODIFIED"
            refused("a wrong type", lambda: check(good[:j] + [(item[0], kind) + item[2:]] + good[j + 1:], sel))
            refused("a wrong cause", lambda: check(
                good[:j] + [item[:5] + (7,) + item[6:]] + good[j + 1:], sel))
            refused("a wrong previous", lambda: check(
                good[:j] + [item[:6] + (json.dumps({"no": 1}),)] + good[j + 1:], sel))


if __name__ == "__main__":
    main(need_server=False)

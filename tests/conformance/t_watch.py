#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Kubernetes' own tests demand of a watch (storage/testing/watcher_tests.go), in our words: a start
is explicit, there is one version for the whole store, and failures are statuses. The ids in the comments
are those of the table in README.md."""
import contextlib
import itertools
import json
import sqlite3
import threading
import time

from watchtest import *

ADDED, MODIFIED, DELETED = 1, 2, 3
EXACT = 2


def doc(event):
    return json.loads(event.object.json)


def shape(event):
    """(type, name, spec or None, version)"""
    return (event.type, event.object.name, doc(event).get("spec"), event.object.resource_version)


class Case:
    def __init__(self, t, name="watchd"):
        self.server = Server(t, name=name).start()
        self.client = self.server.client()

    def put(self, name, spec, labels=None, namespace="default", resource="objects"):
        document = {"metadata": {"labels": labels or {}}, "spec": spec}
        return self.client.put(name, document, namespace=namespace,
                               resource=resource).object.resource_version

    def watch(self, *selections, **kw):
        stream = self.client.watch(*selections, **kw)
        stream.started()
        return stream


RED = dict(resource="objects", label_selector="color=red")
PHASE = dict(resource="objects", field_selector=".spec.phase=on")


# W01
@test
def an_object_comes_into_view_only_when_it_matches(t):
    case = Case(t)
    for name in ("", "a"):
        for selector, outside, inside in ((RED, {"color": "blue"}, {"color": "red"}), (PHASE, None, None)):
            stream = case.watch({**selector, "name": name}, start="now")
            case.put("a", {"phase": "off"}, outside)
            stream.silent(0.1)
            rv = case.put("a", {"phase": "on"}, inside)
            eq(shape(stream.event()), (ADDED, "a", {"phase": "on"}, rv))
            stream.cancel()
            case.client.delete("a")


# W02, W03, W04
@test
def leaving_shows_the_last_matching_content_with_the_new_version(t):
    case = Case(t)
    for selector in (RED, PHASE):
        stream = case.watch(selector, start="now")

        def write(on, n):
            case.put("a", {"n": n}, {"color": "red"}, namespace="other")
            case.put("a", {"n": n, "phase": "on"}, {"color": "red"}, namespace="default-2")
            return case.put("a", {"n": n, "phase": "on" if on else "off"}, {"color": "red" if on else "blue"})

        want = []
        rv = write(True, 1)
        want.append((ADDED, "a", {"n": 1, "phase": "on"}, rv))
        rv = write(False, 2)
        want.append((DELETED, "a", {"n": 1, "phase": "on"}, rv))
        rv = write(True, 3)
        want.append((ADDED, "a", {"n": 3, "phase": "on"}, rv))
        rv = write(True, 4)
        want.append((MODIFIED, "a", {"n": 4, "phase": "on"}, rv))
        rv = write(False, 5)
        want.append((DELETED, "a", {"n": 4, "phase": "on"}, rv))
        write(False, 6)
        rv = write(True, 7)
        want.append((ADDED, "a", {"n": 7, "phase": "on"}, rv))
        rv = case.client.delete("a").object.resource_version
        want.append((DELETED, "a", {"n": 7, "phase": "on"}, rv))
        eq([shape(stream.event()) for _ in want], want, f"live, {selector}")
        stream.silent(0.1)
        stream.cancel()
        again = case.watch(selector, start=want[0][3] - 1)
        eq([shape(again.event()) for _ in want], want, f"replayed, {selector}")
        again.cancel()
        for namespace in ("other", "default-2"):
            case.client.delete("a", namespace=namespace)


# W05, W06, W07, W08
@test
def the_state_comes_without_history_and_compaction_does_not_hurt_it(t):
    case = Case(t)
    first = case.put("a", {"n": 1})
    stream = case.watch("objects")
    eq([shape(e) for e in stream.until_synced()[0]], [(ADDED, "a", {"n": 1}, first)])
    rv = case.put("a", {"n": 2})
    eq(shape(stream.event()), (MODIFIED, "a", {"n": 2}, rv))
    last = case.put("a", {"n": 3})
    eq([shape(e) for e in case.watch("objects").until_synced()[0]], [(ADDED, "a", {"n": 3}, last)])
    case.put("b", {"n": 1}, namespace="elsewhere")
    case.client.call("Compact")
    eq([shape(e) for e in case.watch("objects").until_synced()[0]], [(ADDED, "a", {"n": 3}, last)])
    items, error = case.client.watch("objects", start=first).until_end()
    eq((items, error.code, error.reason), ([], "OUT_OF_RANGE", "EXPIRED"), "below the floor")
    eq(int(error.metadata["requested"]), first)
    assert int(error.metadata["oldest"]) <= int(error.metadata["head"]) == case.client.head()


# W09, W10, W16
@test
def a_version_is_exclusive_and_a_deletion_has_its_own(t):
    case = Case(t)
    created = case.put("a", {"n": 1})
    stream = case.watch("objects", start=created)
    stream.silent(0.1)
    rv = case.put("a", {"n": 2})
    eq(shape(stream.event()), (MODIFIED, "a", {"n": 2}, rv))
    deleted = case.client.delete("a").object.resource_version
    assert deleted > rv > created
    event = stream.event()
    eq(shape(event), (DELETED, "a", {"n": 2}, deleted))
    eq(doc(event)["metadata"]["resourceVersion"], str(deleted), "in the document too")


# W12
@test
def a_damaged_event_ends_what_reads_it_and_nothing_else(t):
    case = Case(t)
    for n in range(4):
        case.put("a", {"n": n})
    case.put("b", {"n": 0})
    case.server.stop()
    with contextlib.closing(sqlite3.connect(case.server.db)) as db:
        db.execute("UPDATE events SET texts = cast(replace(texts, '\"n\":1', '\"n\":7') AS BLOB) WHERE rv = 2")
        db.commit()
    case.client = case.server.start().client()
    items, error = case.client.watch("objects", start=0).until_end()
    eq(error.code, "DATA_LOSS", error.message)
    assert all(getattr(i, "object", None) is None or i.object.resource_version < 2 for i in items), items
    behind, live = case.watch("objects", start=2), case.watch("objects", start="now")
    eq([shape(e)[1:3] for e in case.watch("objects").until_synced()[0]], [("a", {"n": 3}), ("b", {"n": 0})])
    eq([behind.event().object.resource_version for _ in range(3)], [3, 4, 5])
    rv = case.put("a", {"n": 9})
    eq([shape(s.event()) for s in (behind, live)], [(MODIFIED, "a", {"n": 9}, rv)] * 2)


# W14
@test
def a_call_cancelled_at_once_leaves_nothing(t):
    case = Case(t)
    for _ in range(rounds(50, short=10)):
        call = case.client.open(request_for(["objects"]))
        call.cancel()
    wait_until("all are gone", lambda: not case.client.subscriptions(), 5)


# W15, C17
@test
def watchers_that_never_read_delay_nobody(t):
    case = Case(t)
    stuck = [case.client.open(request_for(["objects"], start="now")) for _ in range(50)]
    wait_until("they are there", lambda: len(case.client.subscriptions()) == 50)
    stream = case.watch("objects", start="now")
    versions = [case.put(f"o{i}", {"pad": "x" * 20_000}) for i in range(40)]
    begin = time.monotonic()
    eq([stream.event().object.resource_version for _ in versions], versions)
    t.note(f"the reader had all {1000 * (time.monotonic() - begin):.0f} ms after the last write")
    for call in stuck:
        call.cancel()


# W17
@test
def what_is_written_after_started_is_seen(t):
    case = Case(t)
    for i in range(rounds(100, short=20)):
        stream = case.watch("objects", start="now")
        rv = case.put("a", {"i": i})
        eq(stream.event().object.resource_version, rv)
        stream.cancel()


# W18, W21, C11, C12, C14
@test
def bookmarks_come_when_nothing_happens_and_when_others_are_busy(t):
    case = Case(t)
    head = case.put("a", {"n": 1})
    stream = case.watch(dict(resource="objects", namespace="mine"), start="now", bookmark_ms=50)
    for _ in range(3):
        eq(stream.next().resource_version, head, "bookmark in silence")
    rv = case.put("b", {"n": 1}, namespace="theirs")
    deadline = time.monotonic() + 10
    while stream.next().resource_version < rv:
        assert time.monotonic() < deadline, "the bookmark stands still"
    quiet = case.watch(dict(resource="objects", namespace="mine"), start="now")
    case.put("b", {"n": 2}, namespace="theirs")
    quiet.silent(0.3)


# W19, W20, S37
@test
def every_scope_sees_its_own_and_nothing_else(t):
    case = Case(t)
    scopes = {
        "all": (dict(resource="objects", all_namespaces=True), lambda ns, name, labels, node: True),
        "ns": (dict(resource="objects", namespace="n1"), lambda ns, name, labels, node: ns == "n1"),
        "metadata.namespace": (
            dict(resource="objects", all_namespaces=True, field_selector="metadata.namespace=n2"),
            lambda ns, name, labels, node: ns == "n2"),
        "contradiction": (dict(resource="objects", namespace="n1", field_selector="metadata.namespace=n2"),
                          lambda ns, name, labels, node: False),
        "name": (dict(resource="objects", namespace="n1", name="t1"),
                 lambda ns, name, labels, node: (ns, name) == ("n1", "t1")),
        "metadata.name": (dict(resource="objects", all_namespaces=True, field_selector="metadata.name=t1"),
                          lambda ns, name, labels, node: name == "t1"),
        "unknown name": (dict(resource="objects", all_namespaces=True, name="none"),
                         lambda ns, name, labels, node: False),
        "node": (dict(resource="objects", all_namespaces=True, field_selector="spec.nodeName=x"),
                 lambda ns, name, labels, node: node == "x"),
        "name and node": (dict(resource="objects", all_namespaces=True,
                               field_selector="metadata.name=t1,spec.nodeName=x"),
                          lambda ns, name, labels, node: (name, node) == ("t1", "x")),
        "ns and name and node": (dict(resource="objects", namespace="n2",
                                      field_selector="metadata.name=t2,spec.nodeName=x"),
                                 lambda ns, name, labels, node: (ns, name, node) == ("n2", "t2", "x")),
        "label": (dict(resource="objects", all_namespaces=True, label_selector="app in (a)"),
                  lambda ns, name, labels, node: labels == "a"),
        "label and ns and node": (dict(resource="objects", namespace="n1", label_selector="app!=a",
                                       field_selector="spec.nodeName!=x"),
                                  lambda ns, name, labels, node: ns == "n1" and labels != "a" and node != "x"),
    }
    streams = {what: case.watch(sel, start="now") for what, (sel, _) in scopes.items()}
    want = {what: [] for what in scopes}
    state = {}
    rng = t.random
    for _ in range(rounds(150, short=40)):
        key = (rng.choice(["n1", "n2", "n"]), rng.choice(["t1", "t2", "t"]))
        was = state.get(key)
        now = None if was and rng.random() < 0.2 else (rng.choice("ab"), rng.choice("xy"))
        if now == was:
            continue
        if now is None:
            rv = case.client.delete(key[1], namespace=key[0]).object.resource_version
        else:
            rv = case.put(key[1], {"nodeName": now[1]}, {"app": now[0]}, namespace=key[0])
        for what, (_, match) in scopes.items():
            before, after = was is not None and match(*key, *was), now is not None and match(*key, *now)
            if before or after:
                kind = ADDED if not before else MODIFIED if after else DELETED
                want[what].append((kind, key, rv))
        state.pop(key, None)
        if now:
            state[key] = now
    for what, stream in streams.items():
        got = [stream.event() for _ in want[what]]
        eq([(e.type, (e.object.namespace, e.object.name), e.object.resource_version) for e in got],
           want[what], what)
        stream.silent(0.02)
        match = scopes[what][1]
        listed = [(o.namespace, o.name) for o in case.client.list(scopes[what][0])[1]]
        eq(listed, sorted(k for k, v in state.items() if match(*k, *v)), f"list, {what}")


# W24, C15, C22, C23, C24
@test
def each_start_gives_what_it_says(t):
    """Three objects before, two after, for every start, with and without bookmarks."""
    for start, bookmarks in itertools.product(("snapshot", "now", "oldest", "since 0", "since 1", "since head"),
                                              (0, 20)):
        case = Case(t, f"{start.replace(' ', '-')}-{bookmarks}")
        before = [case.put(name, {"n": 1}) for name in ("c", "a", "b")]
        kw = dict(start=int(start[6:].replace("head", str(before[-1]))) if start.startswith("since") else start,
                  bookmark_ms=bookmarks)
        stream = case.watch("objects", **kw)
        if start == "snapshot":
            events, synced = stream.until_synced()
            eq([(e.type, e.object.name) for e in events], [(ADDED, "a"), (ADDED, "b"), (ADDED, "c")], "state")
            eq(synced, before[-1], "SYNCED is the version of the state")
        after = [case.put(name, {"n": 2}) for name in ("e", "d")]
        replay = {"oldest": before, "since 0": before, "since 1": before[1:]}.get(start, [])
        got = [stream.event() for _ in replay + after]
        eq([e.object.resource_version for e in got], replay + after, start)
        while bookmarks and not isinstance(stream.next(), pb.Bookmark):
            pass
        stream.silent(0.05)
        signals = [m.WhichOneof("signal") for m in stream.messages]
        eq(signals.count("synced"), 1 if start == "snapshot" else 0, "SYNCED, exactly once if at all")
        eq("bookmark" in signals, bool(bookmarks), "bookmarks are asked for")
        stream.cancel()
        case.server.stop()


# W27
@test
def after_the_end_of_a_stream_nothing_follows(t):
    case = Case(t)
    streams = [case.watch("objects", start="now", client_id="many") for _ in range(10)]
    stop = threading.Event()

    def write():
        client = case.server.client()
        while not stop.is_set():
            client.put("a", {"t": time.monotonic()})

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.2)
    case.client.call("Unsubscribe", client_id="many")
    time.sleep(0.1)
    stop.set()
    writer.join()
    for stream in streams:
        items, error = stream.until_end()
        eq((error.code, error.reason), ("CANCELLED", "UNSUBSCRIBED"))
        versions = [i.object.resource_version for i in items]
        assert versions == list(range(versions[0], versions[0] + len(versions))), "gapless up to the end"


# C07
@test
def a_later_watch_never_shows_an_older_state(t):
    case = Case(t)
    stop, seen = threading.Event(), [0]

    def write():
        client = case.server.client()
        n = 0
        while not stop.is_set():
            n += 1
            seen[0] = max(seen[0], client.put("a", {"n": n}).object.resource_version)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(rounds(100, short=20)):
            least = seen[0]
            stream = case.watch("objects")
            events, synced = stream.until_synced()
            assert synced >= least, f"the state of {synced} after {least} was acknowledged"
            assert not events or events[0].object.resource_version <= synced
            stream.cancel()
    finally:
        stop.set()
        writer.join()


# C09
@test
def watches_opened_while_versions_pass_have_no_hole(t):
    case = Case(t)
    first = case.put("a", {"n": 0})
    stop = threading.Event()

    def write():
        client = case.server.client()
        while not stop.is_set():
            client.put("a", {"t": time.monotonic()})

    writer = threading.Thread(target=write)
    writer.start()
    streams = []
    for i in range(rounds(200, short=40)):
        streams.append(case.client.watch("objects", start=case.client.head() if i % 2 else first))
    time.sleep(0.2)
    stop.set()
    writer.join()
    head = case.client.head()
    for stream in streams:
        stream.started()
        last = None
        while last != head:
            rv = stream.event().object.resource_version
            assert last is None or rv == last + 1, f"{rv} after {last}"
            last = rv
        stream.cancel()


# C10, C13, C28, C30, C34
@test
def opening_and_closing_leaves_nothing_behind(t):
    case = Case(t)
    fds = case.server.fds()

    def churn(seed):
        client = case.server.client()
        for i in range(rounds(100, short=15)):
            stream = client.watch("objects", bookmark_ms=1, client_id=f"c{seed}")
            if (i + seed) % 3 or (i + seed) % 5 == 0:
                stream.started()
            if (i + seed) % 5 == 0:
                client.call("Unsubscribe", client_id=f"c{seed}")
            stream.cancel()
        client.close()

    threads = [threading.Thread(target=churn, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for i in range(100):
        case.put("a", {"i": i})
    for thread in threads:
        thread.join()
    wait_until("no stream is left", lambda: not case.client.subscriptions(), 10)
    eq(case.client.status().watches, 0)
    wait_until("no descriptor is left", lambda: case.server.fds() <= fds + 1, 10)


# C18
@test
def a_deletion_reaches_each_watcher_with_its_own_content(t):
    case = Case(t)
    all_, before, after = (case.watch(dict(resource="objects", label_selector=s), start="now")
                           for s in ("", "color=red", "color=blue"))
    created = case.put("a", {"n": 1}, {"color": "red"})
    updated = case.put("a", {"n": 2}, {"color": "blue"})
    deleted = case.client.delete("a").object.resource_version
    eq([shape(all_.event()) for _ in range(3)],
       [(ADDED, "a", {"n": 1}, created), (MODIFIED, "a", {"n": 2}, updated), (DELETED, "a", {"n": 2}, deleted)])
    eq([shape(before.event()) for _ in range(2)],
       [(ADDED, "a", {"n": 1}, created), (DELETED, "a", {"n": 1}, updated)])
    eq([shape(after.event()) for _ in range(2)],
       [(ADDED, "a", {"n": 2}, updated), (DELETED, "a", {"n": 2}, deleted)])
    for stream in (all_, before, after):
        stream.silent(0.05)


# C20, C36, C37
@test
def history_that_is_gone_is_expired_and_its_edges_are_exact(t):
    case = Case(t)
    versions = [case.put("a", {"n": n}) for n in range(20)]
    floor = case.client.call("Compact", resource_version=versions[9]).floor
    eq(floor, versions[9])
    items = case.watch("objects", start=floor)
    eq([items.event().object.resource_version for _ in versions[10:]], versions[10:], "from the edge")
    _, error = case.client.watch("objects", start=floor - 1).until_end()
    eq(error.reason, "EXPIRED", "one below the edge")
    case.client.call("Compact", resource_version=versions[10])
    _, error = case.client.watch("objects", start=floor).until_end()
    eq(error.reason, "EXPIRED", "the edge has moved")


# C21, C49
@test
def a_version_of_the_future_is_refused_at_once(t):
    case = Case(t)
    head = case.put("a", {"n": 1})
    _, error = case.client.watch("objects", start=head + 5).until_end()
    eq((error.code, error.reason), ("OUT_OF_RANGE", "FUTURE"))
    eq((int(error.metadata["requested"]), int(error.metadata["head"])), (head + 5, head))
    stream = case.watch("objects", start=head)
    stream.silent(0.05)


# C44, C45, C49
@test
def the_state_is_of_one_version_whatever_changes_meanwhile(t):
    case = Case(t)
    n = 300
    for i in range(n):
        case.put(f"o{i:03}", {"i": i, "pad": "x" * 2000})
    call = case.client.open(request_for(["objects"]))
    next(call)
    first = next(call)
    synced = case.client.head()
    case.client.delete("o299")
    changed = case.put("o298", {"changed": True})
    added = case.put("zz", {"new": True})
    events, rest = list(first.events), []
    signal = None
    for message in call:
        if message.WhichOneof("signal") == "synced":
            signal = message.synced.resource_version
        (rest if signal else events).extend(message.events)
        if len(rest) >= 3:
            break
    eq(signal, synced, "SYNCED")
    call.cancel()
    eq([e.object.name for e in events], [f"o{i:03}" for i in range(n)], "in key order, the deleted one too")
    assert all("changed" not in e.object.json for e in events)
    eq([(e.type, e.object.name) for e in rest], [(DELETED, "o299"), (MODIFIED, "o298"), (ADDED, "zz")])
    eq([e.object.resource_version for e in rest], [changed - 1, changed, added])


# H03, C32
@test
def a_deadline_ends_a_watch_with_a_bookmark_and_ok(t):
    case = Case(t)
    stream = case.watch(dict(resource="objects", namespace="quiet"), start="now", duration_ms=300)
    rv = case.put("a", {"n": 1})
    items, error = stream.until_end()
    eq(error, None, "status OK")
    eq(items[-1].resource_version, rv, "the last message is a bookmark at the head")
    eq([m.WhichOneof("signal") for m in stream.messages][-1], "bookmark")


if __name__ == "__main__":
    main()

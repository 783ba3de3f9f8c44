#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""State, SYNCED, events: no event is lost or doubled where the snapshot ends and the stream begins,
whatever is written or compacted meanwhile."""
import random
import threading
import time

from watchtest import *

RED = Sel("all", labels="color=red", match=lambda labels: labels.get("color") == "red")


@test
def no_object_one_object_many_objects(t):
    server = Server(t).start()
    client = server.client()
    for n in (0, 1, 2, 1000, rounds(3000, long=20000, short=1500)):
        have = len(client.list("all")[1])
        for i in range(have, n):
            client.put(f"o{i:05}", {"i": i})
        head = client.head()
        for previous in (False, True):
            stream = client.watch(Sel("all"), previous=previous, bookmark_ms=100)
            eq(stream.started().head, head, "head in Started")
            events, version = stream.until_synced()
            eq(version, head, "SYNCED")
            eq([e.object.name for e in events], [f"o{i:05}" for i in range(n)], "snapshot in key order")
            assert all(e.type == 1 and e.cause == 0 and not e.HasField("previous") for e in events)
            stream.cancel()
        nothing = client.watch(Sel("nothing"), bookmark_ms=0)
        eq(nothing.started().head, head)
        eq(nothing.until_synced(), ([], head), "the snapshot of nothing")
        nothing.cancel()


@test
def what_is_written_right_after_synced_comes_as_an_event(t):
    server = Server(t).start()
    client = server.client()
    for i in range(rounds(150, short=40)):
        stream = client.watch(Sel("all"))
        threading.Thread(target=client.put, args=(f"o{i}", {"i": i}), daemon=True).start()
        time.sleep(t.random.uniform(0, 0.002))
        events, version = stream.until_synced()
        names = [e.object.name for e in events]
        want = [f"o{k}" for k in range(i + 1)]
        if len(names) < len(want):
            names.append(stream.event().object.name)
        eq(sorted(names), sorted(want), f"round {i}, SYNCED at {version}")
        stream.silent(0.01)
        stream.cancel()


@test
def writers_and_compaction_race_with_snapshots(t):
    """Watchers start with the state again and again, under full load, while all history that the oracle
    has seen is compacted away."""
    server = Server(t).start()
    journal = Journal()
    full = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True, name="oracle")
    loader = Writer(journal, server.client(), keys_for(99, 1200), random.Random(3), pads=(800,), name="w99")
    for key in loader.keys:
        loader.write(key, {"color": t.random.choice(COLORS[:3])}, "put")
    writers = start_writers(t, journal, server.client, 5, keys_each=40)
    compactor = server.client()
    stopping = threading.Event()
    failures = []

    def compact():
        while not stopping.is_set():
            try:
                upto = full.record.rv
                if upto > 10:
                    compactor.call("Compact", resource_version=upto)
            except Exception as err:
                failures.append(err)
                return
            time.sleep(0.005)

    compacting = threading.Thread(target=compact, daemon=True)
    compacting.start()
    watchers, expired = [], []
    for i in range(rounds(60, long=600, short=12)):
        sels = [[Sel("all")], [RED], [Sel("objects", "default")]][i % 3]
        watchers.append(Watcher(t, server.unix, *sels, previous=i % 2 == 0, name=f"snapshot {i}"))
        time.sleep(t.random.uniform(0.01, 0.15))
        if i % 5 == 4:
            for watcher in watchers[-5:]:
                wait_until("SYNCED", lambda: watcher.record.synced is not None or watcher.final, 60)
        if len(watchers) > 10 and watchers[-10].is_alive():
            watchers[-10].stop()
    stopping.set()
    for writer in writers:
        writer.done()
    join_all([compacting])
    assert not failures, failures
    head = server.client().head()
    full.wait_rv(head)
    timeline = Timeline.from_events(full.record.events())
    timeline.check_journal(journal)
    for watcher in watchers:
        if watcher.final is not None:
            # Compaction may overtake a watcher that has its snapshot; it must say so, and say why.
            eq(watcher.final.reason, "EXPIRED", watcher.label)
            assert watcher.record.synced is not None, f"{watcher.label} expired within its snapshot"
            meta = watcher.final.metadata
            assert int(meta["requested"]) < int(meta["oldest"]) <= int(meta["head"]), meta
            expired.append(watcher)
        elif watcher.is_alive():
            watcher.wait_rv(head)
        watcher.check(timeline)
    floor = server.client().status().floor
    t.note(f"{head} versions, floor {floor}, {len(watchers)} snapshots, {len(expired)} expired later")
    assert floor > 0, "nothing was compacted"
    assert len(expired) <= len(watchers) // 2, "most watchers were overtaken"


@test
def a_snapshot_resumes_in_its_middle(t):
    """A stream cut within its snapshot goes on behind the last key, at the same version, though objects
    change, appear and vanish meanwhile; also over a restart."""
    server = Server(t).start()
    client = server.client()
    n = 600
    for i in range(n):
        client.put(f"o{i:04}", {"i": i, "pad": "x" * 1500})
    for case in range(rounds(12, short=4)):
        version = client.head()
        state = [(o.name, o.resource_version, o.json) for o in client.list("all")[1]]
        call = client.open(request_for([Sel("all")]))
        events, position = [], b""
        messages = 0
        for message in call:
            messages += 1
            position = message.position
            assert message.WhichOneof("signal") != "synced", "the snapshot came in one piece"
            events += message.events
            if messages > 1 + case % 4:
                break
        call.cancel()
        assert 0 < len(events) < n
        live = []
        for k in range(5):
            live.append(client.put(f"o{t.random.randrange(n):04}", {"case": case, "k": k,
                                                                  "pad": "x" * 1500}))
        client.delete(f"o{case:04}")
        client.put(f"o{case:04}", {"again": case, "pad": "x" * 1500})
        if case % 3 == 2:
            server.restart()
        stream = server.client().watch(Sel("all"), start=position)
        rest, synced = stream.until_synced(20)
        eq(synced, version, "the version of the snapshot")
        eq([(e.object.name, e.object.resource_version, e.object.json) for e in events + rest], state,
           f"case {case}: both parts together")
        got = [stream.event().object.resource_version for _ in range(7)]
        eq(got, list(range(version + 1, version + 8)), "the events behind it")
        stream.cancel()


@test
def the_middle_of_a_snapshot_fits_only_its_selection(t):
    server = Server(t).start()
    client = server.client()
    for i in range(300):
        client.put(f"o{i:04}", {"pad": "x" * 1500})
    call = client.open(request_for([Sel("all")]))
    next(call)
    position = next(call).position
    call.cancel()
    _, error = client.watch(Sel("objects"), start=position).until_end()
    eq((error.code, error.reason), ("INVALID_ARGUMENT", "INVALID"), error.message)


if __name__ == "__main__":
    main()

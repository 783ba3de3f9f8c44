#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Objects whose owners are all gone are deleted in the background, also when the server was killed in
between; orphans lose their reference and stay."""
import contextlib
import json
import sqlite3
import threading
import time

from watchtest import *


def owned(*owners, finalizers=(), **spec):
    refs = [{"apiVersion": "watch/v1", "kind": "Object", "name": name, "uid": uid}
            for name, uid in owners]
    return {"metadata": {"ownerReferences": refs, "finalizers": list(finalizers)}, "spec": spec}


def names(client, resource="all"):
    return sorted(o.name for o in client.list(resource)[1])


def wait_names(client, want):
    try:
        wait_until("collection", lambda: names(client) == want, timeout=10 * SLOW)
    except AssertionError:
        eq(names(client), want)


NOBODY = "01234567-89ab-4cde-8f01-23456789abcd"


@test
def dependents_go_after_their_last_owner_and_chains_are_followed(t):
    client = Server(t).start().client()
    a, b = client.put("a", {}), client.put("b", {}, resource="jobs")
    one = client.put("one", owned(("a", a.uid)))
    client.put("two", owned(("a", a.uid), ("b", b.uid)), resource="flags")
    client.put("chain", owned(("one", one.uid)))
    client.put("end", owned(("chain", client.get("chain") and
                             json.loads(client.get("chain").json)["metadata"]["uid"])))
    client.put("free", {})
    stream = client.watch("all", start="now")
    stream.started()
    client.delete("a")
    wait_names(client, ["b", "free", "two"])
    got = {e.object.name: (e.type, e.cause) for e in (stream.event() for _ in range(5))}
    eq(got, {**{n: (3, 3) for n in ("a", "one", "chain", "end")}, "two": (2, 2)})
    refs = json.loads(client.get("two", resource="flags").json)["metadata"]["ownerReferences"]
    eq([r["uid"] for r in refs], [b.uid], "the owner that is gone is forgotten")
    client.delete("b", resource="jobs", field_manager="ops")
    wait_names(client, ["free"])
    who = [[r.field_manager for r in client.call("History", key=pb.Key(resource=resource, name=name)).revisions]
           for resource, name in (("jobs", "b"), ("flags", "two"))]
    eq(who, [["ops", "unknown"], ["watchd:collector", "watchd:collector", "unknown"]], "who did it")


@test
def a_dependent_is_looked_at_again_when_its_owner_goes_with_the_same_look(t):
    client = Server(t).start().client()
    x = client.put("x", {})
    client.put("y", {})
    client.call("Transact", pb.TransactRequest(operations=[
        pb.Operation(put=pb.PutRequest(
            key=pb.Key(resource="objects", namespace="default", name=name), scope=2,
            json=dumps(owned(owner))))
        for name, owner in (("y", ("x", x.uid)), ("x", ("nobody", NOBODY)))]))
    wait_names(client, [])


@test
def an_owner_is_meant_by_its_uid_and_in_its_namespace(t):
    client = Server(t).start().client()
    a = client.put("a", {})
    client.put("dep", owned(("a", a.uid)))
    client.put("far", owned(("a", a.uid)), namespace="other")
    wait_names(client, ["a", "dep"])
    client.put("never", owned(("nobody", NOBODY)))
    wait_names(client, ["a", "dep"])
    client.delete("a")
    client.put("a", {"again": True})
    wait_names(client, ["a"])


@test
def owners_of_any_name_and_number_are_taken_in_good_order(t):
    client = Server(t).start().client()
    client.put("long", owned(("x" * 300_000, NOBODY)))
    client.put("odd", owned(("No Name", "no uid")))
    wait_names(client, [])
    client.put("many", owned(*[("a", NOBODY)] * 256))
    wait_names(client, [])
    try:
        client.put("more", owned(*[("a", NOBODY)] * 257))
    except WatchError as err:
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["metadata.ownerReferences"]))
    else:
        raise AssertionError("it was taken")


@test
def what_is_not_namespaced_owns_in_every_namespace(t):
    server = Server(t).start()
    client = server.client()
    definition = client.put("sites", {"kind": "Resource", "metadata": {"name": "sites"},
                                      "spec": {"namespaced": False}}, resource="resources")
    site = client.put("main", {}, resource="sites")
    client.put("of-site", owned(("main", site.uid)), namespace="ci")
    client.put("of-definition", owned(("sites", definition.uid)), namespace="ci")
    time.sleep(0.5)
    eq(names(client, {"resource": "all", "namespace": "ci"}), ["of-definition", "of-site"])
    server.restart()
    client = server.client()
    time.sleep(0.5)
    eq(names(client, {"resource": "all", "namespace": "ci"}), ["of-definition", "of-site"], "after a kill")
    client.delete("main", resource="sites")
    wait_names(client, ["of-definition", "sites"])
    client.delete("sites", resource="resources")
    wait_names(client, [])


@test
def finalizers_hold_dependents_and_owners(t):
    client = Server(t).start().client()
    a = client.put("a", {"metadata": {"finalizers": ["x/y"]}})
    client.put("dep", owned(("a", a.uid), finalizers=["x/z"]))
    eq(client.delete("a").result, 2)
    time.sleep(0.3)
    eq(names(client), ["a", "dep"])
    client.patch("a", {"metadata": {"finalizers": None}})
    wait_until("the mark", lambda: "deletionTimestamp" in client.get("dep").json, timeout=10 * SLOW)
    eq(names(client), ["dep"])
    client.patch("dep", {"metadata": {"finalizers": None}})
    wait_names(client, [])


@test
def orphans_stay_without_the_reference(t):
    server = Server(t).start()
    client, cli = server.client(), Cli(server.address)
    a, b = client.put("a", {}), client.put("b", {})
    client.put("one", owned(("a", a.uid)))
    client.put("two", owned(("a", a.uid), ("b", b.uid)))
    head = client.head()
    client.delete("a", propagation=1, dry_run=True)
    eq(client.head(), head)
    client.delete("a", propagation=1)
    server.restart()
    client = server.client()
    time.sleep(1)
    eq(names(client), ["b", "one", "two"])
    assert "ownerReferences" not in client.get("one").json
    eq(json.loads(client.get("two").json)["metadata"]["ownerReferences"][0]["uid"], b.uid)
    wait_until("the scan", lambda: cli.run("delete", "b", "--cascade", "orphan").code == 0)
    time.sleep(0.3)
    eq(names(client), ["one", "two"])
    eq(cli.run("delete", "one", "--cascade", "x").code, 2)


@test
def an_object_that_names_itself_goes_with_one_event(t):
    client = Server(t).start().client()
    a = client.put("a", {})
    client.put("a", owned(("a", a.uid)))
    head = client.head()
    client.delete("a", propagation=1)
    eq((client.head(), names(client)), (head + 1, []))


@test
def as_many_orphans_as_fit_a_batch_are_left_and_more_refused(t):
    server = Server(t).start()
    client = server.client()
    a = client.put("a", {})
    for at in range(0, 512, 64):
        client.call("Transact", operations=[pb.Operation(put=pb.PutRequest(
            key=pb.Key(name=f"d{i}"), scope=2, json=dumps(owned(("a", a.uid))))) for i in range(at, at + 64)])
    try:
        client.delete("a", propagation=1)
    except WatchError as err:
        eq((err.code, err.reason, err.fields), ("RESOURCE_EXHAUSTED", "LIMIT", ["propagation"]))
    else:
        raise AssertionError("it was taken")
    eq(client.head(), 513)
    client.delete("d0")
    # A writer beside it is not in the way, and all is there after a kill.
    stop = threading.Event()
    beside = server.client()

    def write():
        while not stop.is_set():
            beside.put("beside", {"t": time.monotonic()})

    writer = threading.Thread(target=write)
    writer.start()
    eq(client.delete("a", propagation=1).result, 4)
    stop.set()
    writer.join(30 * SLOW)
    client = server.restart().client()
    _, objects = client.list()
    eq(len(objects), 512)
    assert not any("ownerReferences" in o.json for o in objects)


@test
def the_work_is_found_again_after_a_kill(t):
    server = Server(t).start()
    client = server.client()
    n = rounds(600, short=150)
    for i in range(rounds(5, short=2)):
        a = client.put("a", {"i": i})
        keep = client.put("keep", {"i": i})
        for k in range(n):
            client.put(f"d{k}", owned(("a", a.uid)))
        client.put("kept", owned(("a", a.uid), ("keep", keep.uid)))
        client.delete("a")
        server.kill()
        server.start()
        client = server.client()
        wait_names(client, ["keep", "kept"])
        wait_until("the owner that is gone is forgotten", lambda: len(json.loads(
            client.get("kept").json)["metadata"]["ownerReferences"]) == 1)
    head = client.head()
    time.sleep(0.5)
    eq(client.head(), head, "nothing more is done")


@test
def an_object_that_rotted_on_disk_makes_orphaning_say_so(t):
    server = Server(t).start()
    client = server.client()
    a = client.put("a", {})
    client.put("d", owned(("a", a.uid)))
    server.stop()
    with contextlib.closing(sqlite3.connect(server.db)) as db:
        db.execute("UPDATE events SET texts = cast(replace(texts, 'ownerR', 'ownerr') AS BLOB) WHERE rv = 2")
        db.commit()
    server.start()
    client = server.client()

    def refusal():
        try:
            client.delete("a", propagation=1)
        except WatchError as err:
            return err.reason != "UNAVAILABLE" and err
        raise AssertionError("it was taken")

    err = wait_until("the scan is over", refusal)
    eq((err.code, client.head()), ("DATA_LOSS", 2), err.message)
    eq(client.delete("a").result, 4, "without orphans it goes")


if __name__ == "__main__":
    main()

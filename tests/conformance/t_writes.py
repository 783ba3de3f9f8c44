#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Kubernetes' own tests demand of writes (storage/testing/store_tests.go and the registry's), in our
words. The ids in the comments are those of the table in README.md."""
import json
import re
import threading
import time

from watchtest import *

CREATED, UPDATED, UNCHANGED, DELETED = 1, 2, 3, 4
CREATE, UPDATE = 1, 2
MERGE, JSON_PATCH, APPLY = 0, 1, 2


def refused(fn, *args, **kw):
    try:
        fn(*args, **kw)
    except WatchError as err:
        return err
    raise AssertionError("it was not refused")


def doc(answer):
    return json.loads(answer.object.json)


def full(client, name, **kw):
    return json.loads(client.get(name, **kw).json)


# S01, S03
@test
def a_create_sets_what_is_the_servers_and_happens_once(t):
    client = Server(t).start().client()
    made = client.put("a", {"spec": {"n": 1}, "metadata": {"generation": 7, "creationTimestamp": None}},
                      mode=CREATE, return_object=True)
    meta = doc(made)["metadata"]
    eq((made.result, meta["generation"], meta["resourceVersion"]), (CREATED, 1, "1"))
    assert re.fullmatch(r"[0-9a-f-]{36}", meta["uid"]) and meta["creationTimestamp"].endswith("Z")
    err = refused(client.put, "a", {"n": 2}, mode=CREATE)
    eq((err.code, client.head(), full(client, "a")["spec"]), ("ALREADY_EXISTS", 1, {"n": 1}))
    err = refused(client.put, "b", {"metadata": {"resourceVersion": "5"}, "spec": {}}, mode=CREATE)
    eq((err.code, client.head()), ("INVALID_ARGUMENT", 1), "a version of what is to be created")


# S02
@test
def an_object_with_a_time_to_live_ends_as_a_deletion(t):
    client = Server(t).start().client()
    stream = client.watch("objects", start="now")
    stream.started()
    begin = time.monotonic()
    client.put("a", {"n": 1}, ttl_ms=700)
    eq(stream.event().type, 1)
    event = stream.event(timeout=10)
    assert time.monotonic() - begin >= 0.7, "it expired early"
    eq((event.type, event.cause, event.object.name), (3, 4, "a"), "DELETED, cause expired")
    eq(refused(client.get, "a").code, "NOT_FOUND")


# S05, S06, S12
@test
def a_deletion_answers_the_last_state_and_respects_preconditions(t):
    client = Server(t).start().client()
    eq(refused(client.delete, "a").code, "NOT_FOUND")
    made = client.put("a", {"n": 1})
    client.put("a", {"n": 2})
    for pre, field in ((dict(uid="00000000-0000-4000-8000-000000000000"), "metadata.uid"),
                       (dict(resource_version=made.object.resource_version), "metadata.resourceVersion")):
        err = refused(client.delete, "a", precondition=pb.Precondition(**pre))
        eq((err.code, err.reason, err.fields), ("ABORTED", "CONFLICT", [field]))
    eq(client.head(), 2, "nothing changed")
    gone = client.delete("a", return_object=True, precondition=pb.Precondition(uid=made.uid, resource_version=2))
    eq((gone.result, gone.object.resource_version, doc(gone)["spec"]), (DELETED, 3, {"n": 2}))
    again = client.put("a", {"n": 3})
    assert again.uid != made.uid
    err = refused(client.delete, "a", precondition=pb.Precondition(uid=made.uid))
    eq(err.code, "ABORTED", "the object of that uid is gone")


# S32, S33, R01, R02
@test
def what_changes_nothing_writes_nothing(t):
    client = Server(t).start().client()
    err = refused(client.put, "a", {"n": 1}, mode=UPDATE)
    eq(err.code, "NOT_FOUND")
    rv = client.put("a", {"metadata": {"labels": {"a": "b"}}, "spec": {"n": 1, "m": [1, 2]}}).object.resource_version
    stream = client.watch("objects", start="now")
    stream.started()
    for what, write in {
            "put": lambda: client.put("a", {"metadata": {"labels": {"a": "b"}}, "spec": {"m": [1, 2], "n": 1}}),
            "what get answered": lambda: client.put("a", client.get("a").json),
            "merge patch": lambda: client.patch("a", {"spec": {"n": 1}}),
            "JSON Patch": lambda: client.patch("a", [{"op": "replace", "path": "/spec/n", "value": 1}], type=JSON_PATCH),
            "spec": lambda: client.put("a", {"n": 1, "m": [1, 2]}, scope=1)}.items():
        done = write()
        eq((done.result, done.object.resource_version), (UNCHANGED, rv), what)
    stream.silent(0.1)
    eq(client.head(), rv)
    err = refused(client.put, "a", {"metadata": {"resourceVersion": str(rv + 7)}, "spec": {}})
    eq((err.code, int(err.metadata["expected"]), int(err.metadata["actual"])), ("ABORTED", rv + 7, rv))


# S33
@test
def racing_updates_are_both_there(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", {"spec": {}})
    n = rounds(100, short=20)

    def run(who):
        mine = server.client()
        for i in range(n):
            while True:
                now = json.loads(mine.get("a").json)
                now["spec"][who] = i
                try:
                    mine.put("a", now)
                    break
                except WatchError as err:
                    eq(err.reason, "CONFLICT")

    threads = [threading.Thread(target=run, args=(who,)) for who in ("x", "y", "z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eq(full(client, "a")["spec"], {"x": n - 1, "y": n - 1, "z": n - 1})
    eq(client.head(), 1 + 3 * n, "each write once")


# R01 and the rules of generation (k8s-watch 1.11)
@test
def generation_counts_what_is_outside_metadata_and_status(t):
    client = Server(t).start().client()

    def generation(answer):
        return answer.generation

    eq(generation(client.put("a", {"spec": {"n": 1}, "metadata": {}})), 1)
    eq(generation(client.patch("a", {"metadata": {"labels": {"x": "y"}}})), 1)
    eq(generation(client.patch("a", {"status": {"phase": "on"}})), 1)
    eq(generation(client.patch("a", {"spec": {"n": 2}})), 2)
    eq(generation(client.patch("a", {"data": {"n": 2}})), 3)
    client.patch("a", {"metadata": {"finalizers": ["example.com/hold"]}})
    marked = client.delete("a", return_object=True)
    eq((marked.result, generation(marked)), (UPDATED, 4), "when deletion begins")


# Status as a subresource (k8s-watch 1.11)
@test
def each_half_of_the_status_subresource_leaves_the_other_alone(t):
    client = Server(t).start().client()
    client.put("a", {"metadata": {}, "spec": {"n": 1}, "status": {"phase": "new"}})
    client.put("a", {"metadata": {"labels": {"x": "y"}}, "spec": {"n": 9}, "status": {"phase": "on"}}, scope=3)
    got = full(client, "a")
    eq((got["spec"], got["status"], got["metadata"].get("labels")), ({"n": 1}, {"phase": "on"}, None))
    client.put("a", {"metadata": {"labels": {"x": "y"}}, "spec": {"n": 2}, "status": {"phase": "lost"}}, scope=4)
    got = full(client, "a")
    eq((got["spec"], got["status"], got["metadata"]["labels"]), ({"n": 2}, {"phase": "on"}, {"x": "y"}))
    client.patch("a", {"spec": {"n": 3}, "status": {"phase": "off"}}, scope=1)
    got = full(client, "a")
    eq((got["spec"], got["status"]), ({"n": 2}, {"phase": "off"}))
    client.patch("a", {"spec": {"n": 4}, "status": {"phase": "x"}}, scope=2)
    got = full(client, "a")
    eq((got["spec"], got["status"], got["metadata"]["generation"]), ({"n": 4}, {"phase": "off"}, 3))
    eq(refused(client.put, "b", {"status": {}, "metadata": {}}, scope=3).code, "NOT_FOUND", "status of nothing")


# Patches (k8s-watch 1.11)
@test
def json_patches_are_all_or_nothing(t):
    client = Server(t).start().client()
    client.put("a", {"spec": {"list": [1, 2], "n": 1}, "metadata": {}})
    client.patch("a", [{"op": "test", "path": "/spec/n", "value": 1.0}, {"op": "add", "path": "/spec/list/-", "value": 3},
                       {"op": "move", "from": "/spec/n", "path": "/spec/m"},
                       {"op": "copy", "from": "/spec/list/0", "path": "/spec/list/0"},
                       {"op": "remove", "path": "/spec/list/1"}], type=JSON_PATCH)
    eq(full(client, "a")["spec"], {"list": [1, 2, 3], "m": 1})
    head = client.head()
    for patch in ([{"op": "remove", "path": "/spec/m"}, {"op": "test", "path": "/spec/list", "value": []}],
                  [{"op": "remove", "path": "/spec/none"}], [{"op": "add", "path": "/spec/list/9", "value": 1}],
                  [{"op": "odd", "path": "/spec"}], [{"path": "/spec"}], {"op": "add"}, [1],
                  [{"op": "replace", "path": "spec", "value": 1}],
                  [{"op": "add", "path": "/spec/x", "value": 1}] * 10_001):
        err = refused(client.patch, "a", patch, type=JSON_PATCH)
        assert err.code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION") and err.fields, (patch, err)
    eq((client.head(), full(client, "a")["spec"]), (head, {"list": [1, 2, 3], "m": 1}), "nothing changed")
    grow = [{"op": "add", "path": "/spec/x", "value": "y" * 1000}]
    grow += [{"op": "copy", "from": "/spec", "path": f"/spec/x{i}"} for i in range(40)]
    err = refused(client.patch, "a", grow, type=JSON_PATCH)
    eq(client.head(), head, f"a patch that doubles at each step: {err}")


# R04
@test
def finalizers_hold_an_object_until_the_last_is_gone(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", {"metadata": {"finalizers": ["example.com/one", "example.com/two"]}, "spec": {"n": 1}})
    stream = client.watch("objects", start="now")
    stream.started()
    marked = client.delete("a", return_object=True)
    meta = doc(marked)["metadata"]
    assert marked.result == UPDATED and meta["deletionTimestamp"].endswith("Z") and meta["generation"] == 2
    eq((stream.event().type, client.head()), (2, 2), "MODIFIED")
    eq((client.delete("a").result, client.head()), (UNCHANGED, 2), "a second delete is no event")
    err = refused(client.patch, "a", {"metadata": {"finalizers": ["example.com/one", "example.com/two", "example.com/x"]}})
    assert err.code == "INVALID_ARGUMENT" and err.fields and err.fields[0].startswith("metadata.finalizers"), err
    err = refused(client.put, "a", {"n": 9}, mode=CREATE)
    assert err.code == "ALREADY_EXISTS" and "delet" in err.message, err
    server.restart()
    client = server.client()
    got = client.patch("a", {"metadata": {"finalizers": ["example.com/two"], "deletionTimestamp": None}},
                       return_object=True)
    eq((got.result, doc(got)["metadata"]["deletionTimestamp"]), (UPDATED, meta["deletionTimestamp"]),
       "nobody takes the mark away")
    last = client.patch("a", {"metadata": {"finalizers": None}}, return_object=True)
    eq(last.result, DELETED)
    eq(refused(client.get, "a").code, "NOT_FOUND")
    again = client.watch("objects", start=2)
    events = [again.event() for _ in range(2)]
    eq([(e.type, e.object.resource_version) for e in events], [(2, 3), (3, 4)])


# R05
@test
def dependents_follow_their_owner_or_are_orphaned(t):
    client = Server(t).start().client()

    def owned(name, *owners):
        refs = [{"apiVersion": "watch/v1", "kind": "Object", "name": o, "uid": u} for o, u in owners]
        return client.put(name, {"metadata": {"ownerReferences": refs}, "spec": {}}).uid

    a, b = (client.put(name, {"spec": {}, "metadata": {}}).uid for name in ("a", "b"))
    child = owned("child", ("a", a))
    owned("grandchild", ("child", child))
    owned("both", ("a", a), ("b", b))
    client.delete("a")
    wait_until("the dependents are gone",
               lambda: [o.name for o in client.list("objects")[1]] == ["b", "both"], 10)
    client.delete("b", propagation=1)
    wait_until("the reference is taken out", lambda: not any(
        r["uid"] == b for r in full(client, "both")["metadata"].get("ownerReferences", [])), 10)
    time.sleep(0.3)
    eq([o.name for o in client.list("objects")[1]][:1], ["both"], "an orphan stays")


# R06
@test
def a_collection_is_deleted_by_selection_and_told(t):
    client = Server(t).start().client()
    for i in range(30):
        client.put(f"o{i:02}", {"metadata": {"labels": {"odd": str(i % 2)}}, "spec": {"n": i}})
    stream = client.watch("objects", start="now")
    stream.started()
    sel = pb.Selection(resource="objects", label_selector="odd=1")

    def delete(**kw):
        told, token = [], ""
        while True:
            got = client.call("DeleteCollection", selection=sel, limit=4, continue_token=token, **kw)
            told += got.outcomes
            token = got.continue_token
            if not token:
                return [(o.object.name, o.result) for o in told]

    want = [(f"o{i:02}", DELETED) for i in range(1, 30, 2)]
    eq((delete(dry_run=True), client.head()), (want, 30), "dry run")
    client.delete("o01")
    eq(delete(), want[1:])
    eq(delete(), [], "safe to repeat")
    eq([stream.event().object.name for _ in want], [name for name, _ in want], "one DELETED each")
    eq(len(client.list("objects")[1]), 15)


# R09
@test
def generated_names_are_new_each_time(t):
    client = Server(t).start().client()
    names = set()
    for _ in range(rounds(200, short=50)):
        made = client.put("", {"metadata": {"generateName": "run-"}, "spec": {}}, return_object=True)
        name = doc(made)["metadata"]["name"]
        assert re.fullmatch(r"run-[bcdfghjklmnpqrstvwxz2456789]{5}", name), name
        eq(made.object.name, name)
        names.add(name)
    eq(len(names), client.head())


# Apply (k8s-watch 1.11)
@test
def appliers_own_what_they_apply(t):
    client = Server(t).start().client()

    def apply(manager, document, **kw):
        return client.patch("a", document, type=APPLY, field_manager=manager, **kw)

    eq(refused(client.patch, "a", {"spec": {}}, type=APPLY).fields, ["field_manager"])
    eq(apply("one", {"spec": {"x": 1, "both": 1}}).result, CREATED)
    head = client.head()
    eq((apply("one", {"spec": {"x": 1, "both": 1}}).result, client.head()), (UNCHANGED, head))
    eq((apply("two", {"spec": {"both": 1, "y": 2}}).result), UPDATED)
    err = refused(apply, "two", {"spec": {"both": 2, "x": 3, "y": 2}})
    eq((err.code, err.reason), ("ABORTED", "CONFLICT"))
    eq(sorted(err.fields), [".spec.both", ".spec.x"] if err.fields[0].startswith(".") else ["spec.both", "spec.x"])
    assert "one" in err.message, err
    apply("two", {"spec": {"both": 2, "y": 2}}, force=True)
    apply("one", {"spec": {"x": 1}})
    eq(full(client, "a")["spec"], {"x": 1, "both": 2, "y": 2}, "what another owns stays")
    apply("two", {"spec": {"both": 2}})
    eq(full(client, "a")["spec"], {"x": 1, "both": 2}, "what nobody applies any more goes")
    assert "managedFields" not in full(client, "a")["metadata"]
    shown = full(client, "a", show_managed_fields=True)["metadata"]["managedFields"]
    eq(sorted(m["manager"] for m in shown), ["one", "two"])
    client.put("a", {"both": 7}, scope=1, field_manager="three")
    eq(refused(apply, "two", {"spec": {"both": 2}}).reason, "CONFLICT", "a put takes over what it changes")


# Dry run (k8s-watch 1.11)
@test
def a_dry_run_answers_as_the_write_would_and_does_nothing(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1})
    for version, write in (
            (0, lambda: client.put("b", {"n": 1}, dry_run=True, mode=CREATE, return_object=True)),
            (1, lambda: client.put("a", {"n": 2}, dry_run=True, return_object=True)),
            (1, lambda: client.patch("a", {"metadata": {"labels": {"x": "y"}}}, dry_run=True, return_object=True)),
            (1, lambda: client.delete("a", dry_run=True, return_object=True))):
        answer = write()
        shown = json.loads(answer.object.json)["metadata"]
        eq((answer.object.resource_version, shown.get("resourceVersion")), (version, str(version) if version else None))
    for write in (lambda: client.put("b", {"n": 1}, dry_run=True, mode=CREATE),
                  lambda: client.put("a", {"n": 2}, dry_run=True),
                  lambda: client.patch("a", {"spec": {"n": 3}}, dry_run=True),
                  lambda: client.patch("a", [{"op": "add", "path": "/spec/x", "value": 1}], type=JSON_PATCH, dry_run=True),
                  lambda: client.patch("a", {"spec": {"z": 1}}, type=APPLY, field_manager="m", dry_run=True),
                  lambda: client.delete("a", dry_run=True)):
        assert write().result in (CREATED, UPDATED, DELETED)
        eq((client.head(), full(client, "a")["spec"]), (1, {"n": 1}))
    eq(refused(client.put, "a", {"n": 1}, dry_run=True, mode=CREATE).code, "ALREADY_EXISTS")


# H09, R11
@test
def options_are_validated(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1})
    key = dict(key=pb.Key(name="a"))
    cases = [
        (lambda: client.put("a", {"n": 1}, ttl_ms=5, no_ttl=True), ("ttl_ms", "no_ttl")),
        (lambda: client.patch("a", {}, force=True), ("force",)),
        (lambda: client.patch("a", {}, type=APPLY, field_manager="x" * 129), ("field_manager",)),
        (lambda: client.patch("a", {}, type=APPLY, field_manager="a\nb"), ("field_manager",)),
        (lambda: client.put("a", {"n": 1}, request_id=b"short"), ("request_id",)),
        (lambda: client.call("Put", json='{"a":1,"a":2}', **key), ("json",)),
        (lambda: client.call("Put", json='{"metadata":{"labels":{"a":1}}}', **key), ('metadata.labels["a"]', "metadata.labels.a")),
        (lambda: client.call("Put", json='{"metadata":{"finalizers":"x"}}', **key), ("metadata.finalizers",)),
        (lambda: client.call("Put", json='{"metadata":{"ownerReferences":[{"name":"x"}]}}', **key),
         ("metadata.ownerReferences[0].apiVersion", "metadata.ownerReferences[0].uid", "metadata.ownerReferences[0].kind")),
        (lambda: client.call("Put", json="[" * 5000 + "]" * 5000, **key), ("json",)),
    ]
    for i, (call, fields) in enumerate(cases):
        err = refused(call)
        eq((err.code, client.head()), ("INVALID_ARGUMENT", 1), f"case {i}: {err}")
        assert err.fields and err.fields[0] in fields, f"case {i}: {err.fields} {err}"


# Transactions: no scenario of Kubernetes; what etcd's txn and DESIGN demand
@test
def a_transaction_is_all_or_nothing_and_one_response(t):
    client = Server(t).start().client()
    stream = client.watch("objects", start="now")
    stream.started()

    def put(name, n, **kw):
        return pb.Operation(put=pb.PutRequest(key=pb.Key(name=name), json=dumps({"spec": {"n": n}}), **kw))

    done = client.call("Transact", operations=[put(f"o{i}", i) for i in range(5)])
    eq(([o.object.resource_version for o in done.outcomes], done.resource_version, client.head()),
       ([1, 2, 3, 4, 5], 5, 5))
    message = next(m for m in iter(stream.message, None) if m.events)
    eq([e.object.name for e in message.events], [f"o{i}" for i in range(5)], "in one response")
    err = refused(client.call, "Transact", operations=[put("o1", 9), put("new", 1, mode=UPDATE)])
    eq((err.code, client.head()), ("NOT_FOUND", 5))
    assert err.fields and err.fields[0].startswith("operations[1]") or "operations[1]" in err.message, err
    err = refused(client.call, "Transact", operations=[put("o1", 9), put("o1", 8)])
    eq((err.code, client.head()), ("INVALID_ARGUMENT", 5), "two of one key")
    err = refused(client.call, "Transact", operations=[put(f"x{i}", i) for i in range(101)])
    eq((err.code, client.head()), ("INVALID_ARGUMENT", 5), "too many")
    for rv in (1, 4):
        err = refused(client.page, "objects", resource_version=rv, version_match=2)
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["resource_version"]), f"inside, {rv}")
        assert "version 5, which shows all of it; there was nothing before it" in err.message, err.message
    rest = client.watch("objects", start=2)
    eq([rest.event().object.resource_version for _ in range(3)], [3, 4, 5], "SINCE inside gives the rest")


if __name__ == "__main__":
    main()

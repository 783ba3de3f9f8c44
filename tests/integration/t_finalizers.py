#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Deletion waits for finalizers: marked first, gone with the last of them; over a kill of the server,
in every kind of write, and in watches of selections."""
import json
import os

from watchtest import *

CREATED, UPDATED, UNCHANGED, DELETED = 1, 2, 3, 4
ADDED, MODIFIED, GONE = 1, 2, 3


def waiting(*finalizers, labels=None, spec=None):
    return {"metadata": {"finalizers": list(finalizers or ("x.io/a", "x.io/b")), "labels": labels or {}},
            "spec": spec or {"n": 1}}


def refusal(call):
    try:
        call()
    except WatchError as err:
        return err
    raise AssertionError("it was taken")


def document(answer):
    return json.loads(answer.object.json)


@test
def marked_then_gone_with_the_last_finalizer(t):
    client = Server(t).start().client()
    stream = client.watch("all", start="now", previous=True)
    stream.started()
    client.put("a", waiting())
    stream.event()
    answer = client.delete("a", return_object=True)
    eq((answer.result, answer.object.resource_version, answer.generation), (UPDATED, 2, 2))
    since = document(answer)["metadata"]["deletionTimestamp"]
    event = stream.event()
    eq((event.type, event.cause, event.object.resource_version), (MODIFIED, 2, 2))
    eq(json.loads(event.object.json)["metadata"]["deletionTimestamp"], since)
    assert "deletionTimestamp" not in event.previous.json
    # Deleting it again is nothing new.
    again = client.delete("a", return_object=True)
    eq((again.result, again.object.resource_version, again.object.json),
       (UNCHANGED, 2, answer.object.json))
    # It is there, and it can be written.
    eq(json.loads(client.get("a").json)["metadata"]["deletionTimestamp"], since)
    eq(client.put("a", {"n": 2}).result, UPDATED)
    eq(stream.event().object.resource_version, 3)
    answer = client.patch("a", {"metadata": {"finalizers": ["x.io/b"]}}, return_object=True)
    eq((answer.result, answer.generation), (UPDATED, 3))
    eq(document(answer)["metadata"]["deletionTimestamp"], since)
    before = stream.event().object.json
    last = client.patch("a", {"metadata": {"finalizers": None}, "spec": {"n": 9}}, return_object=True)
    eq((last.result, last.object.resource_version), (DELETED, 5))
    event = stream.event()
    eq((event.type, event.cause, event.object.resource_version), (GONE, 3, 5))
    eq(event.object.json, last.object.json, "the last state")
    eq(event.object.json, before.replace('"resourceVersion":"4"', '"resourceVersion":"5"'))
    eq(event.previous.resource_version, 4)
    eq(refusal(lambda: client.get("a")).code, "NOT_FOUND")
    eq(refusal(lambda: client.delete("a")).code, "NOT_FOUND")
    eq(client.put("a", {"n": 1}, mode=1).result, CREATED)


@test
def the_mark_is_the_servers_alone(t):
    client = Server(t).start().client()
    when = "2020-01-01T00:00:00Z"
    answer = client.put("a", {"metadata": {"deletionTimestamp": when}, "spec": {}}, return_object=True)
    assert "deletionTimestamp" not in answer.object.json
    eq(client.patch("a", {"metadata": {"deletionTimestamp": when}}).result, UNCHANGED)
    eq(client.patch("a", [{"op": "add", "path": "/metadata/deletionTimestamp", "value": when}],
                    type=1).result, UNCHANGED)
    client.put("b", waiting())
    marked = document(client.delete("b", return_object=True))
    for other in (when, None):
        eq(client.patch("b", {"metadata": {"deletionTimestamp": other}}).result, UNCHANGED)
        changed = json.loads(json.dumps(marked))
        changed["metadata"]["deletionTimestamp"] = other
        eq(client.put("b", changed).result, UNCHANGED)
    eq(client.patch("b", [{"op": "remove", "path": "/metadata/deletionTimestamp"}], type=1).result,
       UNCHANGED)
    eq(json.loads(client.get("b").json), marked)


@test
def none_is_added_meanwhile_and_the_name_is_taken(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", waiting())
    client.delete("a")
    stream = client.watch("all", start="now")
    stream.started()
    before = client.list("all")
    more = ["x.io/a", "x.io/b", "x.io/c"]
    for call, field in (
            (lambda: client.put("a", waiting(*more)), "metadata.finalizers[2]"),
            (lambda: client.put("a", waiting("x.io/new")), "metadata.finalizers[0]"),
            (lambda: client.patch("a", {"metadata": {"finalizers": more}}), "metadata.finalizers[2]"),
            (lambda: client.patch("a", [{"op": "add", "path": "/metadata/finalizers/0",
                                         "value": "x.io/c"}], type=1), "metadata.finalizers[0]")):
        err = refusal(call)
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", [field]), err.message)
        assert "being deleted" in err.message, err.message
    for scope in (0, 2, 4):
        err = refusal(lambda: client.put("a", waiting(), mode=1, scope=scope))
        eq((err.code, err.reason), ("ALREADY_EXISTS", "ALREADY_EXISTS"))
        assert "being deleted" in err.message, err.message
    err = refusal(lambda: client.delete("a", precondition=pb.Precondition(resource_version=1)))
    eq((err.code, err.metadata), ("ABORTED", {"expected": "1", "actual": "2"}))
    eq(client.delete("a", dry_run=True).result, UNCHANGED)
    eq(client.patch("a", {"metadata": {"finalizers": None}}, dry_run=True).result, DELETED)
    eq(client.list("all"), before)
    stream.silent(0.2)
    eq(server.restart().client().list("all"), before)


@test
def a_dry_run_marks_nothing(t):
    client = Server(t).start().client()
    client.put("a", waiting())
    answer = client.delete("a", dry_run=True, return_object=True)
    eq(answer.result, UPDATED)
    assert "deletionTimestamp" in answer.object.json
    assert "deletionTimestamp" not in client.get("a").json
    eq(client.head(), 1)


@test
def the_wait_goes_on_over_a_kill(t):
    server = Server(t).start()
    client = server.client()
    watch = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True)
    ids = [os.urandom(16) for _ in range(2)]
    for i in range(3):
        client.put(f"o{i}", waiting("x.io/a"))
    first = client.delete("o1", request_id=ids[0], return_object=True)
    server.restart()
    client = server.client()
    eq(client.delete("o1", request_id=ids[0], return_object=True), first, "the repeat")
    eq(client.delete("o1").result, UNCHANGED)
    eq(client.get("o1").json, first.object.json)
    last = client.patch("o1", {"metadata": {"finalizers": []}}, request_id=ids[1], return_object=True)
    eq(last.result, DELETED)
    server.restart()
    client = server.client()
    eq(client.patch("o1", {"metadata": {"finalizers": []}}, request_id=ids[1], return_object=True),
       last, "the repeat of the end")
    eq([o.name for o in client.list("objects")[1]], ["o0", "o2"])
    eq(client.head(), 5)
    watch.wait_rv(5)
    eq([e[1] for e in watch.record.events()], [1, 2, 3, 4, 5])


@test
def many_deletions_wait_at_once_and_end_in_any_order(t):
    """Each object goes exactly with its own last finalizer, whatever is in the same batch."""
    server = Server(t).start()
    client = server.client()
    n = rounds(60, short=20)
    left = {f"o{i:03}": t.random.sample(["a/a", "b/b", "c/c"], t.random.randint(1, 3))
            for i in range(n)}
    for name, finalizers in left.items():
        client.put(name, waiting(*finalizers))
    stream = client.watch("all", start="now")
    stream.started()
    eq([o.result for o in client.call("DeleteCollection", selection=pb.Selection()).outcomes],
       [UPDATED] * n)
    eq([stream.event().type for _ in range(n)], [MODIFIED] * n)
    eq([o.result for o in client.call("DeleteCollection", selection=pb.Selection()).outcomes],
       [UNCHANGED] * n)
    gone = []
    while left:
        name = t.random.choice(sorted(left))
        left[name].pop(t.random.randrange(len(left[name])))
        answer = client.patch(name, {"metadata": {"finalizers": left[name]}})
        event = stream.event()
        if left[name]:
            eq((answer.result, event.type), (UPDATED, MODIFIED))
        else:
            eq((answer.result, event.type, event.object.name), (DELETED, GONE, name))
            gone.append(name)
            del left[name]
        if t.random.random() < 0.02:
            server.restart()
            client = server.client()
            stream = client.watch("all", start=client.head())
            stream.started()
    eq(len(gone), n)
    eq(client.list("all")[1], [])


@test
def a_selection_sees_the_object_leave_and_go(t):
    """Who marks may also relabel; a watch by label sees it leave then, and nothing of the end."""
    client = Server(t).start().client()
    client.put("a", waiting("x.io/a", labels={"on": "y"}))
    on = client.watch(pb.Selection(label_selector="on=y"), start="now")
    all_ = client.watch("all", start="now")
    for stream in (on, all_):
        stream.started()
    client.delete("a")
    eq([s.event().type for s in (on, all_)], [MODIFIED, MODIFIED])
    client.patch("a", {"metadata": {"labels": {"on": None}}})
    eq([(e.type, e.cause) for e in (on.event(), all_.event())], [(GONE, 6), (MODIFIED, 2)])
    client.patch("a", {"metadata": {"finalizers": None}})
    event = all_.event()
    eq((event.type, event.cause), (GONE, 3))
    on.silent(0.2)


@test
def a_selection_of_what_lives_is_left_when_the_deletion_begins(t):
    """Live, replayed, and as a state: the mark is a change like others to a field selector."""
    server = Server(t).start()
    client = server.client()
    live = pb.Selection(field_selector="metadata.deletionTimestamp=")
    dying = pb.Selection(field_selector="metadata.deletionTimestamp!=")
    want = {"live": [], "dying": []}
    client.put("other", {"n": 1})
    start = client.head()
    client.put("a", waiting("x.io/a"))
    streams = [client.watch(s, start=start, previous=True) for s in (live, dying)]
    for stream in streams:
        stream.started()
    before = client.get("a").json
    marked = client.delete("a", return_object=True).object
    eq([o.name for o in client.list(live)[1]], ["other"])
    eq([o.name for o in client.list(dying)[1]], ["a"])
    client.put("a", {"n": 2})
    client.patch("a", {"metadata": {"finalizers": None}})
    want["live"] = [(ADDED, 1, 2), (GONE, 6, 3)]
    want["dying"] = [(ADDED, 5, 3), (MODIFIED, 2, 4), (GONE, 3, 5)]
    for round in ("live", "replayed", "after a kill"):
        for stream, name in zip(streams, ("live", "dying")):
            events = [stream.event() for _ in want[name]]
            eq([(e.type, e.cause, e.object.resource_version) for e in events], want[name],
               f"{name}, {round}")
            stream.silent(0.1)
            shown = events[1 if name == "live" else 0].object.json
            eq(shown, before.replace('"resourceVersion":"2"', '"resourceVersion":"3"')
               if name == "live" else marked.json)
        if round == "replayed":
            server.restart()
            client = server.client()
        streams = [client.watch(s, start=start, previous=True) for s in (live, dying)]
        for stream in streams:
            stream.started()


@test
def in_a_transaction_too(t):
    """What is marked, and what goes, is one whole with the rest."""
    client = Server(t).start().client()
    client.put("a", waiting("x.io/a"))
    client.put("b", waiting("x.io/a"))
    stream = client.watch("all", start="now")
    stream.started()

    def key(name):
        return pb.Key(name=name)

    client.delete("b")
    eq(stream.event().type, MODIFIED)
    answer = client.call("Transact", operations=[
        pb.Operation(delete=pb.DeleteRequest(key=key("a"))),
        pb.Operation(patch=pb.PatchRequest(key=key("b"), json='{"metadata":{"finalizers":[]}}')),
        pb.Operation(put=pb.PutRequest(key=key("c"), json='{"n":1}', scope=1))])
    eq([o.result for o in answer.outcomes], [UPDATED, DELETED, CREATED])
    eq([(e.type, e.object.name) for e in (stream.event(), stream.event(), stream.event())],
       [(MODIFIED, "a"), (GONE, "b"), (ADDED, "c")])
    before = client.list("all")
    for op, field in (
            (pb.Operation(patch=pb.PatchRequest(key=key("a"), json=dumps(
                {"metadata": {"finalizers": ["x.io/a", "x.io/b"]}}))),
             "operations[1].patch.metadata.finalizers[1]"),
            (pb.Operation(put=pb.PutRequest(key=key("J_"), json="{}", scope=1, generate_name=True)),
             "operations[1].put.key.name"),
            (pb.Operation(patch=pb.PatchRequest(key=key("a"), type=1, json=dumps(
                [{"op": "test", "path": "/spec/n", "value": 9}]))),
             "operations[1].patch.json[0].value")):
        err = refusal(lambda: client.call("Transact", operations=[
            pb.Operation(delete=pb.DeleteRequest(key=key("c"))), op]))
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", [field]), err.message)
    eq(client.list("all"), before)


@test
def watchctl_tells_it(t):
    server = Server(t).start()
    cli = Cli(server.address)
    document = t.file("a.yaml", "metadata:\n  name: a\n  finalizers: [x.io/a]\nspec: {n: 1}\n")
    cli.ok("put", "-f", document)
    eq(cli.ok("delete", "a").out,
       "objects/a marked for deletion, waits for its finalizers (version 2)\n")
    eq(cli.ok("delete", "objects", "--all").out,
       "objects/a marked for deletion already, waits for its finalizers (version 2)\n")
    result = cli.run("put", "a", "{}", "--if-absent")
    eq(result.code, 4)
    assert "being deleted" in result.err, result
    eq(cli.ok("put", "a", '{"n":2}').out, "objects/a updated (version 3)\n")
    eq(cli.ok("patch", "a", '{"metadata":{"finalizers":null}}').out, "objects/a deleted (version 4)\n")
    uid = cli.ok("put", "b", "{}", "-o", "json").json["metadata"]["uid"]
    other = "00000000-0000-4000-8000-000000000000"
    for args in (("put", "b", '{"n":1}'), ("patch", "b", '{"spec":{"n":1}}'), ("delete", "b")):
        result = cli.run(*args, "--if-uid", other)
        eq(result.code, 4)
        assert other in result.err and uid in result.err, result
        eq(cli.run(*args, "--if-uid", "x").code, 2)
        result = cli.run(*args, "--if-rv", "4")
        eq(result.code, 4)
        assert "version 5, not 4" in result.err, result
    cli.ok("put", "b", '{"n":1}', "--if-uid", uid)
    cli.ok("patch", "b", '{"spec":{"n":2}}', "--if-uid", uid, "--if-rv", "6")
    cli.ok("delete", "b", "--if-uid", uid)


if __name__ == "__main__":
    main()

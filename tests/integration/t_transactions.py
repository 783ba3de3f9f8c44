#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A transaction is done whole or not at all, for readers, for watchers, over a kill of the server; and
a repeat of it does nothing."""
import json
import os
import re
import threading

from watchtest import *


def key(name, resource="objects", namespace="default"):
    return pb.Key(resource=resource, namespace=namespace, name=name)


def put(name, doc, resource="objects", **kw):
    return pb.Operation(put=pb.PutRequest(key=key(name, resource), json=dumps(doc), scope=2, **kw))


def patch(name, doc, **kw):
    return pb.Operation(patch=pb.PatchRequest(key=key(name), json=dumps(doc), **kw))


def delete(name, resource="objects", **kw):
    return pb.Operation(delete=pb.DeleteRequest(key=key(name, resource), **kw))


def check(name, rv=0, uid=""):
    pre = pb.Precondition(resource_version=rv, uid=uid) if rv or uid else None
    return pb.Operation(check=pb.Check(key=key(name), precondition=pre))


def transact(client, *ops, **kw):
    return client.call("Transact", pb.TransactRequest(operations=ops, **kw), timeout=30)


def results(answer):
    return [(o.object.name, o.result, o.object.resource_version) for o in answer.outcomes]


def refused(client, ops, code, field, **kw):
    before = client.list()
    try:
        transact(client, *ops, **kw)
    except WatchError as err:
        eq(err.code, code, err.message)
        if field is not None:
            eq(err.fields, [field] if field else [], err.message)
        eq(client.list(), before, "after a refusal")
        return err
    raise AssertionError("it was taken")


@test
def all_of_it_is_done_in_one_response(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1})
    rv = client.put("gone", {"n": 1}).object.resource_version
    stream = client.watch("all", start="now", previous=True)
    stream.started()
    answer = transact(client, put("b", {"n": 1}), patch("a", {"spec": {"n": 2}}), delete("gone"),
                      put("job", {"x": 1}, resource="jobs"), return_objects=True)
    eq(results(answer), [("b", 1, 3), ("a", 2, 4), ("gone", 4, 5), ("job", 1, 6)])
    eq(answer.resource_version, 6)
    eq(json.loads(answer.outcomes[1].object.json)["spec"], {"n": 2})
    message = stream.message()
    eq([(e.type, e.object.name, e.object.resource_version) for e in message.events],
       [(1, "b", 3), (2, "a", 4), (3, "gone", 5), (1, "job", 6)])
    eq(message.events[2].previous.resource_version, rv)
    after = client.watch("all", start=message.position)
    after.started()
    client.put("later", {})
    eq(after.event().object.name, "later")


@test
def one_that_fails_undoes_all(t):
    client = Server(t).start().client()
    a = client.put("a", {"n": 1})
    head = client.head()
    err = refused(client, [put("new", {}), patch("a", {"spec": {"n": 2}},
                                                 precondition=pb.Precondition(resource_version=99))],
                  "ABORTED", "operations[1].patch.metadata.resourceVersion")
    eq((err.reason, sorted(err.metadata.values())), ("CONFLICT", ["1", "99"]))
    refused(client, [put("new", {}), delete("missing")], "NOT_FOUND", None)
    refused(client, [put("new", {}), put("a", {}, mode=1)], "ALREADY_EXISTS", None)
    refused(client, [put("new", {}), put("other", {}, mode=2)], "NOT_FOUND", None)
    refused(client, [put("new", {}), check("a")], "ALREADY_EXISTS", None)
    refused(client, [put("new", {}), check("a", rv=a.object.resource_version + 1)], "ABORTED",
            "operations[1].check.metadata.resourceVersion")
    refused(client, [put("new", {}), check("missing", rv=3)], "NOT_FOUND", None)
    refused(client, [put("new", {}), put("bad", {"metadata": {"labels": {"a": 1}}})],
            "INVALID_ARGUMENT", None)
    eq(client.head(), head)
    ok = transact(client, check("a", rv=a.object.resource_version, uid=a.uid), check("missing"),
                  put("new", {"n": 1}))
    eq(results(ok), [("a", 3, 1), ("missing", 3, 0), ("new", 1, 2)])


@test
def bad_requests_name_the_operation(t):
    client = Server(t).start().client()
    some = put("a", {})
    for ops, code, field in [
            ([], "INVALID_ARGUMENT", "operations"),
            ([put(f"o{i}", {}) for i in range(101)], "INVALID_ARGUMENT", "operations"),
            ([some, pb.Operation()], "INVALID_ARGUMENT", "operations[1]"),
            ([some, put("b", {}), delete("a")], "INVALID_ARGUMENT", "operations[2].delete.key"),
            ([some, put("B!", {})], "INVALID_ARGUMENT", "operations[1].put.key.name"),
            ([some, put("B-", {}, generate_name=True)], "INVALID_ARGUMENT",
             "operations[1].put.key.name"),
            ([some, put("b-", {}, generate_name=True, mode=2)], "INVALID_ARGUMENT",
             "operations[1].put.mode"),
            ([some, put("b", {}, request_id=bytes(16))], "INVALID_ARGUMENT",
             "operations[1].put.request_id"),
            ([some, patch("b", {}, dry_run=True)], "INVALID_ARGUMENT",
             "operations[1].patch.dry_run"),
            ([some, delete("b", return_object=True)], "INVALID_ARGUMENT",
             "operations[1].delete.return_object"),
            ([some, put("b", {"metadata": {"labels": {"a": 1}}})], "INVALID_ARGUMENT", None),
            ([put("a", {"x": "y" * 527000}), put("b", {"x": "y" * 527000})], "INVALID_ARGUMENT",
             "operations")]:
        err = refused(client, ops, code, field)
        if field is None:
            assert err.fields[0].startswith("operations[1].put."), err.fields
    refused(client, [some], "INVALID_ARGUMENT", "request_id", request_id=b"x")
    eq(client.head(), 0)


@test
def a_dry_run_changes_nothing(t):
    client = Server(t).start().client()
    client.put("a", {"n": 1})
    client.put("c", {"n": 1})
    answer = transact(client, put("b", {}), delete("a"), patch("c", {"spec": {"n": 2}}), dry_run=True,
                      return_objects=True)
    eq([(o.object.name, o.result, o.object.resource_version) for o in answer.outcomes],
       [("b", 1, 0), ("a", 4, 1), ("c", 2, 2)])
    eq([json.loads(o.object.json)["metadata"].get("resourceVersion") for o in answer.outcomes], [None, "1", "2"])
    eq((client.head(), len(client.list()[1])), (2, 2))
    refused(client, [put("b", {}), delete("missing")], "NOT_FOUND", None, dry_run=True)


@test
def a_repeat_gets_the_first_answer(t):
    server = Server(t).start()
    client = server.client()
    client.put("same", {"n": 1})
    client.put("old", {"n": 1})
    rid, unchanged = os.urandom(16), os.urandom(16)
    ops = [put("a", {"n": 1}), put("same", {"n": 1}), delete("old"), check("none")]
    first = transact(client, *ops, request_id=rid, return_objects=True)
    eq(results(first), [("a", 1, 3), ("same", 3, 1), ("old", 4, 4), ("none", 3, 0)])
    eq(transact(client, *ops, request_id=rid, return_objects=True), first)
    none = transact(client, put("same", {"n": 1}), request_id=unchanged)
    eq((results(none), none.resource_version), ([("same", 3, 1)], 4))
    client.put("a", {"n": 5})
    client.put("same", {"n": 6})
    client.put("old", {"n": 7})
    client.put("none", {"n": 8})
    eq(transact(client, *ops, request_id=rid, return_objects=True), first, "later")
    eq(transact(client, put("same", {"n": 1}), request_id=unchanged), none, "later")
    server.restart()
    client = server.client()
    eq(transact(client, *ops, request_id=rid, return_objects=True), first, "after a kill")
    eq(client.head(), 8)


@test
def names_are_generated(t):
    server = Server(t).start()
    client = server.client()
    stream = client.watch("all", start="now")
    stream.started()
    rid = os.urandom(16)
    ops = [put("job-", {"n": 1}, generate_name=True), put("job-", {"n": 2}, generate_name=True),
           put("", {"metadata": {"generateName": "run-"}, "spec": {}}, resource="runs"), put("a", {})]
    first = transact(client, *ops, request_id=rid, return_objects=True)
    made = [o.object.name for o in first.outcomes]
    assert all(re.fullmatch(p + "[bcdfghjklmnpqrstvwxz2456789]{5}", n) for n, p in zip(made, ("job-", "job-", "run-"))), made
    assert made[0] != made[1] and made[3] == "a"
    eq([(o.result, o.object.resource_version, json.loads(o.object.json)["metadata"]["name"]) for o in first.outcomes],
       [(1, i + 1, n) for i, n in enumerate(made)])
    eq([e.object.name for e in stream.message().events], made)
    eq(transact(client, *ops, request_id=rid, return_objects=True), first)
    refused(client, [put("job-", {}, generate_name=True), put("b", {})], "INVALID_ARGUMENT", "request_id", request_id=rid)
    client.put(made[0], {"n": 9})
    client = server.restart().client()
    eq(transact(client, *ops, request_id=rid, return_objects=True), first, "after a kill")
    eq(client.head(), 5)
    refused(client, [put("x-", {}, generate_name=True), delete("missing")], "NOT_FOUND", None)
    dry = transact(client, put("x-", {}, generate_name=True), dry_run=True)
    assert dry.outcomes[0].object.name.startswith("x-") and client.head() == 5


def owned(uid, name="a"):
    ref = {"apiVersion": "watch/v1", "kind": "Object", "name": name, "uid": uid}
    return {"metadata": {"ownerReferences": [ref]}, "spec": {}}


def owners(client, name):
    return json.loads(client.get(name).json)["metadata"].get("ownerReferences")


@test
def dependents_are_left_in_it(t):
    server = Server(t).start()
    client = server.client()
    a = client.put("a", {})
    client.put("d1", owned(a.uid))
    client.put("d2", owned(a.uid))
    rid = os.urandom(16)
    refused(client, [delete("a", propagation=1), delete("missing")], "NOT_FOUND", None)
    eq(owners(client, "d1")[0]["uid"], a.uid)
    dry = transact(client, delete("a", propagation=1), dry_run=True)
    eq((results(dry), client.head()), ([("a", 4, 1)], 3))
    stream = client.watch("all", start="now")
    stream.started()
    # One of the dependents is made in the transaction, another is changed in it.
    ops = [put("d3", owned(a.uid)), delete("a", propagation=1), patch("d2", {"spec": {"n": 2}}), put("b", {})]
    first = transact(client, *ops, request_id=rid)
    eq([o.result for o in first.outcomes], [1, 4, 2, 1])
    events = stream.message().events
    eq([e.object.resource_version for e in events], list(range(4, first.resource_version + 1)), "in one response")
    eq(sorted(e.object.name for e in events), sorted(["d1", "d2", "d2", "d3", "d3", "a", "b"]))
    eq(transact(client, *ops, request_id=rid), first)
    for name in ("d1", "d2", "d3"):
        eq(owners(client, name), None)
    client = server.restart().client()
    eq(transact(client, *ops, request_id=rid), first, "after a kill")
    eq(sorted(o.name for o in client.list()[1]), ["b", "d1", "d2", "d3"])
    for rv in range(4, first.resource_version):
        try:
            client.page("objects", resource_version=rv, version_match=2)
            raise AssertionError("half of it was shown")
        except WatchError as err:
            assert f"{first.resource_version}, which shows all of it, or 3, which was before" in err.message, err.message


@test
def too_many_dependents_for_one_transaction_are_refused(t):
    client = Server(t).start().client()
    uids = [client.put(f"a{k}", {}).uid for k in range(3)]
    for k in range(3):
        for i in range(0, 90, 30):
            transact(client, *[put(f"d{k}-{j}", owned(uids[k], f"a{k}")) for j in range(i, i + 30)])
    refused(client, [delete(f"a{k}", propagation=1) for k in range(3)], "RESOURCE_EXHAUSTED",
            "operations[2].delete.propagation")
    two = transact(client, *[delete(f"a{k}", propagation=1) for k in range(2)])
    eq((two.resource_version, [o.result for o in two.outcomes]), (273 + 182, [4, 4]))
    stream = client.watch("all", start=273)
    stream.started()
    eq(len(stream.message().events), 182, "in one response")


@test
def an_id_is_for_one_transaction(t):
    client = Server(t).start().client()
    rid = os.urandom(16)
    transact(client, put("a", {}), put("b", {}), request_id=rid)
    refused(client, [put("x", {}), put("y", {})], "INVALID_ARGUMENT", "request_id", request_id=rid)
    try:
        client.put("a", {"n": 1}, request_id=rid)
    except WatchError as err:
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["request_id"]))
    else:
        raise AssertionError("the id was used twice")


@test
def a_large_one_comes_in_one_response_that_fits(t):
    """100 objects, near the limit of bytes before and after, with the objects before."""
    client = Server(t).start().client()
    small = 10200
    docs = lambda c: [put(f"o{i:02}", {"x": c * small}) for i in range(100)]
    transact(client, *docs("a"))
    default = Client(client.target, options=[("grpc.max_receive_message_length", 4 << 20)])
    live = default.watch("all", start="now", previous=True)
    live.started()
    transact(client, *docs("b"))
    transact(client, *[delete(f"o{i:02}") for i in range(100)])
    for stream in (live, default.watch("all", start=100, previous=True)):
        if stream is not live:
            stream.started()
        eq([len(stream.message(30).events) for _ in range(2)], [100, 100])
    past = default.watch("all", start=140)
    past.started()
    eq(len(past.message(30).events), 60, "the rest of what began before")
    for i in range(3):
        client.put(f"big{i}", {"x": "y" * 600000})
    refused(client, [delete(f"big{i}") for i in range(3)], "INVALID_ARGUMENT", "operations")
    refused(client, [put(f"big{i}", {"x": 1}) for i in range(3)], "INVALID_ARGUMENT", "operations")
    refused(client, [patch(f"big{i}", {"spec": {"z": 1}}) for i in range(3)], "INVALID_ARGUMENT",
            "operations")
    transact(client, delete("big0"))
    default.close()


@test
def nobody_ever_sees_half_of_one(t):
    """Writers move a fixed sum between accounts; the server is killed again and again. Lists, snapshots
    and every message of every watch keep the sum."""
    server = Server(t).start()
    n, money = 8, 100
    client = server.client()
    transact(client, *[put(f"acc{i}", {"v": money}) for i in range(n)])
    stop = threading.Event()
    bad, moved = [], [0]

    def write(seed):
        c, r = server.client(), __import__("random").Random(seed)
        while not stop.is_set():
            try:
                version, objects = c.list("objects", timeout=5)
                have = {o.name: (json.loads(o.json)["spec"]["v"], o.resource_version)
                        for o in objects}
                if sum(v for v, _ in have.values()) != n * money:
                    bad.append(("list", version, have))
                a, b = r.sample(sorted(have), 2)
                transact(c, *[put(x, {"v": have[x][0] + d},
                                  precondition=pb.Precondition(resource_version=have[x][1]))
                              for x, d in ((a, -1), (b, 1))], request_id=os.urandom(16))
                moved[0] += 1
            except WatchError as err:
                if err.code not in ("ABORTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED",
                                    "UNKNOWN", "INTERNAL"):
                    bad.append(("write", str(err)))
                stop.wait(0.02)

    def watch(seed):
        position, have, r = None, {}, __import__("random").Random(seed)
        while not stop.is_set():
            c = server.client()
            try:
                s = c.open(pb.SubscribeRequest(
                    selections=[pb.Selection(resource="objects")],
                    **({"resume": position} if position else {"from_oldest": pb.FromOldest()})),
                    timeout=r.uniform(0.3, 3) * SLOW)
                for message in s:
                    for e in message.events:
                        have[e.object.name] = json.loads(e.object.json)["spec"]["v"]
                    if message.events and sum(have.values()) != n * money:
                        bad.append(("watch", [e.object.resource_version for e in message.events]))
                    position = message.position
            except Exception as err:
                if not hasattr(err, "code") or err.code().name not in (
                        "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"):
                    bad.append(("watch", repr(err)))
            c.close()

    threads = [threading.Thread(target=f, args=(i,), daemon=True)
               for i, f in enumerate([write, write, write, watch, watch, watch])]
    for thread in threads:
        thread.start()
    for _ in range(rounds(12, long=100, short=4)):
        stop.wait(t.random.uniform(0.2, 0.8) * SLOW)
        server.kill()
        server.start()
    stop.set()
    join_all(threads, 30)
    assert not bad, bad[:3]
    assert moved[0] > 20, moved
    t.note(f"{moved[0]} transactions")


@test
def watchctl_transact(t):
    server = Server(t).start()
    cli, client = Cli(server.address), server.client()
    client.put("a", {"n": 1})
    lines = ('{"op":"put","name":"b","object":{"spec":{"n":1}}}\n\n'
             '{"op":"patch","name":"a","patch":{"spec":{"n":2}},"resourceVersion":1}\n'
             '{"op":"check","name":"none"}\n'
             '{"kind":"Job","metadata":{"name":"j","namespace":"ci"},"spec":{}}\n')
    eq(cli.ok("transact", "-f", "-", stdin=lines).out,
       "objects/b created (version 2)\nobjects/a updated (version 3)\nobjects/none checked\n"
       "jobs/j created (version 4)\n")
    yaml = "op: create\nname: a\nobject: {}\n---\nop: delete\nname: b\n"
    again = cli.run("transact", "-f", "-", stdin=yaml)
    eq(again.code, 4, again)
    assert "--if-absent" not in again.err, "an option that transact does not have"
    # A demand that is misspelt must not be none.
    for more in ('"resourceversion":9', '"uuid":"x"', '"ttl":"1s"', '"object":{}'):
        eq(cli.run("transact", "-f", "-", stdin='{"op":"delete","name":"a",%s}' % more).code, 9, more)
    conflict = cli.run("transact", "-f", "-",
                       stdin='{"op":"delete","name":"a","resourceVersion":"1"}')
    eq(conflict.code, 4, conflict)
    eq(client.head(), 4)
    eq(cli.ok("transact", "-f", "-", "--dry-run", stdin='{"op":"delete","name":"a"}').out,
       "objects/a deleted (dry run)\n")
    out = cli.ok("transact", "-f", "-", "-o", "name", stdin='{"op":"create","object":{"metadata":{"generateName":"g-"}}}\n'
                 '{"op":"create","object":{"metadata":{"name":"dep","ownerReferences":[{"apiVersion":"watch/v1",'
                 '"kind":"Object","name":"a","uid":"%s"}]}}}' % json.loads(client.get("a").json)["metadata"]["uid"]).out
    assert re.fullmatch("objects/g-[a-z0-9]{5}\nobjects/dep\n", out), out
    cli.ok("transact", "-f", "-", stdin='{"op":"delete","name":"a","cascade":"orphan"}')
    eq((owners(client, "dep"), client.head()), (None, 8))
    client.put("a", {})
    cli.ok("delete", "a")
    for more in ('"op":"delete","name":"dep","cascade":"x"', '"op":"check","name":"dep","cascade":"orphan"',
                 '"op":"update","object":{"metadata":{"generateName":"g-"}}'):
        eq(cli.run("transact", "-f", "-", stdin="{%s}" % more).code, 9, more)
    head = client.head()
    for bad, code in (('{"op":"move","name":"a"}', 9), ("", 9), ('{"op":"patch","name":"a"}', 9),
                      ('{"op":"delete"}', 9), ('{"op":"delete","name":"a","resourceVersion":0}', 9),
                      ('{"op":"delete","name":"a"}\n' * 2, 9), ('{"op":"delete","name":"x"}', 3)):
        eq(cli.run("transact", "-f", "-", stdin=bad).code, code, bad)
    eq(cli.run("transact").code, 2)
    eq(cli.run("transact", "-f", "/nonexistent").code, 1)
    eq(client.head(), head)


if __name__ == "__main__":
    main()

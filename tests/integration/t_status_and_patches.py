#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The status as a subresource, and JSON Patch: what is taken, what is left alone, what is refused."""
import json

from watchtest import *

UPDATED, UNCHANGED = 2, 3
STATUS, KEEP_STATUS = 3, 4             # PutScope
PATCH_STATUS, PATCH_KEEP_STATUS = 1, 2  # PatchScope
JSON = 1                                # PatchType
STRANGER = "00000000-0000-4000-8000-000000000000"


def refusal(call):
    try:
        call()
    except WatchError as err:
        return err
    raise AssertionError("it was taken")


def whole(label, spec, status, **metadata):
    return {"metadata": {"labels": {"l": label}, **metadata}, "spec": spec, "status": status}


def seen(client, name="a"):
    doc = json.loads(client.get(name).json)
    return (doc["metadata"]["labels"]["l"], doc["spec"], doc.get("status"),
            doc["metadata"]["generation"])


@test
def each_side_leaves_the_other_alone(t):
    client = Server(t).start().client()
    client.put("a", whole("x", 1, {"p": 1}))
    stream = client.watch("all", start="now")
    stream.started()
    eq(client.put("a", whole("y", 2, {"p": 2}), scope=STATUS).result, UPDATED)
    eq(seen(client), ("x", 1, {"p": 2}, 1))
    eq(client.put("a", whole("y", 2, {"p": 3}), scope=KEEP_STATUS).result, UPDATED)
    eq(seen(client), ("y", 2, {"p": 2}, 2))
    eq(client.put("a", {"bare": 1}, scope=KEEP_STATUS).result, UPDATED)
    eq(seen(client), ("y", {"bare": 1}, {"p": 2}, 3))
    eq(client.patch("a", whole("z", 9, {"q": 1}), scope=PATCH_STATUS).result, UPDATED)
    eq(seen(client), ("y", {"bare": 1}, {"p": 2, "q": 1}, 3))
    eq(client.patch("a", whole("z", 9, {"p": None}), scope=PATCH_KEEP_STATUS).result, UPDATED)
    eq(seen(client), ("z", 9, {"p": 2, "q": 1}, 4))
    ops = [{"op": "replace", "path": "/spec", "value": 0},
           {"op": "replace", "path": "/status/p", "value": 7}]
    eq(client.patch("a", ops, type=JSON, scope=PATCH_STATUS).result, UPDATED)
    eq(seen(client), ("z", 9, {"p": 7, "q": 1}, 4))
    eq(client.patch("a", ops[:1] + [{"op": "remove", "path": "/status"}], type=JSON,
                    scope=PATCH_KEEP_STATUS).result, UPDATED)
    eq(seen(client), ("z", 0, {"p": 7, "q": 1}, 5))
    eq(client.put("a", {"metadata": {}}, scope=STATUS).result, UPDATED)
    eq(seen(client), ("z", 0, None, 5))
    eq([stream.event().object.resource_version for _ in range(8)], list(range(2, 10)))
    # What is not taken is no change.
    eq(client.put("a", whole("other", 5, None), scope=STATUS).result, UPDATED)
    for call in (lambda: client.put("a", whole("more", 6, None), scope=STATUS),
                 lambda: client.put("a", whole("z", 0, 5), scope=KEEP_STATUS),
                 lambda: client.patch("a", whole("z", 0, 7), scope=PATCH_KEEP_STATUS),
                 lambda: client.patch("a", {"spec": 8}, scope=PATCH_STATUS),
                 lambda: client.patch("a", {"status": 8}, scope=PATCH_KEEP_STATUS)):
        answer = call()
        eq((answer.result, answer.object.resource_version), (UNCHANGED, 10))
    eq(client.head(), 10)


@test
def preconditions_hold_on_both_sides(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", whole("x", 1, 1))
    rv = client.put("a", whole("x", 2, 1)).object.resource_version
    uid = client.put("a", whole("x", 2, 1)).uid
    before = client.list("all")
    for scope in (STATUS, KEEP_STATUS):
        for meta in ({"resourceVersion": "1"}, {"uid": STRANGER}):
            err = refusal(lambda: client.put("a", whole("x", 3, 3, **meta), scope=scope))
            eq((err.code, err.reason, err.fields), ("ABORTED", "CONFLICT", ["metadata." + [*meta][0]]))
        for pre in ({"resource_version": 1}, {"uid": STRANGER}):
            err = refusal(lambda: client.put("a", whole("x", 3, 3), scope=scope,
                                             precondition=pb.Precondition(**pre)))
            eq((err.code, err.reason), ("ABORTED", "CONFLICT"))
        err = refusal(lambda: client.put("a", whole("x", 3, 3, name="b"), scope=scope))
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["metadata.name"]))
        err = refusal(lambda: client.put("a", whole("x", 3, 3, resourceVersion="1"), scope=scope,
                                         precondition=pb.Precondition(resource_version=rv)))
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["precondition.resource_version"]))
    for scope in (0, PATCH_STATUS, PATCH_KEEP_STATUS):
        for ops in ([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}],
                    [{"op": "replace", "path": "/metadata/uid", "value": STRANGER}]):
            err = refusal(lambda: client.patch("a", ops, type=JSON, scope=scope))
            eq((err.code, err.reason), ("ABORTED", "CONFLICT"))
        for meta in ({"resourceVersion": "1"}, {"uid": STRANGER}):
            err = refusal(lambda: client.patch("a", {"metadata": meta, "status": 4}, scope=scope))
            eq((err.code, err.reason), ("ABORTED", "CONFLICT"))
    for call in (lambda: client.put("none", whole("x", 1, 1), scope=STATUS),
                 lambda: client.put("none", whole("x", 1, 1), scope=KEEP_STATUS, mode=2),
                 lambda: client.patch("none", {"status": 1}, scope=PATCH_STATUS),
                 lambda: client.patch("none", [], type=JSON)):
        eq(refusal(call).code, "NOT_FOUND")
    for doc, fields in (({"phase": "x"}, ["json"]), ({}, ["json"])):
        err = refusal(lambda: client.put("a", doc, scope=STATUS))
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", fields))
    err = refusal(lambda: client.put("new", whole("x", 1, 1), scope=STATUS, mode=1))
    eq((err.code, err.fields), ("INVALID_ARGUMENT", ["mode"]))
    eq(client.list("all"), before)
    eq(server.restart().client().list("all"), before)
    eq(client.put("a", whole("x", 9, 9, resourceVersion=str(rv), uid=uid), scope=STATUS,
                  wait=True).result, UPDATED)


@test
def json_patches_are_done_as_a_whole_or_not_at_all(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", whole("x", {"list": [1, 2, 3], "k": {"z": 1}}, 1))
    ops = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
           {"op": "test", "path": "/metadata/generation", "value": 1},
           {"op": "add", "path": "/spec/list/-", "value": 4},
           {"op": "remove", "path": "/spec/list/0"},
           {"op": "move", "from": "/spec/k/z", "path": "/spec/z"},
           {"op": "copy", "from": "/spec/list", "path": "/spec/again"},
           {"op": "replace", "path": "/metadata/labels/l", "value": "y"}]
    answer = client.patch("a", ops, type=JSON, return_object=True)
    eq((answer.result, answer.generation, json.loads(answer.object.json)["spec"]),
       (UPDATED, 2, {"list": [2, 3, 4], "k": {}, "z": 1, "again": [2, 3, 4]}))
    eq(client.patch("a", [], type=JSON).result, UNCHANGED)
    eq(client.patch("a", [{"op": "test", "path": "/spec/z", "value": 1.0}], type=JSON).result, UNCHANGED)
    eq(client.patch("a", [{"op": "remove", "path": "/metadata/uid"},
                          {"op": "remove", "path": "/metadata/resourceVersion"}], type=JSON).result,
       UNCHANGED)
    before = client.list("all")
    add = {"op": "add", "path": "/spec/new", "value": 1}
    for ops, field in (
            ([add, {"op": "test", "path": "/spec/z", "value": 2}], "json[1].value"),
            ([add, {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}], "json[1].value"),
            ([add, {"op": "remove", "path": "/spec/none"}], "json[1].path"),
            ([add, {"op": "jump", "path": "/spec"}], "json[1].op"),
            ([add, {"op": "add", "path": "/spec/list/9", "value": 1}], "json[1].path"),
            ([add, {"op": "add", "path": "/metadata/labels/x y", "value": "1"}],
             'metadata.labels["x y"]'),
            ([{"op": "replace", "path": "", "value": []}], "json"),
            ([{"op": "replace", "path": "/metadata", "value": 5}], "metadata"),
            ([{"op": "replace", "path": "/metadata/generation", "value": "x"}], "metadata.generation"),
            ([{"op": "replace", "path": "/metadata/name", "value": "b"}], "metadata.name"),
            ([{"op": "replace", "path": "/metadata/namespace", "value": "b"}], "metadata.namespace"),
            ([{"op": "add", "path": "/metadata/finalizers", "value": ["a", "a"]}],
             "metadata.finalizers[1]"),
            ({"spec": 1}, "json")):
        err = refusal(lambda: client.patch("a", ops, type=JSON))
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", [field]),
           f"{ops}: {err.message}")
    twice = [{"op": "add", "path": "/t", "value": {}},
             {"op": "copy", "from": "/spec", "path": "/t/l"},
             {"op": "copy", "from": "/spec", "path": "/t/r"},
             {"op": "move", "from": "/t", "path": "/spec"}]
    for ops in ([add] * 10_001, twice * 30):
        err = refusal(lambda: client.patch("a", ops, type=JSON))
        eq((err.code, err.reason), ("INVALID_ARGUMENT", "TOO_LARGE"), err.message)
    eq(client.list("all"), before)
    eq(server.restart().client().list("all"), before)


@test
def the_rule_of_depth_holds_for_what_patches_make(t):
    client = Server(t).start().client()
    deep = 0
    for _ in range(50):
        deep = [deep]
    client.put("a", {"metadata": {}, "spec": {"d": deep}})
    path = "/spec/d" + "/0" * 50
    more = 0
    for _ in range(20):
        more = [more]
    for call in (lambda: client.patch("a", [{"op": "replace", "path": path, "value": more}], type=JSON),
                 lambda: client.patch("a", '{"spec":{"d":' + "[" * 70 + "]" * 70 + "}}")):
        err = refusal(call)
        eq((err.code, err.reason), ("INVALID_ARGUMENT", "INVALID"), err.message)
        assert "deep" in err.message or "levels" in err.message, err.message
    eq(client.head(), 1)


@test
def watchctl_speaks_of_both(t):
    server = Server(t).start()
    cli = Cli(server.address)

    def get():
        doc = cli.ok("get", "objects/a", "-o", "json").json
        return doc["spec"], doc.get("status"), doc["metadata"]["generation"]

    cli.ok("put", "a", '{"n":1}')
    cli.ok("put", "a", '{"phase":"on"}', "--subresource", "status")
    eq(get(), ({"n": 1}, {"phase": "on"}, 1))
    cli.ok("put", "a", '{"spec":{"n":5},"status":{"phase":"off"}}', "--subresource=status")
    eq(get(), ({"n": 1}, {"phase": "off"}, 1))
    cli.ok("put", "a", '{"spec":{"n":5},"status":{"phase":"lost"}}', "--keep-status")
    eq(get(), ({"n": 5}, {"phase": "off"}, 2))
    cli.ok("patch", "a", '{"spec":{"n":6},"status":{"phase":"up"}}', "--subresource", "status")
    eq(get(), ({"n": 5}, {"phase": "up"}, 2))
    cli.ok("patch", "a", '{"spec":{"n":6},"status":{"phase":"x"}}', "--keep-status")
    eq(get(), ({"n": 6}, {"phase": "up"}, 3))
    cli.ok("patch", "a", "--type", "json", '[{"op":"replace","path":"/spec/n","value":7}]')
    patch = t.file("p.yaml", "- {op: test, path: /spec/n, value: 7}\n"
                             "- {op: add, path: /spec/m, value: 1}\n")
    cli.ok("patch", "a", "--type=json", "-f", patch)
    eq(get(), ({"n": 7, "m": 1}, {"phase": "up"}, 5))
    result = cli.run("patch", "a", "--type", "json", '[{"op":"test","path":"/spec/n","value":8}]')
    eq(result.code, 9)
    assert "/spec/n" in result.err and "json[0].value" in result.err, result
    for args in (("patch", "a", "{}", "--type", "strategic"), ("put", "a", "{}", "--subresource", "spec"),
                 ("put", "a", "{}", "--subresource", "status", "--keep-status"),
                 ("put", "a", "{}", "--subresource", "status", "--if-absent")):
        eq(cli.run(*args).code, 2, f"{args}")
    eq(cli.run("patch", "a", "--type", "json", "{}").code, 9)
    eq(cli.run("patch", "a", "[]").code, 9)
    eq(cli.run("put", "none", '{"n":1}', "--subresource", "status").code, 3)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The history of one object: over the wire, and by watchctl history, diff and undo."""
import json
import time

from watchtest import *

CREATED, UPDATED, DELETED = 1, 2, 3


def key(name):
    return pb.Key(resource="jobs", name=name)


def history(client, name, **fields):
    """All pages."""
    revisions, at_most = [], fields.pop("at_most", 0)
    while True:
        page = client.call("History", key=key(name), at_most=at_most, **fields)
        revisions += page.revisions
        at_most = page.next_at_most
        if not at_most:
            return revisions


def facts(revisions):
    return [(r.object.resource_version, r.cause, r.generation, r.previous_resource_version,
             json.loads(r.object.json)["spec"]) for r in revisions]


@test
def every_life_of_an_object_newest_first(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", {"v": 1}, resource="jobs")                              # 1
    client.put("other", {"v": 1}, resource="jobs")                          # 2
    client.put("a", {"v": 2}, resource="jobs")                              # 3
    client.patch("a", {"metadata": {"labels": {"x": "y"}}}, resource="jobs")  # 4
    client.delete("a", resource="jobs")                                     # 5
    client.put("a", {"v": 3}, resource="jobs")                              # 6
    want = [(6, CREATED, 1, 0, {"v": 3}), (5, DELETED, 2, 4, {"v": 2}), (4, UPDATED, 2, 3, {"v": 2}),
            (3, UPDATED, 2, 1, {"v": 2}), (1, CREATED, 1, 0, {"v": 1})]
    for restarted in (False, True):
        if restarted:
            client = server.restart().client()
        for limit in (0, 1, 2, 5, 1000):
            eq(facts(history(client, "a", limit=limit)), want, f"limit {limit}")
        eq(facts(history(client, "a", at_most=4)), want[2:])
        eq(facts(history(client, "a", at_most=2)), want[4:])
        short = history(client, "a", omit_objects=True)
        eq([(r.object.resource_version, r.object.json) for r in short], [(w[0], "") for w in want])
    page = client.call("History", key=key("a"), limit=2)
    eq((page.next_at_most, page.floor), (4, 0))
    assert all(r.time_unix_ms > 1_600_000_000_000 for r in page.revisions)
    for name, field in (("never", None), ("BAD", "key.name")):
        try:
            client.call("History", key=key(name))
            raise AssertionError("it was answered")
        except WatchError as err:
            eq((err.reason, err.fields), ("NOT_FOUND", []) if field is None else ("INVALID", [field]))


@test
def what_is_compacted_leaves_the_state_it_came_to(t):
    server = Server(t).start()
    client = server.client()
    client.put("still", {"v": 1}, resource="jobs")
    client.put("gone", {"v": 1}, resource="jobs")
    for i in range(2, 150):
        client.put("a", {"v": i}, resource="jobs")
    client.delete("gone", resource="jobs")
    client.put("last", {}, resource="jobs")
    before = facts(history(client, "a"))
    eq(len(before), 148)
    eq(client.call("Compact", resource_version=100).floor, 100)
    for restarted in (False, True):
        if restarted:
            client = server.restart().client()
        after = facts(history(client, "a", limit=7))
        eq(after[:-1], before[:50])
        base = before[50]
        eq(after[-1], (base[0], 0, base[2], 0, base[4]), "the state at the floor, without a cause")
        eq(facts(history(client, "still")), [(1, 0, 1, 0, {"v": 1})])
        eq([f[:2] for f in facts(history(client, "gone"))], [(151, DELETED), (2, 0)])
        eq(history(client, "a", at_most=50), [])


@test
def watchctl_shows_and_undoes(t):
    server = Server(t).start()
    cli = Cli(server.address)

    def spec():
        return json.loads(cli.ok("get", "jobs/a", "-o", "json").out)["spec"]

    cli.ok("put", "jobs/a", '{"size":1,"deep":{"x":1}}')
    cli.ok("put", "jobs/a", '{"size":2,"deep":{"x":1,"z":2}}')
    rows = cli.ok("history", "jobs/a").out.splitlines()
    eq(rows[0].split(), ["VERSION", "AGE", "CAUSE", "MANAGER", "GENERATION", "CHANGES"])
    eq([r.split()[0] for r in rows[1:]], ["2", "1"])
    assert rows[1].endswith(".spec.size, .spec.deep.z"), rows[1]
    assert " updated " in rows[1] and " created " in rows[2], rows
    lines = cli.ok("history", "jobs/a", "-o", "json").lines
    eq([(v["resourceVersion"], v["cause"], v["object"]["spec"]["size"]) for v in lines],
       [(2, "updated", 2), (1, "created", 1)])

    diff = cli.run("diff", "jobs/a", "--rv", "1..2")
    eq(diff.code, 1)
    eq(diff.out.splitlines()[:2], ["--- version 1", "+++ version 2"])
    eq([line for line in diff.out.splitlines()[2:] if line[0] in "+-"],
       ["-  size: 1", "+  size: 2", "+    z: 2"])
    eq(cli.run("diff", "jobs/a").out, diff.out, "the last change")
    eq(cli.run("diff", "jobs/a", "--rv", "1").out, diff.out, "from a version to now")
    same = cli.run("diff", "jobs/a", "--rv", "2..2")
    eq((same.code, same.out), (0, ""))
    eq(cli.run("diff", "jobs/none", "--rv", "1..2").code, 3)
    eq(cli.run("diff", "jobs/a", "--rv", "1..99").code, 6)
    eq(cli.run("diff", "jobs/a", "--rv", "x..2").code, 2)

    cli.ok("undo", "jobs/a")
    eq(spec(), {"size": 1, "deep": {"x": 1}})
    cli.ok("undo", "jobs/a")
    eq(spec()["size"], 2)
    eq({r.field_manager for r in history(server.client(), "a")}, {"watchctl"}, "who wrote")
    cli.ok("undo", "jobs/a", "--dry-run")
    eq(spec()["size"], 2)
    cli.ok("undo", "jobs/a", "--to-rv", "1")
    eq(spec()["size"], 1)
    cli.ok("delete", "jobs/a")
    eq(cli.run("diff", "jobs/a").out.splitlines()[1], "+++ not there")
    cli.ok("undo", "jobs/a")
    eq(spec()["size"], 1)
    cli.ok("undo", "jobs/a")
    eq(cli.run("get", "jobs/a").code, 3)
    cli.ok("undo", "jobs/a")
    eq(spec()["size"], 1)
    eq(cli.run("undo", "jobs/none").code, 3)
    eq(cli.run("undo", "jobs/a", "--to-rv", "0").code, 2)
    cli.ok("put", "jobs/b", "{}", "--field-manager", "somebody")
    eq(cli.ok("history", "jobs/b").out.splitlines()[1].split()[3], "somebody")
    cli.ok("delete", "jobs/b", "--field-manager", "janitor")
    eq(cli.ok("history", "jobs/b").out.splitlines()[1].split()[2:4], ["deleted", "janitor"])
    eq({r.field_manager for r in history(server.client(), "a")}, {"watchctl"}, "who deleted, too")
    for i in range(3):
        cli.ok("put", f"jobs/c{i}", "{}")
    cli.ok("delete", "jobs", "--field-selector", "metadata.name in (c0,c1)", "--field-manager", "sweeper")
    cli.ok("delete", "jobs", "--field-selector", "metadata.name=c2")
    eq([history(server.client(), f"c{i}")[0].field_manager for i in range(3)],
       ["sweeper", "sweeper", "watchctl"])
    causes = [line.split()[2] for line in cli.ok("history", "jobs/a").out.splitlines()[1:]]
    eq(causes, ["created", "deleted", "created", "deleted"] + ["updated"] * 4 + ["created"])


@test
def what_went_with_its_owner_comes_back_to_stay(t):
    server = Server(t).start()
    client, cli = server.client(), Cli(server.address)
    client.put("owner", {"n": 1}, resource="jobs")
    client.put("other", {"n": 1}, resource="jobs", namespace="ci")
    uid = json.loads(client.get("owner", resource="jobs").json)["metadata"]["uid"]
    reference = {"apiVersion": "watch/v1", "kind": "Job", "name": "owner", "uid": uid}
    client.put("a", {"metadata": {"ownerReferences": [reference]}, "spec": {}}, resource="jobs")
    cli.ok("delete", "jobs/a")
    cli.ok("undo", "jobs/a")
    refs = json.loads(client.get("a", resource="jobs").json)["metadata"]["ownerReferences"]
    eq([r["uid"] for r in refs], [uid], "its owner is there")
    cli.ok("delete", "jobs/owner")
    wait_until("it goes with its owner", lambda: len(client.list("jobs")[1]) == 0)
    cli.ok("undo", "jobs/owner")
    done = cli.ok("undo", "jobs/a")
    assert '"owner" is gone' in done.err, done
    time.sleep(1)
    eq([o.name for o in client.list("jobs")[1]], ["a", "owner"], "a second later")


@test
def a_deletion_that_waits_for_finalizers_is_not_undone(t):
    server = Server(t).start()
    client, cli = server.client(), Cli(server.address)
    client.put("a", {"metadata": {"finalizers": ["x.io/y"]}, "spec": {"n": 1}}, resource="jobs")
    cli.ok("delete", "jobs/a")
    done = cli.run("undo", "jobs/a")
    assert done.code == 1 and "deletion has begun" in done.err, done
    cli.ok("patch", "jobs/a", '{"metadata":{"finalizers":null}}')
    cli.ok("undo", "jobs/a")
    assert "deletionTimestamp" not in client.get("a", resource="jobs").json


@test
def an_undo_needs_the_version_before(t):
    server = Server(t).start()
    client = server.client()
    cli = Cli(server.address)
    client.put("a", {"v": 1}, resource="jobs")
    client.put("a", {"v": 2}, resource="jobs")
    client.call("Compact")
    cli.ok("undo", "jobs/a")  # the newest event always stays, and with it the object before
    client.put("b", {}, resource="jobs")
    client.call("Compact")
    done = cli.run("undo", "jobs/a")
    eq(done.code, 1)
    assert "no longer kept" in done.err, done.err
    eq(cli.run("diff", "jobs/a").code, 1)


@test
def diff_tells_what_a_put_would_change(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    cli.ok("put", "resources/jobs", '{"schema":{"properties":{"spec":{"properties":{'
           '"v":{"type":"integer"},"retries":{"type":"integer","default":3}}}}}}')
    cli.ok("put", "jobs/a", '{"v":1}')
    same = t.file("same.yaml", "kind: Job\nmetadata: {name: a}\nspec: {v: 1}\n")
    other = t.file("other.yaml", "kind: Job\nmetadata: {name: a}\nspec: {v: 2}\n---\n"
                                 "kind: Job\nmetadata: {name: new}\nspec: {v: 3}\n")
    wrong = t.file("wrong.yaml", "kind: Job\nmetadata: {name: a}\nspec: {v: x}\n")
    done = cli.run("diff", "-f", same)
    eq((done.code, done.out), (0, ""), "with the default that the server adds")
    done = cli.run("diff", "-f", same, "-f", other)
    eq(done.code, 1)
    eq([line for line in done.out.splitlines() if line[0] in "+-"],
       ["--- jobs/a (version 2)", "+++ jobs/a (document 2)", "-  v: 1", "+  v: 2",
        "--- jobs/new (not there)", "+++ jobs/new (document 3)", "+apiVersion: watch/v1", "+kind: Job",
        "+metadata:", "+  name: new", "+  namespace: default", "+spec:", "+  v: 3", "+  retries: 3"])
    done = cli.run("diff", "-f", wrong, "-f", other)
    eq(done.code, 9)
    assert "spec.v" in done.err and "+  v: 2" in done.out, done
    eq(cli.run("diff", "jobs/a", "-f", same).code, 2)
    eq(cli.run("diff", "-f", same, "--rv", "1..2").code, 2)
    eq(cli.run("diff", "-f", t.path("missing")).code, 1)
    eq(cli.run("diff", "-f", "-", stdin="spec: {v: 1}\n").code, 9)
    eq(server.client().list("all")[0], 2, "nothing was written")


if __name__ == "__main__":
    main()

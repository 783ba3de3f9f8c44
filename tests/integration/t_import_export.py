#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""import takes JSON lines in their order per object, reports what is refused and goes on; export writes
what import takes."""
import json
import os
import pty
import re
import time

from watchtest import *


def line(op="put", name="a", doc=None, **more):
    change = {"op": op, "name": name, **more}
    if op == "put":
        change["object"] = doc if doc is not None else {"spec": {"n": 1}}
    return json.dumps(change)


@test
def both_forms_of_lines(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    lines = [
        line(name="a", resource="jobs", namespace="ci", doc={"spec": {"n": 1}}),
        line(name="b", resource="jobs", namespace=""),
        line(name="c"),
        json.dumps({"kind": "Job", "metadata": {"name": "d"}, "spec": {"n": 4}}),
        json.dumps({"metadata": {"name": "e", "namespace": "ci"}, "spec": {"n": 5}}),
        "", "   ",
        line("delete", "c"),
        line(name="c", doc={"spec": {"n": 2}, "status": {"ok": True}}),
    ]
    done = cli.ok("import", "-", stdin="\n".join(lines))
    assert re.search(r"last version 7", done.out + done.err), done
    got = [(o.resource, o.namespace, o.name, json.loads(o.json)["spec"]["n"])
           for o in server.client().list("all")[1]]
    eq(got, [("jobs", "ci", "a", 1), ("jobs", "default", "b", 1), ("jobs", "default", "d", 4),
             ("objects", "ci", "e", 5), ("objects", "default", "c", 2)])
    done = cli.ok("import", "-", "-n", "other", stdin=line(name="z"))
    eq(server.client().get("z", namespace="other").resource_version, 8)
    cli.ok("import", "-", stdin="\ufeff" + line(name="y") + "\n" + line(name="x"))
    eq(server.client().get("x").resource_version, 10, "behind a byte order mark")
    eq(cli.run("import", "-", stdin=line(name="w") + "\n\ufeff" + line(name="v")).code, 9, "a mark in the middle")
    cli.ok("import", "-", stdin="")
    eq(cli.run("import", t.path("missing")).code, 1)


@test
def refused_lines_are_named_and_the_rest_goes_on(t):
    server = Server(t).start()
    good = [line(name=f"g{i}") for i in range(20)]
    bad = {3: "nonsense", 5: "[]", 8: line("frob"), 11: line(name="BAD"), 14: line("delete", "not-there"),
           17: json.dumps({"op": "put", "object": {"spec": {}}}), 20: '{"op":"put","name":"x","object":5}',
           22: line(name="l", doc={"metadata": {"labels": {"a b": "c"}}, "spec": {}})}
    lines, rest = [], list(good)
    number = 0
    while rest or number < max(bad):
        number += 1
        lines.append(bad[number] if number in bad else rest.pop(0))
    result = Cli(server.unix).run("import", "-", stdin="\n".join(lines) + "\n")
    eq(result.code, 9, str(result))
    named = sorted(set(int(n) for n in re.findall(r"^line (\d+) refused", result.err, re.M)))
    eq(named, sorted(bad), f"the lines that are named: {result.err}")
    eq(sorted(o.name for o in server.client().list("all")[1]), sorted(f"g{i}" for i in range(20)))
    assert re.search(rf"{len(lines)} lines.*20 written.*{len(bad)} refused.*last version 20",
                     result.out + result.err), result


@test
def lines_of_one_object_keep_their_order(t):
    server = Server(t).start()
    n, names = rounds(4000, short=1000), 7
    path = t.file("in.jsonl", "".join(
        line(name=f"o{i % names}", doc={"spec": {"i": i}}) + "\n" for i in range(n)))
    watch = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True)
    Cli(server.unix).ok("import", path)
    watch.wait_rv(n)
    line_ = Timeline.from_events(watch.record.events())
    last = {}
    for change in line_.changes:
        i = change.after.spec["i"]
        assert i > last.get(change.key, -1), f"{change.key}: {i} after {last[change.key]}"
        last[change.key] = i
    eq(sorted(last.values()), list(range(n - names, n)))


@test
def it_waits_for_a_server_and_goes_on_over_restarts(t):
    server = Server(t).start()
    server.kill()
    n = rounds(6000, long=100_000, short=1500)
    path = t.file("in.jsonl", "".join(
        line(name=f"o{i % 200}", doc={"spec": {"i": i}}) + "\n" for i in range(n)))
    process = Cli(server.unix).start("import", path)
    time.sleep(0.3)
    server.start()
    kills = 0
    watch = Watcher(t, server.unix, Sel("all"), start="oldest", previous=True)
    while process.poll() is None and kills < 6:
        time.sleep(0.12 * SLOW)
        if process.poll() is None:
            server.restart()
            kills += 1
    out, err = process.communicate(timeout=120 * SLOW)
    eq(process.returncode, 0, f"{out!r} {err!r}")
    watch.wait_rv(n)
    timeline = Timeline.from_events(watch.record.events())
    eq(timeline.head, n, "each line written exactly once")
    eq(sorted(s.spec["i"] for s in timeline.states(n).values()), list(range(n - 200, n)))
    t.note(f"{n} lines over {kills} kills")


@test
def export_and_import_are_inverse(t):
    server, other = Server(t).start(), Server(t, name="other").start()
    client = server.client()
    for i in range(300):
        client.put(f"o{i}", {"metadata": {"labels": {"k": str(i % 3)}, "annotations": {"x": "é \"q\""}},
                             "spec": {"i": i, "f": 0.1, "big": 2 ** 62, "deep": {"a": [1, {"b": None}]}},
                             "status": {"s": i}}, resource=("objects", "jobs")[i % 2],
                   namespace=("default", "ci")[i % 5 == 0])
    cli = Cli(server.unix)
    everything = cli.ok("export", "all", "-A").out
    eq(len(everything.splitlines()), 300)
    eq(Cli(other.unix).ok("import", "-", stdin=everything).code, 0)
    eq(Cli(other.unix).ok("export", "all", "-A").out, everything, "the export of the import")
    for text in ("uid", "resourceVersion", "creationTimestamp", "generation"):
        assert f'"{text}"' not in everything, f"an export tells {text}"
    some = cli.ok("export", "jobs", "-n", "ci", "-l", "k=1").out.splitlines()
    want = [o for o in client.list(Sel("jobs", "ci", labels="k=1"))[1]]
    eq([json.loads(s)["name"] for s in some], [o.name for o in want])


@test
def what_had_an_owner_outlives_its_import(t):
    """The owner gets another uid there: a reference to the old one would be to an owner that is gone."""
    server, other = Server(t).start(), Server(t, name="other").start()
    client = server.client()
    client.put("owner", {"n": 1})
    uid = json.loads(client.get("owner").json)["metadata"]["uid"]
    client.put("owned", {"metadata": {"labels": {"a": "b"}, "ownerReferences": [
        {"apiVersion": "watch/v1", "kind": "Object", "name": "owner", "uid": uid}]}, "spec": {}})
    done = Cli(server.unix).ok("export", "all", "-A")
    assert uid not in done.out, done
    assert re.search(r"owner references of 1 object left out", done.err), done
    Cli(other.unix).ok("import", "-", stdin=done.out)
    time.sleep(1)
    eq([o.name for o in other.client().list("all")[1]], ["owned", "owner"], "a second later")
    eq({r.field_manager for r in other.client().call("History", key=pb.Key(name="owned")).revisions},
       {"watchctl"}, "who wrote it")


@test
def definitions_come_first_and_tell_kinds(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    for i in range(12):
        name = f"a{i:02}things"
        cli.ok("put", f"resources/{name}", '{"kind":"Thing%d"}' % i)
        cli.ok("put", f"{name}/x", '{"i":%d}' % i)
    cli.ok("put", "objects/early", "{}", "-n", "ci")
    everything = cli.ok("export", "all", "-A").out
    resources = [json.loads(s)["resource"] for s in everything.splitlines()]
    eq(len(resources), 25)
    eq(resources[:12], ["resources"] * 12)
    assert "resources" not in resources[12:], resources
    eq(resources[12:], sorted(resources[12:]))
    eq({json.loads(s)["resource"] for s in cli.ok("export", "all", "-n", "ci").out.splitlines()}, {"objects"})
    assert "resources" not in cli.ok("export", "all", "--at-rv", "25", "-l", "x=y").out
    eq(len(cli.ok("export", "all", "--at-rv", "4").out.splitlines()), 4)

    strict = Server(t, "--declared-only", name="strict").start()
    done = Cli(strict.unix).run("import", "-", stdin=everything)
    eq(done.code, 9, "the object of no declared resource")
    assert "24 written" in done.err and "1 refused" in done.err, done
    # A kind that is defined on the line before.
    lines = []
    for i in range(20):
        lines += [{"kind": "Resource", "metadata": {"name": f"b{i:02}s"}, "spec": {"kind": f"Odd{i}"}},
                  {"kind": f"Odd{i}", "metadata": {"name": "o"}, "spec": {}}]
    done = Cli(strict.unix).ok("import", "-", stdin="".join(json.dumps(s) + "\n" for s in lines))
    assert "40 written" in done.err, done
    eq(strict.client().get("o", resource="b19s").resource_version, 24 + 40)
    path = t.file("move.jsonl", json.dumps({"kind": "Odd3", "metadata": {"name": "moved"}, "spec": {}}))
    eq(Cli(strict.unix).ok("transact", "-f", path, "-o", "name").out, "b03s/moved\n")


@test
def progress_is_for_terminals(t):
    server = Server(t).start()
    path = t.file("in.jsonl", "".join(line(name=f"o{i}") + "\n" for i in range(20_000)))
    quiet = Cli(server.unix).ok("import", path)
    assert "\r" not in quiet.out + quiet.err, "progress in a pipe"
    eq(len((quiet.out + quiet.err).splitlines()), 1, "one line, the summary")
    pid, fd = pty.fork()
    if pid == 0:
        command = Cli(server.unix).command("import", path)
        os.execve(command[0], command, {**os.environ, "TERM": "xterm"})
    shown = b""
    try:
        while True:
            shown += os.read(fd, 65536)
    except OSError:
        pass
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    os.close(fd)
    assert b"\r" in shown and b"20000 lines" in shown, shown[-500:]


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Declared resources: their definitions judge writes from the moment they are acknowledged, fill in
defaults, and tell watchctl names and columns."""
import contextlib
import sqlite3
import threading

from watchtest import *

JOB = {"kind": "Job", "shortNames": ["jb"],
       "columns": [{"name": "State", "jsonPath": ".status.state"},
                   {"name": "Steps", "jsonPath": ".spec.steps", "type": "integer"},
                   {"name": "Due", "jsonPath": ".spec.due", "type": "date", "priority": 1},
                   {"name": "Labels", "jsonPath": "metadata.labels", "priority": 1}],
       "schema": {"type": "object", "required": ["spec"], "properties": {
           "metadata": {"type": "object"},
           "spec": {"type": "object", "required": ["steps"], "properties": {
               "steps": {"type": "integer", "minimum": 1},
               "retries": {"type": "integer", "default": 3},
               "image": {"type": "string", "pattern": "^[a-z0-9./-]+(:[\\w.-]+)?$"},
               "ports": {"type": "array", "x-kubernetes-list-type": "map",
                         "x-kubernetes-list-map-keys": ["port"],
                         "items": {"type": "object", "required": ["port"], "properties": {
                             "port": {"type": "integer"},
                             "protocol": {"type": "string", "default": "TCP"}}}}}},
           "status": {"type": "object", "properties": {
               "state": {"type": "string", "enum": ["queued", "running", "done"]}}}}}}


def refused(call, field, part):
    try:
        call()
    except WatchError as err:
        eq((err.code, err.reason, err.fields), ("INVALID_ARGUMENT", "INVALID", [field]), err.message)
        assert part in err.message, err.message
        return
    raise AssertionError(f"it was taken; {field}: {part} was expected")


def table(result):
    return [line.split() for line in result.out.splitlines()]


def declare(client, name, spec, **fields):
    return client.put(name, {"spec": spec}, resource="resources", **fields)


@test
def what_a_definition_forbids_is_refused_with_its_field_and_changes_nothing(t):
    server = Server(t).start()
    client = server.client()
    client.put("before", {"spec": {"steps": "many"}}, resource="jobs")
    declare(client, "jobs", JOB)
    client.put("a", {"spec": {"steps": 2}}, resource="jobs")
    stream = client.watch("all", start="now")
    stream.started()
    head, objects = client.list("all")
    for doc, field, part in (
            ({}, "spec", "is required"),
            ({"spec": {}}, "spec.steps", "is required"),
            ({"spec": {"steps": 0}}, "spec.steps", "must be ≥ 1, is 0"),
            ({"spec": {"steps": 1.5}}, "spec.steps", "must be an integer, is 1.5"),
            ({"spec": {"steps": 0, "image": "A B"}}, "spec.steps",
             "must be ≥ 1, is 0; spec.image must match the pattern"),
            ({"spec": {"steps": 1, "ports": [{"port": 1}, {"port": 1}]}}, "spec.ports[1]",
             "is the same as [0]"),
            ({"spec": {"steps": 1}, "status": {"state": "lost"}}, "status.state",
             'must be one of "queued", "running", "done", is "lost"'),
            ({"kind": "Task", "spec": {"steps": 1}}, "kind", 'must be "Job" in jobs')):
        for name in ("a", "new"):
            doc = {"metadata": {}, **doc}
            refused(lambda: client.put(name, doc, resource="jobs"), field, part)
            refused(lambda: client.put(name, doc, resource="jobs", dry_run=True), field, part)
    refused(lambda: client.put("a", {"steps": 0}, resource="jobs", scope=1), "spec.steps", "≥ 1")
    refused(lambda: client.patch("a", {"spec": {"steps": None}}, resource="jobs"), "spec.steps",
            "is required")
    for spec, field, part in (
            ({"kinds": "Job"}, "spec.kinds", "is no member"),
            ({"columns": [{"name": "A", "jsonPath": ".a[*]"}]}, "spec.columns[0].jsonPath", ""),
            ({"schema": {"properties": {"spec": {"type": "text"}}}},
             "spec.schema.properties.spec.type", "must be one of"),
            ({"schema": {"properties": {"spec": {"default": {"a": 1}, "additionalProperties": False}}}},
             "spec.schema.properties.spec.default.a", "is not among the members"),
            ({"schema": {"properties": {"a": {"pattern": "(a{1000}){1000}"}}}},
             "spec.schema.properties.a.pattern", "repeats too much")):
        refused(lambda: declare(client, "jobs", spec), field, part)
        refused(lambda: declare(client, "new", spec), field, part)
    refused(lambda: declare(client, "resources", {}), "metadata.name", "is built in")
    refused(lambda: declare(client, "new", {}, namespace="ci"), "key.namespace", "not namespaced")
    eq(client.list("all"), (head, objects), "state")
    stream.silent(0.2)
    # What is older than its definition is shown as it is, and may go.
    assert '"many"' in client.get("before", resource="jobs").json
    client.delete("before", resource="jobs")


@test
def defaults_are_part_of_the_object_and_of_its_events(t):
    client = Server(t).start().client()
    declare(client, "jobs", JOB)
    stream = client.watch("jobs", start="now")
    stream.started()
    client.put("a", {"spec": {"steps": 2, "ports": [{"port": 80}]}}, resource="jobs")
    want = '"spec":{"steps":2,"ports":[{"port":80,"protocol":"TCP"}],"retries":3}'
    for text in (stream.event().object.json, client.get("a", resource="jobs").json):
        assert want in text, text
    again = client.put("a", {"spec": {"steps": 2, "ports": [{"port": 80}]}}, resource="jobs")
    eq(again.result, 3, "unchanged")
    client.patch("a", {"spec": {"retries": None}}, resource="jobs")
    stream.silent(0.2)


@test
def a_definition_counts_from_its_acknowledgement_on(t):
    """One client declares, others write: each write is judged by a definition that was in force at
    some time between its call and its answer."""
    server = Server(t).start()
    limit = [0]        # acknowledged: puts below it are refused
    pending = [0]      # asked for
    stop = threading.Event()
    faults = []
    taken = [0]

    def write(i):
        client = server.client()
        n = 0
        while not stop.is_set():
            n += 1
            least = limit[0]
            try:
                client.put(f"j{i}", {"spec": {"n": n, "level": least - 1 if n % 2 else 10 ** 6}},
                           resource="jobs")
                taken[0] += 1
                if n % 2:
                    faults.append(f"{least - 1} was taken although {least} was the least")
            except WatchError as err:
                if err.fields != ["spec.level"] or n % 2 == 0:
                    faults.append(str(err))

    client = server.client()

    def raise_limit():
        pending[0] = limit[0] + 1
        declare(client, "jobs", {"schema": {"properties": {"spec": {"properties": {
            "level": {"type": "integer", "minimum": pending[0]}}}}}})
        limit[0] = pending[0]

    raise_limit()
    threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(rounds(200, long=3000)):
        raise_limit()
    stop.set()
    for thread in threads:
        thread.join()
    eq(faults[:3], [], "faults")
    assert taken[0] > 50, taken
    t.note(f"{limit[0]} definitions, {taken[0]} puts taken")


@test
def definitions_outlive_the_server_and_can_be_taken_back(t):
    server = Server(t).start()
    client = server.client()
    declare(client, "jobs", JOB)
    declare(client, "flags", {"schema": {"additionalProperties": False}})
    client.delete("flags", resource="resources")
    server.kill()
    client = server.start().client()
    refused(lambda: client.put("a", {"spec": {"steps": 0}}, resource="jobs"), "spec.steps", "≥ 1")
    client.put("a", {"anything": 1}, resource="flags")
    client.delete("jobs", resource="resources")
    client.put("a", {"spec": {"steps": 0}}, resource="jobs")
    server.stop()
    client = server.start().client()
    client.put("a", {"spec": {"steps": -1}}, resource="jobs")


@test
def a_definition_that_rotted_on_disk_is_told_of_and_keeps_the_server_from_nothing(t):
    server = Server(t).start()
    client = server.client()
    declare(client, "flags", {"schema": {"required": ["spec"]}})
    declare(client, "jobs", JOB)
    server.stop()
    with contextlib.closing(sqlite3.connect(server.db)) as db:
        changed = 0
        for table in ("objects", "events"):
            changed += db.execute(f"UPDATE {table} SET texts = cast(substr(texts, 1, length(texts) - 1) "
                                  "|| ' ' AS BLOB) WHERE rv = 2").rowcount
        db.commit()
    assert changed > 0
    client = server.start().client()
    assert "the definition of jobs has no effect" in server.log(), server.log()
    client.put("a", {"spec": {"steps": 0}}, resource="jobs")
    refused(lambda: client.put("a", {"status": {}}, resource="flags"), "spec", "is required")


@test
def only_what_is_declared_is_taken_if_so_configured(t):
    server = Server(t).start()
    client = server.client()
    client.put("old", {"n": 1}, resource="jobs")
    server.stop()
    server.args = ["--declared-only"]
    client = server.start().client()
    what = '"jobs" is not declared, and this server takes only objects of declared resources'
    refused(lambda: client.put("a", {"n": 1}, resource="jobs"), "key.resource", what)
    refused(lambda: client.patch("old", {"spec": {"n": 2}}, resource="jobs"), "key.resource", what)
    refused(lambda: client.put("a", {"n": 1}), "key.resource", '"objects" is not declared')
    assert '"n":1' in client.get("old", resource="jobs").json
    client.delete("old", resource="jobs")
    declare(client, "jobs", {})
    client.put("a", {"n": 1}, resource="jobs")
    out = Cli(server.unix).run("put", "flags/a", "{}")
    eq(out.code, 9)
    assert "put resources/flags" in out.err, out.err


@test
def tables_have_the_declared_columns(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    cli.ok("put", "jobs/a", '{"steps":5,"due":"2020-01-01T00:00:00Z"}')
    assert table(cli.ok("get", "jobs"))[0] == ["NAME", "VERSION", "AGE", "SPEC"]
    cli.ok("put", "resources/jobs", dumps(JOB))
    cli.ok("patch", "jobs/a", '{"status":{"state":"running"},"metadata":{"labels":{"x":"y"}}}')
    cli.ok("put", "jobs/b", '{"steps":1}', "-n", "ci")
    rows = table(cli.ok("get", "jobs"))
    eq(rows[0], ["NAME", "STATE", "STEPS", "AGE"])
    eq(rows[1][:3], ["a", "running", "5"])
    assert rows[1][3].endswith("s"), rows
    eq(table(cli.ok("get", "jobs/a"))[0], rows[0])
    rows = table(cli.ok("get", "jobs", "-A", "-o", "wide"))
    eq(rows[0], ["NAMESPACE", "NAME", "STATE", "STEPS", "DUE", "LABELS", "AGE"])
    eq(rows[1][:4], ["ci", "b", "<none>", "1"])
    eq(rows[1][4:6], ["<none>", "<none>"])
    assert rows[2][4].endswith("y"), rows
    eq(rows[2][5], '{"x":"y"}')
    # Two resources in one table have no columns in common.
    eq(table(cli.ok("get", "all"))[0], ["NAME", "VERSION", "AGE", "SPEC"])
    cli.ok("patch", "resources/jobs", '{"spec":{"columns":[{"name":"Age","type":"date",'
           '"jsonPath":".metadata.creationTimestamp"}]}}')
    eq(table(cli.ok("get", "jobs"))[0], ["NAME", "AGE"])
    cli.ok("delete", "resources/jobs")
    eq(table(cli.ok("get", "jobs"))[0], ["NAME", "VERSION", "AGE", "SPEC"])


@test
def watches_have_the_declared_columns(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    cli.ok("put", "jobs/a", '{"steps":5}')
    eq(table(cli.ok("watch", "jobs", "--count", "1")),
       [["EVENT", "RV", "NAME", "SPEC"], ["ADDED", "1", "a", '{"steps":5}']])
    cli.ok("put", "resources/jobs", dumps(JOB))
    cli.ok("patch", "jobs/a", '{"status":{"state":"running"}}')
    want = [["EVENT", "RV", "NAME", "STATE", "STEPS"], ["ADDED", "3", "a", "running", "5"]]
    for word in ("jobs", "jb"):
        eq(table(cli.ok("watch", word, "--count", "1")), want)
    eq(table(cli.ok("watch", "jobs", "--count", "1", "--since", "0"))[1], ["ADDED", "1", "a", "<none>", "5"])
    rows = table(cli.ok("watch", "jobs", "-A", "-o", "wide", "--bookmarks", "--for", f"{int(2 * SLOW)}s"))
    eq(rows[:2], [["EVENT", "RV", "NAMESPACE", "NAME", "STATE", "STEPS", "DUE", "LABELS"],
                  ["ADDED", "3", "default", "a", "running", "5", "<none>", "<none>"]])
    eq(rows[2], ["SYNCED", "3"])
    eq(table(cli.ok("watch", "all", "--count", "1"))[0], ["EVENT", "RV", "NAME", "SPEC"])


@test
def kinds_and_short_names_are_words_for_the_resource(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    late = Server(t, name="late")
    cli.ok("put", "resources/jobs", dumps(JOB))
    cli.ok("put", "resources/journals", '{"shortNames":["jr"],"singular":"journal"}')
    cli.ok("put", "jb/a", '{"steps":1}')
    eq(cli.ok("get", "jobs", "-o", "name").out, "jobs/a\n")
    for word in ("jb", "job", "Job"):
        eq(cli.ok("get", word, "-o", "name").out, "jobs/a\n")
        eq(cli.ok("get", f"{word}/a", "-o", "name").out, "jobs/a\n")
        eq(cli.ok("export", word).json["resource"], "jobs")
        cli.ok("patch", f"{word}/a", '{"metadata":{"labels":{"w":"%s"}}}' % word)
    doc = t.file("job.yaml", "kind: Job\nmetadata: {name: from-file}\nspec: {steps: 4}\n")
    eq(cli.ok("put", "-f", doc, "-o", "name").out, "jobs/from-file\n")
    cli.ok("patch", "resources/journals", '{"spec":{"kind":"Diary"}}')
    doc = t.file("diary.yaml", "kind: Diary\nmetadata: {name: mine}\nspec: {}\n")
    eq(cli.ok("put", "-f", doc, "-o", "name").out, "journals/mine\n")
    cli.ok("delete", "jb/from-file")
    eq(cli.ok("delete", "jb", "--all", "-o", "name").out, "jobs/a\n")
    cli.ok("patch", "resources/journals", '{"spec":{"shortNames":["jb"]}}')
    out = cli.run("get", "jb")
    assert out.code != 0 and '"jb" may be jobs or journals' in out.err, out
    # A resource in its own right comes before any other meaning; an unknown word stays one.
    cli.ok("put", "resources/jb", "{}")
    assert "No objects found" in cli.ok("get", "jb").err
    assert "No objects found" in cli.ok("get", "nothing").err

    late.start()
    other = Cli(late.unix)
    other.ok("put", "resources/journals", '{"shortNames":["jr"]}')
    other.ok("put", "journals/early", "{}")
    watch = CliWatch(t, other, "jr", "--count", "2")
    watch.wait_lines(1)
    other.ok("put", "jr/more", "{}")
    eq(watch.wait(), 0)
    eq([(line["resource"], line["object"]["metadata"]["name"]) for line in watch.lines],
       [("journals", "early"), ("journals", "more")])
    late.stop()
    watch = CliWatch(t, other, "Journal", "--count", "2")
    wait_until("it waits", lambda: any("waiting" in n for n in watch.notices))
    late.start()
    eq(watch.wait(), 0)
    eq(len(watch.lines), 2)


@test
def objects_without_a_namespace(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    cli.ok("put", "resources/nodes", '{"namespaced":false}')
    refused(lambda: server.client().put("a", {}, resource="nodes", namespace="prod"), "key.namespace",
            "nodes are not namespaced")
    cli.ok("put", "nodes/a", "{}", "-n", "prod")
    for args in ((), ("-n", "prod"), ("-A",)):
        eq(cli.ok("get", "nodes", *args, "-o", "name").out, "nodes/a\n")
    eq(table(cli.ok("get", "nodes", "-A"))[0][0], "NAME")
    cli.ok("delete", "nodes/a", "-n", "prod")
    eq(cli.ok("get", "nodes", "-n", "prod").err, "No objects found.\n")


@test
def the_list_of_declared_resources(t):
    server = Server(t).start()
    cli = Cli(server.unix)
    assert "No resources are declared or in use" in cli.ok("resources").err
    eq(cli.ok("resources", "-o", "json").json, [])
    cli.ok("put", "resources/jobs", dumps(JOB))
    cli.ok("put", "resources/nodes", '{"namespaced":false,"apiVersion":"infra/v1"}')
    for name, ns in (("a", "default"), ("b", "ci"), ("gone", "ci")):
        cli.ok("put", f"jobs/{name}", '{"steps":1}', "-n", ns)
        cli.ok("put", f"flags/{name}", "{}", "-n", ns)
    cli.ok("delete", "jobs/gone", "-n", "ci")
    cli.ok("put", "passing/x", "{}")
    cli.ok("delete", "passing/x")
    for restarted in (False, True):
        if restarted:
            server.restart()
        eq(table(cli.ok("resources")),
           [["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "OBJECTS"],
            ["flags", "true", "<undeclared>", "3"],
            ["jobs", "jb", "watch/v1", "true", "Job", "2"],
            ["nodes", "infra/v1", "false", "Node", "0"]])
    eq(cli.ok("api-resources", "-o", "name").out, "flags\njobs\nnodes\n")
    eq(cli.ok("resources", "-o", "json").json[:2],
       [{"name": "flags", "declared": False, "objects": 3},
        {"name": "jobs", "declared": True, "singular": "", "shortNames": ["jb"], "apiVersion": "watch/v1",
         "kind": "Job", "namespaced": True, "objects": 2}])
    eq(cli.ok("status", "-o", "json").json["resources"], {"resources": 2, "flags": 3, "jobs": 2})
    server.stop()
    server.args = ["--token-file", t.file("tokens", "user-token-1\n"),
                   "--admin-token-file", t.file("admins", "admin-token-1\n")]
    server.start()
    cli = Cli(server.unix, "--token-file", t.path("tokens"))
    eq(table(cli.ok("resources"))[0][-1], "KIND", "the numbers are for administrators")
    eq(cli.ok("resources", "-o", "name").out, "jobs\nnodes\n")


if __name__ == "__main__":
    main()

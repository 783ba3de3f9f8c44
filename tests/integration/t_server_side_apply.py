#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Server-side apply: managers, conflicts field by field, force, what is removed and what is taken
over, over restarts; by plain gRPC and by watchctl."""
import json
import os

from watchtest import *

APPLY = 2  # PATCH_TYPE_APPLY
STATUS = 1  # PATCH_SCOPE_STATUS


def apply(client, name, doc, manager, **fields):
    return client.patch(name, doc, type=APPLY, field_manager=manager, **fields)


def managed(client, name):
    """{(manager, operation): its fields}"""
    doc = json.loads(client.get(name, show_managed_fields=True).json)
    entries = doc["metadata"].get("managedFields", [])
    for entry in entries:
        eq(sorted(set(entry) - {"subresource"}), ["fieldsType", "fieldsV1", "manager", "operation", "time"])
        eq(entry["fieldsType"], "FieldsV1")
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in entries}


def spec(client, name):
    return json.loads(client.get(name).json).get("spec")


def refused(code, reason, function, *args, **kw):
    try:
        function(*args, **kw)
    except WatchError as err:
        eq((err.code, err.reason), (code, reason))
        return err
    raise AssertionError("it was not refused")


def owned(*names):
    return {"f:spec": {".": {}, **{"f:" + n: {} for n in names}}}


@test
def the_status_alone_is_applied_by_a_manager_of_its_own(t):
    server = Server(t).start()
    client = server.client()
    refused("NOT_FOUND", "NOT_FOUND", apply, client, "web", {"status": {"ready": 1}}, "ci", scope=STATUS)
    apply(client, "web", {"metadata": {"labels": {"a": "b"}}, "spec": {"n": 1}}, "ci")
    answer = apply(client, "web", {"metadata": {"labels": {"a": "c"}}, "spec": {"n": 2},
                                   "status": {"ready": 1, "phase": "up"}}, "ci", scope=STATUS)
    eq((answer.result, answer.generation), (2, 1))
    now = json.loads(client.get("web", show_managed_fields=True).json)
    eq((now["spec"], now["status"], now["metadata"]["labels"]), ({"n": 1}, {"ready": 1, "phase": "up"}, {"a": "b"}))
    eq({(e["manager"], e["operation"], e.get("subresource")): sorted(e["fieldsV1"]) for e in now["metadata"]["managedFields"]},
       {("ci", "Apply", None): ["f:metadata", "f:spec"], ("ci", "Apply", "status"): ["f:status"]})
    head = client.head()
    eq(apply(client, "web", {"status": {"ready": 1, "phase": "up"}}, "ci", scope=STATUS).result, 3)
    # The one does not take away what the other applied.
    apply(client, "web", {"spec": {"n": 1, "m": 2}}, "ci")
    client = server.restart().client()
    eq(json.loads(client.get("web").json)["status"], {"ready": 1, "phase": "up"})
    err = refused("ABORTED", "CONFLICT", apply, client, "web", {"status": {"phase": "down"}}, "ops", scope=STATUS)
    eq((err.fields, client.head()), (["status.phase"], head + 1))
    apply(client, "web", {"status": {"phase": "down"}}, "ops", scope=STATUS, force=True)
    apply(client, "web", {"status": {}}, "ci", scope=STATUS)
    doc = json.loads(client.get("web").json)
    eq((doc["spec"], doc["status"]), ({"n": 1, "m": 2}, {"phase": "down"}), "what is let go is removed")
    client.patch("web", {"status": {"phase": "new"}}, scope=STATUS, field_manager="loop")
    entries = json.loads(client.get("web", show_managed_fields=True).json)["metadata"]["managedFields"]
    eq(sorted((e["manager"], e["operation"]) for e in entries if e.get("subresource")),
       [("ci", "Apply"), ("loop", "Update"), ("ops", "Apply")])
    refused("ABORTED", "CONFLICT", apply, client, "web", {"metadata": {"resourceVersion": "1"}, "status": {}}, "ci",
            scope=STATUS)


@test
def watchctl_applies_the_status_alone(t):
    server = Server(t).start()
    cli = Cli(server.address)
    cli.ok("apply", "-f", "-", stdin="kind: Site\nmetadata: {name: main}\nspec: {n: 1}\n")
    cli.ok("apply", "-f", "-", "--subresource", "status", "--field-manager", "loop",
           stdin="kind: Site\nmetadata: {name: main}\nspec: {n: 2}\nstatus: {phase: up}\n")
    doc = json.loads(cli.ok("get", "sites/main", "-o", "json").out)
    eq((doc["spec"], doc["status"]), ({"n": 1}, {"phase": "up"}))
    eq(cli.run("apply", "-f", "-", "--subresource", "scale", stdin="{}").code, 2)


@test
def two_managers_share_an_object_over_restarts(t):
    server = Server(t).start()
    client = server.client()
    eq(apply(client, "web", {"spec": {"replicas": 3, "image": "a"}}, "ci").result, 1)
    eq(apply(client, "web", {"spec": {"limit": 9}}, "ops").result, 2)
    eq(managed(client, "web"), {("ci", "Apply"): owned("replicas", "image"),
                                ("ops", "Apply"): owned("limit")})
    client = server.restart().client()
    err = refused("ABORTED", "CONFLICT", apply, client, "web",
                  {"spec": {"replicas": 1, "image": "b", "limit": 9}}, "ops")
    eq(err.fields, ["spec.image", "spec.replicas"])
    eq(err.descriptions, ['conflict with "ci"'] * 2)
    eq(spec(client, "web"), {"replicas": 3, "image": "a", "limit": 9})
    # The same value is shared; what one lets go stays, what both let go is removed.
    apply(client, "web", {"spec": {"replicas": 3, "limit": 9}}, "ops")
    apply(client, "web", {"spec": {"image": "a"}}, "ci")
    eq(spec(client, "web"), {"replicas": 3, "image": "a", "limit": 9})
    client = server.restart().client()
    apply(client, "web", {"spec": {"limit": 9}}, "ops")
    eq(spec(client, "web"), {"image": "a", "limit": 9})
    apply(client, "web", {"spec": {"image": "b"}}, "ops", force=True)
    eq(spec(client, "web"), {"image": "b"})
    eq(managed(client, "web"), {("ci", "Apply"): {"f:spec": {}},
                                ("ops", "Apply"): owned("image")})
    apply(client, "web", {"metadata": {}}, "ops")
    apply(client, "web", {}, "ci")
    eq(spec(client, "web"), None)
    eq(managed(client, "web"), {})


@test
def owners_alone_are_no_event_and_never_in_one(t):
    server = Server(t).start()
    client = server.client()
    apply(client, "web", {"spec": {"x": 1}}, "ci")
    stream = client.watch("objects", start=1)
    stream.started()
    answer = apply(client, "web", {"spec": {"x": 1}}, "ops", return_object=True)
    eq((answer.result, answer.object.resource_version), (3, 1))
    assert "managedFields" not in answer.object.json
    eq(client.head(), 1)
    server.kill()
    client = server.start().client()
    eq(client.head(), 1)
    eq(managed(client, "web"), {("ci", "Apply"): owned("x"), ("ops", "Apply"): owned("x")})
    client.put("web", {"x": 2})
    with_previous = client.watch("objects", start=1, previous=True)
    with_previous.started()
    event = with_previous.event()
    assert "managedFields" not in event.object.json + event.previous.json
    assert "managedFields" not in client.list("objects")[1][0].json
    assert "managedFields" not in client.get("web").json


@test
def put_patch_and_status_take_over_what_they_change(t):
    client = Server(t).start().client()
    apply(client, "web", {"spec": {"a": 1, "b": 1, "c": 1}}, "ci")
    client.patch("web", {"spec": {"a": 2}}, field_manager="ops")
    client.patch("web", [{"op": "remove", "path": "/spec/b"}], type=1, field_manager="ops")
    client.put("web", {"status": {"ok": True}}, scope=3, field_manager="controller")
    client.put("web", {"a": 2, "c": 1, "d": 4})
    eq(managed(client, "web"), {
        ("ci", "Apply"): owned("c"),
        ("ops", "Update"): {"f:spec": {"f:a": {}}},
        ("controller", "Update"): {"f:status": {".": {}, "f:ok": {}}},
        ("unknown", "Update"): {"f:spec": {"f:d": {}}},
    })
    err = refused("ABORTED", "CONFLICT", apply, client, "web",
                  {"spec": {"a": 1, "c": 1, "d": 1}, "status": {"ok": False}}, "ci")
    eq(sorted(zip(err.fields, err.descriptions)),
       [("spec.a", 'conflict with "ops" (Update)'), ("spec.d", 'conflict with "unknown" (Update)'),
        ("status.ok", 'conflict with "controller" (Update)')])
    # A whole object that is put again, as it was shown, changes no owner.
    before = managed(client, "web")
    shown = json.loads(client.get("web", show_managed_fields=True).json)
    eq(client.put("web", shown, scope=0).result, 3)
    eq(managed(client, "web"), before)


@test
def what_nobody_applied_has_no_owners_until_somebody_does(t):
    client = Server(t).start().client()
    client.put("web", {"a": 1, "b": 1}, field_manager="ops")
    client.patch("web", {"spec": {"b": 2}}, field_manager="ops")
    eq(managed(client, "web"), {})
    err = refused("ABORTED", "CONFLICT", apply, client, "web", {"spec": {"a": 5}}, "ci")
    eq(err.descriptions, ['conflict with "before-first-apply" (Update)'])
    eq(managed(client, "web"), {})
    apply(client, "web", {"spec": {"a": 1}}, "ci")
    eq(managed(client, "web"), {("ci", "Apply"): owned("a"),
                                ("before-first-apply", "Update"): owned("a", "b")})
    client.delete("web")
    client.put("web", {"a": 1})
    eq(managed(client, "web"), {})


@test
def finalizers_and_owner_references_are_merged(t):
    client = Server(t).start().client()
    one, two = (client.put(name, {"n": 1}).uid for name in ("one", "two"))
    ref = {"apiVersion": "watch/v1", "kind": "Object"}
    apply(client, "web", {"metadata": {"finalizers": ["a/1"],
                                       "ownerReferences": [{"uid": one, "name": "one", **ref}]}}, "ci")
    apply(client, "web", {"metadata": {"finalizers": ["b/1"],
                                       "ownerReferences": [{"uid": two, "name": "two", **ref}]}}, "ops")
    metadata = json.loads(client.get("web").json)["metadata"]
    eq(metadata["finalizers"], ["a/1", "b/1"])
    eq([r["uid"] for r in metadata["ownerReferences"]], [one, two])
    apply(client, "web", {"spec": {}}, "ci")
    metadata = json.loads(client.get("web").json)["metadata"]
    eq(metadata["finalizers"], ["b/1"])
    eq([r["uid"] for r in metadata["ownerReferences"]], [two])


@test
def wrong_applies_name_the_field_and_change_nothing(t):
    client = Server(t).start().client()
    apply(client, "web", {"spec": {"a": 1}}, "ci")
    before = managed(client, "web")
    twice = {"metadata": {"finalizers": ["a/b", "a/b"]}}
    cases = [
        ("field_manager", {"spec": {}}, {"field_manager": ""}),
        ("field_manager", {"spec": {}}, {"field_manager": "a\nb"}),
        ("field_manager", {"spec": {}}, {"field_manager": "x" * 129}),
        ("json", {"a": 1}, {}),
        ("json", [], {}),
        ("json", "7", {}),
        ("metadata", '{"metadata":[],"spec":{},"apiVersion":"v1","kind":"K"}', {}),
        ("metadata.name", {"metadata": {"name": "other"}}, {}),
        ("metadata.finalizers[1]", twice, {}),
        ("metadata.labels[\"a b\"]", {"metadata": {"labels": {"a b": "c"}}}, {}),
        ("metadata.ownerReferences[0]", {"metadata": {"ownerReferences": [{"name": "n"}]}}, {}),
        ("scope", {"status": {}}, {"scope": 2}),
    ]
    for field, doc, fields in cases:
        fields = {"type": APPLY, "field_manager": "ops", **fields}
        err = refused("INVALID_ARGUMENT", "INVALID", client.patch, "web", doc, **fields)
        eq(err.fields, [field], f"{doc} {fields}: {err}")
    err = refused("INVALID_ARGUMENT", "INVALID", client.get, "web", show_managed_fields=True,
                  resource_version=1)
    eq(err.fields, ["show_managed_fields"])
    err = refused("ABORTED", "CONFLICT", apply, client, "web", {"spec": {"a": 2}}, "ci",
                  precondition=pb.Precondition(resource_version=9))
    eq(err.fields, ["metadata.resourceVersion"])
    eq((client.head(), managed(client, "web")), (1, before))


@test
def very_many_conflicts_fit_an_answer(t):
    client = Server(t).start().client()
    names = [f"a-rather-long-name-of-a-field-{i}" for i in range(2000)]
    apply(client, "web", {"spec": dict.fromkeys(names, 1)}, "x" * 128)
    err = refused("ABORTED", "CONFLICT", apply, client, "web", {"spec": dict.fromkeys(names, 2)},
                  "ops")
    assert 10 < len(err.fields) < 100, len(err.fields)
    assert "2000 conflicts" in err.message, err.message


@test
def a_repeated_request_is_answered_as_before(t):
    server = Server(t).start()
    client = server.client()
    answers = []
    for _ in range(2):
        answers.append(apply(client, "web", {"spec": {"a": 1}}, "ci", request_id=b"0123456789abcdef"))
        client.put("web", {"a": 1, "b": 2})
        client = server.restart().client()
    eq(answers[0].result, 1)
    eq(answers[1].object.resource_version, answers[0].object.resource_version)
    eq(answers[1].result, answers[0].result)
    eq(client.head(), 2)


@test
def applies_of_a_transaction_are_all_done_or_none(t):
    client = Server(t).start().client()
    apply(client, "web", {"spec": {"a": 1}}, "ci")

    def transact(a):
        return client.call("Transact", operations=[
            pb.Operation(patch=pb.PatchRequest(key=pb.Key(name=name), type=APPLY,
                                               json=dumps({"spec": {"a": a}}), field_manager="ops"))
            for name in ("db", "web")])

    err = refused("ABORTED", "CONFLICT", transact, 2)
    eq((err.fields, err.descriptions), (["operations[1].patch.spec.a"], ['conflict with "ci"']))
    eq(client.head(), 1)
    transact(1)
    eq(managed(client, "db"), {("ops", "Apply"): owned("a")})
    eq(managed(client, "web"), {("ci", "Apply"): owned("a"), ("ops", "Apply"): owned("a")})


@test
def a_schema_tells_which_lists_merge_and_its_defaults_belong_to_nobody(t):
    client = Server(t).start().client()
    schema = {"properties": {"spec": {"type": "object", "properties": {
        "color": {"type": "string", "default": "red"},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["name"],
                  "items": {"type": "object", "required": ["name"],
                            "properties": {"name": {"type": "string"}}}}}}}}
    client.put("sites", {"kind": "Site", "schema": schema}, resource="resources")

    def want(manager, spec, **kw):
        return client.patch("web", {"spec": spec}, resource="sites", type=APPLY,
                            field_manager=manager, **kw)

    want("ci", {"tags": ["a"], "ports": [{"name": "http", "port": 80}]})
    want("ops", {"tags": ["b"], "ports": [{"name": "tls", "port": 443}]})
    got = json.loads(client.get("web", resource="sites").json)["spec"]
    eq(got, {"color": "red", "tags": ["a", "b"],
             "ports": [{"name": "http", "port": 80}, {"name": "tls", "port": 443}]})
    err = refused("ABORTED", "CONFLICT", want, "ops", {"ports": [{"name": "http", "port": 8080}]})
    eq(err.fields, ['spec.ports[name="http"].port'])
    err = refused("INVALID_ARGUMENT", "INVALID", want, "ops", {"ports": [{"port": 1}]})
    want("ops", {"color": "blue"})
    want("ci", {})
    eq(json.loads(client.get("web", resource="sites").json)["spec"], {"color": "blue"})


SITE = """\
kind: Site
metadata: {name: main, labels: {tier: web}}
spec:
  replicas: 3
  ports: [80, 443]
---
kind: Site
metadata: {name: second}
spec: {replicas: 1}
"""


@test
def watchctl_applies_documents_and_lists_conflicts_as_kubectl_does(t):
    server = Server(t).start()
    cli = Cli(server.address)
    path = os.path.join(t.dir, "site.yaml")
    with open(path, "w") as file:
        file.write(SITE)
    result = cli.ok("apply", "-f", path, "--field-manager", "ci", "--dry-run")
    eq(result.out, "sites/main created (dry run)\nsites/second created (dry run)\n")
    eq(cli.run("get", "sites/main").code, 3)
    result = cli.ok("apply", "-f", path, "--field-manager", "ci")
    eq(result.out, "sites/main created (version 1)\nsites/second created (version 2)\n")
    eq(cli.ok("apply", "-f", path, "--field-manager", "ci").out,
       "sites/main unchanged (version 1)\nsites/second unchanged (version 2)\n")
    cli.ok("patch", "sites/main", '{"spec":{"ports":[8080]}}')
    changed = SITE.replace("replicas: 3", "replicas: 5").replace("tier: web", "tier: db")
    result = cli.run("apply", "-f", "-", "--field-manager", "ops", stdin=changed)
    eq(result.code, 4)
    eq(result.out, "sites/second unchanged (version 2)\n")
    lines = result.err.splitlines()
    assert lines[0].startswith("error: apply of sites/main failed: "), result
    assert "3 conflicts" in lines[0], result
    eq(lines[1:-1], ['conflict with "ci":', "- metadata.labels.tier", "- spec.replicas",
                     'conflict with "watchctl" (Update):', "- spec.ports"])
    assert "--force-conflicts" in lines[-1], result
    result = cli.ok("apply", "-f", "-", "--field-manager", "ops", "--force-conflicts", "-o", "json",
                    stdin=changed.split("---")[0])
    eq(result.json["spec"], {"replicas": 5, "ports": [80, 443]})
    shown = cli.ok("get", "sites/main", "-o", "json", "--show-managed-fields").json
    fields = {e["manager"]: e["fieldsV1"] for e in shown["metadata"]["managedFields"]}
    eq(fields, {"ci": {"f:metadata": {"f:labels": {}}, "f:spec": {}},
                "ops": {"f:metadata": {"f:labels": {".": {}, "f:tier": {}}},
                        "f:spec": {".": {}, "f:ports": {}, "f:replicas": {}}}})
    assert "managedFields" not in cli.ok("get", "sites/main", "-o", "json").out
    assert "managedFields:" in cli.ok("get", "sites/main", "-o", "yaml", "--show-managed-fields").out
    # put with a name of its own takes over; the default name is watchctl.
    cli.ok("put", "sites/main", '{"replicas":9}', "--field-manager", "human")
    shown = cli.ok("get", "sites/main", "-o", "json", "--show-managed-fields").json
    assert {"human", "ci", "ops"} == {e["manager"] for e in shown["metadata"]["managedFields"]}, shown
    for line, code in [(["apply"], 2), (["apply", "site.yaml"], 2),
                       (["apply", "-f", path, "--field-manager", ""], 9),
                       (["get", "sites", "--show-managed-fields"], 2),
                       (["get", "sites/main", "--show-managed-fields", "--at-rv", "1"], 2)]:
        eq(cli.run(*line).code, code, f"{line}")


if __name__ == "__main__":
    main()

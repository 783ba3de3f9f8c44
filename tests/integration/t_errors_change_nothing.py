#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every bad input: the right status, reason and field, and nothing is changed by it."""
import json

from watchtest import *

BAD_JSON = ["", " ", "{", "{]", "nonsense", '{"a":1,}', '{"a":1} x', '{"a":01}', '{"a":NaN}', "{'a':1}",
            '{"a":"\t"}', '{"a":1,"a":2}', '{"spec":{"x":{"b":1,"b":1}}}', '{"a":9223372036854775808}',
            '{"a":-9223372036854775809}', '{"a":1e999}', '{"a":"\\ud800"}', '{"a":"\\u0000"}']
NO_OBJECT = ["[]", "[1]", "1", '"x"', "null", "true"]


def refusal(call):
    try:
        call()
    except WatchError as err:
        return err
    raise AssertionError("it was taken")


def invalid(call, field=None, reason="INVALID", what=""):
    err = refusal(call)
    eq((err.code, err.reason), ("INVALID_ARGUMENT", reason), f"{what}: {err.message}")
    eq(err.domain, "watch.v1", "domain")
    assert err.message and "\n" not in err.message, err.message
    if field is not None:
        eq(err.fields, [field], f"{what}: {err.message}")
    return err


class Unchanged:
    """Head, objects and events stay as they were."""

    def __init__(self, t):
        self.server = Server(t).start()
        self.client = self.server.client()
        self.first = self.client.put("here", {"metadata": {"labels": {"a": "b"}}, "spec": {"n": 1}})
        self.second = self.client.put("here", {"n": 2})
        self.stream = self.client.watch("all", start="now")
        self.stream.started()
        self.before = self.state()

    def state(self):
        version, objects = self.client.list("all")
        return version, [o.json for o in objects]

    def check(self):
        eq(self.state(), self.before, "state")
        self.stream.silent(0.2)
        eq(self.server.restart().client().list("all")[0], self.before[0], "head after a restart")


@test
def documents(t):
    u = Unchanged(t)
    for text in BAD_JSON + NO_OBJECT:
        for name in ("here", "new"):
            invalid(lambda: u.client.put(name, text), what=f"put {text!r}")
            invalid(lambda: u.client.put(name, text, scope=0), what=f"put whole {text!r}")
            invalid(lambda: u.client.put(name, text, scope=1), what=f"put spec {text!r}")
        invalid(lambda: u.client.patch("here", text), what=f"patch {text!r}")
    deep = "[" * 5000 + "]" * 5000
    invalid(lambda: u.client.put("new", '{"a":' + deep + "}"), what="depth")
    invalid(lambda: u.client.put("new", '{"a":"\udc80"}'.encode("utf-8", "surrogatepass").decode(
        "utf-8", "replace").replace("\ufffd", "\x01")), what="control character")
    big = dumps({"pad": "x" * 1_100_000})
    for call in (lambda: u.client.put("new", big), lambda: u.client.put("here", big),
                 lambda: u.client.patch("here", {"spec": {"pad": "x" * 1_100_000}})):
        invalid(call, reason="TOO_LARGE", what="1.1 MB")
    u.check()


@test
def a_patch_that_makes_an_object_too_large(t):
    u = Unchanged(t)
    u.client.put("grow", {"a": "x" * 600_000})
    u.stream.event()
    u.before = u.state()
    invalid(lambda: u.client.patch("grow", {"spec": {"b": "x" * 600_000}}), reason="TOO_LARGE")
    u.check()


@test
def names(t):
    u = Unchanged(t)
    bad_names = ["", "A", "a_b", "-a", "a-", ".a", "a.", "a..b", "a/b", "a b", "ä", "a" * 254, "%41", ".."]
    for bad in bad_names:
        invalid(lambda: u.client.put(bad, {"n": 1}), "key.name", what=f"name {bad!r}")
        invalid(lambda: u.client.delete(bad), "key.name", what=f"name {bad!r}")
        invalid(lambda: u.client.get(bad), "key.name", what=f"name {bad!r}")
    for bad in ["A", "a.b", "-a", "a" * 64, "a/b", "a b"]:
        invalid(lambda: u.client.put("x", {"n": 1}, namespace=bad), "key.namespace", what=f"ns {bad!r}")
        invalid(lambda: u.client.list({"namespace": bad}), "selection.namespace", what=f"ns {bad!r}")
        err = u.client.watch({"namespace": bad}).until_end()[1]
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["selections[0].namespace"]), err.message)
    for bad in ["all", "Jobs", "a/b", "-a", "a b", "ä", "a" * 300]:
        invalid(lambda: u.client.put("x", {"n": 1}, resource=bad), "key.resource", what=f"{bad!r}")
        invalid(lambda: u.client.delete("x", resource=bad), "key.resource", what=f"{bad!r}")
    for good in ("a", "a.b", "a-b", "a:b", "system:node", "0", "a" * 253):
        u.client.put(good, {"n": 1}, dry_run=True)
    u.check()


@test
def field_managers(t):
    u = Unchanged(t)
    for bad in ("watchd:", "watchd:expiry", "x" * 129, "a\nb"):
        for call in (lambda: u.client.put("here", {"n": 3}, field_manager=bad),
                     lambda: u.client.patch("here", {"spec": {"n": 3}}, field_manager=bad),
                     lambda: u.client.delete("here", field_manager=bad),
                     lambda: u.client.call("DeleteCollection", selection=pb.Selection(resource="objects"), field_manager=bad)):
            invalid(call, "field_manager", what=repr(bad))
    u.client.put("here", {"n": 3}, field_manager="watchd", dry_run=True)
    u.check()


@test
def metadata(t):
    u = Unchanged(t)
    cases = [
        ({"labels": {"a b": "c"}}, 'metadata.labels["a b"]'),
        ({"labels": {"a": "b c"}}, 'metadata.labels["a"]'),
        ({"labels": {"a": "x" * 64}}, 'metadata.labels["a"]'),
        ({"labels": {"-a": "b"}}, 'metadata.labels["-a"]'),
        ({"labels": {"": "b"}}, 'metadata.labels[""]'),
        ({"labels": {"A_B/c": "b"}}, 'metadata.labels["A_B/c"]'),
        ({"labels": {"a": 1}}, 'metadata.labels["a"]'),
        ({"labels": []}, "metadata.labels"),
        ({"annotations": {"a b": "c"}}, 'metadata.annotations["a b"]'),
        ({"annotations": {"a": 1}}, 'metadata.annotations["a"]'),
        ({"annotations": {"a": "x" * 262_144}}, "metadata.annotations"),
        ({"name": "other"}, "metadata.name"),
        ({"name": 1}, "metadata.name"),
        ({"namespace": "other"}, "metadata.namespace"),
        ({"resourceVersion": "abc"}, "metadata.resourceVersion"),
        ({"resourceVersion": 1}, "metadata.resourceVersion"),
        ({"uid": 1}, "metadata.uid"),
        ({"uid": "short"}, "metadata.uid"),
        ({"generation": "1"}, "metadata.generation"),
        ({"generation": 1.0}, "metadata.generation"),
        ({"creationTimestamp": 0}, "metadata.creationTimestamp"),
        ({"deletionTimestamp": True}, "metadata.deletionTimestamp"),
        ({"deletionGracePeriodSeconds": "30"}, "metadata.deletionGracePeriodSeconds"),
        ({"selfLink": []}, "metadata.selfLink"),
        ({"managedFields": {}}, "metadata.managedFields"),
        ({"generateName": []}, "metadata.generateName"),
        ({"finalizers": "x"}, "metadata.finalizers"),
        ({"finalizers": ["ok", 1]}, "metadata.finalizers[1]"),
        ({"finalizers": ["no name"]}, "metadata.finalizers[0]"),
        ({"finalizers": ["a", "b", "a"]}, "metadata.finalizers[2]"),
        ({"ownerReferences": {}}, "metadata.ownerReferences"),
        ({"ownerReferences": [1]}, "metadata.ownerReferences[0]"),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n"}]},
         "metadata.ownerReferences[0].uid"),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u",
                               "controller": 1}]}, "metadata.ownerReferences[0].controller"),
    ]
    for meta, field in cases:
        reason = "TOO_LARGE" if field == "metadata.annotations" else "INVALID"
        for name in ("here", "new"):
            invalid(lambda: u.client.put(name, {"metadata": meta, "spec": {"n": 3}}), field, reason,
                    what=f"put {name} {str(meta)[:60]}")
        invalid(lambda: u.client.patch("here", {"metadata": meta}), field, reason,
                what=f"patch {str(meta)[:60]}")
        if field not in ("metadata.resourceVersion", "metadata.uid"):
            ops = [{"op": "add", "path": "/metadata/" + [*meta][0], "value": [*meta.values()][0]}]
            invalid(lambda: u.client.patch("here", ops, type=1), field, reason,
                    what=f"JSON Patch {str(meta)[:60]}")
    invalid(lambda: u.client.put("here", {"metadata": 1, "spec": {}}, scope=0), "metadata")
    invalid(lambda: u.client.put("here", {"metadata": {}, "kind": 5}), "kind")
    invalid(lambda: u.client.put("here", {"metadata": {}, "apiVersion": []}), "apiVersion")
    u.check()


@test
def preconditions(t):
    u = Unchanged(t)
    old = u.first.object.resource_version
    for call in (
            lambda: u.client.put("here", {"n": 9}, precondition=pb.Precondition(resource_version=old)),
            lambda: u.client.put("here", {"metadata": {"resourceVersion": str(old)}, "spec": {"n": 9}}),
            lambda: u.client.patch("here", {"spec": {"n": 9}},
                                   precondition=pb.Precondition(resource_version=old)),
            lambda: u.client.patch("here", {"metadata": {"resourceVersion": str(old)}, "spec": {"n": 9}}),
            lambda: u.client.delete("here", precondition=pb.Precondition(resource_version=old))):
        err = refusal(call)
        eq((err.code, err.reason), ("ABORTED", "CONFLICT"), err.message)
        eq(err.metadata, {"expected": str(old), "actual": str(u.second.object.resource_version)})
    stranger = "00000000-0000-4000-8000-000000000000"
    for call in (
            lambda: u.client.put("here", {"n": 9}, precondition=pb.Precondition(uid=stranger)),
            lambda: u.client.put("here", {"metadata": {"uid": stranger}, "spec": {"n": 9}}),
            lambda: u.client.patch("here", {"spec": {"n": 9}}, precondition=pb.Precondition(uid=stranger)),
            lambda: u.client.patch("here", {"metadata": {"uid": stranger}, "spec": {"n": 9}}),
            lambda: u.client.put("here", {"metadata": {"uid": stranger}, "status": 1}, scope=3),
            lambda: u.client.put("here", {"metadata": {"uid": stranger}, "spec": 1}, scope=4),
            lambda: u.client.delete("here", precondition=pb.Precondition(uid=stranger))):
        err = refusal(call)
        eq((err.code, err.reason, err.fields), ("ABORTED", "CONFLICT", ["metadata.uid"]), err.message)
        assert stranger in err.message and u.first.uid in err.message, err.message
        eq(err.metadata, {"expected": "0", "actual": str(u.second.object.resource_version)})
    err = refusal(lambda: u.client.put("here", {"n": 9}, mode=1))
    eq((err.code, err.reason), ("ALREADY_EXISTS", "ALREADY_EXISTS"), err.message)
    eq(err.metadata, {"actual": str(u.second.object.resource_version)})
    for call in (lambda: u.client.put("gone", {"n": 9}, mode=2), lambda: u.client.delete("gone"),
                 lambda: u.client.patch("gone", {"spec": {"n": 9}}), lambda: u.client.get("gone"),
                 lambda: u.client.delete("here", namespace="elsewhere"),
                 lambda: u.client.delete("here", resource="jobs")):
        err = refusal(call)
        eq((err.code, err.reason), ("NOT_FOUND", "NOT_FOUND"), err.message)
        assert 'not found' in err.message, err.message
    u.check()


@test
def no_ops_and_dry_runs_write_nothing(t):
    u = Unchanged(t)
    doc = json.loads(u.client.get("here").json)
    rv = u.second.object.resource_version
    for call in (lambda: u.client.put("here", {"n": 2}), lambda: u.client.put("here", doc),
                 lambda: u.client.put("here", {k: doc[k] for k in reversed(doc)}),
                 lambda: u.client.patch("here", {}), lambda: u.client.patch("here", {"spec": {"n": 2}}),
                 lambda: u.client.patch("here", {"metadata": {"labels": {"nope": None}}}),
                 lambda: u.client.put("here", {"metadata": {"labels": {"a": "b"}, "uid": None,
                                                           "creationTimestamp": None},
                                               "spec": {"n": 2}})):
        answer = call()
        eq((answer.result, answer.object.resource_version), (3, rv), "unchanged")
    eq(u.client.put("here", {"n": 5}, dry_run=True).result, 2)
    eq(u.client.put("new", {"n": 5}, dry_run=True).result, 1)
    eq(u.client.patch("here", {"spec": {"n": 5}}, dry_run=True).result, 2)
    eq(u.client.delete("here", dry_run=True).result, 4)
    eq(refusal(lambda: u.client.put("here", {"n": 5}, dry_run=True, mode=1)).code, "ALREADY_EXISTS")
    eq(refusal(lambda: u.client.delete("gone", dry_run=True)).code, "NOT_FOUND")
    u.check()


@test
def selectors(t):
    u = Unchanged(t)
    for bad in ("a b", "a=b=c", "=a", "a in", "a in (", "a in (b", "a in b", "a>b", "a>", "!", "a,,b", "a=b,",
                "a notin ()x", "-a", "a=-", "a=" + "x" * 64, "a" * 400, ",".join(f"a{i}" for i in range(70))):
        invalid(lambda: u.client.list({"resource": "all", "all_namespaces": True, "label_selector": bad}),
                "selection.label_selector", what=f"selector {bad!r}")
        err = u.client.watch({"resource": "all"}, {"label_selector": bad}).until_end()[1]
        eq((err.code, err.fields), ("INVALID_ARGUMENT", ["selections[1].label_selector"]),
           f"{bad!r}: {err.message}")
    u.check()


@test
def requests(t):
    u = Unchanged(t)
    c = u.client
    invalid(lambda: c.call("Get"), what="no key")
    invalid(lambda: c.call("Put", json="{}"), what="no key")
    invalid(lambda: c.put("x", {"n": 1}, mode=77), "mode")
    invalid(lambda: c.put("x", {"n": 1}, scope=77), "scope")
    invalid(lambda: c.patch("here", {"spec": 9}, scope=77), "scope")
    for bad in ("x" * 129, "a\nb", "\x7f"):
        invalid(lambda: c.put("x", {"n": 1}, field_manager=bad), "field_manager")
        invalid(lambda: c.patch("here", {"spec": 9}, field_manager=bad), "field_manager")
    invalid(lambda: c.call("Patch", key=pb.Key(name="here"), json="{}", type=9), "type")
    invalid(lambda: c.call("List", continue_token="nonsense"), "continue_token")
    invalid(lambda: c.call("List", continue_token="AAAA" * 30), "continue_token")
    for path in ("ObjectService/Put", "ObjectService/Get", "ObjectService/List", "ObjectService/Delete",
                 "WatchService/Unsubscribe", "AdminService/Compact"):
        for junk in (b"\xff" * 50, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\x0a\x03\x1a\x01\xff"):
            err = refusal(lambda: c.raw("/watch.v1." + path, junk))
            assert err.code in ("INVALID_ARGUMENT", "NOT_FOUND"), f"{path} {junk}: {err}"
    err = refusal(lambda: c.raw("/watch.v1.WatchService/Subscribe", b"\xff" * 50, stream=True))
    eq(err.code, "INVALID_ARGUMENT", err.message)
    err = c.watch(*[Sel("all")] * 5000).until_end()[1]
    assert err is not None and err.code in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"), err
    page = c.call("List", selection=pb.Selection(resource="all", all_namespaces=True), limit=1)
    if page.continue_token:
        invalid(lambda: c.call("List", selection=pb.Selection(resource="jobs"),
                               continue_token=page.continue_token), "continue_token",
                what="another selection")
    u.check()


@test
def pages_show_one_version(t):
    """Objects made, changed and deleted while a client pages are not seen by it, also when the history
    moves on; when it is compacted, the client is told."""
    server = Server(t).start()
    client = server.client()
    for i in range(60):
        client.put(f"o{i:03}", {"i": i})
    version, want = client.list("all")
    want = [(o.name, o.resource_version, o.json) for o in want]
    for case in range(3):
        token, got = "", []
        while True:
            page = client.call("List", selection=pb.Selection(resource="objects"), limit=7,
                               continue_token=token)
            eq(page.resource_version, version, "version of a page")
            assert len(page.objects) <= 7
            got += [(o.name, o.resource_version, o.json) for o in page.objects]
            token = page.continue_token
            if not token:
                break
            k = len(got)
            client.put(f"o{k:03}", {"i": "changed", "case": case, "k": k})
            client.delete(f"o{(k + 9) % 60:03}")
            client.put(f"o{(k + 9) % 60:03}", {"again": case})
            client.put(f"o{k:03}-new-{case}", {"n": 1})
        eq(got, want, f"case {case}: all pages")
        version, objects = client.list("objects")
        want = [(o.name, o.resource_version, o.json) for o in objects]
    page = client.call("List", selection=pb.Selection(resource="objects"), limit=7)
    for i in range(5):
        client.put("o000", {"late": i})
    # The version of a page stays for a minute, whatever is compacted; a restart lets it go.
    floor = client.call("Compact").floor
    assert floor <= page.resource_version, floor
    rest = client.call("List", selection=pb.Selection(resource="objects"), limit=7,
                       continue_token=page.continue_token)
    eq(rest.resource_version, page.resource_version, "version of the next page")
    eq([o.name for o in rest.objects], [o[0] for o in want[7:14]], "the next page")
    server.stop()
    server.start()
    client = server.client()
    client.call("Compact")
    err = refusal(lambda: client.call("List", selection=pb.Selection(resource="objects"), limit=7,
                                      continue_token=rest.continue_token))
    eq((err.code, err.reason), ("OUT_OF_RANGE", "EXPIRED"), err.message)
    # The error brings a token for the rest at the newest version.
    rest = client.call("List", selection=pb.Selection(resource="objects"), limit=7,
                       continue_token=err.metadata["continue_token"])
    now = [o.name for o in client.list("objects")[1]]
    eq([o.name for o in rest.objects], [n for n in now if n > want[13][0]][:7], "the rest")


@test
def versions_of_reads(t):
    u = Unchanged(t)
    c = u.client
    head = c.head()
    for call in (lambda: c.get("here", resource_version=head + 1),
                 lambda: c.list("all", resource_version=head + 1),
                 lambda: c.list("all", resource_version=head + 1, version_match=1),
                 lambda: c.list("all", resource_version=head + 1, version_match=2)):
        err = refusal(call)
        eq((err.code, err.reason), ("OUT_OF_RANGE", "FUTURE"), err.message)
        eq(err.metadata, {"requested": str(head + 1), "oldest": "0", "head": str(head)})
    invalid(lambda: c.list("all", version_match=2), "resource_version", what="exact without a version")
    invalid(lambda: c.list("all", resource_version=1, version_match=7), "version_match")
    c.put("other", {"n": 1}, dry_run=True)
    c.put("more", {"n": 1})
    u.stream.event()
    u.before = u.state()
    page = c.page("all", limit=1)
    token = page.continue_token
    assert token
    invalid(lambda: c.page("all", token=token, resource_version=1), "resource_version")
    invalid(lambda: c.page("all", token=token, version_match=1), "version_match")
    for i in range(0, len(token), 7):
        changed = token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:]
        invalid(lambda: c.page("all", token=changed), "continue_token", what=f"digit {i}")
    assert c.page("all", token=token).resource_version == page.resource_version
    u.check()


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Gets and lists at versions, over the wire and by watchctl, also when the server was restarted
between two pages."""
import json

from watchtest import *


def names(objects):
    return [o.name for o in objects]


@test
def every_version_shows_what_was_there(t):
    server = Server(t).start()
    client = server.client()
    now, history = {}, {}
    for i in range(40):
        name = f"o{i * 7 % 11:02}"
        if i % 5 == 4 and name in now:
            version = client.delete(name).object.resource_version
            del now[name]
        else:
            version = client.put(name, {"i": i}).object.resource_version
            now[name] = i
        history[version] = dict(now)
    for restarted in (False, True):
        if restarted:
            client = server.restart().client()
        for version, state in history.items():
            shown, objects = client.list("objects", limit=3, resource_version=version, version_match=2)
            eq(shown, version)
            eq({o.name: json.loads(o.json)["spec"]["i"] for o in objects}, state, f"at {version}")
            eq(names(objects), sorted(state))
            for name in ("o00", "o05"):
                try:
                    got = json.loads(client.get(name, resource_version=version).json)["spec"]["i"]
                except WatchError as err:
                    eq(err.reason, "NOT_FOUND")
                    got = None
                eq(got, state.get(name), f"{name} at {version}")
        eq(client.list("objects", resource_version=1)[0], client.head(), "not older than 1")


@test
def pages_go_on_over_a_restart_and_count_what_is_left(t):
    server = Server(t).start()
    client = server.client()
    for i in range(30):
        client.put(f"secret-name-{i:02}", {"i": i})
    page = client.page("objects", limit=8)
    got, left = names(page.objects), []
    while page.continue_token:
        left.append(page.remaining_count)
        assert "c2VjcmV0" not in page.continue_token, "base64 of a name"
        client.put("secret-name-29", {"changed": len(got)})
        client.put(f"later-{len(got)}", {})
        client = server.restart().client()
        version = page.resource_version
        page = client.page("objects", limit=8, token=page.continue_token)
        eq(page.resource_version, version)
        got += names(page.objects)
    eq(got, [f"secret-name-{i:02}" for i in range(30)])
    eq(left, [22, 14, 6])
    eq(page.remaining_count, 0)


@test
def watchctl_shows_old_versions(t):
    server = Server(t).start()
    client = server.client()
    first = client.put("a", {"v": 1}).object.resource_version
    second = client.put("b", {"v": 1}).object.resource_version
    client.put("a", {"v": 2})
    client.delete("b")
    cli = Cli(server.address)
    eq(json.loads(cli.ok("get", "objects/a", "--at-rv", str(first), "-o", "json").out)["spec"], {"v": 1})
    eq(cli.ok("get", "objects", "--at-rv", str(second), "-o", "name").out.split(), ["objects/a", "objects/b"])
    eq(cli.ok("get", "objects", "--chunk-size", "1", "--at-rv", str(second), "-o", "name").out.split(),
       ["objects/a", "objects/b"])
    eq(json.loads(cli.ok("get", "objects", "--at-rv", str(second), "-o", "json").out)["metadata"],
       {"resourceVersion": str(second)})
    eq(len(cli.ok("export", "--at-rv", str(second)).out.splitlines()), 2)
    done = cli.run("get", "objects/b", "--at-rv", str(first))
    eq(done.code, 3)
    assert f"made at version {second}" in done.err, done.err
    done = cli.run("get", "objects/b")
    eq(done.code, 3)
    assert "deleted at version" in done.err, done.err
    done = cli.run("get", "objects", "--at-rv", "999")
    eq(done.code, 6)
    eq(cli.run("get", "objects", "--at-rv", "x").code, 2)


if __name__ == "__main__":
    main()

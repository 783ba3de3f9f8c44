#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Field selectors from the command line to the history: what enters and leaves a selection by a change of
its status is told, live, after a kill -9, and out of history alike; lists, subscriptions and continue tokens
know the selection."""
from watchtest import *


def refusal(call):
    try:
        call()
    except WatchError as err:
        return err
    raise AssertionError("it was taken")


def job(phase=None, n=0):
    doc = {"metadata": {}, "spec": {"n": n, "image": {"tag": "a.b"}}}
    if phase is not None:
        doc["status"] = {"phase": phase}
    return doc


def seen(lines):
    """What watchctl watch -o json told: type, name and phase."""
    events = []
    for item in lines:
        obj = item["object"]
        events.append((item["type"], obj["metadata"]["name"], obj.get("status", {}).get("phase", "")))
    return events


@test
def entering_and_leaving_survive_a_kill(t):
    server = Server(t).start()
    client = server.client()
    client.put("a", job("Running"), "jobs")
    client.put("b", job("Pending"), "jobs")
    client.put("c", job("Running"), "objects")
    cli = Cli(server.address)
    running = CliWatch(t, cli, "jobs", "--field-selector", "status.phase=Running")
    others = CliWatch(t, cli, "jobs", "--field-selector", "status.phase!=Running")
    want_running = [("ADDED", "a", "Running")]
    want_others = [("ADDED", "b", "Pending")]
    running.wait_lines(1)
    others.wait_lines(1)

    def put(name, phase, running_gets=None, others_get=None):
        client.put(name, job(phase), "jobs", wait=True)
        if running_gets:
            want_running.append((running_gets[0], name, running_gets[1]))
        if others_get:
            want_others.append((others_get[0], name, others_get[1]))

    put("b", "Running", ("ADDED", "Running"), ("DELETED", "Pending"))
    put("a", "Done", ("DELETED", "Running"), ("ADDED", "Done"))
    put("a", "Failed", None, ("MODIFIED", "Failed"))
    running.wait_lines(len(want_running))
    others.wait_lines(len(want_others))
    server.kill()
    server.start()
    client = server.client()
    put("a", None, None, ("MODIFIED", ""))
    put("a", "Running", ("ADDED", "Running"), ("DELETED", ""))
    client.patch("b", {"spec": {"n": 7}}, "jobs")
    want_running.append(("MODIFIED", "b", "Running"))
    client.delete("b", "jobs")
    want_running.append(("DELETED", "b", "Running"))
    put("d", "Running", ("ADDED", "Running"))
    put("d", "Done", ("DELETED", "Running"), ("ADDED", "Done"))
    running.wait_lines(len(want_running))
    others.wait_lines(len(want_others))
    eq(seen(running.lines), want_running, "running")
    eq(seen(others.lines), want_others, "others")

    # The same from the history, from the first version on.
    for selector, want in (("status.phase=Running", want_running), ("status.phase!=Running", want_others)):
        out = cli.ok("watch", "jobs", "-o", "json", "--since", "0", "--field-selector", selector,
                     "--count", str(len(want)))
        eq(seen(out.lines), want, "history of " + selector)
    running.close()
    others.close()


@test
def lists_get_only_what_matches_and_pages_stay_with_their_selection(t):
    server = Server(t).start()
    client = server.client()
    for i in range(40):
        client.put(f"j{i:02}", job(["Running", "Done", None][i % 3], i), "jobs")
    cli = Cli(server.address)

    def names(*words):
        return [line.split("/")[-1] for line in cli.ok("get", "jobs", "-o", "name", *words).out.split()]

    def of(keep):
        return [f"j{i:02}" for i in range(40) if keep(i)]

    eq(names("--field-selector", "status.phase=Running"), of(lambda i: i % 3 == 0))
    eq(names("--field-selector", "status.phase!=Running"), of(lambda i: i % 3 != 0))
    eq(names("--field-selector", "status.phase="), of(lambda i: i % 3 == 2))
    eq(names("--field-selector", "status.phase in (Done,Running),spec.n!=4"), of(lambda i: i % 3 != 2 and i != 4))
    eq(names("--field-selector", "metadata.name=j07"), ["j07"])
    eq(names("--field-selector", "spec.n in (1,2,39),spec.image.tag=a.b"), ["j01", "j02", "j39"])
    eq(names("--field-selector", "metadata.namespace=other"), [])
    eq(names("-A", "--field-selector", "metadata.namespace=default,spec.n=3"), ["j03"])

    sel = {"resource": "jobs", "field_selector": "status.phase=Running"}
    got, token = [], ""
    while True:
        page = client.page(sel, limit=3, token=token)
        got += [o.name for o in page.objects]
        token = page.continue_token
        if not token:
            break
        assert len(page.objects) == 3, page
        client.put("j03", job("Done"), "jobs")  # Not seen by later pages.
    eq(got, of(lambda i: i % 3 == 0))
    token = client.page(sel, limit=3).continue_token
    err = refusal(lambda: client.page({"resource": "jobs", "field_selector": "status.phase=Done"},
                                      limit=3, token=token))
    eq((err.code, err.fields), ("INVALID_ARGUMENT", ["continue_token"]))


@test
def a_selection_is_shown_and_a_wrong_one_refused(t):
    server = Server(t).start()
    client = server.client()
    cli = Cli(server.address)
    w = CliWatch(t, cli, "jobs", "--client-id", "me", "--field-selector",
              ".spec.b==2 , status.phase in (b,a)")
    wait_until("the watch is listed", lambda: client.subscriptions("me"))
    eq(client.subscriptions("me")[0].selections[0].field_selector, "spec.b=2,status.phase in (a,b)")
    shown = cli.ok("subscriptions", "-o", "json").json["items"][0]["selections"][0]
    eq(shown["fieldSelector"], "spec.b=2,status.phase in (a,b)")
    assert "--field-selector spec.b=2,status.phase in (a,b)" in cli.ok("subscriptions").out
    w.close()
    for bad in ("a", "a=b=c", "a..b=1", "a in ()", "a=\\x", "a[*]=1"):
        got = cli.run("get", "jobs", "--field-selector", bad)
        assert got.code == 9 and "selection.field_selector" in got.err, got
        got = cli.run("watch", "jobs", "--field-selector", bad)
        assert got.code == 9 and "selections[0].field_selector" in got.err, got


if __name__ == "__main__":
    main()

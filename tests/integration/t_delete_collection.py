#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A collection is deleted by selection, page by page; what is told is what was done, and a page that
is repeated does nothing twice."""
import os
import threading

from watchtest import *


def fill(client, n, resource="jobs", namespace="ci", labels=None):
    for i in range(n):
        client.put(f"o{i:04}", {"metadata": {"labels": (labels or {"i": str(i % 3)})},
                                "spec": {"i": i}}, resource=resource, namespace=namespace)


def collect(client, limit=0, dry_run=False, **sel):
    """All pages: names of what was deleted."""
    token, names, pages = "", [], 0
    while True:
        page = client.call("DeleteCollection", selection=pb.Selection(**sel), limit=limit,
                           continue_token=token, dry_run=dry_run, timeout=60)
        pages += 1
        names += [(o.object.name, o.result) for o in page.outcomes]
        token = page.continue_token
        if not token:
            return names, pages


def names_left(client, **sel):
    return [o.name for o in client.list(pb.Selection(**sel))[1]]


@test
def those_of_the_selection_go_and_no_others(t):
    client = Server(t).start().client()
    fill(client, 12)
    fill(client, 3, namespace="other")
    fill(client, 3, resource="flags")
    stream = client.watch("all", start="now")
    stream.started()
    names, pages = collect(client, resource="jobs", namespace="ci", label_selector="i=1", limit=3)
    eq(names, [(f"o{i:04}", 4) for i in (1, 4, 7, 10)])
    eq(pages, 2)
    for i in (1, 4, 7, 10):
        event = stream.event()
        eq((event.type, event.cause, event.object.name), (3, 3, f"o{i:04}"))
    eq(len(names_left(client, resource="all", all_namespaces=True)), 18 - 4)
    names, _ = collect(client, resource="jobs", all_namespaces=True)
    eq(len(names), 8 + 3)
    eq(names_left(client, resource="all", all_namespaces=True), ["o0000", "o0001", "o0002"])
    eq(collect(client, resource="jobs", all_namespaces=True), ([], 1), "the repeat")


@test
def the_outcomes_carry_version_and_uid_but_no_document(t):
    client = Server(t).start().client()
    put = client.put("a", {"x": 1})
    page = client.call("DeleteCollection", selection=pb.Selection())
    outcome = page.outcomes[0]
    eq((outcome.object.resource, outcome.object.namespace, outcome.object.name),
       ("objects", "default", "a"))
    eq((outcome.object.resource_version, outcome.object.json), (2, ""))
    eq((outcome.uid, outcome.generation), (put.uid, 1))


@test
def a_dry_run_tells_and_changes_nothing(t):
    client = Server(t).start().client()
    fill(client, 5)
    names, _ = collect(client, resource="jobs", namespace="ci", dry_run=True, limit=2)
    eq(names, [(f"o{i:04}", 4) for i in range(5)])
    eq(client.head(), 5)
    eq(len(names_left(client, resource="jobs", namespace="ci")), 5)


@test
def an_object_made_again_meanwhile_stays(t):
    client = Server(t).start().client()
    fill(client, 6)
    first = client.call("DeleteCollection", limit=3,
                        selection=pb.Selection(resource="jobs", namespace="ci"))
    eq(len(first.outcomes), 3)
    client.delete("o0004", resource="jobs", namespace="ci")
    client.put("o0004", {"new": True}, resource="jobs", namespace="ci")
    client.put("o0005", {"changed": True}, resource="jobs", namespace="ci")
    client.put("o0006", {"new": True}, resource="jobs", namespace="ci")
    rest = client.call("DeleteCollection", continue_token=first.continue_token,
                       selection=pb.Selection(resource="jobs", namespace="ci"))
    eq([o.object.name for o in rest.outcomes], ["o0003", "o0005"])
    eq(names_left(client, resource="jobs", namespace="ci"), ["o0004", "o0006"])


@test
def bad_requests_change_nothing(t):
    client = Server(t).start().client()
    fill(client, 3)
    position = client.watch("all", start="now")
    position.started()
    for fields, field in [
            (dict(selection=pb.Selection(resource="NO")), "selection.resource"),
            (dict(selection=pb.Selection(label_selector="a in")), "selection.label_selector"),
            (dict(continue_token="abc"), "continue_token"),
            (dict(selection=pb.Selection(resource="jobs", namespace="other"),
                  continue_token=client.call("DeleteCollection", dry_run=True, limit=1,
                                             selection=pb.Selection(resource="jobs", namespace="ci"))
                  .continue_token), "continue_token")]:
        try:
            client.call("DeleteCollection", **fields)
        except WatchError as err:
            eq((err.code, err.fields), ("INVALID_ARGUMENT", [field]), err.message)
        else:
            raise AssertionError(f"{fields} was taken")
    eq(client.head(), 3)


@test
def two_at_once_and_writers_between(t):
    """Each object is deleted once, whoever told of it."""
    server = Server(t).start()
    client = server.client()
    n = rounds(1500, short=300)
    fill(client, n, labels={"all": "yes"})
    told = [[], []]

    def run(k):
        told[k] = collect(server.client(), resource="jobs", namespace="ci", limit=70)[0]

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(2)]
    for thread in threads:
        thread.start()
    join_all(threads)
    both = told[0] + told[1]
    eq(sorted(set(both)), [(f"o{i:04}", 4) for i in range(n)])
    eq(len(both), n, "told twice")
    eq(client.head(), 2 * n)


@test
def watchctl_deletes_a_collection_only_when_it_is_asked_to(t):
    server = Server(t).start()
    client, cli = server.client(), Cli(server.address)
    fill(client, 4)
    eq(cli.run("delete", "jobs", "-n", "ci").code, 3, "a single word is a name")
    dry = cli.ok("delete", "jobs", "-n", "ci", "-l", "i=0", "--dry-run")
    eq(dry.out, "jobs/o0000 deleted (dry run)\njobs/o0003 deleted (dry run)\n")
    eq(cli.ok("delete", "jobs", "-n", "ci", "-l", "i=0", "-o", "name").out,
       "jobs/o0000\njobs/o0003\n")
    eq(cli.ok("delete", "jobs", "--all", "-A").out,
       "jobs/o0001 deleted (version 7)\njobs/o0002 deleted (version 8)\n")
    none = cli.ok("delete", "jobs", "--all", "-A")
    eq((none.out, none.err), ("", "No objects found.\n"))
    for words in (["delete", "jobs/a", "--all"], ["delete", "--all"], ["delete", "jobs", "-A"],
                  ["delete", "jobs", "--all", "-l", "a=b"],
                  ["delete", "jobs", "--all", "--if-rv", "3"],
                  ["delete", "jobs", "--all", "-o", "json"]):
        eq(cli.run(*words).code, 2, str(words))


if __name__ == "__main__":
    main()
